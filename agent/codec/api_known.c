#include "agent/codec/api_known.h"

#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"

uint64_t api_known_hash(const struct api_key *key)
{
    uint64_t ns = placement_hash(key->ns, strlen(key->ns));
    uint64_t name = placement_hash(key->name, strlen(key->name));
    return placement_hash_pair(placement_hash_pair(ns, name), key->ordinal) | 1;
}

/* Where it is, or would be. */
static size_t known_slot(const struct api_known *known, uint64_t hash)
{
    size_t at = hash >> 1 & (known->capacity - 1);
    while (known->slots[at] && known->slots[at] != hash)
        at = (at + 1) & (known->capacity - 1);
    return at;
}

bool api_known_has(const struct api_known *known, uint64_t hash)
{
    return known->count > 0 && known->slots[known_slot(known, hash)] == hash;
}

static void known_grow(struct api_known *known)
{
    struct api_known larger = {.capacity = known->capacity ? 2 * known->capacity : 8};
    larger.slots = xcalloc(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < known->capacity; i++)
        if (known->slots[i])
            api_known_add(&larger, known->slots[i]);
    api_known_release(known);
    *known = larger;
}

void api_known_add(struct api_known *known, uint64_t hash)
{
    if (4 * (known->count + 1) > 3 * known->capacity)
        known_grow(known);
    size_t at = known_slot(known, hash);
    known->count += known->slots[at] == 0;
    known->slots[at] = hash;
}

/* What stands behind it in the same run may have been pushed there by it: it is put in anew. */
void api_known_remove(struct api_known *known, uint64_t hash)
{
    if (!api_known_has(known, hash))
        return;
    size_t at = known_slot(known, hash);
    known->slots[at] = 0;
    known->count--;
    for (at = (at + 1) & (known->capacity - 1); known->slots[at];
         at = (at + 1) & (known->capacity - 1)) {
        uint64_t moved = known->slots[at];
        known->slots[at] = 0;
        known->slots[known_slot(known, moved)] = moved;
    }
}

void api_known_copy(struct api_known *to, const struct api_known *from)
{
    api_known_release(to);
    *to = *from;
    if (from->capacity > 0)
        to->slots = xmemdup(from->slots, from->capacity * sizeof *from->slots);
}

void api_known_release(struct api_known *known)
{
    free(known->slots);
    *known = (struct api_known){0};
}
