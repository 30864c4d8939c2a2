/* Quorum, for supervisors whose strategy votes, as people and placement see it: which electorate is
 * in effect, and whether a majority of its voters is alive as seen from here. Children are claimed
 * only where that is so. Whether one may run is another question: leases fence (lease.h). */
#include <stdio.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"

static bool voters_are_alive(const struct node *node, const struct electorate *electorate,
                             bool hopeful)
{
    size_t first = placement_first_voter(electorate->count), alive = 0;
    for (size_t i = first; i < electorate->count; i++) {
        const struct elector *voter = &electorate->members[i];
        const struct member_entry *entry = store_member(&node->store, voter->node);
        if (!entry || entry->record->replica != voter->replica)
            continue;
        enum placement_phase phase = member_phase(node, voter->node);
        alive += placement_phase_votes(phase) || (hopeful && phase == PLACEMENT_UNINITIALIZED);
    }
    return electorate_is_majority(electorate, alive);
}

static bool record_is_alive(const struct node *node, const struct electorate_record *record,
                            bool hopeful)
{
    bool alive = voters_are_alive(node, &record->now, hopeful);
    for (size_t i = 0; i < record->old_count; i++)
        alive = alive && voters_are_alive(node, &record->olds[i], hopeful);
    return alive;
}

/* Of whom nothing was heard in this run yet may be alive. */
enum quorum quorum_of(const struct node *node, const struct supervisor *supervisor)
{
    const struct placement_strategy *strategy = placement_strategy_by_name(supervisor->strategy);
    if (!strategy)
        return QUORUM_UNKNOWN; /* of a later version */
    if (!strategy->votes)
        return QUORUM_HELD;
    const struct electorate_entry *entry = store_electorate(&node->store, supervisor->name);
    if (!entry)
        return QUORUM_NO_ELECTORATE;
    if (entry->conflict)
        return QUORUM_CONFLICT;
    return record_is_alive(node, &entry->record, false)  ? QUORUM_HELD
           : record_is_alive(node, &entry->record, true) ? QUORUM_UNKNOWN
                                                         : QUORUM_LOST;
}

/* Those that spec.members name and that are not there to accept: "n3, n4". */
static void list_missing(const struct node *node, const struct supervisor *supervisor,
                         char ret_list[MESSAGE_BYTES_MAX + 1])
{
    ret_list[0] = '\0';
    for (size_t i = 0; i < supervisor->member_count; i++) {
        const char *name = supervisor->members[i];
        size_t bytes = strlen(ret_list);
        if (store_member(&node->store, name) && member_phase_is_reachable(member_phase(node, name)))
            continue;
        if (bytes + strlen(name) + 80 < MESSAGE_BYTES_MAX)
            snprintf(ret_list + bytes, MESSAGE_BYTES_MAX + 1 - bytes, "%s%s", bytes ? ", " : "",
                     name);
    }
}

void quorum_message(const struct node *node, const struct supervisor *supervisor,
                    char ret_message[MESSAGE_BYTES_MAX + 1])
{
    const struct electorate_entry *entry = store_electorate(&node->store, supervisor->name);
    char missing[MESSAGE_BYTES_MAX + 1];
    ret_message[0] = '\0';
    if (entry && entry->conflict) {
        snprintf(ret_message, MESSAGE_BYTES_MAX + 1,
                 "two electorates were named on two sides of a cut; nothing runs until one is "
                 "named again: hordelet set-members %s a,b,c",
                 supervisor->name);
    } else if (!entry && (supervisor->members_auto || supervisor->member_count == 0)) {
        snprintf(ret_message, MESSAGE_BYTES_MAX + 1, "run: hordelet set-members %s a,b,c",
                 supervisor->name);
    } else if (!entry && supervisor->member_count > ELECTORATE_MAX) {
        snprintf(ret_message, MESSAGE_BYTES_MAX + 1, "at most %d members may vote, not %zu",
                 ELECTORATE_MAX, supervisor->member_count);
    } else if (!entry) {
        list_missing(node, supervisor, missing);
        snprintf(ret_message, MESSAGE_BYTES_MAX + 1,
                 "every member must accept the first electorate%s%s",
                 missing[0] ? "; not there: " : "", missing);
    }
}

void quorum_explain(const struct supervisor_plan *plan, const struct child *child,
                    const char **ret_reason, const char **ret_message)
{
    if (plan->quorum == QUORUM_NO_ELECTORATE || plan->quorum == QUORUM_CONFLICT) {
        *ret_reason = plan->quorum == QUORUM_CONFLICT ? "ElectorateConflict" : "NoElectorate";
        *ret_message = plan->quorum_message;
    } else if (child->epoch_max > 0) {
        *ret_reason = "quorum_lost";
        *ret_message = "fewer than half of the supervisor's voters are alive as seen from here";
    } else {
        *ret_reason = "NoQuorum";
        *ret_message = "it is started once more than half of the supervisor's voters are alive";
    }
}

static void quorum_note(struct node *node, struct supervisor_plan *plan)
{
    static const char *const reasons[] = {[QUORUM_HELD] = "QuorumRegained",
                                          [QUORUM_LOST] = "QuorumLost",
                                          [QUORUM_NO_ELECTORATE] = "NoElectorate",
                                          [QUORUM_CONFLICT] = "ElectorateConflict"};
    bool held = plan->quorum == QUORUM_HELD;
    effects_trace(node->effects, "%s the quorum of supervisor %s", held ? "has" : "has not",
                  plan->name);
    if (reasons[plan->quorum] && (!held || plan->quorum_seen == QUORUM_LOST))
        note_member(node, node->name, !held, reasons[plan->quorum], "supervisor %s%s%s", plan->name,
                    plan->quorum_message[0] ? ": " : "", plan->quorum_message);
    if (held && plan->quorum_seen == QUORUM_LOST)
        plan->regained_ms = node->now.mono_ms;
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
        quorum_note(node, plan);
        plan->quorum_seen = plan->quorum;
        store_mark_all(&node->store);
    }
}
