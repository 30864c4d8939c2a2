/* Receiving.
 *
 * One receive is posted at a time; its callback, on a thread of nng, puts the message into the
 * queue, wakes the loop and posts the next. When the queue is full nothing is posted until the loop
 * has taken a message: nng then stops reading and the kernel holds the senders back. Garbage on the
 * port is nng's to refuse: what does not speak its handshake never gets here, and a message longer
 * than RECVMAXSZ ends its connection.
 *
 * Invariant: a receive is posted, or `paused`, or the socket is closed. */
#include "agent/io/peers_inbox.h"

#include <assert.h>
#include <nng/protocol/pipeline0/pull.h>

#include "agent/core/limits.h"

static bool inbox_put(struct inbox *inbox, nng_msg *message)
{
    uv_mutex_lock(&inbox->mutex);
    assert(inbox->count < INBOX_MESSAGES_MAX);
    inbox->messages[(inbox->first + inbox->count) % INBOX_MESSAGES_MAX] = message;
    inbox->count++;
    inbox->bytes += nng_msg_len(message);
    inbox->paused = inbox->count == INBOX_MESSAGES_MAX || inbox->bytes >= INBOX_BYTES_MAX;
    bool paused = inbox->paused;
    uv_mutex_unlock(&inbox->mutex);
    return !paused;
}

static void inbox_received(void *argument)
{
    struct inbox *inbox = argument;
    int error = nng_aio_result(inbox->receive);
    if (error == NNG_ECLOSED || error == NNG_ECANCELED)
        return;
    bool more = true;
    if (!error) {
        more = inbox_put(inbox, nng_aio_get_msg(inbox->receive));
        uv_async_send(inbox->wake);
    }
    if (more)
        nng_recv_aio(inbox->socket, inbox->receive);
}

nng_msg *inbox_take(struct inbox *inbox)
{
    nng_msg *message = NULL;
    uv_mutex_lock(&inbox->mutex);
    bool resume = false;
    if (inbox->count > 0) {
        message = inbox->messages[inbox->first];
        inbox->first = (inbox->first + 1) % INBOX_MESSAGES_MAX;
        inbox->count--;
        inbox->bytes -= nng_msg_len(message);
        resume = inbox->paused && inbox->bytes < INBOX_BYTES_MAX;
        if (resume)
            inbox->paused = false;
    }
    uv_mutex_unlock(&inbox->mutex);
    if (resume && inbox->open)
        nng_recv_aio(inbox->socket, inbox->receive);
    return message;
}

static int inbox_listen(struct inbox *inbox, const char *url, size_t bytes_max)
{
    int error = nng_socket_set_size(inbox->socket, NNG_OPT_RECVMAXSZ, bytes_max);
    if (!error)
        error = nng_aio_alloc(&inbox->receive, inbox_received, inbox);
    return error ? error : nng_listen(inbox->socket, url, NULL, 0);
}

int inbox_open(struct inbox *inbox, const char *url, size_t bytes_max, uv_async_t *wake,
               struct error *err)
{
    inbox->wake = wake;
    uv_mutex_init(&inbox->mutex);
    int error = nng_pull0_open(&inbox->socket);
    inbox->open = error == 0;
    if (!error)
        error = inbox_listen(inbox, url, bytes_max);
    if (error)
        return error_set(err, ERROR_IO, "cannot listen at %s: %s", url, nng_strerror(error));
    nng_recv_aio(inbox->socket, inbox->receive);
    return 0;
}

void inbox_close(struct inbox *inbox)
{
    if (!inbox->open)
        return;
    inbox->open = false;
    if (inbox->receive)
        nng_aio_stop(inbox->receive);
    nng_close(inbox->socket);
}

void inbox_release(struct inbox *inbox)
{
    if (!inbox->wake)
        return;
    for (nng_msg *message; (message = inbox_take(inbox));)
        nng_msg_free(message);
    if (inbox->receive)
        nng_aio_free(inbox->receive);
    uv_mutex_destroy(&inbox->mutex);
}
