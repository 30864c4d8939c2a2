/* Scenes of the protocol as golden traces with times. A scene runs in the simulator from a fixed
 * seed, without loss and with fixed delays, and writes what a reader needs to follow it: the trace
 * lines of the agents, the containers that start and end, and what the world does to them. The
 * result is compared with tests/golden/stories/NAME.txt.
 *
 *     STORIES_WRITE=1 build/release/tests/stories_test    writes them anew: read the difference
 *
 * Times are milliseconds since the scene's curtain went up. */
#ifndef TESTS_SIM_STORIES_H
#define TESTS_SIM_STORIES_H

#include "crdt/bytes.h"
#include "tests/sim/sim.h"

struct tale {
    struct sim sim; /* first: its listener finds the tale by it */
    struct buffer text;
    uint64_t origin_ms;
};

/* So many nodes, none of them started, and a world without chance: fixed delays, no faults. */
void tale_init(struct tale *tale, size_t nodes);
/* All nodes run and see each other, and `replicas` children of the workload web run and rest. */
void tale_init_running(struct tale *tale, size_t nodes, uint32_t replicas);
/* From here on all is written down. */
void tale_curtain(struct tale *tale);
/* What the world does, or a user. */
void tale_tell(struct tale *tale, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sentences of the world that also make it so. */
void tale_start(struct tale *tale, size_t index);
void tale_power_off(struct tale *tale, size_t index); /* the agent and all containers of its node */
void tale_detach(struct tale *tale, size_t index, uint64_t away_ms); /* asked by a user */
void tale_put(struct tale *tale, size_t index, uint32_t replicas);   /* the workload web */
void tale_run(struct tale *tale, uint64_t duration_ms);
/* Ends the scene and releases it. False: the golden file tells it otherwise; the difference has
 * been printed. `plot` opens the file: what the scene shows, in plain sentences. */
bool tale_end(struct tale *tale, const char *name, const char *plot);

#endif
