/* Entries sorted by (number, key), in runs.
 *
 * The one idea: a sorted array cut into runs of at most RUN_SLOTS_MAX slots. A lookup searches the
 * firsts of the runs, then one run; an insert or remove moves at most one run's slots, and once in
 * many times the list of runs (n/64 items of 24 bytes: 2,300 runs at 150,000 keys). Two plain
 * arrays search faster than a tree of nodes, and an index that only grows at its end packs its runs
 * full.
 *
 * Keys are chosen by users, and no secret could be mixed into their hash (all nodes must agree on
 * ranges of hashes). So equal numbers fall back to the order of keys: whoever makes hashes collide
 * gains nothing but longer comparisons.
 *
 * Invariants: no run is empty; slots strictly ascend; `first` repeats the first slot's number. */
#include "crdt/sorted.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap.h"

enum {
    RUN_SLOTS_MAX = 128,
    RUN_SLOTS_FEW = RUN_SLOTS_MAX / 4,        /* with fewer, a run looks for a neighbour to join */
    RUN_SLOTS_JOINED = RUN_SLOTS_MAX * 3 / 4, /* room stays, or the next insert would split again */
};

static int slot_compare(const struct slot *slot, uint64_t order, struct span key)
{
    if (slot->order != order)
        return slot->order < order ? -1 : 1;
    return span_compare(awmap_entry_key(slot->entry), key);
}

static void run_resize(struct run *run, uint32_t capacity)
{
    run->slots = xrealloc(run->slots, capacity * sizeof *run->slots);
    run->capacity = capacity;
}

static void run_reserve(struct run *run, uint32_t count)
{
    if (count <= run->capacity)
        return;
    uint32_t grown = run->capacity < 16 ? run->capacity * 2 : run->capacity * 3 / 2;
    grown = grown < RUN_SLOTS_MAX ? grown : RUN_SLOTS_MAX;
    run_resize(run, grown > count ? grown : count);
}

/* The first slot of the run that is not before (order, key). */
static uint32_t run_seek(const struct run *run, uint64_t order, struct span key)
{
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slot_compare(&run->slots[middle], order, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last run that begins at or before (order, key); the first run if none does. */
static uint32_t sorted_run(const struct sorted *sorted, uint64_t order, struct span key)
{
    uint32_t low = 0, high = sorted->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct run *run = &sorted->runs[middle];
        bool before =
            run->first != order ? run->first < order : slot_compare(run->slots, order, key) <= 0;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

void sorted_release(struct sorted *sorted)
{
    for (uint32_t i = 0; i < sorted->count; i++)
        free(sorted->runs[i].slots);
    if (sorted->count > 0)
        free(sorted->runs);
    *sorted = (struct sorted){0};
}

static struct run *sorted_open_run(struct sorted *sorted, uint32_t index)
{
    if (sorted->count == sorted->capacity) {
        sorted->capacity = sorted->capacity ? sorted->capacity + sorted->capacity / 2 + 1 : 1;
        sorted->runs = xrealloc(sorted->runs, sorted->capacity * sizeof *sorted->runs);
    }
    struct run *run = sorted->runs + index;
    memmove(run + 1, run, (sorted->count - index) * sizeof *run);
    sorted->count++;
    *run = (struct run){0};
    return run;
}

static void sorted_close_run(struct sorted *sorted, uint32_t index)
{
    struct run *run = sorted->runs + index;
    free(run->slots);
    sorted->count--;
    memmove(run, run + 1, (sorted->count - index) * sizeof *run);
    if (sorted->count > 0)
        return;
    free(sorted->runs);
    *sorted = (struct sorted){0};
}

/* A second slot is to come: the first goes to a run. */
static void sorted_begin_runs(struct sorted *sorted)
{
    struct slot only = sorted->only;
    sorted->runs = NULL;
    struct run *run = sorted_open_run(sorted, 0);
    run_resize(run, 2);
    run->slots[0] = only;
    run->first = only.order;
    run->count = 1;
}

/* Makes room in a full run. A run that is full at the very end stays full: the next slots go to a
 * new run, because counters arrive in ascending order. */
static struct place sorted_split(struct sorted *sorted, struct place place)
{
    bool at_end = place.run + 1 == sorted->count && place.slot == RUN_SLOTS_MAX;
    struct run *right = sorted_open_run(sorted, place.run + 1);
    struct run *left = right - 1;
    if (at_end)
        return (struct place){place.run + 1, 0};
    uint32_t half = RUN_SLOTS_MAX / 2;
    run_resize(right, half);
    memcpy(right->slots, left->slots + half, half * sizeof *left->slots);
    right->count = half;
    right->first = right->slots[0].order;
    left->count = half;
    run_resize(left, half);
    if (place.slot <= half)
        return place;
    return (struct place){place.run + 1, place.slot - half};
}

static struct place sorted_insert_place(struct sorted *sorted, uint64_t order, struct span key)
{
    uint32_t last = sorted->count - 1;
    const struct run *run = &sorted->runs[last];
    if (slot_compare(&run->slots[run->count - 1], order, key) < 0)
        return (struct place){last, run->count};
    uint32_t index = sorted_run(sorted, order, key);
    return (struct place){index, run_seek(&sorted->runs[index], order, key)};
}

void sorted_insert(struct sorted *sorted, uint64_t order, struct awmap_entry *entry)
{
    if (sorted->total == 0) {
        sorted->only = (struct slot){order, entry};
        sorted->total = 1;
        return;
    }
    if (sorted->count == 0)
        sorted_begin_runs(sorted);
    struct place place = sorted_insert_place(sorted, order, awmap_entry_key(entry));
    if (sorted->runs[place.run].count == RUN_SLOTS_MAX)
        place = sorted_split(sorted, place);
    struct run *run = &sorted->runs[place.run];
    run_reserve(run, run->count + 1);
    struct slot *hole = run->slots + place.slot;
    memmove(hole + 1, hole, (run->count - place.slot) * sizeof *hole);
    *hole = (struct slot){order, entry};
    run->count++;
    run->first = run->slots[0].order;
    sorted->total++;
}

/* Appends the run after index to it, if both fit. */
static bool sorted_join_runs(struct sorted *sorted, uint32_t index)
{
    if (index + 1 >= sorted->count)
        return false;
    struct run *left = &sorted->runs[index], *right = left + 1;
    uint32_t count = left->count + right->count;
    if (count > RUN_SLOTS_JOINED)
        return false;
    if (count > left->capacity)
        run_resize(left, count);
    memcpy(left->slots + left->count, right->slots, right->count * sizeof *left->slots);
    left->count = count;
    sorted_close_run(sorted, index + 1);
    return true;
}

void sorted_remove(struct sorted *sorted, uint64_t order, const struct awmap_entry *entry)
{
    struct place place = sorted_seek(sorted, order, awmap_entry_key(entry));
    const struct slot *found = sorted_at(sorted, place);
    assert(found && found->entry == entry);
    if (sorted->count == 0) {
        *sorted = (struct sorted){0};
        return;
    }
    struct run *run = &sorted->runs[place.run];
    struct slot *hole = run->slots + place.slot;
    run->count--;
    sorted->total--;
    memmove(hole, hole + 1, (run->count - place.slot) * sizeof *hole);
    if (run->count == 0) {
        sorted_close_run(sorted, place.run);
        return;
    }
    run->first = run->slots[0].order;
    if (run->count >= RUN_SLOTS_FEW)
        return;
    if (!sorted_join_runs(sorted, place.run) && place.run > 0)
        sorted_join_runs(sorted, place.run - 1);
}

struct place sorted_seek(const struct sorted *sorted, uint64_t order, struct span key)
{
    if (sorted->count == 0) {
        bool before = sorted->total > 0 && slot_compare(&sorted->only, order, key) < 0;
        return (struct place){before, 0};
    }
    uint32_t index = sorted_run(sorted, order, key);
    uint32_t slot = run_seek(&sorted->runs[index], order, key);
    if (slot == sorted->runs[index].count)
        return (struct place){index + 1, 0};
    return (struct place){index, slot};
}

struct place sorted_after(const struct sorted *sorted, uint64_t order, struct span key)
{
    struct place place = sorted_seek(sorted, order, key);
    const struct slot *slot = sorted_at(sorted, place);
    if (slot && slot_compare(slot, order, key) == 0)
        sorted_step(sorted, &place);
    return place;
}

const struct slot *sorted_at(const struct sorted *sorted, struct place place)
{
    if (sorted->count == 0)
        return place.run < sorted->total ? &sorted->only : NULL;
    return place.run < sorted->count ? &sorted->runs[place.run].slots[place.slot] : NULL;
}

const struct slot *sorted_step(const struct sorted *sorted, struct place *place)
{
    if (sorted->count == 0 || ++place->slot == sorted->runs[place->run].count)
        *place = (struct place){place->run + 1, 0};
    return sorted_at(sorted, *place);
}

struct awmap_entry *sorted_find(const struct sorted *sorted, uint64_t order, struct span key)
{
    const struct slot *slot = sorted_at(sorted, sorted_seek(sorted, order, key));
    return slot && slot_compare(slot, order, key) == 0 ? slot->entry : NULL;
}

void sorted_check(const struct sorted *sorted)
{
    size_t total = 0;
    const struct slot *before = NULL;
    if (sorted->count == 0) {
        assert(sorted->total <= 1);
        return;
    }
    for (uint32_t i = 0; i < sorted->count; i++) {
        const struct run *run = &sorted->runs[i];
        assert(run->count > 0 && run->count <= run->capacity && run->count <= RUN_SLOTS_MAX);
        assert(run->first == run->slots[0].order);
        for (uint32_t j = 0; j < run->count; j++) {
            const struct slot *slot = &run->slots[j];
            assert(!before || slot_compare(before, slot->order, awmap_entry_key(slot->entry)) < 0);
            before = slot;
        }
        total += run->count;
    }
    assert(total == sorted->total);
}
