/* Full comparison: everything the sender has, range by range, and what it has not.
 *
 *     body     head, number, chain (u64), flags (u8), seen, retired, sections,
 *              at the last of a whole: V0
 *     retired  count, (replica (u64), counter) each: the next part of the sender's table
 *     section  1, first range (u8), has lower (u8), lower key (span),
 *              entries, last range (u8), has upper (u8), upper key (span)
 *     V0       seen, horizon
 *
 * The one idea: within a section's bounds the receiver knows the sender's whole state. What of its
 * own siblings the sender lacks although the sender's `seen`, at the moment of the cut, covers
 * them, has been replaced or removed there. Bounds lie in the order of the table, (key hash, key):
 * from the start of `first`, or after the lower key, to the end of `last`, or to the upper key.
 *
 * Only the end of a comparison of all ranges raises, and to what the sender had at its beginning
 * (FULLEND): each range was judged at some moment after that. The horizon is raised to what the
 * sender has dropped by the end, as far as V0 covers it: a receiver that claims to know V0 without
 * those tombstones must, like the sender, send others to a full comparison.
 *
 * The sender's retired table as of its beginning comes before the first section and is part of both
 * `seen` and V0. What is retired later stays in `seen`. If the sender learned of a retired replica
 * more than V0 has, entries were perhaps struck of it, and the end raises nothing (FULLRETIRED). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/exchange.h"
#include "crdt/record.h"

enum { FULL_LAST = 1, FULL_RAISES = 2, BUCKET_RANGES = AWMAP_RANGES / AWMAP_BUCKETS };

static const uint64_t full_chain_seed = UINT64_C(0xbe5466cf34e90c6d);

static uint32_t range_of(uint64_t hash)
{
    return (uint32_t)(hash >> AWMAP_RANGE_SHIFT);
}

/* --- The sender ------------------------------------------------------------------------------ */

static bool full_wants(const struct awmap_full *full, uint32_t range)
{
    return range < AWMAP_RANGES && (full->ranges[range / 32] >> (range % 32) & 1);
}

/* The first range at or after `range` that is (or is not) still to send; AWMAP_RANGES for none. */
static uint32_t full_next(const struct awmap_full *full, uint32_t range, bool wanted)
{
    while (range < AWMAP_RANGES && full_wants(full, range) != wanted)
        range++;
    return range;
}

void awmap_full_begin(struct awmap_full *full, const struct awmap *map, uint32_t buckets)
{
    awmap_full_release(full);
    for (uint32_t range = 0; range < AWMAP_RANGES; range++) {
        if (buckets >> (range / BUCKET_RANGES) & 1)
            full->ranges[range / 32] |= UINT32_C(1) << (range % 32);
    }
    full->whole = buckets == UINT32_MAX;
    vector_copy(&full->start_seen, &map->seen);
    vector_copy(&full->start_retired, &map->retired);
    full->chain = hash_vector(full_chain_seed + buckets, &map->seen);
    full->chain = hash_vector(full->chain, &map->horizon);
}

void awmap_full_release(struct awmap_full *full)
{
    vector_release(&full->start_seen);
    vector_release(&full->start_retired);
    free((void *)full->resume.data);
    *full = (struct awmap_full){0};
}

static void full_forget_resume(struct awmap_full *full)
{
    free((void *)full->resume.data);
    full->resume = (struct span){0};
}

static void full_done_until(struct awmap_full *full, uint32_t first, uint32_t end)
{
    for (uint32_t range = first; range < end; range++)
        full->ranges[range / 32] &= ~(UINT32_C(1) << (range % 32));
}

/* One body being cut. */
struct full_body {
    struct awmap_full *full;
    const struct awmap *map;
    struct buffer *buffer;
    size_t begin, bytes_max;
    struct encoder encoder;
    size_t section_count;
};

static bool full_fits(const struct full_body *body, size_t more_bytes)
{
    return body->buffer->bytes - body->begin + more_bytes <= body->bytes_max;
}

static struct place full_section_place(const struct full_body *body, uint32_t first)
{
    const struct awmap_full *full = body->full;
    if (full->resume.data)
        return sorted_after(&body->map->table, hash_key(full->resume), full->resume);
    return sorted_seek(&body->map->table, (uint64_t)first << AWMAP_RANGE_SHIFT, span_of(NULL, 0));
}

static void full_section_begin(struct full_body *body, uint32_t first)
{
    buffer_u8(body->buffer, 1);
    buffer_u8(body->buffer, (uint8_t)first);
    buffer_u8(body->buffer, body->full->resume.data != NULL);
    buffer_span(body->buffer, body->full->resume);
}

/* Ends the section after all of `last`, or after the upper key (NULL: none) in `last`. */
static void full_section_end(struct full_body *body, uint32_t first, uint32_t last,
                             const struct awmap_entry *upper)
{
    struct awmap_full *full = body->full;
    struct span key = upper ? awmap_entry_key(upper) : span_of(NULL, 0);
    entries_end(body->buffer);
    buffer_u8(body->buffer, (uint8_t)last);
    buffer_u8(body->buffer, upper != NULL);
    buffer_span(body->buffer, key);
    body->section_count++;
    full_done_until(full, first, upper ? last : last + 1);
    full_forget_resume(full);
    if (upper)
        full->resume = span_of(xmemdup(key.data, key.bytes), key.bytes);
}

/* The wanted ranges from `first` to before `end`, or as much of them as fits. False: full.
 * Something goes into each body, whatever its size. */
static bool full_section(struct full_body *body, uint32_t first, uint32_t end)
{
    enum { SECTION_BYTES = 16, UPPER_BYTES = 4 };
    const struct sorted *table = &body->map->table;
    struct place place = full_section_place(body, first);
    const struct slot *slot = sorted_at(table, place);
    bool empty = !slot || range_of(slot->order) >= end;
    size_t least_bytes = SECTION_BYTES + body->full->resume.bytes +
                         (empty ? 0 : entry_bytes_max(slot->entry) + slot->entry->block->key_bytes);
    if (body->section_count > 0 && !full_fits(body, least_bytes))
        return false;
    full_section_begin(body, first);
    const struct awmap_entry *sent = NULL;
    for (; slot && range_of(slot->order) < end; slot = sorted_step(table, &place)) {
        size_t more_bytes =
            entry_bytes_max(slot->entry) + slot->entry->block->key_bytes + UPPER_BYTES;
        if (sent && !full_fits(body, more_bytes)) {
            full_section_end(body, first, range_of(sent->block->hash), sent);
            return false;
        }
        entries_put(&body->encoder, slot->entry, body->buffer);
        sent = slot->entry;
    }
    full_section_end(body, first, end - 1, NULL);
    return true;
}

static void full_sections(struct full_body *body)
{
    struct awmap_full *full = body->full;
    if (full->retired_sent < full->start_retired.count)
        return;
    uint32_t first = full_next(full, 0, true);
    while (first < AWMAP_RANGES) {
        uint32_t end = full_next(full, first, false);
        if (!full_section(body, first, end))
            return;
        first = full_next(full, end, true);
    }
    full->done = true;
}

/* What the receiver may raise to: seen at the start; the horizon of now, as far as that covers it.
 */
static void full_vectors(const struct full_body *body)
{
    const struct vector *seen = &body->full->start_seen;
    struct vector horizon = {0};
    for (uint32_t i = 0; i < seen->count; i++) {
        struct dot item = seen->items[i];
        uint64_t dropped = map_horizon(body->map, item.replica);
        vector_raise(&horizon, item.replica, dropped < item.counter ? dropped : item.counter);
    }
    vector_encode(seen, body->buffer);
    vector_encode(&horizon, body->buffer);
    vector_release(&horizon);
}

/* `seen` of now; who was in it at the start still is, retired since or not. */
static void full_seen(const struct full_body *body)
{
    const struct vector *start = &body->full->start_seen;
    struct vector seen = {0};
    vector_copy(&seen, &body->map->seen);
    for (uint32_t i = 0; i < start->count; i++)
        vector_raise(&seen, start->items[i].replica,
                     awmap_known(body->map, start->items[i].replica));
    vector_encode(&seen, body->buffer);
    vector_release(&seen);
}

/* As much of the retired table as fits, at least one item of what is left. */
static void full_retired(struct full_body *body)
{
    enum { ITEM_BYTES_MAX = 8 + 10 };
    struct awmap_full *full = body->full;
    uint32_t left = full->start_retired.count - full->retired_sent;
    size_t used_bytes = body->buffer->bytes - body->begin;
    size_t room =
        used_bytes < body->bytes_max ? (body->bytes_max - used_bytes) / ITEM_BYTES_MAX : 0;
    uint32_t count = left < room ? left : room > 0 ? (uint32_t)room : left > 0;
    retired_encode(&full->start_retired, full->retired_sent, count, body->buffer);
    full->retired_sent += count;
    body->section_count += count > 0;
}

/* FULLRETIRED */
static bool full_may_raise(const struct awmap_full *full, const struct awmap *map)
{
    for (uint32_t i = 0; i < map->retired.count; i++) {
        struct dot item = map->retired.items[i];
        if (!vector_covers(&full->start_seen, item) && !vector_covers(&full->start_retired, item))
            return false;
    }
    return full->whole;
}

void awmap_full_cut(struct awmap_full *full, const struct awmap *map, size_t bytes_max,
                    struct buffer *buffer)
{
    assert(!full->done);
    struct full_body body = {.full = full, .map = map, .buffer = buffer, .bytes_max = bytes_max};
    body.begin = buffer->bytes;
    body_begin(buffer, BODY_FULL);
    buffer_varint(buffer, full->number++);
    buffer_u64(buffer, full->chain);
    size_t flags_at = buffer->bytes;
    buffer_u8(buffer, 0);
    full_seen(&body);
    full_retired(&body);
    full_sections(&body);
    buffer_u8(buffer, 0);
    bool raises = full->done && full_may_raise(full, map);
    buffer->data[flags_at] = (uint8_t)((full->done ? FULL_LAST : 0) | (raises ? FULL_RAISES : 0));
    if (raises)
        full_vectors(&body);
    struct span all = span_of(buffer->data + body.begin, buffer->bytes - body.begin);
    full->chain = hash_bytes(full_chain_seed, all);
    encoder_release(&body.encoder);
}

/* --- The receiver ---------------------------------------------------------------------------- */

/* A place between keys. */
struct bound {
    uint64_t hash;
    struct span key;
    enum { BOUND_BEFORE, BOUND_AFTER, BOUND_BEYOND } side; /* of the key; beyond all of this hash */
};

static bool bound_is_above(const struct bound *bound, uint64_t hash, struct span key)
{
    if (hash != bound->hash)
        return hash < bound->hash;
    if (bound->side == BOUND_BEYOND)
        return true;
    int order = span_compare(key, bound->key);
    return order < 0 || (order == 0 && bound->side == BOUND_AFTER);
}

/* A body being read. With a NULL map it is only checked. */
struct full_intake {
    struct awmap *map;
    struct reader *reader;
    struct vector seen;     /* the sender's at the cut */
    struct vector *retired; /* the sender's, as far as it has come */
    struct decoder decoder;
};

/* Of keys that the sender has not, siblings that it covers are gone. */
static void full_drop_between(struct full_intake *intake, const struct bound *from,
                              const struct bound *to)
{
    if (!intake->map)
        return;
    const struct sorted *table = &intake->map->table;
    const struct state none = {0};
    struct place place = from->side == BOUND_BEFORE ? sorted_seek(table, from->hash, from->key)
                                                    : sorted_after(table, from->hash, from->key);
    const struct slot *slot = sorted_at(table, place);
    for (; slot && bound_is_above(to, slot->order, awmap_entry_key(slot->entry));
         slot = sorted_step(table, &place))
        entry_drop(intake->map, slot->entry, &none, &intake->seen, intake->retired);
}

static bool full_take_entry(struct full_intake *intake)
{
    struct awmap *map = intake->map;
    const struct decoder *decoder = &intake->decoder;
    bool news = false;
    if (!map)
        return true;
    if (!entry_join(map, decoder->key, &decoder->state, &news))
        return false;
    struct awmap_entry *entry = entry_find(map, decoder->key);
    if (entry)
        entry_drop(map, entry, &decoder->state, &intake->seen, intake->retired);
    return true;
}

/* A bound of a section: at a key of the range, or else at the range's own limit. */
static bool full_bound(struct reader *reader, bool upper, struct bound *ret_bound)
{
    uint64_t range = reader_u8(reader);
    uint8_t has_key = reader_u8(reader);
    struct span key = reader_span(reader, AWMAP_KEY_BYTES_MAX);
    uint64_t low = range << AWMAP_RANGE_SHIFT;
    uint64_t high = low | ((UINT64_C(1) << AWMAP_RANGE_SHIFT) - 1);
    *ret_bound = (struct bound){upper ? high : low, {0}, upper ? BOUND_BEYOND : BOUND_BEFORE};
    if (has_key == 1)
        *ret_bound = (struct bound){hash_key(key), key, BOUND_AFTER};
    return !reader->failed && has_key <= 1 && (has_key == 1 || key.bytes == 0) &&
           range_of(ret_bound->hash) == range;
}

static bool full_take_section(struct full_intake *intake)
{
    struct reader *reader = intake->reader;
    struct bound at, end, before = {0};
    if (!full_bound(reader, false, &at))
        return false;
    bool any = false;
    uint8_t more = reader_u8(reader);
    for (; more == 1; more = reader_u8(reader)) {
        if (!decoder_entry(&intake->decoder, reader))
            return false;
        before = (struct bound){hash_key(intake->decoder.key), intake->decoder.key, BOUND_BEFORE};
        if (bound_is_above(&at, before.hash, before.key))
            return false;
        full_drop_between(intake, &at, &before);
        if (!full_take_entry(intake))
            return false;
        at = before;
        at.side = BOUND_AFTER;
        any = true;
    }
    if (more != 0 || reader->failed || !full_bound(reader, true, &end) ||
        (any && !bound_is_above(&end, before.hash, before.key)))
        return false;
    full_drop_between(intake, &at, &end);
    return true;
}

static bool full_take_vectors(struct full_intake *intake)
{
    struct vector seen = {0}, horizon = {0};
    bool good = vectors_decode(&seen, &horizon, intake->reader);
    for (uint32_t i = 0; good && intake->map && i < seen.count; i++)
        map_raise_seen(intake->map, seen.items[i]);
    for (uint32_t i = 0; good && intake->map && i < horizon.count; i++)
        map_raise_horizon(intake->map, horizon.items[i]);
    for (uint32_t i = 0; good && intake->map && i < intake->retired->count; i++)
        map_learn_retired(intake->map, intake->retired->items[i]);
    vector_release(&seen);
    vector_release(&horizon);
    return good;
}

/* What follows the head. The retired table grows by it if there is a map. */
static bool full_take(struct awmap *map, struct vector *retired, struct reader reader,
                      uint8_t flags)
{
    struct full_intake intake = {.map = map, .reader = &reader, .retired = retired};
    decoder_init(&intake.decoder);
    bool good =
        vector_decode(&intake.seen, &reader) && retired_decode(map ? retired : NULL, &reader);
    uint8_t more = good ? reader_u8(&reader) : 0;
    for (; good && more == 1; more = reader_u8(&reader))
        good = full_take_section(&intake);
    good = good && more == 0 && !reader.failed;
    if (good && flags == (FULL_LAST | FULL_RAISES)) /* FULLEND */
        good = full_take_vectors(&intake);
    vector_release(&intake.seen);
    decoder_release(&intake.decoder);
    return good && reader_done(&reader);
}

bool awmap_full_apply(struct awmap *map, struct awmap_full_intake *intake, struct span body,
                      bool *ret_last)
{
    struct reader reader = reader_of(body);
    bool ours = body_open(&reader, BODY_FULL);
    size_t number = reader_count(&reader, UINT32_MAX);
    uint64_t chain = reader_u64(&reader);
    uint8_t flags = reader_u8(&reader);
    if (!ours || reader.failed || flags > (FULL_LAST | FULL_RAISES) || number != intake->next ||
        (number > 0 && chain != intake->chain))
        return false;
    if (intake->retired.count > AWMAP_RETIRED_MAX ||
        !full_take(NULL, &intake->retired, reader, flags) ||
        !full_take(map, &intake->retired, reader, flags))
        return false;
    intake->next++;
    intake->chain = hash_bytes(full_chain_seed, body);
    *ret_last = (flags & FULL_LAST) != 0;
    return true;
}

void awmap_full_intake_release(struct awmap_full_intake *intake)
{
    vector_release(&intake->retired);
    *intake = (struct awmap_full_intake){0};
}
