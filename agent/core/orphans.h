/* Containers of nobody that is known here: orphans.c */
#ifndef AGENT_CORE_ORPHANS_H
#define AGENT_CORE_ORPHANS_H

#include "agent/core/container.h"
#include "agent/core/ident.h"

struct envelope;
struct event;
struct node;
struct operation;
struct request;

struct orphan {
    char id[CONTAINER_ID_BYTES_MAX + 1];
    struct child_id child;
    char uid[UID_BYTES + 1];
    uint64_t replica, epoch;
    enum container_state state;
    bool condemned;     /* a user wants it gone */
    uint64_t operation; /* towards that, 0: none is under way */
    uint64_t seen_ms;
    char message[MESSAGE_BYTES_MAX + 1]; /* why it did not work */
};

enum { ORPHANS_MAX = 4096 };

struct orphans {
    struct orphan *items; /* ORPHANS_MAX of them once there is one */
    size_t count, reported;
};

void orphan_observe(struct node *node, const struct container *container);
void orphans_listed(struct node *node); /* what the list that was told now has not shown is gone */
bool orphans_became_known(struct node *node); /* the child of one */
void orphans_run(struct node *node);
/* False: that operation was of no orphan. */
bool orphan_done(struct node *node, const struct operation *operation, const struct event *event);
void orphans_request(struct node *node, const struct request *request);
void orphans_message(struct node *node, const struct envelope *envelope);

#endif
