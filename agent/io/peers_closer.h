/* A thread that closes wires: nng_close may block, and the loop's thread must not. */
#ifndef AGENT_IO_PEERS_CLOSER_H
#define AGENT_IO_PEERS_CLOSER_H

#include "agent/io/peers_wire.h"

/* More that wait to be closed than this mean that a close hangs. */
enum { CLOSER_WIRES_MAX = 256 };

struct closer {
    uv_thread_t thread;
    bool started;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t changed;
    struct wire *first; /* any order */
    size_t count;
    bool ending;
};

void closer_start(struct closer *closer);
bool closer_is_full(struct closer *closer);
/* Takes the wire, which has been abandoned. The caller has asked closer_is_full, unless it is about
 * to end. */
void closer_take(struct closer *closer, struct wire *wire);
/* Waits until all that were taken are closed. */
void closer_end(struct closer *closer);

#endif
