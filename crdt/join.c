/* The join of one key, and the drop of a full comparison.
 *
 * The one idea: a dot that one side has alive and the other lacks is either new to the other (keep)
 * or was replaced there (drop). The other's context tells which; where the context was forgotten
 * with a tombstone, `seen` tells it (rule NOSEEN), and that is what makes tombstones disposable.
 *
 * More than AWMAP_SIBLINGS_MAX concurrent writers of one key: the greatest by (hlc, dot) stay. The
 * others stay in the context, so that for everybody else they count as replaced. */
#include <assert.h>
#include <string.h>

#include "crdt/awmap_private.h"

enum { MERGED_MAX = 2 * AWMAP_SIBLINGS_MAX };

/* A state being built. `live.at` points into its own context. */
struct merged {
    struct dot *context;
    uint32_t context_count, live_count;
    struct live live[MERGED_MAX];
};

static struct state merged_state(const struct merged *merged)
{
    return (struct state){merged->context, merged->live, merged->context_count, merged->live_count};
}

/* False: too many replicas. */
static bool merge_contexts(struct merged *merged, const struct state *a, const struct state *b)
{
    uint32_t i = 0, j = 0, count = 0;
    while (i < a->context_count || j < b->context_count) {
        bool left = j == b->context_count ||
                    (i < a->context_count && a->context[i].replica <= b->context[j].replica);
        bool right = i == a->context_count ||
                     (j < b->context_count && b->context[j].replica <= a->context[i].replica);
        struct dot dot = left ? a->context[i] : b->context[j];
        if (left && right && b->context[j].counter > dot.counter)
            dot.counter = b->context[j].counter;
        merged->context[count++] = dot;
        i += left;
        j += right;
    }
    merged->context_count = count;
    return count <= AWMAP_CONTEXT_MAX;
}

static const struct live *state_find_live(const struct state *state, struct dot dot)
{
    for (uint32_t i = 0; i < state->live_count; i++) {
        if (dot_equal(state_dot(state, i), dot))
            return &state->live[i];
    }
    return NULL;
}

static uint32_t merged_at(const struct merged *merged, uint64_t replica)
{
    uint32_t low = 0, high = merged->context_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (merged->context[middle].replica < replica)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* One dot should carry one value. Should a disk image come back and use a dot twice, all replicas
 * at least choose the same of the two. */
static const struct live *live_greater(const struct live *a, const struct live *b)
{
    if (a->hlc != b->hlc)
        return a->hlc > b->hlc ? a : b;
    int order = span_compare(span_of(a->value, a->value_bytes), span_of(b->value, b->value_bytes));
    return order >= 0 ? a : b;
}

/* Inserts where it belongs in the descending order of (hlc, dot). */
static void merged_add(struct merged *merged, const struct live *live, struct dot dot)
{
    assert(merged->live_count < MERGED_MAX);
    uint32_t at = merged->live_count++;
    for (; at > 0; at--) {
        const struct live *above = &merged->live[at - 1];
        bool stays = above->hlc != live->hlc ? above->hlc > live->hlc
                                             : dot_compare(merged->context[above->at], dot) > 0;
        if (stays)
            break;
        merged->live[at] = *above;
    }
    merged->live[at] = *live;
    merged->live[at].at = merged_at(merged, dot.replica);
}

static void merge_live(struct merged *merged, const struct awmap *map, const struct state *mine,
                       const struct state *theirs)
{
    for (uint32_t i = 0; i < mine->live_count; i++) {
        struct dot dot = state_dot(mine, i);
        const struct live *live = &mine->live[i], *same = state_find_live(theirs, dot);
        if (same)
            merged_add(merged, live_greater(live, same), dot);
        else if (state_counter(theirs, dot.replica) < dot.counter)
            merged_add(merged, live, dot);
    }
    for (uint32_t i = 0; i < theirs->live_count; i++) {
        struct dot dot = state_dot(theirs, i);
        bool known = state_counter(mine, dot.replica) >= dot.counter;
        if (!known && !map_covers(map, dot)) /* NOSEEN */
            merged_add(merged, &theirs->live[i], dot);
    }
    if (merged->live_count > AWMAP_SIBLINGS_MAX)
        merged->live_count = AWMAP_SIBLINGS_MAX;
}

static bool state_same(const struct state *a, const struct state *b)
{
    if (a->context_count != b->context_count || a->live_count != b->live_count)
        return false;
    for (uint32_t i = 0; i < a->context_count; i++) {
        if (!dot_equal(a->context[i], b->context[i]))
            return false;
    }
    for (uint32_t i = 0; i < a->live_count; i++) {
        /* A merged sibling that was mine still borrows my value. */
        if (a->live[i].at != b->live[i].at || a->live[i].hlc != b->live[i].hlc ||
            a->live[i].value != b->live[i].value)
            return false;
    }
    return true;
}

static bool context_covered(const struct awmap *map, const struct state *state)
{
    for (uint32_t i = 0; i < state->context_count; i++) {
        if (!map_covers(map, state->context[i]))
            return false;
    }
    return true;
}

bool entry_join(struct awmap *map, struct span key, const struct state *theirs, bool *ret_news)
{
    struct awmap_entry *entry = entry_find(map, key);
    struct state mine = entry ? entry_state(entry) : (struct state){0};
    struct merged merged;
    merged.live_count = 0;
    merged.context = scratch_context(map, (size_t)mine.context_count + theirs->context_count);
    if (!merge_contexts(&merged, &mine, theirs))
        return false;
    merge_live(&merged, map, &mine, theirs);
    struct state next = merged_state(&merged);
    if (!entry && next.live_count == 0 && context_covered(map, &next))
        return true; /* a tombstone that was dropped here before */
    if (entry && state_same(&mine, &next))
        return true;
    if (entry)
        entry_assign(map, entry, &next);
    else
        entry_new(map, key, &next);
    *ret_news = true;
    return true;
}

void entry_drop(struct awmap *map, struct awmap_entry *entry, const struct state *theirs,
                const struct vector *seen, const struct vector *retired)
{
    struct state mine = entry_state(entry);
    struct live kept[AWMAP_SIBLINGS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < mine.live_count; i++) {
        struct dot dot = state_dot(&mine, i);
        if (state_has_live(theirs, dot) ||
            (!vector_covers(seen, dot) && !vector_covers(retired, dot)))
            kept[count++] = mine.live[i];
    }
    if (count == mine.live_count)
        return;
    struct state next = {mine.context, kept, mine.context_count, count};
    entry_assign(map, entry, &next);
}

/* Strangers cannot fill the vector: room stays for writer ids of this map itself. */
static bool map_raise(struct awmap *map, struct vector *vector, struct dot dot)
{
    enum { COUNT_MAX = VECTOR_COUNT_MAX - 64 };
    if (vector->count >= COUNT_MAX && dot.replica != map->writer &&
        vector_get(vector, dot.replica) == 0)
        return false;
    if (!vector_raise(vector, dot.replica, dot.counter))
        return false;
    vector_raise(&map->seen_news, dot.replica, vector_get(&map->seen, dot.replica));
    if (vector == &map->horizon)
        vector_raise(&map->horizon_news, dot.replica, dot.counter);
    map->seen_changed = true;
    return true;
}

bool map_raise_seen(struct awmap *map, struct dot dot)
{
    uint64_t before = awmap_known(map, dot.replica);
    if (dot.counter <= before || !map_raise(map, &map->seen, dot))
        return false;
    map_note_known(map, dot.replica, before);
    return true;
}

void map_raise_horizon(struct awmap *map, struct dot dot)
{
    /* What `seen` had no room for cannot have been dropped by anybody whom we could tell. */
    if (vector_covers(&map->seen, dot) && dot.counter > vector_get(&map->retired, dot.replica))
        map_raise(map, &map->horizon, dot);
}
