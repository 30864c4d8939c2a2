/* Encodings of claims, statuses, names, meta and members. Each begins with a version byte; a reader
 * takes only the version it knows. Fixed text fields go out as spans and come back checked against
 * the field's size. */
#include "agent/core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"
#include "placement/ring.h"

enum { RECORD_VERSION = 1 };
enum { CLAIM_VERSION_OFFER = 2 };    /* of a claim with an offer */
enum { MEMBER_VERSION = 2 };         /* of a member that refuses something: reasons, and `full` */
enum { MEMBER_VERSION_CORDON = 3 };  /* of one that somebody has cordoned, ever: its version */
enum { MEMBER_VERSION_WEIGHED = 4 }; /* of one that tells what it has; for one never cordoned too */
enum { NAME_VERSION_OUTSIDE = 2 };   /* a name that an outside process has registered */
enum { LABEL_TEXT_BYTES_MAX = 512 };
/* A run of an agent a second for 60 years; a greater one is garbage, and swim's incarnations could
 * not hold it. */
#define JOIN_COUNTER_MAX 2000000000u

static void read_text(struct reader *reader, char *field, size_t field_bytes)
{
    struct span text = reader_span(reader, field_bytes - 1);
    if (reader->failed)
        return;
    if (memchr(text.data, 0, text.bytes))
        reader->failed = true;
    else
        text_set_span(field, field_bytes, text);
}
#define READ_TEXT(reader, field) read_text((reader), (field), sizeof(field))

static char *read_string(struct reader *reader, size_t bytes_max)
{
    struct span text = reader_span(reader, bytes_max);
    if (reader->failed || memchr(text.data, 0, text.bytes)) {
        reader->failed = true;
        return NULL;
    }
    return xmemdup(text.data, text.bytes);
}

static uint8_t read_enum(struct reader *reader, uint8_t count)
{
    uint8_t value = reader_u8(reader);
    if (value >= count)
        reader->failed = true;
    return value;
}

static uint64_t read_epoch(struct reader *reader)
{
    uint64_t epoch = reader_varint(reader);
    if (epoch > RECORD_EPOCH_MAX)
        reader->failed = true;
    return epoch;
}

static void read_version(struct reader *reader)
{
    if (reader_u8(reader) != RECORD_VERSION)
        reader->failed = true;
}

static void write_child(struct buffer *buffer, const struct child_id *id)
{
    buffer_text(buffer, id->ns);
    buffer_text(buffer, id->workload);
    buffer_varint(buffer, id->ordinal);
}

static void read_child(struct reader *reader, struct child_id *id)
{
    READ_TEXT(reader, id->ns);
    READ_TEXT(reader, id->workload);
    id->ordinal = (uint32_t)reader_count(reader, REPLICAS_MAX);
    if (!name_is_dns1123(id->ns) || !name_is_dns1123(id->workload))
        reader->failed = true;
}

static void free_labels(struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(labels[i].key);
        free(labels[i].value);
    }
    free(labels);
}

static void write_labels(struct buffer *buffer, const struct label *labels, size_t count)
{
    buffer_varint(buffer, count);
    for (size_t i = 0; i < count; i++) {
        buffer_text(buffer, labels[i].key);
        buffer_text(buffer, labels[i].value);
    }
}

/* What was read before a failure is there to be freed. */
static void read_labels(struct reader *reader, struct label **ret_labels, size_t *ret_count)
{
    size_t count = reader_count(reader, LABELS_MAX);
    struct label *labels = count ? xcalloc(count, sizeof *labels) : NULL;
    *ret_labels = labels;
    *ret_count = 0;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        *ret_count = i + 1;
        labels[i].key = read_string(reader, LABEL_TEXT_BYTES_MAX);
        labels[i].value = read_string(reader, LABEL_TEXT_BYTES_MAX);
    }
}

/* --- Claims ---------------------------------------------------------------------------------- */

void claim_encode(const struct claim *claim, struct buffer *buffer)
{
    const struct offer *offer = claim->offer;
    buffer_u8(buffer, offer ? CLAIM_VERSION_OFFER : RECORD_VERSION);
    buffer_varint(buffer, claim->epoch);
    buffer_text(buffer, claim->node);
    buffer_u64(buffer, claim->replica);
    buffer_text(buffer, claim->uid);
    buffer_u64(buffer, claim->spec_hash);
    buffer_u8(buffer, (uint8_t)claim->state);
    if (!offer)
        return;
    buffer_u8(buffer, (uint8_t)offer->state);
    buffer_u8(buffer, offer->start_first);
    buffer_text(buffer, offer->node);
    buffer_u64(buffer, offer->replica);
    buffer_varint(buffer, offer->epoch);
}

static void read_offer(struct reader *reader, struct offer *offer, uint64_t epoch)
{
    offer->state = read_enum(reader, OFFER_WITHDRAWN + 1);
    offer->start_first = read_enum(reader, 2);
    READ_TEXT(reader, offer->node);
    offer->replica = reader_u64(reader);
    offer->epoch = read_epoch(reader);
    if (offer->epoch <= epoch)
        reader->failed = true;
}

static bool claim_read(struct claim *claim, struct offer *offer, struct span value)
{
    struct reader reader = reader_of(value);
    uint8_t version = reader_u8(&reader);
    if (version != RECORD_VERSION && version != CLAIM_VERSION_OFFER)
        reader.failed = true;
    claim->epoch = read_epoch(&reader);
    READ_TEXT(&reader, claim->node);
    claim->replica = reader_u64(&reader);
    READ_TEXT(&reader, claim->uid);
    claim->spec_hash = reader_u64(&reader);
    claim->state = read_enum(&reader, CLAIM_FINISHED + 1);
    if (version == CLAIM_VERSION_OFFER) {
        read_offer(&reader, offer, claim->epoch);
        claim->offer = offer;
    }
    return reader_done(&reader) && claim->epoch > 0;
}

bool claim_decode(struct claim *ret_claim, struct offer *ret_offer, struct span value)
{
    memset(ret_claim, 0, sizeof *ret_claim);
    memset(ret_offer, 0, sizeof *ret_offer);
    if (claim_read(ret_claim, ret_offer, value))
        return true;
    memset(ret_claim, 0, sizeof *ret_claim);
    memset(ret_offer, 0, sizeof *ret_offer);
    return false;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int claim_compare(const struct claim *a, const struct claim *b, uint64_t child_hash)
{
    if (a->epoch != b->epoch)
        return compare_u64(a->epoch, b->epoch);
    int first = ring_first_of_two(child_hash, a->node, b->node);
    if (first != 0)
        return -first;
    if (a->replica != b->replica)
        return -compare_u64(a->replica, b->replica);
    return compare_u64((uint64_t)a->state, (uint64_t)b->state);
}

/* --- Statuses -------------------------------------------------------------------------------- */

bool status_is_of(const struct status *status, const struct claim *claim)
{
    bool known = status->replica != 0; /* an agent of before does not say whose it is */
    return status->epoch == claim->epoch && (!known || status->replica == claim->replica) &&
           strcmp(status->uid, claim->uid) == 0;
}

void status_encode(const struct status *status, struct buffer *buffer)
{
    buffer_u8(buffer, RECORD_VERSION);
    buffer_text(buffer, status->uid);
    buffer_varint(buffer, status->epoch);
    buffer_u64(buffer, status->replica);
    buffer_u8(buffer, (uint8_t)status->phase);
    buffer_u8(buffer, (uint8_t)(status->ready | status->has_exit_code << 1));
    buffer_varint(buffer, status->restarts);
    buffer_varint(buffer, status->backoff_level);
    buffer_u64(buffer, status->spec_hash);
    buffer_varint(buffer, status->started_ms);
    buffer_varint(buffer, status->ready_ms);
    buffer_varint(buffer, status->finished_ms);
    buffer_u32(buffer, (uint32_t)status->exit_code);
    buffer_text(buffer, status->container_id);
    buffer_text(buffer, status->reason);
    buffer_text(buffer, status->message);
}

static bool status_read(struct status *ret_status, struct span value, bool tells_whose)
{
    struct reader reader = reader_of(value);
    memset(ret_status, 0, sizeof *ret_status);
    read_version(&reader);
    READ_TEXT(&reader, ret_status->uid);
    ret_status->epoch = read_epoch(&reader);
    ret_status->replica = tells_whose ? reader_u64(&reader) : 0;
    ret_status->phase = read_enum(&reader, CHILD_CRASH_LOOP_BACK_OFF + 1);
    uint8_t flags = read_enum(&reader, 4);
    ret_status->ready = flags & 1;
    ret_status->has_exit_code = flags & 2;
    ret_status->restarts = (uint32_t)reader_count(&reader, UINT32_MAX);
    ret_status->backoff_level = (uint32_t)reader_count(&reader, 64);
    ret_status->spec_hash = reader_u64(&reader);
    ret_status->started_ms = reader_varint(&reader);
    ret_status->ready_ms = reader_varint(&reader);
    ret_status->finished_ms = reader_varint(&reader);
    ret_status->exit_code = (int32_t)reader_u32(&reader);
    READ_TEXT(&reader, ret_status->container_id);
    READ_TEXT(&reader, ret_status->reason);
    READ_TEXT(&reader, ret_status->message);
    return reader_done(&reader);
}

/* The first agents did not tell whose a status is, under the same version: 8 bytes less. Should
 * such a one ever be read to its end as one of today, its holder is nobody, and it counts for
 * nothing. */
bool status_decode(struct status *ret_status, struct span value)
{
    if (status_read(ret_status, value, true) || status_read(ret_status, value, false))
        return true;
    memset(ret_status, 0, sizeof *ret_status);
    return false;
}

/* --- Names ----------------------------------------------------------------------------------- */

void name_outside_free(struct name_outside *outside)
{
    if (!outside)
        return;
    free_labels(outside->labels, outside->label_count);
    free(outside);
}

void name_record_release(struct name_record *record)
{
    free(record->value);
    name_outside_free(record->outside);
    memset(record, 0, sizeof *record);
}

static void write_owner(struct buffer *buffer, const struct name_record *record)
{
    const struct name_outside *outside = record->outside;
    if (!outside) {
        write_child(buffer, &record->owner);
        buffer_text(buffer, record->uid);
        return;
    }
    buffer_append(buffer, outside->owner, sizeof outside->owner);
    buffer_varint(buffer, outside->ttl_ms);
    write_labels(buffer, outside->labels, outside->label_count);
}

void name_record_encode(const struct name_record *record, struct buffer *buffer)
{
    buffer_u8(buffer, record->outside ? NAME_VERSION_OUTSIDE : RECORD_VERSION);
    write_owner(buffer, record);
    buffer_text(buffer, record->node);
    buffer_u64(buffer, record->replica);
    buffer_varint(buffer, record->claim_epoch);
    buffer_varint(buffer, record->epoch);
    buffer_text(buffer, record->address);
    buffer_u16(buffer, record->port);
    buffer_u8(buffer, (uint8_t)((record->value != NULL) | record->value_set << 1));
    if (record->value)
        buffer_text(buffer, record->value);
}

static struct name_outside *read_outside(struct reader *reader)
{
    struct name_outside *outside = xcalloc(1, sizeof *outside);
    for (size_t i = 0; i < sizeof outside->owner; i++)
        outside->owner[i] = reader_u8(reader);
    outside->ttl_ms = reader_count(reader, OUTSIDE_TTL_MS_MAX);
    if (outside->ttl_ms < OUTSIDE_TTL_MS_MIN)
        reader->failed = true;
    read_labels(reader, &outside->labels, &outside->label_count);
    return outside;
}

bool name_record_decode(struct name_record *ret_record, struct span value)
{
    struct reader reader = reader_of(value);
    memset(ret_record, 0, sizeof *ret_record);
    uint8_t version = reader_u8(&reader);
    if (version == NAME_VERSION_OUTSIDE) {
        ret_record->outside = read_outside(&reader);
    } else {
        reader.failed |= version != RECORD_VERSION;
        read_child(&reader, &ret_record->owner);
        READ_TEXT(&reader, ret_record->uid);
    }
    READ_TEXT(&reader, ret_record->node);
    ret_record->replica = reader_u64(&reader);
    ret_record->claim_epoch = read_epoch(&reader);
    ret_record->epoch = read_epoch(&reader);
    READ_TEXT(&reader, ret_record->address);
    ret_record->port = reader_u16(&reader);
    uint8_t flags = read_enum(&reader, 4);
    ret_record->value_set = flags & 2;
    if (flags & 1)
        ret_record->value = read_string(&reader, VALUE_BYTES_MAX);
    if (reader_done(&reader) && !(ret_record->outside && ret_record->claim_epoch > 0))
        return true;
    name_record_release(ret_record);
    return false;
}

void name_owner_print(const struct name_record *record, char *ret_text, size_t bytes)
{
    if (!record->outside) {
        child_id_print(&record->owner, ret_text, bytes);
        return;
    }
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++)
        head = head << 8 | record->outside->owner[i];
    snprintf(ret_text, bytes, "token/%016" PRIx64, head);
}

/* Every criterion is a key of its own record, so the order is total. */
static uint64_t name_owner_hash(const struct name_record *record, const char *name)
{
    const struct name_outside *outside = record->outside;
    uint64_t owner = outside ? placement_hash(outside->owner, sizeof outside->owner)
                             : child_id_hash(&record->owner);
    return placement_hash_pair(placement_hash(name, strlen(name)), owner);
}

static struct claim name_claim(const struct name_record *record)
{
    struct claim claim = {.epoch = record->claim_epoch, .replica = record->replica};
    TEXT_SET(claim.node, record->node);
    return claim;
}

int name_record_compare(const struct name_record *a, const struct name_record *b, const char *name)
{
    if (a->epoch != b->epoch)
        return compare_u64(a->epoch, b->epoch);
    uint64_t hash_a = name_owner_hash(a, name), hash_b = name_owner_hash(b, name);
    if (hash_a != hash_b)
        return -compare_u64(hash_a, hash_b);
    struct claim claim_a = name_claim(a), claim_b = name_claim(b);
    return claim_compare(&claim_a, &claim_b, a->outside ? hash_a : child_id_hash(&a->owner));
}

/* --- States ---------------------------------------------------------------------------------- */

void state_record_encode(const struct state_record *record, struct buffer *buffer)
{
    buffer_u8(buffer, RECORD_VERSION);
    buffer_varint(buffer, record->id.epoch);
    buffer_u64(buffer, record->id.replica);
    buffer_u64(buffer, record->id.stamp);
    buffer_text(buffer, record->node);
    buffer_text(buffer, record->uid);
    buffer_varint(buffer, record->bytes);
    buffer_u64(buffer, record->hash);
}

bool state_record_decode(struct state_record *ret_record, struct span value)
{
    struct reader reader = reader_of(value);
    memset(ret_record, 0, sizeof *ret_record);
    read_version(&reader);
    ret_record->id.epoch = read_epoch(&reader);
    ret_record->id.replica = reader_u64(&reader);
    ret_record->id.stamp = reader_u64(&reader);
    READ_TEXT(&reader, ret_record->node);
    READ_TEXT(&reader, ret_record->uid);
    ret_record->bytes = (uint32_t)reader_count(&reader, STATE_BYTES_MAX);
    ret_record->hash = reader_u64(&reader);
    if (reader_done(&reader) && ret_record->id.epoch > 0)
        return true;
    memset(ret_record, 0, sizeof *ret_record);
    return false;
}

int state_record_compare(const struct state_record *a, const struct state_record *b,
                         uint64_t child_hash)
{
    struct claim claim_a = {.epoch = a->id.epoch, .replica = a->id.replica};
    struct claim claim_b = {.epoch = b->id.epoch, .replica = b->id.replica};
    TEXT_SET(claim_a.node, a->node);
    TEXT_SET(claim_b.node, b->node);
    int order = claim_compare(&claim_a, &claim_b, child_hash);
    return order ? order : compare_u64(a->id.stamp, b->id.stamp);
}

/* --- Meta ------------------------------------------------------------------------------------ */

void rebalance_encode(const struct rebalance *rebalance, struct buffer *buffer)
{
    buffer_u8(buffer, RECORD_VERSION);
    buffer_text(buffer, rebalance->node);
    buffer_varint(buffer, rebalance->asked_ms);
}

bool rebalance_decode(struct rebalance *ret_rebalance, struct span value)
{
    struct reader reader = reader_of(value);
    memset(ret_rebalance, 0, sizeof *ret_rebalance);
    read_version(&reader);
    READ_TEXT(&reader, ret_rebalance->node);
    ret_rebalance->asked_ms = reader_varint(&reader);
    if (reader_done(&reader))
        return true;
    memset(ret_rebalance, 0, sizeof *ret_rebalance);
    return false;
}

void meta_encode(const char *value, struct buffer *buffer)
{
    buffer_u8(buffer, RECORD_VERSION);
    buffer_text(buffer, value);
}

char *meta_decode(struct span value)
{
    struct reader reader = reader_of(value);
    read_version(&reader);
    char *text = read_string(&reader, VALUE_BYTES_MAX);
    if (text && reader_done(&reader))
        return text;
    free(text);
    return NULL;
}

/* --- Members --------------------------------------------------------------------------------- */

void member_record_release(struct member_record *record)
{
    free_labels(record->labels, record->label_count);
    free(record->declined);
    free(record->full);
    memset(record, 0, sizeof *record);
}

static void write_refusals(const struct member_record *record, struct buffer *buffer)
{
    buffer_varint(buffer, record->declined_count);
    for (size_t i = 0; i < record->declined_count; i++) {
        write_child(buffer, &record->declined[i].child);
        buffer_varint(buffer, record->declined[i].epoch);
        buffer_varint(buffer, record->declined[i].until_ms);
        buffer_text(buffer, record->declined[i].reason);
    }
    buffer_varint(buffer, record->full_count);
    for (size_t i = 0; i < record->full_count; i++) {
        buffer_text(buffer, record->full[i].supervisor);
        buffer_text(buffer, record->full[i].reason);
        buffer_u32(buffer, (uint32_t)record->full[i].priority);
        buffer_varint(buffer, record->full[i].until_ms);
    }
}

void member_record_encode(const struct member_record *record, struct buffer *buffer)
{
    bool weighed = record->cpu_milli > 0 || record->memory_bytes > 0;
    bool cordoned = weighed || record->cordon.version > 0;
    bool refuses = cordoned || record->declined_count > 0 || record->full_count > 0;
    buffer_u8(buffer, weighed    ? MEMBER_VERSION_WEIGHED
                      : cordoned ? MEMBER_VERSION_CORDON
                      : refuses  ? MEMBER_VERSION
                                 : RECORD_VERSION);
    buffer_varint(buffer, record->join_counter);
    buffer_u64(buffer, record->replica);
    buffer_u64(buffer, record->writer);
    buffer_text(buffer, record->gossip_address);
    buffer_text(buffer, record->api_address);
    buffer_text(buffer, record->zone);
    buffer_varint(buffer, record->weight);
    buffer_varint(buffer, record->capacity);
    buffer_u8(buffer, (uint8_t)(record->cordon.unschedulable | record->runtime_healthy << 1));
    buffer_u8(buffer, (uint8_t)record->wish);
    buffer_varint(buffer, record->away_ms);
    buffer_text(buffer, record->agent_version);
    buffer_text(buffer, record->runtime_name);
    buffer_text(buffer, record->runtime_version);
    buffer_varint(buffer, record->joined_ms);
    write_labels(buffer, record->labels, record->label_count);
    if (refuses)
        write_refusals(record, buffer);
    else
        buffer_varint(buffer, 0); /* declined nothing */
    if (cordoned) {
        buffer_u8(buffer, record->cordon.drains);
        buffer_varint(buffer, record->cordon.version);
    }
    if (weighed) {
        buffer_varint(buffer, record->cpu_milli);
        buffer_varint(buffer, record->memory_bytes);
    }
}

static void read_refusals(struct member_record *record, struct reader *reader, uint8_t version)
{
    size_t count = reader_count(reader, MEMBER_DECLINED_MAX);
    record->declined = count ? xcalloc(count, sizeof *record->declined) : NULL;
    record->declined_count = count;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        read_child(reader, &record->declined[i].child);
        record->declined[i].epoch = read_epoch(reader);
        record->declined[i].until_ms = reader_varint(reader);
        if (version >= MEMBER_VERSION)
            READ_TEXT(reader, record->declined[i].reason);
    }
    if (version < MEMBER_VERSION)
        return;
    count = reader_count(reader, MEMBER_FULL_MAX);
    record->full = count ? xcalloc(count, sizeof *record->full) : NULL;
    record->full_count = count;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        READ_TEXT(reader, record->full[i].supervisor);
        READ_TEXT(reader, record->full[i].reason);
        record->full[i].priority = (int32_t)reader_u32(reader);
        record->full[i].until_ms = reader_varint(reader);
    }
}

bool member_record_decode(struct member_record *ret_record, struct span value)
{
    struct reader reader = reader_of(value);
    struct member_record *record = ret_record;
    memset(record, 0, sizeof *record);
    uint8_t version = reader_u8(&reader);
    if (version < RECORD_VERSION || version > MEMBER_VERSION_WEIGHED)
        reader.failed = true;
    record->join_counter = reader_count(&reader, JOIN_COUNTER_MAX);
    record->replica = reader_u64(&reader);
    record->writer = reader_u64(&reader);
    READ_TEXT(&reader, record->gossip_address);
    READ_TEXT(&reader, record->api_address);
    READ_TEXT(&reader, record->zone);
    record->weight = (uint32_t)reader_count(&reader, RING_WEIGHT_MAX);
    record->capacity = (uint32_t)reader_count(&reader, UINT32_MAX);
    uint8_t flags = read_enum(&reader, 4);
    record->cordon.unschedulable = flags & 1;
    record->runtime_healthy = flags & 2;
    record->wish = read_enum(&reader, WISH_LEFT + 1);
    record->away_ms = reader_count(&reader, DETACH_MS_MAX);
    READ_TEXT(&reader, record->agent_version);
    READ_TEXT(&reader, record->runtime_name);
    READ_TEXT(&reader, record->runtime_version);
    record->joined_ms = reader_varint(&reader);
    read_labels(&reader, &record->labels, &record->label_count);
    read_refusals(record, &reader, version);
    if (version >= MEMBER_VERSION_CORDON) {
        record->cordon.drains = read_enum(&reader, 2);
        record->cordon.version = read_epoch(&reader);
    }
    if (version >= MEMBER_VERSION_WEIGHED) {
        record->cpu_milli = reader_count(&reader, CPU_MILLI_MAX);
        record->memory_bytes = reader_count(&reader, MEMORY_BYTES_MAX);
        if (record->cpu_milli == 0 && record->memory_bytes == 0)
            reader.failed = true; /* the version says that it tells of something */
    }
    if (reader_done(&reader))
        return true;
    member_record_release(record);
    return false;
}
