/* Open addressing with linear probing, and no tombstones: who leaves has those behind it placed
 * anew (Knuth, The Art of Computer Programming, volume 3, 6.4, algorithm R). */
#include "agent/core/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

enum { SLOTS_MIN = 8 };

uint32_t table_hash(struct span key)
{
    return (uint32_t)(placement_hash(key.data, key.bytes) >> 32);
}

static void table_place(struct table *table, struct table_item *item)
{
    size_t mask = table->capacity - 1, at = item->hash & mask;
    while (table->slots[at])
        at = (at + 1) & mask;
    table->slots[at] = item;
}

/* Two thirds are taken at most. */
static void table_grow(struct table *table)
{
    struct table old = *table;
    table->capacity = old.capacity ? 2 * old.capacity : SLOTS_MIN;
    table->slots = xcalloc(table->capacity, sizeof(struct table_item *));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i])
            table_place(table, old.slots[i]);
    free(old.slots);
}

void table_add(struct table *table, struct table_item *item)
{
    if (3 * (table->count + 1) > 2 * table->capacity)
        table_grow(table);
    table_place(table, item);
    table->count++;
}

/* Those behind it, up to the next free slot, may stand there because of it. */
void table_remove(struct table *table, const struct table_item *item)
{
    assert(table->count > 0);
    size_t mask = table->capacity - 1, at = item->hash & mask;
    while (table->slots[at] != item) {
        assert(table->slots[at]);
        at = (at + 1) & mask;
    }
    table->slots[at] = NULL;
    table->count--;
    for (at = (at + 1) & mask; table->slots[at]; at = (at + 1) & mask) {
        struct table_item *behind = table->slots[at];
        table->slots[at] = NULL;
        table_place(table, behind);
    }
}

struct table_item *table_find(const struct table *table, uint32_t hash, struct span key,
                              table_key_function key_of)
{
    if (table->count == 0)
        return NULL;
    size_t mask = table->capacity - 1;
    for (size_t at = hash & mask; table->slots[at]; at = (at + 1) & mask) {
        struct table_item *item = table->slots[at];
        if (item->hash == hash && span_equal(key_of(item), key))
            return item;
    }
    return NULL;
}

void table_release(struct table *table)
{
    free(table->slots);
    memset(table, 0, sizeof *table);
}
