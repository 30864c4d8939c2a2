/* UniformQuorum: the ring of Uniform, while a majority of the voters is alive.
 *
 * Voters are the members, sorted by name; if their number is even, the first has no vote, but may
 * run children all the same (Horde's rule: with two members the second decides). Phases do not make
 * or unmake voters: who drains goes on voting, and who is dead goes on counting. So two sides of a
 * cut that know the same members never both have a quorum.
 *
 * This is where children are placed and whether they may run, as this node sees it. It is no fence:
 * a side that has lost its quorum notices it a moment after the other has gained it. */
#include "placement/strategy.h"

size_t placement_first_voter(size_t members)
{
    return members > 0 && members % 2 == 0;
}

bool placement_phase_votes(enum placement_phase phase)
{
    return placement_phase_may_run(phase) || phase == PLACEMENT_SHUTTING_DOWN;
}

static bool quorum_has_quorum(const struct placement_view *view)
{
    size_t first = placement_first_voter(view->count), alive = 0;
    for (size_t i = first; i < view->count; i++)
        alive += placement_phase_votes(view->members[i].phase);
    return 2 * alive > view->count - first;
}

static size_t quorum_choose(const struct placement_view *view, const struct placement_child *child,
                            uint32_t *ret_members, size_t max)
{
    return quorum_has_quorum(view) ? placement_uniform.choose(view, child, ret_members, max) : 0;
}

const struct placement_strategy placement_uniform_quorum = {
    .name = "UniformQuorum",
    .votes = true,
    .choose = quorum_choose,
    .has_quorum = quorum_has_quorum,
};
