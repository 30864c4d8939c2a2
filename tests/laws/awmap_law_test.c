/* The laws of the replicated map, over the real encoded bodies, against a naive log of all writes.
 *
 * The scenes are those of awmap_model.py: a few replicas and keys; writes; pushes that are lost,
 * repeated, late or cut into slices; walks and full comparisons in small bodies, interrupted and
 * interleaved with everything else; tombstones dropped; replicas that die for ever, are restarted
 * from their log, or come back from an old image of it under a new writer id; the dead, and some of
 * the living by mistake, are retired by each survivor when it likes. At the end the survivors
 * exchange everything. Then: they are equal; nothing that one of them covers was lost
 * unless a write replaced or removed it; nothing so removed has come back.
 *
 *     LAWS_SEEDS=20000 awmap_law_test      more seeds;  LAWS_FIRST=n begins at seed n */
#include <stdio.h>
#include <string.h>

#include "awmap_world.h"
#include "unit.h"

/* --- Scenes ---------------------------------------------------------------------------------- */

static void scene_exchange(struct world *world, uint32_t from, uint32_t to)
{
    struct session *session = session_open_walk(world, from, to);
    for (uint32_t steps = random_below(&world->random, 5); steps > 0; steps--) {
        if (session->kind != SESSION_WALK)
            return;
        session_step(world, session, pick_bytes_max(world), 10);
    }
}

static void scene_whole_exchange(struct world *world, uint32_t from, uint32_t to)
{
    struct session *session = session_open_walk(world, from, to);
    while (session->kind == SESSION_WALK)
        session_step(world, session, pick_bytes_max(world), 0);
}

static void scene_continue(struct world *world)
{
    struct session *session = &world->sessions[random_below(&world->random, SESSIONS_MAX)];
    if (session->kind != SESSION_NONE)
        session_step(world, session, pick_bytes_max(world), 5);
    if (session->kind != SESSION_NONE && random_chance(&world->random, 10))
        session_close(session);
}

static void scene_death(struct world *world, uint32_t index)
{
    if (live_count(world) <= 2)
        return;
    world->replicas[index].dead = true;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (world->sessions[i].from == index || world->sessions[i].to == index)
            session_close(&world->sessions[i]);
    }
}

/* With what was stable the last time, as a core does, or as if all were. */
static void world_strike(struct world *world, uint32_t index)
{
    struct replica *replica = &world->replicas[index];
    size_t budget = random_chance(&world->random, 30) ? 1 : SIZE_MAX;
    replica_save(replica);
    if (random_chance(&world->random, 50)) {
        awmap_tidy(replica->map, awmap_seen(replica->map), budget);
        return;
    }
    if (awmap_tidy(replica->map, &replica->stable, budget) < budget)
        awmap_note_stable(replica->map, &replica->stable);
}

/* Who belongs to nobody alive is retired here; sometimes by mistake also who does. */
static void scene_retire(struct world *world, uint32_t at)
{
    replica_save(&world->replicas[at]);
    for (uint32_t i = 0; i < world->count; i++) {
        const struct replica *of = &world->replicas[i];
        for (uint32_t j = 0; j < of->past_count; j++) {
            bool gone = of->dead || j + 1 < of->past_count;
            if (random_chance(&world->random, gone ? 60 : 8))
                awmap_retire(world->replicas[at].map, of->past_writers[j]);
        }
    }
    world_strike(world, at);
}

/* `a` writes over what a dead writer has left, and strikes its dot before all know of the write. */
static void scene_strike(struct world *world, uint32_t a, uint32_t b)
{
    struct replica *writer = &world->replicas[a];
    uint32_t dead = random_below(&world->random, world->count);
    uint32_t key = random_below(&world->random, KEYS);
    if (dead == a || !world->replicas[dead].dead)
        return;
    const struct replica *past = &world->replicas[dead];
    world_write(world, a, key, random_chance(&world->random, 70));
    if (random_chance(&world->random, 50))
        awmap_note_pushed(writer->map, awmap_writer_counter(writer->map)); /* and it was lost */
    struct session *session = session_open_walk(world, a, b);
    if (session->kind != SESSION_NONE && random_chance(&world->random, 50))
        session_step(world, session, 1, 0);
    replica_save(writer);
    for (uint32_t j = 0; j < past->past_count; j++)
        awmap_retire(writer->map, past->past_writers[j]);
    world_strike(world, a);
    while (session->kind != SESSION_NONE && random_chance(&world->random, 80))
        session_step(world, session, pick_bytes_max(world), 5);
    if (random_chance(&world->random, 60))
        world_push(world, a, b);
}

/* A tombstone is dropped while a walk has still to reach it. */
static void scene_drop_ahead(struct world *world, uint32_t a, uint32_t b, uint32_t key)
{
    world_write(world, a, key, true);
    scene_whole_exchange(world, a, b);
    world_write(world, a, random_below(&world->random, KEYS), true);
    world_write(world, a, key, false);
    struct session *session = session_open_walk(world, a, b);
    if (session->kind == SESSION_WALK)
        session_step(world, session, 1, 0);
    world_drop_tombstones(world, a);
    while (session->kind == SESSION_WALK)
        session_step(world, session, pick_bytes_max(world), 0);
}

/* Scenes that chance alone plays too rarely. */
static void scene_special(struct world *world, uint32_t a, uint32_t b)
{
    struct random *random = &world->random;
    uint32_t key = random_below(random, KEYS);
    if (random_chance(random, 35)) {
        scene_strike(world, a, b);
    } else if (random_chance(random, 20)) {
        scene_drop_ahead(world, a, b, key);
    } else if (random_chance(random, 50)) {
        world_write(world, a, key, false);
        world_drop_tombstones(world, a);
        world_push(world, a, b);
    } else {
        world_write(world, a, key, true);
        world_write(world, a, random_below(random, KEYS), true);
        world_write(world, a, key, true);
        world_push(world, a, b);
        uint32_t c = pick_live(world, UINT32_MAX);
        if (c != b)
            scene_whole_exchange(world, b, c);
    }
    if (random_chance(random, 15))
        scene_death(world, a);
}

static void scene_disk(struct world *world, uint32_t index)
{
    uint32_t x = random_below(&world->random, 10);
    replica_save(&world->replicas[index]);
    if (x < 4)
        replica_restart(world, index);
    else if (x < 6)
        replica_regress(world, index);
    else
        replica_snapshot(&world->replicas[index]);
}

static void world_step(struct world *world)
{
    struct random *random = &world->random;
    uint32_t a = pick_live(world, UINT32_MAX), b = pick_live(world, a);
    uint32_t x = random_below(random, 1000);
    if (x < 330) {
        uint32_t key = random_below(random, KEYS); /* one call per statement: see the top */
        world_write(world, a, key, random_chance(random, 65));
        if (random_chance(random, 30))
            world_drop_tombstones(world, a);
    } else if (x < 370) {
        scene_special(world, a, b);
    } else if (x < 500) {
        world_push(world, a, b);
    } else if (x < 530) {
        struct buffer *late = &world->late[random_below(random, LATE_MAX)];
        if (late->bytes > 0)
            push_deliver(world, a, buffer_view(late));
    } else if (x < 680) {
        scene_exchange(world, a, b);
    } else if (x < 760) {
        world_drop_tombstones(world, a);
    } else if (x < 790) {
        uint32_t some = random_below(random, UINT32_MAX);
        session_open_full(world, a, b, random_chance(random, 70) ? UINT32_MAX : some);
    } else if (x < 960) {
        scene_continue(world);
    } else if (x < 972) {
        scene_disk(world, a);
    } else if (x < 987) {
        scene_retire(world, a);
    } else {
        scene_death(world, a);
    }
    for (uint32_t i = 0; i < world->count; i++) {
        if (!world->replicas[i].dead)
            replica_save(&world->replicas[i]);
    }
}

/* --- The end --------------------------------------------------------------------------------- */

static uint32_t buckets_differing(const struct awmap *a, const struct awmap *b)
{
    struct awmap_digest x = awmap_digest(a), y = awmap_digest(b);
    uint32_t buckets = 0;
    for (uint32_t i = 0; i < AWMAP_BUCKETS; i++)
        buckets |= (uint32_t)(x.buckets[i] != y.buckets[i]) << i;
    return buckets;
}

/* The buckets that `b` should ask `a` for, as a core finds out from a's digest; 0: it walks. */
static uint32_t buckets_to_compare(const struct awmap *a, const struct awmap *b)
{
    struct awmap_position position = {0};
    struct buffer bytes = {0};
    awmap_position_encode(a, awmap_seen(b), &bytes);
    if (!awmap_position_decode(&position, buffer_view(&bytes)))
        abort();
    uint32_t buckets = 0;
    if (!awmap_position_is_covered(b, &position))
        buckets = 0;
    else if (!awmap_position_equals(b, &position) && !awmap_position_rest_equals(b, &position))
        buckets = UINT32_MAX;
    else if (awmap_position_covers(b, &position))
        buckets = buckets_differing(a, b); /* NOCONTENT */
    awmap_position_release(&position);
    buffer_release(&bytes);
    return buckets;
}

/* What a core does when digests differ. */
static void settle_pair(struct world *world, uint32_t from, uint32_t to)
{
    uint32_t buckets = buckets_to_compare(world->replicas[from].map, world->replicas[to].map);
    struct session *session =
        buckets ? session_open_full(world, from, to, buckets) : session_open_walk(world, from, to);
    while (session->kind != SESSION_NONE)
        session_step(world, session, pick_bytes_max(world), 0);
}

static void world_settle(struct world *world)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        session_close(&world->sessions[i]);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t a = 0; a < world->count; a++) {
            for (uint32_t b = 0; b < world->count; b++) {
                if (a != b && !world->replicas[a].dead && !world->replicas[b].dead)
                    settle_pair(world, a, b);
            }
        }
    }
}

static bool world_covers(const struct world *world, struct dot dot)
{
    for (uint32_t i = 0; i < world->count; i++) {
        const struct replica *replica = &world->replicas[i];
        if (!replica->dead && awmap_covers(replica->map, dot))
            return true;
    }
    return false;
}

static bool write_replaces(const struct write *write, uint32_t key, struct dot dot)
{
    for (size_t i = 0; write->key == key && i < write->old_count; i++) {
        if (dot_equal(write->old[i], dot))
            return true;
    }
    return false;
}

/* Really removed by somebody, though perhaps nobody left knows. */
static bool dot_deleted(const struct world *world, uint32_t key, struct dot dot)
{
    for (size_t i = 0; i < world->write_count; i++) {
        const struct write *write = &world->writes[i];
        if (write_replaces(write, key, dot) && (!write->put || dot_deleted(world, key, write->dot)))
            return true;
    }
    return false;
}

static bool context_has(const struct world *world, uint32_t key, struct dot dot)
{
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->replicas[i].dead)
            continue;
        const struct awmap_entry *entry = entry_find(world->replicas[i].map, key_of(key));
        struct state state = entry ? entry_state(entry) : (struct state){0};
        if (state_counter(&state, dot.replica) >= dot.counter)
            return true;
    }
    return false;
}

/* Some survivor has met the write, or one that replaced it: contexts may be struck of the former.
 */
static bool dot_has_effect(const struct world *world, uint32_t key, struct dot dot)
{
    if (context_has(world, key, dot))
        return true;
    for (size_t i = 0; i < world->write_count; i++) {
        const struct write *write = &world->writes[i];
        if (write_replaces(write, key, dot) && dot_has_effect(world, key, write->dot))
            return true;
    }
    return false;
}

/* NULL, or what became of the put. */
static const char *put_fate(const struct world *world, const struct write *put,
                            const struct awmap *map)
{
    bool gone = false, effect = false, present = false;
    for (size_t i = 0; i < world->write_count; i++) {
        const struct write *write = &world->writes[i];
        if (!write_replaces(write, put->key, put->dot))
            continue;
        gone |= world_covers(world, write->dot);
        effect |= dot_has_effect(world, put->key, write->dot);
    }
    const struct awmap_entry *entry = awmap_find(map, key_of(put->key));
    for (size_t i = 0; entry && i < awmap_entry_count(entry); i++)
        present |= dot_equal(awmap_entry_sibling(entry, i).dot, put->dot);
    if (gone && present)
        return "came back";
    if (!present && !gone && !effect && world_covers(world, put->dot) &&
        !dot_deleted(world, put->key, put->dot))
        return "lost";
    return NULL;
}

static const char *values_fate(const struct awmap *map)
{
    const struct awmap_entry *entry = NULL;
    while ((entry = awmap_next(map, entry))) {
        for (size_t i = 0; i < awmap_entry_count(entry); i++) {
            struct awmap_sibling sibling = awmap_entry_sibling(entry, i);
            char value[64];
            snprintf(value, sizeof value, "%llu:%llu", (unsigned long long)sibling.dot.replica,
                     (unsigned long long)sibling.dot.counter);
            if (!span_equal(sibling.value, span_text(value)))
                return "mixed up";
        }
    }
    return NULL;
}

static const char *world_verdict(struct world *world)
{
    uint32_t first = 0;
    while (world->replicas[first].dead)
        first++;
    const struct awmap *map = world->replicas[first].map;
    struct awmap_digest digest = awmap_digest(map);
    for (uint32_t i = first; i < world->count; i++) {
        if (world->replicas[i].dead)
            continue;
        awmap_check(world->replicas[i].map);
        struct awmap_digest other = awmap_digest(world->replicas[i].map);
        if (!same_content(map, world->replicas[i].map))
            return "diverged";
        if (memcmp(&digest, &other, sizeof digest) != 0)
            return "digests differ";
    }
    for (size_t i = 0; i < world->write_count; i++) {
        const struct write *write = &world->writes[i];
        const char *fate = write->put ? put_fate(world, write, map) : NULL;
        if (fate)
            return fate;
    }
    return values_fate(map);
}

static const char *world_run(uint64_t seed)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->random.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->count = 3 + random_below(&world->random, 3);
    for (uint32_t i = 0; i < world->count; i++) {
        world->replicas[i].map = awmap_new();
        replica_write_as(&world->replicas[i], i + 1);
    }
    world->next_writer = world->count + 1;
    for (uint32_t step = 0; step < STEPS; step++)
        world_step(world);
    world_settle(world);
    const char *verdict = world->misread ? "misread its log" : world_verdict(world);
    for (uint32_t i = 0; i < world->count; i++) {
        awmap_free(world->replicas[i].map);
        vector_release(&world->replicas[i].stable);
        buffer_release(&world->replicas[i].log);
    }
    for (size_t i = 0; i < LATE_MAX; i++)
        buffer_release(&world->late[i]);
    free(world);
    return verdict;
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void it_keeps_what_is_covered(void)
{
    enum { NAMED = 5 };
    uint64_t first = environment_number("LAWS_FIRST", 0);
    uint64_t seeds = environment_number("LAWS_SEEDS", 6000), bad = 0;
    printf("seeds %llu to %llu\n", (unsigned long long)first,
           (unsigned long long)(first + seeds - 1));
    fflush(stdout); /* a crash must not swallow it */
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        const char *verdict = world_run(seed);
        if (verdict && bad++ < NAMED)
            printf("seed %llu: %s\n", (unsigned long long)seed, verdict);
    }
    if (bad > 0)
        printf("bad %llu of %llu\n", (unsigned long long)bad, (unsigned long long)seeds);
    CU_ASSERT_EQUAL(bad, 0);
}

UNIT_MAIN("laws of the replicated map",
          {"what is covered is kept, and replicas agree", it_keeps_what_is_covered})
