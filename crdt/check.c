/* awmap_check: every invariant of the map, by brute force. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"

#define CHECK(held) assert(held)

static bool live_descends(const struct state *state, uint32_t above)
{
    const struct live *a = &state->live[above], *b = a + 1;
    if (a->hlc != b->hlc)
        return a->hlc > b->hlc;
    return dot_compare(state_dot(state, above), state_dot(state, above + 1)) > 0;
}

static void check_state(const struct state *state)
{
    CHECK(state->context_count > 0 && state->context_count <= AWMAP_CONTEXT_MAX);
    CHECK(state->live_count <= AWMAP_SIBLINGS_MAX);
    for (uint32_t i = 0; i < state->context_count; i++) {
        struct dot dot = state->context[i];
        CHECK(dot.replica > (i > 0 ? state->context[i - 1].replica : 0));
        CHECK(dot.counter > 0 && dot.counter <= DOT_COUNTER_MAX);
    }
    for (uint32_t i = 0; i < state->live_count; i++) {
        CHECK(state->live[i].at < state->context_count);
        CHECK(state->live[i].value_bytes <= AWMAP_VALUE_BYTES_MAX);
        CHECK(i + 1 == state->live_count || live_descends(state, i));
        for (uint32_t j = 0; j < i; j++)
            CHECK(state->live[i].at != state->live[j].at);
    }
}

static void check_lists(const struct awmap *map, const struct awmap_entry *entry)
{
    CHECK((entry->grave > 0) == (awmap_entry_count(entry) == 0));
    CHECK(entry->grave <= map->graves.count && entry->feed <= map->feed.count);
    CHECK(entry->grave == 0 || map->graves.items[entry->grave - 1] == entry);
    CHECK(entry->feed == 0 || map->feed.items[entry->feed - 1] == entry);
}

static void check_indexed(const struct awmap *map, const struct awmap_entry *entry,
                          const struct state *state)
{
    for (uint32_t i = 0; i < state->context_count; i++) {
        const struct sorted *index = index_of(map, state->context[i].replica);
        struct span key = awmap_entry_key(entry);
        CHECK(index && sorted_find(index, state->context[i].counter, key) == entry);
    }
}

/* What the entries add up to. */
struct totals {
    size_t graves, fed, indexed;
    uint64_t buckets[AWMAP_BUCKETS];
};

static void check_entry(const struct awmap *map, const struct awmap_entry *entry,
                        struct totals *totals)
{
    struct state state = entry_state(entry);
    CHECK(entry->block->hash == hash_key(awmap_entry_key(entry)));
    check_state(&state);
    check_lists(map, entry);
    check_indexed(map, entry, &state);
    totals->graves += entry->grave > 0;
    totals->fed += entry->feed > 0;
    totals->indexed += state.context_count;
    totals->buckets[entry->block->hash >> AWMAP_BUCKET_SHIFT] +=
        hash_content(entry->block->hash, &state);
}

static void check_known(const struct awmap *map)
{
    uint64_t known_sum = 0, retired_sum = 0;
    for (uint32_t i = 0; i < map->retired.count; i++) {
        struct dot item = map->retired.items[i];
        CHECK(item.replica != map->writer && item.counter <= DOT_COUNTER_MAX);
        retired_sum += hash_known(item);
        if (vector_get(&map->seen, item.replica) == 0)
            known_sum += hash_known(item);
    }
    for (uint32_t i = 0; i < map->seen.count; i++) {
        struct dot item = map->seen.items[i];
        CHECK(item.counter > vector_get(&map->retired, item.replica));
        known_sum += hash_known(item);
    }
    CHECK(retired_sum == map->retired_sum && known_sum == map->known_sum);
    CHECK(vector_covers_all(&map->retired, &map->retired_changed));
}

void awmap_check(const struct awmap *map)
{
    struct totals totals = {0};
    CHECK(sorted_check(&map->table) == map->entry_count);
    struct place place = {0, 0};
    const struct slot *slot = sorted_at(&map->table, place);
    for (; slot; slot = sorted_step(&map->table, &place)) {
        CHECK(slot->order == slot->entry->block->hash);
        check_entry(map, slot->entry, &totals);
    }
    CHECK(totals.graves == map->graves.count && totals.fed == map->feed.count);
    CHECK(memcmp(totals.buckets, map->buckets, sizeof totals.buckets) == 0);
    for (uint32_t i = 0; i < map->index_count; i++) {
        CHECK(map->indexes[i].replica > (i > 0 ? map->indexes[i - 1].replica : 0));
        totals.indexed -= sorted_check(&map->indexes[i].by_counter);
    }
    CHECK(totals.indexed == 0); /* each entry's dots were found, so nothing else is there */
    CHECK(vector_covers_all(&map->seen, &map->horizon));
    CHECK(vector_get(&map->seen, map->writer) >= map->counter);
    check_known(map);
}
