/* Restarts: back-off, and the judgement over a container that has ended (design section 7). */
#include <stdio.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MOST_MS = 300000,
    BACKOFF_CRASH_LOOP_MS = 10000, /* from here on the phase says so */
    BACKOFF_LEVEL_MAX = 12,
};

uint64_t backoff_ms(uint32_t level)
{
    uint64_t wait_ms = (uint64_t)BACKOFF_FIRST_MS
                       << (level < BACKOFF_LEVEL_MAX ? level : BACKOFF_LEVEL_MAX);
    return wait_ms < BACKOFF_MOST_MS ? wait_ms : BACKOFF_MOST_MS;
}

/* The next attempt waits, longer each time. */
void child_back_off(struct node *node, struct child *child)
{
    struct local *local = child->local;
    uint64_t wait_ms = backoff_ms(local->backoff_level);
    if (local->backoff_level < BACKOFF_LEVEL_MAX)
        local->backoff_level++;
    if (wait_ms >= BACKOFF_CRASH_LOOP_MS)
        local->crash_loop = true;
    local->retry_ms = node->now.mono_ms + wait_ms;
}

struct dot child_finish(struct node *node, struct child *child, uint64_t spec_hash, uint64_t epoch,
                        const char *reason, const char *message)
{
    TEXT_SET(child->local->end_reason, reason);
    local_say(&child->local->end_message, message);
    struct dot dot = claim_write(node, child, CLAIM_FINISHED, epoch, spec_hash);
    child_status_tell(node, child); /* with the claim: nobody could find out later how it ended */
    effects_trace(node->effects, "%s/%s/%u has finished: %s", child->group->ns, child->group->name,
                  child->ordinal, reason);
    note_child(node, child, !child_ended_well(reason), "Finished", "%s%s%s", reason,
               message[0] ? ": " : "", message);
    return dot;
}

/* More than maxRestarts in maxSeconds, or a back-off of 10 s: a crash loop, until the back-off is
 * reset. With `escalate` the restarts of all children of the supervisor here count together. */
static void child_count_restart(struct node *node, struct child *child)
{
    struct local *local = child->local;
    struct supervisor supervisor = {.max_restarts = 3, .max_seconds = 5};
    ranking_supervisor(node, child->group->workload.supervisor, &supervisor);
    if (supervisor.on_intensity == INTENSITY_ESCALATE)
        escalate_count(node, child->group->workload.supervisor, &supervisor);
    if (local->window_count == 0 ||
        node->now.mono_ms - local->window_ms > supervisor.max_seconds * 1000ull) {
        local->window_ms = node->now.mono_ms;
        local->window_count = 0;
    }
    local->restarts++;
    local->window_count++;
    if (local->window_count > supervisor.max_restarts)
        local->crash_loop = true;
    child_back_off(node, child);
}

static void child_end_or_restart(struct node *node, struct child *child, uint64_t spec_hash,
                                 bool success, const char *reason, const char *what)
{
    struct local *local = child->local;
    enum restart_policy restart = child->group->workload.restart;
    if (restart == RESTART_TEMPORARY || (restart == RESTART_TRANSIENT && success)) {
        child_finish(node, child, spec_hash, child->claim->epoch, reason, success ? "" : what);
        return;
    }
    child_count_restart(node, child);
    TEXT_SET(local->reason, reason);
    char message[MESSAGE_BYTES_MAX + 1];
    snprintf(message, sizeof message, "%s; restart %u in %llu ms", what, local->restarts,
             (unsigned long long)(local->retry_ms - node->now.mono_ms));
    local_say(&local->message, message);
    effects_trace(node->effects, "%s/%s/%u ended: %s, %s", child->group->ns, child->group->name,
                  child->ordinal, reason, message);
    note_child(node, child, !success, local->crash_loop ? "BackOff" : "Ended", "%s: %s", reason,
               message);
}

static void child_forgive(struct local *local)
{
    local->backoff_level = 0;
    local->crash_loop = false;
}

/* The agent before this one has judged this end and told of it: it is not counted twice. */
bool child_end_is_known(const struct child *child, const struct container *container)
{
    const struct status *status = child->status;
    return status && status_is_of(status, child->claim) && status->has_exit_code &&
           (status->phase == CHILD_PENDING || status->phase == CHILD_CRASH_LOOP_BACK_OFF) &&
           status->exit_code == container->exit_code &&
           status->finished_ms == container->finished_ms &&
           strcmp(status->container_id, container->id) == 0;
}

void child_judge_end(struct node *node, struct child *child, const struct container *container)
{
    struct local *local = child->local;
    bool success = container->exit_code == 0 && !container->oom_killed;
    char what[48];
    local->has_exit_code = true;
    local->exit_code = container->exit_code;
    local->finished_ms = container->finished_ms;
    if (container->finished_ms > container->started_ms + BACKOFF_RESET_MS && container->started_ms)
        child_forgive(local);
    snprintf(what, sizeof what, "exit code %d", container->exit_code);
    child_end_or_restart(node, child, container->spec_hash, success,
                         container->oom_killed ? "OOMKilled"
                         : success             ? "Completed"
                                               : "Error",
                         what);
}

/* We have ended it, for its own fault. */
void child_judge_unhealthy(struct node *node, struct child *child,
                           const struct local_container *container)
{
    struct local *local = child->local;
    char what[MESSAGE_BYTES_MAX - 64];
    local->has_exit_code = true;
    local->exit_code = container->container.exit_code;
    local->finished_ms = container->container.finished_ms;
    snprintf(what, sizeof what, "liveness probe: %.128s", local_said(container->probe_message));
    child_end_or_restart(node, child, container->container.spec_hash, false, "Unhealthy", what);
}

/* It ran, and the engine knows nothing of it any more: somebody has removed it. */
void child_judge_lost(struct node *node, struct child *child)
{
    struct local *local = child->local;
    local->running_since_ms = 0;
    local->has_exit_code = false;
    local->finished_ms = node->now.wall_ms;
    child_end_or_restart(node, child, local->state_hash, false, "ContainerLost",
                         "its container was removed");
}

/* Who waited when it was last heard of waits on, also elsewhere: what remains as far as the clocks
 * agree, and never longer than its level says. */
static void child_load_wait(struct node *node, struct child *child)
{
    const struct status *status = child->status;
    struct local *local = child->local;
    bool waited = status->phase == CHILD_PENDING || status->phase == CHILD_CRASH_LOOP_BACK_OFF;
    if (!waited || local->backoff_level == 0 || status->finished_ms == 0)
        return;
    uint64_t wait_ms = backoff_ms(local->backoff_level - 1);
    uint64_t since_ms =
        node->now.wall_ms > status->finished_ms ? node->now.wall_ms - status->finished_ms : 0;
    local->retry_ms = since_ms < wait_ms ? node->now.mono_ms + wait_ms - since_ms : 0;
    local->has_exit_code = status->has_exit_code;
    local->exit_code = status->exit_code;
    local->finished_ms = status->finished_ms;
    TEXT_SET(local->reason, status->reason);
    local_say(&local->message, status->message);
}

/* Numbers of restarts belong to one spec of one workload; they come back from the status after a
 * restart or a move. */
void child_load_state(struct node *node, struct child *child)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    bool fresh = !local->state_uid[0];
    if (local->state_hash == workload->spec_hash && strcmp(local->state_uid, workload->uid) == 0)
        return;
    local->state_hash = workload->spec_hash;
    TEXT_SET(local->state_uid, workload->uid);
    local->restarts = local->backoff_level = local->window_count = 0;
    local->crash_loop = local->image_ready = false;
    local->retry_ms = local->pull_failing_ms = 0;
    local->pull_failures = 0;
    const struct status *status = child->status;
    if (!status || status->spec_hash != workload->spec_hash ||
        strcmp(status->uid, workload->uid) != 0)
        return;
    local->restarts = status->restarts;
    local->backoff_level =
        status->backoff_level < BACKOFF_LEVEL_MAX ? status->backoff_level : BACKOFF_LEVEL_MAX;
    local->crash_loop = status->phase == CHILD_CRASH_LOOP_BACK_OFF;
    if (fresh)
        child_load_wait(node, child);
    /* It ran when this agent was last heard of: if it is gone now, it has ended. */
    if (fresh && status_is_of(status, child->claim) && status->phase == CHILD_RUNNING)
        local->running_since_ms = 1;
}
