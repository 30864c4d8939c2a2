/* Entries sorted by a 64-bit number, then by key: private to crdt/.
 *
 * The same structure is the table (number: the key's hash) and each replica's index (number: the
 * counter of its latest dot on the key). */
#ifndef CRDT_SORTED_H
#define CRDT_SORTED_H

#include "crdt/bytes.h"

struct awmap_entry;
struct run;

struct slot {
    uint64_t order;
    union {
        struct awmap_entry *entry;
        struct run *run; /* in a run of runs, which only sorted.c sees */
    };
};

/* Zeroed memory is empty. A single slot is in here: of most replicas a map has nothing but their
 * member's record. With more, `none` is NULL, and all is below `top`. */
struct sorted {
    union {
        struct slot only;
        struct {
            struct run *top;
            struct awmap_entry *none; /* at the place of only.entry */
        };
    };
};

/* Where a slot is; valid, like the slots themselves, until the next insert or remove. */
struct place {
    uint32_t run, slot;
};

void sorted_release(struct sorted *sorted);
bool sorted_is_empty(const struct sorted *sorted);
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
/* Ends the process if the structure's own invariants are broken. Returns how many slots. O(n). */
size_t sorted_check(const struct sorted *sorted);

#endif
