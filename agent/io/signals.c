/* Signals, and what a process asks of its kernel at the start. */
#include "agent/io/signals.h"

#include <signal.h>
#include <sys/resource.h>

static void signals_raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void signals_prepare_process(void)
{
    signal(SIGPIPE, SIG_IGN);
    signals_raise_open_files();
}

static void signals_received(uv_signal_t *handle, int number)
{
    (void)number;
    struct signals *signals = handle->data;
    struct event event = {.type = EVENT_STOP};
    loop_submit(signals->loop, &event);
}

static void signals_hung_up(uv_signal_t *handle, int number)
{
    const struct signals *signals = handle->data;
    (void)number;
    signals->hung_up(signals->context);
}

void signals_start(struct signals *signals, struct loop *loop, void (*hung_up)(void *context),
                   void *context)
{
    signals->hung_up = hung_up;
    signals->context = context;
    signals->loop = loop;
    signals->started = true;
    uv_signal_init(loop_uv(loop), &signals->term);
    uv_signal_init(loop_uv(loop), &signals->interrupt);
    uv_signal_init(loop_uv(loop), &signals->hangup);
    signals->term.data = signals->interrupt.data = signals->hangup.data = signals;
    uv_signal_start(&signals->term, signals_received, SIGTERM);
    uv_signal_start(&signals->interrupt, signals_received, SIGINT);
    uv_signal_start(&signals->hangup, signals_hung_up, SIGHUP);
}

void signals_stop(struct signals *signals)
{
    if (!signals->started)
        return;
    signals->started = false;
    uv_close((uv_handle_t *)&signals->term, NULL);
    uv_close((uv_handle_t *)&signals->interrupt, NULL);
    uv_close((uv_handle_t *)&signals->hangup, NULL);
}
