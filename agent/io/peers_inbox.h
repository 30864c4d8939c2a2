/* Receiving: one PULL listener, a bounded queue that nng's threads fill and the loop's thread
 * empties. */
#ifndef AGENT_IO_PEERS_INBOX_H
#define AGENT_IO_PEERS_INBOX_H

#include <nng/nng.h>
#include <uv.h>

#include "agent/core/error.h"

enum { INBOX_MESSAGES_MAX = 1024, INBOX_BYTES_MAX = 16 * 1024 * 1024 };

struct inbox {
    nng_socket socket;
    nng_aio *receive;
    uv_async_t *wake; /* borrowed: sent whenever there is something to take */
    bool open;
    uv_mutex_t mutex; /* guards what follows */
    nng_msg *messages[INBOX_MESSAGES_MAX];
    size_t first, count, bytes;
    bool paused; /* full: no receive is posted, and the peers are held back by TCP */
};

/* Longer messages end their connection. */
int inbox_open(struct inbox *inbox, const char *url, size_t bytes_max, uv_async_t *wake,
               struct error *err);
/* The oldest message, for the caller to free; NULL: empty. */
nng_msg *inbox_take(struct inbox *inbox);
/* After it no callback runs. Blocks. */
void inbox_close(struct inbox *inbox);
void inbox_release(struct inbox *inbox);

#endif
