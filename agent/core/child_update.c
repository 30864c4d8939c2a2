/* Rolling updates without a driver: each holder replaces its own child in turn, as far as it can
 * see. Old views only slow it (design section 7). */
#include <assert.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/node_private.h"

enum { UPDATE_LOOK_MS = 1000 };

/* Since when a child is ready is counted by our own clock, from the moment that we saw it: clocks
 * of other machines may be wrong by years. */
void child_note_ready(struct node *node, struct child *child)
{
    if (child->claim && child->claim_seen_s == 0)
        child->claim_seen_s = 1 + (uint32_t)(node->now.mono_ms / 1000);
    const struct status *status = child->status;
    bool ready = status && child->claim && status_is_of(status, child->claim) && status->ready &&
                 strcmp(status->uid, child->group->workload.uid) == 0;
    if (!ready)
        child->ready_since_ms = 0;
    else if (child->ready_since_ms == 0 || child->ready_hash != status->spec_hash)
        child->ready_since_ms = node->now.mono_ms ? node->now.mono_ms : 1;
    child->ready_hash = status ? status->spec_hash : 0;
}

/* Ready with the present spec for long enough, or when it will be; UINT64_MAX: not now. */
static uint64_t child_updated_ms(const struct node *node, const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    if (child_is_over(child))
        return 0;
    if (!child->claim || child->ready_since_ms == 0 || child->ready_hash != workload->spec_hash ||
        claim_is_adoptable(node, child->claim))
        return UINT64_MAX;
    if (claim_is_ours(node, child->claim) && child->claim->state != CLAIM_FINISHED) {
        struct local_container *container = child_container(node, child);
        if (!container || container->container.state != CONTAINER_RUNNING || !container->ready ||
            container->stopping)
            return UINT64_MAX; /* its status will say so soon */
    }
    return child->ready_since_ms + workload->min_ready_seconds * 1000ull;
}

/* Nobody has room for it: it would hold up the update for as long as that lasts. */
static bool child_waits_for_room(const struct child *child)
{
    return child->pending_reason && strcmp(child->pending_reason, "NoRoom") == 0;
}

/* A holder replaces its own child when at most maxUnavailable - 1 children of lower ordinal are not
 * yet new and ready. */
bool child_may_replace(struct node *node, struct child *child)
{
    struct group *group = child->group;
    const struct workload *workload = &group->workload;
    if (workload->update == UPDATE_RECREATE)
        return true;
    uint32_t behind = 0;
    for (size_t i = 0; i < group->child_count && group->children[i] != child; i++) {
        uint64_t updated_ms = child_updated_ms(node, group->children[i]);
        if (child_waits_for_room(group->children[i]))
            continue;
        if (updated_ms != UINT64_MAX && updated_ms > node->now.mono_ms)
            child_wake(child, updated_ms);
        behind += updated_ms > node->now.mono_ms;
        if (behind + 1 > workload->max_unavailable)
            break;
    }
    if (behind + 1 <= workload->max_unavailable)
        return true;
    group->update_waiting = true;
    child_wake(child, node->now.mono_ms + UPDATE_LOOK_MS);
    return false;
}

/* Recreate: nothing of the new spec starts while something of the old one runs. */
bool child_must_wait_for_recreate(struct node *node, struct child *child)
{
    struct group *group = child->group;
    if (group->workload.update != UPDATE_RECREATE)
        return false;
    for (size_t i = 0; i < group->child_count; i++) {
        const struct child *other = group->children[i];
        if (other != child && other->status && other->claim &&
            strcmp(other->status->uid, group->workload.uid) == 0 &&
            other->status->spec_hash != group->workload.spec_hash && child_is_wanted(other) &&
            !claim_is_adoptable(node, other->claim) &&
            other->claim->state != CLAIM_RELEASED && /* given back once it had ended */
            (other->status->phase == CHILD_RUNNING || other->status->phase == CHILD_STOPPING)) {
            group->update_waiting = true;
            child_wake(child, node->now.mono_ms + UPDATE_LOOK_MS);
            return true;
        }
    }
    return false;
}

/* --- Progress -------------------------------------------------------------------------------- */

static void progress_begin(struct node *node, struct group *group)
{
    for (size_t i = 0; i < group->child_count; i++)
        group->children[i]->updated = false;
    store_touch_group(&node->store, group);
    group->progress = (struct progress){.hash = group->workload.spec_hash,
                                        .replicas = group->workload.replicas,
                                        .since_ms = node->now.mono_ms};
}

static void progress_count(struct node *node, struct child *child)
{
    struct progress *progress = &child->group->progress;
    uint64_t updated_ms = child_is_wanted(child) ? child_updated_ms(node, child) : UINT64_MAX;
    bool updated = updated_ms <= node->now.mono_ms;
    if (!updated)
        child_wake(child, updated_ms);
    if (updated == child->updated)
        return;
    child->updated = updated;
    assert(updated || progress->updated > 0);
    progress->updated += updated ? 1 : -1;
    if (!updated)
        return;
    progress->since_ms = node->now.mono_ms;
    progress->late = false;
    if (progress->updated == progress->replicas)
        progress->complete = true;
    store_touch(&node->store, child);
}

/* Counted as each child is decided about, so that no look at one is a look at all; the first
 * child's is the one that sees the deadline pass. */
void child_note_progress(struct node *node, struct child *child)
{
    struct group *group = child->group;
    struct progress *progress = &group->progress;
    if (!group->has_workload)
        return;
    if (progress->hash != group->workload.spec_hash ||
        progress->replicas != group->workload.replicas)
        progress_begin(node, group);
    progress_count(node, child);
    if (child->ordinal > 0 || progress->complete || progress->late || progress->replicas == 0)
        return;
    uint64_t late_ms =
        progress->since_ms + group->workload.progress_deadline_seconds * UINT64_C(1000);
    progress->late = node->now.mono_ms >= late_ms;
    if (progress->late)
        store_touch(&node->store, child);
    else
        child_wake(child, late_ms);
}
