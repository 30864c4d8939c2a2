/* What discovery suggests becomes contacts: addresses that are greeted until somebody there
 * welcomes us (membership_greet.c).
 *
 * A suggestion says where to ask, never who belongs. Where a member that we reach has its address
 * nobody needs to be asked, so in a cluster that has come together none of the places is taken,
 * however many are suggested. A suggestion that nobody has answered loses its place when it is not
 * made any more, or when others wait for it: some of thousands may long be gone. Members are not
 * touched by any of this: an answer that names fewer, or none, takes nobody out. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"

enum { SUGGESTED_TRIES = 5 }; /* about 6 s without an answer: others may have the place */

static int address_order(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Its index, or `count`. */
static size_t suggested_index(const char *const *addresses, size_t count, const char *address)
{
    const char *const *found =
        count ? bsearch(&address, addresses, count, sizeof *addresses, address_order) : NULL;
    return found ? (size_t)(found - addresses) : count;
}

/* Who of them need not be asked: ourselves, and whom we reach. */
static bool *suggested_known(struct node *node, const char *const *addresses, size_t count)
{
    bool *known = xcalloc(count + 1, sizeof *known); /* the last one is everybody else's */
    known[suggested_index(addresses, count, node->gossip_address)] = true;
    const struct index *members = &node->membership.members;
    for (const struct member *m = index_after(members, span_text("")); m;
         m = index_after(members, span_text(m->name)))
        if (member_phase_is_reachable(swim_phase(node->swim, m->name)))
            known[suggested_index(addresses, count, m->address)] = true;
    return known;
}

/* Returns how many places are still taken. */
static size_t suggested_drop(struct node *node, const char *const *addresses, size_t count,
                             const bool *known, bool crowded)
{
    struct membership *membership = &node->membership;
    size_t taken = 0;
    for (size_t i = 0; i < membership->contact_count;) {
        struct contact *contact = &membership->contacts[i];
        size_t index = suggested_index(addresses, count, contact->address);
        bool tired = crowded && contact->tries >= SUGGESTED_TRIES;
        if (contact->suggested && (index == count || known[index] || tired)) {
            *contact = membership->contacts[--membership->contact_count];
            continue;
        }
        taken += contact->suggested;
        i++;
    }
    return taken;
}

static bool suggested_add(struct node *node, const char *address)
{
    if (membership_contact(node, address))
        return false;
    struct contact *contact = membership_contact_new(&node->membership, address);
    contact->suggested = true;
    contact->next_ms = node->now.mono_ms;
    return true;
}

void membership_suggest(struct node *node, const char *const *addresses, size_t count)
{
    bool *known = suggested_known(node, addresses, count);
    size_t unknown = 0;
    node->membership.suggested_alone =
        count == 1 && strcmp(addresses[0], node->gossip_address) == 0;
    for (size_t i = 0; i < count; i++)
        unknown += !known[i];
    size_t taken = suggested_drop(node, addresses, count, known, unknown > SUGGESTED_MAX);
    /* First from anywhere: who starts with a thousand others does not ask the same few as they do.
     * Then from where it ended, so that each has its turn. */
    size_t first = node->membership.suggested_next;
    if (first == 0)
        first = (size_t)random_next(&node->random);
    for (size_t i = 0; i < count && taken < SUGGESTED_MAX; i++) {
        first = (first + 1) % count;
        taken += !known[first] && suggested_add(node, addresses[first]);
    }
    node->membership.suggested_next = first;
    free(known);
}
