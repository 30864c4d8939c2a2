/* Lease requests and answers as bytes, and the arithmetic of the timeline. */
#include "agent/core/lease.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/record.h"

enum { LEASE_MESSAGE_VERSION = 1 };

/* --- Time ------------------------------------------------------------------------------------ */

uint64_t lease_term_ms(uint64_t lease_ms)
{
    return lease_ms / 2;
}

uint64_t lease_kill_ms(uint64_t lease_ms)
{
    return lease_ms * 8 / 10;
}

uint64_t lease_guard_ms(uint64_t lease_ms)
{
    return lease_ms * 9 / 10;
}

/* Rounded up, and two more: clocks are read in whole ms, here and there. */
uint64_t lease_span_ms(uint64_t lease_ms)
{
    return lease_ms * (100 + LEASE_DRIFT_PERCENT) / (100 - LEASE_DRIFT_PERCENT) + 3;
}

/* --- Items ----------------------------------------------------------------------------------- */

static void write_child(struct buffer *buffer, const struct child_id *child)
{
    buffer_text(buffer, child->ns);
    buffer_text(buffer, child->workload);
    buffer_varint(buffer, child->ordinal);
}

static void read_name(struct reader *reader, char field[NAME_BYTES_MAX + 1])
{
    struct span text = reader_span(reader, NAME_BYTES_MAX);
    if (reader->failed)
        return;
    text_set_span(field, NAME_BYTES_MAX + 1, text);
    if (!name_is_dns1123(field) || strlen(field) != text.bytes)
        reader->failed = true;
}

static void read_child(struct reader *reader, struct child_id *child)
{
    read_name(reader, child->ns);
    read_name(reader, child->workload);
    child->ordinal = (uint32_t)reader_count(reader, REPLICAS_MAX);
}

static uint64_t read_epoch(struct reader *reader)
{
    uint64_t epoch = reader_varint(reader);
    if (epoch > RECORD_EPOCH_MAX)
        reader->failed = true;
    return epoch;
}

static void write_term(struct buffer *buffer, const struct term *term)
{
    buffer_varint(buffer, term->era);
    buffer_varint(buffer, term->version);
    buffer_u64(buffer, term->lineage);
}

static struct term read_term(struct reader *reader)
{
    struct term term;
    term.era = reader_varint(reader);
    term.version = reader_varint(reader);
    term.lineage = reader_u64(reader);
    return term;
}

static void write_items(struct buffer *buffer, const struct lease_item *items, size_t count)
{
    buffer_varint(buffer, count);
    for (size_t i = 0; i < count; i++) {
        write_child(buffer, &items[i].child);
        buffer_varint(buffer, items[i].epoch);
        buffer_u8(buffer, items[i].released);
    }
}

/* What was read before a failure is there to be freed. */
static void read_items(struct reader *reader, struct lease_item **ret_items, size_t *ret_count)
{
    *ret_count = reader_count(reader, LEASE_ITEMS_MAX);
    *ret_items = *ret_count ? xcalloc(*ret_count, sizeof **ret_items) : NULL;
    for (size_t i = 0; i < *ret_count && !reader->failed; i++) {
        struct lease_item *item = &(*ret_items)[i];
        read_child(reader, &item->child);
        item->epoch = read_epoch(reader);
        uint8_t released = reader_u8(reader);
        item->released = released == 1;
        if (released > 1 || item->epoch == 0)
            reader->failed = true;
    }
}

/* --- Requests -------------------------------------------------------------------------------- */

void lease_ask_release(struct lease_ask *ask)
{
    free(ask->adds);
    free(ask->drops);
    memset(ask, 0, sizeof *ask);
}

void lease_ask_encode(const struct lease_ask *ask, struct buffer *buffer)
{
    buffer_u8(buffer, LEASE_MESSAGE_VERSION);
    buffer_text(buffer, ask->supervisor);
    write_term(buffer, &ask->term);
    buffer_u64(buffer, ask->replica);
    buffer_varint(buffer, ask->boot);
    buffer_u64(buffer, ask->session);
    buffer_varint(buffer, ask->number);
    buffer_varint(buffer, ask->generation);
    buffer_u64(buffer, ask->acceptor_session);
    write_items(buffer, ask->adds, ask->add_count);
    write_items(buffer, ask->drops, ask->drop_count);
}

bool lease_ask_decode(struct lease_ask *ret_ask, struct span body)
{
    struct reader reader = reader_of(body);
    memset(ret_ask, 0, sizeof *ret_ask);
    bool known = reader_u8(&reader) == LEASE_MESSAGE_VERSION;
    read_name(&reader, ret_ask->supervisor);
    ret_ask->term = read_term(&reader);
    ret_ask->replica = reader_u64(&reader);
    ret_ask->boot = reader_varint(&reader);
    ret_ask->session = reader_u64(&reader);
    ret_ask->number = reader_varint(&reader);
    ret_ask->generation = reader_varint(&reader);
    ret_ask->acceptor_session = reader_u64(&reader);
    read_items(&reader, &ret_ask->adds, &ret_ask->add_count);
    read_items(&reader, &ret_ask->drops, &ret_ask->drop_count);
    if (known && reader_done(&reader) && ret_ask->replica != 0 && ret_ask->session != 0 &&
        ret_ask->number > 0)
        return true;
    lease_ask_release(ret_ask);
    return false;
}

/* --- Answers --------------------------------------------------------------------------------- */

void lease_grant_release(struct lease_grant *grant)
{
    free(grant->refusals);
    memset(grant, 0, sizeof *grant);
}

void lease_grant_encode(const struct lease_grant *grant, struct buffer *buffer)
{
    buffer_u8(buffer, LEASE_MESSAGE_VERSION);
    buffer_text(buffer, grant->supervisor);
    write_term(buffer, &grant->term);
    buffer_u64(buffer, grant->replica);
    buffer_u64(buffer, grant->session);
    buffer_u64(buffer, grant->holder_session);
    buffer_varint(buffer, grant->number);
    buffer_u8(buffer, (uint8_t)grant->verdict);
    buffer_varint(buffer, grant->generation);
    buffer_varint(buffer, grant->refusal_count);
    for (size_t i = 0; i < grant->refusal_count; i++) {
        const struct lease_refusal *refusal = &grant->refusals[i];
        write_child(buffer, &refusal->child);
        buffer_varint(buffer, refusal->asked_epoch);
        buffer_u8(buffer, (uint8_t)refusal->reason);
        buffer_varint(buffer, refusal->epoch);
        buffer_varint(buffer, refusal->wait_ms);
    }
}

static void read_refusals(struct reader *reader, struct lease_grant *grant)
{
    grant->refusal_count = reader_count(reader, LEASE_ITEMS_MAX);
    if (grant->refusal_count > 0)
        grant->refusals = xcalloc(grant->refusal_count, sizeof *grant->refusals);
    for (size_t i = 0; i < grant->refusal_count && !reader->failed; i++) {
        struct lease_refusal *refusal = &grant->refusals[i];
        read_child(reader, &refusal->child);
        refusal->asked_epoch = read_epoch(reader);
        uint8_t reason = reader_u8(reader);
        refusal->epoch = read_epoch(reader);
        refusal->wait_ms = reader_varint(reader);
        if (reason >= LEASE_REFUSAL_REASON_COUNT)
            reader->failed = true;
        refusal->reason = reason;
    }
}

bool lease_grant_decode(struct lease_grant *ret_grant, struct span body)
{
    struct reader reader = reader_of(body);
    memset(ret_grant, 0, sizeof *ret_grant);
    bool known = reader_u8(&reader) == LEASE_MESSAGE_VERSION;
    read_name(&reader, ret_grant->supervisor);
    ret_grant->term = read_term(&reader);
    ret_grant->replica = reader_u64(&reader);
    ret_grant->session = reader_u64(&reader);
    ret_grant->holder_session = reader_u64(&reader);
    ret_grant->number = reader_varint(&reader);
    uint8_t verdict = reader_u8(&reader);
    ret_grant->verdict = verdict;
    ret_grant->generation = reader_varint(&reader);
    read_refusals(&reader, ret_grant);
    if (known && reader_done(&reader) && verdict < LEASE_VERDICT_COUNT)
        return true;
    lease_grant_release(ret_grant);
    return false;
}
