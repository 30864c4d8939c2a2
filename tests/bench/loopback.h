/* A few real cores in one process, wired to each other without a socket, to time their steps. Not
 * the simulator: nothing here fails, and nothing but node_step is on the clock.
 *
 * Steps are timed in processor time, since others share the machine. Each node takes turns as the
 * agent's loop does: all that has arrived, then one tick if it is due. Messages take delay_ms of
 * the model's time; the disk and the engine answer by the next turn. The model's clock moves only
 * when nobody has anything to do. */
#ifndef TESTS_BENCH_LOOPBACK_H
#define TESTS_BENCH_LOOPBACK_H

#include "agent/core/node.h"
#include "agent/core/query.h"
#include "crdt/awmap.h"

struct loopback_item { /* what waits for a node's turn */
    uint64_t due_ms;
    size_t from;
    struct buffer message; /* empty: the end of the operation below */
    struct runtime_operation operation;
};

struct loopback_node {
    char name[NAME_BYTES_MAX + 1], address[ADDRESS_BYTES_MAX + 1];
    struct node *node; /* NULL: not running */
    bool mute;         /* cut off: nothing goes in or out */
    struct loopback_item *inbox;
    size_t inbox_count, inbox_capacity;
    uint64_t log_asked, log_told;
    struct container *containers;
    size_t container_count, container_capacity;
    /* figures; loopback_reset clears them */
    double busy_ns, longest_step_ns;
    double busy_before_turn_ns; /* busy_ns when its latest turn began */
    double busy_at_start_ns;    /* ... and when the last START was issued */
    uint64_t steps, starts, sent_messages, sent_bytes, replies_good, replies_bad;
};

struct loopback {
    uint64_t now_ms, delay_ms, last_request;
    uint64_t first_sent_ms; /* when anybody sent anything after loopback_reset; 0: not yet */
    struct loopback_node *nodes;
    size_t count;
};

void loopback_init(struct loopback *loopback, size_t nodes);
void loopback_release(struct loopback *loopback);
/* Starts a node that has restored the map (NULL: an empty disk), with node 0 as its seed. */
void loopback_start(struct loopback *loopback, size_t index, const struct awmap *disk);
void loopback_start_all(struct loopback *loopback); /* and lets them meet */
void loopback_kill(struct loopback *loopback, size_t index);
void loopback_step(struct loopback *loopback, size_t index, struct event *event);
void loopback_run(struct loopback *loopback, uint64_t duration_ms);
/* Runs until the condition holds, judged after every turn; false: not within the time. */
bool loopback_until(struct loopback *loopback, bool (*condition)(struct loopback *loopback),
                    uint64_t timeout_ms);
void loopback_reset(struct loopback *loopback);
/* Fills in the id and steps node `index` with it. */
void loopback_request(struct loopback *loopback, size_t index, struct request *request);
/* A plain workload; image, document and names are static. */
void loopback_workload(struct workload *workload, const char *name, uint32_t replicas);
void loopback_put(struct loopback *loopback, size_t index, const char *name, uint32_t replicas);
bool loopback_sees(struct loopback *loopback, size_t index, size_t other, const char *phase);
size_t loopback_running(const struct loopback *loopback); /* containers, on nodes that run */

#endif
