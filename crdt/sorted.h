/* Entries sorted by a 64-bit number, then by key: private to crdt/.
 *
 * The same structure is the table (number: the key's hash) and each replica's index (number: the
 * counter of its latest dot on the key). */
#ifndef CRDT_SORTED_H
#define CRDT_SORTED_H

#include "crdt/bytes.h"

struct awmap_entry;

struct slot {
    uint64_t order;
    struct awmap_entry *entry;
};

struct run {
    uint64_t first; /* slots[0].order */
    struct slot *slots;
    uint32_t count, capacity;
};

/* Zeroed memory is empty. Without runs there is at most one slot, and it is in here: of most
 * replicas a map has nothing but their member's record. */
struct sorted {
    union {
        struct run *runs;
        struct slot only;
    };
    uint32_t count, capacity; /* of runs */
    size_t total;             /* of slots */
};

/* Where a slot is; valid, like the slots themselves, until the next insert or remove. */
struct place {
    uint32_t run, slot;
};

void sorted_release(struct sorted *sorted);
/* The entry must not be there yet (insert), must be there (remove). */
void sorted_insert(struct sorted *sorted, uint64_t order, struct awmap_entry *entry);
void sorted_remove(struct sorted *sorted, uint64_t order, const struct awmap_entry *entry);
/* The first slot not before (order, key). */
struct place sorted_seek(const struct sorted *sorted, uint64_t order, struct span key);
struct place sorted_after(const struct sorted *sorted, uint64_t order, struct span key);
/* NULL at the end. */
const struct slot *sorted_at(const struct sorted *sorted, struct place place);
const struct slot *sorted_step(const struct sorted *sorted, struct place *place);
struct awmap_entry *sorted_find(const struct sorted *sorted, uint64_t order, struct span key);
/* Ends the process if the structure's own invariants are broken. O(n). */
void sorted_check(const struct sorted *sorted);

#endif
