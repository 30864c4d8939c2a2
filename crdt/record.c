/* Encoding and decoding of entries and of the map's vectors; the records on disk.
 *
 * The one idea: a decoder checks an entry completely before anybody sees it, so that joining has no
 * ill-formed input. What it checks is what check.c checks of an entry. A count is believed only as
 * far as bytes are there for it: garbage cannot make anybody allocate much. */
#include "crdt/record.h"

#include <assert.h>
#include <stdlib.h>

void body_begin(struct buffer *buffer, uint8_t kind)
{
    buffer_u8(buffer, kind);
    buffer_u8(buffer, BODY_VERSION);
}

bool body_open(struct reader *reader, uint8_t kind)
{
    uint8_t is = reader_u8(reader);
    return reader_u8(reader) == BODY_VERSION && is == kind;
}

static uint64_t zigzag(uint64_t difference)
{
    return (difference << 1) ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t value)
{
    return (value >> 1) ^ (value & 1 ? UINT64_MAX : 0);
}

/* --- Encoding -------------------------------------------------------------------------------- */

void encoder_release(struct encoder *encoder)
{
    vector_release(&encoder->replicas);
}

static void encoder_replica(struct encoder *encoder, uint64_t replica, struct buffer *buffer)
{
    uint64_t number = vector_get(&encoder->replicas, replica);
    if (number > 0) {
        buffer_varint(buffer, number - 1);
        return;
    }
    uint32_t next = encoder->replicas.count;
    buffer_varint(buffer, next);
    buffer_u64(buffer, replica);
    vector_raise(&encoder->replicas, replica, next + UINT64_C(1));
}

void encoder_entry(struct encoder *encoder, const struct awmap_entry *entry, struct buffer *buffer)
{
    struct state state = entry_state(entry);
    buffer_span(buffer, awmap_entry_key(entry));
    buffer_varint(buffer, state.context_count);
    buffer_varint(buffer, state.live_count);
    for (uint32_t i = 0; i < state.context_count; i++) {
        struct dot dot = state.context[i];
        encoder_replica(encoder, dot.replica, buffer);
        buffer_varint(buffer, zigzag(dot.counter - encoder->counter));
        encoder->counter = dot.counter;
    }
    for (uint32_t i = 0; i < state.live_count; i++) {
        const struct live *live = &state.live[i];
        buffer_varint(buffer, live->at);
        buffer_varint(buffer, zigzag(live->hlc - encoder->hlc));
        encoder->hlc = live->hlc;
        buffer_span(buffer, span_of(live->value, live->value_bytes));
    }
}

size_t entry_bytes_max(const struct awmap_entry *entry)
{
    enum { HEAD = 1 + 3 + 3 + 3, DOT = 3 + 8 + 10, LIVE = 3 + 10 + 3 };
    struct state state = entry_state(entry);
    size_t bytes = HEAD + entry->block->key_bytes + (size_t)DOT * state.context_count;
    for (uint32_t i = 0; i < state.live_count; i++)
        bytes += LIVE + state.live[i].value_bytes;
    return bytes;
}

/* --- Decoding -------------------------------------------------------------------------------- */

void decoder_init(struct decoder *decoder)
{
    decoder->replicas = NULL;
    decoder->replica_count = decoder->replica_capacity = 0;
    decoder->counter = decoder->hlc = 0;
    decoder->context = NULL;
    decoder->context_capacity = 0;
}

void decoder_release(struct decoder *decoder)
{
    free(decoder->replicas);
    free(decoder->context);
    decoder_init(decoder);
}

/* Zero: garbage. */
static uint64_t decoder_replica(struct decoder *decoder, struct reader *reader)
{
    size_t number = reader_count(reader, decoder->replica_count);
    if (reader->failed)
        return 0;
    if (number < decoder->replica_count)
        return decoder->replicas[number];
    if (decoder->replica_count == decoder->replica_capacity) {
        decoder->replica_capacity = decoder->replica_capacity ? decoder->replica_capacity * 2 : 8;
        decoder->replicas =
            xrealloc(decoder->replicas, decoder->replica_capacity * sizeof *decoder->replicas);
    }
    uint64_t replica = reader_u64(reader);
    decoder->replicas[decoder->replica_count++] = replica;
    return replica;
}

static bool decoder_context(struct decoder *decoder, struct reader *reader, size_t count)
{
    if (count > decoder->context_capacity) {
        decoder->context_capacity = count + count / 2;
        decoder->context =
            xrealloc(decoder->context, decoder->context_capacity * sizeof *decoder->context);
    }
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t replica = decoder_replica(decoder, reader);
        uint64_t counter = decoder->counter + unzigzag(reader_varint(reader));
        if (reader->failed || replica <= before || counter == 0 || counter > DOT_COUNTER_MAX)
            return false;
        decoder->context[i] = (struct dot){replica, counter};
        decoder->counter = counter;
        before = replica;
    }
    return true;
}

/* Strictly descending, and no place of the context twice. */
static bool decoder_live_fits(const struct decoder *decoder, size_t index)
{
    const struct live *live = &decoder->live[index];
    for (size_t i = 0; i < index; i++) {
        if (decoder->live[i].at == live->at)
            return false;
    }
    if (index == 0 || live[-1].hlc > live->hlc)
        return true;
    return live[-1].hlc == live->hlc &&
           dot_compare(decoder->context[live[-1].at], decoder->context[live->at]) > 0;
}

static bool decoder_lives(struct decoder *decoder, struct reader *reader, size_t context_count,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct live *live = &decoder->live[i];
        live->at = (uint32_t)reader_count(reader, context_count - 1);
        live->hlc = decoder->hlc + unzigzag(reader_varint(reader));
        struct span value = reader_span(reader, AWMAP_VALUE_BYTES_MAX);
        live->value = value.data;
        live->value_bytes = (uint32_t)value.bytes;
        if (reader->failed || !decoder_live_fits(decoder, i))
            return false;
        decoder->hlc = live->hlc;
    }
    return true;
}

bool decoder_entry(struct decoder *decoder, struct reader *reader)
{
    enum { DOT_BYTES_MIN = 2 };
    decoder->key = reader_span(reader, AWMAP_KEY_BYTES_MAX);
    size_t context_count = reader_count(reader, AWMAP_CONTEXT_MAX);
    size_t live_count = reader_count(reader, AWMAP_SIBLINGS_MAX);
    if (reader->failed || context_count == 0 || live_count > context_count ||
        context_count > reader_left(reader) / DOT_BYTES_MIN)
        return false;
    if (!decoder_context(decoder, reader, context_count) ||
        !decoder_lives(decoder, reader, context_count, live_count))
        return false;
    decoder->state = (struct state){decoder->context, decoder->live, (uint32_t)context_count,
                                    (uint32_t)live_count};
    return true;
}

/* --- Lists of entries ------------------------------------------------------------------------ */

void entries_put(struct encoder *encoder, const struct awmap_entry *entry, struct buffer *buffer)
{
    buffer_u8(buffer, 1);
    encoder_entry(encoder, entry, buffer);
}

void entries_end(struct buffer *buffer)
{
    buffer_u8(buffer, 0);
}

bool entries_apply(struct awmap *map, struct reader *reader, bool *ret_news)
{
    struct decoder decoder;
    decoder_init(&decoder);
    uint8_t more = reader_u8(reader);
    bool good = true;
    while (good && more == 1) {
        good = decoder_entry(&decoder, reader) &&
               (!map || entry_join(map, decoder.key, &decoder.state, ret_news));
        more = reader_u8(reader);
    }
    decoder_release(&decoder);
    return good && more == 0 && !reader->failed;
}

/* --- Vectors --------------------------------------------------------------------------------- */

bool vectors_decode(struct vector *ret_seen, struct vector *ret_horizon, struct reader *reader)
{
    return vector_decode(ret_seen, reader) && vector_decode(ret_horizon, reader) &&
           vector_covers_all(ret_seen, ret_horizon);
}

void retired_encode(const struct vector *table, uint32_t at, uint32_t count, struct buffer *buffer)
{
    buffer_varint(buffer, count);
    for (uint32_t i = at; i < at + count; i++) {
        buffer_u64(buffer, table->items[i].replica);
        buffer_varint(buffer, table->items[i].counter);
    }
}

bool retired_decode(struct vector *table, struct reader *reader)
{
    size_t count = reader_count(reader, AWMAP_RETIRED_MAX);
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t replica = reader_u64(reader), counter = reader_varint(reader);
        if (reader->failed || replica <= before || counter == 0 || counter > DOT_COUNTER_MAX)
            return false;
        if (table)
            vector_raise(table, replica, counter);
        before = replica;
    }
    return !reader->failed;
}

/* --- On disk --------------------------------------------------------------------------------- */

void awmap_entry_record(const struct awmap_entry *entry, struct buffer *buffer)
{
    struct encoder encoder = {0};
    body_begin(buffer, RECORD_ENTRY);
    encoder_entry(&encoder, entry, buffer);
    encoder_release(&encoder);
}

void awmap_vectors_record(const struct awmap *map, struct buffer *buffer)
{
    body_begin(buffer, RECORD_VECTORS);
    vector_encode(&map->seen, buffer);
    vector_encode(&map->horizon, buffer);
    retired_encode(&map->retired_changed, 0, map->retired_changed.count, buffer);
}

void awmap_vectors_news_record(const struct awmap *map, struct buffer *buffer)
{
    body_begin(buffer, RECORD_VECTORS);
    vector_encode(&map->seen_news, buffer);
    vector_encode(&map->horizon_news, buffer);
    retired_encode(&map->retired_changed, 0, map->retired_changed.count, buffer);
}

bool awmap_retired_record(const struct awmap *map, size_t *at, struct buffer *buffer)
{
    enum { PART_MAX = 4096 };
    if (*at >= map->retired.count)
        return false;
    const struct vector none = {0};
    size_t left = map->retired.count - *at, count = left < PART_MAX ? left : PART_MAX;
    body_begin(buffer, RECORD_VECTORS);
    vector_encode(&none, buffer);
    vector_encode(&none, buffer);
    retired_encode(&map->retired, (uint32_t)*at, (uint32_t)count, buffer);
    *at += count;
    return true;
}

static bool restore_entry(struct awmap *map, struct reader reader)
{
    struct decoder decoder;
    decoder_init(&decoder);
    bool news = false;
    bool good = body_open(&reader, RECORD_ENTRY) && decoder_entry(&decoder, &reader) &&
                reader_done(&reader) && entry_join(map, decoder.key, &decoder.state, &news);
    decoder_release(&decoder);
    return good;
}

static bool restore_vectors(struct awmap *map, struct reader reader)
{
    struct vector seen = {0}, horizon = {0}, retired = {0};
    bool good = body_open(&reader, RECORD_VECTORS) && vectors_decode(&seen, &horizon, &reader) &&
                retired_decode(&retired, &reader) && reader_done(&reader);
    for (uint32_t i = 0; good && i < retired.count; i++)
        map_retire(map, retired.items[i]);
    for (uint32_t i = 0; good && i < seen.count; i++)
        map_raise_seen(map, seen.items[i]);
    for (uint32_t i = 0; good && i < horizon.count; i++)
        map_raise_horizon(map, horizon.items[i]);
    vector_release(&seen);
    vector_release(&horizon);
    vector_release(&retired);
    return good;
}

/* The join knows an older record of a key by the contexts, or by `seen` when the key has gone since
 * (NOSEEN). For the same reason nothing may have raised `seen` before the records of the keys that
 * it covers: a writer's counters that were reserved and never used, for one. */
bool awmap_restore(struct awmap *map, struct span record)
{
    assert(map->writer == 0);
    if (record.bytes == 0)
        return false;
    if (record.data[0] == RECORD_ENTRY)
        return restore_entry(map, reader_of(record));
    return restore_vectors(map, reader_of(record));
}
