/* What the two checks of the docker driver share: a loop, a sink that remembers, and patience. */
#ifndef TESTS_SYSTEM_DOCKER_DRIVER_H
#define TESTS_SYSTEM_DOCKER_DRIVER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "agent/io/docker.h"

enum { OPERATIONS_MAX = 2048 }; /* of one run; those that poll are a few hundred */

struct seen {
    unsigned lists, changes, progresses, healthy_count, unhealthy_count;
    bool healthy;
    char name[64], version[64], message[MESSAGE_BYTES_MAX + 1], progress[MESSAGE_BYTES_MAX + 1];
    struct container listed[64];
    size_t listed_count;
    struct container changed; /* the last one */
    struct done {
        uint64_t id;
        enum runtime_result result;
        char message[MESSAGE_BYTES_MAX + 1];
        bool has_container;
        struct container container;
        unsigned times;
    } done[OPERATIONS_MAX];
};

static struct seen seen;
static uv_loop_t loop;
static unsigned failures, checks;

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        checks++;                                                                                \
        if (!(condition)) {                                                                      \
            failures++;                                                                          \
            fprintf(stderr, "%s:%d: %s   [%s]\n", __FILE__, __LINE__, #condition, seen.message); \
        }                                                                                        \
    } while (0)

static inline uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static inline void sink_state(const struct event *event)
{
    seen.healthy = event->runtime.healthy;
    *(seen.healthy ? &seen.healthy_count : &seen.unhealthy_count) += 1;
    TEXT_SET(seen.name, event->runtime.name);
    TEXT_SET(seen.version, event->runtime.version);
    TEXT_SET(seen.message, event->runtime.message);
    fprintf(stderr, "  [%s %s: %s %s]\n", seen.name, seen.version,
            seen.healthy ? "healthy" : "not healthy:", seen.message);
}

static inline void sink_done(const struct event *event)
{
    struct done *done = &seen.done[event->done.id];
    done->id = event->done.id;
    done->result = event->done.result;
    done->times++;
    TEXT_SET(done->message, event->done.message);
    done->has_container = event->done.container != NULL;
    if (event->done.container)
        done->container = *event->done.container;
}

static inline void sink(void *context, const struct event *event)
{
    (void)context;
    switch (event->type) {
    case EVENT_RUNTIME_STATE:
        sink_state(event);
        break;
    case EVENT_RUNTIME_LIST:
        seen.lists++;
        seen.listed_count = event->list.count < 64 ? event->list.count : 64;
        memcpy(seen.listed, event->list.containers, seen.listed_count * sizeof *seen.listed);
        break;
    case EVENT_RUNTIME_CONTAINER:
        seen.changes++;
        seen.changed = *event->container;
        break;
    case EVENT_RUNTIME_PROGRESS:
        seen.progresses++;
        TEXT_SET(seen.progress, event->progress.text);
        break;
    case EVENT_RUNTIME_DONE:
        sink_done(event);
        break;
    default:
        abort();
    }
}

static inline void wake(uv_timer_t *timer)
{
    (void)timer;
}

enum { SOON_MS = 20000 }; /* far more than it takes: other tests make the machine busy */

/* Turns the loop until `condition` holds or the time is up; the value is whether it holds. */
#define WAIT_FOR(condition, timeout_ms)                 \
    ({                                                  \
        uint64_t wait_end_ms = now_ms() + (timeout_ms); \
        while (!(condition) && now_ms() < wait_end_ms)  \
            turn();                                     \
        (condition);                                    \
    })

static inline void turn(void)
{
    static uv_timer_t waker;
    static bool ready;
    if (!ready) {
        uv_timer_init(&loop, &waker);
        uv_unref((uv_handle_t *)&waker);
        ready = true;
    }
    uv_timer_start(&waker, wake, 20, 0);
    uv_run(&loop, UV_RUN_ONCE);
}

static uint64_t next_id = 1;

/* Operations of the children web/0 ... of this test. */
static inline struct runtime_operation operation_of(enum runtime_kind kind, const char *workload)
{
    if (next_id == OPERATIONS_MAX)
        abort();
    struct runtime_operation operation = {.id = next_id++, .kind = kind, .timeout_ms = 20000};
    operation.epoch = 1;
    operation.replica = 0xabcdef;
    operation.spec_hash = 0x1234;
    TEXT_SET(operation.child.ns, "default");
    TEXT_SET(operation.child.workload, workload);
    TEXT_SET(operation.uid, "00000000-0000-4000-8000-000000000001");
    TEXT_SET(operation.supervisor, "default");
    return operation;
}

static inline const struct done *finish(struct runtime *runtime,
                                        const struct runtime_operation *operation)
{
    runtime_submit(runtime, operation);
    const struct done *done = &seen.done[operation->id];
    CHECK(done->times == 0); /* never from within submit */
    CHECK(WAIT_FOR(done->times > 0, operation->timeout_ms + 2000));
    return done;
}

static struct guard_pages guard_pages; /* opened by who guards */

static inline struct runtime *driver_new(const char *endpoint, const char *node)
{
    struct error err;
    struct docker_config config = {.endpoint = endpoint,
                                   .cluster = "check",
                                   .node = node,
                                   .guard_pages = &guard_pages,
                                   .sink = sink};
    struct runtime *runtime = docker_new(&loop, &config, &err);
    if (!runtime)
        fprintf(stderr, "%s\n", err.text);
    return runtime;
}

/* All handles must close by themselves. */
static inline void driver_release(struct runtime *runtime)
{
    runtime_release(runtime);
    for (int i = 0; i < 100 && uv_loop_alive(&loop); i++)
        turn();
    CHECK(!uv_loop_alive(&loop));
}

static inline int conclude(void)
{
    fprintf(stderr, "%u checks, %u failed\n", checks, failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
