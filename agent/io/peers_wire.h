/* One connection to one address: a PUSH socket that is good for a single pipe.
 *
 * nng 1.5.2 (and every later one looked at) puts a pipe whose send has just ended back among those
 * that are ready, without asking whether it was closed meanwhile: the next send on that socket, or
 * the next pipe, then uses freed memory. So nothing is sent on a socket once its pipe has ended,
 * and it never gets a second one: a wire whose pipe is gone is worn, and its owner opens another.
 * Until it has had one, nng dials again by itself. */
#ifndef AGENT_IO_PEERS_WIRE_H
#define AGENT_IO_PEERS_WIRE_H

#include <nng/nng.h>
#include <stdbool.h>
#include <uv.h>

struct link;
struct wire;

enum {
    WIRE_SEND_TIMEOUT_MS = 500, /* nng has no connection, or the peer does not read */
    WIRE_RECONNECT_MIN_MS = 100,
    WIRE_RECONNECT_MAX_MS = 2000,
};

/* What nng's threads have to say about the wires; the loop's thread takes it. */
struct wire_notes {
    uv_mutex_t mutex;
    uv_async_t *wake; /* borrowed */
    struct wire *first;
};

struct wire {
    struct wire *next; /* the closer's */
    struct link *link; /* whose it is */
    nng_socket socket;
    nng_aio *send;
    struct wire_notes *notes;
    /* guarded by notes->mutex */
    struct wire *noted_next;
    bool noted, abandoned;
    bool piped, worn; /* has, or had, its one pipe; has lost it */
    struct wire_note {
        bool sent, broken, connected;
        int result; /* of the send */
    } note;
};

void wire_notes_init(struct wire_notes *notes, uv_async_t *wake);
void wire_notes_release(struct wire_notes *notes);
/* The next wire with news, and the news; NULL: none. */
struct wire *wire_notes_take(struct wire_notes *notes, struct wire_note *ret_note);

/* Opens the socket and begins to dial; does not block. NULL if nng refuses (url malformed, no
 * descriptors). */
struct wire *wire_new(struct wire_notes *notes, struct link *link, const char *url);
/* Takes the message and answers true: a note with `sent` will come, if the wire is not abandoned
 * before. False: the wire is worn, the message is still the caller's. One at a time. */
bool wire_send(struct wire *wire, nng_msg *message);
/* No news of this wire any more. By the loop's thread, before wire_free. */
void wire_abandon(struct wire *wire);
/* Closes the socket. Blocks: not for the loop's thread. */
void wire_free(struct wire *wire);

#endif
