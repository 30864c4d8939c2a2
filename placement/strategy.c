/* What all strategies share: their names, which phases may run a child, and the ring over those. */
#include "placement/strategy.h"

#include <stdlib.h>
#include <string.h>

const struct placement_strategy *placement_strategy_by_name(const char *name)
{
    static const struct placement_strategy *const built[] = {
        &placement_uniform, &placement_uniform_random, &placement_uniform_quorum,
        &placement_least_requested};
    for (size_t i = 0; i < sizeof built / sizeof *built; i++)
        if (strcmp(name, built[i]->name) == 0)
            return built[i];
    return NULL;
}

bool placement_phase_may_run(enum placement_phase phase)
{
    return phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT;
}

/* Whoever may not run now keeps its points: who lives changes often, who belongs seldom, and to
 * pass over some points costs less than to sort all. */
void placement_ring_build(struct ring *ring, const struct placement_member *members, size_t count)
{
    struct ring_member *ring_members = calloc(count + 1, sizeof *ring_members);
    if (!ring_members)
        abort(); /* see ring.c */
    for (size_t i = 0; i < count; i++)
        ring_members[i] = (struct ring_member){members[i].name, members[i].weight};

    ring_build(ring, ring_members, count);
    free(ring_members);
}

uint32_t placement_owner(const struct placement_view *view, uint64_t key_hash)
{
    struct ring_walk walk;
    uint32_t index;
    ring_walk_begin(&walk, view->ring, key_hash);
    do
        index = ring_walk_next(&walk);
    while (index != RING_NONE && !placement_phase_may_run(view->members[index].phase));
    ring_walk_release(&walk);
    return index;
}
