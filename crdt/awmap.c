/* The map: life, writing, reading, the feed, and dropping tombstones.
 *
 * The one idea of the type is in awmap.h, that of the code in entry.c. Left to others: joining
 * (join.c), records on disk (record.c), exchange with peers (push.c, walk.c, full.c). */
#include "crdt/awmap.h"

#include <assert.h>
#include <stdlib.h>

#include "crdt/awmap_private.h"

struct awmap *awmap_new(void)
{
    return xcalloc(1, sizeof(struct awmap));
}

void awmap_free(struct awmap *map)
{
    if (!map)
        return;
    struct place place = {0, 0};
    const struct slot *slot = sorted_at(&map->table, place);
    for (; slot; slot = sorted_step(&map->table, &place)) {
        block_free(slot->entry->block);
    }
    sorted_release(&map->table);
    for (uint32_t i = 0; i < map->index_count; i++)
        sorted_release(&map->indexes[i].by_counter);
    free(map->indexes);
    vector_release(&map->seen);
    vector_release(&map->horizon);
    vector_release(&map->seen_news);
    vector_release(&map->horizon_news);
    vector_release(&map->retired);
    vector_release(&map->young);
    vector_release(&map->retired_changed);
    free(map->graves.items);
    free(map->feed.items);
    free(map->scratch);
    entry_chunks_release(map);
    free(map);
}

/* --- Writing --------------------------------------------------------------------------------- */

void awmap_set_writer(struct awmap *map, uint64_t replica, uint64_t counter)
{
    assert(replica != 0 && counter <= DOT_COUNTER_MAX);
    if (replica != map->writer)
        map->pushed = 0;
    map->writer = replica;
    map->counter = counter;
    map_unretire_writer(map);
    map_raise_seen(map, (struct dot){replica, counter});
}

uint64_t awmap_writer(const struct awmap *map)
{
    return map->writer;
}

uint64_t awmap_writer_counter(const struct awmap *map)
{
    return map->counter;
}

/* The dot of the next write on a key, normally counter + 1. Should peers know dots of this writer
 * that it does not (an old disk image; the core finds out and takes a fresh writer id), the next
 * dot is above those met so far: at or below them, it would count as long replaced. The zero dot:
 * garbage has used up the counters. */
static struct dot awmap_next_dot(const struct awmap *map, const struct state *state)
{
    uint64_t counter = map->counter;
    uint64_t seen = awmap_known(map, map->writer);
    uint64_t met = state_counter(state, map->writer);
    counter = seen > counter ? seen : counter;
    counter = met > counter ? met : counter;
    if (counter >= DOT_COUNTER_MAX)
        return (struct dot){0, 0};
    return (struct dot){map->writer, counter + 1};
}

/* The old context with the new dot in it; ret_at is the dot's place. */
static struct state context_with(struct awmap *map, const struct state *old, struct dot dot,
                                 uint32_t *ret_at)
{
    struct dot *context = scratch_context(map, (size_t)old->context_count + 1);
    uint32_t count = 0, i = 0;
    for (; i < old->context_count && old->context[i].replica < dot.replica; i++)
        context[count++] = old->context[i];
    *ret_at = count;
    context[count++] = dot;
    if (i < old->context_count && old->context[i].replica == dot.replica)
        i++;
    for (; i < old->context_count; i++)
        context[count++] = old->context[i];
    return (struct state){.context = context, .context_count = count};
}

static void awmap_note_written(struct awmap *map, struct dot dot)
{
    map->counter = dot.counter;
    map_raise_seen(map, dot);
}

struct dot awmap_put(struct awmap *map, struct span key, struct span value, uint64_t hlc)
{
    assert(map->writer != 0);
    assert(key.bytes <= AWMAP_KEY_BYTES_MAX && value.bytes <= AWMAP_VALUE_BYTES_MAX);
    struct awmap_entry *entry = entry_find(map, key);
    struct state old = entry ? entry_state(entry) : (struct state){0};
    struct dot dot = awmap_next_dot(map, &old);
    if (dot.counter == 0 || old.context_count >= AWMAP_CONTEXT_MAX)
        return (struct dot){0, 0};
    struct live live = {.hlc = hlc, .value = value.data, .value_bytes = (uint32_t)value.bytes};
    struct state next = context_with(map, &old, dot, &live.at);
    next.live = &live;
    next.live_count = 1;
    if (entry)
        entry_assign(map, entry, &next);
    else
        entry_new(map, key, &next);
    awmap_note_written(map, dot);
    return dot;
}

struct dot awmap_remove(struct awmap *map, struct span key)
{
    assert(map->writer != 0);
    struct awmap_entry *entry = entry_find(map, key);
    if (!entry || entry->grave > 0)
        return (struct dot){0, 0};
    struct state old = entry_state(entry);
    struct dot dot = awmap_next_dot(map, &old);
    if (dot.counter == 0 || old.context_count >= AWMAP_CONTEXT_MAX)
        return (struct dot){0, 0};
    uint32_t at;
    struct state next = context_with(map, &old, dot, &at);
    entry_assign(map, entry, &next);
    awmap_note_written(map, dot);
    return dot;
}

/* --- Reading --------------------------------------------------------------------------------- */

const struct awmap_entry *awmap_find(const struct awmap *map, struct span key)
{
    const struct awmap_entry *entry = entry_find(map, key);
    return entry && entry->grave == 0 ? entry : NULL;
}

struct span awmap_entry_key(const struct awmap_entry *entry)
{
    return block_key(entry->block);
}

size_t awmap_entry_count(const struct awmap_entry *entry)
{
    return entry->block->live_count;
}

struct awmap_sibling awmap_entry_sibling(const struct awmap_entry *entry, size_t index)
{
    struct state state = entry_state(entry);
    assert(index < state.live_count);
    const struct live *live = &state.live[index];
    return (struct awmap_sibling){
        .dot = state.context[live->at],
        .hlc = live->hlc,
        .value = span_of(live->value, live->value_bytes),
    };
}

static struct place awmap_place_after(const struct awmap *map, const struct awmap_entry *after)
{
    if (!after)
        return (struct place){0, 0};
    return sorted_after(&map->table, after->block->hash, awmap_entry_key(after));
}

const struct awmap_entry *awmap_next(const struct awmap *map, const struct awmap_entry *after)
{
    struct place place = awmap_place_after(map, after);
    const struct slot *slot = sorted_at(&map->table, place);
    while (slot && slot->entry->grave > 0)
        slot = sorted_step(&map->table, &place);
    return slot ? slot->entry : NULL;
}

const struct awmap_entry *awmap_next_any(const struct awmap *map, const struct awmap_entry *after)
{
    const struct slot *slot = sorted_at(&map->table, awmap_place_after(map, after));
    return slot ? slot->entry : NULL;
}

size_t awmap_count(const struct awmap *map)
{
    return map->entry_count - map->graves.count;
}

size_t awmap_tombstone_count(const struct awmap *map)
{
    return map->graves.count;
}

const struct vector *awmap_seen(const struct awmap *map)
{
    return &map->seen;
}

const struct vector *awmap_horizon(const struct awmap *map)
{
    return &map->horizon;
}

/* --- The feed -------------------------------------------------------------------------------- */

size_t awmap_changed_count(const struct awmap *map)
{
    return map->feed.count;
}

const struct awmap_entry *awmap_changed(const struct awmap *map, size_t index)
{
    assert(index < map->feed.count);
    return map->feed.items[index];
}

bool awmap_seen_changed(const struct awmap *map)
{
    return map->seen_changed;
}

void awmap_changed_clear(struct awmap *map)
{
    enum { KEPT = 1024 }; /* after a storm of changes its memory goes back */
    for (size_t i = 0; i < map->feed.count; i++)
        map->feed.items[i]->feed = 0;
    map->feed.count = 0;
    map->seen_changed = false;
    vector_release(&map->seen_news);
    vector_release(&map->horizon_news);
    vector_release(&map->retired_changed);
    if (map->feed.capacity <= KEPT)
        return;
    free(map->feed.items);
    map->feed = (struct entries){0};
}

/* --- Tombstones ------------------------------------------------------------------------------ */

void awmap_note_pushed(struct awmap *map, uint64_t counter)
{
    if (counter > map->pushed)
        map->pushed = counter;
}

bool entry_is_covered(const struct awmap *map, const struct awmap_entry *entry,
                      const struct vector *seen)
{
    struct state state = entry_state(entry);
    if (state_counter(&state, map->writer) > map->pushed)
        return false;
    for (uint32_t i = 0; i < state.context_count; i++) {
        if (!vector_covers(seen, state.context[i]) &&
            !vector_covers(&map->retired, state.context[i]))
            return false;
    }
    return true;
}

size_t map_purge(struct awmap *map, const struct vector *seen, size_t budget)
{
    size_t purged = 0;
    for (size_t left = map->graves.count; left > 0 && purged < budget; left--) {
        if (map->purge_next >= map->graves.count)
            map->purge_next = 0;
        struct awmap_entry *entry = map->graves.items[map->purge_next];
        if (!entry_is_covered(map, entry, seen)) {
            map->purge_next++;
            continue;
        }
        struct state state = entry_state(entry);
        for (uint32_t i = 0; i < state.context_count; i++)
            map_raise_horizon(map, state.context[i]);
        entry_delete(map, entry); /* the last tombstone takes its place */
        purged++;
    }
    return purged;
}

size_t awmap_purge(struct awmap *map, size_t budget)
{
    assert(map->feed.count == 0);
    return map_purge(map, &map->seen, budget);
}
