/* The node's word to its disk: identity, counters, the log. durable.c */
#ifndef AGENT_CORE_DURABLE_H
#define AGENT_CORE_DURABLE_H

#include "agent/core/limits.h"
#include "crdt/dot.h"

struct buffer;
struct key;
struct node;

/* What our own record of membership says of who wrote it. Zeroes: there is none. */
struct recorded {
    uint64_t run, writer; /* a run writes it under one id only */
};

struct durable {
    uint64_t replica, writer, boot;
    uint64_t counter_ceiling;  /* dots up to here are reserved, once ceiling_sequence is durable */
    uint64_t counter_safe;     /* ... and up to here already are */
    uint64_t counter_reserved; /* what the run before had reserved */
    struct recorded recorded;  /* ... and had told the members, as far as the disk knows */
    bool unclean;              /* ... and it did not stop in good order */
    uint64_t ceiling_sequence; /* the log record that reserved them */
    bool restored;             /* the data directory held an identity */
    uint64_t sequence;         /* last log record asked for */
    uint64_t synced;           /* last one known durable */
    bool failed;
    uint64_t room_bytes;
    char message[MESSAGE_BYTES_MAX + 1];
    uint64_t log_bytes, snapshot_bytes; /* since the last snapshot; size of that */
    bool skew_reported;
};

/* What a write's log record is called until the step has settled; then all of it is in the last
 * record. */
#define SEQUENCE_NEXT UINT64_MAX

void durable_start(struct node *node);
/* Everything that changed in the map goes to the store and the log. */
void durable_settle(struct node *node);
/* One item of a kind that is not the map's; returns the log record that will have it. */
uint64_t durable_write(struct node *node, char type, const struct buffer *item);
void durable_push(struct node *node);            /* our own writes go to the peers */
bool durable_may_write(const struct node *node); /* identity and counters are safe */
void durable_synced(struct node *node, uint64_t sequence);
bool durable_has_room_for(const struct node *node, uint64_t bytes);
bool durable_has_room(const struct node *node); /* for users' writes and new claims */
void durable_fresh_writer(struct node *node, const char *why); /* see durable.c */
/* After a comparison: peers know of us what this disk should, and does not. counter_seen: the
 * greatest of this writer that a peer has. */
bool durable_is_old(const struct node *node, uint64_t counter_seen);
void durable_fresh_replica(struct node *node); /* a peer knows more of our dots than we do */
void durable_end(struct node *node);           /* a clean stop: the counter needs no reserve */
struct dot node_put(struct node *node, const struct key *key, const struct buffer *value);
struct dot node_remove(struct node *node, const struct key *key);

#endif
