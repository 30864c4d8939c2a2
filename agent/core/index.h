/* An ordered map from byte keys to pointers: a skip list whose levels come from a hash of the key,
 * so that equal contents have equal shape whatever the order of insertion, and a table of the same
 * hashes. Find, and successor of a key that is there: O(1). Insert, remove, successor of any key:
 * O(log n). Values are borrowed, keys copied or the values' own. */
#ifndef AGENT_CORE_INDEX_H
#define AGENT_CORE_INDEX_H

#include "agent/core/table.h"

enum { INDEX_LEVELS = 18, INDEX_KEY_AT_MAX = 2047 };

struct index_node;

/* Zeroed memory is empty. */
struct index {
    struct index_node *heads[INDEX_LEVELS];
    struct table table; /* the same nodes by hash */
};

size_t index_count(const struct index *index);
void *index_find(const struct index *index, struct span key);
/* The value with the smallest key greater than this one (or the first, for an empty key). NULL at
 * the end. */
void *index_after(const struct index *index, struct span key);
void index_insert(struct index *index, struct span key,
                  void *value); /* the key must not be there */
/* The same with a key that is in the value, INDEX_KEY_AT_MAX bytes from its begin at most, and
 * stays as long as it is here. */
void index_insert_own(struct index *index, struct span key, void *value);
void *index_remove(struct index *index, struct span key);            /* the value, or NULL */
void index_release(struct index *index, void (*free_value)(void *)); /* free_value may be NULL */

#endif
