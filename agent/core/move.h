/* Children that change their member while both live: move.c, redistribute.c */
#ifndef AGENT_CORE_MOVE_H
#define AGENT_CORE_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child;
struct envelope;
struct local_container;
struct node;
struct offer;
struct request;

/* --- move.c: one of them ---------------------------------------------------------------------- */

void move_offer(struct node *node, struct child *child, const char *member, uint64_t epoch,
                bool start_first);
/* We hold it and have offered it: is it time to let go? */
void move_watch(struct node *node, struct child *child);
/* Its holder has offered it to us, and we see to it: nothing else is to be done here. */
bool move_prepare(struct node *node, struct child *child);
/* Of what it was offered, and is free by now: the container with which it goes on. NULL: none. */
struct local_container *move_keeps(struct node *node, struct child *child);
/* A copy may be started here beside the holder's. */
bool move_may_start(const struct node *node, const struct child *child);
const struct offer *offer_of(const struct child *child); /* NULL: nothing is offered */
bool offer_is_open(const struct child *child);
bool offer_is_ours(const struct node *node, const struct child *child); /* open, and to us */
/* Of a free child: of its epoch we come first, somebody else does (-1), or nobody was asked (0). */
int offer_precedence(const struct node *node, const struct child *child);
/* The epoch under which we would claim it now. */
uint64_t offer_next_epoch(const struct node *node, const struct child *child);
void move_message(struct node *node, const struct envelope *envelope);

/* --- redistribute.c: which, and when ---------------------------------------------------------- */

struct moves {
    uint64_t look_ms;    /* when to look again; UINT64_MAX: nothing is active */
    uint64_t generation; /* of the membership, at the last look */
};

enum { MOVES_MAX = 64 }; /* of one supervisor at once, whatever maxConcurrentMoves says */

struct survey {
    size_t wanted, under_way;       /* children that belong elsewhere; that are on their way */
    struct child *first[MOVES_MAX]; /* of those wanted, in order of id */
};

enum move_state { MOVE_NONE, MOVE_WANTED, MOVE_UNDER_WAY };

void redistribute_tick(struct node *node);
uint64_t redistribute_deadline(const struct node *node);
/* Children of this supervisor may move at all: it is active, or a rebalance was asked for. */
bool redistribute_is_on(const struct node *node, const char *supervisor);
/* WANTED: *ret_to is the member. */
/* *ret_epoch: of the move, if it is wanted. */
enum move_state redistribute_judge(struct node *node, struct child *child, const char **ret_to,
                                   uint64_t *ret_epoch);
/* Children that should have moved for patience_s, and have not, are passed over. */
struct survey redistribute_survey(struct node *node, const char *supervisor, uint64_t patience_s);
void request_rebalance(struct node *node, const struct request *request);

#endif
