/* Keeping the replicated maps of all members equal: pushes at once, walks and full comparisons on
 * demand, digests when summaries differ. Uses crdt/exchange.h for what is in the bodies; decides
 * whom to tell what and when. Pure.
 *
 * - A change goes at once to every alive peer up to SYNC_MESH_MAX (32); above that to SYNC_FANOUT
 *   of log2(n) fixed ones, who relay what was new to them. Pushes to one peer coalesce: the slice
 * is cut when it is sent.
 * - A gap in a push, or a digest that differs twice running, asks for a walk; behind a horizon, or
 *   equal `seen` with unequal content, asks for a full comparison (of the differing buckets).
 * - Sessions send chunks on CHANNEL_BULK with a credit window; lost chunks are sent again. One
 *   without progress for SYNC_SESSION_IDLE_MS is dropped and may be begun again with another peer.
 * - A push whose writer waits for an acknowledgement asks for one: the receiver answers with its
 *   `seen` of the writer. While a user waits, slices are repeated.
 * - Equal maps are silent: without writes, and while summaries are equal, nothing is sent. */
#ifndef AGENT_CORE_SYNC_H
#define AGENT_CORE_SYNC_H

#include "agent/core/effect.h"
#include "agent/core/swim.h"
#include "crdt/exchange.h"
#include "crdt/hlc.h"

enum {
    SYNC_MESH_MAX = 32,
    SYNC_FANOUT = 4,
    SYNC_SESSIONS_MAX = 64,
    SYNC_CREDIT_CHUNKS = 4,
    SYNC_SESSION_IDLE_MS = 2000,
};

struct sync;

struct sync *sync_new(struct awmap *map, uint64_t seed); /* borrows the map */
void sync_free(struct sync *sync);
/* Our own name: above SYNC_MESH_MAX peers, each relays to its successor by name too, so that nobody
 * is left out by chance. Without it all of the SYNC_FANOUT are chosen at random. */
void sync_set_self(struct sync *sync, const char *name);

/* A peer we may talk to: a member (or a seed that has welcomed us) with its address. alive: pushes
 * go to it, from the writes after this on; sync_compare brings what it missed. The texts are
 * borrowed: the name until sync_remove_peer, the address until that, the next sync_set_peer or
 * sync_move_peer. */
void sync_set_peer(struct sync *sync, const char *name, const char *address, bool alive);
void sync_move_peer(struct sync *sync, const char *name, const char *address); /* if it is one */
void sync_remove_peer(struct sync *sync, const char *name);

/* The map has new own writes: tell the peers. ack: a user waits for the second member. */
void sync_push(struct sync *sync, uint64_t now_ms, bool ack, struct effects *effects);
/* It is among those that we push to: all that are alive up to SYNC_MESH_MAX, above that our
 * fingers. Who comes back is compared with by these only, not by thousands at once: each comparison
 * is as long as there are members. The others learn of what differs by summaries. */
bool sync_is_near(const struct sync *sync, const char *name);
/* Begin an exchange in both directions with this peer now (after a join, a heal, a thaw). */
void sync_compare(struct sync *sync, uint64_t now_ms, const char *name, struct effects *effects);
/* A peer's digest summary arrived with a probe. */
void sync_note_summary(struct sync *sync, uint64_t now_ms, const char *name,
                       const uint8_t summary[16], struct effects *effects);
/* A body of a sync message from a peer. May change the map: the caller drains the map's feed after.
 * False: garbage. */
bool sync_receive(struct sync *sync, uint64_t now_ms, const char *from, struct span body,
                  struct effects *effects);
/* May change the map as well. */
void sync_tick(struct sync *sync, uint64_t now_ms, struct effects *effects);
uint64_t sync_deadline(const struct sync *sync);    /* UINT64_MAX: none */
void sync_thaw(struct sync *sync, uint64_t now_ms); /* restart the idle timers of sessions */

/* Some peer's `seen` covers this dot. */
bool sync_acknowledged(const struct sync *sync, struct dot dot);
/* A comparison with some peer, in the direction from it to us, was begun and completed after
 * sync_restart_compared (or ever). */
bool sync_compared(const struct sync *sync);
void sync_restart_compared(struct sync *sync);
/* The greatest counter of the map's writer that any peer has claimed to have seen (an old disk
 * image shows itself so); of others 0. */
uint64_t sync_peer_seen_max(const struct sync *sync, uint64_t replica);
bool sync_has_alive_peer(const struct sync *sync);

/* The body is borrowed for the call. Not set: effects_send of the bare body. */
typedef void (*sync_send_function)(void *context, const char *address, enum channel channel,
                                   struct span body, struct effects *effects);
void sync_set_send(struct sync *sync, sync_send_function send, void *context);

#endif
