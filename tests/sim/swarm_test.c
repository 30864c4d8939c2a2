/* Random faults from a seed, then a healed world that must come to rest: every wanted child once,
 * nothing else, all maps alike, nothing acknowledged lost, nothing in flight, a quiet network.
 * SIM_SEEDS sets how many seeds, SIM_SEED the first; a failing seed is printed and enough to repeat
 * it. */
#include "tests/sim/faults.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUIET_MS = 10000,
    QUIET_BYTES = 500, /* per node and second, at three to five nodes */
    QUIET_TICKS = 40,
};

static bool swarm_is_quiet(struct sim *sim)
{
    uint64_t bytes[SWARM_NODES_MAX], ticks[SWARM_NODES_MAX], started = sim->started;
    bool quiet = true;
    for (size_t i = 0; i < sim->count; i++) {
        bytes[i] = sim->nodes[i].sent_bytes;
        ticks[i] = sim->nodes[i].ticks;
    }
    sim_run(sim, QUIET_MS);
    for (size_t i = 0; i < sim->count; i++) {
        bytes[i] = (sim->nodes[i].sent_bytes - bytes[i]) * 1000 / QUIET_MS;
        ticks[i] = (sim->nodes[i].ticks - ticks[i]) * 1000 / QUIET_MS;
        if (bytes[i] <= QUIET_BYTES && ticks[i] <= QUIET_TICKS)
            continue;
        printf("\n%s sends %llu bytes/s and ticks %llu times a second at rest\n",
               sim->nodes[i].name, (unsigned long long)bytes[i], (unsigned long long)ticks[i]);
        quiet = false;
    }
    if (sim->started != started)
        printf("\nsomething was started at rest\n");
    return quiet && sim->started == started;
}

static bool strangers_live(struct sim *sim)
{
    for (size_t i = 0; i < sim->container_count; i++)
        if (sim->containers[i].untouchable &&
            sim->containers[i].container.state != CONTAINER_RUNNING)
            return false;
    return true;
}

static const char *swarm_verdict(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    if (!sim_until(sim, sim_all_alive, 60000))
        return "not all alive";
    if (!sim_until(sim, sim_is_converged, 700000)) /* back-off and declines may be minutes long */
        return "not converged";
    if (!sim_until(sim, sim_is_still, 10000))
        return "operations in flight";
    if (!sim_until(sim, sim_maps_are_equal, 20000))
        return "maps differ";
    swarm_settle_edits(swarm);
    if (!swarm->on[FAULT_DISK] && !swarm_edits_are_kept(swarm))
        return "an acknowledged edit is lost";
    sim_run(sim, 5000); /* last statuses */
    if (!swarm_is_quiet(sim))
        return "not quiet";
    if (!sim_is_converged(sim))
        return "not at rest";
    if (sim->violations > 0 || !strangers_live(sim))
        return "violation";
    return NULL;
}

static bool swarm_run(uint64_t seed)
{
    struct swarm swarm;
    struct sim *sim = &swarm.sim;
    swarm_begin(&swarm, seed);
    sim_start_all(sim);
    sim_run(sim, random_below(&swarm.random, 4000));
    size_t faults = 10 + (size_t)random_below(&swarm.random, 60);
    for (size_t i = 0; i < faults; i++) {
        swarm_fault(&swarm);
        sim_run(sim, random_below(&swarm.random, 1500));
        swarm_settle_edits(&swarm);
        for (size_t j = 0; j < sim->count; j++)
            if (sim->nodes[j].node)
                node_check(sim->nodes[j].node);
    }
    swarm_heal(&swarm);
    const char *verdict = swarm_verdict(&swarm);
    if (verdict) {
        printf("\nseed %llu: %s\n", (unsigned long long)seed, verdict);
        if (getenv("SIM_PRINT"))
            sim_print(sim);
    }
    sim_release(sim);
    return !verdict;
}

static void every_seed_comes_to_rest(void)
{
    const char *count = getenv("SIM_SEEDS"), *first = getenv("SIM_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1,
             seeds = count ? strtoull(count, NULL, 10) : 100;
    printf("(seeds %llu to %llu) ", (unsigned long long)seed,
           (unsigned long long)(seed + seeds - 1));
    fflush(stdout);
    for (; seeds > 0; seeds--, seed++)
        CU_ASSERT(swarm_run(seed));
}

UNIT_MAIN("swarm", {"every seed comes to rest", every_seed_comes_to_rest})
