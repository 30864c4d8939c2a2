/* Faults drawn from a seed, edits that are kept account of, what must hold, and the healing of a
 * world. Each run turns some kinds of fault off and lets others go wild (swarm testing: Groce et
 * al., 2012), so that rare ones are not drowned by frequent ones. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/sim.h"

enum fault {
    FAULT_EDIT,
    FAULT_DELETE_CHILD,
    FAULT_CRASH,
    FAULT_QUICK_RESTART,
    FAULT_START,
    FAULT_CUT,
    FAULT_CUT_ONE_WAY,
    FAULT_PARTITION, /* into groups, or whole again */
    FAULT_FREEZE,
    FAULT_CONTAINER, /* ends, is removed, or answers its probes otherwise */
    FAULT_DISK,      /* lost, or an old image of it put back */
    FAULT_DISK_FULL,
    FAULT_DISK_STUCK, /* nothing is synced for a while */
    FAULT_ENGINE,
    FAULT_ENGINE_WEATHER, /* slow, failing, forgetful */
    FAULT_CLOCK,
    FAULT_SIGTERM,
    FAULT_DETACH,
    FAULT_LEAVE,
    FAULT_FORGET,
    FAULT_MEMBERS,
    FAULT_IMAGE,
    FAULT_CORDON,
    FAULT_PURGE, /* tombstones go long before there are too many */
    FAULT_REST,  /* once, nothing happens until maps are tidied and the dead retired */
    FAULT_COUNT,
};

enum { SWARM_NODES_MAX = 48, WORKLOADS = 4, EDITS_MAX = 64 };

#define SWARM_RANDOM "random"
#define SWARM_VOTERS "voters"

struct edit {
    bool deleted;
    uint32_t replicas;
    uint64_t spec_hash;
    enum restart_policy restart;
    enum update_type update;
    uint32_t max_unavailable;
    uint32_t probes; /* a bit for readiness, one for liveness; the rest is the period */
    char uid[UID_BYTES + 1];
};

/* What users were told of one workload. */
struct ledger {
    struct edit pending, known; /* asked for and not answered; the last that was acknowledged */
    uint64_t request;           /* 0: none is pending */
    size_t node;
    uint64_t run;
    struct dot written;               /* of the last acknowledged */
    bool holders[SWARM_NODES_MAX];    /* whose map or disk has it */
    bool excused;                     /* there was a time when nobody had it any more */
    struct edit uncertain[EDITS_MAX]; /* not acknowledged, perhaps stored */
    size_t uncertain_count;
};

struct swarm {
    struct sim sim;
    struct random random;   /* of the faults, apart from the world's own */
    struct random kinds;    /* what workloads and supervisors are like, apart from both */
    bool restarts;          /* not only permanent children */
    bool terminates;        /* users end children for good */
    bool escalates;         /* as OTP does */
    bool probes;            /* containers are asked how they are */
    bool moves;             /* supervisors redistribute, actively or when asked */
    struct random mover;    /* ... how, apart from all others */
    bool strategies;        /* w2 is placed by UniformRandom, w3 by UniformQuorum */
    uint32_t lease_seconds; /* of w3 */
    bool weighs;            /* ... w2 by LeastRequested */
    bool updates;           /* not only one at a time */
    uint64_t seed;
    unsigned weight[FAULT_COUNT]; /* 0: off */
    struct ledger ledgers[WORKLOADS];
    uint64_t uids, generations;
    bool rested;
    uint64_t looked_runs[SWARM_NODES_MAX]; /* of each node, when its disk was looked at last */
    struct account *account;               /* swarm_check.c */
};

/* nodes 0: drawn. */
void swarm_begin(struct swarm *swarm, uint64_t seed, size_t nodes);
void swarm_print_options(const struct swarm *swarm);
void swarm_fault(struct swarm *swarm);
void swarm_edit(struct swarm *swarm, size_t index);
void swarm_settle_edits(struct swarm *swarm);
void swarm_heal(struct swarm *swarm);
/* Every acknowledged edit is there unless a later one, acknowledged or not, took its place, or
 * every node that had it has since lost it with its disk or its memory. */
bool swarm_edits_are_kept(struct swarm *swarm);
void swarm_release(struct swarm *swarm);
void swarm_engine_weather(struct swarm *swarm);
/* mask 0: auto. Returns the request. */
uint64_t swarm_set_members(struct swarm *swarm, size_t index, const char *name, uint64_t mask);

/* swarm_check.c: what must hold at every moment, looked at from outside, by the map's own readers
 * and the simulator's knowledge. Violations are counted in sim.violations. */
void swarm_check_begin(struct swarm *swarm);
void swarm_check_writes(struct swarm *swarm); /* now and then: a dot names one write everywhere */
/* The disk of that node was replaced by an old image. Its writer may use dots again that nobody it
 * meets at its start knows of: what it said since the image is not held against it. */
void swarm_check_note_old_image(struct swarm *swarm, size_t index);
/* An agent that would start from what is durable on that node now; to be freed. */
struct node *swarm_after_power_cut(struct swarm *swarm, size_t index);
/* When all is quiet: NULL, or in what somebody who watches is wrong. */
const char *swarm_check_informers(const struct swarm *swarm);
void swarm_check_end(struct swarm *swarm);

#endif
