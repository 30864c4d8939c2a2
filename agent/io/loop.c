/* The loop: one thread that waits, steps the node and carries out what it asks for.
 *
 * A turn:
 *   1. wait until a descriptor is ready or node_deadline           (loop_wait_until, libuv's poll)
 *   2. read `now`, once                                            (loop_now, at its first use)
 *   3. the drivers' callbacks turn what arrived into events        (loop_submit)
 *   4. node_step each; carry out its effects in order              (loop_step, loop_carry_out)
 *   5. if the deadline has passed, EVENT_TICK: at most one, last   (loop_tick)
 *   6. deferred work: what is better done once for many events     (loop_defer)
 *
 * Steps 5, 6 and the arming for 1 are one uv_prepare callback: libuv calls it after all descriptors
 * and timers have been served and immediately before it waits, so nothing that a callback has left
 * behind waits for an unrelated event.
 *
 * Invariants: the node is stepped by this thread only and never from within node_step. Effects are
 * carried out in the order of the steps that asked for them, also when a sink submits an event.
 * There is no wake-up without a cause: an idle agent sleeps until its node's deadline.
 *
 * An agent that was frozen (SIGSTOP, a suspended machine, a starved CPU) finds its deadline long
 * past while messages that would change its mind are still in the kernel: the transport's threads
 * were frozen as well. Its late tick is therefore put off once, by THAW_MS, and what has arrived by
 * then is stepped first. */
#include "agent/io/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "agent/io/clock.h"

enum { THAW_MS = 20, SETTLE_AGAIN_MS = 10, EFFECT_TYPES = EFFECT_EXIT + 1 };

struct loop_sink {
    loop_sink_function function;
    void *context;
};

struct loop_deferred {
    loop_deferred_function function;
    void *context;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t before_wait;
    uv_timer_t deadline;
    struct node *node;
    struct instant now;
    bool now_is_read;  /* in this turn */
    bool carrying_out; /* loop_carry_out is on the stack */
    bool thawing;      /* a late tick has been put off */
    bool ended;        /* EFFECT_EXIT was carried out */
    int exit_status;
    struct effects effects;
    struct loop_sink sinks[EFFECT_TYPES];
    struct loop_deferred deferred[LOOP_DEFERRED_MAX];
    size_t deferred_count;
    struct loop_statistics statistics;
};

static void loop_before_wait(uv_prepare_t *prepare);

static void loop_deadline_passed(uv_timer_t *timer)
{
    (void)timer; /* it only ends the wait; loop_tick looks at the clock itself */
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    int failed = uv_loop_init(&loop->uv) || uv_prepare_init(&loop->uv, &loop->before_wait) ||
                 uv_timer_init(&loop->uv, &loop->deadline);
    assert(!failed);
    (void)failed;
    loop->before_wait.data = loop;
    loop->deadline.data = loop;
    return loop;
}

void loop_set_node(struct loop *loop, struct node *node)
{
    assert(!loop->node);
    loop->node = node;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    effects_release(&loop->effects);
    int busy = uv_loop_close(&loop->uv);
    assert(!busy);
    (void)busy;
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct node *loop_node(struct loop *loop)
{
    return loop->node;
}

struct instant loop_now(struct loop *loop)
{
    if (!loop->now_is_read) {
        loop->now = clock_now();
        loop->now_is_read = true;
    }
    return loop->now;
}

void loop_set_sink(struct loop *loop, enum effect_type type, loop_sink_function sink, void *context)
{
    assert((size_t)type < EFFECT_TYPES);
    loop->sinks[type] = (struct loop_sink){sink, context};
}

void loop_set_deferred(struct loop *loop, loop_deferred_function function, void *context)
{
    assert(loop->deferred_count < LOOP_DEFERRED_MAX);
    loop->deferred[loop->deferred_count++] = (struct loop_deferred){function, context};
}

/* A sink may submit an event, whose effects are appended behind: the list may grow and move while
 * we walk it. */
static void loop_carry_out(struct loop *loop)
{
    loop->carrying_out = true;
    for (size_t i = 0; i < loop->effects.count && !loop->ended; i++) {
        struct effect effect = loop->effects.items[i];
        loop->statistics.effects++;
        if (effect.type == EFFECT_EXIT) {
            loop->ended = true;
            loop->exit_status = effect.exit_status;
        }
        const struct loop_sink *sink = &loop->sinks[effect.type];
        if (sink->function)
            sink->function(sink->context, &effect);
    }
    effects_clear(&loop->effects);
    loop->carrying_out = false;
}

static void loop_step(struct loop *loop, struct event event)
{
    event.now = loop_now(loop);
    loop->statistics.steps++;
    node_step(loop->node, &event, &loop->effects);
    if (!loop->carrying_out)
        loop_carry_out(loop);
}

void loop_submit(struct loop *loop, const struct event *event)
{
    if (!loop->ended)
        loop_step(loop, *event);
}

static void loop_tick(struct loop *loop)
{
    uint64_t now_ms = loop_now(loop).mono_ms;
    uint64_t deadline_ms = node_deadline(loop->node);
    /* A deadline of 0 is a node that has never been stepped: it is not late. */
    uint64_t late_ms = deadline_ms && now_ms > deadline_ms ? now_ms - deadline_ms : 0;
    bool put_off = loop->thawing;
    loop->thawing = !loop->ended && !put_off && late_ms > FROZEN_AFTER_MS;
    if (loop->ended || loop->thawing || now_ms < deadline_ms)
        return;
    loop->statistics.ticks++;
    loop->statistics.thaws += put_off;
    if (late_ms > loop->statistics.late_max_ms)
        loop->statistics.late_max_ms = late_ms;
    loop_step(loop, (struct event){.type = EVENT_TICK});
}

static void loop_defer(struct loop *loop)
{
    for (size_t i = 0; i < loop->deferred_count; i++)
        loop->deferred[i].function(loop->deferred[i].context);
}

static void loop_wait_until(struct loop *loop)
{
    uv_timer_stop(&loop->deadline);
    if (loop->ended)
        return;
    uint64_t deadline_ms = node_deadline(loop->node);
    uint64_t now_ms = clock_mono_ms(); /* the steps of this turn have taken their time */
    uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->deadline, loop_deadline_passed, loop->thawing ? THAW_MS : wait_ms, 0);
}

static void loop_before_wait(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    loop->statistics.turns++;
    loop_tick(loop);
    loop_defer(loop);
    loop_wait_until(loop);
    loop->now_is_read = false;
}

void loop_run(struct loop *loop)
{
    assert(loop->node);
    uv_prepare_start(&loop->before_wait, loop_before_wait);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_prepare_stop(&loop->before_wait);
    uv_timer_stop(&loop->deadline);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

bool loop_ended(const struct loop *loop, int *ret_status)
{
    if (loop->ended && ret_status)
        *ret_status = loop->exit_status;
    return loop->ended;
}

bool loop_settle(struct loop *loop, uint64_t timeout_ms)
{
    /* The timer only bounds the wait: unreferenced, it does not count as something open. It may
     * come a moment before its time, so it comes again. */
    uint64_t end_ms = clock_mono_ms() + timeout_ms;
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
    uv_timer_start(&loop->deadline, loop_deadline_passed, timeout_ms, SETTLE_AGAIN_MS);
    uv_unref((uv_handle_t *)&loop->deadline);
    bool open = true;
    while (open && clock_mono_ms() < end_ms)
        open = uv_run(&loop->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&loop->deadline, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    return !open;
}

struct loop_statistics loop_statistics(const struct loop *loop)
{
    return loop->statistics;
}
