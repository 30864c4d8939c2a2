/* Is the engine there, and what happens in it?
 *
 *             version           list
 *   DOWN -> NEGOTIATING -> LISTING -> UP
 *     ^          |            |        |
 *     +----------+------------+--------+   no answer, a refusal, the stream of events ended:
 *       after a back-off                   say so, drop everything, begin again
 *
 * Events are hints, the list is the truth. From LISTING on a stream of events is open (its
 * beginning reaches back a little, so that nothing falls between stream and list); each event makes
 * us inspect that container. Engines keep few events and may lose some, hence a list every
 * RELIST_PINGS pings. A hanging engine keeps its connections open, hence the pings.
 *
 * Invariants: one negotiation, ping, stream and list at a time, and none of them when DOWN; of one
 * container at most one inspection is under way, and the last one begins after the last event. */
#include "agent/io/docker_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PING_INTERVAL_MS = 5000,
    PING_TIMEOUT_MS = 3000,
    RELIST_PINGS = 6, /* 30 s */
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 2000,
    STEADY_AFTER_MS = PING_INTERVAL_MS, /* up for so long: the next failure is a new one */
    REPLAY_SECONDS = 5,
    CHECKS_MAX = 4096, /* more containers to look at: a list is cheaper */
};

struct watch_check {
    struct docker *docker;
    struct watch_check *next;
    struct docker_call *call;          /* NULL: waits */
    bool again;                        /* another event came while we asked */
    struct docker_container container; /* as the event told */
};

static void watch_move(struct docker_watch *watch, enum watch_state state)
{
    static const uint8_t allowed[WATCH_STATE_COUNT] = {
        [WATCH_DOWN] = 1u << WATCH_NEGOTIATING | 1u << WATCH_DOWN,
        [WATCH_NEGOTIATING] = 1u << WATCH_LISTING | 1u << WATCH_DOWN,
        [WATCH_LISTING] = 1u << WATCH_UP | 1u << WATCH_DOWN,
        [WATCH_UP] = 1u << WATCH_DOWN,
    };
    assert(allowed[watch->state] & 1u << state);
    watch->state = state;
}

static struct docker_call *watch_get(struct docker *docker, const char *path, uint64_t timeout_ms,
                                     docker_done_function done, void *context)
{
    return docker_http_send(docker->quick,
                            &(struct docker_request){.method = "GET",
                                                     .path = path,
                                                     .timeout_ms = timeout_ms,
                                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                                     .done = done,
                                                     .context = context});
}

/* ---- failure ---- */

static void watch_attempt(uv_timer_t *timer);

static void watch_drop_checks(struct docker_watch *watch)
{
    while (watch->checks) {
        struct watch_check *check = watch->checks;
        watch->checks = check->next;
        docker_call_cancel(check->call);
        free(check);
    }
    watch->check_count = watch->checks_in_flight = 0;
}

static void watch_drop(struct docker_watch *watch)
{
    struct docker_call **calls[] = {&watch->negotiation, &watch->ping, &watch->events};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        docker_call_cancel(*calls[i]);
        *calls[i] = NULL;
    }
    docker_list_cancel(watch->list);
    watch->list = NULL;
    watch->list_again = false;
    watch_drop_checks(watch);
}

/* Attempts that fail alike are told once. */
static void watch_tell_failure(struct docker *docker, const char *message)
{
    struct docker_watch *watch = &docker->watch;
    if (!watch->told_healthy && strcmp(watch->told, message) == 0)
        return;
    watch->told_healthy = false;
    TEXT_SET(watch->told, message);
    struct event event = {.type = EVENT_RUNTIME_STATE};
    event.runtime.name = watch->version.name;
    event.runtime.version = watch->version.version;
    event.runtime.message = message;
    docker_tell(docker, &event);
}

static void watch_fail(struct docker *docker, const char *what, const char *why)
{
    struct docker_watch *watch = &docker->watch;
    char message[MESSAGE_BYTES_MAX + 1];
    if (docker->released)
        return;
    docker_message(message, what, why);
    if (watch->state == WATCH_UP && docker_now_ms() - watch->up_since_ms >= STEADY_AFTER_MS)
        watch->backoff_ms = BACKOFF_MIN_MS;
    watch_move(watch, WATCH_DOWN);
    watch_drop(watch);
    uv_timer_start(&watch->timer, watch_attempt, watch->backoff_ms, 0);
    watch->backoff_ms *= 2;
    if (watch->backoff_ms > BACKOFF_MAX_MS)
        watch->backoff_ms = BACKOFF_MAX_MS;
    watch_tell_failure(docker, message);
}

static void watch_fail_answer(struct docker *docker, const char *what,
                              const struct docker_answer *answer)
{
    char message[MESSAGE_BYTES_MAX + 1];
    docker_answer_message(message, what, answer);
    watch_fail(docker, "", message);
}

/* ---- lists ---- */

static void watch_tell_healthy(struct docker *docker)
{
    struct docker_watch *watch = &docker->watch;
    watch->told_healthy = true;
    watch->told[0] = 0;
    watch->up_since_ms = docker_now_ms();
    struct event event = {.type = EVENT_RUNTIME_STATE};
    event.runtime.healthy = true;
    event.runtime.name = watch->version.name;
    event.runtime.version = watch->version.version;
    docker_tell(docker, &event);
}

static void watch_listed(void *context, const struct docker_list_result *result)
{
    struct docker *docker = context;
    struct docker_watch *watch = &docker->watch;
    watch->list = NULL;
    if (!result->containers) {
        watch_fail(docker, "", result->problem);
        return;
    }
    bool first = watch->state == WATCH_LISTING;
    if (first)
        watch_move(watch, WATCH_UP);
    struct event event = {.type = EVENT_RUNTIME_LIST};
    event.list.containers = result->containers;
    event.list.count = result->count;
    docker_tell(docker, &event);
    if (first && watch->state == WATCH_UP)
        watch_tell_healthy(docker);
    if (watch->list_again)
        docker_watch_relist(docker);
}

static void watch_list(struct docker *docker)
{
    struct docker_watch *watch = &docker->watch;
    watch->list_again = false;
    watch->pings = 0;
    watch->list = docker_list_start(docker, RUNTIME_LIST_TIMEOUT_MS, watch_listed, docker);
}

void docker_watch_relist(struct docker *docker)
{
    struct docker_watch *watch = &docker->watch;
    if (docker->released)
        return;
    if (watch->list)
        watch->list_again = true;
    else if (watch->state == WATCH_UP)
        watch_list(docker);
}

/* ---- what events speak of ---- */

static void watch_check_next(struct docker *docker);

static void check_remove(struct docker_watch *watch, struct watch_check *check)
{
    struct watch_check **link = &watch->checks;
    while (*link != check)
        link = &(*link)->next;
    *link = check->next;
    free(check);
    watch->check_count--;
}

static void watch_tell_container(struct docker *docker, const struct docker_container *container)
{
    if (!docker_is_ours(docker, container))
        return;
    docker_note(docker, &container->container);
    struct event event = {.type = EVENT_RUNTIME_CONTAINER};
    event.container = &container->container;
    docker_tell(docker, &event);
}

static void watch_checked(void *context, const struct docker_answer *answer)
{
    struct watch_check *check = context;
    struct docker *docker = check->docker;
    struct docker_watch *watch = &docker->watch;
    struct docker_container container = check->container;
    struct error err;
    bool known = true;
    check->call = NULL;
    watch->checks_in_flight--;
    if (answer->status == 404)
        container.container.state = CONTAINER_GONE;
    else
        known = answer_is_good(answer) && docker_json_inspect(&container, answer->body, &err) == 0;
    if (check->again)
        check->again = false; /* the answer may be older than that event */
    else
        check_remove(watch, check);
    watch_check_next(docker);
    if (known)
        watch_tell_container(docker, &container);
    else
        docker_watch_relist(docker);
}

static void watch_check_begin(struct docker *docker, struct watch_check *check)
{
    char path[CONTAINER_ID_BYTES_MAX + 64];
    snprintf(path, sizeof path, "%s/containers/%s/json", docker->prefix,
             check->container.container.id);
    check->call = watch_get(docker, path, RUNTIME_LIST_TIMEOUT_MS, watch_checked, check);
    docker->watch.checks_in_flight++;
}

static void watch_check_next(struct docker *docker)
{
    struct docker_watch *watch = &docker->watch;
    for (struct watch_check *check = watch->checks; check; check = check->next) {
        if (watch->checks_in_flight == DOCKER_INSPECTIONS_MAX)
            return;
        if (!check->call)
            watch_check_begin(docker, check);
    }
}

static void watch_check_add(struct docker *docker, const struct docker_container *container)
{
    struct docker_watch *watch = &docker->watch;
    struct watch_check **link = &watch->checks;
    for (; *link; link = &(*link)->next) {
        if (strcmp((*link)->container.container.id, container->container.id) != 0)
            continue;
        (*link)->again = (*link)->call != NULL;
        return;
    }
    if (watch->check_count == CHECKS_MAX) {
        docker_watch_relist(docker);
        return;
    }
    struct watch_check *check = xcalloc(1, sizeof *check);
    *check = (struct watch_check){.docker = docker, .container = *container};
    *link = check;
    watch->check_count++;
}

static void watch_event(void *context, struct span line)
{
    struct docker *docker = context;
    struct docker_event event;
    struct error err;
    if (docker_json_event(&event, line, &err)) {
        docker_watch_relist(docker);
        return;
    }
    if (!docker_is_ours(docker, &event.container))
        return;
    watch_check_add(docker, &event.container);
    watch_check_next(docker);
}

static void watch_events_ended(void *context, const struct docker_answer *answer)
{
    struct docker *docker = context;
    docker->watch.events = NULL;
    if (answer_is_good(answer))
        watch_fail(docker, "events", "the engine ended the stream");
    else
        watch_fail_answer(docker, "events", answer);
}

static void watch_events(struct docker *docker)
{
    char *filters = docker_filters(docker, true), path[DOCKER_PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/events?since=%" PRId64 "&filters=%s", docker->prefix,
             (int64_t)time(NULL) - REPLAY_SECONDS, filters);
    free(filters);
    docker->watch.events = docker_http_send(
        docker->quick, &(struct docker_request){.method = "GET",
                                                .path = path,
                                                .answer_bytes_max = DOCKER_STREAM_BYTES_MAX,
                                                .done = watch_events_ended,
                                                .line = watch_event,
                                                .context = docker});
}

/* ---- pings ---- */

static void watch_pinged(void *context, const struct docker_answer *answer)
{
    struct docker *docker = context;
    docker->watch.ping = NULL;
    if (!answer_is_good(answer))
        watch_fail_answer(docker, "ping", answer);
}

static void watch_ping(struct docker *docker)
{
    if (!docker->watch.ping)
        docker->watch.ping = watch_get(docker, "/_ping", PING_TIMEOUT_MS, watch_pinged, docker);
}

static void watch_tick(uv_timer_t *timer)
{
    struct docker *docker = timer->data;
    watch_ping(docker);
    if (++docker->watch.pings >= RELIST_PINGS)
        docker_watch_relist(docker);
}

void docker_watch_suspect(struct docker *docker)
{
    if (!docker->released && docker->watch.state >= WATCH_LISTING)
        watch_ping(docker);
}

/* ---- negotiation ---- */

static void watch_negotiated(void *context, const struct docker_answer *answer)
{
    struct docker *docker = context;
    struct docker_watch *watch = &docker->watch;
    struct error err;
    char limits[128];
    watch->negotiation = NULL;
    if (!answer_is_good(answer)) {
        watch_fail_answer(docker, "version", answer);
        return;
    }
    if (docker_json_version(&watch->version, answer->body, &err)) {
        watch_fail(docker, "", err.text);
        return;
    }
    unsigned api = watch->version.api < DOCKER_API_MINOR ? watch->version.api : DOCKER_API_MINOR;
    if (api < watch->version.api_min || api < DOCKER_API_MINOR_MIN) {
        snprintf(
            limits, sizeof limits, "the engine speaks API 1.%u to 1.%u, this agent 1.%d to 1.%d",
            watch->version.api_min, watch->version.api, DOCKER_API_MINOR_MIN, DOCKER_API_MINOR);
        watch_fail(docker, "version", limits);
        return;
    }
    snprintf(docker->prefix, sizeof docker->prefix, "/v1.%u", api);
    watch_move(watch, WATCH_LISTING);
    uv_timer_start(&watch->timer, watch_tick, PING_INTERVAL_MS, PING_INTERVAL_MS);
    watch_events(docker);
    watch_list(docker);
}

static void watch_attempt(uv_timer_t *timer)
{
    struct docker *docker = timer->data;
    watch_move(&docker->watch, WATCH_NEGOTIATING);
    docker->watch.negotiation =
        watch_get(docker, "/version", PING_TIMEOUT_MS, watch_negotiated, docker);
}

void docker_watch_init(struct docker *docker)
{
    docker->watch.backoff_ms = BACKOFF_MIN_MS;
    uv_timer_start(&docker->watch.timer, watch_attempt, 0, 0);
}

void docker_watch_release(struct docker *docker)
{
    while (docker->watch.checks) {
        struct watch_check *check = docker->watch.checks;
        docker->watch.checks = check->next;
        free(check);
    }
}
