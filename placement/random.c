/* UniformRandom: another member for each epoch of a child, and yet the same on every node.
 *
 * Highest random weight (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
 * 1998) over hash(child, epoch, node), where Horde shuffles on each node by itself: there two nodes
 * choose differently, and a lost child starts twice or not at all. A member of weight 0 takes none;
 * weights are not looked at otherwise. O(members x max), which is 64 at most. */
#include <string.h>

#include "placement/hash.h"
#include "placement/strategy.h"

struct draw {
    uint64_t hash;
    const char *name;
};

/* Equal hashes are ordered by name, so that all nodes agree whatever the order of the array. */
static bool draw_before(const struct draw *a, const struct draw *b)
{
    return a->hash != b->hash ? a->hash > b->hash : strcmp(a->name, b->name) < 0;
}

static struct draw draw_of(const struct placement_member *member, uint64_t child_hash)
{
    uint64_t name_hash = placement_hash(member->name, strlen(member->name));
    return (struct draw){placement_hash_pair(child_hash, name_hash), member->name};
}

static size_t random_choose(const struct placement_view *view, const struct placement_child *child,
                            uint32_t *ret_members, size_t max)
{
    uint64_t child_hash = placement_hash_pair(child->id_hash, child->epoch);
    size_t count = 0;
    for (uint32_t i = 0; i < view->count && max > 0; i++) {
        const struct placement_member *member = &view->members[i];
        if (!member->eligible || !placement_phase_may_run(member->phase) || member->weight == 0)
            continue;
        struct draw draw = draw_of(member, child_hash);
        size_t at = count < max ? count++ : max;
        for (; at > 0; at--) {
            struct draw better = draw_of(&view->members[ret_members[at - 1]], child_hash);
            if (draw_before(&better, &draw))
                break;
            if (at < max)
                ret_members[at] = ret_members[at - 1];
        }
        if (at < max)
            ret_members[at] = i;
    }
    return count;
}

static bool random_has_quorum(const struct placement_view *view)
{
    (void)view;
    return true;
}

const struct placement_strategy placement_uniform_random = {
    .name = "UniformRandom",
    .choose = random_choose,
    .has_quorum = random_has_quorum,
};
