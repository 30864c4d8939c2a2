/* A node named a of the cluster "test", whose disk is immediate, for targets that feed one. */
#ifndef TESTS_FUZZ_FUZZ_NODE_H
#define TESTS_FUZZ_FUZZ_NODE_H

#include "agent/core/node.h"
#include "agent/core/query.h"
#include "agent/core/request.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_node {
    struct node *node;
    uint64_t now_ms;
    struct reply reply; /* the last one; what it has found lives until the next */
};

/* As api_server_exchange.c: what a reply borrows goes with the effects. */
static inline void fuzz_keep(struct fuzz_node *fuzz, const struct reply *reply)
{
    static struct buffer found;
    buffer_clear(&found);
    buffer_append(&found, reply->found.data, reply->found.bytes);
    fuzz->reply = *reply;
    fuzz->reply.found = buffer_view(&found);
}

/* What is logged is durable before anything else happens. */
static inline void fuzz_step(struct fuzz_node *fuzz, struct event *event)
{
    struct effects effects = {0};
    uint64_t logged = 0;
    event->now = (struct instant){fuzz->now_ms, 1700000000000 + fuzz->now_ms};
    node_step(fuzz->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        if (effects.items[i].type == EFFECT_LOG)
            logged = effects.items[i].log.sequence;
        else if (effects.items[i].type == EFFECT_REPLY)
            fuzz_keep(fuzz, effects.items[i].reply);
    }
    effects_release(&effects);
    if (logged == 0)
        return;
    struct event synced = {.type = EVENT_LOG_SYNCED, .log_synced.sequence = logged};
    fuzz_step(fuzz, &synced);
}

static inline void fuzz_tick(struct fuzz_node *fuzz, uint64_t after_ms)
{
    struct event tick = {.type = EVENT_TICK};
    fuzz->now_ms += after_ms;
    fuzz_step(fuzz, &tick);
}

/* record: of node_disk, or empty. */
static inline struct fuzz_node fuzz_node_start(struct span record, const char *const *seeds,
                                               size_t seed_count)
{
    struct node_config config = {.cluster = "test",
                                 .node_name = "a",
                                 .gossip_address = "a:1",
                                 .api_address = "a:2",
                                 .advertise_host = "a",
                                 .version = "0",
                                 .seeds = seeds,
                                 .seed_count = seed_count,
                                 .start_grace_ms = 30000,
                                 .drain_timeout_ms = 1000,
                                 .engine_grace_ms = 60000,
                                 .forget_after_ms = 3600000,
                                 .random_seed = 1,
                                 .fresh_replica = 17};
    struct fuzz_node fuzz = {.node = node_new(&config), .now_ms = 1000};
    struct event start = {.type = EVENT_START}, look = {.type = EVENT_LOOK};
    struct event room = {.type = EVENT_DISK_STATE, .disk.room_bytes = 1 << 30};
    if (record.bytes > 0)
        fuzz_require(node_restore(fuzz.node, record), "a node reads its own record");
    fuzz_step(&fuzz, &start);
    fuzz_step(&fuzz, &look);
    fuzz_step(&fuzz, &room);
    fuzz_tick(&fuzz, 10); /* who is alone may write from now on */
    return fuzz;
}

#endif
