/* Dots and vectors of counters.
 *
 * The one idea: a vector is an array sorted by replica. Vectors are read far more often than they
 * grow (a new item is a new writer), so the O(n) insertion does not matter and lookups stay
 * compact. Invariants: replicas strictly ascend, no replica and no counter is zero. */
#include "crdt/dot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int dot_compare(struct dot a, struct dot b)
{
    if (a.counter != b.counter)
        return a.counter < b.counter ? -1 : 1;
    if (a.replica != b.replica)
        return a.replica < b.replica ? -1 : 1;
    return 0;
}

bool dot_equal(struct dot a, struct dot b)
{
    return a.replica == b.replica && a.counter == b.counter;
}

/* The index of the first item whose replica is not smaller. */
static uint32_t vector_seek(const struct vector *vector, uint64_t replica)
{
    uint32_t low = 0, high = vector->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (vector->items[middle].replica < replica)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool vector_has(const struct vector *vector, uint32_t index, uint64_t replica)
{
    return index < vector->count && vector->items[index].replica == replica;
}

void vector_release(struct vector *vector)
{
    free(vector->items);
    *vector = (struct vector){0};
}

uint64_t vector_get(const struct vector *vector, uint64_t replica)
{
    uint32_t index = vector_seek(vector, replica);
    return vector_has(vector, index, replica) ? vector->items[index].counter : 0;
}

static void vector_insert(struct vector *vector, uint32_t index, struct dot item)
{
    if (vector->count == vector->capacity) {
        vector->capacity = (uint32_t)capacity_grown(vector->capacity);
        vector->items = xrealloc(vector->items, vector->capacity * sizeof *vector->items);
    }
    struct dot *hole = vector->items + index;
    memmove(hole + 1, hole, (vector->count - index) * sizeof *hole);
    *hole = item;
    vector->count++;
}

bool vector_raise(struct vector *vector, uint64_t replica, uint64_t counter)
{
    if (counter == 0)
        return false;
    assert(replica != 0);
    uint32_t index = vector_seek(vector, replica);
    if (!vector_has(vector, index, replica)) {
        vector_insert(vector, index, (struct dot){replica, counter});
        return true;
    }
    if (vector->items[index].counter >= counter)
        return false;
    vector->items[index].counter = counter;
    return true;
}

void vector_remove(struct vector *vector, uint64_t replica)
{
    uint32_t index = vector_seek(vector, replica);
    if (!vector_has(vector, index, replica))
        return;
    struct dot *hole = vector->items + index;
    vector->count--;
    memmove(hole, hole + 1, (vector->count - index) * sizeof *hole);
}

void vector_copy(struct vector *to, const struct vector *from)
{
    if (to == from)
        return;
    vector_release(to);
    if (from->count == 0)
        return;
    to->items = xmemdup(from->items, from->count * sizeof *from->items);
    to->count = to->capacity = from->count;
}

bool vector_covers(const struct vector *vector, struct dot dot)
{
    return dot.counter <= vector_get(vector, dot.replica);
}

bool vector_covers_all(const struct vector *vector, const struct vector *other)
{
    for (uint32_t i = 0; i < other->count; i++) {
        if (!vector_covers(vector, other->items[i]))
            return false;
    }
    return true;
}

bool vector_equal(const struct vector *a, const struct vector *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!dot_equal(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

void vector_encode(const struct vector *vector, struct buffer *buffer)
{
    buffer_varint(buffer, vector->count);
    for (uint32_t i = 0; i < vector->count; i++) {
        buffer_u64(buffer, vector->items[i].replica);
        buffer_varint(buffer, vector->items[i].counter);
    }
}

bool vector_decode(struct vector *ret_vector, struct reader *reader)
{
    enum { ITEM_BYTES_MIN = 9 }; /* a count is believed only as far as bytes are there for it */
    vector_release(ret_vector);
    size_t count = reader_count(reader, VECTOR_COUNT_MAX);
    if (reader->failed || count > reader_left(reader) / ITEM_BYTES_MIN)
        return false;
    if (count > 0)
        ret_vector->items = xmalloc(count * sizeof *ret_vector->items);
    ret_vector->capacity = (uint32_t)count;
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        struct dot item = {.replica = reader_u64(reader)};
        item.counter = reader_varint(reader);
        if (reader->failed || item.replica <= before || item.counter == 0 ||
            item.counter > DOT_COUNTER_MAX) {
            vector_release(ret_vector);
            return false;
        }
        before = item.replica;
        ret_vector->items[ret_vector->count++] = item;
    }
    return true;
}
