/* What users have asked for, until it is answered: requests.c, requests_child.c */
#ifndef AGENT_CORE_REQUESTS_H
#define AGENT_CORE_REQUESTS_H

#include "agent/core/request.h"
#include "crdt/dot.h"

struct envelope;
struct event;
struct gathering;
struct key;
struct node;
struct output_sink;

struct pending {
    uint64_t id;
    enum request_kind kind;
    struct dot written;
    uint64_t sequence;
    struct dot after;
    bool answered; /* DELETE_CHILD: by the holder, which has written `after`, if anything */
    struct child_id child;
    uint64_t deadline_ms;
    char name[ADDRESS_BYTES_MAX + 1]; /* JOIN: the address; WAIT_QUORUM: the supervisor */
    struct gathering *gathering;      /* EVENTS: owned; others: NULL */
    struct output_sink *output;       /* OUTPUT: owned; others: NULL */
};

struct requests {
    struct pending *items;
    size_t count, capacity;
};

void requests_reply(struct node *node, uint64_t id, int status, const char *reason,
                    const char *message);
/* It is answered when this dot is durable. */
struct pending *requests_add(struct node *node, const struct request *request);
/* True: no write is possible now, and the answer says why. */
bool requests_refuse_write(struct node *node, const struct request *request);
/* requests_child.c */
void request_delete_child(struct node *node, const struct request *request);
void requests_written(struct node *node, const struct request *request, struct dot dot);
/* The key says already what the request would write. It is answered as soon as that is durable:
 * mostly at once. */
void requests_repeated(struct node *node, const struct request *request, const struct key *key);
void requests_step(struct node *node, const struct request *request);
void requests_drop(struct node *node, struct pending *pending);     /* the last takes its place */
void requests_client(struct node *node, const struct event *event); /* EVENT_CLIENT */
void requests_settle(struct node *node); /* answers what has become durable */
void requests_message(struct node *node, const struct envelope *envelope);
void requests_welcomed(struct node *node, const char *address);
void requests_refused(struct node *node, const char *address, const char *message);
void requests_end(struct node *node); /* all that still wait are told that the agent stops */
uint64_t requests_deadline(const struct node *node);
void requests_release(struct node *node);

#endif
