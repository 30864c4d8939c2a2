/* The swarm's world: how it begins, how its conditions change, and how it heals. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/faults.h"

enum {
    LEASE_PPM = 10000,   /* 1 %, by which no clock is wrong by more */
    LOOK_MS_MAX = 20000, /* after its start half of the agents are looked at, so late at most */
};

static size_t world_below(struct swarm *swarm, size_t bound)
{
    return (size_t)random_below(&swarm->random, bound);
}

static bool world_half(struct swarm *swarm)
{
    return world_below(swarm, 2) == 1;
}

/* One in this many times, else 0. */
static uint64_t world_rarely(struct swarm *swarm, size_t times, uint64_t bound)
{
    return world_below(swarm, times) == 0 ? 1 + world_below(swarm, bound) : 0;
}

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_EDIT] = "edit",
    [FAULT_DELETE_CHILD] = "delete-child",
    [FAULT_CRASH] = "crash",
    [FAULT_QUICK_RESTART] = "quick-restart",
    [FAULT_START] = "start",
    [FAULT_CUT] = "cut",
    [FAULT_CUT_ONE_WAY] = "cut-one-way",
    [FAULT_PARTITION] = "partition",
    [FAULT_FREEZE] = "freeze",
    [FAULT_CONTAINER] = "container",
    [FAULT_DISK] = "disk",
    [FAULT_DISK_FULL] = "disk-full",
    [FAULT_DISK_STUCK] = "disk-stuck",
    [FAULT_ENGINE] = "engine",
    [FAULT_ENGINE_WEATHER] = "engine-weather",
    [FAULT_CLOCK] = "clock",
    [FAULT_SIGTERM] = "sigterm",
    [FAULT_DETACH] = "detach",
    [FAULT_LEAVE] = "leave",
    [FAULT_FORGET] = "forget",
    [FAULT_MEMBERS] = "members",
    [FAULT_IMAGE] = "image",
    [FAULT_CORDON] = "cordon",
    [FAULT_PURGE] = "purge",
    [FAULT_REST] = "rest",
};

static void world_draw_faults(struct swarm *swarm)
{
    enum { WILD = 8 };
    for (size_t i = 0; i < FAULT_COUNT; i++)
        if (world_half(swarm))
            swarm->weight[i] = world_below(swarm, 6) == 0 ? WILD : 1;
    if (world_below(swarm, 12) != 0)
        swarm->weight[FAULT_REST] = 0; /* it takes long */
    unsigned others = 0;
    for (size_t i = 0; i < FAULT_COUNT; i++)
        others += swarm->weight[i];
    swarm->weight[FAULT_EDIT] = 1 + others / 2; /* without edits there is nothing to lose */
    swarm->weight[FAULT_START] = 1 + others / 8;
}

static void world_draw_network(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    sim->loss_percent = world_half(swarm) ? (uint32_t)world_below(swarm, 20) : 0;
    sim->duplicate_percent = world_half(swarm) ? 10 : 0;
    sim->delay_ms_max = world_half(swarm) ? 60 : 2;
    sim->slow_link_percent = (uint32_t)world_rarely(swarm, 3, 40);
    sim->slow_link_ms = 1 + world_below(swarm, 300);
    sim->bytes_per_ms = world_rarely(swarm, 4, 200);
}

/* Drawn apart from the rest, so that seeds of before keep their faults. */
static void world_draw_places(struct swarm *swarm)
{
    static const char *const zones[] = {"", "a", "b"};
    struct sim *sim = &swarm->sim;
    struct random random = random_of(~swarm->seed);
    if (random_below(&random, 3) == 0)
        sim->max_children = 1 + (uint32_t)random_below(&random, 4);
    else
        swarm->strategies = random_below(&random, 2) == 0 && sim->count <= ELECTORATE_MAX;
    bool zoned = random_below(&random, 3) == 0;
    for (size_t i = 0; zoned && i < sim->count; i++)
        sim->nodes[i].zone = zones[random_below(&random, 3)];
    if (sim->max_children > 0 && swarm->weight[FAULT_MEMBERS] == 0)
        swarm->weight[FAULT_MEMBERS] = 1; /* by which the limit is told */
}

/* Drawn apart, too. A guard has 0.07 of a lease for its kill, a stop all the grace there is. */
static void world_draw_leases(struct swarm *swarm)
{
    static const uint32_t seconds[] = {1, 1, 2, 3, 5, 5, 10, 20, 60};
    struct random random = random_of(~swarm->seed ^ 0x1ea5e);
    swarm->lease_seconds = seconds[random_below(&random, sizeof seconds / sizeof *seconds)];
    if (!swarm->strategies)
        return;
    swarm->sim.guard_slow_ms_max = swarm->lease_seconds * 70;
    swarm->sim.stubborn_percent = random_below(&random, 2) ? 40 : 0;
}

void swarm_begin(struct swarm *swarm, uint64_t seed, size_t nodes)
{
    struct sim *sim = &swarm->sim;
    *swarm = (struct swarm){.random = random_of(seed), .seed = seed};
    size_t drawn = 3 + world_below(swarm, world_below(swarm, 8) == 0 ? 7 : 3);
    sim_init(sim, seed, nodes > 0 ? nodes : drawn);
    sim->look_ms_max = LOOK_MS_MAX;
    world_draw_faults(swarm);
    world_draw_network(swarm);
    world_draw_places(swarm);
    sim->drain_timeout_ms = 5000;
    sim->engine_grace_ms = 4000;
    world_draw_leases(swarm);
    bool drift = world_half(swarm);
    for (size_t i = 0; i < sim->count; i++) {
        if (swarm->weight[FAULT_CLOCK])
            sim->nodes[i].wall_offset_ms = (int64_t)world_below(swarm, 600000) - 300000;
        if (drift)
            sim->nodes[i].drift_ppm = (int32_t)world_below(swarm, 10001) - 5000;
        if (drift && swarm->strategies) /* to the bound, mostly */
            sim->nodes[i].drift_ppm = sim->nodes[i].drift_ppm < 0 ? -LEASE_PPM : LEASE_PPM;
        sim_add_foreign(sim, i, NULL);
        sim_add_foreign(sim, i, "stranger");
    }
    swarm_check_begin(swarm);
    swarm->kinds = random_of(~seed);
    swarm->restarts = random_below(&swarm->kinds, 3) == 0;
    swarm->terminates = random_below(&swarm->kinds, 3) == 0;
    swarm->escalates = random_below(&swarm->kinds, 3) == 0;
    swarm->updates = random_below(&swarm->kinds, 3) == 0;
    swarm->probes = random_below(&swarm->kinds, 3) == 0;
    swarm->mover = random_of(seed ^ 0x6d6f766572);
    swarm->moves = random_below(&swarm->mover, 2) == 0;
    swarm->weighs = random_below(&swarm->mover, 2) == 0;
    for (size_t i = 0; i < sim->count; i++)
        sim->nodes[i].cpu_milli = 1000 + random_below(&swarm->mover, 4000);
    sim->may_finish = swarm->restarts || swarm->terminates;
}

void swarm_print_options(const struct swarm *swarm)
{
    const struct sim *sim = &swarm->sim;
    printf(
        "seed %llu: %zu nodes, loss %u %%, copies %u %%, delay to %llu ms, slow links %u %% by "
        "%llu ms, capacity %llu B/ms, drift %d ppm, %u children a node, leases %u s, faults:",
        (unsigned long long)swarm->seed, sim->count, sim->loss_percent, sim->duplicate_percent,
        (unsigned long long)sim->delay_ms_max, sim->slow_link_percent,
        (unsigned long long)sim->slow_link_ms, (unsigned long long)sim->bytes_per_ms,
        sim->nodes[0].drift_ppm, sim->max_children, swarm->lease_seconds);
    printf("%s%s%s%s%s%s%s", swarm->moves ? " moves" : "", swarm->strategies ? " strategies" : "",
           swarm->probes ? " probes" : "", swarm->restarts ? " restarts" : "",
           swarm->terminates ? " terminates" : "", swarm->escalates ? " escalates" : "",
           swarm->updates ? " updates" : "");
    for (size_t i = 0; i < FAULT_COUNT; i++)
        if (swarm->weight[i])
            printf(" %s*%u", fault_names[i], swarm->weight[i]);
    printf("\n");
    fflush(stdout);
}

void swarm_engine_weather(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    sim->slow_ms_max = world_half(swarm) ? world_below(swarm, 3000) : 0;
    sim->fail_percent = world_half(swarm) ? (uint32_t)world_below(swarm, 40) : 0;
    sim->list_fail_percent = world_half(swarm) ? 50 : 0;
    sim->late_percent = world_half(swarm) ? (uint32_t)world_below(swarm, 40) : 0;
    sim->lose_hint_percent = world_half(swarm) ? (uint32_t)world_below(swarm, 60) : 0;
    sim->lie_percent = (uint32_t)world_rarely(swarm, 3, 30);
}

void swarm_release(struct swarm *swarm)
{
    swarm_check_end(swarm);
    sim_release(&swarm->sim);
}

/* --- Healing --------------------------------------------------------------------------------- */

static void heal_request(struct swarm *swarm, uint64_t (*ask)(struct swarm *swarm, size_t which),
                         size_t which)
{
    for (int tries = 0; tries < 30; tries++) {
        uint64_t id = ask(swarm, which);
        for (int i = 0; i < 60 && !sim_reply(&swarm->sim, id); i++)
            sim_run(&swarm->sim, 100);
        if (sim_reply(&swarm->sim, id) && sim_reply(&swarm->sim, id)->status == 200)
            return;
        sim_run(&swarm->sim, 500);
    }
}

static uint64_t heal_members(struct swarm *swarm, size_t which)
{
    (void)which;
    return swarm_set_members(swarm, 0, SUPERVISOR_DEFAULT, 0);
}

static uint64_t heal_strategies(struct swarm *swarm, size_t which)
{
    return which == 0
               ? swarm_set_members(swarm, 0, SWARM_RANDOM, 0)
               : swarm_set_members(swarm, 0, SWARM_VOTERS, (UINT64_C(1) << swarm->sim.count) - 1);
}

static uint64_t heal_cordon(struct swarm *swarm, size_t which)
{
    struct request request = {.kind = REQUEST_SET_UNSCHEDULABLE};
    TEXT_SET(request.name, swarm->sim.nodes[which].name);
    return sim_request(&swarm->sim, 0, &request);
}

static bool no_one_drains(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && query_stopping(sim->nodes[i].node))
            return false;
    return true;
}

void swarm_heal(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    sim->loss_percent = sim->duplicate_percent = sim->fail_percent = 0;
    sim->list_fail_percent = sim->late_percent = sim->lose_hint_percent = sim->lie_percent = 0;
    sim->slow_ms_max = sim->bytes_per_ms = 0;
    sim->slow_link_percent = 0;
    sim->bad_image = NULL;
    sim_heal_cuts(sim);
    for (size_t i = 0; i < sim->count; i++) {
        sim_freeze(sim, i, false);
        sim->nodes[i].disk_stuck = false;
        sim_disk_room(sim, i, 1 << 30);
    }
    for (size_t i = 0; i < sim->container_count; i++)
        sim->containers[i].unready = sim->containers[i].hung = false;
    sim_until(sim, no_one_drains, 60000);
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i].node)
            sim_start(sim, i);
        if (sim->nodes[i].engine_dead)
            sim_engine_state(sim, i, true);
    }
    sim_run(sim, 3000);
    if (swarm->weight[FAULT_MEMBERS] || swarm->moves)
        heal_request(swarm, heal_members, 0);
    for (size_t i = 0; swarm->strategies && i < 2; i++)
        heal_request(swarm, heal_strategies, i);
    for (size_t i = 0; swarm->weight[FAULT_CORDON] && i < sim->count; i++)
        heal_request(swarm, heal_cordon, i);
}
