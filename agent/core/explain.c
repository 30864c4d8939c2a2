/* Why a child is where it is, and where it would be: the answers to `hordelet ring` and `hordelet
 * rebalance --dry-run`. They ask the same functions that decide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"

/* Plans are a cache of what the node knows: to bring one up to date changes nothing that anybody
 * sees. */
static struct node *explain_cache(const struct node *node)
{
    return (struct node *)(uintptr_t)node;
}

/* --- One child -------------------------------------------------------------------------------- */

static void explain_record(struct node *node, struct supervisor_plan *plan, size_t at,
                           const struct child *child, struct ring_entry *entry)
{
    const struct member_record *record = plan->records[at];
    const struct member_entry *member = store_member(&node->store, entry->node);
    if (!placement_phase_may_run(plan->members[at].phase)) {
        entry->reason = "NotAlive";
        entry->message = member_phase_text(node, entry->node);
    } else if (record->wish != WISH_IN || member_cordon(member)->drains) {
        entry->reason = "Draining";
    } else if (member_cordon(member)->unschedulable) {
        entry->reason = "Unschedulable";
        entry->message = "cordoned";
    } else if (!record->runtime_healthy) {
        entry->reason = "EngineUnavailable";
    } else if (!ranking_labels_match(record, &child->group->workload)) {
        entry->reason = "NodeSelector";
        entry->message = "it has not all labels of spec.nodeSelector";
    } else if (membership_declined(node, record, child)) {
        entry->reason = "Declined";
        entry->message = membership_decline_reason(node, record, child);
    } else if (!ranking_has_room(node, plan, at, child)) {
        entry->reason = "Full";
        entry->message = "it has no room for another child of this supervisor";
    } else if (!load_fits(plan, at, child)) {
        entry->reason = "NoRoom";
        entry->message = "it has not the cpu and memory left that the child asks for";
    } else if (plan->members[at].weight == 0) {
        entry->reason = "NoWeight";
        entry->message = "its weight is 0";
    } else {
        entry->reason = "NotAmongTheFirst";
    }
}

static void explain_entry(struct node *node, struct supervisor_plan *plan, size_t at,
                          const struct child *child, struct ring_view *view, bool candidate)
{
    struct ring_entry *entry = &view->entries[view->count++];
    *entry = (struct ring_entry){
        .node = plan->members[at].name, .candidate = candidate, .reason = "", .message = ""};
    entry->holder = strcmp(entry->node, view->holder) == 0;
    if (candidate)
        return;
    if (plan->records[at]) {
        explain_record(node, plan, at, child, entry);
    } else {
        entry->reason = "NotAlive";
        entry->message = "never joined";
    }
}

static void explain_members(struct node *node, struct supervisor_plan *plan,
                            const struct child *child, struct ring_view *view)
{
    struct candidates candidates = {
        .holder = ranking_find(plan, view->holder),
        .epoch = view->holder[0] ? child->claim->epoch : child->epoch_max + 1};
    ranking_choose(node, plan, child, &candidates);
    view->entries = xcalloc(plan->count + 1, sizeof *view->entries);
    for (size_t i = 0; i < candidates.count; i++)
        explain_entry(node, plan, candidates.ranks[i], child, view, true);
    for (size_t i = 0; i < plan->count; i++) {
        bool candidate = false;
        for (size_t j = 0; j < candidates.count && !candidate; j++)
            candidate = candidates.ranks[j] == i;
        if (!candidate)
            explain_entry(node, plan, i, child, view, false);
    }
}

bool query_ring(const struct node *asked, const struct child_id *id, struct ring_view *ret)
{
    static const char *const states[] = {[CLAIM_PULLING] = "pulling",
                                         [CLAIM_CLAIMED] = "claimed",
                                         [CLAIM_RELEASED] = "released",
                                         [CLAIM_FINISHED] = "finished"};
    struct node *node = explain_cache(asked);
    struct child *child = store_child(&node->store, id);
    if (!child || !child_is_wanted(child))
        return false;
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    bool held = child->claim && child->claim->state <= CLAIM_CLAIMED &&
                !claim_holder_is_lost(node, child->claim);
    *ret = (struct ring_view){.id = *id,
                              .supervisor = child->group->workload.supervisor,
                              .strategy = plan && plan->strategy ? plan->strategy->name : "",
                              .holder = held ? child->claim->node : "",
                              .state = child->claim ? states[child->claim->state] : "",
                              .offered_to = offer_is_open(child) ? child->claim->offer->node : "",
                              .epoch = child->claim ? child->claim->epoch : 0,
                              .reason = "",
                              .message = ""};
    if (!plan || !plan->strategy) {
        ret->reason = plan ? "StrategyNotSupported" : "SupervisorNotFound";
        return true;
    }
    if (plan->quorum != QUORUM_HELD)
        quorum_explain(plan, child, &ret->reason, &ret->message);
    explain_members(node, plan, child, ret);
    return true;
}

void ring_view_release(struct ring_view *view)
{
    free(view->entries);
    *view = (struct ring_view){.count = 0};
}

/* --- All that would move ---------------------------------------------------------------------- */

static void explain_move(struct node *node, struct move_view *view)
{
    struct ring_view ring;
    size_t rank = 0, holder = SIZE_MAX;
    const char *why = "may not run it";
    if (!query_ring(node, &view->id, &ring))
        return;
    for (size_t i = 0; i < ring.count; i++) {
        if (!ring.entries[i].holder)
            continue;
        holder = ring.entries[i].candidate ? i : SIZE_MAX;
        why = ring.entries[i].reason;
    }
    while (rank < ring.count && strcmp(ring.entries[rank].node, view->to) != 0)
        rank++;
    if (holder != SIZE_MAX)
        snprintf(view->reason, sizeof view->reason, "%s is number %zu for it, %s number %zu",
                 view->to, rank + 1, view->from, holder + 1);
    else
        snprintf(view->reason, sizeof view->reason, "%s: %s", view->from, why);
    ring_view_release(&ring);
}

static bool explain_child(struct node *node, struct child *child, struct move_view *ret)
{
    const char *to;
    uint64_t epoch;
    enum move_state state = redistribute_judge(node, child, &to, &epoch);
    if (state == MOVE_NONE || !to)
        return false; /* or on its way to where it belongs */
    bool held = child->claim->state <= CLAIM_CLAIMED;
    *ret = (struct move_view){.id = child_id(child),
                              .from = held ? child->claim->node : "",
                              .to = to,
                              .under_way = state == MOVE_UNDER_WAY};
    if (held)
        explain_move(node, ret);
    return true;
}

bool query_move_next(const struct node *asked, const char *supervisor, const struct child_id *after,
                     struct move_view *ret)
{
    struct node *node = explain_cache(asked);
    struct group *group = after ? store_group(&node->store, after->ns, after->workload) : NULL;
    if (!group)
        group =
            store_group_after(&node->store, after ? after->ns : "", after ? after->workload : "");
    for (; group; group = store_group_after(&node->store, group->ns, group->name)) {
        if (!group->has_workload || strcmp(group->workload.supervisor, supervisor) != 0)
            continue;
        for (size_t i = 0; i < group->child_count; i++) {
            const struct child_id id = child_id(group->children[i]);
            if ((!after || child_id_compare(&id, after) > 0) &&
                explain_child(node, group->children[i], ret))
                return true;
        }
    }
    return false;
}

bool query_moves_any(const struct node *node, const char *supervisor)
{
    return redistribute_is_on(node, supervisor);
}

static void explain_count(struct node *node, struct child *child, struct rebalance_view *view)
{
    const char *to;
    uint64_t epoch;
    enum move_state state = redistribute_judge(node, child, &to, &epoch);
    view->wanted += state == MOVE_WANTED;
    view->under_way += state == MOVE_UNDER_WAY && to;
}

bool query_rebalance(const struct node *asked, const char *name, struct rebalance_view *ret)
{
    struct node *node = explain_cache(asked);
    struct supervisor supervisor;
    if (!ranking_supervisor(node, name, &supervisor))
        return false;
    const struct rebalance_entry *entry = store_rebalance(&node->store, name);
    *ret = (struct rebalance_view){.active = supervisor.redistribution == REDISTRIBUTION_ACTIVE,
                                   .asked = entry != NULL,
                                   .node = entry ? entry->rebalance.node : "",
                                   .asked_ms = entry ? entry->rebalance.asked_ms : 0};
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0;
             g->has_workload && strcmp(g->workload.supervisor, name) == 0 && i < g->child_count;
             i++)
            explain_count(node, g->children[i], ret);
    return true;
}
