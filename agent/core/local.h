/* What this node has and does for one child: its containers as the engine tells, the operations in
 * flight, and the bookkeeping of restarts and pulls. Owned by child->local; made when there is
 * something to do, freed when all is quiet. */
#ifndef AGENT_CORE_LOCAL_H
#define AGENT_CORE_LOCAL_H

#include "agent/core/store.h"

enum { LOCAL_CONTAINERS_MAX = 16 }; /* of one child; more is reported and left to the next list */

struct probing {                  /* one kind of probe of one container: probe.c */
    uint64_t operation;           /* in flight, 0: none */
    uint64_t next_ms;             /* monotonic, 0: not thought of yet */
    uint32_t successes, failures; /* in a row; one of them is 0 */
};

struct local_container {
    struct container container;
    uint64_t seen_ms;   /* monotonic: the last time that the engine spoke of it */
    uint64_t operation; /* STOP or REMOVE in flight, 0: none */
    bool stopping;      /* we asked it to end */
    bool killed;        /* ... and then once more, without grace */
    bool ended_noted;   /* its end has been judged by the restart policy */
    uint64_t retry_ms;  /* a failed stop or removal is tried again then */
    bool met;           /* what follows has been thought of */
    bool ready;
    bool unhealthy;    /* it must end: its liveness probe has failed */
    uint64_t ready_ms; /* wall clock, 0: not */
    struct probing probing[PROBE_KIND_COUNT];
    char *probe_message;    /* why it is not ready, or unhealthy; see local_say */
    uint64_t probe_said_ms; /* monotonic: since when that is said of its readiness */
};

/* Why the containers of a child that we hold must end although the child is wanted. */
enum local_stop { STOP_NONE, STOP_RELEASE };

struct local {
    struct local_container *containers; /* owned */
    size_t container_count;
    uint64_t start_operation, pull_operation; /* in flight, 0: none */
    uint64_t start_epoch;                     /* of the start in flight */
    char start_uid[UID_BYTES + 1];
    uint64_t start_hash;
    bool queued_start, queued_stop, queued_probe;
    bool probe_turn;         /* it has waited in the queue, and its turn has come */
    uint64_t claim_sequence; /* the log record that holds our claim */
    enum local_stop stop;
    uint64_t stop_since_ms;
    /* restarts */
    uint64_t state_hash; /* the spec hash that the numbers below belong to */
    char state_uid[UID_BYTES + 1];
    uint32_t restarts, backoff_level;
    bool crash_loop;
    uint64_t retry_ms;         /* no start before: monotonic, 0: at once */
    uint64_t running_since_ms; /* monotonic, 0: not running */
    uint64_t window_ms;        /* begin of the intensity window */
    uint32_t window_count;
    bool has_exit_code;
    int32_t exit_code;
    uint64_t started_ms, finished_ms; /* wall clock */
    /* pulls */
    bool image_ready;         /* pulled for the start that comes next */
    uint64_t pull_failing_ms; /* since when, 0: not */
    uint32_t pull_failures;
    /* leases: lease_child.c */
    bool courting;        /* its image is pulled before one is asked for */
    uint32_t court_tries; /* that were in vain */
    uint64_t court_ms;    /* none is asked for before: monotonic */
    /* moves: move.c */
    uint64_t offer_epoch;      /* what the rest speaks of; 0: no offer */
    uint64_t offer_ms;         /* the holder: when the successor was last heard of, or asked */
    uint64_t offer_retry_ms;   /* ... and when it is asked again after it has come to nothing */
    bool offer_prepared;       /* ... it has what it needs to start at once */
    uint64_t prepare_ms;       /* the successor: since when it could have begun */
    uint64_t prepare_ready_ms; /* ... and since when its copy is ready, 0: not */
    uint64_t prepare_told_ms;  /* ... and when it last said how far it is */
    /* for people */
    char reason[REASON_BYTES_MAX + 1];
    char
        end_reason[REASON_BYTES_MAX + 1]; /* of a finished child; empty: the stored status has it */
    char *message, *end_message;          /* see local_say */
    bool name_conflict;
    bool name_stopped; /* onNameConflict: stop, and the name is another's */
    bool drain_waits;  /* this member drains, and no other may take the child */
    /* status */
    uint64_t status_written_ms; /* monotonic */
    uint64_t status_changed_ms; /* first time that the present status differed from the written one,
                                   0: equal */
    struct status *status; /* as last computed, and what users see of it; owned; NULL: the stored
                              one says the same, or none has been computed yet */
};

struct local *local_make(struct child *child);
void local_free(struct local *local);
/* A text for people, which most have not: owned by its field, NULL if it is empty, and no longer
 * than MESSAGE_BYTES_MAX. */
void local_say(char **message, const char *text);
const char *local_said(const char *message); /* "" for NULL */
void local_forget_why(struct local *local);  /* reason and message */
/* Nothing left to do or to remember: child->local may go. */
bool local_is_quiet(const struct local *local);
struct local_container *local_find(struct local *local, const char *container_id);
/* Takes in what the engine says of a container; a report that is older than what is known changes
 * nothing. True: changed. */
bool local_observe(struct local *local, const struct container *container, uint64_t now_ms);
void local_drop(struct local *local, struct local_container *gone);

#endif
