/* A small world of replicas of the map, for its laws: what they write, what their disks keep of it,
 * and the pushes, walks and full comparisons between them, over the real encoded bodies. All that
 * was ever written stands in a naive log.
 *
 * No two random numbers are drawn in one expression: a seed means the same with any compiler. */
#ifndef TESTS_LAWS_AWMAP_WORLD_H
#define TESTS_LAWS_AWMAP_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "crdt/exchange.h"
#include "tests/laws/same_content.h"

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

static inline uint32_t random_below(struct random *random, uint32_t bound)
{
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((random->state >> 32) * bound) >> 32);
}

static inline bool random_chance(struct random *random, uint32_t percent)
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

static inline struct span key_of(uint32_t key)
{
    static const char *const names[KEYS] = {"w/default/web", "c/default/web/0", "", "n/a/b", "m/x"};
    return span_text(names[key]);
}

static inline uint32_t live_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++)
        count += !world->replicas[i].dead;
    return count;
}

static inline uint32_t pick_live(struct world *world, uint32_t but)
{
    for (;;) {
        uint32_t index = random_below(&world->random, world->count);
        if (!world->replicas[index].dead && index != but)
            return index;
    }
}

static inline size_t pick_bytes_max(struct world *world)
{
    static const size_t sizes[] = {1, 1, 80, 150, 100000};
    return sizes[random_below(&world->random, 5)];
}

/* --- The disk -------------------------------------------------------------------------------- */

static inline void log_record(struct buffer *log, const struct buffer *record)
{
    buffer_u32(log, (uint32_t)record->bytes);
    buffer_append(log, record->data, record->bytes);
}

/* What a core does after each step: changed keys, then the vectors. */
static inline void replica_save(struct replica *replica)
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

static inline void replica_snapshot(struct replica *replica)
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

static inline struct awmap *log_restore(struct span log)
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

static inline void session_close(struct session *session)
{
    awmap_walk_release(&session->walk);
    awmap_full_release(&session->full);
    awmap_full_intake_release(&session->full_intake);
    buffer_release(&session->held);
    *session = (struct session){0};
}

/* A sender that ends takes its sessions along; a receiver that starts again knows nothing of the
 * sessions whose bodies still arrive. */
static inline void sessions_forget(struct world *world, uint32_t index)
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

/* A clean restart loses nothing; counters that were reserved and not used are skipped. */
static inline void replica_restart(struct world *world, uint32_t index)
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

static inline void replica_write_as(struct replica *replica, uint64_t writer)
{
    awmap_set_writer(replica->map, writer, 0);
    if (replica->past_count < PAST_MAX)
        replica->past_writers[replica->past_count++] = writer;
}

/* An old image of the disk: the rest is lost here, though perhaps not elsewhere. */
static inline void replica_regress(struct world *world, uint32_t index)
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

static inline void world_write(struct world *world, uint32_t index, uint32_t key, bool put)
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

static inline void push_deliver(struct world *world, uint32_t to, struct span body)
{
    struct awmap_push_result result;
    if (!awmap_push_apply(world->replicas[to].map, body, &result))
        abort();
}

static inline void world_push(struct world *world, uint32_t from, uint32_t to)
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

static inline void world_drop_tombstones(struct world *world, uint32_t index)
{
    struct replica *replica = &world->replicas[index];
    if (random_chance(&world->random, 80))
        awmap_note_pushed(replica->map, awmap_writer_counter(replica->map));
    replica_save(replica);
    awmap_purge(replica->map, random_chance(&world->random, 30) ? 1 : SIZE_MAX);
}

static inline struct session *session_open(struct world *world, uint32_t from, uint32_t to)
{
    struct session *session = &world->sessions[random_below(&world->random, SESSIONS_MAX)];
    session_close(session);
    session->from = from;
    session->to = to;
    return session;
}

static inline struct session *session_open_full(struct world *world, uint32_t from, uint32_t to,
                                                uint32_t buckets)
{
    struct session *session = session_open(world, from, to);
    session->kind = SESSION_FULL;
    awmap_full_begin(&session->full, world->replicas[from].map, buckets);
    return session;
}

static inline struct session *session_open_walk(struct world *world, uint32_t from, uint32_t to)
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

static inline void session_deliver(struct world *world, struct session *session, struct span body)
{
    struct awmap *map = world->replicas[session->to].map;
    bool last;
    if (session->kind == SESSION_FULL)
        awmap_full_apply(map, &session->full_intake, body, &last);
    else if (!awmap_walk_apply(map, &session->walk_intake, body, &last))
        abort();
}

/* One body of a session. `harm` in percent: lost, repeated, or overtaken by the next one. */
static inline void session_step(struct world *world, struct session *session, size_t bytes_max,
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

#endif
