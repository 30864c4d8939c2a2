/* What users see: shown.c holds it against the feed, query.c reads it out. */
#ifndef AGENT_CORE_SHOWN_H
#define AGENT_CORE_SHOWN_H

#include "agent/core/index.h"
#include "agent/core/limits.h"

struct child;
struct child_view;
struct feed_item;
struct node;
struct store;

struct shown {
    struct index supervisors; /* name -> struct shown_supervisor */
    uint64_t supervisors_ms;  /* when they are looked at again; UINT64_MAX: not */
    uint64_t members_ms;      /* ... and the members, for their children */
};

void shown_begin(struct node *node);  /* somebody looks; often: nothing more happens */
void shown_settle(struct node *node); /* at the end of each step */
uint64_t shown_deadline(const struct node *node);
void shown_release(struct node *node);

/* What users see of a supervisor beside its document, electorate and members; as last looked at. */
struct supervisor_status {
    bool quorum;
    uint32_t specs, running;
    char electorate_message[MESSAGE_BYTES_MAX + 1];
};

struct shown_supervisor {
    struct feed_item *item;
    uint64_t looked_ms; /* equal for all that are there */
    struct supervisor_status status;
    char uid[UID_BYTES + 1];
    char name[];
};

/* NULL: it has not been looked at yet. */
const struct shown_supervisor *shown_supervisor(const struct node *node, const char *name);
/* query.c: it is there for users; and how. Of the store alone: what the world says at this moment
 * is not known to who watches. */
bool query_shows(const struct child *child);
void query_fill_child(const struct store *store, const struct child *child,
                      struct child_view *view);
uint32_t query_claims_of(const struct store *store, const char *member);

#endif
