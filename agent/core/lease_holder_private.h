/* What a holder of leases consists of: lease_holder.c has its life and its leases,
 * lease_holder_ask.c what it says to acceptors and hears from them, lease_drop.c what it gives up.
 */
#ifndef AGENT_CORE_LEASE_HOLDER_PRIVATE_H
#define AGENT_CORE_LEASE_HOLDER_PRIVATE_H

#include "agent/core/lease.h"

enum {
    ACCEPTORS_MAX = 64,
    SENT_MAX = 8,        /* of one acceptor: answers to older requests come too late to be of use */
    ASK_AGAIN_PARTS = 6, /* of a lease: without an answer for so long it is asked again */
    RENEW_PARTS = 3,
    AGAIN_MS_FIRST = 100, /* ... doubling up to that: a message was lost, or nobody is there */
    NOT_YET_MS = 50,
    RETRY_MS_MIN = 20,
    LOOK_MS_FIRST = 50, /* who is refused for another's sake looks again, ever more seldom */
    LOOK_TRIES = 3,
    DROPS_MAX = 4096, /* still to be told; beyond, all that is left is said */
};

struct acceptor { /* as this holder sees it */
    struct elector elector;
    uint64_t sent_numbers[SENT_MAX], sent_at_ms[SENT_MAX]; /* the last ones, by number */
    uint64_t number, sent_ms;                              /* of the last request; 0: none yet */
    uint64_t answered,
        since_ms; /* the last number that was answered with yes, and when it was sent */
    uint64_t generation, session; /* of its session of ours; 0: say all */
    uint32_t sent_count;
    uint32_t misses, not_yets; /* requests without an answer, in a row; or with that one */
    uint64_t not_yet_ms;       /* it has asked us to wait until then; 0: not */
    bool waits;                /* the last request is not answered */
    bool urgent;               /* there is something to say before the next third of a lease */
};

struct drop { /* one that is given up, and who is still to be told */
    struct lease_item item;
    uint64_t untold, telling; /* telling: by the last request */
    uint64_t until_ms;        /* who has not answered by then is told all that is left */
};

struct quorum_bits { /* the voters of one electorate */
    uint64_t voters;
    size_t majority;
};

struct lease_holder {
    char supervisor[NAME_BYTES_MAX + 1];
    uint64_t replica, boot, session;
    uint64_t number; /* of the last request to anybody */
    bool has_electorate, paused;
    struct electorate_record record;
    uint64_t lease_ms; /* the shortest of all its electorates */
    struct quorum_bits quorums[ELECTORATE_OLD_MAX + 1];
    size_t quorum_count;
    struct acceptor acceptors[ACCEPTORS_MAX];
    size_t acceptor_count;
    struct index leases; /* child in text -> struct held */
    struct drop *drops;
    size_t drop_count, drop_capacity;
    bool news;               /* some lease has some */
    uint64_t alarm_ms;       /* when the next lease is late, or to be killed, or asked for again */
    uint64_t renewals, lost; /* for lease_counts */
};

struct held {
    struct lease lease; /* first */
    bool changed, renewed;
    char key[CHILD_ID_TEXT_BYTES_MAX];
};

struct held *held_after(const struct lease_holder *holder, const struct held *held);
/* SIZE_MAX: none. */
size_t acceptor_find(const struct lease_holder *holder, const char *node);
/* All that is new is said at once, not at the next third of a lease. */
void holder_hurry(struct lease_holder *holder);
/* Asserts that the machine (lease.h) allows it. */
void lease_move(struct lease_holder *holder, struct held *held, enum lease_state state);

/* --- lease_drop.c ----------------------------------------------------------------------------- */

/* All who may have it in our session are to be told, and who has not heard of what of the child was
 * given up before: they know of that epoch only, and hold it for us as long as anything of ours is
 * renewed. */
void drop_tell(struct lease_holder *holder, const struct lease *lease, bool released,
               uint64_t now_ms);
/* It is asked for after all. Who is still to hear that it was given up hears both at once. */
void drop_take_back(struct lease_holder *holder, const struct child_id *child, uint64_t epoch);
/* There is something for that acceptor. It does not wait for an answer to what was asked before. */
bool drops_are_untold(const struct lease_holder *holder, size_t acceptor);
/* Who has not answered in time is told all that is left, by its next request. */
void drops_expire(struct lease_holder *holder, uint64_t now_ms);
/* It has answered the last request. */
void drops_told(struct lease_holder *holder, uint64_t bit);

#endif
