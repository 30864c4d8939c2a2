/* A store over a map whose siblings a test writes one by one, and a listener that counts. */
#ifndef TESTS_STORE_BENCH_H
#define TESTS_STORE_BENCH_H

#include <stdlib.h>
#include <string.h>

#include "agent/core/store.h"
#include "unit.h"

/* --- A listener that counts --- */

static int members_told, supervisors_told;
static char last_told[NAME_BYTES_MAX + 1];

static inline void note_member(void *context, const char *name, const struct member_record *before)
{
    CU_ASSERT_PTR_EQUAL(context, &members_told);
    (void)before;
    members_told++;
    TEXT_SET(last_told, name);
}

static inline void note_supervisor(void *context, const char *name)
{
    CU_ASSERT_PTR_EQUAL(context, &members_told);
    supervisors_told++;
    TEXT_SET(last_told, name);
}

static inline struct store store_empty(void)
{
    return (struct store){.listener = {&members_told, note_member, note_supervisor}};
}

/* --- Values --- */

static const struct child_id web_0 = {.ns = "default", .workload = "web", .ordinal = 0};

static inline struct buffer workload_value(const char *ns, const char *name, uint32_t replicas,
                                           uint64_t generation)
{
    char image[] = "busybox";
    struct workload workload = {.replicas = replicas, .generation = generation, .image = image};
    struct buffer value = {0};
    TEXT_SET(workload.ns, ns);
    TEXT_SET(workload.name, name);
    workload_encode(&workload, &value);
    return value;
}

static inline struct buffer claim_value(uint64_t epoch, const char *node, uint64_t replica)
{
    struct claim claim = {.epoch = epoch, .replica = replica, .state = CLAIM_CLAIMED};
    struct buffer value = {0};
    TEXT_SET(claim.node, node);
    claim_encode(&claim, &value);
    return value;
}

static inline struct buffer status_value(uint64_t epoch, uint64_t replica, uint32_t restarts)
{
    struct status status = {
        .epoch = epoch, .replica = replica, .restarts = restarts, .phase = CHILD_RUNNING};
    struct buffer value = {0};
    status_encode(&status, &value);
    return value;
}

static inline struct buffer name_value(struct child_id owner, const char *node, uint64_t epoch)
{
    struct name_record name = {.owner = owner, .epoch = epoch, .claim_epoch = 1, .replica = 1};
    char text[] = "{\"tier\":\"gold\"}";
    struct buffer value = {0};
    TEXT_SET(name.node, node);
    name.value = text;
    name_record_encode(&name, &value);
    return value;
}

static inline struct buffer outside_value(uint8_t owner, const char *node, uint64_t epoch)
{
    struct name_outside outside = {.owner = {owner}, .ttl_ms = OUTSIDE_TTL_MS_MIN};
    struct name_record name = {.outside = &outside, .epoch = epoch, .replica = 1};
    struct buffer value = {0};
    TEXT_SET(name.node, node);
    name_record_encode(&name, &value);
    return value;
}

static inline struct buffer state_value(const struct state_id *id, const char *node)
{
    struct state_record record = {.id = *id, .bytes = 5, .hash = 6};
    struct buffer value = {0};
    TEXT_SET(record.node, node);
    state_record_encode(&record, &value);
    return value;
}

static inline struct buffer supervisor_value(const char *name, uint32_t max_children)
{
    struct supervisor supervisor = {0};
    struct buffer value = {0};
    supervisor_set_defaults(&supervisor, name);
    supervisor.max_children = max_children;
    supervisor_encode(&supervisor, &value);
    supervisor_release(&supervisor);
    return value;
}

static inline struct buffer member_value(uint64_t join_counter, const char *address)
{
    struct member_record member = {.join_counter = join_counter, .replica = join_counter + 1};
    struct buffer value = {0};
    TEXT_SET(member.gossip_address, address);
    member_record_encode(&member, &value);
    return value;
}

static inline struct buffer garbage_value(void)
{
    struct buffer value = {0};
    buffer_text(&value, "garbage");
    return value;
}

/* --- Concurrent siblings, by writers that know nothing of one another --- */

struct bench {
    struct awmap *map;
    struct store store;
    uint64_t writers;
};

static inline struct bench bench_new(void)
{
    return (struct bench){.map = awmap_new(), .store = store_empty()};
}

/* The order of tidying and of what is dirty is the caller's; here all of it at once. */
static inline void store_settle(struct store *store)
{
    size_t count;
    struct child **dirty = store_take_dirty(store, &count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_FALSE(dirty[i]->dirty);
    for (size_t i = 0; i < count; i++)
        store_child_tidy(store, dirty[i]);
    store_touched_clear(store);
    free(dirty);
}

static inline void bench_free(struct bench *bench)
{
    store_release(&bench->store);
    awmap_free(bench->map);
}

static inline void bench_feed(struct bench *bench)
{
    for (size_t i = 0; i < awmap_changed_count(bench->map); i++)
        store_apply(&bench->store, awmap_changed(bench->map, i));
    awmap_changed_clear(bench->map);
}

/* Takes the value. */
static inline void sibling(struct bench *bench, struct key key, uint64_t hlc, struct buffer value)
{
    struct awmap *writer = awmap_new();
    struct buffer record = {0};
    awmap_set_writer(writer, ++bench->writers, 0);
    awmap_put(writer, key_span(&key), buffer_view(&value), hlc);
    awmap_entry_record(awmap_find(writer, key_span(&key)), &record);
    CU_ASSERT_TRUE(awmap_restore(bench->map, buffer_view(&record)));
    awmap_free(writer);
    buffer_release(&record);
    buffer_release(&value);
    bench_feed(bench);
}

#endif
