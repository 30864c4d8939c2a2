/* The faults of the swarm, one at a time. */
#include "tests/sim/faults.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/node_private.h"

enum { REST_MS = 25 * 60000 }; /* two rounds of tidying */

static size_t swarm_below(struct swarm *swarm, size_t bound)
{
    return (size_t)random_below(&swarm->random, bound);
}

static bool swarm_half(struct swarm *swarm)
{
    return swarm_below(swarm, 2) == 1;
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
        sim_tear_disk(sim, index);
    if (power && swarm->weight[FAULT_DISK] && swarm_below(swarm, 3) == 0) {
        if (swarm_half(swarm)) {
            sim_forget_disk(sim, index);
        } else {
            sim_restore_disk(sim, index);
            swarm_check_note_old_image(swarm, index);
        }
    }
}

static void fault_quick_restart(struct swarm *swarm, size_t index)
{
    sim_kill(&swarm->sim, index);
    if (swarm_half(swarm))
        sim_tear_disk(&swarm->sim, index);
    sim_run(&swarm->sim, swarm_below(swarm, 100));
    sim_start(&swarm->sim, index);
}

static void fault_disk_condition(struct swarm *swarm, enum fault fault, size_t index)
{
    struct sim *sim = &swarm->sim;
    if (fault == FAULT_DISK_FULL)
        sim_disk_room(sim, index, swarm_half(swarm) ? swarm_below(swarm, 20000) : 1 << 30);
    else
        sim->nodes[index].disk_stuck = swarm_half(swarm);
}

static void fault_purge(struct swarm *swarm, size_t index)
{
    struct awmap *map = swarm->sim.nodes[index].node->map;
    if (awmap_changed_count(map) == 0)
        awmap_purge(map, SIZE_MAX);
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

static void fault_container(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t at = swarm_below(swarm, sim->container_count);
    if (sim->containers[at].container.state != CONTAINER_RUNNING || sim->containers[at].untouchable)
        return;
    struct sim_container *container = &sim->containers[at];
    if (swarm->probes && random_below(&swarm->kinds, 2) == 0) {
        container->unready = random_below(&swarm->kinds, 2) == 0;
        container->hung = random_below(&swarm->kinds, 3) == 0;
        return;
    }
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
    request.flag = swarm->terminates && random_below(&swarm->kinds, 2) == 0;
    sim_request(&swarm->sim, index, &request);
}

static void fault_member(struct swarm *swarm, size_t index, size_t other, enum request_kind kind)
{
    struct request request = {.kind = kind, .flag = swarm_half(swarm)};
    TEXT_SET(request.name, swarm->sim.nodes[other].name);
    sim_request(&swarm->sim, index, &request);
}

/* Mostly back in time: it is started again like anybody who is down. */
static void fault_detach(struct swarm *swarm, size_t index)
{
    struct request request = {.kind = REQUEST_DETACH,
                              .away_ms = DETACH_MS_MIN + swarm_below(swarm, 20000)};
    sim_request(&swarm->sim, index, &request);
}

static void swarm_draw_moves(struct swarm *swarm, struct supervisor *supervisor)
{
    struct random *random = &swarm->mover;
    bool votes = strcmp(supervisor->strategy, "UniformQuorum") == 0;
    supervisor->redistribution =
        random_below(random, 3) > 0 ? REDISTRIBUTION_ACTIVE : REDISTRIBUTION_PASSIVE;
    supervisor->order = !votes && random_below(random, 2) == 0 ? MOVE_START_FIRST : MOVE_STOP_FIRST;
    supervisor->max_concurrent_moves = 1 + (uint32_t)random_below(random, 3);
    supervisor->settle_seconds = (uint32_t)random_below(random, 5);
}

/* Somebody asks for a rebalance, or calls one off. */
static void swarm_rebalance(struct swarm *swarm, size_t index)
{
    static const char *const names[] = {SUPERVISOR_DEFAULT, SWARM_RANDOM, SWARM_VOTERS};
    struct request request = {.kind = REQUEST_REBALANCE,
                              .flag = random_below(&swarm->mover, 4) > 0};
    TEXT_SET(request.name, names[random_below(&swarm->mover, 3)]);
    if (swarm->sim.nodes[index].node && !swarm->sim.nodes[index].frozen)
        sim_request(&swarm->sim, index, &request);
}

uint64_t swarm_set_members(struct swarm *swarm, size_t index, const char *name, uint64_t mask)
{
    static char members[SWARM_NODES_MAX][NAME_BYTES_MAX + 1];
    struct supervisor supervisor = {.generation = 0};
    char document[] = "{}";
    supervisor_set_defaults(&supervisor, name);
    TEXT_SET(supervisor.strategy, strcmp(name, SWARM_VOTERS) == 0   ? "UniformQuorum"
                                  : strcmp(name, SWARM_RANDOM) != 0 ? "Uniform"
                                  : swarm->weighs                   ? "LeastRequested"
                                                                    : "UniformRandom");
    supervisor.generation = ++swarm->generations;
    supervisor.on_intensity = swarm->escalates ? INTENSITY_ESCALATE : INTENSITY_BACKOFF;
    supervisor.max_restarts = swarm->escalates ? (uint32_t)random_below(&swarm->kinds, 4) : 3;
    if (swarm->moves)
        swarm_draw_moves(swarm, &supervisor);
    supervisor.document = document;
    supervisor.document_bytes = 2;
    supervisor.members_auto = mask == 0;
    supervisor.lease_seconds = swarm->lease_seconds;
    supervisor.max_children = swarm->sim.max_children;
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
    case FAULT_DISK_FULL:
    case FAULT_DISK_STUCK:
        fault_disk_condition(swarm, fault, index);
        break;
    case FAULT_SIGTERM:
        sim_stop(sim, index);
        break;
    case FAULT_DETACH:
        fault_detach(swarm, index);
        break;
    case FAULT_LEAVE:
        fault_member(swarm, index, index, REQUEST_LEAVE);
        break;
    case FAULT_FORGET:
        fault_member(swarm, index, other, REQUEST_FORGET);
        break;
    case FAULT_CORDON:
        /* Not drawn, so that seeds of before keep their other faults. */
        fault_member(swarm, index, other,
                     sim->now_ms % 2 ? REQUEST_SET_UNSCHEDULABLE : REQUEST_DRAIN);
        break;
    case FAULT_PURGE:
        fault_purge(swarm, index);
        break;
    case FAULT_MEMBERS:
        swarm_set_members(swarm, index, SUPERVISOR_DEFAULT,
                          swarm_below(swarm, UINT64_C(1) << sim->count));
        if (swarm->strategies)
            swarm_set_members(swarm, index, SWARM_VOTERS,
                              random_below(&swarm->kinds, UINT64_C(1) << sim->count));
        break;
    default:
        break;
    }
}

static enum fault swarm_draw(struct swarm *swarm)
{
    unsigned total = 0;
    for (size_t i = 0; i < FAULT_COUNT; i++)
        total += swarm->weight[i];
    size_t at = swarm_below(swarm, total), fault = 0;
    while (at >= swarm->weight[fault])
        at -= swarm->weight[fault++];
    return (enum fault)fault;
}

/* Every node in one of two or three groups that do not hear each other. */
static void fault_partition(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t groups = swarm_half(swarm) ? 2 + swarm_below(swarm, 2) : 1;
    uint8_t group[SWARM_NODES_MAX];
    for (size_t i = 0; i < sim->count; i++)
        group[i] = (uint8_t)swarm_below(swarm, groups);
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < i; j++)
            sim_cut(sim, i, j, group[i] != group[j]);
}

/* With all processes awake: the mail of a frozen one would be carried round and round. */
static void fault_rest(struct swarm *swarm)
{
    if (swarm->rested)
        return;
    swarm->rested = true;
    for (size_t i = 0; i < swarm->sim.count; i++)
        sim_freeze(&swarm->sim, i, false);
    sim_run(&swarm->sim, REST_MS);
}

void swarm_fault(struct swarm *swarm)
{
    struct sim *sim = &swarm->sim;
    size_t index = swarm_below(swarm, sim->count), other = swarm_below(swarm, sim->count);
    enum fault fault = swarm_draw(swarm);
    if (swarm->moves && random_below(&swarm->mover, 6) == 0)
        swarm_rebalance(swarm, index);
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
    case FAULT_CUT_ONE_WAY:
        if (index != other)
            sim_cut_one_way(sim, index, other, swarm_half(swarm));
        break;
    case FAULT_PARTITION:
        fault_partition(swarm);
        break;
    case FAULT_CONTAINER:
        fault_container(swarm);
        break;
    case FAULT_DISK:
        sim_copy_disk(sim, index);
        break;
    case FAULT_REST:
        fault_rest(swarm);
        break;
    case FAULT_ENGINE_WEATHER:
        swarm_engine_weather(swarm);
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
