/* The typed view of the replicated map: decoded documents, claims, statuses, names and members,
 * kept up to date by the map's feed. The only file that knows which sibling of a key counts.
 * Everything here can be rebuilt from the map.
 *
 * A group is a workload's name with all that is known of its children, whether or not the document
 * (still) exists. A child exists here as long as it is wanted, claimed, has a status or names, or
 * has something running on this node. */
#ifndef AGENT_CORE_STORE_H
#define AGENT_CORE_STORE_H

#include "agent/core/feed.h"
#include "agent/core/electorate.h"
#include "agent/core/index.h"
#include "agent/core/kept.h"
#include "agent/core/key.h"
#include "agent/core/record.h"
#include "crdt/awmap.h"

struct local; /* what this node does for a child: local.h */

struct group;
struct name_entry;

struct children { /* a list without order; a child knows its place in it */
    struct child **items;
    size_t count, capacity;
};

struct holder { /* the children whose winning claim names this node */
    struct children children;
    char name[];
};

struct piece { /* of a state: the bytes are in the map */
    struct state_id id;
    uint32_t index, bytes;
};

struct left_state { /* what a child has left to its successor */
    bool has_record;
    struct state_record record; /* the winning sibling */
    size_t siblings;
    uint64_t ahead_ms; /* monotonic: since when it is ahead of the claim that it tells of, 0: not */
    struct piece *pieces; /* owned; of all states, this one's and those before */
    size_t piece_count;
};

struct child_counts { /* what users see of a workload's children, counted: shown.c */
    uint32_t running, ready, updated, conflicts;
};

struct child_counted { /* what one child adds to them, 0 or 1 each */
    bool running, ready, updated, conflicts;
};

/* There are many: fields of one size stand together, so that there are no holes. */
struct child {
    struct group *group;            /* with its ordinal there: its id, see child_id */
    uint64_t hash;                  /* child_id_hash */
    const struct claim *claim;      /* the winning sibling; owned, kept; NULL: none */
    const struct status *status;    /* that of the claim's epoch, or of the greatest; NULL: none */
    const struct status **statuses; /* all siblings, if there are several; owned, kept */
    struct name_entry *names;       /* in the map, owned by this child: a list by owned_next */
    struct left_state *state;       /* NULL: nothing */
    uint64_t epoch_max;             /* greatest epoch ever seen for this id in this run */
    uint64_t claim_epoch_max; /* ... in a claim: a status of a later one is ahead of its claim */
    uint64_t remember_ms;     /* see held_at_start */
    uint64_t unknown_epoch; /* of a start here of which no list has told yet what became of it; 0 */
    struct feed_item *shown; /* NULL: users do not see it */
    uint64_t shown_life;     /* its epoch as they do: another one has another uid */
    struct local *local;     /* NULL: nothing here */
    struct holder *holder;   /* NULL: no claim */
    uint32_t ordinal;
    uint32_t claim_siblings; /* more than 1: the winner writes once more */
    uint32_t status_siblings;
    uint32_t touched_place;               /* in store.touched_children, from 1; 0: not there */
    uint32_t holder_place, waiting_place; /* from 1; 0: not there */
    struct child_counted counted;         /* in the group's */
    bool held_at_start; /* what the engine shows of it is ours to end, also when the workload is
                           gone, until remember_ms: our own map held its claim at start, or the end
                           of a start is unknown */
    /* bookkeeping of supervise.c */
    bool dirty;            /* stands in the store's dirty list */
    bool free_known;       /* free_since_ms counts */
    bool updated;          /* counts in group->progress.updated */
    uint32_t wake_slot;    /* in the heap of wakes, from 1; 0: not there */
    uint32_t claim_seen_s; /* monotonic: when we first saw a claim of this epoch, 0: not yet */
    uint32_t counted_at; /* its load, in its supervisor's plan: the member's place from 1: load.c */
    uint32_t awaited_s;  /* ... since when its holder may move it and has not, 0: not */
    uint32_t left_s;     /* ... since when keys of it are left that nobody wants or holds, 0: not */
    uint64_t wake_ms;    /* decide again then; UINT64_MAX: not */
    uint64_t free_since_ms;
    const char *pending_reason, *pending_message; /* see store_set_pending */
    uint64_t ready_since_ms; /* monotonic: since when we see it ready with the spec below, 0: not */
    uint64_t ready_hash;
};

/* How the present spec gets on, as this node sees it: child_update.c. */
struct progress {
    uint64_t hash;     /* the spec that the rest speaks of */
    uint32_t replicas; /* ... and how many are wanted */
    uint32_t updated;  /* children that are ready with it, or have ended for good under it */
    uint64_t since_ms; /* monotonic: the last step forward */
    bool complete;     /* once all were, it stays so: what ends later is no update */
    bool late;         /* no step for progressDeadlineSeconds */
};

struct group {
    char ns[NAME_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    bool has_workload;
    bool unreadable;          /* there is a document, of a later version than ours: hands off */
    struct workload workload; /* the last one known, also after its deletion */
    uint64_t version;         /* of the document */
    struct feed_item *shown;
    uint32_t touched_place;
    struct child_counts counts;      /* the sum of its children's */
    bool shown_complete, shown_late; /* of its progress, as last shown */
    uint64_t labels, labels_version; /* a hash, and of which version of the document */
    struct child **children;         /* by ordinal */
    size_t child_count, child_capacity;
    uint64_t finished_since_ms; /* monotonic: since when we see all children finished, 0: not */
    struct progress progress;
    bool update_waiting; /* a child here waits for its siblings' statuses: see child_update.c */
};

struct name_entry {
    const struct name_record *record; /* the winning sibling; kept; NULL: none */
    struct child *owner; /* of that; it exists as long as the name is its; NULL: outside */
    struct name_entry *owned_next; /* of the same owner */
    uint64_t expires_ms;           /* of an outside name: monotonic; 0: its agent counts, not we */
    uint64_t version;
    struct feed_item *shown;
    uint64_t epoch_max;
    uint32_t outside_place; /* in the store's list of outside names, from 1; 0: not there */
    uint32_t touched_place;
    uint32_t siblings;
    uint8_t name_at; /* see name_of */
    char ns[];       /* and the name behind it */
};

struct meta_entry { /* of the registry's meta */
    char *value;    /* JSON text */
    size_t siblings;
    uint64_t version;
    struct feed_item *shown;
    const char *name; /* behind ns */
    char ns[];
};

struct supervisor_entry {
    struct supervisor supervisor;
    uint64_t version;
};

struct rebalance_entry {
    struct rebalance rebalance;
    uint64_t since_ms; /* monotonic: since when we know of it; 0: not looked at yet */
    char supervisor[NAME_BYTES_MAX + 1];
};

struct electorate_entry {            /* of a supervisor, as the map has it */
    struct electorate_record record; /* of a conflict: one of them */
    bool conflict;
    struct electorate_record others; /* of a conflict, its olds: whose leases may run beside it */
    bool crowded;                    /* ... and there are more of them than it can hold */
    uint64_t generation;             /* the greatest of all siblings */
    size_t siblings;
    char name[NAME_BYTES_MAX + 1];
};

/* As last shown: the swim's word of the moment is nobody's but the core's. */
struct member_shown {
    struct feed_item *item;
    const char *phase;        /* static text; NULL: not shown yet */
    const char *listed_phase; /* ... among the members of supervisors; NULL: not yet */
    uint32_t children;        /* claimed there */
    bool lost;                /* dead or left */
};

struct member_apart { /* of which there are several records, or which has left */
    struct cordon cordon;
    uint64_t noted_ms; /* since when retirement.c has known it as it is, 0: not looked at */
};

struct member_entry {
    const struct member_record *record; /* owned, see kept.h */
    struct member_shown *shown;         /* owned; NULL: nobody has looked */
    struct member_apart *apart;         /* owned; NULL: nothing */
    uint64_t version;
    bool touched : 1;
    bool several : 1; /* records; the one above is of the latest run */
    char name[];
};

/* What the store tells of a change, beside its own state. */
struct store_listener {
    void *context;
    /* before: the record that it had, NULL: none; it and its entry are still there */
    void (*member_changed)(void *context, const char *name, const struct member_record *before);
    void (*supervisor_changed)(void *context, const char *name);
};

/* The greatest epoch of children that have been forgotten, so that deleting and re-creating does
 * not reuse one: a table of one place per hash, for this run. Of two ids in one place the later
 * stays. */
enum { STORE_EPOCHS = 16384 };

struct store_epoch {
    uint64_t hash, epoch;
};

struct touched { /* each once; an object knows its place */
    void **items;
    size_t count, capacity;
};

struct store {
    struct index groups;         /* ns 0 name -> struct group */
    struct index names;          /* ns 0 name -> struct name_entry */
    struct index metas;          /* ns 0 name -> struct meta_entry */
    struct index supervisors;    /* name -> struct supervisor_entry */
    struct index members;        /* name -> struct member_entry */
    struct index rebalances;     /* supervisor name -> struct rebalance_entry */
    bool redistribution_changed; /* a supervisor or a rebalance, since redistribute.c looked */
    struct index electorates;    /* supervisor -> struct electorate_entry */
    bool electorates_changed;    /* since leases looked at them */
    struct index holders;        /* node name -> struct holder */
    struct children waiting;     /* for which any change of members may decide: nobody holds them */
    struct name_entry **outside; /* the names whose record is of an outside owner */
    size_t outside_count, outside_capacity;
    bool outside_changed; /* since the registry looked at them */
    uint64_t state_bytes; /* of all pieces */
    size_t child_count;
    uint64_t children_made; /* ever, in this run */
    struct child **dirty;   /* each once */
    size_t dirty_count, dirty_capacity;
    struct feed feed; /* what users see, in the order of change: shown.c */
    /* of which users may see something else than the feed says; NULL: gone meanwhile */
    struct touched touched_children, touched_groups, touched_names;
    char (*touched_members)[NAME_BYTES_MAX + 1];
    size_t touched_member_count, touched_member_capacity;
    bool supervisors_changed;   /* in what users see of them, in this step: beside counts, phases */
    bool claims_changed;        /* since the members' children were counted: shown.c */
    size_t undecodable;         /* siblings that could not be read; reported, kept, passed over */
    struct store_epoch *epochs; /* STORE_EPOCHS of them once there is one */
    struct store_listener listener;
};

void store_release(struct store *store);
/* One changed key of the map's feed. */
void store_apply(struct store *store, const struct awmap_entry *entry);

/* NULL if absent. */
struct group *store_group(const struct store *store, const char *ns, const char *name);
struct child *store_child(const struct store *store, const struct child_id *id);
const char *name_of(const struct name_entry *name);
struct name_entry *store_name(const struct store *store, const char *ns, const char *name);
struct meta_entry *store_meta(const struct store *store, const char *ns, const char *name);
struct supervisor_entry *store_supervisor(const struct store *store, const char *name);
struct member_entry *store_member(const struct store *store, const char *name);
const struct cordon *member_cordon(const struct member_entry *entry);      /* the latest of all */
const struct member_shown *member_shown(const struct member_entry *entry); /* to look at */
struct member_shown *member_shown_of(struct member_entry *entry);          /* made if need be */
struct member_apart *member_apart_of(struct member_entry *entry);          /* the same */
struct rebalance_entry *store_rebalance(const struct store *store, const char *supervisor);
struct electorate_entry *store_electorate(const struct store *store, const char *supervisor);
/* The first after (ns, name) in order; "" "" begins. NULL ends. */
struct group *store_group_after(const struct store *store, const char *ns, const char *name);
struct name_entry *store_name_after(const struct store *store, const char *ns, const char *name);
struct meta_entry *store_meta_after(const struct store *store, const char *ns, const char *name);
struct supervisor_entry *store_supervisor_after(const struct store *store, const char *name);
struct member_entry *store_member_after(const struct store *store, const char *name);
struct rebalance_entry *store_rebalance_after(const struct store *store, const char *supervisor);

/* The child, made if it is not there. */
struct child *store_child_make(struct store *store, const struct child_id *id);
/* Forgets a child about which nothing is known any more. Call when it may have become so; safe
 * otherwise. */
void store_child_tidy(struct store *store, struct child *child);
/* The child's ordinal is wanted by its workload. */
bool child_is_wanted(const struct child *child);
struct child_id child_id(const struct child *child);
bool child_has_id(const struct child *child, const struct child_id *id);
int child_compare(const struct child *a, const struct child *b); /* as child_id_compare */

void store_mark(struct store *store, struct child *child); /* decide about it in the next tick */
void store_mark_all(struct store *store);
/* Those that a change of this member may concern: what it holds, and what nobody holds. */
void store_mark_member(struct store *store, const char *name);
/* At most `max` children after *cursor in order, which moves on; round and round: they are decided
 * about, and held against the feed, whether or not anything is known to have happened. To pass a
 * group without children counts as one, so max must be 2 or more. */
void store_mark_some(struct store *store, struct child_id *cursor, size_t max);
/* A kept one, owned from here on; NULL: none. The one before is dropped. */
void store_set_claim(struct store *store, struct child *child, const struct claim *claim);
/* Whether it stands in store.waiting. */
void store_set_waiting(struct store *store, struct child *child, bool waiting);
/* Its view may have changed: it is held against the feed at the end of the step. */
void store_touch(struct store *store, struct child *child);
void store_touch_group(struct store *store, struct group *group);
void store_touch_name(struct store *store, struct name_entry *name);
void store_touch_member(struct store *store, const char *name);
void store_touch_held(struct store *store, const char *member); /* the children it holds */
void store_touch_names_of(struct store *store,
                          const char *member); /* whether they live: O(names) */
/* As last shown, the member does not live under that replica id any more, or is not known. */
bool store_life_is_lost(const struct store *store, const char *member, uint64_t replica);
/* Of a free child: why nobody may claim it. Static texts, or of a plan; NULL: it is not free. */
void store_set_pending(struct store *store, struct child *child, const char *reason,
                       const char *message);
/* A text that may be somebody's pending message changes, or goes: it is nobody's any more then. */
void store_pending_changed(struct store *store, const char *message, bool goes);
/* Forgets what was touched, and with it the children and groups that only stayed for that. */
void store_touched_clear(struct store *store);
struct child **store_take_dirty(struct store *store,
                                size_t *ret_count); /* the caller frees the array */

#endif
