/* Join is commutative, associative and idempotent; a delta equals the whole it was cut from; what
 * is written to disk comes back; garbage changes nothing and breaks nothing.
 *
 * The join of whole maps is a whole full comparison. All scripts of three steps are tried, and
 * random ones of many. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "crdt/exchange.h"
#include "tests/laws/same_content.h"

enum { REPLICAS = 3, KEYS = 3 };

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((random_state >> 32) * bound) >> 32);
}

/* --- Maps as values -------------------------------------------------------------------------- */

static struct awmap *map_copy(const struct awmap *map)
{
    struct awmap *copy = awmap_new();
    struct buffer record = {0};
    const struct awmap_entry *entry = NULL;
    while ((entry = awmap_next_any(map, entry))) {
        buffer_clear(&record);
        awmap_entry_record(entry, &record);
        CU_ASSERT_TRUE(awmap_restore(copy, buffer_view(&record)));
    }
    buffer_clear(&record);
    awmap_vectors_record(map, &record);
    CU_ASSERT_TRUE(awmap_restore(copy, buffer_view(&record)));
    buffer_release(&record);
    awmap_changed_clear(copy);
    return copy;
}

static bool maps_equal(const struct awmap *a, const struct awmap *b)
{
    struct awmap_digest c = awmap_digest(a), d = awmap_digest(b);
    return same_content(a, b) && memcmp(&c, &d, sizeof c) == 0 &&
           vector_equal(awmap_seen(a), awmap_seen(b));
}

static void full_join(struct awmap *map, const struct awmap *from, size_t bytes_max)
{
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    struct buffer body = {0};
    bool last = false;
    for (awmap_full_begin(&full, from, UINT32_MAX); !full.done;) {
        buffer_clear(&body);
        awmap_full_cut(&full, from, bytes_max, &body);
        CU_ASSERT_TRUE(awmap_full_apply(map, &intake, buffer_view(&body), &last));
    }
    CU_ASSERT_TRUE(last);
    awmap_full_release(&full);
    buffer_release(&body);
}

/* False: behind, nothing done. */
static bool walk_join(struct awmap *map, const struct awmap *from, size_t bytes_max)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    struct buffer body = {0};
    bool behind = false, last = false;
    awmap_position_encode(map, NULL, &body);
    CU_ASSERT_TRUE(awmap_walk_begin(&walk, from, buffer_view(&body), &behind));
    while (!behind && !walk.done) {
        buffer_clear(&body);
        awmap_walk_cut(&walk, from, bytes_max, &body);
        CU_ASSERT_TRUE(awmap_walk_apply(map, &intake, buffer_view(&body), &last));
    }
    awmap_walk_release(&walk);
    buffer_release(&body);
    return !behind;
}

static struct awmap *joined(const struct awmap *a, const struct awmap *b)
{
    struct awmap *map = map_copy(a);
    full_join(map, b, 1 + random_below(300));
    return map;
}

/* --- The laws -------------------------------------------------------------------------------- */

static void check_join_laws(const struct awmap *a, const struct awmap *b, const struct awmap *c)
{
    struct awmap *ab = joined(a, b), *ba = joined(b, a), *aa = joined(a, a), *bc = joined(b, c);
    struct awmap *ab_c = joined(ab, c), *a_bc = joined(a, bc), *ab_b = joined(ab, b);
    CU_ASSERT_TRUE(maps_equal(ab, ba));
    CU_ASSERT_TRUE(maps_equal(a, aa));
    CU_ASSERT_TRUE(maps_equal(ab, ab_b));
    CU_ASSERT_TRUE(maps_equal(ab_c, a_bc));
    struct awmap *all[] = {ab, ba, aa, bc, ab_c, a_bc, ab_b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        awmap_check(all[i]);
        awmap_free(all[i]);
    }
}

static void check_delta_law(const struct awmap *a, const struct awmap *b)
{
    struct awmap *delta = map_copy(a), *whole = joined(a, b);
    if (walk_join(delta, b, 1 + random_below(200)))
        CU_ASSERT_TRUE(maps_equal(delta, whole));
    awmap_check(delta);
    awmap_free(delta);
    awmap_free(whole);
}

static void check_laws(struct awmap *const maps[REPLICAS])
{
    check_join_laws(maps[0], maps[1], maps[2]);
    check_delta_law(maps[0], maps[1]);
    check_delta_law(maps[2], maps[0]);
    struct awmap *copy = map_copy(maps[0]);
    CU_ASSERT_TRUE(maps_equal(copy, maps[0]));
    CU_ASSERT_EQUAL(awmap_tombstone_count(copy), awmap_tombstone_count(maps[0]));
    CU_ASSERT_TRUE(vector_equal(awmap_horizon(copy), awmap_horizon(maps[0])));
    awmap_check(copy);
    awmap_free(copy);
}

/* --- Scripts --------------------------------------------------------------------------------- */

enum { ACTIONS = 5 * REPLICAS }; /* put, remove, purge, join the next, join the one before */

static struct span key_of(uint32_t key)
{
    static const char *const names[KEYS] = {"alpha", "b", "gamma/delta"};
    return span_text(names[key]);
}

static void script_step(struct awmap *const maps[REPLICAS], uint32_t action, uint32_t key)
{
    uint32_t index = action % REPLICAS;
    struct awmap *map = maps[index];
    char value[16];
    switch (action / REPLICAS) {
    case 0:
        snprintf(value, sizeof value, "%u", random_below(1000));
        awmap_put(map, key_of(key), span_text(value), random_below(3));
        break;
    case 1:
        awmap_remove(map, key_of(key));
        break;
    case 2:
        awmap_changed_clear(map);
        awmap_note_pushed(map, awmap_writer_counter(map));
        awmap_purge(map, SIZE_MAX);
        break;
    case 3:
        full_join(map, maps[(index + 1) % REPLICAS], 1 + random_below(100));
        break;
    default:
        if (!walk_join(map, maps[(index + 2) % REPLICAS], 1 + random_below(100)))
            full_join(map, maps[(index + 2) % REPLICAS], 1000);
    }
}

/* One random number per statement: a seed means the same with any compiler. */
static void script_step_random(struct awmap *const maps[REPLICAS])
{
    uint32_t action = random_below(ACTIONS);
    uint32_t key = random_below(KEYS);
    script_step(maps, action, key);
}

static void maps_open(struct awmap *maps[REPLICAS])
{
    for (uint32_t i = 0; i < REPLICAS; i++) {
        maps[i] = awmap_new();
        awmap_set_writer(maps[i], UINT64_C(1) << (i * 31), 0);
    }
}

static void maps_close(struct awmap *maps[REPLICAS])
{
    for (uint32_t i = 0; i < REPLICAS; i++)
        awmap_free(maps[i]);
}

static void laws_hold_for_all_short_scripts(void)
{
    for (uint32_t script = 0; script < ACTIONS * ACTIONS * ACTIONS; script++) {
        struct awmap *maps[REPLICAS];
        maps_open(maps);
        script_step(maps, 0, 0); /* else most scripts would join nothing */
        script_step(maps, script % ACTIONS, 0);
        script_step(maps, script / ACTIONS % ACTIONS, 0);
        script_step(maps, script / ACTIONS / ACTIONS, 0);
        check_laws(maps);
        maps_close(maps);
    }
}

static void laws_hold_for_random_scripts(void)
{
    const char *seeds_text = getenv("LAWS_SEEDS");
    uint32_t seeds = seeds_text ? (uint32_t)strtoul(seeds_text, NULL, 10) : 2000;
    printf("seeds 1 to %u\n", seeds);
    for (uint32_t seed = 1; seed <= seeds; seed++) {
        struct awmap *maps[REPLICAS];
        unsigned failures = CU_get_number_of_failures();
        random_state = seed;
        maps_open(maps);
        for (uint32_t steps = random_below(25); steps > 0; steps--)
            script_step_random(maps);
        check_laws(maps);
        maps_close(maps);
        if (CU_get_number_of_failures() != failures)
            printf("seed %u\n", seed);
    }
}

/* --- Garbage --------------------------------------------------------------------------------- */

enum { BODIES = 6 };

/* One of each kind of bytes that somebody else can hand in. */
static void bodies_make(struct awmap *const maps[REPLICAS], struct buffer bodies[BODIES])
{
    const struct awmap_entry *entry = awmap_next_any(maps[1], NULL);
    if (entry)
        awmap_entry_record(entry, &bodies[0]);
    awmap_vectors_record(maps[1], &bodies[1]);
    awmap_push_cut(maps[1], 0, 1000, &bodies[2]);
    awmap_position_encode(maps[1], NULL, &bodies[3]);
    struct awmap_walk walk = {0};
    struct buffer position = {0};
    bool behind;
    awmap_position_encode(maps[0], NULL, &position);
    if (awmap_walk_begin(&walk, maps[1], buffer_view(&position), &behind) && !behind)
        awmap_walk_cut(&walk, maps[1], 1000, &bodies[4]);
    awmap_walk_release(&walk);
    buffer_release(&position);
    struct awmap_full full = {0};
    awmap_full_begin(&full, maps[1], UINT32_MAX);
    awmap_full_cut(&full, maps[1], 1000, &bodies[5]);
    awmap_full_release(&full);
}

static bool bytes_feed(struct awmap *map, uint32_t door, struct span bytes)
{
    struct awmap_push_result result;
    struct awmap_walk walk = {0};
    struct awmap_walk_intake walk_intake = {0};
    struct awmap_full_intake full_intake = {0};
    bool flag;
    switch (door) {
    case 0:
        return awmap_restore(map, bytes);
    case 1:
        return awmap_push_apply(map, bytes, &result);
    case 2:
        return awmap_walk_apply(map, &walk_intake, bytes, &flag);
    case 3:
        return awmap_full_apply(map, &full_intake, bytes, &flag);
    default:
        flag = awmap_walk_begin(&walk, map, bytes, &flag);
        awmap_walk_release(&walk);
        return flag;
    }
}

static void bytes_spoil(struct buffer *bytes)
{
    if (random_below(4) == 0)
        bytes->bytes = random_below((uint32_t)bytes->bytes + 1);
    for (uint32_t flips = random_below(4); flips > 0 && bytes->bytes > 0; flips--) {
        uint8_t *byte = &bytes->data[random_below((uint32_t)bytes->bytes)];
        uint32_t flipped = *byte ^ (1u << random_below(8));
        uint32_t other = random_below(256);
        *byte = (uint8_t)(random_below(2) ? flipped : other);
    }
    if (random_below(20) == 0) {
        buffer_clear(bytes);
        for (uint32_t left = random_below(60); left > 0; left--)
            buffer_u8(bytes, (uint8_t)random_below(256));
    }
}

/* A map that took in spoiled bytes still works, also as a writer. */
static void map_use(struct awmap *map)
{
    struct buffer body = {0};
    awmap_put(map, key_of(0), span_text("after"), 1);
    awmap_remove(map, key_of(1));
    awmap_push_cut(map, 0, 50, &body);
    buffer_release(&body);
    awmap_check(map);
}

static void garbage_changes_nothing(void)
{
    enum { WORLDS = 100, SPOILED = 400 };
    uint32_t refused = 0, taken = 0;
    for (uint32_t world = 0; world < WORLDS; world++) {
        struct awmap *maps[REPLICAS];
        struct buffer bodies[BODIES] = {0};
        random_state = world + 1000;
        maps_open(maps);
        for (uint32_t steps = 15; steps > 0; steps--)
            script_step_random(maps);
        bodies_make(maps, bodies);
        for (uint32_t i = 0; i < SPOILED; i++) {
            struct awmap *map = map_copy(maps[0]);
            struct buffer bytes = {0};
            uint32_t which = random_below(BODIES), door = random_below(5);
            buffer_append(&bytes, bodies[which].data, bodies[which].bytes);
            if (which >= 2 && random_below(4) > 0)
                door = which == 3 ? 4 : which == 2 ? 1 : which - 2;
            bytes_spoil(&bytes);
            bool good = bytes_feed(map, door, buffer_view(&bytes));
            good ? taken++ : refused++;
            if (!good)
                CU_ASSERT_TRUE(maps_equal(map, maps[0]));
            awmap_check(map);
            awmap_set_writer(map, awmap_writer(maps[0]), awmap_writer_counter(maps[0]));
            map_use(map);
            awmap_free(map);
            buffer_release(&bytes);
        }
        for (size_t i = 0; i < BODIES; i++)
            buffer_release(&bodies[i]);
        maps_close(maps);
    }
    printf("spoiled bodies: %u refused, %u still meaningful\n", refused, taken);
    CU_ASSERT_TRUE(refused > 0 && taken > 0);
}

UNIT_MAIN("laws of the join", {"all short scripts", laws_hold_for_all_short_scripts},
          {"random scripts", laws_hold_for_random_scripts},
          {"garbage changes nothing", garbage_changes_nothing})
