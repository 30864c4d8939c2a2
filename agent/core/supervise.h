/* The children of this node, all together: supervise.c (when each is looked at),
 * supervise_done.c (what the engine has done), supervise_queue.c (who waits for it), wake.c. */
#ifndef AGENT_CORE_SUPERVISE_H
#define AGENT_CORE_SUPERVISE_H

#include "agent/core/engine.h"
#include "agent/core/index.h"
#include "agent/core/orphans.h"

struct child;
struct event;
struct node;

enum { IMAGES_MAX = 1024 }; /* beyond that all are asked for once more */

struct supervision {
    struct operation operations[OPERATIONS_MAX];
    size_t operation_count;
    uint64_t last_operation;
    size_t starts_in_flight, stops_in_flight, pulls_in_flight, probes_in_flight;
    struct child **queue; /* children that want to start, in order of wish */
    size_t queue_count, queue_capacity;
    bool queue_sorted;
    struct child **stop_queue;
    size_t stop_queue_count, stop_queue_capacity;
    struct child **probe_queue;
    size_t probe_queue_count, probe_queue_capacity;
    struct index intensities; /* supervisor name -> struct intensity: escalate.c */
    struct index images; /* image reference -> (void *)1: known to be here; at most IMAGES_MAX */
    bool engine_healthy, engine_listed; /* the driver reaches it; at least one list has come */
    bool engine_told;                   /* the driver has said anything of it in this run */
    bool engine_declared;               /* what our member record says */
    uint64_t engine_lost_ms;
    char engine_name[NAME_BYTES_MAX + 1], engine_version[NAME_BYTES_MAX + 1];
    char engine_message[MESSAGE_BYTES_MAX + 1];
    bool relist;        /* something is missing: ask for a list */
    uint64_t relist_ms; /* ... but not before */
    uint64_t listed_ms; /* the last list, come or asked for */
    struct orphans orphans;
    uint64_t children_made;       /* by the store, when they were last looked for */
    bool compared;                /* with a peer, as of the last tick */
    bool settled;                 /* decisions are allowed: see supervise_is_open */
    uint64_t sweep_ms;            /* when some children are looked at again */
    struct child_id sweep_cursor; /* ... which ones were last */
    struct child **wakes;         /* a heap by wake_ms: wake.c */
    size_t wake_count, wake_capacity;
    size_t containers;      /* known here */
    bool draining, killing; /* EVENT_STOP or leave; the drain timeout has passed */
    uint64_t drain_ms;      /* when it began */
};

void supervise_event(struct node *node, const struct event *event);
void supervise_tick(struct node *node);
uint64_t supervise_deadline(const struct node *node);
void supervise_log_synced(struct node *node);
void supervise_release(struct node *node);
void supervise_drain(struct node *node);
bool supervise_is_drained(const struct node *node);
bool supervise_is_open(const struct node *node);
void supervise_start_held(struct node *node); /* marks what our own map claimed at start */
void supervise_done(struct node *node, const struct event *event); /* supervise_done.c */

/* supervise_queue.c: who waits for room in the engine */
void supervise_queue_start(struct node *node, struct child *child);
void supervise_queue_stop(struct node *node, struct child *child);
void supervise_run_starts(struct node *node);
void supervise_run_stops(struct node *node);
/* May it be asked now? If not it waits its turn, first come, first served. */
bool supervise_probe_turn(struct node *node, struct child *child);
void supervise_run_probes(struct node *node);

/* wake.c: when a child is to be looked at again */
void wake_update(struct supervision *supervision, struct child *child); /* after wake_ms changed */
struct child *wake_first(const struct supervision *supervision);        /* NULL: none */

#endif
