/* Load: what the children on each member ask for, of what it has, for strategies that weigh that.
 * Known to all alike: members tell in their records what they have, documents what children ask
 * for, claims who runs them.
 *
 * Many children may be free at once, and the first of them changes where the next belongs. So they
 * are given to members in one order (priority, then id), each counted where it is meant to go
 * before the next one is looked at: all nodes with the same view do the same, and each claims its
 * own at once. Done anew once per turn in which anybody asks; O(children). */
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"

static void load_shift(struct supervisor_plan *plan, size_t at, const struct child *child, int sign)
{
    const struct workload *workload = &child->group->workload;
    struct placement_member *member = &plan->members[at];
    if (sign > 0) {
        member->cpu_milli_asked += workload->cpu_milli;
        member->memory_bytes_asked += workload->memory_bytes;
        member->children++;
    } else {
        member->cpu_milli_asked -= workload->cpu_milli;
        member->memory_bytes_asked -= workload->memory_bytes;
        member->children--;
    }
}

void load_put(struct supervisor_plan *plan, size_t at, const struct child *child)
{
    load_shift(plan, at, child, 1);
}

void load_take(struct supervisor_plan *plan, size_t at, const struct child *child)
{
    load_shift(plan, at, child, -1);
}

bool load_fits(const struct supervisor_plan *plan, size_t at, const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    const struct placement_member *member = &plan->members[at];
    return !plan->strategy || !plan->strategy->weighs ||
           ((member->cpu_milli == 0 ||
             member->cpu_milli_asked + workload->cpu_milli <= member->cpu_milli) &&
            (member->memory_bytes == 0 ||
             member->memory_bytes_asked + workload->memory_bytes <= member->memory_bytes));
}

/* Somebody who counts runs it, or is about to. */
static bool load_is_held(const struct node *node, const struct child *child)
{
    const struct claim *claim = child->claim;
    return claim && claim->state <= CLAIM_CLAIMED &&
           strcmp(claim->uid, child->group->workload.uid) == 0 && !claim_is_adoptable(node, claim);
}

static void load_place(struct node *node, struct supervisor_plan *plan, struct child *child)
{
    struct candidates candidates = {.holder = RANK_NONE, .epoch = child->epoch_max + 1};
    child->counted_at = 0;
    ranking_choose(node, plan, child, &candidates);
    if (candidates.count == 0)
        return;
    child->counted_at = candidates.ranks[0] + 1;
    load_put(plan, candidates.ranks[0], child);
}

/* True: it is free, and one of ours to place. */
static bool load_count(struct node *node, struct supervisor_plan *plan, struct child *child)
{
    bool wanted = child_is_wanted(child), held = wanted && load_is_held(node, child);
    bool own = strcmp(child->group->workload.supervisor, plan->name) == 0;
    uint32_t at = held ? ranking_find(plan, child->claim->node) : RANK_NONE;
    if (at != RANK_NONE)
        load_put(plan, at, child);
    if (own)
        child->counted_at = at == RANK_NONE ? 0 : at + 1;
    return own && wanted && !held && !child_is_over(child);
}

void load_refresh(struct node *node, struct supervisor_plan *plan)
{
    if (!plan->strategy || !plan->strategy->weighs || plan->load_turn == node->turn)
        return;
    plan->load_turn = node->turn;
    struct child **open = xcalloc(node->store.child_count + 1, sizeof(struct child *));
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        plan->members[i].cpu_milli_asked = plan->members[i].memory_bytes_asked =
            plan->members[i].children = 0;
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; g->has_workload && i < g->child_count; i++) {
            struct child *child = g->children[i];
            if (load_count(node, plan, child))
                open[count++] = child;
        }
    room_order(open, count);
    for (size_t i = 0; i < count; i++)
        load_place(node, plan, open[i]);
    free(open);
}
