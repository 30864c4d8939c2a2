/* Workloads and supervisors as bytes, as they lie in the replicated map.
 *
 * One layout per kind: a version byte, then the fields in the order of the struct, the document
 * last. Decoding is for bytes that came from anybody: every length is checked against limits.h,
 * every enum against its last value, text may not hold a zero byte, and nothing may be left over.
 * So whatever decodes is safe to use, and encodes to the same bytes again.
 *
 * Owned text of zero bytes is NULL: an absent name value or document, never "". Semantics
 * (DNS-1123, what refers to what) are the codec's. A later version of the format gets a new version
 * byte; an agent that does not know it treats the value as garbage and says so.
 */
#include "agent/core/document.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKLOAD_VERSION = 1,
    WORKLOAD_VERSION_PROBES = 2, /* with probes before the document */
    WORKLOAD_VERSION_ASKS = 3,   /* with probes, if any, and what it asks for */
    SUPERVISOR_VERSION = 1,
    LABEL_TEXT_BYTES_MAX = 1024, /* Kubernetes: a key has at most 317, a value 63 */
    FLAG_HOST_NETWORK = 1,       /* of a workload */
    FLAG_MEMBERS_AUTO = 1,       /* of a supervisor */
    FLAG_UDP = 1,                /* of a port */
};

/* --- Pieces ---------------------------------------------------------------------------------- */

/* Small negative numbers in few bytes: 0, -1, 1, -2 become 0, 1, 2, 3. */
static void encode_signed(int64_t value, struct buffer *buffer)
{
    uint64_t sign = value < 0 ? UINT64_MAX : 0;
    buffer_varint(buffer, ((uint64_t)value << 1) ^ sign);
}

static int64_t decode_signed(struct reader *reader)
{
    uint64_t coded = reader_varint(reader);
    uint64_t sign = (coded & 1) ? UINT64_MAX : 0;
    return (int64_t)((coded >> 1) ^ sign);
}

static int32_t decode_int32(struct reader *reader)
{
    int64_t value = decode_signed(reader);
    if (value < INT32_MIN || value > INT32_MAX) {
        reader->failed = true;
        return 0;
    }
    return (int32_t)value;
}

static uint64_t decode_at_most(struct reader *reader, uint64_t max)
{
    uint64_t value = reader_varint(reader);
    if (value > max) {
        reader->failed = true;
        return 0;
    }
    return value;
}

static uint32_t decode_u32(struct reader *reader)
{
    return (uint32_t)decode_at_most(reader, UINT32_MAX);
}

/* An enum or a set of flags: one byte, 0 to max. */
static uint8_t decode_choice(struct reader *reader, unsigned max)
{
    uint8_t value = reader_u8(reader);
    if (value > max) {
        reader->failed = true;
        return 0;
    }
    return value;
}

static struct span decode_text_span(struct reader *reader, size_t bytes_max)
{
    struct span text = reader_span(reader, bytes_max);
    if (!reader->failed && text.bytes > 0 && !memchr(text.data, 0, text.bytes))
        return text;
    if (text.bytes > 0)
        reader->failed = true;
    return (struct span){0};
}

static void decode_field(struct reader *reader, char *field, size_t field_bytes)
{
    struct span text = decode_text_span(reader, field_bytes - 1);
    if (text.bytes > 0)
        memcpy(field, text.data, text.bytes);
    field[text.bytes] = 0;
}
#define DECODE_FIELD(reader, field) decode_field((reader), (field), sizeof(field))

/* Owned text. NULL when empty or failed. */
static char *decode_owned(struct reader *reader, size_t bytes_max)
{
    struct span text = decode_text_span(reader, bytes_max);
    return text.bytes > 0 ? xmemdup(text.data, text.bytes) : NULL;
}

static void encode_document(const char *document, size_t bytes, struct buffer *buffer)
{
    assert(bytes <= DOCUMENT_BYTES_MAX);
    buffer_span(buffer, span_of(document, document ? bytes : 0));
}

static char *decode_document(struct reader *reader, size_t *ret_bytes)
{
    char *document = decode_owned(reader, DOCUMENT_BYTES_MAX);
    *ret_bytes = document ? strlen(document) : 0;
    return document;
}

/* --- Workload -------------------------------------------------------------------------------- */

void workload_release(struct workload *workload)
{
    if (!workload)
        return;
    for (size_t i = 0; i < workload->name_count; i++)
        free(workload->names[i].value);
    for (size_t i = 0; i < workload->node_selector_count; i++) {
        free(workload->node_selector[i].key);
        free(workload->node_selector[i].value);
    }
    free(workload->names);
    free(workload->ports);
    free(workload->node_selector);
    free(workload->image);
    free(workload->document);
    *workload = (struct workload){0};
}

static void workload_encode_policies(const struct workload *workload, struct buffer *buffer)
{
    buffer_varint(buffer, workload->replicas);
    buffer_u8(buffer, (uint8_t)workload->restart);
    buffer_varint(buffer, workload->shutdown_ms);
    encode_signed(workload->priority, buffer);
    buffer_u8(buffer, (uint8_t)workload->on_name_conflict);
    buffer_u8(buffer, (uint8_t)workload->update);
    buffer_varint(buffer, workload->max_unavailable);
    buffer_varint(buffer, workload->min_ready_seconds);
    buffer_varint(buffer, workload->progress_deadline_seconds);
    encode_signed(workload->ttl_seconds_after_finished, buffer);
    buffer_u8(buffer, workload->host_network ? FLAG_HOST_NETWORK : 0);
    buffer_u8(buffer, (uint8_t)workload->pull);
    buffer_text(buffer, workload->image);
    buffer_u64(buffer, workload->spec_hash);
}

static void workload_encode_lists(const struct workload *workload, struct buffer *buffer)
{
    assert(workload->name_count <= NAMES_PER_WORKLOAD_MAX);
    buffer_varint(buffer, workload->name_count);
    for (size_t i = 0; i < workload->name_count; i++) {
        buffer_text(buffer, workload->names[i].name);
        buffer_text(buffer, workload->names[i].port);
        buffer_text(buffer, workload->names[i].value);
    }
    assert(workload->port_count <= PORTS_PER_WORKLOAD_MAX);
    buffer_varint(buffer, workload->port_count);
    for (size_t i = 0; i < workload->port_count; i++) {
        buffer_text(buffer, workload->ports[i].name);
        buffer_u16(buffer, workload->ports[i].container_port);
        buffer_u16(buffer, workload->ports[i].host_port);
        buffer_u8(buffer, workload->ports[i].udp ? FLAG_UDP : 0);
    }
    assert(workload->node_selector_count <= LABELS_MAX);
    buffer_varint(buffer, workload->node_selector_count);
    for (size_t i = 0; i < workload->node_selector_count; i++) {
        buffer_text(buffer, workload->node_selector[i].key);
        buffer_text(buffer, workload->node_selector[i].value);
    }
}

static bool workload_has_probes(const struct workload *workload)
{
    bool has = false;
    for (size_t i = 0; i < PROBE_KIND_COUNT; i++)
        has = has || workload->probes[i].period_seconds > 0;
    return has;
}

static void workload_encode_probes(const struct workload *workload, struct buffer *buffer)
{
    for (size_t i = 0; i < PROBE_KIND_COUNT; i++) {
        const struct probe *probe = &workload->probes[i];
        buffer_varint(buffer, probe->period_seconds);
        if (probe->period_seconds == 0)
            continue;
        buffer_varint(buffer, probe->initial_delay_seconds);
        buffer_varint(buffer, probe->timeout_seconds);
        buffer_varint(buffer, probe->success_threshold);
        buffer_varint(buffer, probe->failure_threshold);
    }
}

/* An agent that knows no probes leaves a workload that has some alone: it could not keep them. */
void workload_encode(const struct workload *workload, struct buffer *buffer)
{
    bool probes = workload_has_probes(workload);
    bool asks = workload->cpu_milli > 0 || workload->memory_bytes > 0;
    buffer_u8(buffer, asks     ? WORKLOAD_VERSION_ASKS
                      : probes ? WORKLOAD_VERSION_PROBES
                               : WORKLOAD_VERSION);
    buffer_text(buffer, workload->ns);
    buffer_text(buffer, workload->name);
    buffer_text(buffer, workload->uid);
    buffer_varint(buffer, workload->generation);
    buffer_varint(buffer, workload->created_ms);
    buffer_text(buffer, workload->supervisor);
    workload_encode_policies(workload, buffer);
    workload_encode_lists(workload, buffer);
    if (asks)
        buffer_u8(buffer, probes);
    if (probes)
        workload_encode_probes(workload, buffer);
    if (asks) {
        buffer_varint(buffer, workload->cpu_milli);
        buffer_varint(buffer, workload->memory_bytes);
    }
    encode_document(workload->document, workload->document_bytes, buffer);
}

static void workload_decode_policies(struct workload *workload, struct reader *reader)
{
    workload->replicas = (uint32_t)decode_at_most(reader, REPLICAS_MAX);
    workload->restart = decode_choice(reader, RESTART_TEMPORARY);
    workload->shutdown_ms = reader_varint(reader);
    workload->priority = decode_int32(reader);
    workload->on_name_conflict = decode_choice(reader, NAME_CONFLICT_STOP);
    workload->update = decode_choice(reader, UPDATE_RECREATE);
    workload->max_unavailable = decode_u32(reader);
    workload->min_ready_seconds = decode_u32(reader);
    workload->progress_deadline_seconds = decode_u32(reader);
    workload->ttl_seconds_after_finished = decode_signed(reader);
    if (workload->ttl_seconds_after_finished < -1)
        reader->failed = true;
    workload->host_network = decode_choice(reader, FLAG_HOST_NETWORK);
    workload->pull = decode_choice(reader, PULL_NEVER);
    workload->image = decode_owned(reader, IMAGE_BYTES_MAX);
    if (!workload->image)
        reader->failed = true; /* nothing could ever be started */
    workload->spec_hash = reader_u64(reader);
}

static void workload_decode_names(struct workload *workload, struct reader *reader)
{
    size_t count = reader_count(reader, NAMES_PER_WORKLOAD_MAX);
    if (count > 0)
        workload->names = xcalloc(count, sizeof *workload->names);
    workload->name_count = count;
    for (size_t i = 0; i < count; i++) {
        DECODE_FIELD(reader, workload->names[i].name);
        DECODE_FIELD(reader, workload->names[i].port);
        workload->names[i].value = decode_owned(reader, VALUE_BYTES_MAX);
    }
}

static void workload_decode_ports(struct workload *workload, struct reader *reader)
{
    size_t count = reader_count(reader, PORTS_PER_WORKLOAD_MAX);
    if (count > 0)
        workload->ports = xcalloc(count, sizeof *workload->ports);
    workload->port_count = count;
    for (size_t i = 0; i < count; i++) {
        DECODE_FIELD(reader, workload->ports[i].name);
        workload->ports[i].container_port = reader_u16(reader);
        workload->ports[i].host_port = reader_u16(reader);
        workload->ports[i].udp = decode_choice(reader, FLAG_UDP);
    }
}

/* A key and a value are never NULL, so that they can be compared as they are. */
static char *decode_label_text(struct reader *reader)
{
    char *text = decode_owned(reader, LABEL_TEXT_BYTES_MAX);
    return text ? text : xstrdup("");
}

static void workload_decode_node_selector(struct workload *workload, struct reader *reader)
{
    size_t count = reader_count(reader, LABELS_MAX);
    if (count > 0)
        workload->node_selector = xcalloc(count, sizeof *workload->node_selector);
    workload->node_selector_count = count;
    for (size_t i = 0; i < count; i++) {
        workload->node_selector[i].key = decode_label_text(reader);
        workload->node_selector[i].value = decode_label_text(reader);
    }
}

static void workload_decode_probes(struct workload *workload, struct reader *reader)
{
    for (size_t i = 0; i < PROBE_KIND_COUNT; i++) {
        struct probe *probe = &workload->probes[i];
        probe->period_seconds = decode_u32(reader);
        if (probe->period_seconds == 0)
            continue;
        probe->initial_delay_seconds = decode_u32(reader);
        probe->timeout_seconds = decode_u32(reader);
        probe->success_threshold = decode_u32(reader);
        probe->failure_threshold = decode_u32(reader);
        if (probe->timeout_seconds == 0 || probe->success_threshold == 0 ||
            probe->failure_threshold == 0)
            reader->failed = true; /* it would never, or always, be what it says */
    }
    if (!workload_has_probes(workload))
        reader->failed = true; /* the version says that it has some */
}

static void workload_decode_asks(struct workload *workload, struct reader *reader)
{
    workload->cpu_milli = decode_at_most(reader, CPU_MILLI_MAX);
    workload->memory_bytes = decode_at_most(reader, MEMORY_BYTES_MAX);
    if (workload->cpu_milli == 0 && workload->memory_bytes == 0)
        reader->failed = true; /* the version says that it asks for something */
}

bool workload_decode(struct workload *ret_workload, struct span value)
{
    workload_release(ret_workload);
    struct reader reader = reader_of(value);
    uint8_t version = reader_u8(&reader);
    if (version < WORKLOAD_VERSION || version > WORKLOAD_VERSION_ASKS)
        return false;
    DECODE_FIELD(&reader, ret_workload->ns);
    DECODE_FIELD(&reader, ret_workload->name);
    DECODE_FIELD(&reader, ret_workload->uid);
    ret_workload->generation = reader_varint(&reader);
    ret_workload->created_ms = reader_varint(&reader);
    DECODE_FIELD(&reader, ret_workload->supervisor);
    workload_decode_policies(ret_workload, &reader);
    workload_decode_names(ret_workload, &reader);
    workload_decode_ports(ret_workload, &reader);
    workload_decode_node_selector(ret_workload, &reader);
    bool asks = version == WORKLOAD_VERSION_ASKS;
    if (version == WORKLOAD_VERSION_PROBES || (asks && decode_choice(&reader, 1)))
        workload_decode_probes(ret_workload, &reader);
    if (asks)
        workload_decode_asks(ret_workload, &reader);
    ret_workload->document = decode_document(&reader, &ret_workload->document_bytes);
    if (reader_done(&reader))
        return true;
    workload_release(ret_workload);
    return false;
}

/* --- Supervisor ------------------------------------------------------------------------------ */

void supervisor_release(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    free(supervisor->members);
    free(supervisor->document);
    *supervisor = (struct supervisor){0};
}

void supervisor_encode(const struct supervisor *supervisor, struct buffer *buffer)
{
    buffer_u8(buffer, SUPERVISOR_VERSION);
    buffer_text(buffer, supervisor->name);
    buffer_text(buffer, supervisor->uid);
    buffer_varint(buffer, supervisor->generation);
    buffer_varint(buffer, supervisor->created_ms);
    buffer_text(buffer, supervisor->strategy);
    buffer_u8(buffer, supervisor->members_auto ? FLAG_MEMBERS_AUTO : 0);
    assert(supervisor->member_count <= SUPERVISOR_MEMBERS_MAX);
    buffer_varint(buffer, supervisor->member_count);
    for (size_t i = 0; i < supervisor->member_count; i++)
        buffer_text(buffer, supervisor->members[i]);
    buffer_varint(buffer, supervisor->lease_seconds);
    buffer_u8(buffer, (uint8_t)supervisor->redistribution);
    buffer_varint(buffer, supervisor->max_concurrent_moves);
    buffer_varint(buffer, supervisor->settle_seconds);
    buffer_u8(buffer, (uint8_t)supervisor->order);
    buffer_varint(buffer, supervisor->max_restarts);
    buffer_varint(buffer, supervisor->max_seconds);
    buffer_u8(buffer, (uint8_t)supervisor->on_intensity);
    buffer_varint(buffer, supervisor->max_children);
    buffer_varint(buffer, supervisor->proxy_message_ttl);
    encode_document(supervisor->document, supervisor->document_bytes, buffer);
}

static void supervisor_decode_members(struct supervisor *supervisor, struct reader *reader)
{
    supervisor->members_auto = decode_choice(reader, FLAG_MEMBERS_AUTO);
    size_t count = reader_count(reader, SUPERVISOR_MEMBERS_MAX);
    if (count > 0)
        supervisor->members = xcalloc(count, sizeof *supervisor->members);
    supervisor->member_count = count;
    for (size_t i = 0; i < count; i++)
        DECODE_FIELD(reader, supervisor->members[i]);
}

bool supervisor_decode(struct supervisor *ret_supervisor, struct span value)
{
    supervisor_release(ret_supervisor);
    struct reader reader = reader_of(value);
    if (reader_u8(&reader) != SUPERVISOR_VERSION)
        return false;
    DECODE_FIELD(&reader, ret_supervisor->name);
    DECODE_FIELD(&reader, ret_supervisor->uid);
    ret_supervisor->generation = reader_varint(&reader);
    ret_supervisor->created_ms = reader_varint(&reader);
    DECODE_FIELD(&reader, ret_supervisor->strategy);
    supervisor_decode_members(ret_supervisor, &reader);
    ret_supervisor->lease_seconds = decode_u32(&reader);
    ret_supervisor->redistribution = decode_choice(&reader, REDISTRIBUTION_ACTIVE);
    ret_supervisor->max_concurrent_moves = decode_u32(&reader);
    ret_supervisor->settle_seconds = decode_u32(&reader);
    ret_supervisor->order = decode_choice(&reader, MOVE_START_FIRST);
    ret_supervisor->max_restarts = decode_u32(&reader);
    ret_supervisor->max_seconds = decode_u32(&reader);
    ret_supervisor->on_intensity = decode_choice(&reader, INTENSITY_ESCALATE);
    ret_supervisor->max_children = decode_u32(&reader);
    ret_supervisor->proxy_message_ttl = decode_u32(&reader);
    ret_supervisor->document = decode_document(&reader, &ret_supervisor->document_bytes);
    if (reader_done(&reader))
        return true;
    supervisor_release(ret_supervisor);
    return false;
}

/* The values of the example in design section 10, intensity as in Horde. What was there before is
 * released, as in decoding. */
void supervisor_set_defaults(struct supervisor *supervisor, const char *name)
{
    char kept[NAME_BYTES_MAX + 1]; /* name may be supervisor->name itself */
    TEXT_SET(kept, name);
    supervisor_release(supervisor);
    bool quorum = strcmp(kept, SUPERVISOR_QUORUM) == 0;
    TEXT_SET(supervisor->name, kept);
    TEXT_SET(supervisor->strategy, quorum ? "UniformQuorum" : "Uniform");
    supervisor->generation = 1;
    supervisor->members_auto = true;
    supervisor->lease_seconds = 5;
    supervisor->redistribution = REDISTRIBUTION_PASSIVE;
    supervisor->max_concurrent_moves = 1;
    supervisor->settle_seconds = 30;
    supervisor->order = MOVE_STOP_FIRST;
    supervisor->max_restarts = 3;
    supervisor->max_seconds = 5;
    supervisor->on_intensity = INTENSITY_BACKOFF;
    supervisor->max_children = 0;
    supervisor->proxy_message_ttl = 8;
}
