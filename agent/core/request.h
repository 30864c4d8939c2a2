/* Writes that users ask for, and the answers. Reads do not pass the core's events: see query.h.
 *
 * A request is stepped, changes the map at once or is refused, and is answered when it is durable:
 * by this agent's log, and by a second alive member (design section 7). Each request gets exactly
 * one EFFECT_REPLY.
 *
 * Or it is answered in pieces: any number of replies with `more`, each with the next bytes in
 * `found`, and one without, which ends it and may have the last bytes. The first piece may come at
 * any time; a failure instead of it is an ordinary answer, a failure after it cuts the answer off.
 * What the client has not taken yet is held for it, up to STREAM_WINDOW_BYTES: who sends pieces
 * counts what is out, and what EVENT_CLIENT says was taken. Who sends more is cut off. When the
 * client goes away EVENT_CLIENT says so, once, and whatever is sent after that is dropped. */
#ifndef AGENT_CORE_REQUEST_H
#define AGENT_CORE_REQUEST_H

#include "agent/core/document.h"
#include "agent/core/error.h"
#include "crdt/dot.h"

enum request_kind {
    REQUEST_PUT_WORKLOAD,      /* workload */
    REQUEST_DELETE_WORKLOAD,   /* ns, name */
    REQUEST_PUT_SUPERVISOR,    /* supervisor */
    REQUEST_DELETE_SUPERVISOR, /* name */
    REQUEST_PUT_NAME,    /* ns, name, registration; create: only if nobody has it. 403: not yours */
    REQUEST_SET_VALUE,   /* ns, name, value; child, epoch, uid: of the child whose name it is */
    REQUEST_DELETE_NAME, /* ns, name, registration's owner */
    REQUEST_PUT_META,    /* ns, name, value */
    REQUEST_DELETE_META, /* ns, name */
    REQUEST_PUT_STATE,   /* child, epoch, uid, state. 409: that epoch is over */
    REQUEST_DELETE_STATE, /* child, epoch, uid */
    REQUEST_DELETE_CHILD, /* child: stop it; it is placed again, also if it had ended. terminate:
                             leave it Succeeded */
    REQUEST_SET_UNSCHEDULABLE, /* name (a member), flag: neither way does it drain any more */
    REQUEST_DRAIN,             /* name (a member): unschedulable, and it hands over what it holds */
    REQUEST_REBALANCE,         /* name (a supervisor), flag: false: call it off */
    REQUEST_JOIN,  /* addresses: answered once one of them has welcomed us, or REQUEST_TIMEOUT_MS */
    REQUEST_LEAVE, /* drain, `left`, exit: answered when the last child is handed over or
                      --drain-timeout */
    /* away_ms, DETACH_MS_MIN to MAX: exit with the containers left running; answered when a second
     * member knows, or there is none; 504 if none ever did */
    REQUEST_DETACH,
    REQUEST_FORGET,           /* name (a dead member) */
    REQUEST_FORCE_ELECTORATE, /* name (a supervisor): spec.members vote from now on, whatever the
                                 electorate before says; answered when all of them have agreed */
    REQUEST_WAIT_QUORUM, /* name (a supervisor), wait_ms: until this node sees its quorum, or 504 */
    REQUEST_OUTPUT,      /* child, output: what its container has printed, in pieces */
    REQUEST_ORPHANS, /* name (a member), flag: they are to end. reply.found: see orphan_decode */
    REQUEST_EVENTS,  /* the journals of all members: reply.found; in reply.message who was silent */
    REQUEST_WAIT,    /* until seen covers `after`: read your writes; 504 after REQUEST_TIMEOUT_MS */
};

/* A name as an outside process wants it. Borrowed for the step. */
struct registration {
    uint8_t owner[OWNER_HASH_BYTES]; /* of the token */
    const char *address;             /* host only; empty: that of the agent */
    uint16_t port;                   /* 0: none */
    const char *value;               /* JSON text or NULL */
    uint64_t ttl_ms;                 /* OUTSIDE_TTL_MS_MIN to MAX */
    struct label *labels;
    size_t label_count;
};

#define OUTPUT_TAIL_ALL UINT32_MAX

struct output_wish {
    bool follow;            /* what it prints from now on, too, until it ends */
    bool timestamps;        /* before each line */
    uint32_t tail;          /* so many lines of what there is; OUTPUT_TAIL_ALL */
    uint32_t since_seconds; /* no older than that; 0: any age */
};

struct request {
    uint64_t id; /* chosen by the shell, never 0, unique in the run */
    enum request_kind kind;
    char ns[NAME_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    struct child_id child;
    uint64_t epoch;          /* of the child */
    char uid[UID_BYTES + 1]; /* of its workload */
    struct span state;
    bool flag; /* terminate, unschedulable, create */
    uint64_t away_ms, wait_ms;
    struct output_wish output;
    const struct workload *workload;
    const struct supervisor *supervisor;
    const struct registration *registration;
    const char *value; /* JSON text */
    const char *const *addresses;
    size_t address_count;
    struct dot after;
};

/* A container of nobody that is known. In reply.found is the number of all, then some of them. */
struct orphan_view {
    char id[CONTAINER_ID_BYTES_MAX + 1];
    struct child_id child;
    char uid[UID_BYTES + 1];
    uint64_t epoch;
    bool running, condemned;             /* condemned: its end is under way */
    char message[MESSAGE_BYTES_MAX + 1]; /* why that did not work; empty: nothing went wrong */
};

bool orphan_view_decode(struct reader *reader, struct orphan_view *ret_view); /* false: the end */

struct reply {
    uint64_t id;
    int status;                        /* HTTP: 200, 404, 409, 422, 429, 503, 504, 507 */
    char reason[REASON_BYTES_MAX + 1]; /* Kubernetes' reason for failures: NotFound, Timeout, ... */
    char message[512];                 /* for failures */
    struct dot written;                /* zero if nothing was */
    struct span found; /* EVENTS: for each member that answered its name and its journal's entries,
                          both with their lengths. Pieces: the next bytes. Lives as long as the
                          effects: effects_alloc */
    bool more;         /* further replies to this request follow */
    bool alone;        /* durable here only: no other member is alive (a Warning header) */
};

#endif
