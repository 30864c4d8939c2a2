/* Uniform: a child belongs where the ring says, among those that may run it; always a quorum.
 *
 * The ring spans all members that may run anything, so it is built once per change of membership;
 * who is eligible differs from child to child and is passed over in the walk. A child whose first
 * candidate is not eligible goes to the next one; all other children stay where they are. */
#include <assert.h>

#include "placement/strategy.h"

static size_t uniform_choose(const struct placement_view *view, const struct placement_child *child,
                             uint32_t *ret_members, size_t max)
{
    assert(view->ring->member_count == view->count);
    size_t count = 0;
    struct ring_walk walk;
    ring_walk_begin(&walk, view->ring, child->id_hash);
    while (count < max) {
        uint32_t index = ring_walk_next(&walk);
        if (index == RING_NONE)
            break;
        const struct placement_member *member = &view->members[index];
        if (member->eligible && placement_phase_may_run(member->phase))
            ret_members[count++] = index;
    }
    ring_walk_release(&walk);
    return count;
}

/* Both sides of a split run everything: availability first. */
static bool uniform_has_quorum(const struct placement_view *view)
{
    (void)view;
    return true;
}

const struct placement_strategy placement_uniform = {
    .name = "Uniform",
    .choose = uniform_choose,
    .has_quorum = uniform_has_quorum,
};
