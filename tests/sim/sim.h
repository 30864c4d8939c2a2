/* A cluster in one process: real cores, a simulated network, engine, disk and clock. Deterministic:
 * everything is drawn from one seed and ordered by (time, sequence). No sleep, no thread, no
 * descriptor.
 *
 * Models: cowsql/raft's test cluster, TigerBeetle's VOPR. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "agent/core/electorate.h"
#include "agent/core/node.h"
#include "agent/core/query.h"
#include "agent/core/random.h"

enum {
    SIM_SPINS_MAX = 10000,  /* ticks in one instant: far more than there is ever work for */
    SIM_SPARE_NODES = 4,    /* rows beyond those of sim_init, for a story that adds one */
    SIM_REPLIES_KEPT = 4096 /* the newest */
};

struct sim_container {
    struct container container;
    size_t engine;              /* index of the node whose engine has it */
    size_t next;                /* older one whose child has the same hash; SIZE_MAX: none */
    bool unready;               /* says no when it is asked whether it is ready ... */
    bool hung;                  /* ... and whether it is alive */
    uint64_t unlisted_until_ms; /* a list left it out: until this one, which did not, nobody could
                                   know of it; UINT64_MAX: still so */
    bool late;                  /* its agent had given it up when it came true */
    bool untouchable;           /* not ours to end: an orphan, or somebody else's */
    bool foreign;               /* without our labels: no list shows it */
    bool dying;                 /* its guard is killing it, whatever its page says by now */
};

struct sim_page { /* of a guarded container: it outlives the agent */
    struct guard_page page;
    size_t engine;
    struct term term; /* of the electorate, when the last start was asked for */
};

struct sim_record { /* one log record on a simulated disk */
    struct buffer bytes;
    uint64_t sequence;
    bool synced;
};

enum { SIM_LINE_BYTES = 16 };

struct sim_output { /* somebody reads what a container has printed */
    size_t node;
    uint64_t run, id, engine_boot; /* id: of the operation */
    uint64_t granted, told, begun_ms, more_ms;
    bool follow, cancelled;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
};

struct sim_numbers { /* a growing list */
    size_t *items;
    size_t count, capacity;
};

struct sim_node {
    char name[NAME_BYTES_MAX + 1], address[ADDRESS_BYTES_MAX + 1];
    struct node *node; /* NULL: the process is not running */
    uint64_t run;      /* grows with each start: what belonged to an earlier run is dropped */
    bool frozen;
    struct sim_record *disk; /* survives the process */
    size_t disk_count, disk_capacity;
    uint64_t room_bytes;
    uint64_t cpu_milli, memory_bytes; /* from its next start on; 0: not told */
    uint64_t refused_hash;            /* of a spec that its policy does not allow; 0: none */
    const char *zone;                 /* from its next start on; NULL: none */
    struct sim_record *copy;          /* an old image of it, or NULL */
    size_t copy_count;
    bool engine_dead;
    uint64_t engine_boot; /* grows when it loses its power: what it was about to do is not done */
    int exit_status;      /* -1: did not exit by itself */
    int64_t wall_offset_ms;
    int32_t drift_ppm;      /* of its monotonic clock */
    bool disk_stuck;        /* syncs wait until it answers again */
    uint64_t outbox_end_ms; /* what it has sent will be on the wire by then */
    uint64_t sent_messages, sent_bytes, ticks;
    uint64_t spun_ms, spins;       /* ticks that it wanted in this very instant */
    size_t operations;             /* asked of the engine by this run and not ended */
    struct sim_numbers containers; /* on its engine; those that are gone are struck now and then */
    uint64_t *cut;                 /* a bit per node that it cannot send to; NULL: none */
    uint32_t *sent_ms;             /* when it last sent to each node, 0: never; NULL: to none */
    size_t deadline_slot;          /* in sim.deadlines, from 1; 0: not there */
    uint64_t deadline_ms;          /* as it was there */
};

struct sim_event;
struct sim_entry { /* of the queue */
    uint64_t at_ms, sequence;
    struct sim_event *event;
};

struct sim {
    uint64_t now_ms, sequence;
    struct random random;
    struct sim_node *nodes;
    size_t count, capacity;
    struct sim_entry *queue; /* a heap by (time, sequence) */
    size_t queue_count, queue_capacity;
    size_t *deadlines; /* of the nodes that tick: a heap by (deadline, index) */
    size_t deadline_count;
    struct sim_container *containers; /* all there ever were; one keeps its index */
    size_t container_count, container_capacity;
    struct sim_page *pages;
    size_t page_count, page_capacity;
    size_t *buckets; /* containers by the hash of their child: the newest, SIZE_MAX: none */
    size_t bucket_count;
    uint64_t last_request;
    struct reply *replies; /* by id modulo SIM_REPLIES_KEPT */
    size_t seeds_max;      /* a node is told of so many addresses, the first ones */
    /* faults */
    uint32_t loss_percent, duplicate_percent;
    uint64_t delay_ms_min, delay_ms_max;
    uint32_t slow_link_percent; /* of the directed pairs of nodes, always the same ones */
    uint64_t slow_link_ms;      /* ... and how much later they deliver */
    uint64_t bytes_per_ms;      /* that a node can send; 0: any number */
    uint64_t start_ms, stop_ms, pull_ms, slow_ms_max; /* the engine's time, and at random more */
    uint32_t fail_percent;                            /* of its operations */
    uint32_t list_fail_percent;                       /* ... of its lists besides */
    uint32_t late_percent;      /* starts that time out and come true afterwards */
    uint32_t lose_hint_percent; /* changes that nobody is told of */
    uint32_t lie_percent;       /* lists that leave one out, and failures of what was done */
    uint32_t stubborn_percent;  /* stops that need all of their grace */
    uint64_t guard_slow_ms_max; /* a guard kills so late at most */
    uint64_t ready_ms;          /* after its start a container says that it is ready; all, at 0 */
    uint64_t unready_hash;      /* those of this spec never are; 0: none */
    const char *bad_image;      /* pulls of it fail */
    const struct sim_node *bad_image_node; /* ... on this node only; NULL: on all */
    uint64_t drain_timeout_ms, engine_grace_ms, forget_after_ms;
    bool detach_on_stop;   /* of those that are started from now on */
    bool discovers;        /* ... and events of theirs are the story's to make */
    uint32_t max_children; /* of each node, at rest; 0: no limit */
    uint64_t look_ms_max;  /* half of the agents are looked at at once, half so late at most */
    bool nobody_looks;     /* ... or nobody is */
    bool lazy_disk;  /* nothing is kept until a process ends; then what it knew is on its disk */
    bool may_finish; /* children whose policy, or a user, allows it may have ended for good */
    bool verbose;    /* prints every trace line */
    uint64_t trace_hash; /* of every effect so far: equal seeds, equal hashes */
    void (*watch)(struct sim *sim, size_t index); /* after each step of a node; NULL: nobody */
    void (*watch_reply)(struct sim *sim, size_t index, const struct reply *reply); /* or NULL */
    void *watcher;
    /* Hears every trace line, and of containers that start and end; NULL: nobody listens. */
    void (*listener)(struct sim *sim, size_t index, const char *line);
    size_t violations;          /* of what must hold at every moment */
    struct sim_output *outputs; /* under way */
    size_t output_count;
    uint64_t printed_bytes, print_bytes_per_ms; /* by each container; see sim_output.c */
    bool output_hangs;                          /* nothing is told of it */
    uint64_t probes;                            /* asked for */
    uint64_t started;                           /* START operations asked for */
};

void sim_init(struct sim *sim, uint64_t seed, size_t nodes);
void sim_release(struct sim *sim);
/* A node starts with what its disk holds, and with the addresses of others as seeds. */
void sim_start(struct sim *sim, size_t index);
void sim_start_all(struct sim *sim);
void sim_kill(struct sim *sim, size_t index);        /* the process; connections break */
void sim_kill_engine(struct sim *sim, size_t index); /* all its containers end, as in a power cut */
void sim_copy_disk(struct sim *sim, size_t index);
void sim_restore_disk(struct sim *sim, size_t index); /* the copy, if there is one */
/* Answers again (after a list), or not any more. */
void sim_engine_state(struct sim *sim, size_t index, bool healthy);
/* A running container that the agent must never end: an orphan of that workload's name, or NULL:
 * one without our labels. */
size_t sim_add_foreign(struct sim *sim, size_t index, const char *orphan);
void sim_forget_disk(struct sim *sim, size_t index);
void sim_drop_unsynced(struct sim *sim, size_t index);
/* Of what was not synced some came through, the oldest first; the record that is torn is told by
 * its checksum, and not restored. */
void sim_tear_disk(struct sim *sim, size_t index);
/* The room that a node is told of; 0: a full disk. */
void sim_disk_room(struct sim *sim, size_t index, uint64_t room_bytes);
/* The records that a power cut now would leave, fed to a node that has just been made. */
void sim_restore_synced(const struct sim *sim, size_t index, struct node *node);
void sim_freeze(struct sim *sim, size_t index, bool frozen);
void sim_cut(struct sim *sim, size_t a, size_t b, bool cut); /* both ways */
void sim_cut_one_way(struct sim *sim, size_t from, size_t to, bool cut);
bool sim_is_cut(const struct sim *sim, size_t from, size_t to);
void sim_heal_cuts(struct sim *sim);          /* all of them */
void sim_stop(struct sim *sim, size_t index); /* SIGTERM */
void sim_run(struct sim *sim, uint64_t duration_ms);
/* Runs until the condition holds; false: it did not within the time. */
bool sim_until(struct sim *sim, bool (*condition)(struct sim *sim), uint64_t timeout_ms);

/* Requests; the reply is found by the id that is returned. */
uint64_t sim_put_workload(struct sim *sim, size_t index, const char *name, uint32_t replicas,
                          void (*adjust)(struct workload *workload));
uint64_t sim_delete_workload(struct sim *sim, size_t index, const char *name);
void sim_event(struct sim *sim, size_t index, struct event *event); /* now, of whatever kind */
/* Of what that container prints: this part. */
void sim_output_text(const char *container_id, uint64_t from, size_t bytes, char *ret_text);
uint64_t sim_request(struct sim *sim, size_t index, struct request *request);
/* NULL: none yet, or long ago. */
const struct reply *sim_reply(const struct sim *sim, uint64_t id);

/* How many nodes it sent to within the last so many ms: the connections that the program's
 * transport would hold open. */
size_t sim_links(const struct sim *sim, size_t index, uint64_t idle_ms);

/* A container ends by itself. */
void sim_exit(struct sim *sim, size_t container, int exit_code);
void sim_vanish(struct sim *sim, size_t container); /* somebody removes it by force */
size_t sim_running(const struct sim *sim, const char *workload, size_t *ret_duplicates);
/* Every wanted child runs exactly once, where every live node says it does; nothing else runs. Who
 * has no room waits, as long as no node has any. */
bool sim_is_converged(struct sim *sim);
bool sim_is_still(struct sim *sim); /* no operation in flight */
/* Every running node sees the electorate of all nodes as they are, and none before it. */
/* Too many voters have lost their data: nobody can settle it any more. */
bool sim_electorate_is_lost(const struct sim *sim, const char *supervisor);
bool sim_electorate_is_settled(const struct sim *sim, const char *supervisor);
bool sim_maps_are_equal(struct sim *sim); /* of all running nodes, by digest */
void sim_print(struct sim *sim);     /* what every node thinks, and what runs: for a failing seed */
bool sim_all_alive(struct sim *sim); /* every running node sees every running node alive */

#endif
