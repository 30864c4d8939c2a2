/* What electors ask and answer, as bytes; ballots are on their disks in the same form. */
#include <string.h>

#include "agent/core/electorate_private.h"
#include "agent/core/lease_node.h"
#include "agent/core/node_private.h"

enum { STEP_VERSION = 1 };

void ballot_write(struct buffer *buffer, const struct ballot *ballot)
{
    buffer_varint(buffer, ballot->counter);
    buffer_u64(buffer, ballot->replica);
}

struct ballot ballot_read(struct reader *reader)
{
    struct ballot ballot;
    ballot.counter = reader_varint(reader);
    ballot.replica = reader_u64(reader);
    return ballot;
}

void step_encode(const struct step_message *message, struct buffer *buffer)
{
    buffer_u8(buffer, STEP_VERSION);
    buffer_u8(buffer, (uint8_t)message->kind);
    buffer_text(buffer, message->supervisor);
    buffer_u64(buffer, message->replica);
    buffer_varint(buffer, message->era);
    buffer_varint(buffer, message->version);
    ballot_write(buffer, &message->ballot);
    ballot_write(buffer, &message->promised);
    ballot_write(buffer, &message->accepted);
    buffer_u8(buffer, (uint8_t)(message->yes | message->has_record << 1 | message->is_void << 2));
    if (message->has_record)
        electorate_record_write(&message->record, buffer);
}

bool step_decode(struct step_message *ret_message, struct span body)
{
    struct reader reader = reader_of(body);
    memset(ret_message, 0, sizeof *ret_message);
    bool known = reader_u8(&reader) == STEP_VERSION;
    uint8_t kind = reader_u8(&reader);
    struct span name = reader_span(&reader, NAME_BYTES_MAX);
    if (!known || reader.failed || kind >= STEP_KIND_COUNT)
        return false;
    ret_message->kind = kind;
    text_set_span(ret_message->supervisor, sizeof ret_message->supervisor, name);
    ret_message->replica = reader_u64(&reader);
    ret_message->era = reader_varint(&reader);
    ret_message->version = reader_varint(&reader);
    ret_message->ballot = ballot_read(&reader);
    ret_message->promised = ballot_read(&reader);
    ret_message->accepted = ballot_read(&reader);
    uint8_t flags = reader_u8(&reader);
    ret_message->yes = flags & 1;
    ret_message->has_record = flags & 2;
    ret_message->is_void = flags & 4;
    if (ret_message->has_record)
        electorate_record_read(&ret_message->record, &reader);
    return reader_done(&reader) && flags < 8 && name_is_dns1123(ret_message->supervisor) &&
           strlen(ret_message->supervisor) == name.bytes && ret_message->replica != 0;
}

void step_send(struct node *node, const char *name, struct step_message *message)
{
    struct buffer body = {0};
    message->replica = node->durable.replica;
    step_encode(message, &body);
    leases_send(node, name, MESSAGE_ELECTORATE, &body);
    buffer_release(&body);
}
