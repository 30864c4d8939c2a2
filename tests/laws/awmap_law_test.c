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
 * No two random numbers are drawn in one expression: a seed means the same with any compiler.
 *
 *     LAWS_SEEDS=20000 awmap_law_test      more seeds;  LAWS_FIRST=n begins at seed n */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "crdt/exchange.h"

enum {
    REPLICAS_MAX = 5,
    KEYS = 5,
    STEPS = 140,
    WRITES_MAX = 512,
    SESSIONS_MAX = 12,
    LATE_MAX = 8,
    ROUNDS = 12,
    PAST_MAX = 32,
};

/* --- A small world --------------------------------------------------------------------------- */

struct random {
    uint64_t state;
};

static uint32_t random_below(struct random *random, uint32_t bound)
{
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((random->state >> 32) * bound) >> 32);
}

static bool random_chance(struct random *random, uint32_t percent)
{
    return random_below(random, 100) < percent;
}

/* One write, and the dots it replaced. */
struct write {
    uint32_t key;
    struct dot dot;
    bool put;
    struct dot old[REPLICAS_MAX * 4];
    size_t old_count;
};

struct replica {
    struct awmap *map;
    struct vector stable;
    bool dead;
    uint64_t past_writers[PAST_MAX]; /* that it wrote under, the last included */
    uint32_t past_count;
    struct buffer log;                     /* u32 length, record; ... */
    size_t batch_ends[STEPS * 8], batches; /* where the log may have been cut off */
};

enum session_kind { SESSION_NONE, SESSION_WALK, SESSION_FULL };

struct session {
    enum session_kind kind;
    uint32_t from, to;
    struct awmap_walk walk;
    struct awmap_walk_intake walk_intake;
    struct awmap_full full;
    struct awmap_full_intake full_intake;
    struct buffer held; /* a body that was overtaken */
};

struct world {
    struct random random;
    struct replica replicas[REPLICAS_MAX];
    uint32_t count;
    uint64_t next_writer;
    struct write writes[WRITES_MAX];
    size_t write_count;
    struct session sessions[SESSIONS_MAX];
    struct buffer late[LATE_MAX]; /* pushes still under way */
    uint64_t hlc;
    bool misread; /* a restart did not restore what was there */
};

static struct span key_of(uint32_t key)
{
    static const char *const names[KEYS] = {"w/default/web", "c/default/web/0", "", "n/a/b", "m/x"};
    return span_text(names[key]);
}

static uint32_t live_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++)
        count += !world->replicas[i].dead;
    return count;
}

static uint32_t pick_live(struct world *world, uint32_t but)
{
    for (;;) {
        uint32_t index = random_below(&world->random, world->count);
        if (!world->replicas[index].dead && index != but)
            return index;
    }
}

static size_t pick_bytes_max(struct world *world)
{
    static const size_t sizes[] = {1, 1, 80, 150, 100000};
    return sizes[random_below(&world->random, 5)];
}

/* --- The disk -------------------------------------------------------------------------------- */

static void log_record(struct buffer *log, const struct buffer *record)
{
    buffer_u32(log, (uint32_t)record->bytes);
    buffer_append(log, record->data, record->bytes);
}

/* What a core does after each step: changed keys, then the vectors. */
static void replica_save(struct replica *replica)
{
    struct buffer record = {0};
    if (awmap_changed_count(replica->map) == 0 && !awmap_seen_changed(replica->map))
        return;
    for (size_t i = 0; i < awmap_changed_count(replica->map); i++) {
        buffer_clear(&record);
        awmap_entry_record(awmap_changed(replica->map, i), &record);
        log_record(&replica->log, &record);
    }
    buffer_clear(&record);
    awmap_vectors_news_record(replica->map, &record);
    log_record(&replica->log, &record);
    awmap_changed_clear(replica->map);
    replica->batch_ends[replica->batches++] = replica->log.bytes;
    buffer_release(&record);
}

static void replica_snapshot(struct replica *replica)
{
    struct buffer record = {0}, log = {0};
    const struct awmap_entry *entry = NULL;
    while ((entry = awmap_next_any(replica->map, entry))) {
        buffer_clear(&record);
        awmap_entry_record(entry, &record);
        log_record(&log, &record);
    }
    buffer_clear(&record);
    for (size_t at = 0; awmap_retired_record(replica->map, &at, &record); buffer_clear(&record))
        log_record(&log, &record);
    awmap_vectors_record(replica->map, &record);
    log_record(&log, &record);
    buffer_release(&record);
    buffer_release(&replica->log);
    replica->log = log;
    replica->batches = 1;
    replica->batch_ends[0] = log.bytes;
}

static struct awmap *log_restore(struct span log)
{
    struct awmap *map = awmap_new();
    struct reader reader = reader_of(log);
    while (reader_left(&reader) > 0) {
        struct span record = reader_take(&reader, reader_u32(&reader));
        if (!awmap_restore(map, record))
            abort();
    }
    return map;
}

static void session_close(struct session *session)
{
    awmap_walk_release(&session->walk);
    awmap_full_release(&session->full);
    awmap_full_intake_release(&session->full_intake);
    buffer_release(&session->held);
    *session = (struct session){0};
}

/* A sender that ends takes its sessions along; a receiver that starts again knows nothing of the
 * sessions whose bodies still arrive. */
static void sessions_forget(struct world *world, uint32_t index)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &world->sessions[i];
        if (session->kind != SESSION_NONE && session->from == index)
            session_close(session);
        if (session->to != index)
            continue;
        session->walk_intake = (struct awmap_walk_intake){0};
        awmap_full_intake_release(&session->full_intake);
    }
}

static bool same_content(const struct awmap *a, const struct awmap *b)
{
    const struct awmap_entry *x = awmap_next(a, NULL), *y = awmap_next(b, NULL);
    for (; x && y; x = awmap_next(a, x), y = awmap_next(b, y)) {
        if (!span_equal(awmap_entry_key(x), awmap_entry_key(y)) ||
            awmap_entry_count(x) != awmap_entry_count(y))
            return false;
        for (size_t i = 0; i < awmap_entry_count(x); i++) {
            struct awmap_sibling s = awmap_entry_sibling(x, i), t = awmap_entry_sibling(y, i);
            if (!dot_equal(s.dot, t.dot) || s.hlc != t.hlc || !span_equal(s.value, t.value))
                return false;
        }
    }
    return !x && !y;
}

/* A clean restart loses nothing; counters that were reserved and not used are skipped. */
static void replica_restart(struct world *world, uint32_t index)
{
    struct replica *replica = &world->replicas[index];
    replica_save(replica);
    struct awmap *map = log_restore(buffer_view(&replica->log));
    if (!same_content(map, replica->map) ||
        !vector_equal(awmap_seen(map), awmap_seen(replica->map)) ||
        !vector_equal(awmap_horizon(map), awmap_horizon(replica->map)) ||
        !vector_equal(awmap_retired(map), awmap_retired(replica->map)) ||
        awmap_digest(map).seen_hash != awmap_digest(replica->map).seen_hash)
        world->misread = true;
    awmap_check(map);
    awmap_set_writer(map, awmap_writer(replica->map),
                     awmap_writer_counter(replica->map) + random_below(&world->random, 3));
    sessions_forget(world, index);
    awmap_free(replica->map);
    vector_release(&replica->stable);
    replica->map = map;
}

static void replica_write_as(struct replica *replica, uint64_t writer)
{
    awmap_set_writer(replica->map, writer, 0);
    if (replica->past_count < PAST_MAX)
        replica->past_writers[replica->past_count++] = writer;
}

/* An old image of the disk: the rest is lost here, though perhaps not elsewhere. */
static void replica_regress(struct world *world, uint32_t index)
{
    struct replica *replica = &world->replicas[index];
    if (replica->batches == 0)
        return;
    replica->batches = 1 + random_below(&world->random, (uint32_t)replica->batches);
    replica->log.bytes = replica->batch_ends[replica->batches - 1];
    sessions_forget(world, index);
    awmap_free(replica->map);
    vector_release(&replica->stable);
    replica->map = log_restore(buffer_view(&replica->log));
    replica_write_as(replica, world->next_writer++);
}

/* --- What replicas do ------------------------------------------------------------------------ */

static void world_write(struct world *world, uint32_t index, uint32_t key, bool put)
{
    struct awmap *map = world->replicas[index].map;
    struct write *write = &world->writes[world->write_count];
    *write = (struct write){.key = key, .put = put};
    const struct awmap_entry *entry = awmap_find(map, key_of(key));
    for (size_t i = 0; entry && i < awmap_entry_count(entry); i++)
        write->old[write->old_count++] = awmap_entry_sibling(entry, i).dot;
    char value[64];
    uint64_t next = awmap_writer_counter(map) + 1;
    snprintf(value, sizeof value, "%llu:%llu", (unsigned long long)awmap_writer(map),
             (unsigned long long)next);
    world->hlc += random_below(&world->random, 2);
    write->dot = put ? awmap_put(map, key_of(key), span_text(value), world->hlc)
                     : awmap_remove(map, key_of(key));
    if (write->dot.counter == 0)
        return;
    if (write->dot.counter != next)
        abort();
    world->write_count++;
}

static void push_deliver(struct world *world, uint32_t to, struct span body)
{
    struct awmap_push_result result;
    if (!awmap_push_apply(world->replicas[to].map, body, &result))
        abort();
}

static void world_push(struct world *world, uint32_t from, uint32_t to)
{
    static const uint64_t backs[] = {1, 1, 1, 2, 3, 5};
    struct awmap *map = world->replicas[from].map;
    uint64_t end = awmap_writer_counter(map), back = backs[random_below(&world->random, 6)];
    uint64_t at = end > back ? end - back : 0;
    size_t bytes_max = pick_bytes_max(world);
    while (at < end) {
        struct buffer body = {0};
        at = awmap_push_cut(map, at, bytes_max, &body);
        uint32_t fate = random_below(&world->random, 20);
        struct buffer *late = &world->late[random_below(&world->random, LATE_MAX)];
        if (fate < 16)
            push_deliver(world, to, buffer_view(&body));
        if (fate >= 14 && fate < 18) {
            buffer_release(late);
            *late = body;
        } else {
            buffer_release(&body);
        }
    }
    awmap_note_pushed(map, end);
}

static void world_drop_tombstones(struct world *world, uint32_t index)
{
    struct replica *replica = &world->replicas[index];
    if (random_chance(&world->random, 80))
        awmap_note_pushed(replica->map, awmap_writer_counter(replica->map));
    replica_save(replica);
    awmap_purge(replica->map, random_chance(&world->random, 30) ? 1 : SIZE_MAX);
}

static struct session *session_open(struct world *world, uint32_t from, uint32_t to)
{
    struct session *session = &world->sessions[random_below(&world->random, SESSIONS_MAX)];
    session_close(session);
    session->from = from;
    session->to = to;
    return session;
}

static struct session *session_open_full(struct world *world, uint32_t from, uint32_t to,
                                         uint32_t buckets)
{
    struct session *session = session_open(world, from, to);
    session->kind = SESSION_FULL;
    awmap_full_begin(&session->full, world->replicas[from].map, buckets);
    return session;
}

static struct session *session_open_walk(struct world *world, uint32_t from, uint32_t to)
{
    struct session *session = session_open(world, from, to);
    struct buffer position = {0};
    bool behind;
    session->kind = SESSION_WALK;
    awmap_position_encode(world->replicas[to].map, NULL, &position);
    if (!awmap_walk_begin(&session->walk, world->replicas[from].map, buffer_view(&position),
                          &behind))
        abort();
    buffer_release(&position);
    return behind ? session_open_full(world, from, to, UINT32_MAX) : session;
}

static void session_deliver(struct world *world, struct session *session, struct span body)
{
    struct awmap *map = world->replicas[session->to].map;
    bool last;
    if (session->kind == SESSION_FULL)
        awmap_full_apply(map, &session->full_intake, body, &last);
    else if (!awmap_walk_apply(map, &session->walk_intake, body, &last))
        abort();
}

/* One body of a session. `harm` in percent: lost, repeated, or overtaken by the next one. */
static void session_step(struct world *world, struct session *session, size_t bytes_max,
                         uint32_t harm)
{
    const struct awmap *map = world->replicas[session->from].map;
    struct buffer body = {0};
    if (session->kind == SESSION_FULL)
        awmap_full_cut(&session->full, map, bytes_max, &body);
    else
        awmap_walk_cut(&session->walk, map, bytes_max, &body);
    bool done = session->kind == SESSION_FULL ? session->full.done : session->walk.done;
    uint32_t fate = random_chance(&world->random, harm) ? random_below(&world->random, 3) : 3;
    if (fate == 2 && session->held.bytes == 0) {
        session->held = body;
    } else {
        for (uint32_t copies = fate == 0 ? 0 : fate == 1 ? 2 : 1; copies > 0; copies--)
            session_deliver(world, session, buffer_view(&body));
        if (session->held.bytes > 0)
            session_deliver(world, session, buffer_view(&session->held));
        buffer_release(&session->held);
        buffer_release(&body);
    }
    if (done)
        session_close(session);
}

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
