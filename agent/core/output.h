/* What containers have printed, from the agent that has it (output_source.c) to the reader's
 * (output_sink.c). */
#ifndef AGENT_CORE_OUTPUT_H
#define AGENT_CORE_OUTPUT_H

#include "agent/core/request.h"
#include "crdt/bytes.h"

struct envelope;
struct event;
struct node;
struct operation;
struct output_sink;
struct pending;

struct output_source {
    char reader[NAME_BYTES_MAX + 1]; /* the agent of who reads ... */
    uint64_t request;                /* ... and its request */
    uint64_t operation;              /* of the engine, 0: it has ended */
    struct buffer kept;              /* not known to have arrived at the reader's agent */
    uint64_t kept_from;              /* offsets in the whole: where that begins, */
    uint64_t sent;                   /* how far it was sent, */
    uint64_t granted;                /* how far the engine may tell, */
    uint64_t taken;                  /* and how far the client has taken it */
    uint64_t heard_ms, sent_ms, engine_ms;
    bool follow, ended, last_sent;
    int status; /* of the end: 200, or what went wrong */
    char message[MESSAGE_BYTES_MAX + 1];
};

struct outputs {
    struct output_source *sources; /* RUNTIME_OUTPUTS_IN_FLIGHT_MAX of them once there is one */
    size_t source_count;
};

struct output_piece {
    uint64_t request, offset;
    bool last;
    int status; /* of the last one */
    char message[MESSAGE_BYTES_MAX + 1];
    struct span bytes;
};

struct output_question {
    char reader[NAME_BYTES_MAX + 1];
    uint64_t request;
    uint32_t hops; /* how often it may still be passed on */
    struct child_id child;
    struct output_wish wish;
};

void output_begin(struct node *node, const struct request *request);
/* The client has taken some of it, or is gone. */
void output_client(struct node *node, const struct pending *pending, const struct event *event);
void output_sink_free(struct output_sink *sink); /* NULL is allowed */
void output_sink_message(struct node *node, const struct envelope *envelope);
/* from: the agent that has it. False: nobody here reads that any more. */
bool output_sink_take(struct node *node, const char *from, const struct output_piece *piece);
void output_sink_served_here(struct node *node, uint64_t request);
void output_sinks_tick(struct node *node);
uint64_t output_sinks_deadline(const struct node *node);
/* From the child's container if it is here, else the question goes on to who has it. */
void output_ask(struct node *node, struct output_question *question);
void output_source_message(struct node *node, const struct envelope *envelope);
void output_source_heard(struct node *node, const char *reader, uint64_t request, uint64_t received,
                         uint64_t taken, bool gone);
void output_from_engine(struct node *node, const struct event *event);
void output_done(struct node *node, const struct operation *operation, const struct event *event);
void output_tick(struct node *node);
uint64_t output_deadline(const struct node *node);
void output_end(struct node *node); /* we stop: readers elsewhere are told */
void output_release(struct node *node);
void output_send_taken(struct node *node, const char *holder, uint64_t request, uint64_t received,
                       uint64_t taken, bool gone);

#endif
