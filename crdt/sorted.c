/* Entries sorted by (number, key), in runs.
 *
 * The one idea: a sorted array cut into runs of at most RUN_SLOTS_MAX slots, and above them, as
 * soon as there are two, a run of runs: one array of their firsts (n/64 slots: 2,300 at 150,000
 * keys). A lookup searches the firsts, then one run; an insert or remove moves at most one run's
 * slots, and once in many times the firsts. Two plain arrays search faster than a tree of many
 * levels, and an index that only grows at its end packs its runs full.
 *
 * Keys are chosen by users, and no secret could be mixed into their hash (all nodes must agree on
 * ranges of hashes). So equal numbers fall back to the order of keys: whoever makes hashes collide
 * gains nothing but longer comparisons.
 *
 * Invariants: no run is empty; slots strictly ascend; a run of runs repeats the number of each
 * run's first slot. */
#include "crdt/sorted.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"

enum {
    RUN_SLOTS_MAX = 128,
    RUN_SLOTS_FEW = RUN_SLOTS_MAX / 4,        /* with fewer, a run looks for a neighbour to join */
    RUN_SLOTS_JOINED = RUN_SLOTS_MAX * 3 / 4, /* room stays, or the next insert would split again */
};

struct run {
    uint32_t count;
    uint32_t capacity : 31;
    uint32_t is_upper : 1; /* its slots have runs, and it has as many as there are */
    struct slot slots[];
};

static_assert(offsetof(struct sorted, none) == offsetof(struct sorted, only.entry), "one place");

/* --- Runs ------------------------------------------------------------------------------------ */

static int slot_compare(const struct slot *slot, uint64_t order, struct span key)
{
    if (slot->order != order)
        return slot->order < order ? -1 : 1;
    return span_compare(block_key(slot->entry->block), key);
}

static void run_resize(struct run **run, uint32_t capacity)
{
    *run = xrealloc(*run, sizeof **run + capacity * sizeof *(*run)->slots);
    (*run)->capacity = capacity & INT32_MAX;
}

static struct run *run_new(uint32_t capacity, bool is_upper)
{
    struct run *run = NULL;
    run_resize(&run, capacity);
    run->count = 0;
    run->is_upper = is_upper;
    return run;
}

static void run_insert(struct run **place, uint32_t at, struct slot slot)
{
    struct run *run = *place;
    if (run->count == run->capacity) {
        uint32_t grown = run->capacity + run->capacity / 2 + 1;
        run_resize(place, run->is_upper || grown < RUN_SLOTS_MAX ? grown : RUN_SLOTS_MAX);
        run = *place;
    }
    struct slot *hole = run->slots + at;
    memmove(hole + 1, hole, (run->count - at) * sizeof *hole);
    *hole = slot;
    run->count++;
}

static void run_remove(struct run *run, uint32_t at)
{
    struct slot *hole = run->slots + at;
    run->count--;
    memmove(hole, hole + 1, (run->count - at) * sizeof *hole);
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
static uint32_t upper_seek(const struct run *upper, uint64_t order, struct span key)
{
    uint32_t low = 0, high = upper->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct slot *first = &upper->slots[middle];
        bool before = first->order != order ? first->order < order
                                            : slot_compare(first->run->slots, order, key) <= 0;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

/* --- Runs of a whole that has some ----------------------------------------------------------- */

static bool sorted_has_runs(const struct sorted *sorted)
{
    return !sorted->none && sorted->top;
}

static uint32_t sorted_run_count(const struct sorted *sorted)
{
    return sorted->top->is_upper ? sorted->top->count : 1;
}

static struct run *sorted_run(const struct sorted *sorted, uint32_t index)
{
    return sorted->top->is_upper ? sorted->top->slots[index].run : sorted->top;
}

static uint32_t sorted_seek_run(const struct sorted *sorted, uint64_t order, struct span key)
{
    return sorted->top->is_upper ? upper_seek(sorted->top, order, key) : 0;
}

/* Where the pointer to the run is: it moves as it grows. */
static struct run **sorted_run_place(struct sorted *sorted, uint32_t index)
{
    return sorted->top->is_upper ? &sorted->top->slots[index].run : &sorted->top;
}

static void sorted_note_first(struct sorted *sorted, uint32_t index)
{
    if (sorted->top->is_upper)
        sorted->top->slots[index].order = sorted->top->slots[index].run->slots[0].order;
}

static void sorted_open_run(struct sorted *sorted, uint32_t index, struct run *run)
{
    if (!sorted->top->is_upper) {
        struct run *upper = run_new(2, true);
        run_insert(&upper, 0, (struct slot){sorted->top->slots[0].order, .run = sorted->top});
        sorted->top = upper;
    }
    run_insert(&sorted->top, index, (struct slot){.run = run});
}

static void sorted_close_run(struct sorted *sorted, uint32_t index)
{
    struct run *top = sorted->top;
    if (top->is_upper) {
        free(top->slots[index].run);
        run_remove(top, index);
        if (top->count > 0)
            return;
    }
    free(top);
    *sorted = (struct sorted){0};
}

void sorted_release(struct sorted *sorted)
{
    if (sorted_has_runs(sorted)) {
        struct run *top = sorted->top;
        for (uint32_t i = 0; top->is_upper && i < top->count; i++)
            free(top->slots[i].run);
        free(top);
    }
    *sorted = (struct sorted){0};
}

/* --- Changes --------------------------------------------------------------------------------- */

/* A second slot is to come: the first goes to a run. */
static void sorted_begin_runs(struct sorted *sorted)
{
    struct slot only = sorted->only;
    struct run *run = run_new(2, false);
    run_insert(&run, 0, only);
    sorted->top = run;
    sorted->none = NULL;
}

/* Makes room in a full run. A run that is full at the very end stays full: the next slots go to a
 * new run, because counters arrive in ascending order. */
static struct place sorted_split(struct sorted *sorted, struct place place)
{
    const uint32_t half = RUN_SLOTS_MAX / 2;
    bool at_end = place.run + 1 == sorted_run_count(sorted) && place.slot == RUN_SLOTS_MAX;
    struct run *right = run_new(at_end ? 2 : half, false);
    sorted_open_run(sorted, place.run + 1, right);
    if (at_end)
        return (struct place){place.run + 1, 0};
    struct run **left = sorted_run_place(sorted, place.run);
    memcpy(right->slots, (*left)->slots + half, half * sizeof *right->slots);
    right->count = (*left)->count = half;
    run_resize(left, half);
    sorted_note_first(sorted, place.run + 1);
    if (place.slot <= half)
        return place;
    return (struct place){place.run + 1, place.slot - half};
}

static struct place sorted_insert_place(const struct sorted *sorted, uint64_t order,
                                        struct span key)
{
    uint32_t last = sorted_run_count(sorted) - 1;
    const struct run *run = sorted_run(sorted, last);
    if (slot_compare(&run->slots[run->count - 1], order, key) < 0)
        return (struct place){last, run->count};
    uint32_t index = sorted_seek_run(sorted, order, key);
    return (struct place){index, run_seek(sorted_run(sorted, index), order, key)};
}

void sorted_insert(struct sorted *sorted, uint64_t order, struct awmap_entry *entry)
{
    struct slot slot = {order, {entry}};
    if (sorted_is_empty(sorted)) {
        sorted->only = slot;
        return;
    }
    if (!sorted_has_runs(sorted))
        sorted_begin_runs(sorted);
    struct place place = sorted_insert_place(sorted, order, awmap_entry_key(entry));
    if (sorted_run(sorted, place.run)->count == RUN_SLOTS_MAX)
        place = sorted_split(sorted, place);
    run_insert(sorted_run_place(sorted, place.run), place.slot, slot);
    if (place.slot == 0)
        sorted_note_first(sorted, place.run);
}

/* Appends the run after index to it, if both fit. */
static bool sorted_join_runs(struct sorted *sorted, uint32_t index)
{
    if (index + 1 >= sorted_run_count(sorted))
        return false;
    struct run **left = sorted_run_place(sorted, index);
    const struct run *right = sorted_run(sorted, index + 1);
    uint32_t count = (*left)->count + right->count;
    if (count > RUN_SLOTS_JOINED)
        return false;
    if (count > (*left)->capacity)
        run_resize(left, count);
    memcpy((*left)->slots + (*left)->count, right->slots, right->count * sizeof *right->slots);
    (*left)->count = count;
    sorted_close_run(sorted, index + 1);
    return true;
}

void sorted_remove(struct sorted *sorted, uint64_t order, const struct awmap_entry *entry)
{
    struct place place = sorted_seek(sorted, order, awmap_entry_key(entry));
    const struct slot *found = sorted_at(sorted, place);
    assert(found && found->entry == entry);
    if (!sorted_has_runs(sorted)) {
        *sorted = (struct sorted){0};
        return;
    }
    struct run *run = sorted_run(sorted, place.run);
    run_remove(run, place.slot);
    if (run->count == 0) {
        sorted_close_run(sorted, place.run);
        return;
    }
    if (place.slot == 0)
        sorted_note_first(sorted, place.run);
    if (run->count >= RUN_SLOTS_FEW)
        return;
    if (!sorted_join_runs(sorted, place.run) && place.run > 0)
        sorted_join_runs(sorted, place.run - 1);
}

/* --- Reading --------------------------------------------------------------------------------- */

bool sorted_is_empty(const struct sorted *sorted)
{
    return !sorted->none && !sorted->top;
}

struct place sorted_seek(const struct sorted *sorted, uint64_t order, struct span key)
{
    if (!sorted_has_runs(sorted)) {
        bool before = !sorted_is_empty(sorted) && slot_compare(&sorted->only, order, key) < 0;
        return (struct place){before, 0};
    }
    uint32_t index = sorted_seek_run(sorted, order, key);
    const struct run *run = sorted_run(sorted, index);
    uint32_t slot = run_seek(run, order, key);
    if (slot == run->count)
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
    if (!sorted_has_runs(sorted))
        return place.run == 0 && sorted->none ? &sorted->only : NULL;
    if (place.run >= sorted_run_count(sorted))
        return NULL;
    return &sorted_run(sorted, place.run)->slots[place.slot];
}

const struct slot *sorted_step(const struct sorted *sorted, struct place *place)
{
    if (!sorted_has_runs(sorted) || ++place->slot == sorted_run(sorted, place->run)->count)
        *place = (struct place){place->run + 1, 0};
    return sorted_at(sorted, *place);
}

struct awmap_entry *sorted_find(const struct sorted *sorted, uint64_t order, struct span key)
{
    const struct slot *slot = sorted_at(sorted, sorted_seek(sorted, order, key));
    return slot && slot_compare(slot, order, key) == 0 ? slot->entry : NULL;
}

size_t sorted_check(const struct sorted *sorted)
{
    size_t total = 0;
    const struct slot *before = NULL;
    if (!sorted_has_runs(sorted))
        return !sorted_is_empty(sorted);
    for (uint32_t i = 0; i < sorted_run_count(sorted); i++) {
        const struct run *run = sorted_run(sorted, i);
        assert(run->count > 0 && run->count <= run->capacity && run->capacity <= RUN_SLOTS_MAX);
        assert(!run->is_upper);
        assert(!sorted->top->is_upper || sorted->top->slots[i].order == run->slots[0].order);
        for (uint32_t j = 0; j < run->count; j++) {
            const struct slot *slot = &run->slots[j];
            assert(!before || slot_compare(before, slot->order, awmap_entry_key(slot->entry)) < 0);
            before = slot;
        }
        total += run->count;
    }
    return total;
}
