/* The simulator from within: what its files share. sim.c: effects, time; sim_queue.c: what happens
 * next; sim_network.c: messages, cuts, connections; sim_engine.c: the container engine;
 * sim_guard.c: what is in guarded containers; sim_control.c: the hand that starts, kills and asks;
 * sim_check.c: what must hold. */
#ifndef TESTS_SIM_SIM_PRIVATE_H
#define TESTS_SIM_SIM_PRIVATE_H

#include "tests/sim/sim.h"

#define SIM_ADDRESS_PREFIX "10.0.0." /* then the node's number */
#define SIM_WALL_MS 1700000000000ull /* the wall clock at the beginning */

enum sim_kind {
    SIM_DELIVER,
    SIM_LOG_SYNCED,
    SIM_RUNTIME,   /* the engine carries out what it was asked */
    SIM_DONE,      /* ... and the agent is told */
    SIM_CONTAINER, /* a hint */
    SIM_LATE,      /* a start that was given up comes true */
    SIM_GUARD,     /* a guard looks at its page */
    SIM_GUARD_KILL,
    SIM_BROKEN,
    SIM_OUTPUT, /* asked_ms: the operation's id */
    SIM_LOOK,
};

struct sim_bytes { /* one message, shared by its copies */
    size_t references, bytes;
    uint8_t data[];
};

struct sim_event {
    uint64_t at_ms;
    enum sim_kind kind;
    size_t node; /* who gets it */
    size_t from;
    uint64_t run;            /* of the receiver at the time of asking */
    uint64_t engine_boot;    /* ... and of its engine */
    uint64_t asked_ms;       /* of an operation, when it was asked for */
    struct sim_bytes *bytes; /* a reference */
    uint64_t log_sequence;
    struct runtime_operation *operation; /* owned, and its image; it has no document */
    enum runtime_result result;
    const char *message;
    struct container *container; /* owned */
    size_t container_index;      /* GUARD, GUARD_KILL */
};

/* sim_queue.c */
void sim_push(struct sim *sim, struct sim_event event);
struct sim_event sim_pop(struct sim *sim);
void sim_event_release(struct sim_event *event);
/* After anything that may have changed when the node wants to tick, or whether. */
void sim_deadline_changed(struct sim *sim, size_t index);
/* The next moment at which something happens, and to whom a tick is due then (SIZE_MAX: the queue's
 * first entry). */
uint64_t sim_next(const struct sim *sim, size_t *ret_node);
/* A node's monotonic clock, and the first moment of the world at which it shows that. */
uint64_t sim_local_ms(const struct sim_node *self, uint64_t world_ms);
uint64_t sim_world_ms(const struct sim_node *self, uint64_t local_ms);
void sim_numbers_add(struct sim_numbers *numbers, size_t number);
/* sim_network.c */
void sim_send(struct sim *sim, size_t from, const struct effect *effect);
void sim_deliver(struct sim *sim, const struct sim_event *due);
void sim_break(struct sim *sim, size_t index); /* its connections, as those who hold them see */
void sim_network_release(struct sim *sim);
/* sim.c */
void sim_step(struct sim *sim, size_t index, struct event *event);
struct runtime_operation *sim_operation(const struct runtime_operation *operation); /* a copy */
/* The newest container of a child with this child's hash, then sim_container.next; SIZE_MAX: none.
 * Others may share the hash. */
size_t sim_bucket(const struct sim *sim, const struct child_id *child);
void sim_violation(struct sim *sim, const char *what, const struct container *container);
/* sim_engine.c */
void sim_runtime_ask(struct sim *sim, size_t index, const struct runtime_operation *operation);
void sim_runtime_due(struct sim *sim, struct sim_event *asked);
void sim_runtime_done(struct sim *sim, struct sim_event *done);
void sim_runtime_late(struct sim *sim, struct sim_event *late);
void sim_list(struct sim *sim, size_t index);
void sim_end_container(struct sim *sim, struct sim_container *at, int exit_code);
void sim_hint(struct sim *sim, const struct sim_container *at);
struct sim_container *sim_container(struct sim *sim, size_t engine, const char *id);
/* sim_output.c */
void sim_output_ask(struct sim *sim, size_t index, const struct runtime_operation *operation);
void sim_output_flow(struct sim *sim, size_t index, const struct effect *effect);
void sim_output_due(struct sim *sim, const struct sim_event *due);
/* sim_guard.c */
void sim_guard_write(struct sim *sim, size_t engine, const struct guard_page *page);
/* A guarded container that has just been made begins to run, or is refused. */
void sim_guard_begin(struct sim *sim, struct sim_container *made);
void sim_guard_due(struct sim *sim, const struct sim_event *due);
/* A START is asked for: its page. */
void sim_guard_start(struct sim *sim, size_t engine, const struct runtime_operation *operation);

#endif
