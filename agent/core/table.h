/* A hash table of pointers to things that know their hash: each stands in the slot of its hash, or
 * in the next free one. Find, add, remove: O(1), where hashes are of placement_hash. Things are
 * borrowed, and where they have their keys is the caller's business. */
#ifndef AGENT_CORE_TABLE_H
#define AGENT_CORE_TABLE_H

#include "crdt/bytes.h"

/* What a thing begins with. */
struct table_item {
    uint32_t hash; /* of its key */
};

typedef struct span (*table_key_function)(const struct table_item *item);

/* Zeroed memory is empty. */
struct table {
    struct table_item **slots; /* owned; NULL: free */
    size_t count, capacity;    /* a power of two */
};

uint32_t table_hash(struct span key);
void table_add(struct table *table, struct table_item *item);          /* it must not be there */
void table_remove(struct table *table, const struct table_item *item); /* it must be there */
/* The thing of this key, whose hash is given, or NULL. */
struct table_item *table_find(const struct table *table, uint32_t hash, struct span key,
                              table_key_function key_of);
void table_release(struct table *table);

#endif
