/* Sending to one address.
 *
 * At most one message is with nng, the rest waits here, where it can still be dropped: nng's own
 * buffer would keep it through an outage and deliver it as if it were news (SENDBUF is 0). A
 * message that has waited for LINK_STALE_MS is dropped when its turn comes, one that finds no
 * connection for LINK_SEND_TIMEOUT_MS comes back from nng and is dropped. Where messages are sealed
 * (seal.h) they wait here for the ticket, and are sealed when their turn comes.
 *
 * Invariants: everything here belongs to the loop's thread, but for the note and the fields beside
 * it, which nng's threads write under the lock. `sending` from nng_send_aio until its note has been
 * taken. An abandoned link leaves no notes, so it can be freed by another thread. */
#include "agent/io/peers_link.h"

#include <assert.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdlib.h>
#include <string.h>

void link_notes_init(struct link_notes *notes, uv_async_t *wake)
{
    uv_mutex_init(&notes->mutex);
    notes->wake = wake;
}

void link_notes_release(struct link_notes *notes)
{
    if (notes->wake)
        uv_mutex_destroy(&notes->mutex);
}

struct link *link_notes_take(struct link_notes *notes, struct link_note *ret_note)
{
    uv_mutex_lock(&notes->mutex);
    struct link *link = notes->first;
    if (link) {
        notes->first = link->noted_next;
        link->noted = false;
        *ret_note = link->note;
        link->note.sent = link->note.broken = false;
    }
    uv_mutex_unlock(&notes->mutex);
    return link;
}

/* Under the lock. */
static void link_note_down(struct link *link)
{
    if (link->noted || link->abandoned)
        return;
    link->noted = true;
    link->noted_next = link->notes->first;
    link->notes->first = link;
    uv_async_send(link->notes->wake);
}

static void link_send_ended(void *argument)
{
    struct link *link = argument;
    int result = nng_aio_result(link->send);
    if (result)
        nng_msg_free(nng_aio_get_msg(link->send)); /* it is still ours */
    uv_mutex_lock(&link->notes->mutex);
    link->note.sent = true;
    link->note.result = result;
    link_note_down(link);
    uv_mutex_unlock(&link->notes->mutex);
}

/* Called with nng's lock of the socket held: it may only leave a note. */
static void link_pipe_changed(nng_pipe pipe, nng_pipe_ev change, void *argument)
{
    (void)pipe;
    struct link *link = argument;
    uv_mutex_lock(&link->notes->mutex);
    link->note.connected = change == NNG_PIPE_EV_ADD_POST;
    link->note.broken |= change == NNG_PIPE_EV_REM_POST;
    link_note_down(link);
    uv_mutex_unlock(&link->notes->mutex);
}

static int link_dial(struct link *link, const char *url)
{
    nng_socket socket = link->socket;
    int error = nng_socket_set_int(socket, NNG_OPT_SENDBUF, 0);
    if (!error)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, LINK_RECONNECT_MIN_MS);
    if (!error)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, LINK_RECONNECT_MAX_MS);
    if (!error)
        error = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_POST, link_pipe_changed, link);
    if (!error)
        error = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, link_pipe_changed, link);
    if (!error)
        error = nng_aio_alloc(&link->send, link_send_ended, link);
    if (error)
        return error;
    nng_aio_set_timeout(link->send, LINK_SEND_TIMEOUT_MS);
    return nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK);
}

struct link *link_new(struct link_notes *notes, const char *address, enum channel channel,
                      const char *url, struct seal *seal)
{
    struct link *link = xcalloc(1, sizeof *link);
    link->seal = seal;
    TEXT_SET(link->address, address);
    link->channel = channel;
    link->notes = notes;
    if (nng_push0_open(&link->socket)) {
        free(link);
        return NULL;
    }
    if (link_dial(link, url)) {
        link_abandon(link);
        link_free(link); /* never connected: this close does not block */
        return NULL;
    }
    return link;
}

static nng_msg *link_queue_take(struct link *link, uint64_t *ret_queued_ms)
{
    assert(link->queue_count > 0);
    struct link_message *oldest = &link->queue[link->queue_first];
    link->queue_first = (link->queue_first + 1) % LINK_MESSAGES_MAX;
    link->queue_count--;
    link->queue_bytes -= nng_msg_len(oldest->message);
    *ret_queued_ms = oldest->queued_ms;
    return oldest->message;
}

static nng_msg *message_new(size_t bytes)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, bytes))
        abort(); /* out of memory: as in xmalloc */
    return message;
}

/* The next one that may go. NULL: none. */
static nng_msg *link_next(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    if (link->control_count > 0) {
        nng_msg *control = link->controls[0];
        memmove(link->controls, link->controls + 1, --link->control_count * sizeof *link->controls);
        return control;
    }
    while (link->queue_count > 0 && (!link->seal || link->stream.ready)) {
        uint64_t queued_ms;
        nng_msg *message = link_queue_take(link, &queued_ms);
        if (queued_ms + LINK_STALE_MS >= now_ms) {
            if (link->seal)
                seal_message(link->seal, &link->stream, nng_msg_body(message),
                             nng_msg_len(message));
            return message;
        }
        statistics->dropped_stale++;
        nng_msg_free(message);
    }
    return NULL;
}

static void link_send_next(struct link *link, uint64_t now_ms, struct link_statistics *statistics)
{
    nng_msg *message = link->sending ? NULL : link_next(link, now_ms, statistics);
    if (!message)
        return;
    link->sending = true;
    statistics->sent_bytes += nng_msg_len(message);
    nng_aio_set_msg(link->send, message);
    nng_send_aio(link->socket, link->send);
}

void link_send_control(struct link *link, struct span frame, uint64_t now_ms,
                       struct link_statistics *statistics)
{
    if (link->control_count == LINK_CONTROLS_MAX) {
        statistics->dropped_full++;
        return;
    }
    nng_msg *message = message_new(frame.bytes);
    memcpy(nng_msg_body(message), frame.data, frame.bytes);
    link->controls[link->control_count++] = message;
    link->used_ms = now_ms;
    link_send_next(link, now_ms, statistics);
}

static void link_hello(struct link *link, const char *own_address, uint64_t now_ms,
                       struct link_statistics *statistics)
{
    struct buffer frame = {0};
    if (link->hello_ms != 0 && now_ms < link->hello_ms + LINK_HELLO_AGAIN_MS)
        return;
    link->hello_ms = now_ms;
    seal_hello(link->seal, &link->stream, own_address, &frame);
    link_send_control(link, buffer_view(&frame), now_ms, statistics);
    buffer_release(&frame);
}

bool link_take_ticket(struct link *link, const struct seal_frame *ticket, uint64_t now_ms,
                      struct link_statistics *statistics)
{
    if (!seal_stream_take(&link->stream, ticket))
        return false;
    link_send_next(link, now_ms, statistics);
    return true;
}

void link_forget_ticket(struct link *link)
{
    link->stream.ready = false;
    link->hello_ms = 0;
}

void link_send(struct link *link, struct span bytes, const char *own_address, uint64_t now_ms,
               struct link_statistics *statistics)
{
    size_t bytes_max = link->channel == CHANNEL_BULK ? LINK_BULK_BYTES_MAX : LINK_GOSSIP_BYTES_MAX;
    while (link->queue_count == LINK_MESSAGES_MAX ||
           (link->queue_count > 0 && link->queue_bytes + bytes.bytes > bytes_max)) {
        uint64_t queued_ms;
        nng_msg_free(link_queue_take(link, &queued_ms));
        statistics->dropped_full++;
    }
    nng_msg *message = message_new(bytes.bytes + (link->seal ? SEAL_BYTES : 0));
    if (bytes.bytes)
        memcpy((uint8_t *)nng_msg_body(message) + (link->seal ? SEAL_HEAD_BYTES : 0), bytes.data,
               bytes.bytes);
    size_t slot = (link->queue_first + link->queue_count) % LINK_MESSAGES_MAX;
    link->queue[slot] = (struct link_message){message, now_ms};
    link->queue_count++;
    link->queue_bytes += nng_msg_len(message);
    link->used_ms = now_ms;
    if (link->seal && !link->stream.ready)
        link_hello(link, own_address, now_ms, statistics);
    link_send_next(link, now_ms, statistics);
}

void link_sent(struct link *link, int result, uint64_t now_ms, struct link_statistics *statistics)
{
    assert(link->sending);
    link->sending = false;
    if (result)
        statistics->dropped_unsent++;
    else
        statistics->sent++;
    link_send_next(link, now_ms, statistics);
}

void link_abandon(struct link *link)
{
    uv_mutex_lock(&link->notes->mutex);
    link->abandoned = true;
    struct link **at = &link->notes->first;
    while (link->noted && *at != link)
        at = &(*at)->noted_next;
    if (link->noted)
        *at = link->noted_next;
    uv_mutex_unlock(&link->notes->mutex);
}

void link_free(struct link *link)
{
    if (link->send)
        nng_aio_stop(link->send); /* its callback has run after this */
    nng_close(link->socket);
    nng_aio_free(link->send);
    while (link->queue_count > 0) {
        uint64_t queued_ms;
        nng_msg_free(link_queue_take(link, &queued_ms));
    }
    while (link->control_count > 0)
        nng_msg_free(link->controls[--link->control_count]);
    free(link);
}
