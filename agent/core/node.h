/* A node: the whole agent as a value that is stepped. Pure: no clock, socket, file, thread,
 * randomness of its own.
 *
 * The shell's contract: node_new; node_restore for every record on disk, oldest first; EVENT_START;
 * then for ever: wait until something happens or node_deadline, step the events in order, at most
 * one EVENT_TICK last, carry out the effects of each step before the next. Everything a step is
 * given is borrowed for that step. */
#ifndef AGENT_CORE_NODE_H
#define AGENT_CORE_NODE_H

#include "agent/core/effect.h"
#include "agent/core/event.h"

struct node;

enum profile { PROFILE_LAN, PROFILE_WAN, PROFILE_LOCAL };

struct node_config {
    const char *cluster;
    const char *node_name;
    const char *gossip_address; /* advertised host:port */
    const char *api_address;    /* as shown to users */
    const char *advertise_host; /* host part of endpoints of names */
    const char *version;
    const struct label *labels;
    size_t label_count;
    const char *zone;                 /* "" if none */
    uint32_t weight;                  /* RING_WEIGHT_DEFAULT */
    uint64_t cpu_milli, memory_bytes; /* what children may have of this machine; 0: not told */
    const char *const *seeds;
    size_t seed_count;
    bool discovers; /* EVENT_SUGGESTED will come: until then others may exist, seeds or not */
    enum profile profile;
    uint64_t start_grace_ms, drain_timeout_ms, engine_grace_ms, forget_after_ms;
    uint64_t random_seed;   /* true randomness from the shell */
    uint64_t fresh_replica; /* a random id, used when the data directory held none or must not be
                               trusted */
    bool detach_on_stop;    /* EVENT_STOP: leave the containers running, for DETACH_MS_DEFAULT */
    bool pacing_off;        /* tests: start everything at once */
};

struct node *node_new(const struct node_config *config); /* copies what it keeps */
void node_free(struct node *node);
/* One record from disk. False: not one of ours. */
bool node_restore(struct node *node, struct span record);

/* Tell the node that something happened; learn what it wants done. Borrows event. Appends to
 * effects, in the order in which they must be carried out. */
void node_step(struct node *node, const struct event *event, struct effects *effects);
/* Monotonic ms; when it next wants EVENT_TICK. */
uint64_t node_deadline(const struct node *node);
/* What a log would hold that had been replaced by a snapshot now, as one record for node_restore;
 * for tests. */
void node_disk(const struct node *node, struct buffer *ret_record);
/* Ends the process with a message if an invariant is broken; for tests. */
void node_check(const struct node *node);

#endif
