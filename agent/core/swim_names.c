/* Members by their names: a table of their hashes, each slot the next free one from its hash on.
 *
 * Every rumour names one or two members, and a large cluster's news are hundreds of thousands of
 * rumours. */
#include <stdlib.h>

#include "agent/core/swim_state.h"
#include "placement/hash.h"

enum { SLOTS_MIN = 8 };

static uint32_t names_hash(struct span name)
{
    return (uint32_t)(placement_hash(name.data, name.bytes) >> 32);
}

static bool names_equal(const struct swim_member *member, struct span name)
{
    return span_equal(swim_member_name(member), name);
}

static void names_place(struct swim_names *names, struct swim_member *member)
{
    size_t at = member->hash & (names->capacity - 1);
    while (names->slots[at])
        at = (at + 1) & (names->capacity - 1);
    names->slots[at] = member;
}

/* Three quarters are taken at most. */
static void names_grow(struct swim_names *names)
{
    struct swim_names old = *names;
    names->capacity = old.capacity ? 2 * old.capacity : SLOTS_MIN;
    names->slots = xcalloc(names->capacity, sizeof *names->slots);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i])
            names_place(names, old.slots[i]);
    free(old.slots);
}

void swim_names_add(struct swim_names *names, struct swim_member *member)
{
    if (4 * (names->count + 1) > 3 * names->capacity)
        names_grow(names);
    member->hash = names_hash(swim_member_name(member));
    names_place(names, member);
    names->count++;
}

struct swim_member *swim_names_find(const struct swim_names *names, struct span name)
{
    if (names->count == 0)
        return NULL;
    uint32_t hash = names_hash(name);
    for (size_t at = hash & (names->capacity - 1); names->slots[at];
         at = (at + 1) & (names->capacity - 1))
        if (names->slots[at]->hash == hash && names_equal(names->slots[at], name))
            return names->slots[at];
    return NULL;
}

/* Those behind it, up to the next free slot, are placed anew: one may stand there because of it. */
void swim_names_remove(struct swim_names *names, const struct swim_member *member)
{
    size_t mask = names->capacity - 1, at = member->hash & mask;
    while (names->slots[at] != member)
        at = (at + 1) & mask;
    names->slots[at] = NULL;
    names->count--;
    for (at = (at + 1) & mask; names->slots[at]; at = (at + 1) & mask) {
        struct swim_member *behind = names->slots[at];
        names->slots[at] = NULL;
        names_place(names, behind);
    }
}
