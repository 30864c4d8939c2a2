/* A thread that closes wires, and at the end the inboxes: nng_close may block, and the loop's
 * thread must not. */
#ifndef AGENT_IO_PEERS_CLOSER_H
#define AGENT_IO_PEERS_CLOSER_H

#include "agent/io/peers_inbox.h"
#include "agent/io/peers_wire.h"

enum {
    CLOSER_WIRES_MAX = 256, /* more that wait to be closed mean that a close hangs */
    CLOSER_END_MS = 1000,   /* all closes of an end together take a few milliseconds */
};

struct closer {
    uv_thread_t thread;
    bool started;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t changed;
    struct wire *first; /* any order */
    size_t count;
    struct inbox *inboxes; /* borrowed: closed at the end */
    size_t inbox_count;
    bool ending, ended;
};

void closer_start(struct closer *closer);
bool closer_is_full(struct closer *closer);
/* Takes the wire, which has been abandoned. The caller has asked closer_is_full, unless it is about
 * to end. */
void closer_take(struct closer *closer, struct wire *wire);
/* Waits until all that were taken, and these inboxes, are closed. False: not within CLOSER_END_MS,
 * as nng's thread that frees connections may wait for ever when one comes or goes while the inbox
 * is closed (nng 1.5.2: one end in 600 of agents that all come and go). Then threads may still use
 * all of it, and only the end of the process ends them; or call again. */
bool closer_end(struct closer *closer, struct inbox *inboxes, size_t count);

#endif
