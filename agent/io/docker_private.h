/* Shared by the docker*.c files only.
 *
 *   docker.c            life, telling the sink
 *   docker_watch.c      is the engine there, and what happens in it
 *   docker_list.c       one complete list
 *   docker_operation.c  STOP, REMOVE, PULL, LIST, and what all operations share
 *   docker_start.c      START
 *   docker_probe.c      PROBE
 *   docker_output.c     OUTPUT
 *   docker_http.c       HTTP on the loop; knows nothing of the others */
#ifndef AGENT_IO_DOCKER_PRIVATE_H
#define AGENT_IO_DOCKER_PRIVATE_H

#include "agent/codec/docker_json.h"
#include "agent/codec/docker_output.h"
#include "agent/io/docker.h"
#include "agent/io/docker_http.h"

enum {
    DOCKER_API_MINOR = 41,                     /* 1.41: the newest we know */
    DOCKER_API_MINOR_MIN = 25,                 /* the first one with mounts */
    DOCKER_INSPECTIONS_MAX = 16,               /* at once, per list and for events */
    DOCKER_STREAM_BYTES_MAX = 4 * 1024 * 1024, /* of lines that have come in one turn of the loop */
    DOCKER_STUCK_MAX = 256, /* commands of probes that have outlived their time */
    DOCKER_PATH_BYTES_MAX = 8 * IMAGE_BYTES_MAX,
};

#define DOCKER_NO_DEADLINE UINT64_MAX

struct docker_list;
struct docker_operation;

enum watch_state { WATCH_DOWN, WATCH_NEGOTIATING, WATCH_LISTING, WATCH_UP, WATCH_STATE_COUNT };

struct docker_watch {
    enum watch_state state;
    uv_timer_t timer; /* DOWN: the next attempt; else: the next ping */
    struct docker_call *negotiation, *ping, *events;
    struct docker_list *list;
    bool list_again;            /* another one when this one is done */
    struct watch_check *checks; /* containers that events spoke of, oldest first */
    size_t check_count, checks_in_flight;
    uint64_t backoff_ms, up_since_ms;
    unsigned pings; /* since the last list */
    bool told_healthy;
    char told[MESSAGE_BYTES_MAX + 1]; /* the last bad news; empty: none since the last good ones */
    struct docker_version version;
};

struct docker_stuck {
    char container_id[CONTAINER_ID_BYTES_MAX + 1], exec_id[CONTAINER_ID_BYTES_MAX + 1];
    enum probe_kind probe;
};

struct docker {
    struct runtime runtime; /* first: the seam's view of us */
    uv_loop_t *loop;
    char *cluster, *node, *child_api;
    void (*print_token)(void *context, const struct runtime_operation *start, char *ret_token,
                        size_t bytes);
    const struct policy *policy;     /* NULL: everything is allowed */
    struct guard_pages *guard_pages; /* NULL: nothing can be guarded */
    runtime_sink_function sink;
    void *context;
    struct docker_http *quick; /* ping, lists, inspections after events: never behind the others */
    struct docker_http *slow;  /* operations */
    struct docker_http *outputs; /* logs, held for as long as somebody reads */
    struct docker_http *probes;  /* commands in containers, and connections to them */
    char published_host[ADDRESS_BYTES_MAX + 1]; /* for probes; empty: to the container itself */
    struct docker_stuck stuck[DOCKER_STUCK_MAX];
    size_t stuck_count;
    char prefix[16]; /* "/v1.41" */
    struct docker_watch watch;
    struct docker_list *lists;           /* under way */
    struct docker_operation *operations; /* under way */
    uv_timer_t begin;                    /* operations begin one turn after their submit */
    unsigned handles;                    /* still to be closed before we are freed */
    bool released;
};

/* ---- docker.c ---- */

uint64_t docker_now_ms(void);
/* What is left until the deadline; 0: it has passed; of DOCKER_NO_DEADLINE: all the time in the
 * world. */
uint64_t docker_left_ms(uint64_t deadline_ms);
void docker_tell(struct docker *docker, const struct event *event);
/* This is how it is now: lists under way will not say something older. */
void docker_note(struct docker *docker, const struct container *container);
/* "what: why" in a message's field, cut at a whole character; without `what` just why. */
void docker_message(char ret_message[MESSAGE_BYTES_MAX + 1], const char *what, const char *why);
/* What went wrong with an answer that is not good. */
void docker_answer_message(char ret_message[MESSAGE_BYTES_MAX + 1], const char *what,
                           const struct docker_answer *answer);
/* The filter for all that is ours, percent-encoded. events: only those that change a container's
 * state. */
char *docker_filters(const struct docker *docker, bool events); /* the caller frees */
bool docker_is_ours(const struct docker *docker, const struct docker_container *container);

/* ---- docker_list.c ---- */

struct docker_list_result {
    const struct container *containers; /* NULL: it failed */
    size_t count;
    bool timed_out;
    const char *problem;
};
typedef void (*docker_list_function)(void *context, const struct docker_list_result *result);

struct docker_list *docker_list_start(struct docker *docker, uint64_t timeout_ms,
                                      docker_list_function done, void *context);
void docker_list_cancel(struct docker_list *list); /* NULL is fine */
void docker_lists_note(struct docker *docker, const struct container *container);
void docker_lists_release(struct docker *docker); /* memory only: the calls are gone */

/* ---- docker_watch.c ---- */

void docker_watch_init(struct docker *docker);    /* the timer is initialised */
void docker_watch_release(struct docker *docker); /* memory only */
void docker_watch_relist(struct docker *docker);  /* something may have been missed */
void docker_watch_suspect(struct docker *docker); /* somebody got no answer: ask now */

/* ---- docker_operation.c ---- */

typedef void (*docker_step_function)(struct docker_operation *operation,
                                     const struct docker_answer *answer);

struct docker_operation {
    struct docker *docker;
    struct docker_operation *next, **link;
    bool begun;
    struct runtime_operation request; /* document and image are owned */
    uint64_t deadline_ms;
    docker_step_function step; /* what the answer under way is for */
    /* START */
    char *body;
    char name[DOCKER_NAME_BYTES_MAX];
    bool distinct;
    unsigned attempts;
    char id[CONTAINER_ID_BYTES_MAX + 1];
    int status; /* of the request that decides; others followed it */
    enum runtime_result result;
    char message[MESSAGE_BYTES_MAX + 1];
    /* STOP */
    bool waited;
    /* PULL */
    struct docker_pull *pull;
    uint64_t told_ms;
    /* LIST */
    struct docker_list *list;
    /* PROBE */
    struct docker_probe probe;
    /* OUTPUT */
    struct docker_call *call;
    struct docker_output output;
    int64_t granted; /* bytes that may still be told */
    bool cancelled;
};

void docker_submit(struct runtime *runtime, const struct runtime_operation *operation);
void docker_operations_begin(struct docker *docker);   /* those that wait for it */
void docker_begin_soon(struct docker *docker);         /* ... one turn later */
void docker_operations_release(struct docker *docker); /* memory only */

/* The answer goes to `step`; without one (no engine, no time left) the operation ends here. */
void operation_send(struct docker_operation *operation, const char *method, const char *path,
                    const char *body, docker_step_function step);
void operation_send_request(struct docker_operation *operation, struct docker_request *request,
                            docker_step_function step);
/* operation_send of PREFIX/containers/ID followed by `rest`. */
void operation_send_container(struct docker_operation *operation, const char *method,
                              const char *id, const char *rest, docker_step_function step);
void operation_send_image(struct docker_operation *operation, const char *image,
                          docker_step_function step);
/* Frees the operation and tells the sink. message NULL if OK; container may be NULL. */
void operation_finish(struct docker_operation *operation, enum runtime_result result,
                      const char *message, const struct container *container);
/* operation_finish(RUNTIME_FAILED, "what: what the engine said"). */
void operation_fail(struct docker_operation *operation, const char *what,
                    const struct docker_answer *answer);
/* Keeps status and message of an answer for later. */
void operation_keep(struct docker_operation *operation, const char *what,
                    const struct docker_answer *answer);
static inline bool answer_is_good(const struct docker_answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

/* ---- docker_start.c ---- */

void operation_start(struct docker_operation *operation);

/* ---- docker_output.c ---- */

void operation_output(struct docker_operation *operation);
void docker_output_flow(struct runtime *runtime, uint64_t id, size_t bytes, bool cancel);

/* ---- docker_probe.c ---- */

void operation_probe(struct docker_operation *operation);
void operation_probe_prepare(struct docker_operation *operation); /* within submit */
void operation_probe_unanswered(struct docker_operation *operation,
                                const struct docker_answer *answer);

#endif
