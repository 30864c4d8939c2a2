/* The node from within: what its parts share. Only the files of agent/core that make up the node
 * include this, and tests that look inside. Each part owns its struct, in a header of its own:
 *
 * durable.h (identity, counters, log), membership.h (who belongs, who lives), retirement.h (past
 * members), ranking.h (who may run a child), lease_node.h (under whose leave), supervise.h,
 * child.h, engine.h and orphans.h (claims and containers), move.h, registry.h (names), requests.h
 * (users' writes), shown.h and note.h (what users see), output.h (what containers print), stop.h.
 */
#ifndef AGENT_CORE_NODE_PRIVATE_H
#define AGENT_CORE_NODE_PRIVATE_H

#include "agent/core/durable.h"
#include "agent/core/journal.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/newer.h"
#include "agent/core/node.h"
#include "agent/core/output.h"
#include "agent/core/random.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"
#include "agent/core/requests.h"
#include "agent/core/retirement.h"
#include "agent/core/shown.h"
#include "agent/core/stop.h"
#include "agent/core/store.h"
#include "agent/core/supervise.h"
#include "agent/core/swim.h"
#include "agent/core/sync.h"
#include "crdt/hlc.h"

struct node {
    char cluster[NAME_BYTES_MAX + 1], name[NAME_BYTES_MAX + 1], version[NAME_BYTES_MAX + 1];
    char gossip_address[ADDRESS_BYTES_MAX + 1], api_address[ADDRESS_BYTES_MAX + 1];
    char advertise_host[ADDRESS_BYTES_MAX + 1], zone[NAME_BYTES_MAX + 1];
    uint32_t cluster_hash, weight;
    struct label *labels;
    size_t label_count;
    uint64_t drain_timeout_ms, engine_grace_ms, forget_after_ms, start_grace_ms;
    uint64_t cpu_milli, memory_bytes; /* of this machine, for children */
    uint64_t fresh_replica;
    enum profile profile;
    bool pacing_off;

    struct instant now;      /* of the step */
    struct effects *effects; /* of the step */
    uint64_t deadline_ms;    /* as last promised */
    bool stepping, started, stopped;
    uint64_t turn;                /* ticks so far */
    bool dirty;                   /* children wait for a decision: tick at once */
    bool own_writes, user_writes; /* since the last push */
    bool must_sync;               /* after a thaw: nothing starts before one comparison */
    uint64_t must_sync_until_ms;
    int stop_requests;
    bool discovers; /* EVENT_SUGGESTED comes */
    bool detach_on_stop;
    struct detach detach;
    bool leaving;
    uint64_t drained_ms; /* since when all children are handed over, 0: not */

    struct random random;
    struct awmap *map;
    struct hlc hlc;
    struct store store;
    struct swim *swim;
    struct sync *sync;
    struct durable durable;
    struct newer newer;
    struct membership membership;
    struct retirement retirement;
    struct ranking ranking;
    struct leases leases;
    struct supervision supervision;
    struct moves moves;
    struct registry registry;
    struct requests requests;
    struct outputs outputs;
    struct journal journal;
    struct shown shown;
};

#endif
