/* See peers_wire.h.
 *
 * A pipe's end is told (REM_POST) before nng frees it, and the note is written under the lock under
 * which we send: either the send comes first and the pipe is still there, or it finds the wire
 * worn. nng_send_aio runs no callback of ours and waits for none, so it may be called under the
 * lock; and a pipe that is closed in ADD_PRE is never made ready.
 *
 * Invariants: everything here belongs to the loop's thread, but for what nng's threads write under
 * the lock. An abandoned wire leaves no notes, so it can be freed by another thread. */
#include "agent/io/peers_wire.h"

#include <nng/protocol/pipeline0/push.h>
#include <stdlib.h>

#include "crdt/bytes.h"

void wire_notes_init(struct wire_notes *notes, uv_async_t *wake)
{
    uv_mutex_init(&notes->mutex);
    notes->wake = wake;
}

void wire_notes_release(struct wire_notes *notes)
{
    if (notes->wake)
        uv_mutex_destroy(&notes->mutex);
}

struct wire *wire_notes_take(struct wire_notes *notes, struct wire_note *ret_note)
{
    uv_mutex_lock(&notes->mutex);
    struct wire *wire = notes->first;
    if (wire) {
        notes->first = wire->noted_next;
        wire->noted = false;
        *ret_note = wire->note;
        wire->note.sent = wire->note.broken = false;
    }
    uv_mutex_unlock(&notes->mutex);
    return wire;
}

/* Under the lock. */
static void wire_note_down(struct wire *wire)
{
    if (wire->noted || wire->abandoned)
        return;
    wire->noted = true;
    wire->noted_next = wire->notes->first;
    wire->notes->first = wire;
    uv_async_send(wire->notes->wake);
}

static void wire_send_ended(void *argument)
{
    struct wire *wire = argument;
    int result = nng_aio_result(wire->send);
    if (result)
        nng_msg_free(nng_aio_get_msg(wire->send)); /* it is still ours */
    uv_mutex_lock(&wire->notes->mutex);
    wire->note.sent = true;
    wire->note.result = result;
    wire_note_down(wire);
    uv_mutex_unlock(&wire->notes->mutex);
}

/* On a thread of nng. */
static void wire_pipe_changed(nng_pipe pipe, nng_pipe_ev change, void *argument)
{
    struct wire *wire = argument;
    uv_mutex_lock(&wire->notes->mutex);
    bool second = change == NNG_PIPE_EV_ADD_PRE && wire->piped;
    wire->piped = true;
    if (change == NNG_PIPE_EV_REM_POST && !wire->worn) /* told once: a second pipe's end is none */
        wire->worn = wire->note.broken = true;
    wire->note.connected = change == NNG_PIPE_EV_ADD_POST && !wire->worn;
    if (change != NNG_PIPE_EV_ADD_PRE)
        wire_note_down(wire);
    uv_mutex_unlock(&wire->notes->mutex);
    if (second)
        nng_pipe_close(pipe);
}

static int wire_dial(struct wire *wire, const char *url)
{
    static const nng_pipe_ev changes[] = {NNG_PIPE_EV_ADD_PRE, NNG_PIPE_EV_ADD_POST,
                                          NNG_PIPE_EV_REM_POST};
    nng_socket socket = wire->socket;
    int error = nng_socket_set_int(socket, NNG_OPT_SENDBUF, 0);
    if (!error)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, WIRE_RECONNECT_MIN_MS);
    if (!error)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, WIRE_RECONNECT_MAX_MS);
    for (size_t i = 0; i < sizeof changes / sizeof *changes && !error; i++)
        error = nng_pipe_notify(socket, changes[i], wire_pipe_changed, wire);
    if (!error)
        error = nng_aio_alloc(&wire->send, wire_send_ended, wire);
    if (error)
        return error;
    nng_aio_set_timeout(wire->send, WIRE_SEND_TIMEOUT_MS);
    return nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK);
}

struct wire *wire_new(struct wire_notes *notes, struct link *link, const char *url)
{
    struct wire *wire = xcalloc(1, sizeof *wire);
    wire->notes = notes;
    wire->link = link;
    if (nng_push0_open(&wire->socket)) {
        free(wire);
        return NULL;
    }
    if (wire_dial(wire, url)) {
        wire_abandon(wire);
        wire_free(wire); /* never connected: this close does not block */
        return NULL;
    }
    return wire;
}

bool wire_send(struct wire *wire, nng_msg *message)
{
    uv_mutex_lock(&wire->notes->mutex);
    bool worn = wire->worn;
    if (!worn) {
        nng_aio_set_msg(wire->send, message);
        nng_send_aio(wire->socket, wire->send);
    }
    uv_mutex_unlock(&wire->notes->mutex);
    return !worn;
}

void wire_abandon(struct wire *wire)
{
    uv_mutex_lock(&wire->notes->mutex);
    wire->abandoned = true;
    struct wire **at = &wire->notes->first;
    while (wire->noted && *at != wire)
        at = &(*at)->noted_next;
    if (wire->noted)
        *at = wire->noted_next;
    uv_mutex_unlock(&wire->notes->mutex);
}

void wire_free(struct wire *wire)
{
    if (wire->send)
        nng_aio_stop(wire->send); /* its callback has run after this */
    nng_close(wire->socket);
    nng_aio_free(wire->send);
    free(wire);
}
