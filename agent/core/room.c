/* Room: how many children of a supervisor this member may hold, and telling the others when it may
 * hold no more, so that the next in rank acts at once.
 *
 * Whether a member is full is said only by itself. It says so when a free child that it could else
 * have run finds no room, and takes it back once there is room again: a member that nobody asks
 * says nothing, and nothing is said twice. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"

/* Who has room again says so first, and takes a child only when the others may have heard it:
 * several that get room together would else take the same one. */
enum { ROOM_SPREAD_MS = 300 };

/* Claims of ours under this supervisor: counted once per tick, and kept up during it. */
static uint32_t room_taken(struct node *node, struct supervisor_plan *plan)
{
    if (plan->count_turn == node->turn)
        return plan->own_claims;
    plan->count_turn = node->turn;
    plan->own_claims = 0;
    const struct holder *holder = index_find(&node->store.holders, span_text(node->name));
    for (size_t i = 0; holder && i < holder->children.count; i++) {
        const struct child *child = holder->children.items[i];
        plan->own_claims += child->claim->state <= CLAIM_CLAIMED &&
                            claim_is_ours(node, child->claim) &&
                            strcmp(child->group->workload.supervisor, plan->name) == 0;
    }
    return plan->own_claims;
}

bool room_here(struct node *node, struct supervisor_plan *plan)
{
    return plan->max_children == 0 || room_taken(node, plan) < plan->max_children;
}

void room_note_claim(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan =
        index_find(&node->ranking.plans, span_text(child->group->workload.supervisor));
    if (plan && plan->count_turn == node->turn)
        plan->own_claims++;
}

static int64_t room_of_others(struct node *node, const struct supervisor_plan *plan)
{
    int64_t room = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct placement_member *member = &plan->members[i];
        if (i == plan->self || !member->eligible || !placement_phase_may_run(member->phase))
            continue;
        const struct holder *holder = index_find(&node->store.holders, span_text(member->name));
        uint32_t taken = 0;
        for (size_t j = 0; holder && j < holder->children.count; j++) {
            const struct child *child = holder->children.items[j];
            taken += child->claim->state <= CLAIM_CLAIMED &&
                     strcmp(child->group->workload.supervisor, plan->name) == 0;
        }
        room += taken < plan->max_children ? plan->max_children - taken : 0;
    }
    return room;
}

/* Who waits for a holder, and who of ours is about to. */
static int64_t room_promised(const struct node *node, const struct supervisor_plan *plan)
{
    const struct holder *own = index_find(&node->store.holders, span_text(node->name));
    const struct children *waiting = &node->store.waiting;
    int64_t count = 0;
    for (size_t i = 0; i < waiting->count; i++)
        count += strcmp(waiting->items[i]->group->workload.supervisor, plan->name) == 0;
    for (size_t i = 0; own && i < own->children.count; i++) {
        const struct child *child = own->children.items[i];
        count += child->waiting_place == 0 && child->local && child->local->stop == STOP_RELEASE &&
                 strcmp(child->group->workload.supervisor, plan->name) == 0;
    }
    return count;
}

bool room_elsewhere(struct node *node, struct supervisor_plan *plan)
{
    if (plan->max_children == 0)
        return true;
    if (plan->others_turn != node->turn) {
        plan->others_turn = node->turn;
        plan->others_room = room_of_others(node, plan) - room_promised(node, plan);
    }
    return plan->others_room > 0 && plan->others_room-- > 0;
}

bool room_is_refused(const struct node *node, const struct member_record *record,
                     const char *supervisor, int32_t priority)
{
    for (size_t i = 0; i < record->full_count; i++) {
        const struct full *full = &record->full[i];
        bool meant = !full->supervisor[0] || strcmp(full->supervisor, supervisor) == 0;
        if (meant && priority <= full->priority &&
            (full->until_ms == 0 || full->until_ms > node->now.wall_ms))
            return true;
    }
    return false;
}

void room_tell_full(struct node *node, const struct supervisor_plan *plan)
{
    struct membership *membership = &node->membership;
    for (size_t i = 0; i < membership->full_count; i++)
        if (strcmp(membership->full[i].supervisor, plan->name) == 0)
            return;
    if (membership->full_count == MEMBER_FULL_MAX)
        return;
    struct full *full = &membership->full[membership->full_count++];
    *full = (struct full){.priority = INT32_MAX};
    TEXT_SET(full->supervisor, plan->name);
    TEXT_SET(full->reason, "MaxChildren");
    effects_trace(node->effects, "is full: holds %u children of supervisor %s",
                  (unsigned)plan->own_claims, plan->name);
    membership->full_dirty = true;
}

void room_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    for (size_t i = membership->full_count; i-- > 0;) {
        struct full *full = &membership->full[i];
        struct supervisor_plan *plan = ranking_plan(node, full->supervisor);
        if (plan && !room_here(node, plan))
            continue;
        effects_trace(node->effects, "has room again for supervisor %s", full->supervisor);
        if (plan)
            plan->room_ms = node->now.mono_ms + ROOM_SPREAD_MS;
        *full = membership->full[--membership->full_count];
        membership->full_dirty = true;
    }
}

void room_tell(struct node *node)
{
    if (!node->membership.full_dirty)
        return;
    node->membership.full_dirty = false;
    membership_write_record(node);
}

static int compare_urgency(const void *a, const void *b)
{
    const struct child *one = *(struct child *const *)a, *two = *(struct child *const *)b;
    int32_t first = one->group->workload.priority, second = two->group->workload.priority;
    if (first != second)
        return first > second ? -1 : 1;
    return child_compare(one, two);
}

void room_order(struct child **children, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (children[i]->group->workload.priority != children[0]->group->workload.priority) {
            qsort(children, count, sizeof *children, compare_urgency);
            return;
        }
}
