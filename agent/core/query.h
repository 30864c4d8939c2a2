/* Read-only views of a node for the API and the tests. They look at local state only: no call here
 * waits, fans out or changes anything. Views borrow; they are valid until the next step.
 *
 * Lists are walked by key: pass the key of the last item ("" to begin) and get the next one in
 * order, so that `limit` and `continue` need no state. */
#ifndef AGENT_CORE_QUERY_H
#define AGENT_CORE_QUERY_H

#include "agent/core/feed.h"
#include "agent/core/journal.h"
#include "agent/core/lease.h"
#include "agent/core/node.h"

struct full;              /* record.h */
struct electorate_record; /* electorate.h */

struct workload_view {
    const struct workload *workload;
    uint64_t version;        /* feed position of the last change of the document */
    uint64_t status_version; /* of the last change of what users see: document or status */
    uint32_t running, ready; /* children */
    uint32_t conflicts;      /* children without a name that somebody else has */
    uint32_t updated;        /* children that are ready, or have succeeded, with the present spec */
    bool complete; /* all were once ready for minReadySeconds with the present spec, or had ended */
    bool late;     /* not complete, and no further child was for progressDeadlineSeconds */
};

enum child_phase {
    CHILD_PENDING,
    CHILD_PULLING,
    CHILD_STARTING,
    CHILD_RUNNING,
    CHILD_STOPPING,
    CHILD_SUCCEEDED,
    CHILD_FAILED,
    CHILD_CRASH_LOOP_BACK_OFF,
    CHILD_PHASE_COUNT,
};
const char *child_phase_name(enum child_phase phase); /* as in the API */

struct child_view {
    struct child_id id;
    const struct workload *workload; /* NULL: being removed, its workload is gone */
    char uid[UID_BYTES + 1];         /* of the workload */
    char supervisor[NAME_BYTES_MAX + 1];
    uint64_t version;
    enum child_phase phase;
    char node[NAME_BYTES_MAX + 1]; /* empty: no claim */
    uint64_t epoch;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
    uint32_t restarts;
    bool ready;
    uint64_t spec_hash;  /* of the container that runs or ran */
    uint64_t started_ms; /* wall clock; 0: not */
    char reason[REASON_BYTES_MAX + 1];
    char message[MESSAGE_BYTES_MAX + 1];
    bool has_exit_code;
    int32_t exit_code;
};

struct name_view {
    const char *ns, *name;
    uint64_t version;
    char owner[CHILD_ID_TEXT_BYTES_MAX]; /* child id in text, or "token/" and 16 digits of its hash
                                          */
    const char *node, *address;          /* address: host only */
    uint16_t port;                       /* 0: none */
    uint64_t epoch;
    uint64_t owner_epoch;            /* of the child that has it; 0: it is an outside name */
    const char *value;               /* JSON text or NULL */
    const struct workload *workload; /* of the owner, for labels; NULL if unknown, or outside */
    bool outside;
    uint64_t ttl_ms; /* of an outside name */
    const struct label *labels;
    size_t label_count;
};

struct state_view { /* what a child has left to its successor */
    uint64_t epoch, stamp;
    size_t bytes;
    bool complete; /* all of it is here: query_state_read works */
};

struct meta_view {
    const char *ns, *name;
    uint64_t version;
    const char *value; /* JSON text */
};

struct member_view {
    const char *name;
    uint64_t version; /* of the record */
    uint64_t status_version;
    const char *phase; /* uninitialized, alive, suspect, dead, shutting_down, absent, left */
    char gossip_address[ADDRESS_BYTES_MAX + 1];
    char api_address[ADDRESS_BYTES_MAX + 1];
    uint64_t incarnation;
    uint64_t replica;
    const struct label *labels;
    size_t label_count;
    const char *zone;
    uint32_t weight;
    bool unschedulable;
    bool draining;                    /* ... and hands over what it holds */
    uint64_t cpu_milli, memory_bytes; /* that it has for children; 0: not told */
    uint32_t children;                /* claimed there */
    const struct full *full;          /* what it has no room for, as it says */
    size_t full_count;
    const char *runtime_name, *runtime_version;
    bool runtime_healthy;
    const char *agent_version;
    bool self;
    uint64_t joined_ms; /* wall clock of its record's writing */
};

struct supervisor_view {
    const struct supervisor *supervisor; /* with the defaults if nobody wrote it */
    uint64_t version;                    /* of the document */
    uint64_t status_version;
    bool quorum; /* as this agent sees it; always, if the strategy does not vote */
    bool votes;  /* its strategy asks the members; that none are named is no electorate */
    const struct electorate_record *electorate; /* in effect; NULL: none, or two in conflict */
    bool conflict;
    char electorate_message[MESSAGE_BYTES_MAX + 1]; /* why there is none */
    uint32_t specs, active, workers;                /* Horde.count_children, cluster-wide */
};

struct ring_entry { /* a member of the supervisor, as one who might run the child */
    const char *node;
    bool candidate; /* they come first, in order of rank */
    bool holder;
    const char *reason; /* why it is none; empty for candidates */
    const char *message;
};

struct ring_view { /* who would run a child, and why */
    struct child_id id;
    const char *supervisor, *strategy;
    const char *holder;     /* empty: nobody */
    const char *state;      /* of the claim: pulling, claimed, released, finished; empty: none */
    const char *offered_to; /* empty: nobody */
    uint64_t epoch;
    const char *reason, *message; /* why nobody may run any of its children; empty */
    struct ring_entry *entries;   /* owned */
    size_t count;
};

struct move_view { /* a child that belongs elsewhere, or is on its way */
    struct child_id id;
    const char *from, *to; /* from: empty if it is free by now */
    bool under_way;
    char reason[MESSAGE_BYTES_MAX + 1];
};

struct rebalance_view {
    bool active, asked;
    const char *node; /* that was asked */
    uint64_t asked_ms;
    size_t wanted, under_way; /* children */
};

/* *_get: false if there is none. *_next: the first with a key greater than the one given; ns NULL:
 * all namespaces. */
bool query_workload(const struct node *node, const char *ns, const char *name,
                    struct workload_view *ret);
bool query_workload_next(const struct node *node, const char *ns, const char *after_ns,
                         const char *after_name, struct workload_view *ret);
bool query_child(const struct node *node, const struct child_id *id, struct child_view *ret);
bool query_child_next(const struct node *node, const char *ns,
                      const struct child_id *after /* NULL: begin */, struct child_view *ret);
bool query_name(const struct node *node, const char *ns, const char *name, struct name_view *ret);
bool query_name_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct name_view *ret);
/* False: none of this workload's child. */
bool query_state(const struct node *node, const struct child_id *id, struct state_view *ret);
/* Appends it. False: not complete, or damaged. */
bool query_state_read(const struct node *node, const struct child_id *id, struct buffer *ret_bytes);
bool query_meta(const struct node *node, const char *ns, const char *name, struct meta_view *ret);
bool query_meta_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct meta_view *ret);
bool query_member(const struct node *node, const char *name, struct member_view *ret);
bool query_member_next(const struct node *node, const char *after, struct member_view *ret);
bool query_supervisor(const struct node *node, const char *name, struct supervisor_view *ret);
bool query_supervisor_next(const struct node *node, const char *after, struct supervisor_view *ret);
/* A member of the supervisor: name and phase, in order of name. For `auto` all who joined. */
bool query_supervisor_member_next(const struct node *node, const char *supervisor,
                                  const char *after, const char **ret_name, const char **ret_phase);

/* explain.c. False: no such child. ring_view_release whenever true. */
bool query_ring(const struct node *node, const struct child_id *id, struct ring_view *ret);
void ring_view_release(struct ring_view *view);
/* Whether or not anything moves them. */
bool query_move_next(const struct node *node, const char *supervisor,
                     const struct child_id *after /* NULL: begin */, struct move_view *ret);
bool query_rebalance(const struct node *node, const char *supervisor, struct rebalance_view *ret);
/* It is active, or a rebalance was asked for. */
bool query_moves_any(const struct node *node, const char *supervisor);

bool query_is_looked_at(const struct node *node); /* by EVENT_LOOK: else what follows is empty */
uint64_t query_position(
    const struct node *node); /* of the feed: greater than or equal to every version */
/* What changed after a position, in order: at most `max` (see feed.h). A list that is made now has
 * everything up to query_position, and nothing later. */
size_t query_changes(const struct node *node, enum feed_resource resource, uint64_t position,
                     const struct feed_item **ret_items, size_t max);
/* Who stands before it may have missed that something went. */
uint64_t query_compacted(const struct node *node, enum feed_resource resource);
const struct journal *query_journal(const struct node *node);
uint64_t query_digest(const struct node *node);             /* equal maps have equal digests */
bool query_covers(const struct node *node, struct dot dot); /* that write has arrived here */
bool query_ready(const struct node *node); /* the map is loaded and the agent is not draining */
bool query_stopping(const struct node *node);
struct query_counts {
    size_t keys, tombstones, workloads, children, names, members, containers, pending_requests;
    size_t log_readers; /* of containers here */
};
struct query_counts query_counts(const struct node *node);

/* How often this agent has noted an event of that reason in this run. False: there are no more. */
bool query_event_count(const struct node *node, size_t index, const char **ret_reason,
                       uint64_t *ret_count);
/* For /metrics: one pass over all children. */
struct query_phases {
    size_t children[CHILD_PHASE_COUNT];
};
struct query_phases query_phases(const struct node *node);
/* Children of one supervisor that a member has claimed and not given up. */
struct query_supervised {
    size_t global, local; /* in the cluster; by this agent */
};
struct query_supervised query_supervised(const struct node *node, const char *supervisor);
/* Of one supervisor, at this agent. All 0: it has never asked for one. */
struct lease_counts query_leases(const struct node *node, const char *supervisor);
size_t query_grants(const struct node *node); /* children that this agent has granted to anybody */
/* Name and phase of each member that joined: query_member_next without what takes time. */
bool query_member_phase_next(const struct node *node, const char *after, const char **ret_name,
                             const char **ret_phase);

#endif
