/* The world of leases as values, and as bytes (lease_world.h). The real sources are part of this
 * one, so that what is inside of a holder and an acceptor can be kept and made again. */
#ifndef TESTS_EXPLORER_LEASE_STATE_H
#define TESTS_EXPLORER_LEASE_STATE_H

#include "agent/core/lease.h"
#include "tests/explorer/lease_world.h"

enum {
    WORLD_HOLDERS = 2, /* the first nodes */
    WORLD_LEASE_MS = 1000,
    WORLD_STEP_MS = 500,
    MESSAGES_MAX = 4,
    EPOCHS_MAX = 3,
    UNSYNCED_MAX = 2,
};

enum stage { STAGE_FIRST, STAGE_JOINT, STAGE_SETTLED, STAGE_COUNT };

struct world_record { /* of a disk: epoch 0: none */
    uint64_t epoch, replica;
};

struct world_message {
    bool is_grant;
    size_t from, to;
    struct lease_ask ask;
    struct lease_grant grant;
};

struct world_node {
    char name[2];
    uint64_t now_ms;
    unsigned run, lives;             /* of the agent; of its disk */
    struct lease_acceptor *acceptor; /* owned */
    struct world_record synced, unsynced[UNSYNCED_MAX];
    size_t unsynced_count;
    enum stage adopted;          /* on the disk */
    struct lease_holder *holder; /* owned; NULL: it is none */
    enum stage seen;             /* by the holder */
    uint64_t container_epoch;    /* 0: none runs */
    uint64_t container_until_ms; /* its page */
    uint64_t held_epoch;         /* by the run before */
    uint64_t blocked_until_ms;   /* another than that */
};

struct world {
    const struct scene *scene;
    size_t count;
    struct world_node nodes[WORLD_NODES_MAX];
    struct world_message messages[MESSAGES_MAX];
    size_t message_count;
    unsigned crashes, wipes;
    uint64_t last_epoch, last_replica; /* of the last start */
    enum stage decided;
    bool closing;
    uint64_t strike_ms; /* by the clock of the first node */
};

extern const struct child_id world_child;

const struct electorate_record *world_record(unsigned stage);
uint64_t world_replica(size_t at, unsigned lives);
/* What it has granted last, as its disk is to know it. */
struct world_record world_granted(const struct lease_acceptor *acceptor);
void world_acceptor_restart(struct world *world, size_t at);
void world_holder_restart(struct world *world, size_t at);
/* So many requests to others its holder would send now. */
size_t world_due_to_others(const struct world *world, size_t at);
/* ... if all were due. */
size_t world_others(const struct world *world, size_t at);
/* A lease that was given up is extended for as long as its holder extends any other. */
bool world_keeps_for_nothing(const struct world *world);
void world_message_copy(struct world_message *to, const struct world_message *from);

struct world *world_new(const struct scene *scene);
struct world *world_load(const struct scene *scene, struct span state);
void world_save(struct world *world, struct buffer *ret_state);
void world_free(struct world *world);

#endif
