/* Leases: who may run a guarded child, and until when (design section 6).
 *
 * A *holder* runs the child while a majority of the voters has granted it a lease. A voter is an
 * *acceptor* of grants. Both are pure: time is an argument, messages are values (lease_message.c
 * gives them bytes), what must be durable is handed out as bytes. After Trencsenyi, "PaxosLease"
 * (2012), and Gray and Cheriton, "Leases" (1989), with fencing epochs that are durable.
 *
 * A lease as the holder sees it (L: its length):
 *
 *              want                majority                  L/2 without one
 *     (none) --------> ASKED ------------------> HELD <------------------------+
 *        ^               |                        |  \_______________________  | majority
 *        |               | drop                   | drop                     v |
 *        +---------------+------------------------+--------- drop --------- LATE
 *
 *     HELD   the container runs; every L/3 all leases of a supervisor are renewed by one message
 *            per acceptor
 *     LATE   it is being stopped: SIGTERM at L/2, SIGKILL at 0.8 L, its guard at 0.9 L, and it is
 *            dead before 0.98 L, all from when the last request was *sent* that a majority granted
 *     drop   it has ended, as the engine says, and was not merely lost sight of, and nothing is
 *            left of an epoch before: acceptors are told so, and another may have it at once. Else
 *            they are told only not to renew it, and it runs out by itself
 *
 * A grant as the acceptor sees it, per child:
 *
 *     state      who may be granted                                          how it ends
 *     unknown    anybody, for an epoch above `floor`                          -
 *     granted    its holder: this epoch again, or a greater one               expiry, release
 *     expired    its holder, this epoch or a greater one; others a greater    -
 *     released   anybody, for a greater epoch                                 -
 *     resting    (after a restart) only whom the disk names                   rest_until_ms
 *
 * Why two containers of one child never run at once. Let H1 and H2 be holders with a lease, e1 < e2
 * their epochs. (1) Under one electorate, majorities of the voters share an acceptor A. Under two,
 * one is the step after the other, and while it is under way holders need both majorities, so some
 * electorate is common to them; once the old one is struck, what it alone had granted has run out
 * (electorate_step.c). (2) If A granted e2 first, it has e2 on its disk before it said so, and
 * never grants e1 < e2 to another afterwards. (3) So A granted e1 first, last for a request that H1
 * sent at s1 and A received at r1 >= s1, and e2 at r2 > r1: either H1 had released it, or an epoch
 * of its own after it, which A had granted to H1 at once; and by then every container of H1 up to
 * that epoch had ended, for only then does H1 start anything by a later one, or release it; or r2
 * >= r1 + L(1+d)/(1-d) on A's clock. Clocks drift by less than d, so on H1's clock more than L has
 * passed since r1, hence since s1. (4) No later grant of A can have been part of H1's majority:
 * numbers make A pass over what is older than the newest that it has seen of H1, and H1 counts only
 * answers to its own requests, of this run. (5) H1's container was dead at s1 + 0.98 L on H1's
 * clock: by the agent, or by its guard, which goes by the same clock and a page that only majority
 * renewals move. So it was dead before H2's began. (6) A that has restarted knows its disk, and
 * grants nothing to others before every lease that it may have granted has run out; A that has lost
 * its disk is another replica id, which has no vote. Assumed: CLOCK_BOOTTIME of any two machines
 * drifts apart by less than LEASE_DRIFT; the guard is scheduled and its SIGKILL works within 0.08
 * L; what is synced stays, or the node is found out (durable.c); the engine does not call a
 * container ended that runs; the disk's epochs are not edited by hand. Not assumed: anything about
 * wall clocks, messages, the agent's liveness. */
#ifndef AGENT_CORE_LEASE_H
#define AGENT_CORE_LEASE_H

#include "agent/core/electorate.h"
#include "agent/core/index.h"

enum {
    LEASE_DRIFT_PERCENT = 1,
    LEASE_ITEMS_MAX = 2048, /* of a kind in one message: it fits into GOSSIP_BYTES_MAX */
    /* Children that an acceptor remembers: beyond, those that are free give way to `floor_epoch`.
     */
    LEASE_RECORDS_MAX = 65536,
};

/* Of a lease of so many ms, from the send time of the last majority renewal, by the holder's clock.
 */
uint64_t lease_term_ms(uint64_t lease_ms);  /* SIGTERM: L/2 */
uint64_t lease_kill_ms(uint64_t lease_ms);  /* SIGKILL: 0.8 L */
uint64_t lease_guard_ms(uint64_t lease_ms); /* the guard: 0.9 L */
/* How long an acceptor keeps a grant, by its own clock, from when it received the request. */
uint64_t lease_span_ms(uint64_t lease_ms);

/* --- Messages: lease_message.c --------------------------------------------------------------- */

struct lease_item {
    struct child_id child;
    uint64_t epoch; /* of a drop: none up to this one is renewed any more */
    bool released;  /* of a drop: the container has ended; else it is only not renewed any more */
};

/* From holder to acceptor: "extend all that I have with you, and these; drop those". What it has
 * there is named by the session's generation, which the acceptor counts up whenever the set changes
 * by anything but the holder's own message. */
struct lease_ask {
    char supervisor[NAME_BYTES_MAX + 1];
    struct term term;
    uint64_t replica, boot, session; /* of the holder; session is drawn anew in each run */
    uint64_t number;                 /* grows in a session */
    uint64_t generation;             /* 0: the items are all that it has */
    uint64_t acceptor_session;       /* ... which counted that generation */
    struct lease_item *adds, *drops; /* owned */
    size_t add_count, drop_count;
};

enum lease_verdict {
    LEASE_EXTENDED,  /* all of the session, and the adds but for the refusals */
    LEASE_UNKNOWN,   /* that generation is not the session's: say all */
    LEASE_CONFIRMED, /* what had to become durable first: the refusals are the granted ones */
    LEASE_NOT_YET,   /* it does not vote in that term, but may soon */
    LEASE_VERDICT_COUNT,
};

enum lease_refusal_reason {
    LEASE_HELD,    /* by another, for wait_ms more */
    LEASE_RESTING, /* for wait_ms */
    LEASE_STALE,   /* a greater or equal epoch was granted: epoch says which */
    LEASE_LATER,   /* granted as soon as it is durable: a confirmation follows */
    LEASE_REFUSAL_REASON_COUNT,
};

struct lease_refusal {
    struct child_id child;
    uint64_t asked_epoch;
    enum lease_refusal_reason reason;
    uint64_t epoch;   /* recorded */
    uint64_t wait_ms; /* by the acceptor's clock */
};

struct lease_grant {
    char supervisor[NAME_BYTES_MAX + 1];
    struct term term;                /* the acceptor's */
    uint64_t replica, session;       /* of the acceptor */
    uint64_t holder_session, number; /* of the request */
    enum lease_verdict verdict;
    uint64_t generation;
    struct lease_refusal *refusals; /* owned */
    size_t refusal_count;
};

void lease_ask_encode(const struct lease_ask *ask, struct buffer *buffer);
bool lease_ask_decode(struct lease_ask *ret_ask, struct span body);
void lease_ask_release(struct lease_ask *ask);
void lease_grant_encode(const struct lease_grant *grant, struct buffer *buffer);
bool lease_grant_decode(struct lease_grant *ret_grant, struct span body);
void lease_grant_release(struct lease_grant *grant);

/* --- The acceptor: lease_acceptor.c ---------------------------------------------------------- */

struct lease_acceptor;

/* session: true randomness. */
struct lease_acceptor *lease_acceptor_new(uint64_t session);
void lease_acceptor_free(struct lease_acceptor *acceptor);
/* A record of an earlier run, oldest first. False: garbage. */
bool lease_acceptor_restore(struct lease_acceptor *acceptor, struct span record);
/* All that must survive, as records; *at begins at 0 and goes on. False: no more. */
bool lease_acceptor_record(const struct lease_acceptor *acceptor, size_t *at,
                           struct buffer *ret_record);
/* The run begins: it rests until all that it may have granted has run out; lease_ms: the longest of
 * the electorates in which it may have voted. */
void lease_acceptor_start(struct lease_acceptor *acceptor, uint64_t now_ms, uint64_t lease_ms);

struct lease_asked {
    const char *holder;
    uint64_t replica;  /* our own */
    uint64_t lease_ms; /* the longest of the term's electorates */
    bool may_record;   /* the disk has room */
};
/* Decides about a request of our term. False: it is older than what was seen, say nothing.
 * *ret_record: a record to be made durable before the acceptor is told of a sync (it then
 * confirms); empty if nothing new was granted. */
bool lease_acceptor_ask(struct lease_acceptor *acceptor, uint64_t now_ms,
                        const struct lease_ask *ask, const struct lease_asked *asked,
                        struct lease_grant *ret_grant, struct buffer *ret_record);
/* The record that was handed out last is this one of the log. */
void lease_acceptor_logged(struct lease_acceptor *acceptor, uint64_t sequence);
/* The log is durable up to here. The next confirmation that is due, and for whom; false: none. */
bool lease_acceptor_synced(struct lease_acceptor *acceptor, uint64_t sequence,
                           struct lease_grant *ret_grant, char ret_holder[NAME_BYTES_MAX + 1]);
size_t lease_acceptor_count(const struct lease_acceptor *acceptor);
void lease_acceptor_check(const struct lease_acceptor *acceptor);

/* --- The holder: lease_holder.c, lease_holder_ask.c, lease_drop.c ----------------------------- */

enum lease_state { LEASE_STATE_ASKED, LEASE_STATE_HELD, LEASE_STATE_LATE };

struct lease { /* of one child; owned by its holder */
    struct child_id child;
    char uid[UID_BYTES + 1]; /* of the claim: the caller's, as are the last four */
    uint64_t epoch;
    enum lease_state state;
    uint64_t asked, granted, refused; /* bits of acceptors */
    uint64_t retry_ms;                /* when the refused are asked again */
    uint64_t since_ms;                /* send time of the last majority renewal; 0: none yet */
    uint64_t lease_ms;                /* ... which was for so long */
    uint64_t born_ms;                 /* when it was wanted first, in this run */
    uint64_t stale_epoch;             /* as recorded by one that refused it for that; 0: none */
    uint64_t stale_ms;                /* ... since when that is known */
    uint64_t blocked_until_ms;        /* what an epoch before has left may come true until then */
    uint32_t tries;                   /* refusals that have kept it waiting */
    uint64_t courted_turn; /* while nothing is claimed under it: the caller's last wish */
    bool killing;          /* 0.8 L has passed */
    bool ending;           /* given up, and remembered until it has run out */
    bool uncertain; /* there may be a container, or one may come true, that nobody has seen end: the
                       lease is not released, it runs out */
    bool inherited; /* ... begun by a run before this one, until one is seen to run */
    bool lost_start; /* ... by a start of which nobody knows the end, ever */
    char container_id[CONTAINER_ID_BYTES_MAX + 1]; /* the one whose end makes it certain */
};

struct lease_holder;

struct lease_holder *lease_holder_new(const char *supervisor, uint64_t replica, uint64_t boot,
                                      uint64_t session);
void lease_holder_free(struct lease_holder *holder);
/* Whose grants count from now on; nothing happens if it is as before. NULL: nobody's. */
void lease_holder_set_electorate(struct lease_holder *holder,
                                 const struct electorate_record *record);
const struct electorate_record *lease_holder_electorate(const struct lease_holder *holder);
/* The lease, asked for if it is not there or of another epoch: a later one, as long as the one
 * before is remembered. */
struct lease *lease_holder_want(struct lease_holder *holder, const struct child_id *child,
                                uint64_t epoch, uint64_t now_ms);
struct lease *lease_holder_find(const struct lease_holder *holder, const struct child_id *child);
/* It is given up: released, or, if anything may still come true of it or of an epoch before, left
 * to run out. */
void lease_holder_drop(struct lease_holder *holder, struct lease *lease, uint64_t now_ms);
/* Nothing is renewed any more, and nothing asked for, until it is set again. */
void lease_holder_pause(struct lease_holder *holder, bool paused);
/* The next message that is due, and to whom; false: none now. */
bool lease_holder_send(struct lease_holder *holder, uint64_t now_ms, struct lease_ask *ret_ask,
                       char ret_acceptor[NAME_BYTES_MAX + 1]);
/* An answer. True: something was renewed or refused: see lease_holder_news. */
bool lease_holder_grant(struct lease_holder *holder, uint64_t now_ms, const char *acceptor,
                        const struct lease_grant *grant);
void lease_holder_tick(struct lease_holder *holder, uint64_t now_ms);
/* The next lease (NULL: from the first) whose since_ms has moved, or whose state has, or that was
 * refused as stale; NULL: no more. *ret_state: not only the time. */
struct lease *lease_holder_news(struct lease_holder *holder, const struct lease *after,
                                bool *ret_state);
/* So many have refused it that there is no majority left. */
bool lease_holder_is_hopeless(const struct lease_holder *holder, const struct lease *lease);
/* A container that is started now has half a lease before it. */
bool lease_is_good_for_start(const struct lease *lease, uint64_t now_ms);
uint64_t lease_holder_deadline(const struct lease_holder *holder);
struct lease_counts {        /* of one supervisor, here */
    size_t held, asked;      /* now; held: also those that are late */
    uint64_t renewals, lost; /* in this run: by a majority, of all at once; of each, at L/2 */
    uint64_t left_ms;        /* until a guard ends the first of those held, if nothing comes */
};
struct lease_counts lease_holder_counts(const struct lease_holder *holder, uint64_t now_ms);
const char *lease_holder_supervisor(const struct lease_holder *holder);
size_t lease_holder_count(const struct lease_holder *holder);
void lease_holder_check(const struct lease_holder *holder);

#endif
