/* ttlSecondsAfterFinished: a workload all of whose children have ended for good is deleted so long
 * after. Counted by our own clock from when we saw it, and by the one member whose turn it is: a
 * restart of that agent begins anew, so it may come late and never comes early. */
#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/stop.h"

static bool group_has_finished(const struct group *group)
{
    const struct workload *workload = &group->workload;
    uint32_t finished = 0;
    for (size_t i = 0; i < group->child_count && i < workload->replicas; i++) {
        const struct child *child = group->children[i];
        finished += child_is_wanted(child) && child_is_over(child);
    }
    return workload->replicas > 0 && finished == workload->replicas;
}

/* Looked at with the first child, which every sweep passes. */
void child_expire(struct node *node, struct child *child)
{
    struct group *group = child->group;
    const struct workload *workload = &group->workload;
    if (child->ordinal > 0 || !group->has_workload || workload->ttl_seconds_after_finished < 0)
        return;
    if (!group_has_finished(group)) {
        group->finished_since_ms = 0;
        return;
    }
    if (group->finished_since_ms == 0)
        group->finished_since_ms = node->now.mono_ms ? node->now.mono_ms : 1;
    uint64_t due_ms =
        group->finished_since_ms + (uint64_t)workload->ttl_seconds_after_finished * 1000;
    if (node->now.mono_ms < due_ms) {
        child_wake(child, due_ms);
        return;
    }
    if (!membership_is_first(node) || node_is_stopping(node))
        return;
    effects_trace(node->effects, "%s/%s has finished %lld s ago and is deleted", group->ns,
                  group->name, (long long)workload->ttl_seconds_after_finished);
    struct key key = key_workload(group->ns, group->name);
    node_remove(node, &key);
}
