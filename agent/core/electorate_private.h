/* How electorates follow each other, from within: what electorate_step.c (the disk, and the
 * answers), electorate_propose.c (the questions) and electorate_message.c (their bytes) share. */
#ifndef AGENT_CORE_ELECTORATE_PRIVATE_H
#define AGENT_CORE_ELECTORATE_PRIVATE_H

#include "agent/core/electorate.h"
#include "agent/core/limits.h"
#include "crdt/bytes.h"

struct electorate_entry;
struct node;

struct ballot {
    uint64_t counter, replica; /* of the proposer */
};

enum step_kind {
    STEP_PREPARE,
    STEP_PROMISE,
    STEP_ACCEPT,
    STEP_ACCEPTED,
    STEP_CLOSE,
    STEP_CLOSED,
    STEP_KIND_COUNT,
};

struct step_message {
    enum step_kind kind;
    char supervisor[NAME_BYTES_MAX + 1];
    uint64_t replica;       /* of the sender */
    uint64_t era, version;  /* the step that is spoken of */
    struct ballot ballot;   /* PROMISE, ACCEPTED: of the question */
    bool yes;               /* PROMISE, ACCEPTED */
    struct ballot promised; /* PROMISE, ACCEPTED: the greatest */
    bool has_record,
        is_void; /* PROMISE: accepted at `accepted`; ... which its proposer never decided */
    struct ballot accepted;
    struct electorate_record record; /* PROMISE, ACCEPT */
};

enum phase { PHASE_NONE, PHASE_PREPARE, PHASE_ACCEPT, PHASE_CLOSE, PHASE_STRIKE };

enum { CONCERNED_MAX = (ELECTORATE_OLD_MAX + 1) * ELECTORATE_MAX };

struct proposal { /* ours, in this run */
    enum phase phase;
    struct ballot ballot, accepted; /* accepted: the greatest that was met and may be decided */
    struct electorate_record record, met; /* met: what was accepted by then */
    struct elector yes[CONCERNED_MAX];    /* who has agreed in this phase */
    size_t yes_count;
    struct ballot voids[CONCERNED_MAX];
    size_t void_count;
    uint64_t until_ms;
    uint64_t request; /* that forced it; 0: none */
};

struct ballot_box {
    char supervisor[NAME_BYTES_MAX + 1];
    /* on the disk */
    bool has_adopted, has_accepted;
    struct electorate_record adopted; /* we vote in this term, if it names us */
    uint64_t era, version;            /* of the step that the rest speaks of */
    struct ballot promised, accepted_ballot;
    struct electorate_record accepted;
    /* in memory */
    uint64_t sequence;          /* of the log record with all that */
    struct step_message *later; /* an answer that waits for it; owned */
    char later_to[NAME_BYTES_MAX + 1];
    struct proposal proposal;
    uint64_t next_ms; /* when to propose again */
};

int ballot_compare(const struct ballot *a, const struct ballot *b);
struct ballot_box *box_find(const struct node *node, const char *supervisor);
struct ballot_box *box_make(struct node *node, const char *supervisor);
struct ballot_box *box_after(const struct node *node, const struct ballot_box *box);
void box_write(struct node *node, struct ballot_box *box);
bool box_is_durable(const struct node *node, const struct ballot_box *box);
/* What we have adopted is of another history than what the map tells of that era: two sides of a
 * cut have each made a first electorate, and the map has heard of one. Only we know. */
bool box_is_beside(const struct ballot_box *box, const struct electorate_entry *entry);

/* electorate_message.c */
void ballot_write(struct buffer *buffer, const struct ballot *ballot);
struct ballot ballot_read(struct reader *reader);
void step_encode(const struct step_message *message, struct buffer *buffer);
bool step_decode(struct step_message *ret_message, struct span body);
void step_send(struct node *node, const char *name, struct step_message *message);

/* electorate_propose.c */
void proposal_answer(struct node *node, struct ballot_box *box, const char *from,
                     const struct step_message *message);
void electorates_propose(struct node *node);

#endif
