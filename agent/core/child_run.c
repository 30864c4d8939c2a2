/* Running a child that we hold: one container of the claim's epoch, restarted by policy, replaced
 * when the spec changed, handed over when we drain. Everything here is a level: look at what is,
 * ask for the next step, come back.
 *
 *   nothing -> (pull) -> claimed -> durable -> queued -> starting -> running -> ended -> back-off
 * -> nothing, or finished */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MOST_MS = 300000,
    BACKOFF_CRASH_LOOP_MS = 10000, /* from here on the phase says so */
    BACKOFF_RESET_MS = 600000,     /* up for so long: all is forgiven */
    BACKOFF_LEVEL_MAX = 12,
    PULL_DECLINE_MS = 60000, /* failing for so long: let another member try */
    PULL_SLOT_MS = 200,
    UPDATE_LOOK_MS = 1000,
};

uint64_t backoff_ms(uint32_t level)
{
    uint64_t wait_ms = (uint64_t)BACKOFF_FIRST_MS
                       << (level < BACKOFF_LEVEL_MAX ? level : BACKOFF_LEVEL_MAX);
    return wait_ms < BACKOFF_MOST_MS ? wait_ms : BACKOFF_MOST_MS;
}

/* The container that the claim speaks of. */
struct local_container *child_container(const struct node *node, const struct child *child)
{
    struct local *local = child->local;
    struct local_container *found = NULL;
    for (size_t i = 0; local && child->has_claim && i < local->container_count; i++) {
        const struct container *at = &local->containers[i].container;
        bool matches = at->epoch == child->claim.epoch && strcmp(at->uid, child->claim.uid) == 0 &&
                       at->replica == node->durable.replica && at->state != CONTAINER_GONE;
        if (matches && (!found || at->state == CONTAINER_RUNNING))
            found = &local->containers[i];
    }
    return found;
}

/* --- Ending
 * ------------------------------------------------------------------------------------------------
 */

static void child_queue_stop(struct node *node, struct child *child)
{
    struct supervision *supervision = &node->supervision;
    if (child->local->queued_stop)
        return;
    if (supervision->stop_queue_count == supervision->stop_queue_capacity) {
        supervision->stop_queue_capacity =
            supervision->stop_queue_capacity ? 2 * supervision->stop_queue_capacity : 64;
        supervision->stop_queue = xrealloc(
            supervision->stop_queue, supervision->stop_queue_capacity * sizeof(struct child *));
    }
    child->local->queued_stop = true;
    supervision->stop_queue[supervision->stop_queue_count++] = child;
}

static bool child_may_ask_engine(struct node *node, struct child *child,
                                 const struct local_container *container)
{
    if (container->operation || !node->supervision.engine_healthy)
        return false;
    if (node->now.mono_ms < container->retry_ms) {
        child_wake(child, container->retry_ms);
        return false;
    }
    if (node->supervision.stops_in_flight < RUNTIME_STOPS_IN_FLIGHT_MAX)
        return true;
    child_queue_stop(node, child);
    return false;
}

void child_request_stop(struct node *node, struct child *child, struct local_container *container)
{
    uint64_t stop_ms = child->group->workload.name[0] ? child->group->workload.shutdown_ms : 5000;
    if (node->supervision.killing && !container->killed &&
        node->supervision.stops_in_flight < RUNTIME_STOPS_IN_FLIGHT_MAX) {
        container->killed = true;
        engine_stop(node, child, container, SHUTDOWN_BRUTAL_KILL);
        return;
    }
    if (!child_may_ask_engine(node, child, container))
        return;
    effects_trace(node->effects, "stops %s/%s/%u (epoch %llu)", child->id.ns, child->id.workload,
                  child->id.ordinal, (unsigned long long)container->container.epoch);
    engine_stop(node, child, container, stop_ms);
}

bool child_clear(struct node *node, struct child *child, const struct local_container *keep)
{
    struct local *local = child->local;
    bool clear = true;
    for (size_t i = 0; local && i < local->container_count; i++) {
        struct local_container *at = &local->containers[i];
        if (at == keep)
            continue;
        clear = false;
        if (at->container.state == CONTAINER_RUNNING)
            child_request_stop(node, child, at);
        else if (at->container.state != CONTAINER_GONE && child_may_ask_engine(node, child, at))
            engine_remove(node, child, at);
    }
    return clear && !(local && local->start_operation);
}

/* --- Ended
 * -------------------------------------------------------------------------------------------------
 */

static void child_finish(struct node *node, struct child *child, const char *reason,
                         const char *message)
{
    TEXT_SET(child->local->reason, reason);
    TEXT_SET(child->local->message, message);
    claim_write(node, child, CLAIM_FINISHED, child->claim.epoch);
    effects_trace(node->effects, "%s/%s/%u has finished: %s", child->id.ns, child->id.workload,
                  child->id.ordinal, reason);
}

/* More than maxRestarts in maxSeconds, or a back-off of 10 s: a crash loop, until the back-off is
 * reset. */
static void child_count_restart(struct node *node, struct child *child)
{
    struct local *local = child->local;
    struct supervisor supervisor = {.max_restarts = 3, .max_seconds = 5};
    ranking_supervisor(node, child->group->workload.supervisor, &supervisor);
    if (local->window_count == 0 ||
        node->now.mono_ms - local->window_ms > supervisor.max_seconds * 1000ull) {
        local->window_ms = node->now.mono_ms;
        local->window_count = 0;
    }
    local->restarts++;
    local->window_count++;
    uint64_t wait_ms = backoff_ms(local->backoff_level);
    if (local->backoff_level < BACKOFF_LEVEL_MAX)
        local->backoff_level++;
    if (local->window_count > supervisor.max_restarts || wait_ms >= BACKOFF_CRASH_LOOP_MS)
        local->crash_loop = true;
    local->retry_ms = node->now.mono_ms + wait_ms;
}

static void child_judge_end(struct node *node, struct child *child,
                            const struct container *container)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    bool success = container->exit_code == 0 && !container->oom_killed;
    local->has_exit_code = true;
    local->exit_code = container->exit_code;
    local->finished_ms = container->finished_ms;
    if (container->finished_ms > container->started_ms + BACKOFF_RESET_MS &&
        container->started_ms) {
        local->backoff_level = 0;
        local->crash_loop = false;
    }
    const char *reason = container->oom_killed ? "OOMKilled" : success ? "Completed" : "Error";
    bool again = workload->restart == RESTART_PERMANENT ||
                 (workload->restart == RESTART_TRANSIENT && !success);
    if (!again) {
        child_finish(node, child, reason, "");
        return;
    }
    child_count_restart(node, child);
    TEXT_SET(local->reason, reason);
    snprintf(local->message, sizeof local->message, "exit code %d; restart %u in %llu ms",
             container->exit_code, local->restarts,
             (unsigned long long)(local->retry_ms - node->now.mono_ms));
    effects_trace(node->effects, "%s/%s/%u ended: %s, %s", child->id.ns, child->id.workload,
                  child->id.ordinal, reason, local->message);
}

/* --- Not running
 * ------------------------------------------------------------------------------------------- */

static bool child_has_image(struct node *node, struct child *child)
{
    const struct workload *workload = &child->group->workload;
    struct local *local = child->local;
    if (local->image_ready || (workload->pull != PULL_ALWAYS &&
                               index_find(&node->supervision.images, span_text(workload->image))))
        return true;
    if (local->pull_operation)
        return false;
    if (local->pull_failing_ms && node->now.mono_ms - local->pull_failing_ms >= PULL_DECLINE_MS &&
        child->claim.state == CLAIM_PULLING && ranking_has_other(node, child)) {
        membership_decline(node, &child->id, child->claim.epoch);
        claim_write(node, child, CLAIM_RELEASED, child->claim.epoch);
        return false;
    }
    if (node->supervision.pulls_in_flight < RUNTIME_PULLS_IN_FLIGHT_MAX)
        engine_pull(node, child);
    else
        child_wake(child, node->now.mono_ms + PULL_SLOT_MS);
    return false;
}

/* Recreate: nothing of the new spec starts while something of the old one runs. */
static bool child_must_wait_for_recreate(struct child *child)
{
    struct group *group = child->group;
    if (group->workload.update != UPDATE_RECREATE)
        return false;
    for (size_t i = 0; i < group->child_count; i++) {
        const struct child *other = group->children[i];
        if (other != child && other->has_status &&
            strcmp(other->status.uid, group->workload.uid) == 0 &&
            other->status.spec_hash != group->workload.spec_hash && child_is_wanted(other) &&
            (other->status.phase == CHILD_RUNNING || other->status.phase == CHILD_STOPPING)) {
            group->update_waiting = true;
            return true;
        }
    }
    return false;
}

static void child_queue_start(struct node *node, struct child *child)
{
    struct supervision *supervision = &node->supervision;
    if (supervision->queue_count == supervision->queue_capacity) {
        supervision->queue_capacity =
            supervision->queue_capacity ? 2 * supervision->queue_capacity : 64;
        supervision->queue =
            xrealloc(supervision->queue, supervision->queue_capacity * sizeof(struct child *));
    }
    child->local->queued_start = true;
    supervision->queue[supervision->queue_count++] = child;
    supervision->queue_sorted = false;
}

static void child_absent(struct node *node, struct child *child)
{
    struct local *local = child->local;
    local->running_since_ms = 0;
    if (local->start_operation || local->queued_start || !node->supervision.engine_healthy ||
        !node->supervision.engine_listed)
        return;
    if (node->now.mono_ms < local->retry_ms) {
        child_wake(child, local->retry_ms);
        return;
    }
    if (child_must_wait_for_recreate(child) || !child_has_image(node, child))
        return;
    if (child->claim.state == CLAIM_PULLING ||
        child->claim.spec_hash != child->group->workload.spec_hash)
        claim_write(node, child, CLAIM_CLAIMED, child->claim.epoch);
    child_queue_start(node, child);
}

bool child_start_now(struct node *node, struct child *child)
{
    struct local *local = child->local;
    struct local_container *container = child_container(node, child);
    bool current = child->has_claim && claim_is_ours(node, &child->claim) &&
                   child->claim.state == CLAIM_CLAIMED && child_is_wanted(child) &&
                   strcmp(child->claim.uid, child->group->workload.uid) == 0;
    if (!current || local->start_operation || local->stop != STOP_NONE ||
        node->supervision.draining || !node->supervision.engine_healthy ||
        (container && container->container.state == CONTAINER_RUNNING))
        return false;
    engine_start(node, child);
    return true;
}

/* --- Running
 * -----------------------------------------------------------------------------------------------
 */

/* A holder replaces its own child when at most maxUnavailable - 1 children of lower ordinal are not
 * yet new and ready. */
static bool child_may_replace(struct node *node, struct child *child)
{
    struct group *group = child->group;
    const struct workload *workload = &group->workload;
    if (workload->update == UPDATE_RECREATE)
        return true;
    uint32_t behind = 0;
    for (size_t i = 0; i < group->child_count && group->children[i] != child; i++) {
        const struct child *other = group->children[i];
        const struct status *status = &other->status;
        bool updated = other->has_status && status->spec_hash == workload->spec_hash &&
                       (status->ready || status->phase == CHILD_SUCCEEDED);
        uint64_t due_ms = status->ready_ms + workload->min_ready_seconds * 1000ull;
        if (updated && due_ms > node->now.wall_ms) {
            child_wake(child, node->now.mono_ms + (due_ms - node->now.wall_ms));
            updated = false;
        }
        behind += !updated;
        if (behind + 1 > workload->max_unavailable)
            break;
    }
    if (behind + 1 <= workload->max_unavailable)
        return true;
    group->update_waiting = true;
    child_wake(child, node->now.mono_ms + UPDATE_LOOK_MS);
    return false;
}

static void child_running(struct node *node, struct child *child, struct local_container *container)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    if (local->running_since_ms == 0) {
        uint64_t up_ms =
            node->now.wall_ms > container->container.started_ms && container->container.started_ms
                ? node->now.wall_ms - container->container.started_ms
                : 0;
        local->running_since_ms = node->now.mono_ms > up_ms ? node->now.mono_ms - up_ms : 1;
        local->started_ms = container->container.started_ms;
        local->pull_failing_ms = 0;
    }
    if (child->claim.state == CLAIM_PULLING)
        claim_write(node, child, CLAIM_CLAIMED, child->claim.epoch);
    uint64_t forgiven_ms = local->running_since_ms + BACKOFF_RESET_MS;
    if (local->backoff_level > 0 && node->now.mono_ms >= forgiven_ms) {
        local->backoff_level = 0;
        local->crash_loop = false;
    } else if (local->backoff_level > 0) {
        child_wake(child, forgiven_ms);
    }
    if (container->container.spec_hash != workload->spec_hash && !container->stopping &&
        child_may_replace(node, child))
        child_request_stop(node, child, container);
}

/* --- Leaving
 * -----------------------------------------------------------------------------------------------
 */

/* Ends the container, then gives the claim back or ends it for good. True: nothing else is to be
 * done. */
static bool child_leave(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (!node->supervision.draining && local->stop == STOP_NONE)
        return false;
    if (local->start_operation)
        return true; /* its end is near; then there is something to stop */
    for (size_t i = 0; i < local->container_count; i++)
        if (local->containers[i].container.state == CONTAINER_RUNNING) {
            child_request_stop(node, child, &local->containers[i]);
            return true;
        }
    bool finish = local->stop == STOP_FINISH;
    local->stop = STOP_NONE;
    if (finish)
        child_finish(node, child, "deleted",
                     "terminated by a user; it stays so until the spec changes");
    else
        claim_write(node, child, CLAIM_RELEASED, child->claim.epoch);
    store_mark(&node->store, child);
    return true;
}

/* Numbers of restarts belong to one spec of one workload; they come back from the status after a
 * restart or a move. */
static void child_load_state(struct child *child)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    if (local->state_hash == workload->spec_hash && strcmp(local->state_uid, workload->uid) == 0)
        return;
    local->state_hash = workload->spec_hash;
    TEXT_SET(local->state_uid, workload->uid);
    local->restarts = local->backoff_level = local->window_count = 0;
    local->crash_loop = false;
    local->retry_ms = local->pull_failing_ms = 0;
    local->pull_failures = 0;
    const struct status *status = &child->status;
    if (!child->has_status || status->spec_hash != workload->spec_hash ||
        strcmp(status->uid, workload->uid) != 0)
        return;
    local->restarts = status->restarts;
    local->backoff_level = status->backoff_level;
    local->crash_loop = status->phase == CHILD_CRASH_LOOP_BACK_OFF;
}

void child_run(struct node *node, struct child *child)
{
    child_load_state(child);
    struct local_container *container = child_container(node, child);
    if (child->claim.state == CLAIM_FINISHED) {
        bool rerun = child->claim.spec_hash != child->group->workload.spec_hash;
        if (child_clear(node, child, rerun ? NULL : container) && rerun &&
            !node->supervision.draining)
            claim_write(node, child, CLAIM_PULLING, child->epoch_max + 1);
        return;
    }
    if (child_leave(node, child))
        return;
    if (!child_clear(node, child, container) && !container)
        return;
    container = child_container(node, child);
    if (container && container->container.state == CONTAINER_RUNNING) {
        child_running(node, child, container);
        return;
    }
    if (container && container->container.state == CONTAINER_EXITED && !container->ended_noted) {
        container->ended_noted = true;
        if (!container->stopping)
            child_judge_end(node, child, &container->container);
    }
    if (child->claim.state != CLAIM_FINISHED)
        child_absent(node, child);
}
