/* The simulator from within: what its files share. sim.c: the queue, effects, time; sim_engine.c:
 * the container engine; sim_control.c: the hand that starts, kills and asks; sim_check.c: what must
 * hold. */
#ifndef TESTS_SIM_SIM_PRIVATE_H
#define TESTS_SIM_SIM_PRIVATE_H

#include "tests/sim/sim.h"

#define SIM_WALL_MS 1700000000000ull /* the wall clock at the beginning */

enum sim_kind {
    SIM_DELIVER,
    SIM_LOG_SYNCED,
    SIM_RUNTIME,   /* the engine carries out what it was asked */
    SIM_DONE,      /* ... and the agent is told */
    SIM_CONTAINER, /* a hint */
    SIM_LATE,      /* a start that was given up comes true */
    SIM_BROKEN,
};

struct sim_event {
    uint64_t at_ms, sequence;
    enum sim_kind kind;
    size_t node; /* who gets it */
    size_t from;
    uint64_t run; /* of the receiver at the time of asking */
    struct buffer bytes;
    uint64_t log_sequence;
    struct runtime_operation operation;
    enum runtime_result result;
    const char *message;
    struct container *container; /* owned */
    char image[IMAGE_BYTES_MAX + 1];
};

void sim_push(struct sim *sim, struct sim_event event);
void sim_step(struct sim *sim, size_t index, struct event *event);
void sim_violation(struct sim *sim, const char *what, const struct container *container);
/* sim_engine.c */
void sim_runtime_ask(struct sim *sim, size_t index, const struct runtime_operation *operation);
void sim_runtime_due(struct sim *sim, struct sim_event *asked);
void sim_runtime_done(struct sim *sim, struct sim_event *done);
void sim_runtime_late(struct sim *sim, struct sim_event *late);
void sim_list(struct sim *sim, size_t index);
void sim_end_container(struct sim *sim, struct sim_container *at, int exit_code);
void sim_hint(struct sim *sim, const struct sim_container *at);

#endif
