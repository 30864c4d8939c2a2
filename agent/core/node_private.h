/* The node from within: what its parts share. Only the files of agent/core that make up the node
 * include this.
 *
 * Parts and their files: durable (log, identity, counters), membership (who belongs, who lives),
 * retirement (past members), ranking and room (who may run a child), supervise (claims and
 * containers), registry (names), shown (the feed of what users see), registry_outside (names of
 * outside processes), requests (users' writes). Each part owns its struct here. */
#ifndef AGENT_CORE_NODE_PRIVATE_H
#define AGENT_CORE_NODE_PRIVATE_H

#include "agent/core/envelope.h"
#include "agent/core/journal.h"
#include "agent/core/lease.h"
#include "agent/core/local.h"
#include "agent/core/node.h"
#include "agent/core/query.h"
#include "agent/core/random.h"
#include "agent/core/store.h"
#include "agent/core/swim.h"
#include "agent/core/sync.h"
#include "crdt/hlc.h"
#include "placement/strategy.h"

/* --- durable.c: identity, counters, the log -------------------------------------------------- */

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

/* --- membership.c ---------------------------------------------------------------------------- */

struct contact { /* an address where we try to join */
    char address[ADDRESS_BYTES_MAX + 1];
    uint64_t next_ms;
    uint32_t tries;
    bool seed; /* somebody gave it to us: it is asked again if who welcomed us is forgotten */
    char member[NAME_BYTES_MAX + 1]; /* who has welcomed us there; empty: nobody yet */
};

enum {
    GREET_EVERY_MS = 30000,
    GREET_STRANGER_MS = 1000,
    GREET_STRANGER_FIRST_MS = 5000, /* from the start on */
    NOTED_ALIVE_MAX = 32,           /* in clusters of more, who is alive is no news */
};

struct member {    /* somebody we talk to, recorded in the map or only just met */
    char *address; /* owned; swim and sync borrow it, and the name: see member_address */
    uint64_t met_replica,
        met_boot;             /* as it said at the last meeting in this run; replica 0: none */
    uint64_t dead_ms;         /* since when, 0: not dead */
    uint64_t absent_run;      /* the run whose detach was last noted, 0: none; see absence.c */
    uint64_t absent_until_ms; /* 0: not, or not any more */
    bool recorded;            /* has a record in the map that is not `left` */
    char name[];
};

enum { CONTACTS_MAX = 128 };

struct membership {
    struct index members; /* name -> struct member; never ourselves */
    struct contact contacts[CONTACTS_MAX];
    size_t contact_count;
    bool record_dirty;      /* our own record must be written again */
    uint64_t record_due_ms; /* ... but not before */
    enum member_wish wish;
    struct cordon cordon;
    bool drained_told;   /* since it drains: that nothing is left here */
    uint64_t refused_ms; /* since when our name is refused, 0: not */
    char refusal[MESSAGE_BYTES_MAX + 1];
    uint64_t stranger_ms; /* when one who does not know us may be greeted */
    uint64_t greet_ms;    /* when a member is greeted again, in case we were forgotten */
    uint64_t absence_ms;  /* when the first absence may be over; UINT64_MAX: there is none */
    uint64_t compare_ms;  /* when to try the next comparison while none has worked */
    uint64_t forget_ms;   /* when to look again for who has been dead for too long */
    uint64_t started_ms;
    bool settled;        /* see membership_is_settled */
    uint64_t generation; /* grows when anything that placement looks at changes */
    struct declined declined[MEMBER_DECLINED_MAX];
    size_t declined_count;
    struct full full[MEMBER_FULL_MAX]; /* as told; see room.c */
    size_t full_count;
    bool full_dirty; /* ... and to be told in this tick */
};

void membership_start(struct node *node);
struct store_listener membership_listener(struct node *node);
void membership_release(struct node *node);
void membership_message(struct node *node, const struct envelope *envelope);
void membership_tick(struct node *node);
uint64_t membership_deadline(const struct node *node);
void membership_thaw(struct node *node);
bool membership_add_contact(struct node *node, const char *address, bool seed);
/* The member is dropped: seeds where it has welcomed us are asked again. */
void membership_reopen_contacts(struct node *node, const char *member);
void membership_set_wish(struct node *node, enum member_wish wish);
void membership_record_changed(struct node *node);
bool membership_declined(const struct node *node, const struct member_record *record,
                         const struct child_id *child);
void membership_decline(struct node *node, const struct child_id *child, uint64_t epoch,
                        const char *reason);
/* We have, whatever our record in the map says yet. */
bool membership_declines(const struct node *node, const struct child_id *child);
void membership_write_record(struct node *node); /* membership_record.c */
/* Placement must be thought over: for all, or for what a change of this member may concern. */
void membership_bump(struct node *node);
void membership_bump_for(struct node *node, const char *name);
struct member *member_find(const struct node *node, const char *name);
struct member *member_make(struct node *node, const char *name);
void member_address(struct node *node, struct member *member, const char *address);
bool member_phase_is_reachable(enum placement_phase phase);
/* membership_greet.c */
void membership_try_contacts(struct node *node);
void membership_greet_again(struct node *node, const struct member *member);
/* Compared with a peer, or nobody answered for SYNC_BEFORE_WRITE_MS, or nobody is known. */
bool membership_is_settled(const struct node *node);
/* No reachable member's name comes before ours: what any may do, but one should, is ours. */
bool membership_is_first(const struct node *node);
enum placement_phase member_phase(const struct node *node, const char *name);
const char *member_phase_text(const struct node *node, const char *name);
void node_send(struct node *node, const char *address, enum message_type type,
               const struct buffer *body);
void node_send_bulk(struct node *node, const char *address, enum message_type type,
                    const struct buffer *body);

/* --- absence.c: who is away while its containers live on ---------------------------------------
 */

/* It has said that it will be back, and its time is not over: what it holds is left to it. */
bool member_is_absent(const struct node *node, const char *name);
void absence_note(struct node *node, struct member *member, const struct member_record *record);
void absence_tick(struct node *node);
void absence_thaw(struct node *node); /* we were away: nobody's time ends before we could hear it */

/* --- retirement.c: what past members have left ----------------------------------------------- */

struct retirement {
    uint64_t sweep_ms;     /* when to look again */
    struct vector unowned; /* at the last sweep: writers of no member, and what was known of them */
    struct vector stable;  /* `seen` as it was when stable_ms was set; empty if nothing needs it */
    uint64_t stable_ms;    /* when that is old enough */
};

void retirement_tick(struct node *node);
void retirement_release(struct node *node);

/* --- ranking.c ------------------------------------------------------------------------------- */

enum quorum {
    QUORUM_HELD,    /* always, if the strategy does not vote */
    QUORUM_UNKNOWN, /* those of whom nothing was heard yet may make it: nothing starts or stops */
    QUORUM_LOST,
    QUORUM_NO_ELECTORATE, /* the strategy votes, and no electorate is in effect */
    QUORUM_CONFLICT,      /* two are */
};

/* Members of further zones count as those of the last: few clouds have more than a handful. */
enum { ZONES_MAX = 16 };

struct supervisor_plan { /* the members of one supervisor, prepared */
    char name[NAME_BYTES_MAX + 1];
    uint64_t generation; /* of the membership, at the last look */
    bool outdated;       /* to be built anew: what is borrowed may be gone */
    bool members_auto;
    const struct placement_strategy *strategy;
    struct placement_member *members;     /* names and zones are borrowed */
    const struct member_record **records; /* borrowed */
    uint32_t self;                        /* our index, RANK_NONE: not a member */
    size_t selective;    /* members that refuse something: eligibility differs per child */
    uint64_t able_sum;   /* of the places of those that may run anything, hashed */
    uint64_t count_turn; /* the tick in which own_claims was counted */
    uint32_t own_claims;
    uint64_t others_turn; /* ... and in which others_room was */
    int64_t others_room;
    uint32_t max_children; /* 0: no limit */
    uint64_t room_ms;      /* we have said that there is room again: nothing is taken before */
    size_t zone_count;     /* different ones among the members; at most ZONES_MAX */
    char zones[ZONES_MAX][NAME_BYTES_MAX + 1];  /* sorted */
    struct placement_member *judged;            /* the members, as judged for one child; or NULL */
    size_t count, eligible;                     /* members; those that may take anything */
    enum quorum quorum, quorum_seen;            /* now; at the last look of quorum_tick */
    char quorum_message[MESSAGE_BYTES_MAX + 1]; /* of no electorate, or a conflict */
    uint64_t regained_ms; /* when we had a quorum again: what the others did meanwhile comes soon */
    uint64_t ring_hash;   /* of the names and weights that the ring was built from */
    uint64_t load_turn;   /* the turn in which the members' loads were counted: load.c */
    uint64_t able_hash, changed_ms; /* who may run anything, and since when it has been so */
    struct ring ring;
};

struct ranking {
    uint64_t quorum_generation; /* of membership, at the last look */
    struct index plans;         /* supervisor name -> struct supervisor_plan */
};

/* Who has a quorum again hears first what the others did meanwhile. */
enum { QUORUM_REGAINED_MS = 1000 };
enum { RANKS_MAX = 64 };
enum { DRAWS_MAX = 64 }; /* of two members the same one is not drawn so often in a row */
enum { RANK_NONE = UINT32_MAX };

/* The candidates for a child, in order of rank. A child is placed as if it were free: of its holder
 * it only counts whether it may go on there. */
struct candidates {
    uint32_t holder; /* RANK_NONE: it is free */
    uint64_t epoch;
    uint32_t ranks[RANKS_MAX];
    size_t count;
    bool no_room;   /* somebody could have run it, but has no room */
    bool full_here; /* ... and that is us */
};

/* holder and epoch are given. */
void ranking_choose(struct node *node, struct supervisor_plan *plan, const struct child *child,
                    struct candidates *candidates);
uint32_t ranking_find(const struct supervisor_plan *plan, const char *name);
bool ranking_labels_match(const struct member_record *record, const struct workload *workload);
bool ranking_has_room(struct node *node, struct supervisor_plan *plan, size_t at,
                      const struct child *child);
/* The child may stay with that member, its holder. */
bool ranking_may_keep(const struct supervisor_plan *plan, size_t at, const struct child *child);
void ranking_release(struct node *node);
void ranking_supervisor_changed(struct node *node, const char *name);
/* What the plans have of that member, or of any. Of a record while the one before is still there.
 */
void ranking_member_changed(struct node *node, const char *name);
void ranking_members_changed(struct node *node);
void ranking_check(const struct node *node); /* asserts */
/* The supervisor's values; the two that exist from the start need no document. False: no such
 * supervisor. */
bool ranking_supervisor(const struct node *node, const char *name, struct supervisor *ret_borrowed);
struct supervisor_plan *ranking_plan(struct node *node,
                                     const char *supervisor); /* NULL: no such supervisor */
/* Our rank among the candidates for the child, which is free, or RANK_NONE; *ret_reason and
 * *ret_message say why nobody can ("" if others can). If only room is lacking here, the others are
 * told so. */
uint32_t ranking_of_self(struct node *node, const struct child *child, const char **ret_reason,
                         const char **ret_message);
/* Its strategy looks at what children ask for: who has no room may have some at any moment. */
bool ranking_weighs(struct node *node, const struct child *child);
bool ranking_has_other(struct node *node,
                       const struct child *child); /* somebody else could take it */
/* Who is to run it, while another member holds it, and in which epoch, greater than all that are
 * known here. NULL: it stays. */
const char *ranking_preferred(struct node *node, const struct child *child, uint64_t *ret_epoch);
/* That member may take it, of itself and as far as it has room. If that is us, and we have none,
 * the others are told so. */
bool ranking_would_take(struct node *node, const struct child *child, const char *member);
/* The supervisor's members are a list, and we do not stand in it. */
bool ranking_excludes_self(struct node *node, const struct child *child);
/* We are the one who removes what nobody holds: the first alive member in ring order, whatever the
 * supervisor, which may be gone. */
bool ranking_cleans_up(struct node *node, const struct child *child);
/* When our turn to claim it comes, having had this rank since it was free. */
uint64_t ranking_turn_ms(struct node *node, const struct child *child, uint32_t rank);

/* --- load.c: what children ask for, of what members have ---------------------------------------
 */

/* Counts it for the turn, if the plan's strategy weighs it at all. */
void load_refresh(struct node *node, struct supervisor_plan *plan);
void load_put(struct supervisor_plan *plan, size_t at, const struct child *child);
void load_take(struct supervisor_plan *plan, size_t at, const struct child *child);
/* Beside what is counted there. Always, if the strategy does not weigh it. */
bool load_fits(const struct supervisor_plan *plan, size_t at, const struct child *child);

/* --- room.c: how many children we may hold, and who is told ----------------------------------- */

bool room_here(struct node *node, struct supervisor_plan *plan);
void room_note_claim(struct node *node, const struct child *child); /* we claim it in this tick */
/* The member has said that it takes no such child. */
bool room_is_refused(const struct node *node, const struct member_record *record,
                     const char *supervisor, int32_t priority);
/* The others have room for one more of its children, as far as claims tell: that one leaves here
 * now. What is on its way already is counted. */
bool room_elsewhere(struct node *node, struct supervisor_plan *plan);
void room_tell_full(struct node *node, const struct supervisor_plan *plan);
void room_tick(struct node *node);
/* In the same push as the claims that fill us: who hears the one without the other would take what
 * we have claimed. */
void room_tell(struct node *node);
/* Who comes first where room is scarce: by priority, if it differs. */
void room_order(struct child **children, size_t count);

/* --- quorum.c: what people and placement see of it ---------------------------------------------
 */

enum quorum quorum_of(const struct node *node, const struct supervisor *supervisor);
void quorum_explain(const struct supervisor_plan *plan, const struct child *child,
                    const char **ret_reason, const char **ret_message);
/* Why there is no electorate, or none that counts, and what to do. */
void quorum_message(const struct node *node, const struct supervisor *supervisor,
                    char ret_message[MESSAGE_BYTES_MAX + 1]);
void quorum_tick(struct node *node);

/* --- lease_node.c: leases between this node and the others --------------------------------------
 */

struct leases {
    struct lease_acceptor *acceptor;
    struct index holders;   /* supervisor -> struct lease_holder */
    struct index ballots;   /* supervisor -> struct ballot_box: electorate_step.c */
    uint64_t session;       /* of this run, true randomness */
    bool may_vote;          /* compared with a peer, or there is none */
    uint64_t electorate_ms; /* when to look again at who is to vote */
    uint64_t generation;    /* of the membership, at the last look */
};

void leases_init(struct node *node, uint64_t random_seed);
void leases_release(struct node *node);
void leases_start(struct node *node);
void leases_message(struct node *node, const struct envelope *envelope);
void leases_tick(struct node *node);
void leases_synced(struct node *node);
uint64_t leases_deadline(const struct node *node);
void leases_check(const struct node *node);
/* The supervisor's holder, made if it is not there. */
struct lease_holder *leases_holder(struct node *node, const char *supervisor);
/* To a member, or to ourselves. */
void leases_send(struct node *node, const char *name, enum message_type type,
                 const struct buffer *body);

/* --- lease_child.c: leases of this node's children ----------------------------------------------
 */

/* Its supervisor's strategy votes: it runs under a lease, and in a guard. */
bool lease_guards(struct node *node, const struct child *child);
struct lease *lease_of(const struct node *node, const struct child *child); /* NULL: none */
/* The lease of our claim is asked for, if it is not yet. True: it may be started. */
bool lease_may_start(struct node *node, struct child *child);
bool lease_allows_start(struct node *node, struct child *child); /* or it needs none */
/* Nothing runs here, and nothing can under this claim: it is released. */
bool lease_gives_back(struct node *node, struct child *child);
/* Of a free child, whose turn it is here: its image is here, and the lease of its next epoch. */
bool lease_court(struct node *node, struct child *child, uint32_t rank);
bool lease_is_late(struct node *node, const struct child *child); /* it must end */
const char *lease_lost_reason(struct node *node, const struct child *child);
/* Of a container that runs under our claim: it is to be replaced. Asks for its lease, too. */
bool lease_must_be_guarded(struct node *node, struct child *child,
                           const struct container *container);
/* Its guard has ended it: no fault of its own. */
bool lease_ended_it(const struct child *child, const struct container *container);
bool lease_outlasts_absence(struct node *node, const struct child *child);
/* Whether to kill it now, and how long it may take to end: *stop_ms is made shorter. */
bool lease_limits_stop(struct node *node, const struct child *child, uint64_t *stop_ms);
/* A start is asked for: fills in what the guard needs. */
void lease_note_start(struct node *node, const struct child *child,
                      struct runtime_operation *asked);
/* ... and has ended. started: NULL: in none that we know; lost: one may come true all the same. */
void lease_note_started(struct node *node, const struct child *child,
                        const struct container *started, bool lost);
/* The engine has told of a container. */
void lease_observe(struct node *node, const struct child *child, const struct container *container);
/* After each decision: a lease that is not needed any more is given up. */
void lease_update(struct node *node, struct child *child);

/* --- electorate_step.c: who votes, and who will -------------------------------------------------
 */

void electorates_release(struct node *node);
void electorates_start(struct node *node); /* the longest lease of all */
uint64_t electorates_lease_ms_max(const struct node *node);
void electorates_message(struct node *node, const struct envelope *envelope);
void electorates_tick(struct node *node);
void electorates_synced(struct node *node);
uint64_t electorates_deadline(const struct node *node);
bool electorates_restore(struct node *node, struct span record);
/* For a snapshot: of the supervisor after *name (empty: the first), which moves on; false: no more.
 */
bool electorates_record(const struct node *node, char name[NAME_BYTES_MAX + 1],
                        struct buffer *ret_record);
/* The electorate in which we vote about that supervisor's children, as our disk has it; NULL: in
 * none, or not now. */
const struct electorate_record *electorates_mine(const struct node *node, const char *supervisor);
void electorates_force(struct node *node, const struct request *request);

/* --- supervise.c ----------------------------------------------------------------------------- */

struct operation {
    uint64_t id;
    enum runtime_kind kind;
    struct child_id child;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
    char image[IMAGE_BYTES_MAX + 1];
    enum probe_kind probe;
};

enum {
    OPERATIONS_MAX = RUNTIME_STARTS_IN_FLIGHT_MAX + RUNTIME_STOPS_IN_FLIGHT_MAX +
                     RUNTIME_PULLS_IN_FLIGHT_MAX + RUNTIME_PROBES_IN_FLIGHT_MAX +
                     RUNTIME_OUTPUTS_IN_FLIGHT_MAX + 4
};

/* orphans.c: a container of nobody that is known here */
struct orphan {
    char id[CONTAINER_ID_BYTES_MAX + 1];
    struct child_id child;
    char uid[UID_BYTES + 1];
    uint64_t replica, epoch;
    enum container_state state;
    bool condemned;     /* a user wants it gone */
    uint64_t operation; /* towards that, 0: none is under way */
    uint64_t seen_ms;
    char message[MESSAGE_BYTES_MAX + 1]; /* why it did not work */
};

enum { ORPHANS_MAX = 4096 };

struct orphans {
    struct orphan *items; /* ORPHANS_MAX of them once there is one */
    size_t count, reported;
};

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

/* orphans.c */
void orphan_observe(struct node *node, const struct container *container);
void orphans_listed(struct node *node); /* what the list that was told now has not shown is gone */
bool orphans_became_known(struct node *node); /* the child of one */
void orphans_run(struct node *node);
/* False: that operation was of no orphan. */
bool orphan_done(struct node *node, const struct operation *operation, const struct event *event);
void orphans_request(struct node *node, const struct request *request);
void orphans_message(struct node *node, const struct envelope *envelope);

/* claim.c */
bool claim_is_ours(const struct node *node, const struct claim *claim);
bool claim_holder_is_lost(const struct node *node, const struct claim *claim);
bool member_life_is_lost(const struct node *node, const char *name, uint64_t replica);
bool claim_is_adoptable(const struct node *node, const struct claim *claim);
/* The request comes from the container of a claim that we hold: child (NULL: none), epoch, uid. */
bool claim_is_askers(const struct node *node, const struct child *child,
                     const struct request *request);
/* It has ended for good under the present spec: nobody waits for it, it will never be ready. */
bool child_is_over(const struct child *child);
struct dot claim_write(struct node *node, struct child *child, enum claim_state state,
                       uint64_t epoch, uint64_t spec_hash);
/* Our own claim as it is, or released, with this offer. */
void claim_write_offer(struct node *node, struct child *child, enum claim_state state,
                       const struct offer *offer);
void claim_repeat(struct node *node, struct child *child);

/* wake.c: when a child is to be looked at again */
void wake_update(struct supervision *supervision, struct child *child); /* after wake_ms changed */
struct child *wake_first(const struct supervision *supervision);        /* NULL: none */

/* child_decide.c: what to do about one child now */
void child_decide(struct node *node, struct child *child);
/* It is free, or was offered to us. lost: its holder was lost with it. */
void child_claim(struct node *node, struct child *child, bool lost);
void child_remember(struct node *node, struct child *child); /* see remember_ms */
void child_wake(struct child *child, uint64_t at_ms);
/* Our container of a child that somebody has merely reserved since; NULL: none. */
struct local_container *child_reserved_elsewhere(const struct node *node,
                                                 const struct child *child);
/* child_run.c: containers of a child that we hold */
void child_run(struct node *node, struct child *child);
/* Ends and removes containers except the one kept (NULL: all). True when none is left besides it.
 */
bool child_clear(struct node *node, struct child *child, const struct local_container *keep);
bool child_image_is_here(const struct node *node, const struct child *child);
void child_pull(struct node *node, struct child *child);
/* For so long that another member should try. */
bool child_pull_is_failing(const struct node *node, const struct child *child);
/* Since when it runs, as its probes and its back-off count it. */
void child_note_running(struct node *node, struct child *child,
                        const struct local_container *container);
void child_request_stop(struct node *node, struct child *child, struct local_container *container);
bool child_start_now(struct node *node,
                     struct child *child); /* from the queue: false: not any more */
struct local_container *child_container(const struct node *node, const struct child *child);
/* child_restart.c: back-off, and the judgement over what has ended */
uint64_t backoff_ms(uint32_t level);
void child_back_off(struct node *node, struct child *child);
#define TERMINATED_MESSAGE \
    "terminated by a user; it runs again when it is deleted or its spec changes"
struct dot child_finish(struct node *node, struct child *child, uint64_t spec_hash, uint64_t epoch,
                        const char *reason, const char *message);
void child_judge_end(struct node *node, struct child *child, const struct container *container);
void child_judge_lost(struct node *node, struct child *child);
bool child_end_is_known(const struct child *child, const struct container *container);
void child_load_state(struct node *node, struct child *child);
/* escalate.c: onIntensityExceeded: escalate */
void escalate_count(struct node *node, const char *name, const struct supervisor *supervisor);
/* Since it has given up that supervisor's children this node leaves them to others, until then. */
uint64_t escalate_away_ms(const struct node *node, const char *supervisor);
/* expire.c: ttlSecondsAfterFinished */
void child_expire(struct node *node, struct child *child);
/* move.c: from one member to another while both live */
void move_offer(struct node *node, struct child *child, const char *member, uint64_t epoch,
                bool start_first);
/* We hold it and have offered it: is it time to let go? */
void move_watch(struct node *node, struct child *child);
/* Its holder has offered it to us, and we see to it: nothing else is to be done here. */
bool move_prepare(struct node *node, struct child *child);
/* Of what it was offered, and is free by now: the container with which it goes on. NULL: none. */
struct local_container *move_keeps(struct node *node, struct child *child);
/* A copy may be started here beside the holder's. */
bool move_may_start(const struct node *node, const struct child *child);
bool offer_is_open(const struct child *child);
bool offer_is_ours(const struct node *node, const struct child *child); /* open, and to us */
/* Of a free child: of its epoch we come first, somebody else does (-1), or nobody was asked (0). */
int offer_precedence(const struct node *node, const struct child *child);
/* The epoch under which we would claim it now. */
uint64_t offer_next_epoch(const struct node *node, const struct child *child);
void move_message(struct node *node, const struct envelope *envelope);
/* redistribute.c: which children move, and when */
struct moves {
    uint64_t look_ms;    /* when to look again; UINT64_MAX: nothing is active */
    uint64_t generation; /* of the membership, at the last look */
};

enum { MOVES_MAX = 64 }; /* of one supervisor at once, whatever maxConcurrentMoves says */

struct survey {
    size_t wanted, under_way;       /* children that belong elsewhere; that are on their way */
    struct child *first[MOVES_MAX]; /* of those wanted, in order of id */
};

enum move_state { MOVE_NONE, MOVE_WANTED, MOVE_UNDER_WAY };

void redistribute_tick(struct node *node);
uint64_t redistribute_deadline(const struct node *node);
/* Children of this supervisor may move at all: it is active, or a rebalance was asked for. */
bool redistribute_is_on(const struct node *node, const char *supervisor);
/* WANTED: *ret_to is the member. */
/* *ret_epoch: of the move, if it is wanted. */
enum move_state redistribute_judge(struct node *node, struct child *child, const char **ret_to,
                                   uint64_t *ret_epoch);
/* Children that should have moved for patience_s, and have not, are passed over. */
struct survey redistribute_survey(struct node *node, const char *supervisor, uint64_t patience_s);
void request_rebalance(struct node *node, const struct request *request);
/* child_update.c: when a container of an old spec may go, and one of the new may come */
bool child_may_replace(struct node *node, struct child *child);
bool child_must_wait_for_recreate(struct node *node, struct child *child);
void child_note_ready(struct node *node, struct child *child);
void child_note_progress(struct node *node, struct child *child); /* after the decision */
void child_judge_unhealthy(struct node *node, struct child *child,
                           const struct local_container *container);
/* probe.c: of a running container: is it ready, must it end? */
void child_probe(struct node *node, struct child *child, struct local_container *container);
void probe_done(struct node *node, struct child *child, const struct operation *operation,
                const struct event *event);
void probe_thaw(struct node *node);
/* child_status.c */
void child_status_update(struct node *node, struct child *child);
struct status child_status_now(const struct node *node, const struct child *child);
void child_status_tell(struct node *node, struct child *child); /* now, whatever the pace */
/* Before the claim is given up: restarts and level, if they are not told yet. */
void child_status_keep_level(struct node *node, struct child *child);

/* engine.c: what was asked of the engine and has not ended */
struct operation *engine_begin(struct node *node, enum runtime_kind kind,
                               const struct child_id *child);
struct operation *engine_find(struct node *node, uint64_t id);
void engine_end(struct node *node, struct operation *operation);
void engine_start(struct node *node, struct child *child);
void engine_pull(struct node *node, struct child *child);
void engine_stop(struct node *node, struct child *child, struct local_container *container,
                 uint64_t stop_ms);
void engine_remove(struct node *node, struct child *child, struct local_container *container);
/* Returns the operation's id. */
uint64_t engine_probe(struct node *node, struct child *child,
                      const struct local_container *container, enum probe_kind kind,
                      uint64_t timeout_ms);
/* Returns the operation's id. */
uint64_t engine_output(struct node *node, const struct child_id *child, const char *container_id,
                       const struct output_wish *wish);
/* STOP or REMOVE of a container of no child. Returns the operation's id. */
uint64_t engine_end_orphan(struct node *node, enum runtime_kind kind, const char *container_id,
                           uint64_t stop_ms);
void engine_list(struct node *node);
void engine_abandon(struct node *node, uint64_t id); /* its end will concern no child any more */

/* --- registry.c ------------------------------------------------------------------------------ */

void registry_update(struct node *node, struct child *child);
/* Whatever it replaces: the record says its epoch. */
struct dot registry_write(struct node *node, const char *ns, const char *name,
                          const struct name_record *record);
bool registry_is_live(const struct node *node, const struct name_entry *name);
/* The same for who knows better whether the member that holds it is lost. */
bool registry_would_live(const struct node *node, const struct name_entry *name, bool lost);
void registry_set_value(struct node *node, const struct request *request); /* by the child */
/* Somebody else who lives holds one of its names: the message says who. */
bool registry_conflicts(const struct node *node, const struct child *child,
                        char ret_message[MESSAGE_BYTES_MAX + 1]);
void registry_remove_all(struct node *node,
                         struct child *child); /* rank 0 cleans up after the dead */

/* --- registry_outside.c: names of outside processes ------------------------------------------ */

struct registry {
    uint64_t sweep_ms;   /* when the outside names are looked at again */
    uint64_t generation; /* of the membership, at the last look */
};

void outside_put(struct node *node, const struct request *request);
void outside_delete(struct node *node, const struct request *request);
void outside_tick(struct node *node);
uint64_t outside_deadline(const struct node *node);
void outside_thaw(struct node *node); /* we were away: nobody could renew with us */
/* registry_meta.c */
void meta_put(struct node *node, const struct request *request);
void meta_delete(struct node *node, const struct request *request);

/* --- state.c: what a child leaves to its successor ------------------------------------------- */

void state_put(struct node *node, const struct request *request);
void state_delete(struct node *node, const struct request *request);
void state_update(struct node *node, struct child *child); /* by the holder: what is over goes */
void state_remove_all(struct node *node, const struct child *child);

/* --- drain.c: a member that hands over what it holds, and stays --------------------------------
 */

#define DRAIN_WAITS_MESSAGE \
    "its node drains, and no other member may take it now: it runs on here until one may"
/* What users want of us now, if it is news. */
void drain_take_cordon(struct node *node, const struct cordon *cordon);
/* We drain, and somebody else may take the child. */
bool drain_lets_go(struct node *node, struct child *child);
void drain_tick(struct node *node);

/* --- requests.c ------------------------------------------------------------------------------ */

struct pending {
    uint64_t id;
    enum request_kind kind;
    struct dot written;
    uint64_t sequence;
    struct dot after;
    bool answered; /* DELETE_CHILD: by the holder, which has written `after`, if anything */
    struct child_id child;
    uint64_t deadline_ms;
    char name[ADDRESS_BYTES_MAX + 1]; /* JOIN: the address; WAIT_QUORUM: the supervisor */
    struct gathering *gathering;      /* EVENTS: owned; others: NULL */
    struct output_sink *output;       /* OUTPUT: owned; others: NULL */
};

struct requests {
    struct pending *items;
    size_t count, capacity;
};

void requests_reply(struct node *node, uint64_t id, int status, const char *reason,
                    const char *message);
/* It is answered when this dot is durable. */
struct pending *requests_add(struct node *node, const struct request *request);
/* True: no write is possible now, and the answer says why. */
bool requests_refuse_write(struct node *node, const struct request *request);
/* requests_child.c */
void request_delete_child(struct node *node, const struct request *request);
void requests_written(struct node *node, const struct request *request, struct dot dot);
/* The key says already what the request would write. It is answered as soon as that is durable:
 * mostly at once. */
void requests_repeated(struct node *node, const struct request *request, const struct key *key);
void requests_step(struct node *node, const struct request *request);
void requests_drop(struct node *node, struct pending *pending);     /* the last takes its place */
void requests_client(struct node *node, const struct event *event); /* EVENT_CLIENT */
void requests_settle(struct node *node); /* answers what has become durable */
void requests_message(struct node *node, const struct envelope *envelope);
void requests_welcomed(struct node *node, const char *address);
void requests_refused(struct node *node, const char *address, const char *message);
void requests_end(struct node *node); /* all that still wait are told that the agent stops */
uint64_t requests_deadline(const struct node *node);
void requests_release(struct node *node);

/* --- note.c: what people are told of -----------------------------------------------------------
 */

void note_child(struct node *node, const struct child *child, bool warning, const char *reason,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void note_member(struct node *node, const char *member, bool warning, const char *reason,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

void note_workload(struct node *node, const char *ns, const char *name, bool warning,
                   const char *reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void note_supervisor(struct node *node, const char *name, bool warning, const char *reason,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* --- concurrent_edit.c: what becomes of an edit that another one has overtaken ------------------
 */

/* A changed key, after store_apply. */
void concurrent_edit_note(struct node *node, const struct awmap_entry *entry);

/* --- gather.c: the notes of all members --------------------------------------------------------
 */

void gather_begin(struct node *node, const struct request *request);
void gather_message(struct node *node, const struct envelope *envelope);
/* All have answered, or it is time: the reply has what was found. */
bool gather_is_over(struct node *node, const struct pending *pending, struct reply *reply);
void gathering_free(struct gathering *gathering); /* NULL is allowed */

/* --- shown.c: what users see is held against the feed ------------------------------------------
 */

struct shown {
    struct index supervisors; /* name -> struct shown_supervisor */
    uint64_t supervisors_ms;  /* when they are looked at again; UINT64_MAX: not */
    uint64_t members_ms;      /* ... and the members, for their children */
};

void shown_begin(struct node *node);  /* somebody looks; often: nothing more happens */
void shown_settle(struct node *node); /* at the end of each step */
uint64_t shown_deadline(const struct node *node);
void shown_release(struct node *node);

/* What users see of a supervisor beside its document, electorate and members; as last looked at. */
struct supervisor_status {
    bool quorum;
    uint32_t specs, running;
    char electorate_message[MESSAGE_BYTES_MAX + 1];
};

struct shown_supervisor {
    struct feed_item *item;
    uint64_t looked_ms; /* equal for all that are there */
    struct supervisor_status status;
    char uid[UID_BYTES + 1];
    char name[];
};

/* NULL: it has not been looked at yet. */
const struct shown_supervisor *shown_supervisor(const struct node *node, const char *name);
/* query.c: it is there for users; and how. Of the store alone: what the world says at this moment
 * is not known to who watches. */
bool query_shows(const struct child *child);
void query_fill_child(const struct store *store, const struct child *child,
                      struct child_view *view);
uint32_t query_claims_of(const struct store *store, const char *member);

/* --- output_source.c, output_sink.c: what containers have printed ------------------------------
 */

/* What was asked of this agent's engine, for a reader here or at another agent. */
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

/* --- stop.c: how we end ------------------------------------------------------------------------
 */

struct detach {
    uint64_t away_ms; /* for how long we shall be away; 0: we do not go */
    uint64_t began_ms;
    bool known; /* a second member knows, or there is none */
};

bool node_is_stopping(const struct node *node); /* drains, leaves or detaches */
void stop_begin(struct node *node);             /* EVENT_STOP */
void stop_detach(struct node *node, uint64_t away_ms);
void stop_tick(struct node *node);

/* --- node.c ---------------------------------------------------------------------------------- */

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
