/* Everything a node can ask of the world. Effects are carried out in order after each step; what
 * they point to lives until effects_clear. */
#ifndef AGENT_CORE_EFFECT_H
#define AGENT_CORE_EFFECT_H

#include "agent/core/container.h"
#include "agent/core/request.h"

enum effect_type {
    EFFECT_SEND,       /* bytes to a peer's gossip address, best effort */
    EFFECT_RECONNECT,  /* close the connection to this address; the next send makes it anew */
    EFFECT_DISCONNECT, /* this address is not needed any more */
    EFFECT_LOG,      /* append a record to the log; EVENT_LOG_SYNCED(sequence) when it is durable */
    EFFECT_SNAPSHOT, /* replaces all that was logged up to and including `sequence` */
    EFFECT_REPLY,    /* the answer to a request */
    EFFECT_RUNTIME,  /* an operation on the engine; EVENT_RUNTIME_DONE follows in any case */
    EFFECT_GUARD,    /* a guarded container may live until then: see struct guard_page */
    EFFECT_OUTPUT,   /* of a RUNTIME_OUTPUT: that many bytes more may be told, or: end it */
    EFFECT_TRACE,    /* one line for the log of the agent */
    EFFECT_EXIT,     /* the last effect: end the process with this status */
};

enum channel {
    CHANNEL_GOSSIP, /* small, urgent */
    CHANNEL_BULK,   /* chunks of walks and comparisons: probes never queue behind them */
};

enum runtime_kind {
    RUNTIME_PULL,   /* image, pull */
    RUNTIME_START,  /* create and start; an ended container of the same name is removed first */
    RUNTIME_STOP,   /* container_id, stop_ms: SIGTERM, then SIGKILL; done when it has ended */
    RUNTIME_REMOVE, /* container_id: an ended one */
    RUNTIME_PROBE,  /* probe, document, container: OK or UNHEALTHY; all else says nothing of it */
    /* container_id, output: EVENT_RUNTIME_OUTPUT for what comes, never more than EFFECT_OUTPUT has
     * granted and OUTPUT_SLACK_BYTES; DONE at its end. Nothing is granted at the beginning. */
    RUNTIME_OUTPUT,
    RUNTIME_LIST, /* EVENT_RUNTIME_LIST comes before EVENT_RUNTIME_DONE when it worked */
};

struct runtime_operation {
    uint64_t id; /* unique in the run */
    enum runtime_kind kind;
    uint64_t timeout_ms; /* then EVENT_RUNTIME_DONE says RUNTIME_TIMED_OUT */
    /* START: labels and names of the container */
    struct child_id child;
    char uid[UID_BYTES + 1];
    uint64_t epoch;
    uint64_t spec_hash;
    uint64_t replica;
    char supervisor[NAME_BYTES_MAX + 1];
    const char *document; /* START: the workload's JSON */
    const char *image;    /* PULL */
    enum pull_policy pull;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
    enum probe_kind probe;             /* PROBE */
    const struct container *container; /* PROBE: where it is */
    struct output_wish output;         /* OUTPUT */
    uint64_t since_ms;                 /* OUTPUT: wall clock, 0: from the beginning */
    uint64_t stop_ms;           /* STOP: SHUTDOWN_BRUTAL_KILL, SHUTDOWN_INFINITY, or in between */
    bool guarded;               /* START: hordelet-guard is its PID 1, and its label says so */
    uint64_t guard_deadline_ms; /* START, guarded: what its page says at first */
    uint64_t guard_lease_ms;    /* ... and the length of its lease: what a late guard is to it */
};

/* The page of a guarded container (design section 6, rule 7): a moment on the core's monotonic
 * clock, which is CLOCK_BOOTTIME of this machine in ms, and as such means the same to the agent, to
 * its next run, and to the guard in the container. There is one page per (child, uid, epoch): a
 * restart keeps it.
 *
 * The shell writes pages in the order of effects: that of a START before it asks the engine for
 * anything, that of an EFFECT_GUARD at once, also while the START is on its way, and for containers
 * that an earlier run of the agent has started. What is written last counts. Of an
 * earlier boot of the machine there must be no page (a tmpfs). A page that cannot
 * be written needs no event: the guard keeps to the old deadline, and the container's end is told
 * as always. The guard refuses to begin once the deadline has passed, at the deadline kills
 * everything in the container, and in both cases exits with GUARD_EXIT_CODE. */
struct guard_page {
    struct child_id child;
    char uid[UID_BYTES + 1];
    uint64_t epoch;
    uint64_t deadline_ms;
};

struct effect {
    enum effect_type type;
    union {
        struct {
            const char *address;
            enum channel channel;
            struct span bytes;
        } send;
        struct {
            const char *address;
        } peer;
        struct {
            uint64_t sequence;
            struct span record;
        } log;
        struct {
            uint64_t sequence;
            struct span records; /* each a varint length and the record's bytes */
        } snapshot;
        const struct reply *reply;
        const struct runtime_operation *runtime;
        struct {
            uint64_t id; /* of the operation */
            size_t bytes;
            bool cancel; /* its DONE follows all the same */
        } output;
        const struct guard_page *guard;
        const char *trace;
        int exit_status;
    };
};

/* A growing list with an arena behind it. Zeroed memory is empty. */
struct effects_chunk;
struct effects {
    struct effect *items;
    size_t count, capacity;
    struct effects_chunk *chunks;
};

void effects_release(struct effects *effects);
void effects_clear(struct effects *effects);                /* keeps a little memory */
void *effects_alloc(struct effects *effects, size_t bytes); /* aligned, zeroed, lives until clear */
const char *effects_text(struct effects *effects, const char *text);

void effects_send(struct effects *effects, const char *address, enum channel channel,
                  struct span bytes); /* copies */
void effects_reconnect(struct effects *effects, const char *address);
void effects_disconnect(struct effects *effects, const char *address);
void effects_log(struct effects *effects, uint64_t sequence, struct span record); /* copies */
void effects_reply(struct effects *effects, const struct reply *reply);           /* copies */
/* Returns the operation to fill in; document and image must be effects_text'ed or outlive the
 * effects. */
struct runtime_operation *effects_runtime(struct effects *effects);
void effects_guard(struct effects *effects, const struct guard_page *page); /* copies */
void effects_output(struct effects *effects, uint64_t id, size_t bytes, bool cancel);
void effects_trace(struct effects *effects, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void effects_exit(struct effects *effects, int status);
struct effect *effects_append(struct effects *effects, enum effect_type type);

#endif
