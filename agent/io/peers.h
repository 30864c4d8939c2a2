/* The transport between agents: bytes in, bytes out, over nng.
 *
 * Two ports: gossip at --gossip, and bulk at that port + PEERS_BULK_PORT_OFFSET. An agent knows its
 * peers by their gossip address; the other is computed. Best effort in both directions: a message
 * that was sent may never arrive. */
#ifndef AGENT_IO_PEERS_H
#define AGENT_IO_PEERS_H

#include "agent/core/error.h"
#include "agent/io/loop.h"
#include "agent/io/seal.h"

struct peers;

/* 7371 is the API's. */
enum { PEERS_BULK_PORT_OFFSET = 2 };

/* A connection over which nothing was sent for so long is closed; the next send makes another. Who
 * is asked by plan is asked each few seconds (swim_probe.c), so up to SWIM_MESH_MAX members all
 * connections stay, above that log2(n): those to others, made for one question, go. */
enum { PEERS_IDLE_MS = 10000 };

struct peers_options {
    const char *listen;     /* host:port */
    const char *advertised; /* host:port, our own: nothing is ever sent there */
    uint64_t idle_ms;       /* 0: PEERS_IDLE_MS */
    const char *key_file;   /* empty or NULL: messages are not sealed; looked at again and again */
};

/* Listens, and becomes the sink of EFFECT_SEND, EFFECT_RECONNECT and EFFECT_DISCONNECT. Events:
 * EVENT_MESSAGE, EVENT_PEER_BROKEN. Borrows the loop. On failure, too, *ret_peers is to be stopped
 * and freed. */
int peers_open(struct peers **ret_peers, struct loop *loop, const struct peers_options *options,
               struct error *err);
/* Nothing waits to be sent to a peer that is connected. */
bool peers_is_idle(const struct peers *peers);
void peers_read_keys(struct peers *peers); /* again, now */
/* Closes all sockets and handles. False: nng does not let go of a connection (see closer_end), and
 * the process must end without freeing anything of these peers, or of the loop. NULL is fine, for
 * these two. */
bool peers_stop(struct peers *peers);
void peers_free(struct peers *peers); /* after loop_settle */

/* For /metrics. */
struct peers_statistics {
    uint64_t sent, sent_bytes, received, received_bytes;
    uint64_t dropped_full;   /* the queue was */
    uint64_t dropped_stale;  /* too old */
    uint64_t dropped_unsent; /* no connection in time */
    uint64_t reconnects, broken;
    uint64_t refused[SEAL_KIND_COUNT]; /* by seal_open */
    uint32_t key_ids[KEYS_MAX];        /* the first one seals */
    size_t key_count;
    size_t links, connected;
};
struct peers_statistics peers_statistics(const struct peers *peers);

#endif
