/* Where the entries of a map are, and lists of them.
 *
 * The one idea: an entry is half as long as the least that malloc gives. So they are made a chunk
 * at a time; one that is not in use any more waits for the next key, and the chunks go with the
 * map. An entry never moves: runs and lists point to it. */
#include <assert.h>
#include <stdlib.h>

#include "crdt/awmap_private.h"

enum { CHUNK_ENTRIES = 63 }; /* with the pointer and what malloc adds, a KiB */

struct entry_chunk {
    struct entry_chunk *next;
    struct awmap_entry entries[CHUNK_ENTRIES];
};

uint32_t entries_add(struct entries *entries, struct awmap_entry *entry)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity ? entries->capacity * 2 : 16;
        entries->items = xrealloc(entries->items, entries->capacity * sizeof(void *));
    }
    assert(entries->count < INT32_MAX);
    entries->items[entries->count++] = entry;
    return (uint32_t)entries->count;
}

struct awmap_entry *entry_take(struct awmap *map)
{
    if (map->spare.count == 0) {
        struct entry_chunk *chunk = xmalloc(sizeof *chunk);
        chunk->next = map->chunks;
        map->chunks = chunk;
        for (size_t i = CHUNK_ENTRIES; i-- > 0;)
            entries_add(&map->spare, &chunk->entries[i]);
    }
    struct awmap_entry *entry = map->spare.items[--map->spare.count];
    *entry = (struct awmap_entry){0};
    return entry;
}

void entry_give_back(struct awmap *map, struct awmap_entry *entry)
{
    entry->block = NULL; /* whoever still looks at it falls */
    entries_add(&map->spare, entry);
}

void entry_chunks_release(struct awmap *map)
{
    for (struct entry_chunk *chunk = map->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(map->spare.items);
}
