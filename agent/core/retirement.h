/* What past members have left: retirement.c */
#ifndef AGENT_CORE_RETIREMENT_H
#define AGENT_CORE_RETIREMENT_H

#include "crdt/dot.h"

struct node;

struct retirement {
    uint64_t sweep_ms;     /* when to look again */
    struct vector unowned; /* at the last sweep: writers of no member, and what was known of them */
    struct vector stable;  /* `seen` as it was when stable_ms was set; empty if nothing needs it */
    uint64_t stable_ms;    /* when that is old enough */
};

void retirement_tick(struct node *node);
void retirement_release(struct node *node);

#endif
