/* Supervision, from outside: what the engine reports goes into the children's local state, and
 * every tick decides anew about the children that something happened to. Decisions themselves are
 * in child_decide.c and child_run.c.
 *
 * Invariants: an operation in flight belongs to a child whose `local` exists; a child stands in a
 * queue at most once; nothing is decided before the node has settled (own list from the engine, one
 * comparison with a peer). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

enum {
    SWEEP_MS = 10000,    /* all children are looked at again: no lost edge can hurt for longer */
    MUST_SYNC_MS = 5000, /* after a thaw without any peer that answers */
    STOPS_FIRST_MS = 30000,
};

bool claim_is_ours(const struct node *node, const struct claim *claim)
{
    return claim->replica == node->durable.replica && strcmp(claim->node, node->name) == 0;
}

/* The holder will never again run the child under this claim: it is dead, gone, or another life
 * under the same name. */
bool claim_holder_is_lost(const struct node *node, const struct claim *claim)
{
    const struct member_entry *entry = store_member(&node->store, claim->node);
    if (!entry)
        return true;
    if (entry->record.replica != claim->replica)
        return true;
    enum placement_phase phase = member_phase(node, claim->node);
    return phase == PLACEMENT_DEAD || phase == PLACEMENT_LEFT;
}

bool supervise_is_open(const struct node *node)
{
    return node->supervision.settled && durable_may_write(node) && !node->must_sync;
}

void supervise_start_held(struct node *node)
{
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++)
            g->children[i]->held_at_start =
                g->children[i]->has_claim && strcmp(g->children[i]->claim.node, node->name) == 0;
}

/* --- The engine's reports
 * ---------------------------------------------------------------------------------- */

/* A labelled container belongs to a child that we know, or it is an orphan and left alone. */
static struct child *supervise_owner(struct node *node, const struct container *container)
{
    if (!container->child.ns[0] || strcmp(container->node, node->name) != 0)
        return NULL;
    return store_child(&node->store, &container->child);
}

static void supervise_observe(struct node *node, const struct container *container)
{
    struct child *child = supervise_owner(node, container);
    if (!child)
        return;
    struct local *local = local_make(child);
    if (container->epoch > child->epoch_max)
        child->epoch_max = container->epoch;
    local_observe(local, container, node->now.mono_ms);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
    node->dirty = true;
}

/* A list is the truth as of now (the driver lays over it what it told meanwhile): what it lacks is
 * gone. */
static void supervise_list(struct node *node, const struct event *event)
{
    for (size_t i = 0; i < event->list.count; i++)
        supervise_observe(node, &event->list.containers[i]);
    struct store *store = &node->store;
    size_t known = 0;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            struct local *local = g->children[i]->local;
            for (size_t j = 0; local && j < local->container_count; j++) {
                struct local_container *at = &local->containers[j];
                known++;
                if (at->seen_ms == node->now.mono_ms)
                    continue;
                struct container gone = at->container;
                gone.state = CONTAINER_GONE;
                if (local_observe(local, &gone, node->now.mono_ms))
                    j--;
                store_mark(store, g->children[i]);
            }
        }
    node->supervision.containers = known;
    node->supervision.engine_listed = true;
    node->supervision.relist = false;
    node->dirty = true;
}

static void supervise_engine(struct node *node, const struct event *event)
{
    struct supervision *supervision = &node->supervision;
    bool was = supervision->engine_healthy;
    supervision->engine_healthy = event->runtime.healthy;
    if (event->runtime.name)
        TEXT_SET(supervision->engine_name, event->runtime.name);
    if (event->runtime.version)
        TEXT_SET(supervision->engine_version, event->runtime.version);
    TEXT_SET(supervision->engine_message, event->runtime.message ? event->runtime.message : "");
    if (event->runtime.healthy) {
        supervision->engine_lost_ms = 0;
        supervision->engine_declared = true;
        membership_record_changed(node);
    } else if (was || supervision->engine_lost_ms == 0) {
        supervision->engine_lost_ms = node->now.mono_ms ? node->now.mono_ms : 1;
    }
    if (was != event->runtime.healthy)
        effects_trace(node->effects, "the engine %s%s%s",
                      event->runtime.healthy ? "answers" : "does not answer",
                      supervision->engine_message[0] ? ": " : "", supervision->engine_message);
    store_mark_all(&node->store);
    node->dirty = true;
}

/* --- Operations that ended
 * --------------------------------------------------------------------------------- */

static void done_pull(struct node *node, struct child *child, const struct operation *operation,
                      const struct event *event)
{
    struct local *local = child->local;
    local->pull_operation = 0;
    if (event->done.result == RUNTIME_OK) {
        if (!index_find(&node->supervision.images, span_text(operation->image)))
            index_insert(&node->supervision.images, span_text(operation->image), node);
        local->image_ready = true;
        local->pull_failing_ms = 0;
        local->pull_failures = 0;
        local->reason[0] = local->message[0] = '\0';
        return;
    }
    if (local->pull_failing_ms == 0)
        local->pull_failing_ms = node->now.mono_ms;
    local->pull_failures++;
    local->retry_ms = node->now.mono_ms + backoff_ms(local->pull_failures + 3);
    TEXT_SET(local->reason, local->pull_failures > 1 ? "ImagePullBackOff" : "ErrImagePull");
    TEXT_SET(local->message,
             event->done.message ? event->done.message : "the image cannot be pulled");
}

/* The engine has removed the ended container whose name the new one took. */
static void child_started(struct local *local, const struct container *started)
{
    local->reason[0] = local->message[0] = '\0';
    for (size_t i = 0; started && i < local->container_count; i++) {
        struct container *at = &local->containers[i].container;
        if (at->epoch == started->epoch && at->state != CONTAINER_RUNNING &&
            strcmp(at->id, started->id) != 0)
            local_drop(local, &local->containers[i--]);
    }
}

static void done_start(struct node *node, struct child *child, const struct operation *operation,
                       const struct event *event)
{
    struct local *local = child->local;
    local->start_operation = 0;
    if (event->done.container)
        local_observe(local, event->done.container, node->now.mono_ms);
    local->image_ready = false;
    if (event->done.result == RUNTIME_OK) {
        child_started(local, event->done.container);
        return;
    }
    if (event->done.result == RUNTIME_IMAGE_MISSING) {
        index_remove(&node->supervision.images, span_text(operation->image));
        return;
    }
    if (event->done.result == RUNTIME_TIMED_OUT)
        node->supervision.relist = true;
    local->restarts += local->started_ms != 0;
    local->retry_ms = node->now.mono_ms + backoff_ms(local->backoff_level++);
    TEXT_SET(local->reason,
             event->done.result == RUNTIME_INVALID ? "CreateContainerError" : "StartError");
    TEXT_SET(local->message,
             event->done.message ? event->done.message : "the engine did not start it");
}

static void done_stop(struct node *node, struct child *child, const struct operation *operation,
                      const struct event *event)
{
    struct local_container *container = local_find(child->local, operation->container_id);
    if (!container || container->operation != operation->id)
        return;
    container->operation = 0;
    if (event->done.container)
        local_observe(child->local, event->done.container, node->now.mono_ms);
    container = local_find(child->local, operation->container_id);
    if (!container)
        return;
    bool removed = operation->kind == RUNTIME_REMOVE && event->done.result == RUNTIME_OK;
    if (removed || container->container.state == CONTAINER_GONE) {
        local_drop(child->local, container);
        return;
    }
    if (event->done.result == RUNTIME_OK)
        return;
    container->retry_ms = node->now.mono_ms + backoff_ms(4);
    node->supervision.relist = true;
    TEXT_SET(child->local->message,
             event->done.message ? event->done.message : "the engine did not end it");
}

static void supervise_done(struct node *node, const struct event *event)
{
    struct operation *found = engine_find(node, event->done.id);
    if (!found)
        return;
    struct operation operation = *found;
    engine_end(node, found);
    if (operation.kind == RUNTIME_LIST) {
        if (event->done.result != RUNTIME_OK)
            node->supervision.relist = true;
        return;
    }
    struct child *child = store_child(&node->store, &operation.child);
    assert(child && child->local);
    if (operation.kind == RUNTIME_PULL)
        done_pull(node, child, &operation, event);
    else if (operation.kind == RUNTIME_START)
        done_start(node, child, &operation, event);
    else
        done_stop(node, child, &operation, event);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
    node->dirty = true;
}

static void supervise_progress(struct node *node, const struct event *event)
{
    struct operation *operation = engine_find(node, event->progress.id);
    struct child *child = operation ? store_child(&node->store, &operation->child) : NULL;
    if (!child || !child->local)
        return;
    TEXT_SET(child->local->reason, "Pulling");
    TEXT_SET(child->local->message, event->progress.text);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
    node->dirty = true;
}

void supervise_event(struct node *node, const struct event *event)
{
    switch (event->type) {
    case EVENT_RUNTIME_STATE:
        supervise_engine(node, event);
        break;
    case EVENT_RUNTIME_LIST:
        supervise_list(node, event);
        break;
    case EVENT_RUNTIME_CONTAINER:
        supervise_observe(node, event->container);
        break;
    case EVENT_RUNTIME_PROGRESS:
        supervise_progress(node, event);
        break;
    case EVENT_RUNTIME_DONE:
        supervise_done(node, event);
        break;
    default:
        break;
    }
}

/* --- Queues
 * ------------------------------------------------------------------------------------------------
 */

static int compare_starts(const void *a, const void *b)
{
    const struct child *one = *(struct child *const *)a, *two = *(struct child *const *)b;
    int32_t first = one->group->workload.priority, second = two->group->workload.priority;
    if (first != second)
        return first > second ? -1 : 1;
    return child_id_compare(&one->id, &two->id);
}

/* Starts are paced: a few in flight, the rest by priority. A start waits for its claim to be
 * durable. */
static void supervise_run_queue(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (!supervision->queue_sorted && supervision->queue_count > 1)
        qsort(supervision->queue, supervision->queue_count, sizeof(struct child *), compare_starts);
    supervision->queue_sorted = true;
    size_t kept = 0;
    for (size_t i = 0; i < supervision->queue_count; i++) {
        struct child *child = supervision->queue[i];
        if (child->local->claim_sequence == SEQUENCE_NEXT)
            child->local->claim_sequence = node->durable.sequence;
        /* After a restart of the agent: what must not run is ended before anything is started. */
        bool early = supervision->stops_in_flight > 0 &&
                     node->now.mono_ms < node->membership.started_ms + STOPS_FIRST_MS;
        bool slot = early ? false
                    : node->pacing_off
                        ? supervision->operation_count < OPERATIONS_MAX
                        : supervision->starts_in_flight < RUNTIME_STARTS_IN_FLIGHT_MAX;
        if (!slot || child->local->claim_sequence > node->durable.synced) {
            supervision->queue[kept++] = child;
            continue;
        }
        child->local->queued_start = false;
        child_start_now(node, child);
        store_mark(&node->store, child);
    }
    supervision->queue_count = kept;
}

static void supervise_run_stops(struct node *node)
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

/* --- Time
 * --------------------------------------------------------------------------------------------------
 */

static void supervise_settle(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (node->must_sync && (sync_compared(node->sync) || !sync_has_alive_peer(node->sync) ||
                            node->now.mono_ms >= node->must_sync_until_ms)) {
        node->must_sync = false;
        store_mark_all(&node->store);
    }
    if (!supervision->settled && membership_is_settled(node) && durable_may_write(node)) {
        supervision->settled = true;
        supervision->relist =
            true; /* children that were unknown at the first list may be known by now */
        store_mark_all(&node->store);
    }
    bool overdue = supervision->engine_declared && !supervision->engine_healthy &&
                   node->now.mono_ms >= supervision->engine_lost_ms + node->engine_grace_ms;
    if (overdue && supervision->settled) {
        supervision->engine_declared = false;
        membership_record_changed(node);
        store_mark_all(&node->store);
    }
    if (supervision->draining && !supervision->killing &&
        node->now.mono_ms >= supervision->drain_ms + node->drain_timeout_ms) {
        supervision->killing = true;
        effects_trace(node->effects, "the drain timeout has passed: killing what still runs");
        store_mark_all(&node->store);
    }
}

static void supervise_wake(struct node *node)
{
    struct store *store = &node->store;
    bool sweep = node->now.mono_ms >= node->supervision.sweep_ms;
    if (sweep) {
        node->supervision.sweep_ms = node->now.mono_ms + SWEEP_MS;
        store_mark_all(store);
    }
    if (node->now.mono_ms < node->supervision.wake_ms)
        return;
    node->supervision.wake_ms = UINT64_MAX;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            if (g->children[i]->wake_ms <= node->now.mono_ms)
                store_mark(store, g->children[i]);
            else if (g->children[i]->wake_ms < node->supervision.wake_ms)
                node->supervision.wake_ms = g->children[i]->wake_ms;
        }
}

static void supervise_decide(struct node *node)
{
    size_t count;
    struct child **dirty = store_take_dirty(&node->store, &count);
    for (size_t i = 0; i < count; i++) {
        child_decide(node, dirty[i]);
        if (dirty[i]->wake_ms < node->supervision.wake_ms)
            node->supervision.wake_ms = dirty[i]->wake_ms;
    }
    for (size_t i = 0; i < count; i++)
        store_child_tidy(&node->store, dirty[i]);
    free(dirty);
}

void supervise_tick(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    supervise_settle(node);
    if (!supervise_is_open(node))
        return;
    supervise_run_stops(node);
    supervise_wake(node);
    supervise_decide(node);
    durable_settle(node); /* claims get their log records before the queue looks at them */
    supervise_run_queue(node);
    if (supervision->relist && supervision->engine_healthy) {
        supervision->relist = false;
        engine_list(node);
    }
}

void supervise_log_synced(struct node *node)
{
    if (node->supervision.queue_count > 0 || !node->supervision.settled ||
        node->membership.record_dirty)
        node->dirty = true;
}

uint64_t supervise_deadline(const struct node *node)
{
    const struct supervision *supervision = &node->supervision;
    uint64_t deadline = supervision->sweep_ms;
    if (node->must_sync && node->must_sync_until_ms < deadline)
        deadline = node->must_sync_until_ms;
    if (!supervise_is_open(node))
        return deadline > node->now.mono_ms ? deadline : node->now.mono_ms + 100;
    if (supervision->wake_ms < deadline)
        deadline = supervision->wake_ms;
    if (supervision->draining && !supervision->killing &&
        supervision->drain_ms + node->drain_timeout_ms < deadline)
        deadline = supervision->drain_ms + node->drain_timeout_ms;
    if (supervision->engine_declared && !supervision->engine_healthy &&
        supervision->engine_lost_ms + node->engine_grace_ms < deadline)
        deadline = supervision->engine_lost_ms + node->engine_grace_ms;
    return deadline;
}

void supervise_drain(struct node *node)
{
    if (node->supervision.draining)
        return;
    node->supervision.draining = true;
    node->supervision.drain_ms = node->now.mono_ms;
    store_mark_all(&node->store);
    node->dirty = true;
}

bool supervise_is_drained(const struct node *node)
{
    const struct store *store = &node->store;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            const struct child *child = g->children[i];
            if (child->has_claim && claim_is_ours(node, &child->claim) &&
                child->claim.state <= CLAIM_CLAIMED)
                return false;
            if (child_container(node, child) &&
                child_container(node, child)->container.state == CONTAINER_RUNNING)
                return false;
        }
    return true;
}

void supervise_release(struct node *node)
{
    struct store *store = &node->store;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            local_free(g->children[i]->local);
            g->children[i]->local = NULL;
        }
    index_release(&node->supervision.images, NULL);
    free(node->supervision.queue);
    free(node->supervision.stop_queue);
}
