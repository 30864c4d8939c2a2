/* The loop: one thread, one node, one libuv loop. Everything else in agent/io hangs on it.
 *
 * A driver (peers, disk, docker, API) owns some descriptors. Its uv callbacks turn what arrived
 * into an event and call loop_submit, which steps the node at once and carries out the effects
 * through the sinks. All functions here belong to the thread of the loop; threads of libraries put
 * what they have into a locked queue of the driver and wake the loop with uv_async_send. */
#ifndef AGENT_IO_LOOP_H
#define AGENT_IO_LOOP_H

#include <uv.h>

#include "agent/core/node.h"

struct loop;

struct loop *loop_new(void);
/* Borrows the node; the caller frees it after the loop has ended. Once, before the first
 * loop_submit. */
void loop_set_node(struct loop *loop, struct node *node);
void loop_free(struct loop *loop); /* all handles of the drivers must have been closed and
                                      loop_settle called */

uv_loop_t *loop_uv(struct loop *loop);
struct node *loop_node(struct loop *loop); /* for the read-only functions of query.h */
/* Read once per turn, at the first use after the wait. */
struct instant loop_now(struct loop *loop);

/* Tell the node. event->now is filled in here. Borrows the event for the call. Before it returns
 * the node has been stepped and its effects carried out: the sink of EFFECT_REPLY, for one, may be
 * called inside.
 *
 * Called from within a sink the node is stepped at once too, but the effects wait for their turn:
 * they are carried out after those that are still to be carried out. So the order of all effects is
 * the order of the steps.
 *
 * Does nothing once the node has asked for EFFECT_EXIT. */
void loop_submit(struct loop *loop, const struct event *event);

/* Who carries out an effect. Borrows it for the call. An effect without a sink is dropped. */
typedef void (*loop_sink_function)(void *context, const struct effect *effect);
void loop_set_sink(struct loop *loop, enum effect_type type, loop_sink_function sink,
                   void *context);

/* Called at the end of each turn, after the tick and before the wait: work that is better done once
 * for many events. At most LOOP_DEFERRED_MAX, called in the order of their registration. */
enum { LOOP_DEFERRED_MAX = 8 };
typedef void (*loop_deferred_function)(void *context);
void loop_set_deferred(struct loop *loop, loop_deferred_function function, void *context);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
bool loop_ended(const struct loop *loop, int *ret_status); /* the node has asked for EFFECT_EXIT */
/* After loop_run: lets the close callbacks run, for at most this long. False: something is still
 * open. */
bool loop_settle(struct loop *loop, uint64_t timeout_ms);

/* For /metrics and /livez. */
struct loop_statistics {
    uint64_t turns, steps, ticks, effects;
    uint64_t late_max_ms; /* of a tick behind its deadline */
    uint64_t thaws;       /* ticks that were later than FROZEN_AFTER_MS */
};
struct loop_statistics loop_statistics(const struct loop *loop);

#endif
