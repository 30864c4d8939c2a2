/* Push: the writer's own newest writes, sent at once.
 *
 *     body   head, flags (u8), replica (u64), from, to, entries
 *
 * The one idea: the receiver may raise `seen` to `to` only if afterwards it lacks nothing of
 * (from, to]. Of a slice that ends at the writer's latest write that is so: the index holds the
 * latest dot of each key, and all above `from` are in the slice. A slice that was cut short by
 * bytes_max may leave out a key whose dot in the slice was replaced by a later write (MIDWALK), so
 * it raises only if each of its dots is there itself; otherwise the rest is left to a walk. */
#include <assert.h>

#include "crdt/exchange.h"
#include "crdt/record.h"

enum { PUSH_RAISE = 1, PUSH_MORE = 2 };

/* What was found while cutting. */
struct slice {
    uint64_t from, to;
    uint64_t count; /* of dots in (from, to] that are in the body */
    bool more;      /* bytes_max came first */
};

static struct slice push_entries(const struct awmap *map, uint64_t from, size_t bytes_max,
                                 struct buffer *buffer)
{
    struct slice slice = {.from = from, .to = map->counter};
    struct encoder encoder = {0};
    size_t begin = buffer->bytes;
    const struct sorted *index = index_of(map, map->writer);
    struct place place = index ? sorted_seek(index, from + 1, span_of(NULL, 0)) : (struct place){0};
    const struct slot *slot = index ? sorted_at(index, place) : NULL;
    for (; slot; slot = sorted_step(index, &place)) {
        bool fits = buffer->bytes - begin + entry_bytes_max(slot->entry) <= bytes_max;
        if (slice.count > 0 && !fits && slot->order <= map->counter) {
            slice.to = slot->order - 1;
            slice.more = true;
            break;
        }
        entries_put(&encoder, slot->entry, buffer);
        slice.count++;
    }
    entries_end(buffer);
    encoder_release(&encoder);
    return slice;
}

uint64_t awmap_push_cut(const struct awmap *map, uint64_t from, size_t bytes_max,
                        struct buffer *buffer)
{
    assert(map->writer != 0);
    if (from >= map->counter)
        return from;
    struct buffer entries = {0};
    struct slice slice = push_entries(map, from, bytes_max, &entries);
    bool complete = !slice.more || slice.count == slice.to - slice.from;
    bool remembers = from >= map_horizon(map, map->writer); /* PUSHHORIZON */
    body_begin(buffer, BODY_PUSH);
    buffer_u8(buffer,
              (uint8_t)((complete && remembers ? PUSH_RAISE : 0) | (slice.more ? PUSH_MORE : 0)));
    buffer_u64(buffer, map->writer);
    buffer_varint(buffer, slice.from);
    buffer_varint(buffer, slice.to);
    buffer_append(buffer, entries.data, entries.bytes);
    buffer_release(&entries);
    return slice.to;
}

struct push_head {
    uint8_t flags;
    uint64_t replica, from, to;
};

static bool push_open(struct reader *reader, struct push_head *ret_head)
{
    bool ours = body_open(reader, BODY_PUSH);
    ret_head->flags = reader_u8(reader);
    ret_head->replica = reader_u64(reader);
    ret_head->from = reader_varint(reader);
    ret_head->to = reader_varint(reader);
    return ours && !reader->failed && ret_head->flags <= (PUSH_RAISE | PUSH_MORE) &&
           ret_head->replica != 0 && ret_head->from < ret_head->to &&
           ret_head->to <= DOT_COUNTER_MAX;
}

bool awmap_push_apply(struct awmap *map, struct span body, struct awmap_push_result *ret_result)
{
    struct reader reader = reader_of(body);
    struct push_head head;
    *ret_result = (struct awmap_push_result){0};
    if (!push_open(&reader, &head))
        return false;
    ret_result->replica = head.replica;
    /* What was relayed comes several times; not to look at it is as if it had been lost. */
    if (awmap_known(map, head.replica) >= head.to)
        return true;
    struct reader checked = reader;
    bool news = false;
    if (!entries_apply(NULL, &checked, &news) || !reader_done(&checked) ||
        !entries_apply(map, &reader, &news))
        return false;
    uint64_t seen = awmap_known(map, head.replica);
    bool raises = (head.flags & PUSH_RAISE) && seen >= head.from; /* PUSHGAP */
    if (raises)
        news |= map_raise_seen(map, (struct dot){head.replica, head.to});
    /* A short slice that cannot raise is followed by others: the last of them reports the gap. */
    bool rest_follows = (head.flags & PUSH_MORE) && !(head.flags & PUSH_RAISE);
    ret_result->gap = !raises && !rest_follows && seen < head.to;
    ret_result->news = news;
    return true;
}
