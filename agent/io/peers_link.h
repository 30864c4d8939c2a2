/* Sending: one PUSH socket to one address, with a short queue in front of it. */
#ifndef AGENT_IO_PEERS_LINK_H
#define AGENT_IO_PEERS_LINK_H

#include <nng/nng.h>
#include <uv.h>

#include "agent/core/effect.h"
#include "agent/io/seal.h"

enum {
    LINK_MESSAGES_MAX = 256,
    LINK_GOSSIP_BYTES_MAX = 4 * 1024 * 1024,
    LINK_BULK_BYTES_MAX = 16 * 1024 * 1024,
    LINK_SEND_TIMEOUT_MS = 500, /* nng has no connection, or the peer does not read */
    LINK_STALE_MS = 2000,       /* what has waited longer is not news any more */
    LINK_HELLO_AGAIN_MS = 300,  /* no ticket has come: it or the hello was lost */
    LINK_CONTROLS_MAX = 8,      /* our hello, and tickets: two for each time the peer says hello */
    LINK_RECONNECT_MIN_MS = 100,
    LINK_RECONNECT_MAX_MS = 2000,
};

struct link_message {
    nng_msg *message;
    uint64_t queued_ms;
};

/* What nng's threads have to say about the links; the loop's thread takes it. */
struct link_notes {
    uv_mutex_t mutex;
    uv_async_t *wake; /* borrowed */
    struct link *first;
};

struct link_statistics {
    uint64_t sent, sent_bytes, dropped_full, dropped_stale, dropped_unsent;
};

struct link {
    struct link *next;                   /* the owner's */
    char address[ADDRESS_BYTES_MAX + 1]; /* the gossip address, also of a bulk link */
    enum channel channel;
    nng_socket socket;
    nng_aio *send;
    bool sending;
    uint64_t used_ms; /* when something was last asked to be sent */
    struct link_message queue[LINK_MESSAGES_MAX];
    size_t queue_first, queue_count, queue_bytes;
    struct seal *seal; /* borrowed; NULL: messages go as they are */
    struct seal_stream stream;
    uint64_t hello_ms;                    /* when we last said it; 0: never on this connection */
    nng_msg *controls[LINK_CONTROLS_MAX]; /* frames that need no ticket, before all others */
    size_t control_count;
    bool connected;
    /* guarded by notes->mutex */
    struct link_notes *notes;
    struct link *noted_next;
    bool noted, abandoned;
    struct link_note {
        bool sent, broken, connected;
        int result; /* of the send */
    } note;
};

void link_notes_init(struct link_notes *notes, uv_async_t *wake);
void link_notes_release(struct link_notes *notes);
/* The next link with news, and the news; NULL: none. */
struct link *link_notes_take(struct link_notes *notes, struct link_note *ret_note);

/* Opens the socket and begins to dial; does not block. NULL if nng refuses (url malformed, no
 * descriptors). */
struct link *link_new(struct link_notes *notes, const char *address, enum channel channel,
                      const char *url, struct seal *seal);
/* Queues a copy; the oldest give way when the queue is full. A link that seals sends it once it has
 * a ticket, which it asks for with `own_address`. */
void link_send(struct link *link, struct span bytes, const char *own_address, uint64_t now_ms,
               struct link_statistics *statistics);
/* Sends a frame that is sealed already. Dropped when too many wait. */
void link_send_control(struct link *link, struct span frame, uint64_t now_ms,
                       struct link_statistics *statistics);
/* What came is a ticket for this link: what waits for it goes. */
bool link_take_ticket(struct link *link, const struct seal_frame *ticket, uint64_t now_ms,
                      struct link_statistics *statistics);
/* The connection has ended, and who listens there now may be another run of that agent. */
void link_forget_ticket(struct link *link);
/* The send in flight has ended: count it, begin the next. */
void link_sent(struct link *link, int result, uint64_t now_ms, struct link_statistics *statistics);
/* No news of this link any more. By the loop's thread, before link_free. */
void link_abandon(struct link *link);
/* Closes the socket. Blocks: not for the loop's thread. */
void link_free(struct link *link);

#endif
