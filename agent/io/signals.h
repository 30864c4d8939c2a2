/* Signals: SIGTERM and SIGINT are EVENT_STOP, each time; what they mean is the node's to say.
 * SIGHUP is the caller's. */
#ifndef AGENT_IO_SIGNALS_H
#define AGENT_IO_SIGNALS_H

#include "agent/io/loop.h"

struct signals {
    struct loop *loop;
    uv_signal_t term, interrupt, hangup;
    void (*hung_up)(void *context);
    void *context;
    bool started;
};

/* Ignores SIGPIPE (a peer that hangs up is an error code, not the end) and raises the limit of open
 * files. */
void signals_prepare_process(void);
void signals_start(struct signals *signals, struct loop *loop, void (*hung_up)(void *context),
                   void *context);
void signals_stop(struct signals *signals); /* closes the handles */

#endif
