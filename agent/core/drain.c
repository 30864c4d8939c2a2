/* Draining: a member that takes no children and hands over those it has, and stays. A user's wish,
 * kept in the member's record: it outlives the agent, and ends when somebody uncordons the member.
 *
 * A child leaves only when another member may take it: its container is stopped with its own
 * shutdown time, the claim is released as soon as it has ended, and the next in rank claims it.
 * Nobody is stopped for lack of room elsewhere; who waits for room is looked at again and again. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/stop.h"
#include "agent/core/supervise.h"

enum { DRAIN_LOOK_MS = 1000 };

void drain_take_cordon(struct node *node, const struct cordon *cordon)
{
    struct cordon *known = &node->membership.cordon;
    if (cordon->version <= known->version)
        return;
    const char *reason = cordon->drains           ? "Draining"
                         : !cordon->unschedulable ? "Uncordoned"
                         : known->unschedulable   ? "DrainEnded"
                                                  : "Cordoned";
    const char *message = cordon->drains           ? "hands over its children, and takes no others"
                          : !cordon->unschedulable ? "takes children again"
                                                   : "takes no more children; those it has stay";
    effects_trace(node->effects, "%s: %s", reason, message);
    if (node->started) /* else it is what our disk remembers */
        note_member(node, node->name, false, reason, "%s", message);
    *known = *cordon;
    node->membership.drained_told = false;
    membership_bump_for(node, node->name);
}

bool drain_lets_go(struct node *node, struct child *child)
{
    struct local *local = child->local;
    local->drain_waits = false;
    if (!node->membership.cordon.drains || child->claim->state > CLAIM_CLAIMED)
        return false;
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (plan && ranking_has_other(node, child) && room_elsewhere(node, plan))
        return true;
    local->drain_waits = true;
    child_wake(child, node->now.mono_ms + DRAIN_LOOK_MS);
    return false;
}

/* Says once that nothing is left here. */
void drain_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    const struct holder *own = index_find(&node->store.holders, span_text(node->name));
    if (!membership->cordon.drains || membership->drained_told || !supervise_is_open(node))
        return;
    for (size_t i = 0; own && i < own->children.count; i++)
        if (own->children.items[i]->claim->state <= CLAIM_CLAIMED)
            return;
    membership->drained_told = true;
    effects_trace(node->effects, "is drained: holds no child any more");
    note_member(node, node->name, false, "Drained", "holds no child any more");
}
