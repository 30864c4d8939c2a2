/* Random faults from a seed, then a healed world that must come to rest: every wanted child once,
 * nothing else, all maps alike. SIM_SEEDS sets how many seeds, SIM_SEED the first; a failing seed
 * is printed and enough to repeat it. */
#include "tests/sim/sim.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKLOADS = 4 };

struct swarm {
    struct sim sim;
    struct random random; /* of the faults, apart from the world's own */
    char last[WORKLOADS][8];
    uint64_t acknowledged_writes;
};

static size_t swarm_below(struct swarm *swarm, size_t bound)
{
    return (size_t)random_below(&swarm->random, bound);
}

static void swarm_edit(struct swarm *swarm, size_t index)
{
    char name[8];
    snprintf(name, sizeof name, "w%zu", swarm_below(swarm, WORKLOADS));
    if (swarm_below(swarm, 4) == 0)
        sim_delete_workload(&swarm->sim, index, name);
    else
        sim_put_workload(&swarm->sim, index, name, (uint32_t)swarm_below(swarm, 8), NULL);
}

static void swarm_crash(struct swarm *swarm, size_t index)
{
    sim_kill(&swarm->sim, index);
    bool power = swarm_below(swarm, 2);
    if (power)
        sim_kill_engine(&swarm->sim, index);
    if (swarm_below(swarm, 2))
        sim_drop_unsynced(&swarm->sim, index);
    /* Containers that outlive all memory of them are orphans, which nobody may stop: not played
     * here. */
    if (power && swarm_below(swarm, 4) == 0)
        sim_forget_disk(&swarm->sim, index);
}

static void swarm_fault(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t index = swarm_below(swarm, sim->count), other = swarm_below(swarm, sim->count);
    bool runs = sim->nodes[index].node != NULL;
    switch (swarm_below(swarm, 8)) {
    case 0:
    case 1:
        if (runs)
            swarm_edit(swarm, index);
        break;
    case 2:
        if (runs)
            swarm_crash(swarm, index);
        break;
    case 3:
    case 4:
        if (!runs)
            sim_start(sim, index);
        break;
    case 5:
        if (index != other)
            sim_cut(sim, index, other, swarm_below(swarm, 2));
        break;
    case 6:
        sim_freeze(sim, index, runs && swarm_below(swarm, 2));
        break;
    default:
        if (sim->container_count > 0) {
            size_t at = swarm_below(swarm, sim->container_count);
            if (sim->containers[at].container.state == CONTAINER_RUNNING)
                sim_exit(sim, at, (int)swarm_below(swarm, 2));
        }
    }
}

static void swarm_heal(struct sim *sim)
{
    sim->loss_percent = sim->duplicate_percent = 0;
    memset(sim->cut, 0, sizeof sim->cut);
    for (size_t i = 0; i < sim->count; i++) {
        sim_freeze(sim, i, false);
        if (!sim->nodes[i].node)
            sim_start(sim, i);
    }
}

static bool swarm_maps_are_alike(struct sim *sim)
{
    for (size_t i = 1; i < sim->count; i++) {
        struct query_counts a = query_counts(sim->nodes[0].node),
                            b = query_counts(sim->nodes[i].node);
        if (a.keys != b.keys || a.workloads != b.workloads || a.names != b.names ||
            a.members != b.members)
            return false;
    }
    return true;
}

static bool swarm_run(uint64_t seed)
{
    struct swarm swarm = {.random = random_of(seed)};
    struct sim *sim = &swarm.sim;
    sim_init(sim, seed, 3 + swarm_below(&swarm, 3));
    sim->loss_percent = swarm_below(&swarm, 2) ? (uint32_t)swarm_below(&swarm, 20) : 0;
    sim->duplicate_percent = swarm_below(&swarm, 2) ? 10 : 0;
    sim->delay_ms_max = swarm_below(&swarm, 2) ? 60 : 2;
    sim_start_all(sim);
    sim_run(sim, swarm_below(&swarm, 4000));
    size_t faults = 10 + swarm_below(&swarm, 40);
    for (size_t i = 0; i < faults; i++) {
        swarm_fault(&swarm);
        sim_run(sim, swarm_below(&swarm, 1500));
        for (size_t j = 0; j < sim->count; j++)
            if (sim->nodes[j].node)
                node_check(sim->nodes[j].node);
    }
    swarm_heal(sim);
    sim_run(sim, 3000);
    bool good = sim_until(sim, sim_all_alive, 40000);
    good = good && sim_until(sim, sim_is_converged, 360000); /* back-off may be minutes long */
    good = good && sim_until(sim, swarm_maps_are_alike, 10000);
    if (!good) {
        printf("\nseed %llu did not come to rest\n", (unsigned long long)seed);
        sim_print(sim);
    }
    sim_release(sim);
    return good;
}

static void every_seed_comes_to_rest(void)
{
    const char *count = getenv("SIM_SEEDS"), *first = getenv("SIM_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1,
             seeds = count ? strtoull(count, NULL, 10) : 150;
    printf("(seeds %llu to %llu) ", (unsigned long long)seed,
           (unsigned long long)(seed + seeds - 1));
    for (; seeds > 0; seeds--, seed++)
        CU_ASSERT(swarm_run(seed));
}

UNIT_MAIN("swarm", {"every seed comes to rest", every_seed_comes_to_rest})
