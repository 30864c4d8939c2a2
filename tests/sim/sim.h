/* A cluster in one process: real cores, a simulated network, engine, disk and clock. Deterministic:
 * everything is drawn from one seed and ordered by (time, sequence). No sleep, no thread, no
 * descriptor.
 *
 * Models: cowsql/raft's test cluster, TigerBeetle's VOPR. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "agent/core/node.h"
#include "agent/core/query.h"
#include "agent/core/random.h"

enum { SIM_NODES_MAX = 40 };

struct sim_container {
    struct container container;
    size_t engine;    /* index of the node whose engine has it */
    bool late;        /* its agent had given it up when it came true */
    bool untouchable; /* not ours to end: an orphan, or somebody else's */
    bool foreign;     /* without our labels: no list shows it */
};

struct sim_record { /* one log record on a simulated disk */
    struct buffer bytes;
    uint64_t sequence;
    bool synced;
};

struct sim_node {
    char name[NAME_BYTES_MAX + 1], address[ADDRESS_BYTES_MAX + 1];
    struct node *node; /* NULL: the process is not running */
    uint64_t run;      /* grows with each start: what belonged to an earlier run is dropped */
    bool frozen;
    struct sim_record *disk; /* survives the process */
    size_t disk_count, disk_capacity;
    uint64_t room_bytes;
    struct sim_record *copy; /* an old image of it, or NULL */
    size_t copy_count;
    bool engine_dead;
    int exit_status; /* -1: did not exit by itself */
    int64_t wall_offset_ms;
    uint64_t sent_messages, sent_bytes, ticks;
    size_t operations; /* asked of the engine by this run and not ended */
};

struct sim_event;

struct sim {
    uint64_t now_ms, sequence;
    struct random random;
    struct sim_node nodes[SIM_NODES_MAX];
    size_t count;
    struct sim_event *queue; /* a heap by (time, sequence) */
    size_t queue_count, queue_capacity;
    struct sim_container *containers;
    size_t container_count, container_capacity;
    uint64_t last_container, last_request;
    struct reply *replies;
    size_t reply_count, reply_capacity;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
    /* faults */
    uint32_t loss_percent, duplicate_percent;
    uint64_t delay_ms_min, delay_ms_max;
    uint64_t start_ms, stop_ms, pull_ms, slow_ms_max; /* the engine's time, and at random more */
    uint32_t fail_percent;                            /* of its operations */
    uint32_t list_fail_percent;                       /* ... of its lists besides */
    uint32_t late_percent;                 /* starts that time out and come true afterwards */
    uint32_t lose_hint_percent;            /* changes that nobody is told of */
    const char *bad_image;                 /* pulls of it fail */
    const struct sim_node *bad_image_node; /* ... on this node only; NULL: on all */
    uint64_t drain_timeout_ms, engine_grace_ms;
    bool verbose;      /* prints every trace line */
    size_t violations; /* of what must hold at every moment */
    uint64_t started;  /* START operations asked for */
};

void sim_init(struct sim *sim, uint64_t seed, size_t nodes);
void sim_release(struct sim *sim);
/* A node starts with what its disk holds, and with the addresses of all others as seeds. */
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
void sim_freeze(struct sim *sim, size_t index, bool frozen);
void sim_cut(struct sim *sim, size_t a, size_t b, bool cut); /* both ways */
void sim_stop(struct sim *sim, size_t index);                /* SIGTERM */
void sim_run(struct sim *sim, uint64_t duration_ms);
/* Runs until the condition holds; false: it did not within the time. */
bool sim_until(struct sim *sim, bool (*condition)(struct sim *sim), uint64_t timeout_ms);

/* Requests; the reply is found by the id that is returned. */
uint64_t sim_put_workload(struct sim *sim, size_t index, const char *name, uint32_t replicas,
                          void (*adjust)(struct workload *workload));
uint64_t sim_delete_workload(struct sim *sim, size_t index, const char *name);
uint64_t sim_request(struct sim *sim, size_t index, struct request *request);
const struct reply *sim_reply(const struct sim *sim, uint64_t id); /* NULL: none yet */

/* A container ends by itself. */
void sim_exit(struct sim *sim, size_t container, int exit_code);
void sim_vanish(struct sim *sim, size_t container); /* somebody removes it by force */
size_t sim_running(const struct sim *sim, const char *workload, size_t *ret_duplicates);
/* Every wanted child runs exactly once, where every live node says it does; nothing else runs. */
bool sim_is_converged(struct sim *sim);
bool sim_is_still(struct sim *sim);       /* no operation in flight */
bool sim_maps_are_equal(struct sim *sim); /* of all running nodes, by digest */
void sim_print(struct sim *sim);     /* what every node thinks, and what runs: for a failing seed */
bool sim_all_alive(struct sim *sim); /* every running node sees every running node alive */

#endif
