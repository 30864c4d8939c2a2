/* The map does not grow with the past: after ten thousand node replacements and a million children
 * that came and went, it takes at most twice the memory, and twice the bytes on disk, of a fresh
 * one with the same live content.
 *
 * Four replicas. Children are a key each, put and removed by different replicas, pushed to all with
 * some loss; gaps are walked. From time to time one replica dies for ever, an empty one with a new
 * writer id takes its place and writes over a share of what the dead has left, and the others
 * retire its id.
 *
 *     HORDELET_LONG=1 growth_test      all of it, two minutes; otherwise a hundredth */
#include "unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "crdt/exchange.h"

enum {
    REPLICAS = 4,
    LIVE_KEYS = 2000,
    VALUE_BYTES = 100,
    CHILDREN_PER_NODE = 100, /* a million in all */
    ABREAST = 50,            /* of them at a time */
    BODY_BYTES = 60 * 1024,
    LOSS_PERCENT = 2,
};

struct world {
    struct awmap *maps[REPLICAS];
    struct vector stable[REPLICAS];
    uint64_t next_writer, random, hlc;
    uint32_t owners[LIVE_KEYS]; /* who wrote each live key last */
};

static uint32_t below(struct world *world, uint32_t bound)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((world->random >> 32) * bound) >> 32);
}

/* --- Exchanges ------------------------------------------------------------------------------- */

static void compare(const struct awmap *from, struct awmap *to)
{
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    struct buffer body = {0};
    bool last;
    for (awmap_full_begin(&full, from, UINT32_MAX); !full.done; buffer_clear(&body)) {
        awmap_full_cut(&full, from, BODY_BYTES, &body);
        CU_ASSERT_TRUE_FATAL(awmap_full_apply(to, &intake, buffer_view(&body), &last));
    }
    buffer_release(&body);
    awmap_full_release(&full);
    awmap_full_intake_release(&intake);
}

static void catch_up(const struct awmap *from, struct awmap *to)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    struct buffer body = {0};
    bool behind, last;
    awmap_position_encode(to, NULL, &body);
    CU_ASSERT_TRUE_FATAL(awmap_walk_begin(&walk, from, buffer_view(&body), &behind));
    if (behind)
        compare(from, to);
    while (!behind && !walk.done) {
        buffer_clear(&body);
        awmap_walk_cut(&walk, from, BODY_BYTES, &body);
        CU_ASSERT_TRUE_FATAL(awmap_walk_apply(to, &intake, buffer_view(&body), &last));
    }
    buffer_release(&body);
    awmap_walk_release(&walk);
}

static void push_all(struct world *world, uint32_t from, uint64_t after)
{
    struct awmap *map = world->maps[from];
    struct buffer body = {0};
    struct awmap_push_result result;
    if (after == awmap_writer_counter(map))
        return;
    awmap_push_cut(map, after, BODY_BYTES, &body);
    for (uint32_t to = 0; to < REPLICAS; to++) {
        if (to == from || below(world, 100) < LOSS_PERCENT)
            continue;
        CU_ASSERT_TRUE_FATAL(awmap_push_apply(world->maps[to], buffer_view(&body), &result));
        if (result.gap)
            catch_up(map, world->maps[to]);
        awmap_changed_clear(world->maps[to]);
    }
    awmap_note_pushed(map, awmap_writer_counter(map));
    awmap_changed_clear(map);
    buffer_release(&body);
}

static void settle(struct world *world)
{
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t from = 0; from < REPLICAS; from++) {
            for (uint32_t to = 0; to < REPLICAS; to++) {
                if (to != from)
                    catch_up(world->maps[from], world->maps[to]);
            }
        }
    }
    for (uint32_t i = 0; i < REPLICAS; i++)
        awmap_changed_clear(world->maps[i]);
}

/* What the core does every ten minutes. */
static void tidy(struct world *world)
{
    for (uint32_t i = 0; i < REPLICAS; i++) {
        awmap_tidy(world->maps[i], &world->stable[i], SIZE_MAX);
        awmap_note_stable(world->maps[i], &world->stable[i]);
        awmap_changed_clear(world->maps[i]);
    }
}

/* --- What happens ---------------------------------------------------------------------------- */

static void put(struct world *world, uint32_t by, const char *key)
{
    uint8_t value[VALUE_BYTES] = {(uint8_t)by};
    awmap_put(world->maps[by], span_text(key), span_of(value, sizeof value), ++world->hlc);
}

static void put_live(struct world *world, uint32_t by, uint32_t number)
{
    char key[32];
    snprintf(key, sizeof key, "c/default/kept/%06u", (unsigned)number);
    put(world, by, key);
    world->owners[number] = by;
}

static void play_children(struct world *world, uint32_t number)
{
    uint32_t creator = below(world, REPLICAS);
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t by = half == 0 ? creator : below(world, REPLICAS);
        if (by != creator) /* what it is to remove it must know of */
            catch_up(world->maps[creator], world->maps[by]);
        uint64_t before = awmap_writer_counter(world->maps[by]);
        for (uint32_t i = 0; i < ABREAST; i++) {
            char key[32];
            snprintf(key, sizeof key, "c/default/job-%u/%u", (unsigned)number, (unsigned)i);
            if (half == 0)
                put(world, by, key);
            else
                awmap_remove(world->maps[by], span_text(key));
        }
        push_all(world, by, before);
    }
}

static void replace(struct world *world, uint32_t index)
{
    uint64_t dead = awmap_writer(world->maps[index]);
    /* What dies with it unknown to all others, a removal say, is no growth but a loss. */
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (i != index)
            catch_up(world->maps[index], world->maps[i]);
        awmap_changed_clear(world->maps[i]);
    }
    awmap_free(world->maps[index]);
    vector_release(&world->stable[index]);
    struct awmap *map = world->maps[index] = awmap_new();
    awmap_set_writer(map, world->next_writer++, 0);
    compare(world->maps[(index + 1) % REPLICAS], map);
    for (uint32_t i = 0; i < LIVE_KEYS; i++) {
        if (world->owners[i] == index && i % 3 > 0) /* some of its keys stay the dead one's */
            put_live(world, index, i);
    }
    push_all(world, index, 0);
    for (uint32_t i = 0; i < REPLICAS; i++)
        awmap_retire(world->maps[i], dead);
}

/* --- What it costs --------------------------------------------------------------------------- */

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t snapshot_bytes(const struct awmap *map)
{
    struct buffer records = {0};
    for (const struct awmap_entry *e = awmap_next_any(map, NULL); e; e = awmap_next_any(map, e))
        awmap_entry_record(e, &records);
    for (size_t at = 0; awmap_retired_record(map, &at, &records);)
        ;
    awmap_vectors_record(map, &records);
    size_t bytes = records.bytes;
    buffer_release(&records);
    return bytes;
}

static void world_open(struct world *world)
{
    *world = (struct world){.next_writer = UINT64_C(1) << 60, .random = 7, .hlc = 1};
    for (uint32_t i = 0; i < REPLICAS; i++) {
        world->maps[i] = awmap_new();
        awmap_set_writer(world->maps[i], world->next_writer++, 0);
    }
    for (uint32_t i = 0; i < LIVE_KEYS; i++)
        put_live(world, i % REPLICAS, i);
    settle(world);
    tidy(world);
}

static void world_close(struct world *world)
{
    for (uint32_t i = 0; i < REPLICAS; i++) {
        awmap_free(world->maps[i]);
        vector_release(&world->stable[i]);
    }
}

static bool maps_are_equal(const struct world *world)
{
    struct awmap_digest first = awmap_digest(world->maps[0]);
    for (uint32_t i = 1; i < REPLICAS; i++) {
        struct awmap_digest other = awmap_digest(world->maps[i]);
        if (memcmp(&first, &other, sizeof first) != 0)
            return false;
    }
    return true;
}

static void world_play(struct world *world, uint32_t replacements)
{
    enum { TIDY_EVERY = 5 };
    uint32_t children = 0;
    for (uint32_t i = 0; i < replacements; i++) {
        replace(world, below(world, REPLICAS));
        for (uint32_t turn = 0; turn < CHILDREN_PER_NODE / ABREAST; turn++)
            play_children(world, children++);
        if (i % TIDY_EVERY == 0) {
            settle(world);
            tidy(world);
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        settle(world);
        tidy(world);
    }
}

static void the_past_costs_next_to_nothing(void)
{
    uint32_t replacements = getenv("HORDELET_LONG") ? 10000 : 100;
    struct world *fresh = xcalloc(1, sizeof *fresh), *old = xcalloc(1, sizeof *old);
    size_t empty_bytes = heap_bytes();
    world_open(fresh);
    size_t fresh_bytes = heap_bytes() - empty_bytes, fresh_disk = snapshot_bytes(fresh->maps[0]);
    world_close(fresh);
    size_t before_bytes = heap_bytes();
    world_open(old);
    world_play(old, replacements);
    size_t old_bytes = heap_bytes() - before_bytes, old_disk = 0;
    CU_ASSERT_TRUE(maps_are_equal(old));
    for (uint32_t i = 0; i < REPLICAS; i++) {
        const struct awmap *map = old->maps[i];
        awmap_check(map);
        CU_ASSERT_EQUAL(awmap_count(map), LIVE_KEYS);
        CU_ASSERT_EQUAL(awmap_tombstone_count(map), 0);
        CU_ASSERT_EQUAL(awmap_retired(map)->count, replacements);
        CU_ASSERT_EQUAL(awmap_seen(map)->count, REPLICAS);
        size_t disk = snapshot_bytes(map);
        old_disk = disk > old_disk ? disk : old_disk;
    }
    CU_ASSERT(old_bytes <= 2 * fresh_bytes);
    CU_ASSERT(old_disk <= 2 * fresh_disk);
    printf(
        "\n    %u replacements, %u children: %zu bytes in memory (%zu fresh), %zu on disk (%zu "
        "fresh)\n    ",
        (unsigned)replacements, (unsigned)(replacements * CHILDREN_PER_NODE), old_bytes / REPLICAS,
        fresh_bytes / REPLICAS, old_disk, fresh_disk);
    world_close(old);
    free(fresh);
    free(old);
}

UNIT_MAIN("growth of the replicated map",
          {"the past costs next to nothing", the_past_costs_next_to_nothing})
