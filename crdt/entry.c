/* Entries, and everything that must agree with them.
 *
 * The one idea: whatever an entry's state becomes, one function, entry_account, subtracts the old
 * one from the indexes, the digest and the list of tombstones, and adds the new one. Everything
 * else (put, remove, join, full comparison, restore) only computes the next state.
 *
 * Invariants, checked by awmap_check: each entry is in the table once, and in the index of each
 * replica of its context at that replica's counter; the buckets are the sums over the live dots;
 * an entry has a place among the tombstones exactly if it has no siblings. */
#include "crdt/awmap_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct state entry_state(const struct awmap_entry *entry)
{
    return block_state(entry->block);
}

struct dot state_dot(const struct state *state, uint32_t live)
{
    return state->context[state->live[live].at];
}

uint64_t state_counter(const struct state *state, uint64_t replica)
{
    uint32_t low = 0, high = state->context_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->context[middle].replica == replica)
            return state->context[middle].counter;
        if (state->context[middle].replica < replica)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

bool state_has_live(const struct state *state, struct dot dot)
{
    for (uint32_t i = 0; i < state->live_count; i++) {
        if (dot_equal(state_dot(state, i), dot))
            return true;
    }
    return false;
}

struct dot *scratch_context(struct awmap *map, size_t count)
{
    if (count > map->scratch_count) {
        map->scratch_count = count + count / 2;
        map->scratch = xrealloc(map->scratch, map->scratch_count * sizeof *map->scratch);
    }
    return map->scratch;
}

/* --- Lists that an entry knows its place in -------------------------------------------------- */

static void grave_open(struct awmap *map, struct awmap_entry *entry)
{
    entry->grave = entries_add(&map->graves, entry) & INT32_MAX;
}

static void grave_close(struct awmap *map, struct awmap_entry *entry)
{
    struct awmap_entry *last = map->graves.items[--map->graves.count];
    map->graves.items[entry->grave - 1] = last;
    last->grave = entry->grave;
    entry->grave = 0;
}

/* --- Indexes --------------------------------------------------------------------------------- */

static uint32_t index_seek(const struct awmap *map, uint64_t replica)
{
    uint32_t low = 0, high = map->index_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->indexes[middle].replica < replica)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct sorted *index_of(const struct awmap *map, uint64_t replica)
{
    uint32_t at = index_seek(map, replica);
    if (at == map->index_count || map->indexes[at].replica != replica)
        return NULL;
    return &map->indexes[at].by_counter;
}

static struct sorted *index_open(struct awmap *map, uint64_t replica)
{
    uint32_t at = index_seek(map, replica);
    if (at < map->index_count && map->indexes[at].replica == replica)
        return &map->indexes[at].by_counter;
    if (map->index_count == map->index_capacity) {
        map->index_capacity = (uint32_t)capacity_grown(map->index_capacity);
        map->indexes = xrealloc(map->indexes, map->index_capacity * sizeof *map->indexes);
    }
    struct writer_index *hole = map->indexes + at;
    memmove(hole + 1, hole, (map->index_count - at) * sizeof *hole);
    *hole = (struct writer_index){.replica = replica};
    map->index_count++;
    return &hole->by_counter;
}

static void index_close(struct awmap *map, uint64_t replica)
{
    uint32_t at = index_seek(map, replica);
    struct writer_index *hole = map->indexes + at;
    if (!sorted_is_empty(&hole->by_counter))
        return;
    map->index_count--;
    memmove(hole, hole + 1, (map->index_count - at) * sizeof *hole);
}

static void index_move(struct awmap *map, struct awmap_entry *entry, uint64_t replica,
                       uint64_t from, uint64_t to)
{
    if (from == to)
        return;
    struct sorted *index = index_open(map, replica);
    if (from > 0)
        sorted_remove(index, from, entry);
    if (to > 0)
        sorted_insert(index, to, entry);
    else
        index_close(map, replica);
}

/* Both contexts are sorted by replica: one pass over the two. */
static void entry_reindex(struct awmap *map, struct awmap_entry *entry, const struct state *old,
                          const struct state *new)
{
    uint32_t i = 0, j = 0;
    while (i < old->context_count || j < new->context_count) {
        struct dot was = i < old->context_count ? old->context[i] : (struct dot){UINT64_MAX, 0};
        struct dot is = j < new->context_count ? new->context[j] : (struct dot){UINT64_MAX, 0};
        uint64_t replica = was.replica < is.replica ? was.replica : is.replica;
        bool before = was.replica == replica, after = is.replica == replica;
        index_move(map, entry, replica, before ? was.counter : 0, after ? is.counter : 0);
        i += before;
        j += after;
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

struct awmap_entry *entry_find(const struct awmap *map, struct span key)
{
    return sorted_find(&map->table, hash_key(key), key);
}

/* All but the block and the feed. */
static void entry_account(struct awmap *map, struct awmap_entry *entry, const struct state *old,
                          const struct state *new)
{
    assert(new->live_count <= AWMAP_SIBLINGS_MAX &&new->context_count <= AWMAP_CONTEXT_MAX);
    entry_reindex(map, entry, old, new);
    uint64_t hash = entry->block->hash, *bucket = &map->buckets[hash >> AWMAP_BUCKET_SHIFT];
    *bucket += hash_content(hash, new) - hash_content(hash, old);
    if (new->live_count == 0 && entry->grave == 0)
        grave_open(map, entry);
    else if (new->live_count > 0 && entry->grave > 0)
        grave_close(map, entry);
}

static void entry_feed(struct awmap *map, struct awmap_entry *entry)
{
    if (entry->feed == 0)
        entry->feed = entries_add(&map->feed, entry);
}

void entry_new(struct awmap *map, struct span key, const struct state *state)
{
    assert(key.bytes <= AWMAP_KEY_BYTES_MAX);
    struct awmap_entry *entry = entry_take(map);
    uint64_t hash = hash_key(key);
    entry->block = block_new(hash, key, state);
    sorted_insert(&map->table, hash, entry);
    map->entry_count++;
    const struct state none = {0};
    entry_account(map, entry, &none, state);
    entry_feed(map, entry);
}

void entry_replace(struct awmap *map, struct awmap_entry *entry, const struct state *state)
{
    struct state old = entry_state(entry);
    entry_account(map, entry, &old, state);
    struct block *block = block_new(entry->block->hash, block_key(entry->block), state);
    block_free(entry->block);
    entry->block = block;
}

void entry_assign(struct awmap *map, struct awmap_entry *entry, const struct state *state)
{
    entry_replace(map, entry, state);
    entry_feed(map, entry);
}

void entry_delete(struct awmap *map, struct awmap_entry *entry)
{
    assert(entry->grave > 0 && entry->feed == 0);
    struct state old = entry_state(entry), none = {0};
    entry_reindex(map, entry, &old, &none);
    sorted_remove(&map->table, entry->block->hash, entry);
    map->entry_count--;
    grave_close(map, entry);
    block_free(entry->block);
    entry_give_back(map, entry);
}
