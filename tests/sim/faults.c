/* The faults of the swarm. */
#include "tests/sim/faults.h"

#include <stdio.h>
#include <string.h>

static size_t swarm_below(struct swarm *swarm, size_t bound)
{
    return (size_t)random_below(&swarm->random, bound);
}

static bool swarm_half(struct swarm *swarm)
{
    return swarm_below(swarm, 2) == 1;
}

void swarm_begin(struct swarm *swarm, uint64_t seed)
{
    struct sim *sim = &swarm->sim;
    *swarm = (struct swarm){.random = random_of(seed), .seed = seed};
    sim_init(sim, seed, 3 + swarm_below(swarm, SWARM_NODES_MAX - 2));
    for (size_t i = 0; i < FAULT_COUNT; i++)
        swarm->on[i] = swarm_half(swarm);
    swarm->on[FAULT_EDIT] = swarm->on[FAULT_START] = true;
    sim->loss_percent = swarm_half(swarm) ? (uint32_t)swarm_below(swarm, 20) : 0;
    sim->duplicate_percent = swarm_half(swarm) ? 10 : 0;
    sim->delay_ms_max = swarm_half(swarm) ? 60 : 2;
    sim->drain_timeout_ms = 5000;
    sim->engine_grace_ms = 4000;
    for (size_t i = 0; i < sim->count; i++) {
        if (swarm->on[FAULT_CLOCK])
            sim->nodes[i].wall_offset_ms = (int64_t)swarm_below(swarm, 600000) - 300000;
        sim_add_foreign(sim, i, NULL);
        sim_add_foreign(sim, i, "stranger");
    }
}

/* --- Of processes and disks ------------------------------------------------------------------ */

/* Containers that outlive all memory of them are orphans, which nobody may stop: not played here,
 * so a disk goes only together with the power. */
static void fault_crash(struct swarm *swarm, size_t index)
{
    struct sim *sim = &swarm->sim;
    bool power = swarm_half(swarm);
    sim_kill(sim, index);
    if (power)
        sim_kill_engine(sim, index);
    if (swarm_half(swarm))
        sim_drop_unsynced(sim, index);
    if (power && swarm->on[FAULT_DISK] && swarm_below(swarm, 3) == 0) {
        if (swarm_half(swarm))
            sim_forget_disk(sim, index);
        else
            sim_restore_disk(sim, index);
    }
}

static void fault_quick_restart(struct swarm *swarm, size_t index)
{
    sim_kill(&swarm->sim, index);
    if (swarm_half(swarm))
        sim_drop_unsynced(&swarm->sim, index);
    sim_run(&swarm->sim, swarm_below(swarm, 100));
    sim_start(&swarm->sim, index);
}

/* --- Of engines ------------------------------------------------------------------------------ */

static void fault_engine(struct swarm *swarm, size_t index)
{
    struct sim *sim = &swarm->sim;
    switch (swarm_below(swarm, 3)) {
    case 0:
        sim_engine_state(sim, index, false);
        break;
    case 1:
        sim_engine_state(sim, index, true);
        break;
    default: /* it restarts, and all its containers end */
        sim_engine_state(sim, index, false);
        sim_kill_engine(sim, index);
        sim_run(sim, swarm_below(swarm, 500));
        sim_engine_state(sim, index, true);
    }
}

static void fault_engine_weather(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    sim->slow_ms_max = swarm_half(swarm) ? swarm_below(swarm, 3000) : 0;
    sim->fail_percent = swarm_half(swarm) ? (uint32_t)swarm_below(swarm, 40) : 0;
    sim->list_fail_percent = swarm_half(swarm) ? 50 : 0;
    sim->late_percent = swarm_half(swarm) ? (uint32_t)swarm_below(swarm, 40) : 0;
    sim->lose_hint_percent = swarm_half(swarm) ? (uint32_t)swarm_below(swarm, 60) : 0;
}

static void fault_container(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t at = swarm_below(swarm, sim->container_count);
    if (sim->containers[at].container.state != CONTAINER_RUNNING || sim->containers[at].untouchable)
        return;
    if (swarm_below(swarm, 4) == 0)
        sim_vanish(sim, at);
    else
        sim_exit(sim, at, (int)swarm_below(swarm, 2));
}

/* --- Of users -------------------------------------------------------------------------------- */

static void fault_delete_child(struct swarm *swarm, size_t index)
{
    struct request request = {.kind = REQUEST_DELETE_CHILD};
    TEXT_SET(request.child.ns, "default");
    snprintf(request.child.workload, sizeof request.child.workload, "w%zu",
             swarm_below(swarm, WORKLOADS));
    request.child.ordinal = (uint32_t)swarm_below(swarm, 6);
    sim_request(&swarm->sim, index, &request);
}

static void fault_member(struct swarm *swarm, size_t index, size_t other, enum request_kind kind)
{
    struct request request = {.kind = kind, .flag = swarm_half(swarm)};
    TEXT_SET(request.name, swarm->sim.nodes[other].name);
    sim_request(&swarm->sim, index, &request);
}

static uint64_t swarm_set_members(struct swarm *swarm, size_t index, uint32_t mask)
{
    static char members[SWARM_NODES_MAX][NAME_BYTES_MAX + 1];
    static uint64_t generation = 1;
    struct supervisor supervisor = {.generation = 0};
    char document[] = "{}";
    supervisor_set_defaults(&supervisor, "default");
    supervisor.generation = ++generation;
    supervisor.document = document;
    supervisor.document_bytes = 2;
    supervisor.members_auto = mask == 0;
    supervisor.members = members;
    for (size_t i = 0; i < swarm->sim.count; i++)
        if (mask >> i & 1)
            TEXT_SET(members[supervisor.member_count++], swarm->sim.nodes[i].name);
    struct request request = {.kind = REQUEST_PUT_SUPERVISOR, .supervisor = &supervisor};
    return sim_request(&swarm->sim, index, &request);
}

/* --- One of them ----------------------------------------------------------------------------- */

static void fault_on_running(struct swarm *swarm, enum fault fault, size_t index, size_t other)
{
    struct sim *sim = &swarm->sim;
    if (!sim->nodes[index].node || sim->nodes[index].frozen)
        return;
    switch (fault) {
    case FAULT_EDIT:
        swarm_edit(swarm, index);
        break;
    case FAULT_DELETE_CHILD:
        fault_delete_child(swarm, index);
        break;
    case FAULT_CRASH:
        fault_crash(swarm, index);
        break;
    case FAULT_QUICK_RESTART:
        fault_quick_restart(swarm, index);
        break;
    case FAULT_FREEZE:
        sim_freeze(sim, index, true);
        break;
    case FAULT_ENGINE:
        fault_engine(swarm, index);
        break;
    case FAULT_SIGTERM:
        sim_stop(sim, index);
        break;
    case FAULT_LEAVE:
        fault_member(swarm, index, index, REQUEST_LEAVE);
        break;
    case FAULT_FORGET:
        fault_member(swarm, index, other, REQUEST_FORGET);
        break;
    case FAULT_CORDON:
        fault_member(swarm, index, other, REQUEST_SET_UNSCHEDULABLE);
        break;
    case FAULT_MEMBERS:
        swarm_set_members(swarm, index, (uint32_t)swarm_below(swarm, 1u << sim->count));
        break;
    default:
        break;
    }
}

void swarm_fault(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t index = swarm_below(swarm, sim->count), other = swarm_below(swarm, sim->count);
    enum fault fault = (enum fault)swarm_below(swarm, FAULT_COUNT);
    if (swarm_below(swarm, 3) == 0)
        fault = FAULT_EDIT;
    if (!swarm->on[fault])
        return;
    switch (fault) {
    case FAULT_START:
        if (!sim->nodes[index].node)
            sim_start(sim, index);
        else
            sim_freeze(sim, index, false);
        break;
    case FAULT_CUT:
        if (index != other)
            sim_cut(sim, index, other, swarm_half(swarm));
        break;
    case FAULT_CONTAINER:
        fault_container(swarm);
        break;
    case FAULT_DISK:
        sim_copy_disk(sim, index);
        break;
    case FAULT_ENGINE_WEATHER:
        fault_engine_weather(swarm);
        break;
    case FAULT_CLOCK:
        sim->nodes[index].wall_offset_ms += (int64_t)swarm_below(swarm, 7200000) - 3600000;
        break;
    case FAULT_IMAGE:
        sim->bad_image = swarm_half(swarm) ? "image:1" : NULL;
        sim->bad_image_node = swarm_half(swarm) ? &sim->nodes[index] : NULL;
        break;
    default:
        fault_on_running(swarm, fault, index, other);
    }
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
    return swarm_set_members(swarm, 0, 0);
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
    sim->list_fail_percent = sim->late_percent = sim->lose_hint_percent = 0;
    sim->slow_ms_max = 0;
    sim->bad_image = NULL;
    sim_heal_cuts(sim);
    for (size_t i = 0; i < sim->count; i++)
        sim_freeze(sim, i, false);
    sim_until(sim, no_one_drains, 60000);
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i].node)
            sim_start(sim, i);
        if (sim->nodes[i].engine_dead)
            sim_engine_state(sim, i, true);
    }
    sim_run(sim, 3000);
    if (swarm->on[FAULT_MEMBERS])
        heal_request(swarm, heal_members, 0);
    for (size_t i = 0; swarm->on[FAULT_CORDON] && i < sim->count; i++)
        heal_request(swarm, heal_cordon, i);
}
