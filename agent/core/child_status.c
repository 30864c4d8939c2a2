/* A child's status: what its holder tells everybody. Computed from the whole each time; written at
 * most once a second, and passing phases only once they last, so that a quick start costs one
 * write. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/registry.h"
#include "agent/core/stop.h"

enum {
    STATUS_PACE_MS = 1000,
    STATUS_PASSING_MS = 300,
};

static bool status_is_passing(const struct status *status)
{
    return status->phase == CHILD_PENDING || status->phase == CHILD_PULLING ||
           status->phase == CHILD_STARTING || status->phase == CHILD_STOPPING;
}

static void status_waiting(const struct node *node, const struct child *child,
                           struct status *status)
{
    const struct local *local = child->local;
    if (local->name_stopped) {
        status->phase = CHILD_FAILED;
    } else if (local->start_operation) {
        status->phase = CHILD_STARTING;
    } else if (local->pull_operation || local->pull_failing_ms) {
        status->phase = CHILD_PULLING;
    } else if (node->now.mono_ms < local->retry_ms) {
        bool refused = strcmp(local->reason, DECLINED_NOT_ALLOWED) == 0;
        bool loops = local->crash_loop && !refused;
        status->phase = loops ? CHILD_CRASH_LOOP_BACK_OFF : CHILD_PENDING;
        if (!status->reason[0] || (local->has_exit_code && !refused))
            TEXT_SET(status->reason, loops ? "CrashLoopBackOff" : "BackOff");
    } else if (!node->supervision.engine_healthy) {
        status->phase = CHILD_PENDING;
        TEXT_SET(status->reason, "EngineUnavailable");
        TEXT_SET(status->message, node->supervision.engine_message);
    } else {
        status->phase = CHILD_PENDING;
        if (local->queued_start)
            TEXT_SET(status->reason, "Queued");
    }
}

bool child_ended_well(const char *reason)
{
    return strcmp(reason, "Completed") == 0 || strcmp(reason, "deleted") == 0;
}

static bool status_is_an_end(const struct status *status)
{
    return status->phase == CHILD_SUCCEEDED || status->phase == CHILD_FAILED;
}

/* Whatever the engine has still to say of it afterwards. */
static void status_finished(const struct child *child, struct status *status)
{
    const struct local *local = child->local;
    const struct status *stored = child->status;
    bool known = local->end_reason[0];
    bool told = stored && status_is_of(stored, child->claim);
    if (!known && told && status_is_an_end(stored)) {
        status_copy(status, stored);
        return;
    }
    TEXT_SET(status->reason, known ? local->end_reason : told ? stored->reason : "");
    TEXT_SET(status->message, known ? local_said(local->end_message) : told ? stored->message : "");
    status->phase = child_ended_well(status->reason) ? CHILD_SUCCEEDED : CHILD_FAILED;
    status->finished_ms = local->finished_ms;
    status->has_exit_code = local->has_exit_code;
    status->exit_code = local->exit_code;
}

static void status_running(const struct local_container *container, struct status *status)
{
    status->phase = container->stopping ? CHILD_STOPPING : CHILD_RUNNING;
    status->ready = container->ready && !container->stopping;
    status->started_ms = container->container.started_ms;
    status->ready_ms = container->ready_ms;
    TEXT_SET(status->reason, container->unhealthy ? "Unhealthy"
                             : container->ready   ? ""
                                                  : "NotReady");
    TEXT_SET(status->message, local_said(container->probe_message));
}

struct status child_status_now(const struct node *node, const struct child *child)
{
    const struct local *local = child->local;
    const struct local_container *container = child_container(node, child);
    struct status status = {.epoch = child->claim->epoch,
                            .replica = child->claim->replica,
                            .restarts = local->restarts,
                            .backoff_level = local->backoff_level,
                            .spec_hash = child->group->workload.spec_hash};
    TEXT_SET(status.uid, child->claim->uid);
    TEXT_SET(status.reason, local->reason);
    TEXT_SET(status.message, local_said(local->message));
    if (container) {
        TEXT_SET(status.container_id, container->container.id);
        status.spec_hash = container->container.spec_hash;
    } else if (child->claim->state == CLAIM_FINISHED) {
        status.spec_hash = child->claim->spec_hash;
    }
    if (child->claim->state == CLAIM_FINISHED) {
        status_finished(child, &status);
        if (container && container->container.state == CONTAINER_RUNNING)
            status.phase = CHILD_STOPPING;
    } else if (container && container->container.state == CONTAINER_RUNNING) {
        status_running(container, &status);
        if (local->drain_waits && status.phase == CHILD_RUNNING && status.ready) {
            TEXT_SET(status.reason, "Draining");
            TEXT_SET(status.message, DRAIN_WAITS_MESSAGE);
        }
        if (container->stopping && strcmp(local->reason, "quorum_lost") == 0)
            TEXT_SET(status.reason, local->reason);
        if (local->name_conflict && registry_conflicts(node, child, status.message))
            TEXT_SET(status.reason, "NameConflict");
    } else {
        status.has_exit_code = local->has_exit_code;
        status.exit_code = local->exit_code;
        status.finished_ms = local->finished_ms;
        status_waiting(node, child, &status);
    }
    return status;
}

static bool status_equal(const struct status *a, const struct status *b)
{
    return a->epoch == b->epoch && a->replica == b->replica && a->phase == b->phase &&
           a->ready == b->ready && a->restarts == b->restarts &&
           a->backoff_level == b->backoff_level && a->spec_hash == b->spec_hash &&
           a->started_ms == b->started_ms && a->ready_ms == b->ready_ms &&
           a->finished_ms == b->finished_ms && a->has_exit_code == b->has_exit_code &&
           a->exit_code == b->exit_code && strcmp(a->uid, b->uid) == 0 &&
           strcmp(a->container_id, b->container_id) == 0 && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->message, b->message) == 0;
}

static void status_write(struct node *node, struct child *child, const struct status *status)
{
    struct buffer value = {0};
    status_encode(status, &value);
    const struct child_id id = child_id(child);
    struct key key = key_status(&id);
    node_put(node, &key, &value);
    buffer_release(&value);
    child->local->status_written_ms = node->now.mono_ms;
    child->local->status_changed_ms = 0;
}

void child_status_tell(struct node *node, struct child *child)
{
    struct status status = child_status_now(node, child);
    status_write(node, child, &status);
}

/* One has come whose claim has not: to write would be to write over what the next holder said. */
static bool status_is_overtaken(const struct child *child)
{
    return child->status && child->status->epoch > child->claim_epoch_max;
}

void child_status_tell_end(struct node *node, struct child *child)
{
    const struct status *stored = child->status;
    if (stored && !status_is_overtaken(child) &&
        !(status_is_of(stored, child->claim) && status_is_an_end(stored)))
        child_status_tell(node, child);
}

void child_status_keep_level(struct node *node, struct child *child)
{
    const struct local *local = child->local;
    const struct status *stored = child->status;
    uint32_t level = stored ? stored->backoff_level : 0;
    uint32_t restarts = stored ? stored->restarts : 0;
    if (local->backoff_level == level && local->restarts == restarts)
        return;
    child_status_tell(node, child);
}

/* When the present status may be written. */
static uint64_t status_due_ms(const struct child *child, const struct status *status)
{
    const struct local *local = child->local;
    uint64_t paced_ms = local->status_written_ms ? local->status_written_ms + STATUS_PACE_MS : 0;
    uint64_t lasting_ms = status_is_overtaken(child)  ? WHOLE_MAP_MS
                          : status_is_passing(status) ? STATUS_PASSING_MS
                                                      : 0;
    uint64_t lasted_ms = local->status_changed_ms + lasting_ms;
    return paced_ms > lasted_ms ? paced_ms : lasted_ms;
}

/* NULL: what users see is the stored one. */
static void child_status_show(struct node *node, struct child *child, const struct status *status)
{
    struct local *local = child->local;
    bool same = local->status && status && status_equal(local->status, status);
    if (same || (!local->status && !status))
        return;
    free(local->status);
    local->status = status ? xmemdup(status, sizeof *status) : NULL;
    store_touch(&node->store, child);
}

void child_status_update(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (!local || !child->claim || !claim_is_ours(node, child->claim) ||
        !child->group->has_workload || child->claim->state == CLAIM_RELEASED)
        return;
    struct status status = child_status_now(node, child);
    bool stored = child->status && status_equal(&status, child->status);
    child_status_show(node, child, stored ? NULL : &status);
    if (stored) {
        local->status_changed_ms = 0;
        return;
    }
    if (local->status_changed_ms == 0)
        local->status_changed_ms = node->now.mono_ms;
    uint64_t due_ms = status_due_ms(child, &status);
    if (node->now.mono_ms >= due_ms)
        status_write(node, child, &status);
    else
        child_wake(child, due_ms);
}
