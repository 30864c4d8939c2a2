/* The seam to whatever runs containers. A driver embeds struct runtime as its first member.
 *
 * What a driver promises:
 * - It never blocks, and it tells everything through the sink, on the loop's thread: never from
 * within submit or release.
 * - Every operation ends in exactly one EVENT_RUNTIME_DONE with its id, whatever the engine does:
 * dead, hanging, restarting, talking nonsense. Not after release.
 * - A LIST that works sends EVENT_RUNTIME_LIST before its DONE. A list is complete or it is not
 * sent, and is never older than a container that was told of before it.
 * - By itself it tells of changes: EVENT_RUNTIME_CONTAINER for one container, EVENT_RUNTIME_LIST
 * after every gap in what it saw, EVENT_RUNTIME_STATE when the engine begins or ceases to answer
 * (and then after the list). Containers told of are those with this cluster's and this node's
 * labels, and no others. */
#ifndef AGENT_IO_RUNTIME_H
#define AGENT_IO_RUNTIME_H

#include "agent/core/effect.h"
#include "agent/core/event.h"

/* Borrows the event for the call; its `now` is not set. May submit and release inside. */
typedef void (*runtime_sink_function)(void *context, const struct event *event);

struct runtime {
    /* Copies all it needs of the operation. */
    void (*submit)(struct runtime *runtime, const struct runtime_operation *operation);
    /* Of a RUNTIME_OUTPUT: EFFECT_OUTPUT. An id that is not known any more is fine. */
    void (*output_flow)(struct runtime *runtime, uint64_t id, size_t bytes, bool cancel);
    /* No event comes after this returns. The memory is freed when the loop has closed its handles:
     * let it turn until then. Containers are left as they are. */
    void (*release)(struct runtime *runtime);
};

static inline void runtime_submit(struct runtime *runtime,
                                  const struct runtime_operation *operation)
{
    runtime->submit(runtime, operation);
}

static inline void runtime_release(struct runtime *runtime)
{
    if (runtime)
        runtime->release(runtime);
}

#endif
