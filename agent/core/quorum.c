/* Quorum, for supervisors whose strategy votes: who may start children of them, and who must stop
 * those that it runs. As this node sees it: nothing here fences (placement/quorum.c). */
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct placement_member *)a)->name,
                  ((const struct placement_member *)b)->name);
}

/* Who joined is no electorate: each side of a cut would count only itself. */
static bool has_electorate(const struct supervisor *supervisor)
{
    return !supervisor->members_auto && supervisor->member_count > 0;
}

/* Of whom nothing was heard in this run yet may be alive: a node that has just started begins
 * nothing for lack of their votes, and ends nothing either. */
enum quorum quorum_of(const struct node *node, const struct supervisor *supervisor)
{
    const struct placement_strategy *strategy = placement_strategy_by_name(supervisor->strategy);
    if (!strategy)
        return QUORUM_UNKNOWN; /* of a later version */
    if (!strategy->votes)
        return QUORUM_HELD;
    if (!has_electorate(supervisor))
        return QUORUM_NO_ELECTORATE;
    size_t count = supervisor->member_count;
    struct placement_member *members = xcalloc(count, sizeof *members);
    struct placement_view view = {.members = members, .count = count};
    for (size_t i = 0; i < count; i++)
        members[i] =
            (struct placement_member){.name = supervisor->members[i],
                                      .phase = store_member(&node->store, supervisor->members[i])
                                                   ? member_phase(node, supervisor->members[i])
                                                   : PLACEMENT_UNINITIALIZED};
    qsort(members, count, sizeof *members, compare_names);
    bool held = strategy->has_quorum(&view);
    for (size_t i = 0; i < count; i++)
        if (members[i].phase == PLACEMENT_UNINITIALIZED &&
            store_member(&node->store, members[i].name))
            members[i].phase = PLACEMENT_ALIVE;
    enum quorum quorum = held                          ? QUORUM_HELD
                         : strategy->has_quorum(&view) ? QUORUM_UNKNOWN
                                                       : QUORUM_LOST;
    free(members);
    return quorum;
}

enum quorum quorum_for(struct node *node, const struct child *child)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan ? plan->quorum : QUORUM_HELD; /* nobody knows what it asks for: it stays as it is */
}

bool quorum_is_gone(struct node *node, const struct child *child)
{
    enum quorum quorum = quorum_for(node, child);
    return quorum == QUORUM_LOST || quorum == QUORUM_NO_ELECTORATE;
}

void quorum_explain(const struct child *child, enum quorum quorum, const char **ret_reason,
                    const char **ret_message)
{
    if (quorum == QUORUM_NO_ELECTORATE) {
        bool usual = strcmp(child->group->workload.supervisor, SUPERVISOR_QUORUM) == 0;
        *ret_reason = "NoElectorate";
        *ret_message = usual ? "run: hordelet set-members quorum a,b,c"
                             : "run: hordelet set-members SUPERVISOR a,b,c";
    } else if (child->epoch_max > 0) {
        *ret_reason = "quorum_lost";
        *ret_message = "fewer than half of the supervisor's voters are alive as seen from here";
    } else {
        *ret_reason = "NoQuorum";
        *ret_message = "it is started once more than half of the supervisor's voters are alive";
    }
}

/* A vote that came or went decides about what we run, whosever vote it was. */
void quorum_tick(struct node *node)
{
    if (node->ranking.quorum_generation == node->membership.generation)
        return;
    node->ranking.quorum_generation = node->membership.generation;
    struct index *plans = &node->ranking.plans;
    for (struct supervisor_plan *plan = index_after(plans, span_text("")); plan;
         plan = index_after(plans, span_text(plan->name))) {
        if (!plan->strategy || !plan->strategy->votes)
            continue;
        ranking_plan(node, plan->name);
        if (plan->quorum == plan->quorum_seen)
            continue;
        effects_trace(node->effects, "%s the quorum of supervisor %s",
                      plan->quorum == QUORUM_HELD ? "has" : "has not", plan->name);
        if (plan->quorum == QUORUM_HELD && plan->quorum_seen == QUORUM_LOST)
            plan->regained_ms = node->now.mono_ms;
        plan->quorum_seen = plan->quorum;
        store_mark_member(&node->store, node->name);
    }
}
