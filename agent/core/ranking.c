/* Who may run a child, in which order: the supervisor's strategy applied to the members as this
 * node sees them.
 *
 * A plan per supervisor holds its members and their ring, rebuilt only when membership's generation
 * has moved on. What differs from child to child (node selector, declined) is judged at each
 * question, and only if anybody asks for it. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"
#include "placement/hash.h"

/* A plan of all members, whatever the supervisors: its name is none that a supervisor can have. */
#define PLAN_OF_ALL ""

static void plan_release(struct supervisor_plan *plan)
{
    free(plan->members);
    free(plan->records);
    free(plan->names);
}

static void plan_free(void *value)
{
    struct supervisor_plan *plan = value;
    plan_release(plan);
    ring_release(&plan->ring);
    free(plan);
}

void ranking_release(struct node *node)
{
    index_release(&node->ranking.plans, plan_free);
}

void ranking_supervisor_changed(struct node *node, const char *name)
{
    struct supervisor_plan *plan = index_remove(&node->ranking.plans, span_text(name));
    if (plan)
        plan_free(plan);
}

bool ranking_supervisor(const struct node *node, const char *name, struct supervisor *ret_borrowed)
{
    const struct supervisor_entry *entry = store_supervisor(&node->store, name);
    if (entry) {
        *ret_borrowed = entry->supervisor;
        return true;
    }
    if (strcmp(name, SUPERVISOR_DEFAULT) != 0 && strcmp(name, SUPERVISOR_QUORUM) != 0 &&
        strcmp(name, PLAN_OF_ALL) != 0)
        return false;
    memset(ret_borrowed, 0, sizeof *ret_borrowed);
    supervisor_set_defaults(ret_borrowed,
                            name); /* allocates nothing: members are auto, no document */
    return true;
}

static void plan_add(struct node *node, struct supervisor_plan *plan, const char *name)
{
    size_t at = plan->count++;
    const struct member_entry *entry = store_member(&node->store, name);
    const struct member_record *record = entry ? entry->record : NULL;
    TEXT_SET(plan->names[at], name);
    plan->records[at] = record;
    plan->members[at] = (struct placement_member){
        .name = plan->names[at],
        .phase = record ? member_phase(node, name) : PLACEMENT_UNINITIALIZED,
        .weight = record ? record->weight : 0,
        .zone = record ? record->zone : "",
        .capacity = record ? record->capacity : 0,
        .eligible =
            record && record->wish == WISH_IN && !record->unschedulable && record->runtime_healthy,
    };
    if (strcmp(name, node->name) == 0)
        plan->self = (uint32_t)at;
    if (plan->members[at].eligible && placement_phase_may_run(plan->members[at].phase))
        plan->eligible++;
    if (record && record->declined_count > 0)
        plan->selective = true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Phases come and go; the ring is built anew only when names or weights have changed. */
static void plan_build_ring(struct supervisor_plan *plan)
{
    uint64_t hash = placement_hash_pair(plan->count, 0);
    for (size_t i = 0; i < plan->count; i++) {
        const char *name = plan->members[i].name;
        hash =
            placement_hash_pair(hash ^ placement_hash(name, strlen(name)), plan->members[i].weight);
    }
    if (hash == plan->ring_hash && plan->ring.member_count == plan->count)
        return;
    plan->ring_hash = hash;
    placement_ring_build(&plan->ring, plan->members, plan->count);
}

static void plan_build(struct node *node, struct supervisor_plan *plan,
                       const struct supervisor *supervisor)
{
    plan_release(plan);
    size_t most = supervisor->members_auto ? node->store.members.count : supervisor->member_count;
    plan->members = xcalloc(most + 1, sizeof *plan->members);
    plan->records = xcalloc(most + 1, sizeof *plan->records);
    plan->names = xcalloc(most + 1, sizeof *plan->names);
    plan->count = plan->eligible = 0;
    plan->count_turn = 0;
    plan->selective = false;
    plan->self = RANK_NONE;
    plan->strategy = placement_strategy_by_name(supervisor->strategy);
    if (supervisor->members_auto) {
        for (struct member_entry *m = store_member_after(&node->store, ""); m;
             m = store_member_after(&node->store, m->name))
            if (m->record->wish != WISH_LEFT)
                plan_add(node, plan, m->name);
    } else if (supervisor->member_count > 0) {
        char(*sorted)[NAME_BYTES_MAX + 1] =
            xmemdup(supervisor->members, supervisor->member_count * sizeof *sorted);
        qsort(sorted, supervisor->member_count, sizeof *sorted, compare_names);
        for (size_t i = 0; i < supervisor->member_count; i++)
            plan_add(node, plan, sorted[i]);
        free(sorted);
    }
    plan_build_ring(plan);
    plan->generation = node->membership.generation;
}

struct supervisor_plan *ranking_plan(struct node *node, const char *name)
{
    struct supervisor_plan *plan = index_find(&node->ranking.plans, span_text(name));
    if (plan && plan->generation == node->membership.generation)
        return plan;
    struct supervisor supervisor;
    if (!ranking_supervisor(node, name, &supervisor))
        return NULL;
    if (!plan) {
        plan = xcalloc(1, sizeof *plan);
        TEXT_SET(plan->name, name);
        index_insert(&node->ranking.plans, span_text(name), plan);
    }
    plan_build(node, plan, &supervisor);
    return plan;
}

static bool labels_match(const struct member_record *record, const struct workload *workload)
{
    for (size_t i = 0; i < workload->node_selector_count; i++) {
        bool found = false;
        for (size_t j = 0; j < record->label_count && !found; j++)
            found = strcmp(workload->node_selector[i].key, record->labels[j].key) == 0 &&
                    strcmp(workload->node_selector[i].value, record->labels[j].value) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* The candidates for a child, in order of rank. */
static size_t ranking_choose(struct node *node, const struct supervisor_plan *plan,
                             const struct child *child, uint32_t ranks[RANKS_MAX])
{
    const struct workload *workload = &child->group->workload;
    struct placement_view view = {
        .members = plan->members, .count = plan->count, .ring = &plan->ring};
    struct placement_child placed = {.id_hash = child->hash, .epoch = child->epoch_max + 1};
    struct placement_member *judged = NULL;
    if (plan->selective || workload->node_selector_count > 0) {
        judged = xmemdup(plan->members, plan->count * sizeof *judged);
        for (size_t i = 0; i < plan->count; i++)
            judged[i].eligible = judged[i].eligible && labels_match(plan->records[i], workload) &&
                                 !membership_declined(node, plan->records[i], &child->id);
        view.members = judged;
    }
    /* No more than there are: the walk ends with the last of them, not with the ring. */
    size_t most = plan->eligible < RANKS_MAX ? plan->eligible : RANKS_MAX;
    size_t count = plan->strategy->choose(&view, &placed, ranks, most);
    free(judged);
    return count;
}

/* Claims of ours under this supervisor: counted once per tick, and kept up during it. */
static uint32_t plan_own_claims(struct node *node, struct supervisor_plan *plan)
{
    if (plan->count_turn == node->turn)
        return plan->own_claims;
    plan->count_turn = node->turn;
    plan->own_claims = 0;
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count && strcmp(g->workload.supervisor, plan->name) == 0;
             i++)
            plan->own_claims += g->children[i]->has_claim &&
                                claim_is_ours(node, &g->children[i]->claim) &&
                                g->children[i]->claim.state <= CLAIM_CLAIMED;
    return plan->own_claims;
}

void ranking_note_claim(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan =
        index_find(&node->ranking.plans, span_text(child->group->workload.supervisor));
    if (plan && plan->count_turn == node->turn)
        plan->own_claims++;
}

uint32_t ranking_of_self(struct node *node, const struct child *child, const char **ret_reason,
                         const char **ret_message)
{
    struct supervisor supervisor;
    const char *name = child->group->workload.supervisor;
    struct supervisor_plan *plan = ranking_plan(node, name);
    *ret_reason = *ret_message = "";
    if (!plan || !ranking_supervisor(node, name, &supervisor)) {
        *ret_reason = "SupervisorNotFound";
        *ret_message = "no such supervisor; it will be placed when the supervisor is created";
        return RANK_NONE;
    }
    if (!plan->strategy) {
        *ret_reason = "StrategyNotSupported";
        *ret_message =
            "the supervisor's distributionStrategy is not supported in this release; use Uniform";
        return RANK_NONE;
    }
    uint32_t ranks[RANKS_MAX];
    size_t count = ranking_choose(node, plan, child, ranks);
    if (count == 0) {
        *ret_reason = "NoEligibleNode";
        *ret_message =
            "no alive member may take it: engines, labels, cordons and declines were considered";
        return RANK_NONE;
    }
    for (size_t i = 0; i < count; i++) {
        if (ranks[i] != plan->self)
            continue;
        if (supervisor.max_children == 0)
            return (uint32_t)i;
        if (plan_own_claims(node, plan) < supervisor.max_children) {
            plan->own_claims += i == 0; /* whose turn it is claims at once */
            return (uint32_t)i;
        }
        *ret_reason = "NoRoom";
        *ret_message = "the supervisor's maxChildren is reached";
    }
    return RANK_NONE;
}

bool ranking_has_other(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (!plan || !plan->strategy)
        return false;
    uint32_t ranks[RANKS_MAX];
    size_t count = ranking_choose(node, plan, child, ranks);
    for (size_t i = 0; i < count; i++)
        if (ranks[i] != plan->self)
            return true;
    return false;
}

bool ranking_excludes_self(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan && plan->self == RANK_NONE && store_member(&node->store, node->name);
}

bool ranking_cleans_up(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan = ranking_plan(node, PLAN_OF_ALL);
    struct placement_view view = {
        .members = plan->members, .count = plan->count, .ring = &plan->ring};
    return plan->self != RANK_NONE && placement_owner(&view, child->hash) == plan->self;
}
