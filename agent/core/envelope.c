/* Frames of messages: 6 bytes and the sender's name. */
#include "agent/core/envelope.h"

#include <string.h>

#include "placement/hash.h"

uint8_t envelope_version(struct span bytes)
{
    return bytes.bytes > 0 ? *(const uint8_t *)bytes.data : 0;
}

uint32_t envelope_cluster(const char *cluster)
{
    return (uint32_t)placement_hash(cluster, strlen(cluster));
}

void envelope_encode(const struct envelope *envelope, struct buffer *buffer)
{
    buffer_u8(buffer, ENVELOPE_VERSION);
    buffer_u8(buffer, (uint8_t)envelope->type);
    buffer_u32(buffer, envelope->cluster);
    buffer_text(buffer, envelope->from);
    buffer_append(buffer, envelope->body.data, envelope->body.bytes);
}

bool envelope_decode(struct envelope *ret_envelope, struct span bytes)
{
    struct reader reader = reader_of(bytes);
    memset(ret_envelope, 0, sizeof *ret_envelope);
    uint8_t version = reader_u8(&reader);
    uint8_t type = reader_u8(&reader);
    ret_envelope->cluster = reader_u32(&reader);
    struct span from = reader_span(&reader, NAME_BYTES_MAX);
    ret_envelope->body = reader_take(&reader, reader_left(&reader));
    if (!reader_done(&reader) || version != ENVELOPE_VERSION || type == 0 ||
        type >= MESSAGE_TYPE_END)
        return false;
    ret_envelope->type = type;
    text_set_span(ret_envelope->from, sizeof ret_envelope->from, from);
    return name_is_dns1123(ret_envelope->from) && strlen(ret_envelope->from) == from.bytes;
}

void greeting_encode(const struct greeting *greeting, struct buffer *buffer)
{
    buffer_u64(buffer, greeting->replica);
    buffer_varint(buffer, greeting->boot);
    buffer_text(buffer, greeting->address);
    buffer_text(buffer, greeting->contact);
    buffer_text(buffer, greeting->reason);
    buffer_text(buffer, greeting->message);
}

static void greeting_text(struct reader *reader, char *field, size_t field_bytes)
{
    struct span text = reader_span(reader, field_bytes - 1);
    if (!reader->failed && memchr(text.data, 0, text.bytes))
        reader->failed = true;
    if (!reader->failed)
        text_set_span(field, field_bytes, text);
}

bool greeting_decode(struct greeting *ret_greeting, struct span body)
{
    struct reader reader = reader_of(body);
    memset(ret_greeting, 0, sizeof *ret_greeting);
    ret_greeting->replica = reader_u64(&reader);
    ret_greeting->boot = reader_varint(&reader);
    greeting_text(&reader, ret_greeting->address, sizeof ret_greeting->address);
    greeting_text(&reader, ret_greeting->contact, sizeof ret_greeting->contact);
    greeting_text(&reader, ret_greeting->reason, sizeof ret_greeting->reason);
    greeting_text(&reader, ret_greeting->message, sizeof ret_greeting->message);
    return reader_done(&reader) && ret_greeting->address[0] && ret_greeting->replica != 0;
}
