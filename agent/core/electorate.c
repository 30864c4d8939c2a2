/* Electorates as values: who votes, what a majority is, and their encoding. */
#include "agent/core/electorate.h"

#include <string.h>

#include "agent/core/record.h"
#include "placement/strategy.h"

enum { ELECTORATE_VERSION = 1 };

bool electorate_equal(const struct electorate *a, const struct electorate *b)
{
    if (a->count != b->count || a->lease_seconds != b->lease_seconds)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->members[i].replica != b->members[i].replica ||
            strcmp(a->members[i].node, b->members[i].node) != 0)
            return false;
    return true;
}

size_t electorate_find(const struct electorate *electorate, const char *node, uint64_t replica)
{
    for (size_t i = 0; i < electorate->count; i++)
        if (strcmp(electorate->members[i].node, node) == 0 &&
            (replica == 0 || electorate->members[i].replica == replica))
            return i;
    return SIZE_MAX;
}

bool electorate_votes(const struct electorate *electorate, const char *node, uint64_t replica)
{
    size_t at = electorate_find(electorate, node, replica);
    return at != SIZE_MAX && at >= placement_first_voter(electorate->count);
}

size_t electorate_voter_count(const struct electorate *electorate)
{
    return electorate->count - placement_first_voter(electorate->count);
}

bool electorate_is_majority(const struct electorate *electorate, size_t votes)
{
    return 2 * votes > electorate_voter_count(electorate);
}

bool term_equal(const struct term *a, const struct term *b)
{
    return a->era == b->era && a->version == b->version && a->lineage == b->lineage;
}

/* --- Encoding -------------------------------------------------------------------------------- */

static void electorate_write(const struct electorate *electorate, struct buffer *buffer)
{
    buffer_varint(buffer, electorate->lease_seconds);
    buffer_varint(buffer, electorate->count);
    for (size_t i = 0; i < electorate->count; i++) {
        buffer_text(buffer, electorate->members[i].node);
        buffer_u64(buffer, electorate->members[i].replica);
    }
}

static void electorate_read(struct electorate *electorate, struct reader *reader)
{
    electorate->lease_seconds = (uint32_t)reader_count(reader, LEASE_SECONDS_MAX);
    electorate->count = reader_count(reader, ELECTORATE_MAX);
    for (size_t i = 0; i < electorate->count && !reader->failed; i++) {
        struct elector *member = &electorate->members[i];
        struct span node = reader_span(reader, NAME_BYTES_MAX);
        member->replica = reader_u64(reader);
        if (reader->failed)
            return;
        text_set_span(member->node, sizeof member->node, node);
        if (!name_is_dns1123(member->node) || strlen(member->node) != node.bytes ||
            member->replica == 0 || (i > 0 && strcmp(member[-1].node, member->node) >= 0))
            reader->failed = true;
    }
    if (electorate->count == 0 || electorate->lease_seconds < LEASE_SECONDS_MIN)
        reader->failed = true;
}

void electorate_record_write(const struct electorate_record *record, struct buffer *buffer)
{
    buffer_varint(buffer, record->term.era);
    buffer_varint(buffer, record->term.version);
    buffer_u64(buffer, record->term.lineage);
    buffer_varint(buffer, record->generation);
    electorate_write(&record->now, buffer);
    buffer_varint(buffer, record->old_count);
    for (size_t i = 0; i < record->old_count; i++)
        electorate_write(&record->olds[i], buffer);
}

void electorate_record_read(struct electorate_record *ret_record, struct reader *reader)
{
    memset(ret_record, 0, sizeof *ret_record);
    ret_record->term.era = reader_varint(reader);
    ret_record->term.version = reader_varint(reader);
    ret_record->term.lineage = reader_u64(reader);
    ret_record->generation = reader_varint(reader);
    electorate_read(&ret_record->now, reader);
    ret_record->old_count = reader_count(reader, ELECTORATE_OLD_MAX);
    for (size_t i = 0; i < ret_record->old_count && !reader->failed; i++)
        electorate_read(&ret_record->olds[i], reader);
    if (ret_record->term.version == 0 || ret_record->term.version > RECORD_EPOCH_MAX ||
        ret_record->term.era > RECORD_EPOCH_MAX || ret_record->term.lineage == 0)
        reader->failed = true;
}

void electorate_record_encode(const struct electorate_record *record, struct buffer *buffer)
{
    buffer_u8(buffer, ELECTORATE_VERSION);
    electorate_record_write(record, buffer);
}

bool electorate_record_decode(struct electorate_record *ret_record, struct span value)
{
    struct reader reader = reader_of(value);
    bool known = reader_u8(&reader) == ELECTORATE_VERSION;
    electorate_record_read(ret_record, &reader);
    if (known && reader_done(&reader))
        return true;
    memset(ret_record, 0, sizeof *ret_record);
    return false;
}

/* --- Records --------------------------------------------------------------------------------- */

bool electorate_record_add_old(struct electorate_record *record, const struct electorate *old)
{
    for (size_t i = 0; i < record->old_count; i++)
        if (electorate_equal(&record->olds[i], old))
            return true;
    if (record->old_count == ELECTORATE_OLD_MAX)
        return false;
    record->olds[record->old_count++] = *old;
    return true;
}

bool electorate_record_follow(struct electorate_record *record,
                              const struct electorate_record *before)
{
    bool room = electorate_record_add_old(record, &before->now);
    for (size_t i = 0; i < before->old_count; i++)
        room = electorate_record_add_old(record, &before->olds[i]) && room;
    return room;
}

int electorate_record_compare(const struct electorate_record *a, const struct electorate_record *b,
                              bool *ret_conflict)
{
    *ret_conflict = a->term.era == b->term.era && a->term.lineage != b->term.lineage;
    if (a->term.era != b->term.era)
        return a->term.era > b->term.era ? 1 : -1;
    if (a->term.lineage != b->term.lineage)
        return a->term.lineage > b->term.lineage ? 1 : -1;
    if (a->term.version != b->term.version)
        return a->term.version > b->term.version ? 1 : -1;
    return (a->old_count == 0) - (b->old_count == 0);
}

uint64_t electorate_lease_ms_min(const struct electorate_record *record)
{
    uint32_t seconds = record->now.lease_seconds;
    for (size_t i = 0; i < record->old_count; i++)
        if (record->olds[i].lease_seconds < seconds)
            seconds = record->olds[i].lease_seconds;
    return seconds * UINT64_C(1000);
}

uint64_t electorate_lease_ms_max(const struct electorate_record *record)
{
    uint32_t seconds = record->now.lease_seconds;
    for (size_t i = 0; i < record->old_count; i++)
        if (record->olds[i].lease_seconds > seconds)
            seconds = record->olds[i].lease_seconds;
    return seconds * UINT64_C(1000);
}

bool electorate_record_has(const struct electorate_record *record, const char *node,
                           uint64_t replica)
{
    if (electorate_find(&record->now, node, replica) != SIZE_MAX)
        return true;
    for (size_t i = 0; i < record->old_count; i++)
        if (electorate_find(&record->olds[i], node, replica) != SIZE_MAX)
            return true;
    return false;
}
