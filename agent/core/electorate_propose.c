/* The questions of a step: who proposes what, and when enough have agreed (electorate_step.c). */
#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/electorate_private.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/requests.h"
#include "placement/strategy.h"

enum {
    LOOK_EVERY_MS = 250,
    PHASE_MS = 1000,    /* a phase without all the answers it needs is given up, or asked again */
    AGAIN_MS_MIN = 500, /* somebody tries again, so much later, ... */
    AGAIN_MS_SPREAD = 1500, /* ... and at random up to so much more */
};

/* --- What is wished for ---------------------------------------------------------------------- */

static int compare_electors(const void *a, const void *b)
{
    return strcmp(((const struct elector *)a)->node, ((const struct elector *)b)->node);
}

/* The members that the document names, as they are now. False: some have never joined, or they are
 * too many, or none. */
static bool wish_of(const struct node *node, const struct supervisor *supervisor,
                    struct electorate *ret_wish)
{
    memset(ret_wish, 0, sizeof *ret_wish);
    if (supervisor->members_auto || supervisor->member_count == 0 ||
        supervisor->member_count > ELECTORATE_MAX)
        return false;
    for (size_t i = 0; i < supervisor->member_count; i++) {
        const struct member_entry *entry = store_member(&node->store, supervisor->members[i]);
        if (!entry || electorate_find(ret_wish, supervisor->members[i], 0) != SIZE_MAX)
            return false;
        struct elector *member = &ret_wish->members[ret_wish->count++];
        TEXT_SET(member->node, supervisor->members[i]);
        member->replica = entry->record->replica;
    }
    qsort(ret_wish->members, ret_wish->count, sizeof *ret_wish->members, compare_electors);
    uint32_t seconds = supervisor->lease_seconds;
    ret_wish->lease_seconds = seconds < LEASE_SECONDS_MIN   ? LEASE_SECONDS_MIN
                              : seconds > LEASE_SECONDS_MAX ? LEASE_SECONDS_MAX
                                                            : seconds;
    return true;
}

/* --- Who is concerned ------------------------------------------------------------------------ */

static size_t concerned(const struct electorate_record *record,
                        struct elector ret_electors[CONCERNED_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i <= record->old_count; i++) {
        const struct electorate *at = i == 0 ? &record->now : &record->olds[i - 1];
        for (size_t j = 0; j < at->count; j++) {
            bool known = false;
            for (size_t k = 0; k < count && !known; k++)
                known = strcmp(ret_electors[k].node, at->members[j].node) == 0;
            if (!known)
                ret_electors[count++] = at->members[j];
        }
    }
    return count;
}

static bool elector_answers(const struct node *node, const struct elector *elector)
{
    if (strcmp(elector->node, node->name) == 0)
        return true;
    const struct member_entry *entry = store_member(&node->store, elector->node);
    return entry && member_phase_is_reachable(swim_phase(node->swim, elector->node));
}

/* Another replica under its name has lost what it had agreed to, and can decide nothing here. */
static bool elector_is_itself(const struct node *node, const struct elector *elector)
{
    if (strcmp(elector->node, node->name) == 0)
        return elector->replica == node->durable.replica;
    const struct member_entry *entry = store_member(&node->store, elector->node);
    return entry && entry->record->replica == elector->replica;
}

/* The first by name of those who are reachable. */
static bool is_ours_to_ask(const struct node *node, const struct electorate_record *record)
{
    struct elector electors[CONCERNED_MAX];
    size_t count = concerned(record, electors);
    qsort(electors, count, sizeof *electors, compare_electors);
    for (size_t i = 0; i < count; i++)
        if (elector_answers(node, &electors[i]) && elector_is_itself(node, &electors[i]))
            return strcmp(electors[i].node, node->name) == 0;
    return false;
}

/* --- Who has agreed -------------------------------------------------------------------------- */

static bool has_said_yes(const struct proposal *proposal, const struct elector *elector)
{
    for (size_t i = 0; i < proposal->yes_count; i++)
        if (proposal->yes[i].replica == elector->replica &&
            strcmp(proposal->yes[i].node, elector->node) == 0)
            return true;
    return false;
}

static size_t votes_for(const struct proposal *proposal, const struct electorate *electorate)
{
    size_t votes = 0;
    for (size_t i = placement_first_voter(electorate->count); i < electorate->count; i++)
        votes += has_said_yes(proposal, &electorate->members[i]);
    return votes;
}

static bool olds_agree(const struct proposal *proposal, const struct electorate_record *record)
{
    for (size_t i = 0; i < record->old_count; i++)
        if (!electorate_is_majority(&record->olds[i], votes_for(proposal, &record->olds[i])))
            return false;
    return true;
}

static bool is_old_member(const struct electorate_record *record, const struct elector *elector)
{
    for (size_t i = 0; i < record->old_count; i++)
        if (electorate_find(&record->olds[i], elector->node, elector->replica) != SIZE_MAX)
            return true;
    return false;
}

/* All who join; of a first electorate, that is all. */
static bool joiners_agree(const struct proposal *proposal, const struct electorate_record *record)
{
    for (size_t i = 0; i < record->now.count; i++)
        if (!is_old_member(record, &record->now.members[i]) &&
            !has_said_yes(proposal, &record->now.members[i]))
            return false;
    return true;
}

static bool have_promised(const struct proposal *proposal)
{
    const struct electorate_record *record = &proposal->record;
    return record->old_count > 0 ? olds_agree(proposal, record) : joiners_agree(proposal, record);
}

static bool have_accepted(const struct proposal *proposal)
{
    const struct electorate_record *record = &proposal->record;
    return olds_agree(proposal, record) && joiners_agree(proposal, record) &&
           electorate_is_majority(&record->now, votes_for(proposal, &record->now));
}

/* Could they agree, as far as we see who is there? */
static bool could_agree(const struct node *node, const struct electorate_record *record)
{
    struct proposal *all = xcalloc(1, sizeof *all);
    struct elector electors[CONCERNED_MAX];
    size_t count = concerned(record, electors);
    for (size_t i = 0; i < count; i++)
        if (elector_answers(node, &electors[i])) {
            const struct member_entry *entry = store_member(&node->store, electors[i].node);
            electors[i].replica = entry ? entry->record->replica : electors[i].replica;
            all->yes[all->yes_count++] = electors[i];
        }
    all->record = *record;
    bool could = have_accepted(all);
    free(all);
    return could;
}

/* --- Asking ---------------------------------------------------------------------------------- */

static void proposal_ask(struct node *node, struct ballot_box *box, enum step_kind kind)
{
    struct proposal *proposal = &box->proposal;
    struct elector electors[CONCERNED_MAX];
    size_t count = concerned(&proposal->record, electors);
    struct step_message *message = xcalloc(1, sizeof *message);
    message->kind = kind;
    TEXT_SET(message->supervisor, box->supervisor);
    message->era = proposal->record.term.era;
    message->version = proposal->record.term.version;
    message->ballot = proposal->ballot;
    message->has_record = kind == STEP_ACCEPT;
    message->record = proposal->record;
    for (size_t i = 0; i < count && proposal->phase != PHASE_NONE; i++)
        step_send(node, electors[i].node, message);
    free(message);
}

static void proposal_enter(struct node *node, struct ballot_box *box, enum phase phase,
                           uint64_t wait_ms)
{
    static const enum step_kind questions[] = {
        [PHASE_PREPARE] = STEP_PREPARE, [PHASE_ACCEPT] = STEP_ACCEPT, [PHASE_CLOSE] = STEP_CLOSE};
    struct proposal *proposal = &box->proposal;
    proposal->phase = phase;
    proposal->yes_count = 0;
    proposal->until_ms = node->now.mono_ms + wait_ms;
    if (phase != PHASE_NONE && phase != PHASE_STRIKE)
        proposal_ask(node, box, questions[phase]);
}

static void proposal_end(struct node *node, struct ballot_box *box)
{
    box->proposal.phase = PHASE_NONE;
    box->next_ms = node->now.mono_ms + AGAIN_MS_MIN + random_below(&node->random, AGAIN_MS_SPREAD);
}

static void proposal_begin(struct node *node, struct ballot_box *box,
                           const struct electorate_record *record)
{
    struct proposal *proposal = &box->proposal;
    memset(proposal, 0, sizeof *proposal);
    proposal->record = *record;
    bool same = box->era == record->term.era && box->version == record->term.version;
    proposal->ballot.counter = (same ? box->promised.counter : 0) + 1;
    proposal->ballot.replica = node->durable.replica;
    proposal_enter(node, box, PHASE_PREPARE, PHASE_MS);
}

/* --- Answers --------------------------------------------------------------------------------- */

/* It is on our disk, then (electorates_propose) in the map. */
static void proposal_decide(struct node *node, struct ballot_box *box,
                            const struct electorate_record *record)
{
    box->adopted = *record;
    box->has_adopted = true;
    box_write(node, box);
    effects_trace(node->effects, "electorate of %s: version %llu, %zu members, %s", box->supervisor,
                  (unsigned long long)record->term.version, record->now.count,
                  record->old_count ? "until then leases need the old majority, too" : "settled");
    note_member(node, node->name, false, "ElectorateChanged", "%s: version %llu, %zu members%s",
                box->supervisor, (unsigned long long)record->term.version, record->now.count,
                record->old_count ? "; the one before is still asked, too" : "");
    if (box->proposal.request)
        requests_reply(node, box->proposal.request, 200, "", "");
    proposal_end(node, box);
    box->next_ms = node->now.mono_ms;
}

static bool ballot_is_void(const struct proposal *proposal, const struct ballot *ballot)
{
    for (size_t i = 0; i < proposal->void_count; i++)
        if (ballot_compare(&proposal->voids[i], ballot) == 0)
            return true;
    return false;
}

static void proposal_promised(struct node *node, struct ballot_box *box,
                              const struct step_message *message)
{
    struct proposal *proposal = &box->proposal;
    if (message->has_record && message->is_void && proposal->void_count < CONCERNED_MAX)
        proposal->voids[proposal->void_count++] = message->accepted;
    if (message->has_record && ballot_compare(&message->accepted, &proposal->accepted) > 0 &&
        !ballot_is_void(proposal, &message->accepted)) {
        proposal->accepted = message->accepted;
        proposal->met = message->record;
    }
    if (!have_promised(proposal))
        return;
    if (proposal->accepted.counter > 0 && !ballot_is_void(proposal, &proposal->accepted))
        proposal->record = proposal->met;
    proposal_enter(node, box, PHASE_ACCEPT, PHASE_MS);
}

static void proposal_agreed(struct node *node, struct ballot_box *box,
                            const struct step_message *message)
{
    struct proposal *proposal = &box->proposal;
    if (proposal->phase == PHASE_PREPARE) {
        proposal_promised(node, box, message);
    } else if (proposal->phase == PHASE_ACCEPT && have_accepted(proposal)) {
        bool ours = ballot_compare(&box->promised, &proposal->ballot) == 0;
        if (ours)
            proposal_decide(node, box, &proposal->record);
        else
            proposal_end(node, box);
    } else if (proposal->phase == PHASE_CLOSE && olds_agree(proposal, &proposal->record)) {
        proposal_enter(node, box, PHASE_STRIKE,
                       lease_span_ms(electorate_lease_ms_max(&proposal->record)));
    }
}

void proposal_answer(struct node *node, struct ballot_box *box, const char *from,
                     const struct step_message *message)
{
    static const enum step_kind answers[] = {[PHASE_NONE] = STEP_KIND_COUNT,
                                             [PHASE_PREPARE] = STEP_PROMISE,
                                             [PHASE_ACCEPT] = STEP_ACCEPTED,
                                             [PHASE_CLOSE] = STEP_CLOSED,
                                             [PHASE_STRIKE] = STEP_KIND_COUNT};
    struct proposal *proposal = &box->proposal;
    const struct elector elector = {.replica = message->replica};
    struct elector known = elector;
    TEXT_SET(known.node, from);
    if (message->kind != answers[proposal->phase] || message->era != proposal->record.term.era ||
        message->version != proposal->record.term.version ||
        ballot_compare(&message->ballot, &proposal->ballot) != 0 || has_said_yes(proposal, &known))
        return;
    if (!message->yes) {
        if (message->promised.counter > box->promised.counter && box->era == message->era &&
            box->version == message->version)
            box->promised.counter = message->promised.counter; /* ours will be greater */
        proposal_end(node, box);
        return;
    }
    if (proposal->yes_count == CONCERNED_MAX)
        return;
    proposal->yes[proposal->yes_count++] = known;
    proposal_agreed(node, box, message);
}

/* --- Time ------------------------------------------------------------------------------------ */

/* What ends a conflict, or brings back who has adopted another history than the map tells, begins
 * the next era: all whose leases may run have a say. False: they are too many. */
static bool next_era(struct node *node, const struct electorate_record *before,
                     const struct electorate_entry *entry, struct electorate_record *record)
{
    const struct electorate_record *others = &entry->others;
    record->term = (struct term){before->term.era + 1, 1, random_next(&node->random) | 1};
    bool room = electorate_record_follow(record, before) &&
                electorate_record_follow(record, &entry->record) && !entry->crowded;
    for (size_t i = 0; i < others->old_count; i++)
        room = electorate_record_add_old(record, &others->olds[i]) && room;
    return room;
}

static void propose_next(struct node *node, struct ballot_box *box,
                         const struct supervisor *supervisor, const struct electorate_entry *entry)
{
    struct electorate_record record = {.generation = supervisor->generation};
    bool conflict, room = true;
    const struct electorate_record *before = entry ? &entry->record : NULL;
    if (box->has_adopted &&
        (!before || electorate_record_compare(&box->adopted, before, &conflict) > 0))
        before = &box->adopted;
    bool beside = box_is_beside(box, entry);
    if (!wish_of(node, supervisor, &record.now))
        return;
    if (beside) {
        room = next_era(node, &box->adopted, entry, &record);
    } else if (!before) {
        record.term = (struct term){0, 1, random_next(&node->random) | 1};
    } else if (entry && entry->conflict) {
        if (supervisor->generation <= entry->generation)
            return; /* until somebody says what it should be */
        if (before->term.era > entry->record.term.era)
            return; /* it is decided, and on its way to the map */
        room = next_era(node, before, entry, &record);
    } else {
        /* Joint, and not in the map yet: leases of those before it may still run. */
        if (before->old_count > 0 || electorate_equal(&record.now, &before->now))
            return;
        record.term = before->term;
        record.term.version++;
        room = electorate_record_follow(&record, before);
    }
    if (room && (beside || is_ours_to_ask(node, &record)) && could_agree(node, &record))
        proposal_begin(node, box, &record);
}

/* What we have decided, or were to strike, and the map does not know. Another history is never
 * written over: those who have adopted it would vote on. */
static void propose_tell(struct node *node, struct ballot_box *box,
                         const struct electorate_entry *entry)
{
    bool conflict = false;
    if (!box->has_adopted || !box_is_durable(node, box) || !durable_may_write(node) ||
        box_is_beside(box, entry) ||
        (entry && (entry->conflict
                       ? box->adopted.term.era <= entry->record.term.era
                       : electorate_record_compare(&box->adopted, &entry->record, &conflict) <= 0)))
        return;
    struct buffer value = {0};
    struct key key = key_electorate(box->supervisor);
    electorate_record_encode(&box->adopted, &value);
    node_put(node, &key, &value);
    buffer_release(&value);
}

static void propose_strike(struct node *node, struct ballot_box *box,
                           const struct electorate_entry *entry)
{
    struct electorate_record record = entry->record;
    record.old_count = 0;
    memset(record.olds, 0, sizeof record.olds);
    if (box->has_adopted && term_equal(&box->adopted.term, &record.term))
        proposal_decide(node, box, &record);
    else
        proposal_end(node, box);
}

static void propose_close(struct node *node, struct ballot_box *box,
                          const struct electorate_entry *entry)
{
    if (!is_ours_to_ask(node, &entry->record))
        return;
    struct proposal *proposal = &box->proposal;
    memset(proposal, 0, sizeof *proposal);
    proposal->record = entry->record;
    proposal->ballot.replica = node->durable.replica;
    proposal->ballot.counter = node->now.mono_ms + 1; /* tells the answers apart */
    proposal_enter(node, box, PHASE_CLOSE, PHASE_MS);
}

static bool entry_is_joint(const struct electorate_entry *entry)
{
    return entry && !entry->conflict && entry->record.old_count > 0;
}

static void propose_for(struct node *node, struct ballot_box *box,
                        const struct supervisor *supervisor)
{
    const struct electorate_entry *entry = store_electorate(&node->store, box->supervisor);
    struct proposal *proposal = &box->proposal;
    propose_tell(node, box, entry);
    bool closing = proposal->phase == PHASE_CLOSE || proposal->phase == PHASE_STRIKE;
    if (closing &&
        !(entry_is_joint(entry) && term_equal(&entry->record.term, &proposal->record.term)))
        proposal_end(node, box);
    if (proposal->phase != PHASE_NONE) {
        if (node->now.mono_ms < proposal->until_ms)
            return;
        if (proposal->phase == PHASE_STRIKE) {
            propose_strike(node, box, entry);
        } else {
            if (proposal->request)
                requests_reply(node, proposal->request, 504, "Timeout",
                               "not every member that spec.members name has agreed");
            proposal_end(node, box);
        }
        return;
    }
    if (node->now.mono_ms < box->next_ms || !durable_has_room(node))
        return;
    if (entry_is_joint(entry) && !box_is_beside(box, entry))
        propose_close(node, box, entry);
    else if (supervisor)
        propose_next(node, box, supervisor, entry);
}

static bool supervisor_votes(const struct supervisor *supervisor)
{
    const struct placement_strategy *strategy = placement_strategy_by_name(supervisor->strategy);
    return strategy && strategy->votes;
}

void electorates_propose(struct node *node)
{
    if (node->now.mono_ms < node->leases.electorate_ms || !durable_may_write(node))
        return;
    node->leases.electorate_ms = node->now.mono_ms + LOOK_EVERY_MS;
    for (struct supervisor_entry *s = store_supervisor_after(&node->store, ""); s;
         s = store_supervisor_after(&node->store, s->supervisor.name))
        if (supervisor_votes(&s->supervisor))
            box_make(node, s->supervisor.name);
    for (struct ballot_box *box = box_after(node, NULL); box; box = box_after(node, box)) {
        const struct supervisor_entry *entry = store_supervisor(&node->store, box->supervisor);
        bool votes = entry && supervisor_votes(&entry->supervisor);
        propose_for(node, box, votes ? &entry->supervisor : NULL);
    }
}

uint64_t electorates_deadline(const struct node *node)
{
    bool waits = false;
    for (const struct ballot_box *box = box_after(node, NULL); box && !waits;
         box = box_after(node, box))
        waits = true;
    bool may = node->leases.may_vote && waits && durable_may_write(node);
    return may ? node->leases.electorate_ms : UINT64_MAX;
}

/* --- By force -------------------------------------------------------------------------------- */

void electorates_force(struct node *node, const struct request *request)
{
    const struct supervisor_entry *found = store_supervisor(&node->store, request->name);
    struct electorate_record record = {.generation = 0};
    if (!found || !supervisor_votes(&found->supervisor) ||
        !wish_of(node, &found->supervisor, &record.now) ||
        electorate_find(&record.now, node->name, node->durable.replica) == SIZE_MAX) {
        requests_reply(node, request->id, 409, "Conflict",
                       "first let spec.members of the UniformQuorum supervisor name the new "
                       "electorate, then ask the agent of one of them");
        return;
    }
    struct ballot_box *box = box_make(node, request->name);
    const struct electorate_entry *entry = store_electorate(&node->store, request->name);
    uint64_t era = box->has_adopted ? box->adopted.term.era : 0;
    if (entry && entry->record.term.era > era)
        era = entry->record.term.era;
    if (box->era > era)
        era = box->era;
    record.generation = found->supervisor.generation;
    record.term = (struct term){era + 1, 1, random_next(&node->random) | 1};
    if (!could_agree(node, &record)) {
        requests_reply(node, request->id, 409, "Conflict",
                       "every member that spec.members name must be alive to accept it");
        return;
    }
    if (box->proposal.phase != PHASE_NONE && box->proposal.request)
        requests_reply(node, box->proposal.request, 409, "Conflict", "another one was asked for");
    effects_trace(node->effects, "a user forces the electorate of %s", request->name);
    note_member(node, node->name, true, "ElectorateForced",
                "%s: two copies of its children may run until the old side hears of it",
                request->name);
    proposal_begin(node, box, &record);
    box->proposal.request = request->id;
}
