/* Messages between agents, sealed one by one under the cluster's keys: XChaCha20-Poly1305 (the IETF
 * draft of it, as libsodium has it), by whoever has a key. A member may say anything; who has no
 * key can neither read, nor forge, nor change, nor say again what was said.
 *
 *     sender                                   receiver
 *       | hello(nonce, contact, own address) -->  |   draws a ticket
 *       |  <-- ticket(nonce, ticket)              |   ... to that own address
 *       | message(ticket, 1), message(ticket, 2) -->  each greater than the last of that ticket
 *
 * Replay. A ticket is random, is drawn for one hello, and counts only where it was drawn and for as
 * long as that agent lives and remembers it. So what is recorded is of no use elsewhere, nor after
 * a restart, nor a second time. A hello that is said again draws a ticket that nobody can use: it
 * has a place among the few that wait, from where it cannot push out one that is in use. A ticket
 * that is said again finds no hello with its nonce.
 *
 * Nonces. A message's is its ticket and its number, which one sender counts; those of hello and
 * ticket are random: no nonce comes twice under a key.
 *
 * Frame: version u8, key id u32, ticket (or random) 16 bytes, number (or random) u64, then sealed:
 * kind u8 and body; 16 bytes of tag. What is not sealed is authenticated.
 *
 * All on the loop's thread. Cost: about a microsecond and SEAL_BYTES a message. */
#ifndef AGENT_IO_SEAL_H
#define AGENT_IO_SEAL_H

#include "agent/core/ident.h"
#include "agent/io/key_ring.h"
#include "crdt/bytes.h"

enum {
    SEAL_NONCE_BYTES = 16,
    SEAL_HEAD_BYTES = 1 + 4 + SEAL_NONCE_BYTES + 8 + 1, /* with the kind */
    SEAL_TAG_BYTES = 16,
    SEAL_BYTES = SEAL_HEAD_BYTES + SEAL_TAG_BYTES, /* of a message, beside itself */
    SEAL_TICKETS_WAITING_MAX = 256,                /* drawn, and not yet used */
    SEAL_TICKETS_MAX = 4096, /* in use: two for each member that sends to us */
};

/* From us to one listener of another agent. Zeroed: nothing has been said yet. */
struct seal_stream {
    uint8_t nonce[SEAL_NONCE_BYTES]; /* of our hello */
    uint8_t ticket[SEAL_NONCE_BYTES];
    uint64_t number;
    bool ready; /* we have a ticket */
};

enum seal_kind {
    SEAL_HELLO = 1,
    SEAL_TICKET,
    SEAL_MESSAGE,
    /* refused: */
    SEAL_PLAIN,    /* no frame of ours: the sender has no key */
    SEAL_KEY,      /* a key that we do not have */
    SEAL_FORGED,   /* the tag is wrong, or what was in it */
    SEAL_REPLAYED, /* a number that has been */
    SEAL_STALE,    /* a ticket that we do not know (any more) */
    SEAL_KIND_COUNT,
};

/* What came. Texts and body are borrowed from the seal until the next seal_open. */
struct seal_frame {
    enum seal_kind kind;
    struct span body; /* MESSAGE */
    uint8_t nonce[SEAL_NONCE_BYTES], ticket[SEAL_NONCE_BYTES];
    char address[ADDRESS_BYTES_MAX + 1]; /* HELLO: where its sender listens */
};

struct seal;
struct seal *seal_new(void);
void seal_free(struct seal *seal);
/* The keys from now on. */
void seal_set_ring(struct seal *seal, const struct key_ring *ring);

/* Draws the stream's nonce; the buffer has the frame appended. `address` is our own. */
void seal_hello(struct seal *seal, struct seal_stream *stream, const char *address,
                struct buffer *frame);
/* The answer to a hello: draws a ticket. */
void seal_ticket(struct seal *seal, const struct seal_frame *hello, struct buffer *frame);
/* The ticket is for this stream, which is ready now. */
bool seal_stream_take(struct seal_stream *stream, const struct seal_frame *ticket);
/* frame has SEAL_HEAD_BYTES of room, the message, and SEAL_TAG_BYTES of room; sealed in place. */
void seal_message(const struct seal *seal, struct seal_stream *stream, uint8_t *frame,
                  size_t frame_bytes);

/* Opens what came. */
void seal_open(struct seal *seal, struct span bytes, struct seal_frame *ret_frame);
/* "sealed with a key that this agent does not have": for the log. */
const char *seal_refusal(enum seal_kind kind);

#endif
