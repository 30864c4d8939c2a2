/* Running a child that we hold: one container of the claim's epoch, restarted by policy, replaced
 * when the spec changed, handed over when we drain. Everything here is a level: look at what is,
 * ask for the next step, come back.
 *
 *   nothing -> (pull) -> claimed -> durable -> queued -> starting -> running -> ended -> back-off
 * -> nothing, or finished */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/engine.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"
#include "agent/core/stop.h"
#include "agent/core/supervise.h"

enum {
    PULL_DECLINE_MS = 60000, /* failing for so long: let another member try */
    PULL_SLOT_MS = 200,
    NAME_LOOK_MS = 1000,
};

/* The container that the claim speaks of. */
struct local_container *child_container(const struct node *node, const struct child *child)
{
    struct local *local = child->local;
    struct local_container *found = NULL;
    for (size_t i = 0; local && child->claim && i < local->container_count; i++) {
        const struct container *at = &local->containers[i].container;
        bool matches = at->epoch == child->claim->epoch &&
                       strcmp(at->uid, child->claim->uid) == 0 &&
                       at->replica == node->durable.replica && at->state != CONTAINER_GONE;
        if (matches && (!found || at->state == CONTAINER_RUNNING))
            found = &local->containers[i];
    }
    return found;
}

/* --- Ending ---------------------------------------------------------------------------------- */

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
    supervise_queue_stop(node, child);
    return false;
}

void child_request_stop(struct node *node, struct child *child, struct local_container *container)
{
    uint64_t stop_ms = child->group->workload.name[0] ? child->group->workload.shutdown_ms : 5000;
    bool kill = lease_limits_stop(node, child, &stop_ms) || node->supervision.killing;
    child->local->running_since_ms = 0; /* its end will be our doing */
    if (kill && !container->killed && container->operation &&
        node->supervision.stops_in_flight < RUNTIME_STOPS_IN_FLIGHT_MAX) {
        container->killed = true;
        engine_stop(node, child, container, SHUTDOWN_BRUTAL_KILL);
        return;
    }
    if (!child_may_ask_engine(node, child, container))
        return;
    effects_trace(node->effects, "stops %s/%s/%u (epoch %llu)", child->group->ns,
                  child->group->name, child->ordinal,
                  (unsigned long long)container->container.epoch);
    note_child(node, child, false, kill ? "Killing" : "Stopping", "epoch %llu",
               (unsigned long long)container->container.epoch);
    container->killed = kill;
    engine_stop(node, child, container, kill ? SHUTDOWN_BRUTAL_KILL : stop_ms);
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

/* --- Not running ----------------------------------------------------------------------------- */

bool child_image_is_here(const struct node *node, const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    return child->local->image_ready ||
           (workload->pull != PULL_ALWAYS &&
            index_find(&node->supervision.images, span_text(workload->image)));
}

bool child_pull_is_failing(const struct node *node, const struct child *child)
{
    const struct local *local = child->local;
    return !local->pull_operation && local->pull_failing_ms &&
           node->now.mono_ms - local->pull_failing_ms >= PULL_DECLINE_MS;
}

void child_pull(struct node *node, struct child *child)
{
    if (child->local->pull_operation)
        return;
    if (node->supervision.pulls_in_flight < RUNTIME_PULLS_IN_FLIGHT_MAX)
        engine_pull(node, child);
    else
        child_wake(child, node->now.mono_ms + PULL_SLOT_MS);
}

static bool child_has_image(struct node *node, struct child *child)
{
    if (child_image_is_here(node, child))
        return true;
    if (child_pull_is_failing(node, child) && child->claim->state == CLAIM_PULLING &&
        ranking_has_other(node, child)) {
        membership_decline(node, child, child->claim->epoch, "ImagePull");
        claim_write(node, child, CLAIM_RELEASED, child->claim->epoch,
                    child->group->workload.spec_hash);
        return false;
    }
    child_pull(node, child);
    return false;
}

static void child_absent(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (local->start_operation || local->queued_start || !node->supervision.engine_healthy ||
        !node->supervision.engine_listed)
        return;
    if (child->unknown_epoch && child->unknown_epoch != child->claim->epoch)
        return; /* it may run all the same: the list that was asked for will tell */
    if (local->running_since_ms > 0)
        child_judge_lost(node, child);
    if (child->claim->state == CLAIM_FINISHED)
        return;
    if (node->now.mono_ms < local->retry_ms) {
        child_wake(child, local->retry_ms);
        return;
    }
    if (child_must_wait_for_recreate(node, child) || !child_has_image(node, child) ||
        lease_gives_back(node, child))
        return;
    if (child->claim->state == CLAIM_PULLING ||
        child->claim->spec_hash != child->group->workload.spec_hash)
        claim_write(node, child, CLAIM_CLAIMED, child->claim->epoch,
                    child->group->workload.spec_hash);
    if (lease_allows_start(node, child))
        supervise_queue_start(node, child);
}

bool child_start_now(struct node *node, struct child *child)
{
    struct local *local = child->local;
    struct local_container *container = child_container(node, child);
    bool current =
        move_may_start(node, child) ||
        (child->claim && claim_is_ours(node, child->claim) && child->claim->state == CLAIM_CLAIMED);
    current = current && child_is_wanted(child) &&
              strcmp(child->claim->uid, child->group->workload.uid) == 0;
    if (!current || local->start_operation || local->stop != STOP_NONE ||
        node->supervision.draining || !node->supervision.engine_healthy ||
        !lease_allows_start(node, child) ||
        (container && container->container.state == CONTAINER_RUNNING))
        return false;
    engine_start(node, child);
    return true;
}

/* --- Running --------------------------------------------------------------------------------- */

void child_note_running(struct node *node, struct child *child,
                        const struct local_container *container)
{
    struct local *local = child->local;
    if (local->running_since_ms > 1)
        return;
    uint64_t up_ms =
        node->now.wall_ms > container->container.started_ms && container->container.started_ms
            ? node->now.wall_ms - container->container.started_ms
            : 0;
    local->running_since_ms = node->now.mono_ms > up_ms ? node->now.mono_ms - up_ms : 2;
    local->started_ms = container->container.started_ms;
    local->pull_failing_ms = 0;
}

static void child_running(struct node *node, struct child *child, struct local_container *container)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    if (container->stopping) { /* begun is begun: a stop that failed is asked for again */
        child_request_stop(node, child, container);
        return;
    }
    child_note_running(node, child, container);
    if (child->claim->state == CLAIM_PULLING)
        claim_write(node, child, CLAIM_CLAIMED, child->claim->epoch,
                    container->container.spec_hash);
    uint64_t forgiven_ms = local->running_since_ms + BACKOFF_RESET_MS;
    if (local->backoff_level > 0 && node->now.mono_ms >= forgiven_ms) {
        local->backoff_level = 0;
        local->crash_loop = false;
    } else if (local->backoff_level > 0) {
        child_wake(child, forgiven_ms);
    }
    child_probe(node, child, container);
    if (container->unhealthy || lease_must_be_guarded(node, child, &container->container))
        child_request_stop(node, child, container);
    else if (container->container.spec_hash != workload->spec_hash &&
             child_may_replace(node, child))
        child_request_stop(node, child, container);
}

/* --- Leaving --------------------------------------------------------------------------------- */

/* Its next holder goes on counting where we end. It is the one that it was offered to, if any. */
static void child_release(struct node *node, struct child *child)
{
    child_status_keep_level(node, child);
    if (offer_is_open(child))
        claim_write_offer(node, child, CLAIM_RELEASED, child->claim->offer);
    else
        claim_write(node, child, CLAIM_RELEASED, child->claim->epoch,
                    child->group->workload.spec_hash);
}

/* Ends the container, then gives the claim back. True: nothing else is to be
 * done. */
static bool child_leave(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (local->stop == STOP_NONE && !node->supervision.draining &&
        ranking_excludes_self(node, child) && ranking_has_other(node, child))
        local->stop = STOP_RELEASE; /* the supervisor's members are others now */
    if (local->stop == STOP_NONE && !node->supervision.draining && drain_lets_go(node, child))
        local->stop = STOP_RELEASE;
    if (local->stop == STOP_NONE && lease_is_late(node, child)) {
        local->stop = STOP_RELEASE;
        TEXT_SET(local->reason, lease_lost_reason(node, child));
        effects_trace(node->effects, "leaves %s/%s/%u: %s", child->group->ns, child->group->name,
                      child->ordinal, local->reason);
    }
    if (!node->supervision.draining && local->stop == STOP_NONE)
        return false;
    /* A start in flight ends soon, and then there is something to stop; before the engine's list
     * nobody knows whether there is. */
    if (local->start_operation || !node->supervision.engine_listed)
        return true;
    for (size_t i = 0; i < local->container_count; i++)
        if (local->containers[i].container.state == CONTAINER_RUNNING) {
            child_request_stop(node, child, &local->containers[i]);
            return true;
        }
    local->stop = STOP_NONE;
    local->running_since_ms = 0;
    child_release(node, child);
    store_mark(&node->store, child);
    return true;
}

/* onNameConflict: stop. It runs only while nobody else who lives holds one of its names. */
static bool child_yields_name(struct node *node, struct child *child,
                              struct local_container *container)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    char message[MESSAGE_BYTES_MAX + 1];
    bool conflict = workload->on_name_conflict == NAME_CONFLICT_STOP &&
                    registry_conflicts(node, child, message);
    if (!conflict) {
        if (local->name_stopped)
            local_forget_why(local);
        local->name_stopped = false;
        return false;
    }
    local->name_stopped = true;
    TEXT_SET(local->reason, "name_conflict");
    local_say(&local->message, message);
    child_wake(child, node->now.mono_ms + NAME_LOOK_MS);
    if (container && container->container.state == CONTAINER_RUNNING)
        child_request_stop(node, child, container);
    return true;
}

void child_run(struct node *node, struct child *child)
{
    child_load_state(node, child);
    struct local_container *container = child_container(node, child);
    if (child->claim->state == CLAIM_FINISHED) {
        child_clear(node, child, container);
        /* Terminated by a user, or taken for lost, or started by hand: it ends for good. */
        if (container && container->container.state == CONTAINER_RUNNING)
            child_request_stop(node, child, container);
        return;
    }
    move_watch(node, child);
    if (child_leave(node, child))
        return;
    bool clear = child_clear(node, child, container);
    if (!clear && !container)
        return;
    container = child_container(node, child);
    if (child_yields_name(node, child, container))
        return;
    if (container && container->container.state == CONTAINER_RUNNING) {
        child_running(node, child, container);
        return;
    }
    if (container && container->container.state == CONTAINER_EXITED && !container->ended_noted) {
        container->ended_noted = true;
        child->local->running_since_ms = 0;
        if (container->unhealthy)
            child_judge_unhealthy(node, child, container);
        else if (lease_ended_it(child, &container->container))
            child_back_off(node, child);
        else if (!container->stopping && !child_end_is_known(child, &container->container))
            child_judge_end(node, child, &container->container);
    }
    if (clear && child->claim->state != CLAIM_FINISHED) /* another one may still be running */
        child_absent(node, child);
}
