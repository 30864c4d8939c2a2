/* A small world of leases whose every state can be visited (explorer.c): the real holders and
 * acceptors (lease_holder.c, lease_acceptor.c and the real bytes of their messages) of one guarded
 * child, with what is around them made as simple and as hostile as can be:
 *
 *   messages    a few at a time are on their way, for as long as it pleases; each may be lost, come
 *               twice, and overtake any other
 *   clocks      each node's is slow or fast, by the bound; time goes in halves of a lease, and an
 *               agent may sleep through any number of them
 *   holders     ask for any epoch at any time, start whenever their lease allows it, give up at any
 *               time; a container runs until it is ended, or its guard's page has passed
 *   crashes     of an agent, with its disk, of which the last records may be lost, or without it;
 *               containers outlive them
 *   electorate  a step from a,b,c to a,b,d is decided: each hears of it in its own time, and it is
 *               struck as soon as it may be
 *
 * Two containers are a violation, also on one node, whose agent may not know the end of a start;
 * and so is a start with an epoch that another's start has reached before. Here a container may run
 * until the lease itself ends by its node's clock, not only to 0.98 of it, so that drift alone has
 * to be paid for by lease_span_ms.
 *
 * What its holder has given up must not be renewed for ever with its other leases, either.
 *
 * A state is bytes. Times in it are relative to the clock of their node, and what only differs in
 * numbers that nobody compares is the same state: so there are finitely many. */
#ifndef TESTS_EXPLORER_LEASE_WORLD_H
#define TESTS_EXPLORER_LEASE_WORLD_H

#include "crdt/bytes.h"

enum { WORLD_NODES_MAX = 4, WORLD_ACTIONS_MAX = 1000 };

struct scene {
    const char *name;
    int drift[WORLD_NODES_MAX]; /* percent */
    unsigned messages_max;      /* on their way; what is sent beyond is lost */
    unsigned epoch_max;
    unsigned crashes, wipes; /* so many at most */
    bool copies;             /* messages may come twice */
    bool slow_disks;         /* what is to be durable may wait, and be lost in a crash */
    bool asked_at_once;      /* every request arrives at once; only its answer may be late */
    bool terse; /* who hears answers, holders want an epoch each, and nothing is given up */
    bool step;  /* the electorate changes */
};

enum outcome {
    OUTCOME_IMPOSSIBLE,
    OUTCOME_STATE,
    OUTCOME_TWO_COPIES,
    OUTCOME_EPOCH_AGAIN,
    OUTCOME_KEPT_FOR_NOTHING,
    OUTCOME_COUNT,
};

void world_first(const struct scene *scene, struct buffer *ret_state);
/* Those that are possible in this state. */
size_t world_actions(const struct scene *scene, struct span state,
                     uint16_t ret_actions[WORLD_ACTIONS_MAX]);
/* Replaces *ret_state. */
enum outcome world_act(const struct scene *scene, struct span state, uint16_t action,
                       struct buffer *ret_state);
/* In words; into a static buffer. */
const char *world_tell(const struct scene *scene, struct span state, uint16_t action);

#endif
