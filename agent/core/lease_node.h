/* Leases of this node (lease.h has the protocol): lease_node.c and lease_child.c; and
 * electorate_step.c, which says who grants them. */
#ifndef AGENT_CORE_LEASE_NODE_H
#define AGENT_CORE_LEASE_NODE_H

#include "agent/core/envelope.h"
#include "agent/core/index.h"
#include "agent/core/lease.h"

struct child;
struct container;
struct node;
struct request;
struct runtime_operation;

/* --- lease_node.c: leases between this node and the others ------------------------------------ */

struct leases {
    struct lease_acceptor *acceptor;
    struct index holders;   /* supervisor -> struct lease_holder */
    struct index ballots;   /* supervisor -> struct ballot_box: electorate_step.c */
    uint64_t session;       /* of this run, true randomness */
    bool may_vote;          /* compared with a peer, or there is none */
    uint64_t electorate_ms; /* when to look again at who is to vote */
    uint64_t generation;    /* of the membership, at the last look */
};

void leases_init(struct node *node, uint64_t random_seed);
void leases_release(struct node *node);
void leases_start(struct node *node);
void leases_message(struct node *node, const struct envelope *envelope);
void leases_tick(struct node *node);
void leases_synced(struct node *node);
uint64_t leases_deadline(const struct node *node);
void leases_check(const struct node *node);
/* The supervisor's holder, made if it is not there. */
struct lease_holder *leases_holder(struct node *node, const char *supervisor);
/* To a member, or to ourselves. */
void leases_send(struct node *node, const char *name, enum message_type type,
                 const struct buffer *body);

/* --- lease_child.c: leases of this node's children -------------------------------------------- */

/* Its supervisor's strategy votes: it runs under a lease, and in a guard. */
bool lease_guards(struct node *node, const struct child *child);
struct lease *lease_of(const struct node *node, const struct child *child); /* NULL: none */
/* The lease of our claim is asked for, if it is not yet. True: it may be started. */
bool lease_may_start(struct node *node, struct child *child);
bool lease_allows_start(struct node *node, struct child *child); /* or it needs none */
/* Nothing runs here, and nothing can under this claim: it is released. */
bool lease_gives_back(struct node *node, struct child *child);
/* Of a free child, whose turn it is here: its image is here, and the lease of its next epoch. */
bool lease_court(struct node *node, struct child *child, uint32_t rank);
bool lease_is_late(struct node *node, const struct child *child); /* it must end */
const char *lease_lost_reason(struct node *node, const struct child *child);
/* Of a container that runs under our claim: it is to be replaced. Asks for its lease, too. */
bool lease_must_be_guarded(struct node *node, struct child *child,
                           const struct container *container);
/* Its guard has ended it: no fault of its own. */
bool lease_ended_it(const struct child *child, const struct container *container);
bool lease_outlasts_absence(struct node *node, const struct child *child);
/* Whether to kill it now, and how long it may take to end: *stop_ms is made shorter. */
bool lease_limits_stop(struct node *node, const struct child *child, uint64_t *stop_ms);
/* A start is asked for: fills in what the guard needs. */
void lease_note_start(struct node *node, const struct child *child,
                      struct runtime_operation *asked);
/* ... and has ended. started: NULL: in none that we know; lost: one may come true all the same. */
void lease_note_started(struct node *node, const struct child *child,
                        const struct container *started, bool lost);
/* The engine has told of a container. */
void lease_observe(struct node *node, const struct child *child, const struct container *container);
/* After each decision: a lease that is not needed any more is given up. */
void lease_update(struct node *node, struct child *child);

/* --- electorate_step.c: who votes, and who will ----------------------------------------------- */

void electorates_release(struct node *node);
void electorates_start(struct node *node); /* the longest lease of all */
uint64_t electorates_lease_ms_max(const struct node *node);
/* The map names us as one who has agreed to an electorate, and our disk knows of none: it is an old
 * image, even if we have written nothing else since. */
bool electorates_are_lost(const struct node *node);
void electorates_message(struct node *node, const struct envelope *envelope);
void electorates_tick(struct node *node);
void electorates_synced(struct node *node);
uint64_t electorates_deadline(const struct node *node);
bool electorates_restore(struct node *node, struct span record);
/* For a snapshot: of the supervisor after *name (empty: the first), which moves on; false: no more.
 */
bool electorates_record(const struct node *node, char name[NAME_BYTES_MAX + 1],
                        struct buffer *ret_record);
/* The electorate in which we vote about that supervisor's children, as our disk has it; NULL: in
 * none, or not now. */
const struct electorate_record *electorates_mine(const struct node *node, const char *supervisor);
void electorates_force(struct node *node, const struct request *request);

#endif
