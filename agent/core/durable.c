/* What must survive: identity, dot counters, and the map, as records of one log.
 *
 * A log record is a batch of items, each a type byte, a varint length and bytes: 'M' who we are,
 * 'E' one key of the map, 'V' the map's vectors, always after the keys that they cover, 'L' leases
 * that we have granted, 'Q' what we have agreed to of an electorate. Batches are atomic on disk, so
 * any prefix of the log is a consistent map.
 *
 * Dots are reserved in blocks (design section 4). Our writes go to the peers while they are on
 * their way to the disk, so after anything but a clean stop peers may have some that the disk does
 * not. Going on at the end of the block under the same writer id would claim to have integrated
 * those: a peer would take them, and what they had replaced, for removed. So such a start writes
 * under a fresh writer id; what was lost comes back from the peers like anybody's writes. The block
 * tells a crash from an old disk image: of a crash, no peer knows dots beyond it. Another sign of
 * an old image is a later run's writer id in our own record of membership: that record is written
 * only after the id is durable. */
#include "agent/core/durable.h"

#include <assert.h>
#include <string.h>

#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/stop.h"

enum {
    DURABLE_VERSION = 1,
    BATCH_BYTES_MAX = 256 * 1024,
    SNAPSHOT_LOG_BYTES_MIN = 8 * 1024 * 1024,
    /* What stays free for stops, statuses and renewals when users' writes are already refused. */
    ROOM_RESERVE_BYTES = 1024 * 1024,
    COUNTER_MARGIN = COUNTER_BLOCK / 4, /* what one step may write at most beside its checks */
    PURGE_PER_STEP_MAX = 256,
    PURGE_SLACK = 1024, /* tombstones that may stay: peers that were away for a moment get a walk,
                           not a comparison */
};

/* --- Writing --------------------------------------------------------------------------------- */

static void batch_item(struct buffer *batch, char type, const struct buffer *item)
{
    buffer_u8(batch, (uint8_t)type);
    buffer_span(batch, buffer_view(item));
}

static void durable_append(struct node *node, struct buffer *batch)
{
    if (batch->bytes == 0)
        return;
    struct durable *durable = &node->durable;
    effects_log(node->effects, ++durable->sequence, buffer_view(batch));
    durable->log_bytes += batch->bytes;
    durable->room_bytes -= batch->bytes < durable->room_bytes ? batch->bytes : durable->room_bytes;
    buffer_clear(batch);
}

uint64_t durable_write(struct node *node, char type, const struct buffer *item)
{
    struct buffer batch = {0};
    batch_item(&batch, type, item);
    durable_append(node, &batch);
    buffer_release(&batch);
    return node->durable.sequence;
}

static void durable_meta(const struct node *node, struct buffer *batch)
{
    const struct durable *durable = &node->durable;
    struct buffer item = {0};
    buffer_u8(&item, DURABLE_VERSION);
    buffer_text(&item, node->name);
    buffer_u64(&item, durable->replica);
    buffer_u64(&item, durable->writer);
    buffer_varint(&item, durable->boot);
    buffer_varint(&item, durable->counter_ceiling);
    batch_item(batch, 'M', &item);
    buffer_release(&item);
}

static void durable_write_meta(struct node *node)
{
    struct buffer batch = {0};
    durable_meta(node, &batch);
    durable_append(node, &batch);
    node->durable.ceiling_sequence = node->durable.sequence;
    buffer_release(&batch);
}

static void durable_reserve(struct node *node)
{
    struct durable *durable = &node->durable;
    if (awmap_writer_counter(node->map) + COUNTER_BLOCK / 2 <= durable->counter_ceiling)
        return;
    durable->counter_ceiling = awmap_writer_counter(node->map) + COUNTER_BLOCK;
    durable_write_meta(node);
}

bool durable_may_write(const struct node *node)
{
    const struct durable *durable = &node->durable;
    return node->started && membership_is_settled(node) &&
           awmap_writer_counter(node->map) + COUNTER_MARGIN < durable->counter_safe;
}

void durable_synced(struct node *node, uint64_t sequence)
{
    struct durable *durable = &node->durable;
    if (sequence > durable->synced)
        durable->synced = sequence;
    if (durable->synced >= durable->ceiling_sequence)
        durable->counter_safe = durable->counter_ceiling;
}

bool durable_has_room_for(const struct node *node, uint64_t bytes)
{
    return !node->durable.failed && node->durable.room_bytes > ROOM_RESERVE_BYTES + bytes;
}

bool durable_has_room(const struct node *node)
{
    return durable_has_room_for(node, DOCUMENT_BYTES_MAX);
}

struct dot node_put(struct node *node, const struct key *key, const struct buffer *value)
{
    assert(awmap_writer_counter(node->map) < node->durable.counter_ceiling);
    node->own_writes = true;
    uint64_t hlc = hlc_next(&node->hlc, node->now.wall_ms);
    return awmap_put(node->map, key_span(key), buffer_view(value), hlc);
}

struct dot node_remove(struct node *node, const struct key *key)
{
    assert(awmap_writer_counter(node->map) < node->durable.counter_ceiling);
    node->own_writes = true;
    return awmap_remove(node->map, key_span(key));
}

/* --- Settling -------------------------------------------------------------------------------- */

static void durable_observe(struct node *node, const struct awmap_entry *entry)
{
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        uint64_t hlc = awmap_entry_sibling(entry, i).hlc;
        if (hlc_observe(&node->hlc, hlc, node->now.wall_ms) || node->durable.skew_reported)
            continue;
        node->durable.skew_reported = true;
        effects_trace(node->effects,
                      "ClockSkew: a write carries a time %llu ms ahead of this node's wall clock",
                      (unsigned long long)(hlc_wall_ms(hlc) - node->now.wall_ms));
        note_member(node, node->name, true, "ClockSkew",
                    "a write carries a time %llu ms ahead of this node's wall clock",
                    (unsigned long long)(hlc_wall_ms(hlc) - node->now.wall_ms));
    }
}

static void durable_drain_feed(struct node *node)
{
    struct buffer batch = {0}, item = {0};
    size_t count = awmap_changed_count(node->map);
    for (size_t i = 0; i < count; i++) {
        const struct awmap_entry *entry = awmap_changed(node->map, i);
        durable_observe(node, entry);
        store_apply(&node->store, entry);
        concurrent_edit_note(node, entry);
        buffer_clear(&item);
        awmap_entry_record(entry, &item);
        batch_item(&batch, 'E', &item);
        if (batch.bytes > BATCH_BYTES_MAX)
            durable_append(node, &batch);
    }
    buffer_clear(&item);
    awmap_vectors_news_record(node->map, &item);
    batch_item(&batch, 'V', &item);
    durable_append(node, &batch);
    awmap_changed_clear(node->map);
    buffer_release(&batch);
    buffer_release(&item);
}

/* What ends a snapshot: all of the retired table, not only what is new of it. */
static void batch_all_vectors(const struct node *node, struct buffer *batch)
{
    struct buffer item = {0};
    for (size_t at = 0; awmap_retired_record(node->map, &at, &item); buffer_clear(&item))
        batch_item(batch, 'V', &item);
    awmap_vectors_record(node->map, &item);
    batch_item(batch, 'V', &item);
    buffer_release(&item);
}

/* What is not in the map and must survive. */
static void batch_promises(const struct node *node, struct buffer *batch)
{
    struct buffer item = {0};
    char name[NAME_BYTES_MAX + 1] = "";
    for (size_t at = 0; lease_acceptor_record(node->leases.acceptor, &at, &item);
         buffer_clear(&item))
        batch_item(batch, 'L', &item);
    buffer_clear(&item);
    for (; electorates_record(node, name, &item); buffer_clear(&item))
        batch_item(batch, 'Q', &item);
    buffer_release(&item);
}

static void durable_snapshot(struct node *node)
{
    struct durable *durable = &node->durable;
    uint64_t limit = 2 * durable->snapshot_bytes;
    if (durable->log_bytes < (limit > SNAPSHOT_LOG_BYTES_MIN ? limit : SNAPSHOT_LOG_BYTES_MIN))
        return;
    struct buffer records = {0}, batch = {0}, item = {0};
    durable_meta(node, &batch);
    batch_promises(node, &batch);
    for (const struct awmap_entry *e = awmap_next_any(node->map, NULL); e;
         e = awmap_next_any(node->map, e)) {
        buffer_clear(&item);
        awmap_entry_record(e, &item);
        batch_item(&batch, 'E', &item);
        if (batch.bytes > BATCH_BYTES_MAX) {
            buffer_span(&records, buffer_view(&batch));
            buffer_clear(&batch);
        }
    }
    batch_all_vectors(node, &batch);
    buffer_span(&records, buffer_view(&batch));
    struct effect *effect = effects_append(node->effects, EFFECT_SNAPSHOT);
    uint8_t *copy = effects_alloc(node->effects, records.bytes);
    memcpy(copy, records.data, records.bytes);
    effect->snapshot.sequence = durable->sequence;
    effect->snapshot.records = span_of(copy, records.bytes);
    durable->snapshot_bytes = records.bytes;
    durable->log_bytes = 0;
    buffer_release(&records);
    buffer_release(&batch);
    buffer_release(&item);
}

void node_disk(const struct node *node, struct buffer *ret_record)
{
    struct buffer item = {0};
    durable_meta(node, ret_record);
    batch_promises(node, ret_record);
    for (const struct awmap_entry *e = awmap_next_any(node->map, NULL); e;
         e = awmap_next_any(node->map, e)) {
        buffer_clear(&item);
        awmap_entry_record(e, &item);
        batch_item(ret_record, 'E', &item);
    }
    batch_all_vectors(node, ret_record);
    buffer_release(&item);
}

void durable_settle(struct node *node)
{
    if (!node->started)
        return;
    bool changed = awmap_changed_count(node->map) > 0 || awmap_seen_changed(node->map);
    if (changed)
        durable_drain_feed(node);
    if (!changed)
        return;
    if (awmap_tombstone_count(node->map) > PURGE_SLACK + awmap_count(node->map) / 4) {
        awmap_purge(node->map, PURGE_PER_STEP_MAX);
        if (awmap_changed_count(node->map) > 0 || awmap_seen_changed(node->map))
            durable_drain_feed(node);
    }
    struct awmap_digest digest = awmap_digest(node->map);
    uint8_t summary[16];
    awmap_digest_summary(&digest, summary);
    swim_set_payload(node->swim, summary);
    durable_reserve(node);
    durable_snapshot(node);
    if (node->store.dirty_count > 0)
        node->dirty = true;
}

void durable_push(struct node *node)
{
    /* Before we end, a second member must know our last words. */
    if (node->own_writes)
        sync_push(node->sync, node->now.mono_ms, node->user_writes || node_is_stopping(node),
                  node->effects);
    node->own_writes = node->user_writes = false;
}

/* --- Identity -------------------------------------------------------------------------------- */

static uint64_t durable_fresh_id(struct node *node)
{
    uint64_t id = random_next(&node->random);
    return id ? id : 1;
}

static struct recorded durable_recorded(const struct node *node)
{
    struct key key = key_member(node->name);
    const struct awmap_entry *entry = awmap_find(node->map, key_span(&key));
    struct recorded recorded = {0};
    struct member_record record;
    if (!entry || !member_record_decode(&record, awmap_entry_sibling(entry, 0).value))
        return recorded;
    if (record.replica == node->durable.replica)
        recorded = (struct recorded){record.join_counter, record.writer};
    member_record_release(&record);
    return recorded;
}

/* Members may also hold what we said before that: who cordons us writes what it has of us. */
bool durable_is_old(const struct node *node, uint64_t counter_seen)
{
    const struct durable *durable = &node->durable;
    struct recorded now = durable_recorded(node);
    return counter_seen > durable->counter_reserved ||
           (now.run > durable->recorded.run && now.writer != durable->writer &&
            now.writer != durable->recorded.writer);
}

void durable_start(struct node *node)
{
    struct durable *durable = &node->durable;
    if (!durable->restored) {
        durable->replica = durable->writer =
            node->fresh_replica ? node->fresh_replica : durable_fresh_id(node);
        durable->boot = 0;
        durable->counter_ceiling = 0;
    }
    durable->boot++;
    uint64_t counter = vector_get(awmap_seen(node->map), durable->writer);
    durable->counter_reserved = durable->counter_ceiling;
    durable->recorded = durable_recorded(node);
    durable->unclean = durable->restored && counter != durable->counter_ceiling;
    awmap_set_writer(node->map, durable->writer, counter);
    durable->counter_ceiling += COUNTER_BLOCK;
    durable_write_meta(node);
    for (const struct awmap_entry *e = awmap_next(node->map, NULL); e; e = awmap_next(node->map, e))
        durable_observe(node, e);
}

void durable_fresh_writer(struct node *node, const char *why)
{
    struct durable *durable = &node->durable;
    durable->writer = durable_fresh_id(node);
    durable->unclean = false;
    durable->counter_safe = 0;
    awmap_set_writer(node->map, durable->writer, 0);
    durable->counter_ceiling = COUNTER_BLOCK;
    durable_write_meta(node);
    effects_trace(node->effects, "writes under the fresh writer id %016llx: %s",
                  (unsigned long long)durable->writer, why);
}

void durable_fresh_replica(struct node *node)
{
    durable_fresh_writer(node,
                         "members know later writes of this node than its disk does (an old "
                         "disk image?); it is another replica now");
    node->durable.replica = node->durable.writer;
    durable_write_meta(node);
}

/* A run that began after a crash and ends before it could take a fresh writer id leaves the disk as
 * it was: the next run must still know of the crash. */
void durable_end(struct node *node)
{
    if (node->durable.unclean)
        return;
    node->durable.counter_ceiling = awmap_writer_counter(node->map);
    durable_write_meta(node);
}

/* --- Restoring ------------------------------------------------------------------------------- */

static bool durable_restore_meta(struct node *node, struct span item)
{
    struct durable *durable = &node->durable;
    struct reader reader = reader_of(item);
    uint8_t version = reader_u8(&reader);
    struct span name = reader_span(&reader, NAME_BYTES_MAX);
    uint64_t replica = reader_u64(&reader), writer = reader_u64(&reader);
    uint64_t boot = reader_varint(&reader), ceiling = reader_varint(&reader);
    if (!reader_done(&reader) || version != DURABLE_VERSION || replica == 0 || writer == 0 ||
        boot > UINT32_MAX / 2)
        return false;
    /* The data directory of another node name is another replica; its map is still worth having. */
    if (!span_equal(name, span_text(node->name)))
        return true;
    durable->restored = true;
    durable->replica = replica;
    durable->writer = writer;
    durable->boot = boot;
    durable->counter_ceiling = ceiling;
    return true;
}

bool node_restore(struct node *node, struct span record)
{
    assert(!node->started);
    struct reader reader = reader_of(record);
    while (reader_left(&reader) > 0) {
        uint8_t type = reader_u8(&reader);
        struct span item = reader_span(&reader, record.bytes);
        if (reader.failed)
            return false;
        bool good = type == 'M'   ? durable_restore_meta(node, item)
                    : type == 'L' ? lease_acceptor_restore(node->leases.acceptor, item)
                    : type == 'Q' ? electorates_restore(node, item)
                                  : (type == 'E' || type == 'V') && awmap_restore(node->map, item);
        if (!good)
            return false;
    }
    return true;
}
