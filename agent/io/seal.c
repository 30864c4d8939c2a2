/* See seal.h.
 *
 * Invariants: a ticket is in at most one of the two tables; a number is accepted once per ticket.
 */
#include "agent/io/seal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEAL_VERSION = 0x51, /* no first byte of an envelope */
    SEAL_OPEN_BYTES = SEAL_HEAD_BYTES - 1,
};
_Static_assert(KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(SEAL_NONCE_BYTES + 8 == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");

struct ticket {
    uint8_t bytes[SEAL_NONCE_BYTES];
    uint64_t number;  /* the last one that came; 0: none */
    uint64_t used_at; /* a count of uses: the least is the one that was not used for longest */
};

struct seal {
    struct key_ring ring;
    struct ticket waiting[SEAL_TICKETS_WAITING_MAX]; /* a ring: the oldest gives way */
    size_t waiting_next;
    struct ticket *used;
    size_t used_count, used_capacity;
    uint64_t uses;
    struct buffer scratch;
};

struct seal *seal_new(void)
{
    struct seal *seal = xcalloc(1, sizeof *seal);
    for (size_t i = 0; i < SEAL_TICKETS_WAITING_MAX; i++)
        randombytes_buf(seal->waiting[i].bytes, SEAL_NONCE_BYTES); /* nobody knows them */
    return seal;
}

void seal_free(struct seal *seal)
{
    if (!seal)
        return;
    key_ring_erase(&seal->ring);
    buffer_release(&seal->scratch);
    free(seal->used);
    free(seal);
}

void seal_set_ring(struct seal *seal, const struct key_ring *ring)
{
    assert(ring->count > 0);
    seal->ring = *ring;
}

/* ---- sealing ---- */

/* The frame's body is in its place. */
static void frame_seal(const struct seal *seal, uint8_t *frame, size_t frame_bytes,
                       enum seal_kind kind, const uint8_t nonce[SEAL_NONCE_BYTES], uint64_t number)
{
    const struct key *key = &seal->ring.keys[0];
    uint8_t *at = frame;
    assert(frame_bytes >= SEAL_BYTES && seal->ring.count > 0);
    *at++ = SEAL_VERSION;
    for (int shift = 0; shift < 32; shift += 8)
        *at++ = (uint8_t)(key->id >> shift);
    uint8_t *whole_nonce = at;
    memcpy(at, nonce, SEAL_NONCE_BYTES);
    at += SEAL_NONCE_BYTES;
    for (int shift = 0; shift < 64; shift += 8)
        *at++ = (uint8_t)(number >> shift);
    *at = (uint8_t)kind;
    crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, at, frame_bytes - SEAL_BYTES + 1, frame,
                                               SEAL_OPEN_BYTES, NULL, whole_nonce, key->bytes);
}

/* hello and ticket: both have all that they need in them. */
static void frame_append(const struct seal *seal, enum seal_kind kind, const struct buffer *body,
                         struct buffer *frame)
{
    uint8_t nonce[SEAL_NONCE_BYTES];
    uint64_t number;
    size_t begin = frame->bytes, bytes = SEAL_BYTES + body->bytes;
    randombytes_buf(nonce, sizeof nonce);
    randombytes_buf(&number, sizeof number);
    buffer_reserve(frame, bytes);
    memcpy(frame->data + begin + SEAL_HEAD_BYTES, body->data, body->bytes);
    frame_seal(seal, frame->data + begin, bytes, kind, nonce, number);
    frame->bytes += bytes;
}

void seal_hello(struct seal *seal, struct seal_stream *stream, const char *address,
                struct buffer *frame)
{
    struct buffer body = {0};
    stream->ready = false;
    randombytes_buf(stream->nonce, sizeof stream->nonce);
    buffer_append(&body, stream->nonce, sizeof stream->nonce);
    buffer_text(&body, address);
    frame_append(seal, SEAL_HELLO, &body, frame);
    buffer_release(&body);
}

void seal_ticket(struct seal *seal, const struct seal_frame *hello, struct buffer *frame)
{
    struct ticket *ticket = &seal->waiting[seal->waiting_next++ % SEAL_TICKETS_WAITING_MAX];
    struct buffer body = {0};
    assert(hello->kind == SEAL_HELLO);
    *ticket = (struct ticket){.number = 0};
    randombytes_buf(ticket->bytes, sizeof ticket->bytes);
    buffer_append(&body, hello->nonce, sizeof hello->nonce);
    buffer_append(&body, ticket->bytes, sizeof ticket->bytes);
    frame_append(seal, SEAL_TICKET, &body, frame);
    buffer_release(&body);
}

bool seal_stream_take(struct seal_stream *stream, const struct seal_frame *ticket)
{
    if (stream->ready || sodium_memcmp(stream->nonce, ticket->nonce, SEAL_NONCE_BYTES) != 0 ||
        sodium_is_zero(stream->nonce, SEAL_NONCE_BYTES))
        return false;
    memcpy(stream->ticket, ticket->ticket, SEAL_NONCE_BYTES);
    stream->number = 0;
    stream->ready = true;
    return true;
}

void seal_message(const struct seal *seal, struct seal_stream *stream, uint8_t *frame,
                  size_t frame_bytes)
{
    assert(stream->ready);
    frame_seal(seal, frame, frame_bytes, SEAL_MESSAGE, stream->ticket, ++stream->number);
}

/* ---- opening ---- */

static struct ticket *ticket_find(struct ticket *tickets, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(tickets[i].bytes, bytes, SEAL_NONCE_BYTES) == 0)
            return &tickets[i];
    return NULL;
}

static struct ticket *ticket_slot(struct seal *seal)
{
    if (seal->used_count < SEAL_TICKETS_MAX) {
        if (seal->used_count == seal->used_capacity) {
            seal->used_capacity = seal->used_capacity ? 2 * seal->used_capacity : 16;
            seal->used = xrealloc(seal->used, seal->used_capacity * sizeof *seal->used);
        }
        return &seal->used[seal->used_count++];
    }
    struct ticket *oldest = &seal->used[0];
    for (size_t i = 1; i < seal->used_count; i++)
        if (seal->used[i].used_at < oldest->used_at)
            oldest = &seal->used[i];
    return oldest;
}

/* The first message under a ticket proves that who has it is there. */
static struct ticket *ticket_first_used(struct seal *seal, const uint8_t *bytes)
{
    struct ticket *waiting = ticket_find(seal->waiting, SEAL_TICKETS_WAITING_MAX, bytes);
    if (!waiting)
        return NULL;
    struct ticket *used = ticket_slot(seal);
    *used = *waiting;
    randombytes_buf(waiting->bytes, SEAL_NONCE_BYTES);
    return used;
}

static enum seal_kind ticket_accept(struct seal *seal, const uint8_t *bytes, uint64_t number)
{
    struct ticket *ticket = ticket_find(seal->used, seal->used_count, bytes);
    if (!ticket)
        ticket = ticket_first_used(seal, bytes);
    if (!ticket)
        return SEAL_STALE;
    if (number <= ticket->number)
        return SEAL_REPLAYED;
    ticket->number = number;
    ticket->used_at = ++seal->uses;
    return SEAL_MESSAGE;
}

static enum seal_kind frame_read(struct seal *seal, struct seal_frame *frame, const uint8_t *nonce,
                                 uint64_t number)
{
    struct reader reader = reader_of(buffer_view(&seal->scratch));
    struct span address, text;
    switch (reader_u8(&reader)) {
    case SEAL_MESSAGE:
        frame->body = reader_take(&reader, reader_left(&reader));
        return ticket_accept(seal, nonce, number);
    case SEAL_HELLO:
        text = reader_take(&reader, SEAL_NONCE_BYTES);
        address = reader_span(&reader, ADDRESS_BYTES_MAX);
        if (!reader_done(&reader) || memchr(address.data, 0, address.bytes))
            return SEAL_FORGED;
        memcpy(frame->nonce, text.data, SEAL_NONCE_BYTES);
        text_set_span(frame->address, sizeof frame->address, address);
        return SEAL_HELLO;
    case SEAL_TICKET:
        text = reader_take(&reader, 2 * SEAL_NONCE_BYTES);
        if (!reader_done(&reader))
            return SEAL_FORGED;
        memcpy(frame->nonce, text.data, SEAL_NONCE_BYTES);
        memcpy(frame->ticket, text.data + SEAL_NONCE_BYTES, SEAL_NONCE_BYTES);
        return SEAL_TICKET;
    default:
        return SEAL_FORGED;
    }
}

void seal_open(struct seal *seal, struct span bytes, struct seal_frame *ret_frame)
{
    struct reader reader = reader_of(bytes);
    uint8_t version = reader_u8(&reader);
    const struct key *key = key_ring_find(&seal->ring, reader_u32(&reader));
    struct span nonce = reader_take(&reader, SEAL_NONCE_BYTES);
    uint64_t number = reader_u64(&reader);
    struct span sealed = reader_take(&reader, reader_left(&reader));
    *ret_frame = (struct seal_frame){.kind = SEAL_PLAIN};
    if (reader.failed || version != SEAL_VERSION || sealed.bytes < SEAL_TAG_BYTES + 1)
        return;
    ret_frame->kind = SEAL_KEY;
    if (!key)
        return;
    buffer_clear(&seal->scratch);
    buffer_reserve(&seal->scratch, sealed.bytes);
    ret_frame->kind = SEAL_FORGED;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(seal->scratch.data, NULL, NULL, sealed.data,
                                                   sealed.bytes, bytes.data, SEAL_OPEN_BYTES,
                                                   nonce.data, key->bytes))
        return;
    seal->scratch.bytes = sealed.bytes - SEAL_TAG_BYTES;
    ret_frame->kind = frame_read(seal, ret_frame, nonce.data, number);
}

const char *seal_refusal(enum seal_kind kind)
{
    static const char *const texts[SEAL_KIND_COUNT] = {
        [SEAL_PLAIN] = "is not sealed: its sender has no --gossip-key-file",
        [SEAL_KEY] = "is sealed with a key that this agent does not have",
        [SEAL_FORGED] = "is not what somebody with that key has sealed",
        [SEAL_REPLAYED] = "has been here before",
        [SEAL_STALE] = "is for an agent that was here before, or for another one",
    };
    assert(texts[kind]);
    return texts[kind];
}
