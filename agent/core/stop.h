/* How a node hands over what it holds, and how it ends: drain.c, stop.c */
#ifndef AGENT_CORE_STOP_H
#define AGENT_CORE_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct child;
struct cordon;
struct node;

/* --- drain.c: a member that hands over what it holds, and stays ------------------------------- */

#define DRAIN_WAITS_MESSAGE \
    "its node drains, and no other member may take it now: it runs on here until one may"
/* What users want of us now, if it is news. */
void drain_take_cordon(struct node *node, const struct cordon *cordon);
/* We drain, and somebody else may take the child. */
bool drain_lets_go(struct node *node, struct child *child);
void drain_tick(struct node *node);

/* --- stop.c: how we end ----------------------------------------------------------------------- */

struct detach {
    uint64_t away_ms; /* for how long we shall be away; 0: we do not go */
    uint64_t began_ms;
    bool known; /* a second member knows, or there is none */
};

bool node_is_stopping(const struct node *node); /* drains, leaves or detaches */
void stop_begin(struct node *node);             /* EVENT_STOP */
void stop_detach(struct node *node, uint64_t away_ms);
void stop_tick(struct node *node);

#endif
