/* Bodies of the failure detector's messages: to bytes and back.
 *
 * Decoding checks everything, the rumours included, before anything is believed: a message that was
 * damaged anywhere changes nothing. */
#include "agent/core/swim_message.h"

#include <assert.h>
#include <string.h>

enum {
    KIND_MASK = 0x07,
    FLAG_SHUTTING_DOWN = 0x08,
    FLAG_PAYLOAD = 0x10,
    FLAG_ADDRESS = 0x20,
    FLAG_SUBJECT_SHUTTING_DOWN = 0x40,
    FLAG_STRANGER = 0x80,
    SEQUENCE_MAX = UINT16_MAX,
    WAIT_MS_MAX = 60000,
};

/* Two small numbers take fewer bytes than their combination. */
static void incarnation_encode(struct buffer *buffer, uint64_t incarnation)
{
    buffer_varint(buffer, incarnation >> 32);
    buffer_varint(buffer, incarnation & UINT32_MAX);
}

static uint64_t incarnation_decode(struct reader *reader)
{
    uint64_t boot = reader_varint(reader);
    uint64_t counter = reader_varint(reader);
    if (boot >= UINT32_MAX || counter > UINT32_MAX) {
        reader->failed = true;
        return 0;
    }
    return boot << 32 | counter;
}

static bool kind_has_subject(enum swim_kind kind)
{
    return kind == SWIM_PING_REQ || kind == SWIM_RELAY_ACK || kind == SWIM_NACK;
}

void swim_message_encode(struct buffer *buffer, const struct swim_message *message)
{
    assert(message->incarnation < SWIM_INCARNATION_MAX && message->sequence <= SEQUENCE_MAX);
    assert(message->address.bytes == 0 || message->kind == SWIM_PING);
    assert(!message->stranger || message->kind == SWIM_ACK);
    unsigned first = (unsigned)message->kind;
    first |= message->shutting_down ? FLAG_SHUTTING_DOWN : 0;
    first |= message->has_payload ? FLAG_PAYLOAD : 0;
    first |= message->address.bytes > 0 ? FLAG_ADDRESS : 0;
    first |= message->subject_shutting_down ? FLAG_SUBJECT_SHUTTING_DOWN : 0;
    first |= message->stranger ? FLAG_STRANGER : 0;
    buffer_u8(buffer, (uint8_t)first);
    incarnation_encode(buffer, message->incarnation);
    if (message->kind != SWIM_GOSSIP)
        buffer_varint(buffer, message->sequence);
    if (message->has_payload)
        buffer_append(buffer, message->payload, sizeof message->payload);
    if (message->address.bytes > 0)
        buffer_span(buffer, message->address);
    if (kind_has_subject(message->kind))
        buffer_span(buffer, message->subject);
    if (message->kind == SWIM_RELAY_ACK)
        incarnation_encode(buffer, message->subject_incarnation);
    if (message->kind == SWIM_PING_REQ)
        buffer_varint(buffer, message->wait_ms);
}

void swim_rumour_encode(struct buffer *buffer, const struct swim_rumour_text *rumour)
{
    buffer_u8(buffer, (uint8_t)rumour->kind);
    buffer_span(buffer, rumour->name);
    incarnation_encode(buffer, rumour->incarnation);
    if (rumour->kind == RUMOUR_SUSPECT || rumour->kind == RUMOUR_DEAD)
        buffer_span(buffer, rumour->accuser);
}

static void rumour_decode(struct reader *reader, struct swim_rumour_text *ret_rumour)
{
    *ret_rumour = (struct swim_rumour_text){0};
    uint8_t kind = reader_u8(reader);
    if (kind >= RUMOUR_KIND_COUNT) {
        reader->failed = true;
        return;
    }
    ret_rumour->kind = (enum swim_rumour_kind)kind;
    ret_rumour->name = reader_span(reader, NAME_BYTES_MAX);
    ret_rumour->incarnation = incarnation_decode(reader);
    if (kind == RUMOUR_SUSPECT || kind == RUMOUR_DEAD)
        ret_rumour->accuser = reader_span(reader, NAME_BYTES_MAX);
}

bool swim_rumour_decode(struct reader *reader, struct swim_rumour_text *ret_rumour)
{
    if (reader->failed || reader_left(reader) == 0)
        return false;
    rumour_decode(reader, ret_rumour);
    return !reader->failed;
}

/* An address is text that can be shown and dialled. */
static void address_decode(struct reader *reader, struct span *ret_address)
{
    *ret_address = reader_span(reader, ADDRESS_BYTES_MAX);
    for (size_t i = 0; i < ret_address->bytes; i++)
        if (ret_address->data[i] <= ' ' || ret_address->data[i] > '~')
            reader->failed = true;
}

static void message_decode_fields(struct swim_message *message, struct reader *reader,
                                  unsigned flags)
{
    message->shutting_down = flags & FLAG_SHUTTING_DOWN;
    message->subject_shutting_down = flags & FLAG_SUBJECT_SHUTTING_DOWN;
    message->stranger = flags & FLAG_STRANGER;
    message->incarnation = incarnation_decode(reader);
    uint64_t sequence = message->kind == SWIM_GOSSIP ? 0 : reader_varint(reader);
    message->has_payload = flags & FLAG_PAYLOAD;
    if (message->has_payload) {
        struct span payload = reader_take(reader, SWIM_PAYLOAD_BYTES);
        if (payload.bytes == SWIM_PAYLOAD_BYTES)
            memcpy(message->payload, payload.data, SWIM_PAYLOAD_BYTES);
    }
    if (flags & FLAG_ADDRESS)
        address_decode(reader, &message->address);
    if (kind_has_subject(message->kind))
        message->subject = reader_span(reader, NAME_BYTES_MAX);
    if (message->kind == SWIM_RELAY_ACK)
        message->subject_incarnation = incarnation_decode(reader);
    if (message->kind == SWIM_PING_REQ)
        message->wait_ms = reader_varint(reader);
    if (sequence > SEQUENCE_MAX || message->wait_ms > WAIT_MS_MAX)
        reader->failed = true;
    message->sequence = (uint32_t)sequence;
}

bool swim_message_decode(struct swim_message *ret_message, struct span body)
{
    struct reader reader = reader_of(body);
    unsigned first = reader_u8(&reader);
    unsigned kind = first & KIND_MASK;
    if (reader.failed || kind >= SWIM_KIND_COUNT || ((first & FLAG_STRANGER) && kind != SWIM_ACK))
        return false;
    struct swim_message message = {.kind = (enum swim_kind)kind};
    message_decode_fields(&message, &reader, first);
    if (reader.failed)
        return false;
    message.rumours = reader_take(&reader, reader_left(&reader));
    struct reader rumours = reader_of(message.rumours);
    struct swim_rumour_text ignored;
    while (swim_rumour_decode(&rumours, &ignored))
        continue;
    if (rumours.failed)
        return false;
    *ret_message = message;
    return true;
}
