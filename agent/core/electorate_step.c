/* How an electorate comes into effect, and how it gives way to the next (values: electorate.h).
 *
 * Each step is decided once, by Lamport's synod ("Paxos Made Simple", 2001) among those who must
 * agree: for the first electorate all of its members; later a majority of each one that it follows,
 * a majority of its own, and all who join. Whoever comes first by name of those concerned proposes
 * what spec.members wish for; what was accepted before under a greater ballot goes first, unless
 * its proposer says that it has never been decided and never will be.
 *
 *     prepare --> promise   "no lower ballot any more"; with it what was accepted
 *     accept  --> accepted  on the disk before it is said
 *     decided: on the proposer's disk, then in the map, key e/SUPERVISOR, with `olds`
 *     close   --> closed    "I vote in the new term only", on the disk; asked of each old majority
 *     struck: the longest old lease after that, the same term goes into the map without `olds`
 *
 * Why leases of two terms never let two holders in. Between `decided` and `struck` holders of the
 * new term need a majority of the old electorate, too, which cannot have granted to another
 * meanwhile. At `struck` a majority of the old electorate has refused the old term for longer than
 * any of its leases, so none is left and none can come. Only what is struck is followed by the next
 * version: who has decided one goes on from that, also before the map has it. Who has adopted
 * another history than the map tells has no vote, and proposes the next era, to which all must
 * agree whose leases may run. A voter votes in one term at a time, the one on its disk. One whose
 * disk knows of no electorate, although the map names it, has lost its data: it becomes another
 * replica, and has no vote before a step has named that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/electorate_private.h"
#include "agent/core/lease_node.h"
#include "agent/core/node_private.h"

enum { STEP_DISK_VERSION = 1 };

int ballot_compare(const struct ballot *a, const struct ballot *b)
{
    if (a->counter != b->counter)
        return a->counter > b->counter ? 1 : -1;
    return a->replica != b->replica ? (a->replica > b->replica ? 1 : -1) : 0;
}

struct ballot_box *box_find(const struct node *node, const char *supervisor)
{
    return index_find(&node->leases.ballots, span_text(supervisor));
}

struct ballot_box *box_make(struct node *node, const char *supervisor)
{
    struct ballot_box *box = box_find(node, supervisor);
    if (box)
        return box;
    box = xcalloc(1, sizeof *box);
    TEXT_SET(box->supervisor, supervisor);
    index_insert(&node->leases.ballots, span_text(supervisor), box);
    return box;
}

struct ballot_box *box_after(const struct node *node, const struct ballot_box *box)
{
    return index_after(&node->leases.ballots, span_text(box ? box->supervisor : ""));
}

static void box_free(void *value)
{
    struct ballot_box *box = value;
    free(box->later);
    free(box);
}

void electorates_release(struct node *node)
{
    index_release(&node->leases.ballots, box_free);
}

/* --- The disk -------------------------------------------------------------------------------- */

static void box_encode(const struct ballot_box *box, struct buffer *buffer)
{
    buffer_u8(buffer, STEP_DISK_VERSION);
    buffer_text(buffer, box->supervisor);
    buffer_u8(buffer, (uint8_t)(box->has_adopted | box->has_accepted << 1));
    if (box->has_adopted)
        electorate_record_write(&box->adopted, buffer);
    buffer_varint(buffer, box->era);
    buffer_varint(buffer, box->version);
    ballot_write(buffer, &box->promised);
    if (!box->has_accepted)
        return;
    ballot_write(buffer, &box->accepted_ballot);
    electorate_record_write(&box->accepted, buffer);
}

bool electorates_restore(struct node *node, struct span record)
{
    struct reader reader = reader_of(record);
    bool known = reader_u8(&reader) == STEP_DISK_VERSION;
    char name[NAME_BYTES_MAX + 1];
    text_set_span(name, sizeof name, reader_span(&reader, NAME_BYTES_MAX));
    uint8_t flags = reader_u8(&reader);
    if (!known || reader.failed || !name_is_dns1123(name) || flags > 3)
        return false;
    struct ballot_box *box = box_make(node, name);
    box->has_adopted = flags & 1;
    box->has_accepted = flags & 2;
    if (box->has_adopted)
        electorate_record_read(&box->adopted, &reader);
    box->era = reader_varint(&reader);
    box->version = reader_varint(&reader);
    box->promised = ballot_read(&reader);
    if (box->has_accepted) {
        box->accepted_ballot = ballot_read(&reader);
        electorate_record_read(&box->accepted, &reader);
    }
    if (reader_done(&reader))
        return true;
    memset(&box->adopted, 0, sizeof box->adopted);
    box->has_adopted = box->has_accepted = false;
    return false;
}

bool electorates_record(const struct node *node, char name[NAME_BYTES_MAX + 1],
                        struct buffer *ret_record)
{
    const struct ballot_box *box = index_after(&node->leases.ballots, span_text(name));
    if (!box)
        return false;
    text_set(name, NAME_BYTES_MAX + 1, box->supervisor);
    box_encode(box, ret_record);
    return true;
}

void box_write(struct node *node, struct ballot_box *box)
{
    struct buffer item = {0};
    box_encode(box, &item);
    box->sequence = durable_write(node, 'Q', &item);
    buffer_release(&item);
}

bool box_is_durable(const struct node *node, const struct ballot_box *box)
{
    return box->sequence <= node->durable.synced;
}

bool box_is_beside(const struct ballot_box *box, const struct electorate_entry *entry)
{
    bool conflict = false;
    if (box->has_adopted && entry && !entry->conflict)
        electorate_record_compare(&box->adopted, &entry->record, &conflict);
    return conflict;
}

uint64_t electorates_lease_ms_max(const struct node *node)
{
    uint64_t most_ms = 0;
    for (const struct ballot_box *box = box_after(node, NULL); box; box = box_after(node, box)) {
        uint64_t of_one = box->has_adopted ? electorate_lease_ms_max(&box->adopted) : 0;
        most_ms = of_one > most_ms ? of_one : most_ms;
    }
    return most_ms;
}

/* Nobody is named who has not accepted, and what is accepted is on the disk. */
bool electorates_are_lost(const struct node *node)
{
    const struct index *entries = &node->store.electorates;
    for (const struct electorate_entry *entry = index_after(entries, span_text("")); entry;
         entry = index_after(entries, span_text(entry->name))) {
        const struct ballot_box *box = box_find(node, entry->name);
        uint64_t replica = node->durable.replica;
        bool named = electorate_record_has(&entry->record, node->name, replica) ||
                     electorate_record_has(&entry->others, node->name, replica);
        if (named && !(box && (box->has_adopted || box->has_accepted)))
            return true;
    }
    return false;
}

/* --- Whose vote we are ------------------------------------------------------------------------ */

static bool record_gives_vote(const struct electorate_record *record, const char *name,
                              uint64_t replica)
{
    bool votes = electorate_votes(&record->now, name, replica);
    for (size_t i = 0; i < record->old_count; i++)
        votes |= electorate_votes(&record->olds[i], name, replica);
    return votes;
}

const struct electorate_record *electorates_mine(const struct node *node, const char *supervisor)
{
    const struct ballot_box *box = box_find(node, supervisor);
    const struct electorate_entry *entry = store_electorate(&node->store, supervisor);
    bool votes = box && box->has_adopted && box_is_durable(node, box) && node->leases.may_vote &&
                 !(entry && entry->conflict) && !box_is_beside(box, entry) &&
                 record_gives_vote(&box->adopted, node->name, node->durable.replica);
    return votes ? &box->adopted : NULL;
}

/* The map tells of a later term than our disk: from now on we vote in that one only. Not if our
 * disk knows of no electorate at all: then it has lost its data, or was never asked. */
static void box_adopt(struct node *node, struct ballot_box *box,
                      const struct electorate_entry *entry)
{
    bool conflict = false;
    if (entry->conflict || !(box->has_adopted || box->has_accepted))
        return;
    if (box->has_adopted &&
        electorate_record_compare(&entry->record, &box->adopted, &conflict) <= 0)
        return;
    if (conflict)
        return;
    effects_trace(node->effects, "votes in version %llu of the electorate of %s, if at all",
                  (unsigned long long)entry->record.term.version, box->supervisor);
    box->adopted = entry->record;
    box->has_adopted = true;
    box_write(node, box);
}

/* --- Answers --------------------------------------------------------------------------------- */

/* A question about a step before the one that we have adopted says so by a promise that nobody can
 * exceed; about a later one than we speak of, all that we have promised is of the past. */
static bool box_is_about(struct ballot_box *box, const struct step_message *message)
{
    const struct term *term = &box->adopted.term;
    if (box->has_adopted && (message->era < term->era ||
                             (message->era == term->era && message->version <= term->version)))
        return false;
    if (message->era == box->era && message->version == box->version)
        return true;
    if (message->era < box->era || (message->era == box->era && message->version < box->version))
        return false;
    box->era = message->era;
    box->version = message->version;
    box->promised = (struct ballot){0};
    return true;
}

/* What is on its way to the disk is answered when it is there. */
static void answer_later(struct node *node, struct ballot_box *box, const char *to,
                         const struct step_message *answer)
{
    box_write(node, box);
    free(box->later);
    box->later = xmemdup(answer, sizeof *answer);
    TEXT_SET(box->later_to, to);
}

static struct step_message answer_to(const struct ballot_box *box,
                                     const struct step_message *question, enum step_kind kind)
{
    struct step_message answer = {.kind = kind,
                                  .era = question->era,
                                  .version = question->version,
                                  .ballot = question->ballot};
    TEXT_SET(answer.supervisor, box->supervisor);
    return answer;
}

static void on_prepare(struct node *node, struct ballot_box *box, const char *from,
                       const struct step_message *message)
{
    struct step_message answer = answer_to(box, message, STEP_PROMISE);
    bool about = box_is_about(box, message);
    answer.yes = about && ballot_compare(&message->ballot, &box->promised) > 0;
    if (answer.yes)
        box->promised = message->ballot;
    answer.promised = box->promised;
    answer.has_record = about && box->has_accepted && box->accepted.term.era == message->era &&
                        box->accepted.term.version == message->version;
    if (answer.has_record) {
        answer.accepted = box->accepted_ballot;
        answer.record = box->accepted;
        /* Ours, and not decided: it never will be, since we have promised not to. */
        answer.is_void = answer.yes && box->accepted_ballot.replica == node->durable.replica;
    }
    if (answer.yes)
        answer_later(node, box, from, &answer);
    else
        step_send(node, from, &answer);
}

static void on_accept(struct node *node, struct ballot_box *box, const char *from,
                      const struct step_message *message)
{
    struct step_message answer = answer_to(box, message, STEP_ACCEPTED);
    answer.yes = box_is_about(box, message) && message->has_record &&
                 ballot_compare(&message->ballot, &box->promised) >= 0;
    if (answer.yes) {
        box->promised = box->accepted_ballot = message->ballot;
        box->has_accepted = true;
        box->accepted = message->record;
    }
    answer.promised = box->promised;
    if (answer.yes)
        answer_later(node, box, from, &answer);
    else
        step_send(node, from, &answer);
}

static void on_close(struct node *node, struct ballot_box *box, const char *from,
                     const struct step_message *message)
{
    const struct term *term = &box->adopted.term;
    bool closed = box->has_adopted && box_is_durable(node, box) && term->era == message->era &&
                  term->version == message->version;
    struct step_message answer = answer_to(box, message, STEP_CLOSED);
    answer.yes = closed;
    if (closed)
        step_send(node, from, &answer);
}

void electorates_message(struct node *node, const struct envelope *envelope)
{
    struct step_message *message = xmalloc(sizeof *message);
    if (step_decode(message, envelope->body) &&
        (node->leases.may_vote || strcmp(envelope->from, node->name) == 0)) {
        struct ballot_box *box = box_make(node, message->supervisor);
        switch (message->kind) {
        case STEP_PREPARE:
            on_prepare(node, box, envelope->from, message);
            break;
        case STEP_ACCEPT:
            on_accept(node, box, envelope->from, message);
            break;
        case STEP_CLOSE:
            on_close(node, box, envelope->from, message);
            break;
        default:
            proposal_answer(node, box, envelope->from, message);
        }
    }
    free(message);
}

void electorates_synced(struct node *node)
{
    for (struct ballot_box *box = box_after(node, NULL); box; box = box_after(node, box)) {
        if (!box_is_durable(node, box))
            continue;
        if (!box->later)
            continue;
        struct step_message *answer = box->later;
        box->later = NULL;
        step_send(node, box->later_to, answer);
        free(answer);
    }
}

/* --- Time ------------------------------------------------------------------------------------ */

void electorates_tick(struct node *node)
{
    if (!node->leases.may_vote)
        return;
    const struct index *entries = &node->store.electorates;
    for (struct electorate_entry *entry = index_after(entries, span_text("")); entry;
         entry = index_after(entries, span_text(entry->name)))
        box_adopt(node, box_make(node, entry->name), entry);
    electorates_propose(node);
}
