/* What all strategies share: their names, which phases may run a child, and the ring over those. */
#include "placement/strategy.h"

#include <stdlib.h>
#include <string.h>

const struct placement_strategy *placement_strategy_by_name(const char *name)
{
    static const struct placement_strategy *const built[] = {&placement_uniform,
                                                             &placement_uniform_random};
    for (size_t i = 0; i < sizeof built / sizeof *built; i++)
        if (strcmp(name, built[i]->name) == 0)
            return built[i];
    return NULL;
}

bool placement_phase_may_run(enum placement_phase phase)
{
    return phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT;
}

/* Members that may not run stay in the array, without points: ring indices are member indices. */
void placement_ring_build(struct ring *ring, const struct placement_member *members, size_t count)
{
    struct ring_member *ring_members = calloc(count + 1, sizeof *ring_members);
    if (!ring_members)
        abort(); /* see ring.c */
    for (size_t i = 0; i < count; i++) {
        bool may_run = placement_phase_may_run(members[i].phase);
        ring_members[i] = (struct ring_member){members[i].name, may_run ? members[i].weight : 0};
    }
    ring_build(ring, ring_members, count);
    free(ring_members);
}
