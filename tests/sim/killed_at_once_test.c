/* What a node has acknowledged survives it: the node answers, and in the same moment it, its
 * containers and its disk are gone for good. (Horde: 50 of 50 lost when killed at once, 10 of 10
 * when cut off.) */
#include "tests/sim/sim.h"
#include "tests/unit.h"

#include <stdio.h>

enum { SEEDS = 100, FIRST_SEED = 7000, CHILDREN = 4 };

struct round {
    uint64_t awaited;
    bool answered;
};

/* Nothing that it sends after the answer arrives anywhere, not even from the same step. */
static void watch_reply(struct sim *sim, size_t index, const struct reply *reply)
{
    struct round *round = sim->watcher;
    if (reply->id != round->awaited || reply->status != 200)
        return;
    round->answered = true;
    for (size_t i = 0; i < sim->count; i++)
        if (i != index)
            sim_cut(sim, index, i, true);
}

static bool is_answered(struct sim *sim)
{
    return ((struct round *)sim->watcher)->answered;
}

static void play(uint64_t seed)
{
    struct sim sim;
    struct round round = {.awaited = 0};
    sim_init(&sim, seed, 3 + seed % 3);
    sim.loss_percent = seed % 4 * 5;
    sim.delay_ms_max = 1 + seed % 20;
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 20000));
    sim.watcher = &round;
    sim.watch_reply = watch_reply;
    size_t asked = seed % sim.count;
    round.awaited = sim_put_workload(&sim, asked, "web", CHILDREN, NULL);
    CU_ASSERT_FATAL(sim_until(&sim, is_answered, 10000));
    CU_ASSERT_FALSE(sim_reply(&sim, round.awaited)->alone);
    sim_kill(&sim, asked);
    sim_kill_engine(&sim, asked);
    sim_forget_disk(&sim, asked);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
    size_t running = sim_running(&sim, "web", NULL);
    CU_ASSERT_EQUAL(running, CHILDREN);
    if (running != CHILDREN)
        printf("\n  seed %llu: %zu of %d run\n", (unsigned long long)seed, running, CHILDREN);
    sim_release(&sim);
}

static void a_hundred_times_nothing_is_lost(void)
{
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++)
        play(seed);
}

UNIT_MAIN("killed at once", {"a hundred times nothing is lost", a_hundred_times_nothing_is_lost})
