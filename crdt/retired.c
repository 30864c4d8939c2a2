/* Replicas that are gone for good.
 *
 *     seen       r -> counter        what is integrated of those who may still write
 *     retired    r -> counter        the same of those who will not: 16 bytes each, nothing else
 *
 * The one idea: what a map knows of a replica is the greater of the two, and for a retired one the
 * horizon is as high as that. So it can lose its items in `seen` and in the horizon, and still
 * nothing of it can come back (NOSEEN by the table), and whoever knows less of it gets a full
 * comparison. A dot above the table's counter is still new (RETIREBARE): retiring the living costs
 * 16 bytes and no write.
 *
 * Its dots in contexts are struck, except where they are alive. A struck context no longer says
 * that the key's present siblings have replaced those dots, and a peer may have them alive and be
 * told of their replacement by this very entry. So a strike is a dropped tombstone in small: the
 * horizon rises to the dots that the key had when the replacement was there (STRIKEHORIZON), and
 * who lacks one of them gets a full comparison. That is dear, so only what was replaced a while ago
 * is struck: `stable` is `seen` of that time, and of keys that keep changing the bit `aged` tells
 * that by then nothing of a retired replica was alive in them, so that all of it was replaced.
 *
 * Replicas retire others at different moments and with different counters. `known_sum` is over what
 * is known, wherever it stands, so equal knowledge has equal digests. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"

/* --- Knowing --------------------------------------------------------------------------------- */

uint64_t awmap_known(const struct awmap *map, uint64_t replica)
{
    uint64_t seen = vector_get(&map->seen, replica), retired = vector_get(&map->retired, replica);
    return seen > retired ? seen : retired;
}

bool awmap_covers(const struct awmap *map, struct dot dot)
{
    return dot.counter <= awmap_known(map, dot.replica);
}

bool map_covers(const struct awmap *map, struct dot dot)
{
    return vector_covers(&map->seen, dot) || vector_covers(&map->retired, dot);
}

uint64_t map_horizon(const struct awmap *map, uint64_t replica)
{
    uint64_t horizon = vector_get(&map->horizon, replica);
    uint64_t retired = vector_get(&map->retired, replica);
    return horizon > retired ? horizon : retired;
}

const struct vector *awmap_retired(const struct awmap *map)
{
    return &map->retired;
}

void map_note_known(struct awmap *map, uint64_t replica, uint64_t before)
{
    struct dot was = {replica, before}, is = {replica, awmap_known(map, replica)};
    map->known_sum += hash_known(is) - hash_known(was);
}

/* --- Striking -------------------------------------------------------------------------------- */

static bool context_is_live(const struct state *state, uint32_t at)
{
    for (uint32_t i = 0; i < state->live_count; i++) {
        if (state->live[i].at == at)
            return true;
    }
    return false;
}

/* Whether the context's item may go. All of a key that is covered is as old as `stable`; of another
 * one that has aged only what was retired by then. */
static bool item_is_strikable(const struct awmap *map, const struct state *state, uint32_t at,
                              bool covered)
{
    struct dot dot = state->context[at];
    return vector_covers(&map->retired, dot) && !context_is_live(state, at) &&
           (covered || vector_get(&map->young, dot.replica) == 0);
}

/* Who covers `stable` has met what replaced the struck dots (STRIKEHORIZON). */
static void strike_raise_horizon(struct awmap *map, const struct state *state,
                                 const struct vector *stable)
{
    for (uint32_t i = 0; i < state->context_count; i++) {
        struct dot dot = state->context[i];
        uint64_t most = vector_get(stable, dot.replica);
        dot.counter = dot.counter < most ? dot.counter : most;
        map_raise_horizon(map, dot);
    }
}

static void entry_strike(struct awmap *map, struct awmap_entry *entry, const struct vector *stable)
{
    struct state state = entry_state(entry);
    bool covered = entry_is_covered(map, entry, stable);
    struct live live[AWMAP_SIBLINGS_MAX];
    struct state next = {scratch_context(map, state.context_count), live, 0, state.live_count};
    strike_raise_horizon(map, &state, stable);
    memcpy(live, state.live, state.live_count * sizeof *live);
    for (uint32_t i = 0; i < state.context_count; i++) {
        if (item_is_strikable(map, &state, i, covered))
            continue;
        for (uint32_t j = 0; j < state.live_count; j++) {
            if (state.live[j].at == i)
                live[j].at = next.context_count;
        }
        map->scratch[next.context_count++] = state.context[i];
    }
    entry_replace(map, entry, &next);
}

/* A key with siblings, whose dot of a retired replica is dead and known. */
static bool slot_is_strikable(const struct awmap *map, const struct slot *slot, uint64_t replica,
                              const struct vector *stable)
{
    struct state state = entry_state(slot->entry);
    if (state.live_count == 0 || state_has_live(&state, (struct dot){replica, slot->order}))
        return false;
    return (slot->entry->aged && vector_get(&map->young, replica) == 0) ||
           entry_is_covered(map, slot->entry, stable);
}

static size_t index_strike(struct awmap *map, const struct sorted *index, struct dot retired,
                           const struct vector *stable, size_t budget)
{
    struct entries found = {0};
    struct place place = {0, 0};
    const struct slot *slot = sorted_at(index, place);
    for (; slot && slot->order <= retired.counter && found.count < budget;
         slot = sorted_step(index, &place)) {
        if (slot_is_strikable(map, slot, retired.replica, stable))
            entries_add(&found, slot->entry);
    }
    for (size_t i = 0; i < found.count; i++)
        entry_strike(map, found.items[i], stable);
    free(found.items);
    return found.count;
}

/* What is in the feed must first get to the disk whole: an older record of the key there may have a
 * sibling that only this context covers. */
size_t awmap_tidy(struct awmap *map, const struct vector *stable, size_t budget)
{
    assert(map->feed.count == 0);
    size_t tidied = map_purge(map, stable, budget);
    if (vector_get(stable, map->writer) > map->pushed)
        return tidied; /* own slices that are to raise would be below the horizon */
    for (uint32_t i = map->index_count; i-- > 0 && tidied < budget;) {
        if (i >= map->index_count)
            continue; /* striking has emptied and closed indexes */
        struct dot retired = {.replica = map->indexes[i].replica};
        retired.counter = vector_get(&map->retired, retired.replica);
        if (retired.counter > 0)
            tidied +=
                index_strike(map, &map->indexes[i].by_counter, retired, stable, budget - tidied);
    }
    return tidied;
}

/* What is in the context and dead was replaced by something in it, all of which `seen` covers. What
 * is retired and still alive may be replaced later. */
static bool entry_ages(const struct awmap *map, const struct awmap_entry *entry)
{
    struct state state = entry_state(entry);
    for (uint32_t i = 0; i < state.context_count; i++) {
        if (!map_covers(map, state.context[i]))
            return false;
    }
    for (uint32_t i = 0; i < state.live_count; i++) {
        if (vector_covers(&map->retired, state_dot(&state, i)))
            return false;
    }
    return true;
}

void awmap_note_stable(struct awmap *map, struct vector *stable)
{
    for (uint32_t i = 0; i < map->index_count; i++) {
        const struct sorted *index = &map->indexes[i].by_counter;
        if (vector_get(&map->retired, map->indexes[i].replica) == 0)
            continue;
        struct place place = {0, 0};
        const struct slot *slot = sorted_at(index, place);
        for (; slot; slot = sorted_step(index, &place))
            slot->entry->aged = entry_ages(map, slot->entry);
    }
    vector_release(&map->young);
    vector_release(stable);
    if (map->graves.count > 0 || map->retired.count > 0)
        vector_copy(stable, &map->seen);
}

/* --- Retiring -------------------------------------------------------------------------------- */

bool map_retire(struct awmap *map, struct dot dot)
{
    uint64_t before = awmap_known(map, dot.replica);
    uint64_t retired = vector_get(&map->retired, dot.replica);
    if (retired == 0 && map->retired.count >= AWMAP_RETIRED_MAX)
        return false;
    if (dot.counter > retired) {
        vector_raise(&map->retired, dot.replica, dot.counter);
        map->retired_sum += hash_known(dot) - hash_known((struct dot){dot.replica, retired});
        if (vector_covers(&map->retired, (struct dot){dot.replica, before})) {
            vector_remove(&map->seen, dot.replica);
            vector_remove(&map->horizon, dot.replica);
            vector_remove(&map->seen_news, dot.replica);
            vector_remove(&map->horizon_news, dot.replica);
        }
        map_note_known(map, dot.replica, before);
        vector_raise(&map->retired_changed, dot.replica, dot.counter);
        vector_raise(&map->young, dot.replica, dot.counter);
        map->recent[map->retirements++ % AWMAP_RECENT_RETIRED] = dot.replica;
        map->seen_changed = true;
    }
    return true;
}

bool awmap_retire(struct awmap *map, uint64_t replica)
{
    uint64_t known = awmap_known(map, replica);
    if (known == 0 || replica == map->writer)
        return false;
    return map_retire(map, (struct dot){replica, known});
}

/* Who is in `seen` here is retired here when this map is told so; until then the horizon says the
 * same. */
void map_learn_retired(struct awmap *map, struct dot dot)
{
    bool here = dot.replica == map->writer || vector_get(&map->seen, dot.replica) > 0;
    if (!here && (dot.counter <= vector_get(&map->retired, dot.replica) || map_retire(map, dot)))
        return;
    map_raise_seen(map, dot);
    map_raise_horizon(map, dot);
}

void map_unretire_writer(struct awmap *map)
{
    struct dot dot = {map->writer, vector_get(&map->retired, map->writer)};
    if (dot.counter == 0)
        return;
    vector_remove(&map->retired, dot.replica);
    vector_remove(&map->retired_changed, dot.replica);
    map->retired_sum -= hash_known(dot);
    vector_raise(&map->seen, dot.replica, dot.counter);
    vector_raise(&map->horizon, dot.replica, dot.counter);
    vector_raise(&map->seen_news, dot.replica, dot.counter);
    vector_raise(&map->horizon_news, dot.replica, dot.counter);
    map->retirements++;
    map->seen_changed = true;
}
