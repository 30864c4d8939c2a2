/* Everything that can happen to a node. The shell makes events, the core borrows them for the step.
 *
 * Time is a field of the event: mono_ms never goes back (CLOCK_BOOTTIME), wall_ms may jump. */
#ifndef AGENT_CORE_EVENT_H
#define AGENT_CORE_EVENT_H

#include "agent/core/container.h"
#include "agent/core/request.h"

struct instant {
    uint64_t mono_ms;
    uint64_t wall_ms;
};

enum event_type {
    EVENT_START,   /* once, after node_restore of all records */
    EVENT_TICK,    /* the deadline has passed; at most one per turn of the loop, after all else */
    EVENT_MESSAGE, /* bytes from a peer: unordered, lossy, hostile */
    EVENT_PEER_BROKEN, /* a connection to this address ended: a hint, never a verdict */
    EVENT_SUGGESTED,   /* where agents may be, says discovery; who is not among them is not gone */
    EVENT_LOG_SYNCED,  /* all log records up to this sequence are durable */
    EVENT_DISK_STATE,  /* room or failure changed */
    EVENT_REQUEST,     /* a user wants something written */
    EVENT_LOOK,        /* before a user looks: what versions he sees are kept up from now on */
    EVENT_CLIENT,      /* who gets an answer in pieces has taken some of it, or has gone away */
    EVENT_RUNTIME_STATE,     /* the engine answers, or does not */
    EVENT_RUNTIME_LIST,      /* all containers of this cluster and node: the truth, as of now */
    EVENT_RUNTIME_CONTAINER, /* one of them changed: a hint that carries the fresh inspection */
    EVENT_RUNTIME_PROGRESS,  /* of a pull */
    EVENT_RUNTIME_OUTPUT,    /* a piece of what a container has printed */
    EVENT_RUNTIME_DONE,      /* every operation ends in exactly one of these */
    EVENT_STOP,              /* SIGTERM: drain or detach, then exit; a second one: exit 1 at once */
};

enum runtime_result {
    RUNTIME_OK,
    RUNTIME_FAILED,        /* the engine refused or broke: worth trying again later */
    RUNTIME_TIMED_OUT,     /* nobody knows; a list follows */
    RUNTIME_IMAGE_MISSING, /* START: pull first. PULL: there is no such image, or no registry */
    RUNTIME_UNHEALTHY,     /* PROBE: the container says no, or nothing in time */
    RUNTIME_REFUSED, /* START: this node's policy does not allow what it asks for; another's may */
    RUNTIME_INVALID, /* START: this spec can never start here (bad command, port taken, bad mount)
                      */
};

struct event {
    enum event_type type;
    struct instant now;
    union {
        struct {
            struct span bytes;
            const char
                *from; /* transport address of the sender if known, for traces only; may be NULL */
        } message;
        struct {
            const char *address;
        } peer;
        struct {
            const char *const *addresses; /* all that are suggested now; sorted, each once */
            size_t count;
        } suggested;
        struct {
            uint64_t sequence;
        } log_synced;
        struct {
            bool failed;         /* the log cannot be written: users' writes are told 507 */
            uint64_t room_bytes; /* preallocated and free in the log */
            const char *message; /* NULL if fine */
        } disk;
        const struct request *request;
        struct {
            uint64_t id;        /* of the request */
            size_t taken_bytes; /* since it was last told */
            bool gone;          /* the last that is heard of it */
        } client;
        struct {
            bool healthy;
            const char *name, *version, *message;
        } runtime;
        struct {
            const struct container *containers;
            size_t count;
        } list;
        const struct container *container;
        struct {
            uint64_t id;
            const char *text;
        } progress;
        struct {
            uint64_t id; /* of the RUNTIME_OUTPUT */
            struct span bytes;
        } output;
        struct {
            uint64_t id;
            enum runtime_result result;
            const char *message;               /* NULL if OK */
            const struct container *container; /* START, STOP: as inspected after; NULL if none */
        } done;
    };
};

#endif
