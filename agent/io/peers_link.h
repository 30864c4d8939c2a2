/* Sending to one address: a wire (peers_wire.h), and before it a short queue that outlives it. */
#ifndef AGENT_IO_PEERS_LINK_H
#define AGENT_IO_PEERS_LINK_H

#include "agent/core/effect.h"
#include "agent/io/peers_wire.h"
#include "agent/io/seal.h"

enum {
    LINK_MESSAGES_MAX = 256,
    LINK_GOSSIP_BYTES_MAX = 4 * 1024 * 1024,
    LINK_BULK_BYTES_MAX = 16 * 1024 * 1024,
    LINK_STALE_MS = 2000,      /* what has waited longer is not news any more */
    LINK_HELLO_AGAIN_MS = 300, /* no ticket has come: it or the hello was lost */
    LINK_CONTROLS_MAX = 8,     /* our hello, and tickets: two for each time the peer says hello */
    LINK_URL_BYTES_MAX = ADDRESS_BYTES_MAX + 16,
    /* Who hangs up on us within LINK_PAUSE_MS_MAX is not dialled again at once, but after a pause
     * that doubles from time to time. */
    LINK_PAUSE_MS_MIN = 100,
    LINK_PAUSE_MS_MAX = 2000,
};

struct link_message {
    nng_msg *message;
    uint64_t queued_ms;
};

struct link_statistics {
    uint64_t sent, sent_bytes, dropped_full, dropped_stale, dropped_unsent;
};

struct link {
    struct link *next;                   /* the owner's */
    char address[ADDRESS_BYTES_MAX + 1]; /* the gossip address, also of a bulk link */
    enum channel channel;
    char url[LINK_URL_BYTES_MAX];
    struct wire_notes *notes;             /* borrowed */
    struct wire *wire;                    /* NULL: between two */
    uint64_t wired_ms, pause_ms, dial_ms; /* opened; the last pause; the next is opened */
    bool worn;                            /* the wire has lost its pipe, and waits to be taken */
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
};

/* Begins to dial; does not block. NULL if nng refuses (url malformed, no descriptors). */
struct link *link_new(struct wire_notes *notes, const char *address, enum channel channel,
                      const char *url, struct seal *seal, uint64_t now_ms);
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
/* The send in flight has ended: count it, begin the next. */
void link_sent(struct link *link, int result, uint64_t now_ms, struct link_statistics *statistics);
/* The connection has ended, and who listens there now may be another run of that agent: the ticket
 * is forgotten. The wire is the caller's to close; link_dial opens the next. */
struct wire *link_take_wire(struct link *link, uint64_t now_ms, struct link_statistics *statistics);
/* Opens a wire if there is none and its time has come. False: not yet. */
bool link_dial(struct link *link, uint64_t now_ms, struct link_statistics *statistics);
/* Without its wire, which has been taken. */
void link_free(struct link *link);

#endif
