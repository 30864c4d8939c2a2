/* Who may run a child, in which order: the supervisor's strategy applied to the members as this
 * node sees them.
 *
 * A plan per supervisor holds its members and their ring. It is built anew when members come, go or
 * change their weight or zone; of another change, of which a large cluster sees thousands in a
 * second, only that member's place in it is written anew. What differs from child to child (node
 * selector, declined, room) is judged at each question, and only if anybody asks for it. */
#include "agent/core/ranking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "placement/hash.h"

/* A plan of all members, whatever the supervisors: its name is none that a supervisor can have. */
#define PLAN_OF_ALL "*"

static void plan_release(struct supervisor_plan *plan)
{
    free(plan->members);
    free(plan->judged);
    free(plan->records);
    plan->judged = NULL;
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
    if (!plan)
        return;
    store_pending_changed(&node->store, plan->quorum_message, true);
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

static const char *zone_of(const struct member_record *record)
{
    for (size_t i = 0; i < record->label_count && !record->zone[0]; i++)
        if (strcmp(record->labels[i].key, "topology.kubernetes.io/zone") == 0)
            return record->labels[i].value;
    return record->zone;
}

/* Sorted; to have none is a zone, too. */
static void plan_add_zone(struct supervisor_plan *plan, const char *zone)
{
    size_t at = 0;
    while (at < plan->zone_count && strcmp(plan->zones[at], zone) < 0)
        at++;
    if (plan->zone_count == ZONES_MAX ||
        (at < plan->zone_count && strcmp(plan->zones[at], zone) == 0))
        return;
    memmove(plan->zones[at + 1], plan->zones[at], (plan->zone_count - at) * sizeof *plan->zones);
    text_set(plan->zones[at], sizeof *plan->zones, zone);
    plan->zone_count++;
}

/* Of a member the name is in its record's entry, of others in the supervisor's document. */
static void plan_set(const struct node *node, struct supervisor_plan *plan, size_t at,
                     const char *name)
{
    const struct member_entry *entry = store_member(&node->store, name);
    const struct member_record *record = entry ? entry->record : NULL;
    plan->records[at] = record;
    plan->members[at] = (struct placement_member){
        .name = entry ? entry->name : name,
        .phase = record ? member_phase(node, name) : PLACEMENT_UNINITIALIZED,
        .weight = record ? record->weight : 0,
        .zone = record ? zone_of(record) : "",
        .cpu_milli = record ? record->cpu_milli : 0,
        .memory_bytes = record ? record->memory_bytes : 0,
        .eligible = record && record->wish == WISH_IN && !member_cordon(entry)->unschedulable &&
                    record->runtime_healthy,
    };
}

/* What the plan knows of its members in sum: with that one, or without it. */
static void plan_count(struct supervisor_plan *plan, size_t at, bool with)
{
    const struct placement_member *member = &plan->members[at];
    const struct member_record *record = plan->records[at];
    size_t one = with ? 1 : (size_t)-1;
    if (record && record->declined_count + record->full_count > 0)
        plan->selective += one;
    if (!member->eligible || !placement_phase_may_run(member->phase))
        return;
    plan->eligible += one;
    plan->able_sum += placement_hash_pair(at, 1) * one;
}

static void plan_add(struct node *node, struct supervisor_plan *plan, const char *name)
{
    size_t at = plan->count++;
    plan_set(node, plan, at, name);
    plan_count(plan, at, true);
    if (strcmp(name, node->name) == 0)
        plan->self = (uint32_t)at;
    if (plan->records[at])
        plan_add_zone(plan, plan->members[at].zone);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
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

/* Redistribution waits until those who may run anything have been the same for a while. What they
 * refuse does not count: it changes with each child that moves. */
static void plan_note_change(const struct node *node, struct supervisor_plan *plan)
{
    uint64_t hash =
        placement_hash_pair(placement_hash_pair(plan->count, plan->ring_hash), plan->able_sum);
    if (hash == plan->able_hash)
        return;
    plan->able_hash = hash;
    plan->changed_ms = node->now.mono_ms;
}

static void plan_explain(struct node *node, struct supervisor_plan *plan,
                         const struct supervisor *supervisor)
{
    char message[MESSAGE_BYTES_MAX + 1] = "";
    if (plan->strategy && plan->strategy->votes)
        quorum_message(node, supervisor, message);
    if (strcmp(message, plan->quorum_message) == 0)
        return;
    TEXT_SET(plan->quorum_message, message);
    store_pending_changed(&node->store, plan->quorum_message, false);
}

/* As of now, whoever has changed. */
static void plan_settle(struct node *node, struct supervisor_plan *plan,
                        const struct supervisor *supervisor)
{
    plan->count_turn = plan->others_turn = plan->load_turn = 0;
    plan->quorum = quorum_of(node, supervisor);
    plan_explain(node, plan, supervisor);
    plan_note_change(node, plan);
    plan->generation = node->membership.generation;
}

static void plan_build(struct node *node, struct supervisor_plan *plan,
                       const struct supervisor *supervisor)
{
    plan_release(plan);
    size_t most =
        supervisor->members_auto ? index_count(&node->store.members) : supervisor->member_count;
    plan->members = xcalloc(most + 1, sizeof *plan->members);
    plan->records = xcalloc(most + 1, sizeof *plan->records);
    plan->count = plan->eligible = plan->zone_count = plan->selective = 0;
    plan->able_sum = 0;
    plan->outdated = false;
    plan->members_auto = supervisor->members_auto;
    plan->max_children = supervisor->max_children;
    plan->self = RANK_NONE;
    plan->strategy = placement_strategy_by_name(supervisor->strategy);
    if (supervisor->members_auto) {
        for (struct member_entry *m = store_member_after(&node->store, ""); m;
             m = store_member_after(&node->store, m->name))
            if (m->record->wish != WISH_LEFT)
                plan_add(node, plan, m->name);
    } else if (supervisor->member_count > 0) {
        const char **sorted = xcalloc(supervisor->member_count, sizeof *sorted);
        for (size_t i = 0; i < supervisor->member_count; i++)
            sorted[i] = supervisor->members[i];
        qsort(sorted, supervisor->member_count, sizeof *sorted, compare_names);
        for (size_t i = 0; i < supervisor->member_count; i++)
            plan_add(node, plan, sorted[i]);
        free(sorted);
    }
    plan_build_ring(plan);
    plan_settle(node, plan, supervisor);
}

/* False: that takes a new plan. */
static bool plan_update(struct node *node, struct supervisor_plan *plan, const char *name)
{
    const struct member_entry *entry = store_member(&node->store, name);
    uint32_t at = ranking_find(plan, name);
    bool belongs = entry && entry->record->wish != WISH_LEFT;
    if (at == RANK_NONE)
        return !plan->members_auto || !belongs;
    if (!plan->records[at] || !belongs)
        return false;
    const struct placement_member before = plan->members[at];
    plan->load_turn = 0;
    plan_count(plan, at, false);
    plan_set(node, plan, at, name);
    plan_count(plan, at, true);
    return before.weight == plan->members[at].weight &&
           strcmp(before.zone, plan->members[at].zone) == 0;
}

void ranking_member_changed(struct node *node, const char *name)
{
    struct index *plans = &node->ranking.plans;
    for (struct supervisor_plan *plan = index_after(plans, span_text("")); plan;
         plan = index_after(plans, span_text(plan->name)))
        plan->outdated = plan->outdated || !plan_update(node, plan, name);
}

void ranking_members_changed(struct node *node)
{
    struct index *plans = &node->ranking.plans;
    for (struct supervisor_plan *plan = index_after(plans, span_text("")); plan;
         plan = index_after(plans, span_text(plan->name)))
        plan->outdated = true;
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
        plan->outdated = true;
        index_insert(&node->ranking.plans, span_text(name), plan);
    }
    if (plan->outdated)
        plan_build(node, plan, &supervisor);
    else
        plan_settle(node, plan, &supervisor);
    return plan;
}

/* What was updated is what would be built now. Of a phase that nobody has been told of yet, or
 * whose time may just be over, nothing is said. */
static void plan_check(const struct node *node, const struct supervisor_plan *plan)
{
    struct supervisor_plan fresh = {.members = xcalloc(plan->count + 1, sizeof *fresh.members),
                                    .records = xcalloc(plan->count + 1, sizeof *fresh.records)};
    for (size_t i = 0; i < plan->count; i++) {
        const struct placement_member *known = &plan->members[i];
        struct placement_member *now = &fresh.members[i];
        plan_set(node, &fresh, i, known->name);
        assert(fresh.records[i] == plan->records[i]);
        assert(now->weight == known->weight && now->eligible == known->eligible);
        assert(strcmp(now->zone, known->zone) == 0);
        assert(now->phase == known->phase || swim_has_changes(node->swim) ||
               known->phase == PLACEMENT_ABSENT);
        now->phase = known->phase;
        plan_count(&fresh, i, true);
    }
    assert(fresh.eligible == plan->eligible && fresh.selective == plan->selective &&
           fresh.able_sum == plan->able_sum);
    plan_release(&fresh);
}

void ranking_check(const struct node *node)
{
    const struct index *plans = &node->ranking.plans;
    for (const struct supervisor_plan *plan = index_after(plans, span_text("")); plan;
         plan = index_after(plans, span_text(plan->name)))
        if (!plan->outdated)
            plan_check(node, plan);
}

bool ranking_labels_match(const struct member_record *record, const struct workload *workload)
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

/* What it refuses, and a cordon, are about children that it does not have. */
bool ranking_may_keep(const struct supervisor_plan *plan, size_t at, const struct child *child)
{
    const struct member_record *record = plan->records[at];
    return record && record->wish == WISH_IN && record->runtime_healthy &&
           placement_phase_may_run(plan->members[at].phase) &&
           ranking_labels_match(record, &child->group->workload);
}

/* As far as anybody can tell; it may have declined. */
static bool member_could_run(const struct supervisor_plan *plan, size_t at,
                             const struct child *child)
{
    const struct placement_member *member = &plan->members[at];
    return member->eligible && placement_phase_may_run(member->phase) &&
           ranking_labels_match(plan->records[at], &child->group->workload);
}

static bool member_may_run(const struct node *node, const struct supervisor_plan *plan, size_t at,
                           const struct child *child)
{
    return member_could_run(plan, at, child) &&
           !membership_declined(node, plan->records[at], child);
}

/* Of ourselves we know better than our record. */
bool ranking_has_room(struct node *node, struct supervisor_plan *plan, size_t at,
                      const struct child *child)
{
    return at == plan->self ? room_here(node, plan)
                            : !room_is_refused(node, plan->records[at], plan->name,
                                               child->group->workload.priority);
}

/* Children of one workload go round the zones by ordinal: who lives in the zone whose turn it is
 * comes first, then the others, each in the strategy's order. All zones count, whoever is alive in
 * them: what was lost with one spreads over the rest, and the turns of the others stay. */
static void candidates_by_zone(const struct supervisor_plan *plan, const struct child *child,
                               struct candidates *candidates)
{
    const struct workload *workload = &child->group->workload;
    if (plan->zone_count < 2 || workload->replicas < 2)
        return;
    uint64_t turn = placement_hash_pair(placement_hash(workload->ns, strlen(workload->ns)),
                                        placement_hash(workload->name, strlen(workload->name)));
    const char *zone = plan->zones[(turn % plan->zone_count + child->ordinal) % plan->zone_count];
    uint32_t sorted[RANKS_MAX];
    size_t count = 0;
    for (int elsewhere = 0; elsewhere <= 1; elsewhere++)
        for (size_t i = 0; i < candidates->count; i++)
            if ((strcmp(plan->members[candidates->ranks[i]].zone, zone) != 0) == elsewhere)
                sorted[count++] = candidates->ranks[i];
    memcpy(candidates->ranks, sorted, count * sizeof *sorted);
}

static void ranking_judge(struct node *node, struct supervisor_plan *plan,
                          const struct child *child, struct candidates *candidates)
{
    if (!plan->judged)
        plan->judged = xmemdup(plan->members, (plan->count + 1) * sizeof *plan->members);
    for (size_t i = 0; i < plan->count; i++) {
        plan->judged[i] = plan->members[i];
        if (i == candidates->holder) {
            plan->judged[i].eligible = ranking_may_keep(plan, i, child);
            continue;
        }
        bool able = member_may_run(node, plan, i, child);
        bool roomy = able && ranking_has_room(node, plan, i, child);
        plan->judged[i].eligible = roomy && load_fits(plan, i, child);
        candidates->no_room |= able && !plan->judged[i].eligible;
        candidates->full_here |= able && !roomy && (uint32_t)i == plan->self;
    }
}

/* A free child was counted where it is meant to go: that member comes first. */
static void candidates_by_load(const struct child *child, struct candidates *candidates)
{
    size_t at = 0;
    while (at < candidates->count && candidates->ranks[at] + 1 != child->counted_at)
        at++;
    if (at == candidates->count || candidates->holder != RANK_NONE)
        return;
    memmove(candidates->ranks + 1, candidates->ranks, at * sizeof *candidates->ranks);
    candidates->ranks[0] = child->counted_at - 1;
}

static void ranking_choose_among(struct node *node, struct supervisor_plan *plan,
                                 const struct child *child, struct candidates *candidates)
{
    const struct workload *workload = &child->group->workload;
    struct placement_view view = {
        .members = plan->members, .count = plan->count, .ring = &plan->ring};
    struct placement_child placed = {.id_hash = child->hash,
                                     .epoch = candidates->epoch,
                                     .cpu_milli = workload->cpu_milli,
                                     .memory_bytes = workload->memory_bytes,
                                     .holder = candidates->holder};
    bool held = candidates->holder != RANK_NONE;
    if (plan->selective > 0 || plan->max_children > 0 || workload->node_selector_count > 0 ||
        plan->strategy->weighs || (held && !plan->members[candidates->holder].eligible)) {
        ranking_judge(node, plan, child, candidates);
        view.members = plan->judged;
    }
    /* No more than there are: the walk ends with the last of them, not with the ring. */
    size_t most = plan->eligible + held;
    candidates->count = plan->strategy->choose(&view, &placed, candidates->ranks,
                                               most < RANKS_MAX ? most : RANKS_MAX);
    candidates_by_zone(plan, child, candidates);
}

void ranking_choose(struct node *node, struct supervisor_plan *plan, const struct child *child,
                    struct candidates *candidates)
{
    candidates->no_room = candidates->full_here = false;
    load_refresh(node, plan);
    bool counted = plan->strategy->weighs && child->counted_at > 0;
    if (counted)
        load_take(plan, child->counted_at - 1, child);
    ranking_choose_among(node, plan, child, candidates);
    if (!counted)
        return;
    load_put(plan, child->counted_at - 1, child);
    candidates_by_load(child, candidates);
}

static struct candidates ranking_free(struct node *node, struct supervisor_plan *plan,
                                      const struct child *child)
{
    struct candidates candidates = {.holder = RANK_NONE, .epoch = child->epoch_max + 1};
    ranking_choose(node, plan, child, &candidates);
    return candidates;
}

/* Somebody's policy is why it is nowhere. */
static bool ranking_is_not_allowed(const struct node *node, const struct supervisor_plan *plan,
                                   const struct child *child)
{
    for (size_t i = 0; i < plan->count; i++) {
        const char *reason = member_could_run(plan, i, child)
                                 ? membership_decline_reason(node, plan->records[i], child)
                                 : NULL;
        if (reason && strcmp(reason, DECLINED_NOT_ALLOWED) == 0)
            return true;
    }
    return false;
}

static void reason_nobody(const struct node *node, const struct supervisor_plan *plan,
                          const struct child *child, const struct candidates *candidates,
                          const char **ret_reason, const char **ret_message)
{
    if (candidates->no_room) {
        *ret_reason = "NoRoom";
        *ret_message =
            "every member that could run it holds as many children as it may, or has "
            "not the cpu and memory left that it asks for";
    } else if (ranking_is_not_allowed(node, plan, child)) {
        *ret_reason = DECLINED_NOT_ALLOWED;
        *ret_message =
            "no member that could run it allows what it asks for (--allow-host-path and "
            "its like); hordelet ring says who declined it";
    } else {
        *ret_reason = "NoEligibleNode";
        *ret_message =
            "no alive member may take it: engines, labels, cordons and declines were considered";
    }
}

uint32_t ranking_of_self(struct node *node, const struct child *child, const char **ret_reason,
                         const char **ret_message)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    *ret_reason = *ret_message = "";
    if (!plan) {
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
    if (plan->quorum != QUORUM_HELD) {
        quorum_explain(plan, child, ret_reason, ret_message);
        return RANK_NONE;
    }
    struct candidates candidates = ranking_free(node, plan, child);
    if (candidates.full_here)
        room_tell_full(node, plan);
    if (candidates.count == 0)
        reason_nobody(node, plan, child, &candidates, ret_reason, ret_message);
    for (size_t i = 0; i < candidates.count; i++)
        if (candidates.ranks[i] == plan->self)
            return (uint32_t)i;
    return RANK_NONE;
}

uint64_t ranking_turn_ms(struct node *node, const struct child *child, uint32_t rank)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    uint64_t turn_ms = child->free_since_ms + (uint64_t)rank * PLACEMENT_RANK_DELAY_MS;
    if (plan && plan->regained_ms && turn_ms < plan->regained_ms + QUORUM_REGAINED_MS)
        turn_ms = plan->regained_ms + QUORUM_REGAINED_MS;
    return plan && plan->room_ms > turn_ms ? plan->room_ms : turn_ms;
}

bool ranking_weighs(struct node *node, const struct child *child)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan && plan->strategy && plan->strategy->weighs;
}

bool ranking_has_other(struct node *node, const struct child *child)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (!plan || !plan->strategy || plan->quorum != QUORUM_HELD)
        return false;
    struct candidates candidates = ranking_free(node, plan, child);
    for (size_t i = 0; i < candidates.count; i++)
        if (candidates.ranks[i] != plan->self)
            return true;
    return false;
}

uint32_t ranking_find(const struct supervisor_plan *plan, const char *name)
{
    size_t low = 0, high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(plan->members[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < plan->count && strcmp(plan->members[low].name, name) == 0 ? (uint32_t)low
                                                                           : RANK_NONE;
}

/* The first candidate that the strategy names for that epoch, or RANK_NONE. */
static uint32_t ranking_draw(struct node *node, struct supervisor_plan *plan,
                             const struct child *child, uint32_t holder, uint64_t epoch)
{
    struct candidates candidates = {.holder = holder, .epoch = epoch};
    ranking_choose(node, plan, child, &candidates);
    return candidates.count > 0 ? candidates.ranks[0] : RANK_NONE;
}

/* A strategy that draws anew for each epoch would never rest: whether a child is to move is told by
 * the draw that it was placed by, which all members see alike; what each remembers of later epochs
 * they do not. Who moves it takes the next epoch that draws somebody else. */
const char *ranking_preferred(struct node *node, const struct child *child, uint64_t *ret_epoch)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (!plan || !plan->strategy || plan->quorum != QUORUM_HELD)
        return NULL;
    uint32_t holder = ranking_find(plan, child->claim->node);
    if (holder == RANK_NONE)
        return NULL; /* off the list: it hands over by itself */
    uint32_t drawn = ranking_draw(node, plan, child, holder, child->claim->epoch);
    if (drawn == holder || drawn == RANK_NONE)
        return NULL;
    for (uint64_t epoch = child->epoch_max + 1; epoch <= child->epoch_max + DRAWS_MAX; epoch++) {
        drawn = ranking_draw(node, plan, child, holder, epoch);
        *ret_epoch = epoch;
        if (drawn != holder)
            return drawn == RANK_NONE ? NULL : plan->members[drawn].name;
    }
    return NULL;
}

bool ranking_would_take(struct node *node, const struct child *child, const char *name)
{
    struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (!plan || !plan->strategy || plan->quorum != QUORUM_HELD)
        return false;
    uint32_t at = ranking_find(plan, name);
    load_refresh(node, plan);
    if (at == RANK_NONE || !member_may_run(node, plan, at, child))
        return false;
    if (ranking_has_room(node, plan, at, child))
        return load_fits(plan, at, child);
    if (at == plan->self)
        room_tell_full(node, plan);
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
