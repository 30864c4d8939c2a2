/* Who waits for room in the engine: starts by priority, stops and probes in order of wish. Whoever
 * gets a place is decided about again. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/node_private.h"
#include "agent/core/supervise.h"

enum { STOPS_FIRST_MS = 30000 };

static void queue_append(struct child ***queue, size_t *count, size_t *capacity,
                         struct child *child)
{
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        *queue = xrealloc(*queue, *capacity * sizeof(struct child *));
    }
    (*queue)[(*count)++] = child;
}

void supervise_queue_start(struct node *node, struct child *child)
{
    struct supervision *supervision = &node->supervision;
    child->local->queued_start = true;
    supervision->queue_sorted = false;
    queue_append(&supervision->queue, &supervision->queue_count, &supervision->queue_capacity,
                 child);
}

void supervise_queue_stop(struct node *node, struct child *child)
{
    struct supervision *supervision = &node->supervision;
    if (child->local->queued_stop)
        return;
    child->local->queued_stop = true;
    queue_append(&supervision->stop_queue, &supervision->stop_queue_count,
                 &supervision->stop_queue_capacity, child);
}

static int compare_starts(const void *a, const void *b)
{
    const struct child *one = *(struct child *const *)a, *two = *(struct child *const *)b;
    int32_t first = one->group->workload.priority, second = two->group->workload.priority;
    if (first != second)
        return first > second ? -1 : 1;
    return child_compare(one, two);
}

static bool queue_has_slot(const struct node *node)
{
    const struct supervision *supervision = &node->supervision;
    /* After a restart of the agent: what must not run is ended before anything is started. */
    if (supervision->stops_in_flight > 0 &&
        node->now.mono_ms < node->membership.started_ms + STOPS_FIRST_MS)
        return false;
    return node->pacing_off || supervision->starts_in_flight < RUNTIME_STARTS_IN_FLIGHT_MAX;
}

/* Starts are paced: a few in flight, the rest by priority. A start waits for its claim to be
 * durable. */
void supervise_run_starts(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (!supervision->queue_sorted && supervision->queue_count > 1)
        qsort(supervision->queue, supervision->queue_count, sizeof(struct child *), compare_starts);
    supervision->queue_sorted = true;
    size_t kept = 0, i = 0;
    for (; i < supervision->queue_count && queue_has_slot(node); i++) {
        struct child *child = supervision->queue[i];
        if (child->local->claim_sequence > node->durable.synced) {
            supervision->queue[kept++] = child;
            continue;
        }
        child->local->queued_start = false;
        child_start_now(node, child);
        store_mark(&node->store, child);
    }
    if (i == kept)
        return;
    memmove(supervision->queue + kept, supervision->queue + i,
            (supervision->queue_count - i) * sizeof(struct child *));
    supervision->queue_count -= i - kept;
}

void supervise_run_stops(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (supervision->stop_queue_count == 0)
        return;
    size_t room = RUNTIME_STOPS_IN_FLIGHT_MAX - supervision->stops_in_flight;
    size_t take = supervision->stop_queue_count < room ? supervision->stop_queue_count : room;
    for (size_t i = 0; i < take; i++) {
        supervision->stop_queue[i]->local->queued_stop = false;
        store_mark(&node->store, supervision->stop_queue[i]);
    }
    memmove(supervision->stop_queue, supervision->stop_queue + take,
            (supervision->stop_queue_count - take) * sizeof(struct child *));
    supervision->stop_queue_count -= take;
}

bool supervise_probe_turn(struct node *node, struct child *child)
{
    struct supervision *supervision = &node->supervision;
    struct local *local = child->local;
    bool room = supervision->probes_in_flight < RUNTIME_PROBES_IN_FLIGHT_MAX;
    if (room && (local->probe_turn || supervision->probe_queue_count == 0))
        return true;
    if (!local->queued_probe)
        queue_append(&supervision->probe_queue, &supervision->probe_queue_count,
                     &supervision->probe_queue_capacity, child);
    local->queued_probe = true;
    return false;
}

void supervise_run_probes(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    size_t room = RUNTIME_PROBES_IN_FLIGHT_MAX - supervision->probes_in_flight;
    size_t count = supervision->probe_queue_count, take = count < room ? count : room;
    for (size_t i = 0; i < take; i++) {
        struct child *child = supervision->probe_queue[i];
        child->local->queued_probe = false;
        child->local->probe_turn = true;
        store_mark(&node->store, child);
    }
    if (take == 0)
        return;
    memmove(supervision->probe_queue, supervision->probe_queue + take,
            (count - take) * sizeof(struct child *));
    supervision->probe_queue_count -= take;
    node->dirty = true; /* who does not need its turn any more leaves room */
}
