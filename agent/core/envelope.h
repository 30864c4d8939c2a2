/* The frame of every message between agents: who sends it, for which cluster, and what kind it is.
 * Sealing with the cluster key happens outside, in the transport. */
#ifndef AGENT_CORE_ENVELOPE_H
#define AGENT_CORE_ENVELOPE_H

#include "agent/core/ident.h"

enum message_type {
    MESSAGE_SWIM = 1,
    MESSAGE_SYNC,
    MESSAGE_JOIN,       /* body: struct greeting. "I belong to your cluster; this is my address" */
    MESSAGE_WELCOME,    /* body: struct greeting of the one who welcomes */
    MESSAGE_REFUSED,    /* body: struct greeting with reason and message; taken from any cluster */
    MESSAGE_CHILD_STOP, /* body: a user's DELETE of a child, for its holder */
    MESSAGE_CHILD_STOPPED, /* body: the holder's answer */
    MESSAGE_EVENTS_ASK,    /* body: an id, and how many bytes may be answered: see gather.c */
    MESSAGE_EVENTS,        /* body: that id, then entries of a journal, the newest first */
    MESSAGE_PREPARE,       /* body: a child that its holder has offered us, and how far we are */
    MESSAGE_OUTPUT_ASK,    /* body: what somebody wants of a child's output: see output_sink.c */
    MESSAGE_OUTPUT,        /* body: a piece of it */
    MESSAGE_OUTPUT_TAKEN,  /* body: how far it has come */
    MESSAGE_LEASE_ASK,     /* body: struct lease_ask */
    MESSAGE_LEASE_GRANT,   /* body: struct lease_grant */
    MESSAGE_ELECTORATE,    /* body: see electorate_step.c */
    MESSAGE_ORPHANS_ASK,   /* body: an id, and whether they are to end: see orphans.c */
    MESSAGE_ORPHANS,       /* body: that id, a status, and what there is */
    MESSAGE_TYPE_END,
};

struct envelope {
    enum message_type type;
    uint32_t cluster; /* hash of the cluster's name */
    char from[NAME_BYTES_MAX + 1];
    struct span body; /* borrowed */
};

/* The first byte of a message, whatever its version; 0: there is none. */
enum { ENVELOPE_VERSION = 1 };
uint8_t envelope_version(struct span bytes);

uint32_t envelope_cluster(const char *cluster);
void envelope_encode(const struct envelope *envelope, struct buffer *buffer);
bool envelope_decode(struct envelope *ret_envelope, struct span bytes);

/* What agents tell each other when they meet. */
struct greeting {
    uint64_t replica;
    uint64_t boot;
    char address[ADDRESS_BYTES_MAX + 1]; /* where the sender listens */
    char contact[ADDRESS_BYTES_MAX + 1]; /* JOIN: where it was sent to; echoed in the answer */
    char reason[REASON_BYTES_MAX + 1];   /* REFUSED */
    char message[MESSAGE_BYTES_MAX + 1]; /* REFUSED */
};

void greeting_encode(const struct greeting *greeting, struct buffer *buffer);
bool greeting_decode(struct greeting *ret_greeting, struct span body);

#endif
