/* A node whose disk already held a map: write the map, restore a node from it, step it by hand.
 *
 *     struct awmap *disk = disk_new();
 *     disk_workload(disk, "default", "web", 3);
 *     struct rig rig = rig_start(disk, "a");    takes the disk; the node is started at 1000 ms
 *
 * A node's replica id is the first letter of its name, as disk_member and disk_claim write it. */
#ifndef TESTS_RESTORED_NODE_H
#define TESTS_RESTORED_NODE_H

#include <stdlib.h>
#include <string.h>

#include "agent/core/key.h"
#include "agent/core/node_private.h"
#include "unit.h"

enum { DISK_WRITER = 999 };

static inline uint64_t replica_of(const char *node)
{
    return (uint64_t)node[0];
}

static inline struct awmap *disk_new(void)
{
    struct awmap *disk = awmap_new();
    awmap_set_writer(disk, DISK_WRITER, 0);
    return disk;
}

/* Takes the value. */
static inline void disk_put(struct awmap *disk, struct key key, struct buffer value)
{
    awmap_put(disk, key_span(&key), buffer_view(&value), 1);
    buffer_release(&value);
}

static inline struct child_id child_id_of(const char *ns, const char *workload, uint32_t ordinal)
{
    struct child_id id = {.ordinal = ordinal};
    TEXT_SET(id.ns, ns);
    TEXT_SET(id.workload, workload);
    return id;
}

static inline struct workload workload_of(const char *ns, const char *name, uint32_t replicas)
{
    struct workload workload = {.replicas = replicas, .uid = "uid-1", .spec_hash = 77};
    static char image[] = "busybox:1.36";
    workload.image = image; /* borrowed: such a workload is never released */
    TEXT_SET(workload.ns, ns);
    TEXT_SET(workload.name, name);
    TEXT_SET(workload.supervisor, SUPERVISOR_DEFAULT);
    return workload;
}

static inline void disk_put_workload(struct awmap *disk, const struct workload *workload)
{
    struct buffer value = {0};
    workload_encode(workload, &value);
    disk_put(disk, key_workload(workload->ns, workload->name), value);
}

static inline void disk_workload(struct awmap *disk, const char *ns, const char *name,
                                 uint32_t replicas)
{
    struct workload workload = workload_of(ns, name, replicas);
    disk_put_workload(disk, &workload);
}

static inline struct claim claim_of(const char *node, uint64_t epoch)
{
    struct claim claim = {.epoch = epoch,
                          .replica = replica_of(node),
                          .uid = "uid-1",
                          .spec_hash = 77,
                          .state = CLAIM_CLAIMED};
    TEXT_SET(claim.node, node);
    return claim;
}

static inline void disk_put_claim(struct awmap *disk, struct child_id id, struct claim claim)
{
    struct buffer value = {0};
    claim_encode(&claim, &value);
    disk_put(disk, key_claim(&id), value);
}

static inline void disk_put_status(struct awmap *disk, struct child_id id, struct status status)
{
    struct buffer value = {0};
    status_encode(&status, &value);
    disk_put(disk, key_status(&id), value);
}

static inline void disk_put_member(struct awmap *disk, const char *name,
                                   struct member_record member)
{
    struct buffer value = {0};
    member.replica = member.writer = replica_of(name);
    member_record_encode(&member, &value);
    disk_put(disk, key_member(name), value);
}

/* One that may run children as soon as it is alive. Its address is NAME:1. */
static inline struct member_record member_of(const char *name)
{
    struct member_record member = {
        .join_counter = 1, .weight = RING_WEIGHT_DEFAULT, .runtime_healthy = true};
    TEXT_SET(member.gossip_address, name);
    strncat(member.gossip_address, ":1", 3);
    return member;
}

static inline void disk_member(struct awmap *disk, const char *name)
{
    disk_put_member(disk, name, member_of(name));
}

static inline void disk_name(struct awmap *disk, const char *name, struct child_id owner,
                             const char *node)
{
    struct name_record record = {
        .owner = owner, .replica = replica_of(node), .claim_epoch = 1, .epoch = 1, .port = 80};
    struct buffer value = {0};
    TEXT_SET(record.node, node);
    TEXT_SET(record.address, "10.0.0.1");
    name_record_encode(&record, &value);
    disk_put(disk, key_name(owner.ns, name), value);
}

/* --- The node --- */

struct rig {
    struct node *node;
    struct effects effects;
    uint64_t now_ms;
    struct reply reply; /* the last one */
};

static inline struct event rig_event(struct rig *rig, enum event_type type)
{
    return (struct event){.type = type, .now = {rig->now_ms, 1700000000000 + rig->now_ms}};
}

/* Steps; the disk is immediate: what is logged is durable before anything else happens. */
static inline void rig_step(struct rig *rig, const struct event *event)
{
    uint64_t logged = 0;
    effects_clear(&rig->effects);
    node_step(rig->node, event, &rig->effects);
    for (size_t i = 0; i < rig->effects.count; i++) {
        const struct effect *effect = &rig->effects.items[i];
        if (effect->type == EFFECT_LOG)
            logged = effect->log.sequence;
        else if (effect->type == EFFECT_REPLY)
            rig->reply = *effect->reply;
    }
    if (logged == 0)
        return;
    struct event synced = rig_event(rig, EVENT_LOG_SYNCED);
    synced.log_synced.sequence = logged;
    rig_step(rig, &synced);
}

static inline void rig_restore(struct rig *rig, const struct awmap *disk)
{
    struct buffer batch = {0}, item = {0};
    for (const struct awmap_entry *e = awmap_next_any(disk, NULL); e; e = awmap_next_any(disk, e)) {
        buffer_clear(&item);
        awmap_entry_record(e, &item);
        buffer_u8(&batch, 'E');
        buffer_span(&batch, buffer_view(&item));
    }
    buffer_clear(&item);
    awmap_vectors_record(disk, &item);
    buffer_u8(&batch, 'V');
    buffer_span(&batch, buffer_view(&item));
    CU_ASSERT_TRUE_FATAL(node_restore(rig->node, buffer_view(&batch)));
    buffer_release(&batch);
    buffer_release(&item);
}

/* It is not started, and knows of no disk. */
static inline struct node *node_called(const char *name, uint64_t seed)
{
    return node_new(&(struct node_config){.cluster = "test",
                                          .node_name = name,
                                          .gossip_address = "self:1",
                                          .api_address = "self:2",
                                          .advertise_host = "self",
                                          .version = "0",
                                          .start_grace_ms = 3600000,
                                          .drain_timeout_ms = 1000,
                                          .engine_grace_ms = 60000,
                                          .forget_after_ms = 3600000,
                                          .random_seed = seed,
                                          .fresh_replica = replica_of(name)});
}

/* Takes the disk. */
static inline struct rig rig_start_seeded(struct awmap *disk, const char *name, uint64_t seed)
{
    struct rig rig = {.node = node_called(name, seed), .now_ms = 1000};
    rig_restore(&rig, disk);
    awmap_free(disk);
    struct event start = rig_event(&rig, EVENT_START);
    rig_step(&rig, &start);
    struct event look = rig_event(&rig, EVENT_LOOK);
    rig_step(&rig, &look);
    struct event room = rig_event(&rig, EVENT_DISK_STATE);
    room.disk.room_bytes = 1 << 30;
    rig_step(&rig, &room);
    return rig;
}

static inline struct rig rig_start(struct awmap *disk, const char *name)
{
    return rig_start_seeded(disk, name, 1);
}

/* Ticks at each deadline for so long. */
static inline void rig_run(struct rig *rig, uint64_t ms)
{
    uint64_t end_ms = rig->now_ms + ms;
    for (;;) {
        uint64_t next_ms = node_deadline(rig->node);
        if (next_ms > end_ms)
            break;
        rig->now_ms = next_ms > rig->now_ms ? next_ms : rig->now_ms + 1;
        struct event tick = rig_event(rig, EVENT_TICK);
        rig_step(rig, &tick);
    }
    rig->now_ms = end_ms > rig->now_ms ? end_ms : rig->now_ms;
}

/* A member greets the node: from now on it is alive. */
static inline void rig_hear(struct rig *rig, const char *from)
{
    struct greeting greeting = {.replica = replica_of(from), .boot = 1};
    struct envelope envelope = {.type = MESSAGE_JOIN, .cluster = envelope_cluster("test")};
    struct buffer body = {0}, bytes = {0};
    TEXT_SET(greeting.address, from);
    strncat(greeting.address, ":1", 3);
    greeting_encode(&greeting, &body);
    envelope.body = buffer_view(&body);
    TEXT_SET(envelope.from, from);
    envelope_encode(&envelope, &bytes);
    struct event event = rig_event(rig, EVENT_MESSAGE);
    event.message.bytes = buffer_view(&bytes);
    rig_step(rig, &event);
    event = rig_event(rig, EVENT_TICK); /* verdicts are taken in by ticks */
    rig_step(rig, &event);
    buffer_release(&body);
    buffer_release(&bytes);
}

static inline void rig_request(struct rig *rig, struct request request)
{
    struct event event = rig_event(rig, EVENT_REQUEST);
    request.id = 1;
    event.request = &request;
    rig_step(rig, &event);
}

static inline void rig_free(struct rig *rig)
{
    node_check(rig->node);
    node_free(rig->node);
    effects_release(&rig->effects);
}

#endif
