/* Large clusters in the simulator: `scale NODES CHILDREN [SCENE...]`. One line per figure; exits 1
 * if a scene does not come to its end in time, or an idle cluster sends or is connected too much.
 *
 * Scenes, in the order given: cold (start of all, then all children), idle, event (one write, seen
 * by all), lose1, lose10 (a tenth at once), lose66 (two thirds), rolling (every node restarts in
 * turn, ten or a fiftieth of all at a time), split (in halves, and the heal). All but the first
 * need cold before them.
 *
 * What the simulator does for room and is no part of the program: a node's disk is written when its
 * process ends, from what it knew (sim.lazy_disk). Before the end nobody looks at what the agents
 * show (sim.nobody_looks), as in life at most agents of a large cluster. */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/core/node_private.h"
#include "tests/sim/sim_private.h"

enum {
    CHILDREN_PER_WORKLOAD = 100,
    IDLE_MS = 20000,
    SETTLE_MS = 20000, /* until the last statuses and rumours are out */
    PATIENCE_MS = 600000,
    LINK_MS = 10000,
    SEEDS = 5,
    ROLLING_AT_ONCE_MIN = 10,
    ROLLING_ROUNDS_MAX = 50,
    IDLE_BYTES_MAX = 512, /* a second, per node, whatever the keys and the nodes */
    MESH_MAX = 32,        /* nodes; above, each has two connections per doubling and a few more */
    LINKS_MORE = 8,       /* who greets it within 10 s: each greets one by lot every 30 s */
    LOOKED_AT = 50,       /* nodes, at the end */
};

struct scale {
    struct sim sim;
    size_t children, wanted;
    size_t checked_node, checked_other; /* where the last look at phases ended */
    double began_s;
    size_t broken; /* demands */
};

static struct scale scale;

/* Of the processor: others work on the machine. */
static double spent_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t memory_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static double peak_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib / 1024;
}

static void figure(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void figure(const char *name, const char *format, ...)
{
    va_list arguments;
    printf("%-44s ", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("   [%.0f s]\n", spent_s() - scale.began_s);
    fflush(stdout);
}

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    figure("BROKEN", "%s", what);
    scale.broken++;
}

/* --- Traffic --------------------------------------------------------------------------------- */

struct traffic {
    uint64_t at_ms, messages, bytes;
    uint64_t *node_bytes;
};

static struct traffic traffic_now(void)
{
    struct sim *sim = &scale.sim;
    struct traffic traffic = {.at_ms = sim->now_ms,
                              .node_bytes = xcalloc(sim->count, sizeof(uint64_t))};
    for (size_t i = 0; i < sim->count; i++) {
        traffic.messages += sim->nodes[i].sent_messages;
        traffic.bytes += traffic.node_bytes[i] = sim->nodes[i].sent_bytes;
    }
    return traffic;
}

/* Returns the bytes per node and second. */
static double traffic_print(const char *name, struct traffic since)
{
    struct traffic now = traffic_now();
    char line[64];
    double seconds = (double)(now.at_ms - since.at_ms) / 1000;
    double nodes = (double)scale.sim.count;
    double node_bytes = (double)(now.bytes - since.bytes) / nodes / seconds;
    uint64_t most = 0;
    for (size_t i = 0; i < scale.sim.count; i++)
        if (now.node_bytes[i] - since.node_bytes[i] > most)
            most = now.node_bytes[i] - since.node_bytes[i];
    snprintf(line, sizeof line, "%s: traffic per node", name);
    figure(line, "%.1f messages/s, %.0f bytes/s; the busiest node %.0f bytes/s",
           (double)(now.messages - since.messages) / nodes / seconds, node_bytes,
           (double)most / seconds);
    free(since.node_bytes);
    free(now.node_bytes);
    return node_bytes;
}

static void links_print(const char *name)
{
    struct sim *sim = &scale.sim;
    size_t sum = 0, most = 0, nodes = 0;
    char line[64];
    for (size_t i = 0; i < sim->count; i++) {
        size_t links = sim->nodes[i].node ? sim_links(sim, i, LINK_MS) : 0;
        nodes += sim->nodes[i].node != NULL;
        sum += links;
        most = links > most ? links : most;
    }
    snprintf(line, sizeof line, "%s: standing connections per node", name);
    figure(line, "mean %.1f, most %zu (used within %d s)", (double)sum / (double)nodes, most,
           LINK_MS / 1000);
    size_t doublings = 0;
    while (((size_t)1 << doublings) < sim->count)
        doublings++;
    demand(sim->count <= MESH_MAX || most <= 2 * doublings + LINKS_MORE,
           "too many standing connections");
}

/* --- Conditions ------------------------------------------------------------------------------ */

static bool sees_right(size_t node, size_t other)
{
    struct sim *sim = &scale.sim;
    const struct node *self = sim->nodes[node].node;
    if (!store_member(&self->store, sim->nodes[other].name))
        return false;
    const char *phase = member_phase_text(self, sim->nodes[other].name);
    if (sim->nodes[other].node)
        return strcmp(phase, sim_is_cut(sim, node, other) ? "dead" : "alive") == 0;
    return strcmp(phase, "dead") == 0 || strcmp(phase, "absent") == 0;
}

/* Every node sees every other as it is. Goes on where the last look failed: all pairs are looked at
 * once more before the answer is yes. */
static bool phases_are_right(struct sim *sim)
{
    size_t pairs = sim->count * sim->count;
    for (size_t i = 0; i < pairs; i++) {
        if (sim->nodes[scale.checked_node].node &&
            !sees_right(scale.checked_node, scale.checked_other))
            return false;
        if (++scale.checked_other == sim->count) {
            scale.checked_other = 0;
            scale.checked_node = (scale.checked_node + 1) % sim->count;
        }
    }
    return true;
}

/* Sides of a split: equal within each. */
static bool maps_are_equal(struct sim *sim)
{
    size_t first[2] = {SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < sim->count; i++) {
        if (!sim->nodes[i].node)
            continue;
        size_t side = first[0] != SIZE_MAX && sim_is_cut(sim, first[0], i);
        if (first[side] == SIZE_MAX)
            first[side] = i;
        else if (query_digest(sim->nodes[i].node) != query_digest(sim->nodes[first[side]].node))
            return false;
    }
    return true;
}

/* Containers that run where an agent lives. */
static size_t containers_running(const struct sim *sim)
{
    size_t running = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        running += sim->containers[i].container.state == CONTAINER_RUNNING &&
                   sim->nodes[sim->containers[i].engine].node != NULL;
    return running;
}

static bool all_run(struct sim *sim)
{
    return containers_running(sim) == scale.wanted;
}

static bool all_is_well(struct sim *sim)
{
    return all_run(sim) && sim_is_still(sim) && maps_are_equal(sim);
}

static void await(const char *name, bool (*condition)(struct sim *sim), uint64_t step_ms)
{
    struct sim *sim = &scale.sim;
    uint64_t began_ms = sim->now_ms;
    scale.checked_node = scale.checked_other = 0;
    while (!condition(sim)) {
        if (sim->now_ms >= began_ms + PATIENCE_MS) {
            figure(name, "NOT within %d s", PATIENCE_MS / 1000);
            demand(false, name);
            return;
        }
        sim_run(sim, step_ms);
    }
    figure(name, "%.2f s", (double)(sim->now_ms - began_ms) / 1000);
}

/* --- Scenes ---------------------------------------------------------------------------------- */

static void put_children(void)
{
    struct sim *sim = &scale.sim;
    for (size_t i = 0; scale.wanted < scale.children; i++) {
        size_t left = scale.children - scale.wanted;
        uint32_t replicas =
            left < CHILDREN_PER_WORKLOAD ? (uint32_t)left : (uint32_t)CHILDREN_PER_WORKLOAD;
        char name[32];
        snprintf(name, sizeof name, "w%zu", i);
        sim_put_workload(sim, i % sim->count, name, replicas, NULL);
        scale.wanted += replicas;
    }
}

static void scene_cold(void)
{
    struct sim *sim = &scale.sim;
    struct traffic traffic = traffic_now();
    size_t before = memory_bytes();
    sim_start_all(sim);
    figure("cold: processes made", "%zu", sim->count);
    await("cold: all see all alive", phases_are_right, 50);
    await("cold: member records equal", maps_are_equal, 50);
    traffic_print("cold", traffic);
    double pairs = (double)sim->count * (double)sim->count;
    size_t members = memory_bytes();
    figure("cold: memory per member and node", "%.0f bytes (%.0f MiB in all)",
           (double)(members - before) / pairs, (double)members / 1048576);
    if (scale.children == 0)
        return;
    sim_run(sim, 5000);
    members = memory_bytes();
    size_t keys = query_counts(sim->nodes[0].node).keys;
    traffic = traffic_now();
    uint64_t sent_bytes = traffic.bytes;
    put_children();
    await("deploy: all containers run", all_run, 50);
    await("deploy: and all maps are equal", all_is_well, 50);
    traffic_print("deploy (busy)", traffic);
    sim_run(sim, 3000);
    double entries = (double)(query_counts(sim->nodes[0].node).keys - keys) * (double)sim->count;
    traffic = traffic_now();
    figure("deploy: keys on each node", "%zu", query_counts(sim->nodes[0].node).keys);
    figure("deploy: memory per key and node", "%.0f bytes",
           (double)(memory_bytes() - members) / entries);
    figure("deploy: bytes sent per key and node", "%.0f",
           (double)(traffic.bytes - sent_bytes) / entries);
    free(traffic.node_bytes);
}

static void scene_idle(void)
{
    struct sim *sim = &scale.sim;
    sim_run(sim, SETTLE_MS);
    struct traffic traffic = traffic_now();
    uint64_t ticks = 0;
    for (size_t i = 0; i < sim->count; i++)
        ticks -= sim->nodes[i].ticks;
    sim_run(sim, IDLE_MS);
    demand(traffic_print("idle", traffic) <= IDLE_BYTES_MAX, "an idle cluster sends too much");
    for (size_t i = 0; i < sim->count; i++)
        ticks += sim->nodes[i].ticks;
    figure("idle: turns per node", "%.1f /s",
           (double)ticks / (double)sim->count / (IDLE_MS / 1000));
    links_print("idle");
}

static bool event_is_seen(struct sim *sim)
{
    struct workload_view view;
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && !query_workload(sim->nodes[i].node, "default", "event", &view))
            return false;
    return true;
}

static void scene_event(void)
{
    sim_put_workload(&scale.sim, 0, "event", 0, NULL);
    await("event: one write is seen by all", event_is_seen, 1);
}

static void recover(const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "%s: all children run again", name);
    await(line, all_run, 50);
    snprintf(line, sizeof line, "%s: and all maps are equal", name);
    await(line, all_is_well, 50);
}

static void revive(void)
{
    struct sim *sim = &scale.sim;
    for (size_t i = 0; i < sim->count; i++)
        if (!sim->nodes[i].node)
            sim_start(sim, i);
}

/* The machines are gone: nobody is told of a broken connection. */
static void lose(const char *name, size_t first, size_t count)
{
    struct sim *sim = &scale.sim;
    char line[64];
    struct traffic traffic = traffic_now();
    for (size_t i = first; i < first + count; i++) {
        for (size_t j = 0; sim->nodes[i].sent_ms && j < sim->count; j++)
            if (sim->nodes[j].sent_ms)
                sim->nodes[j].sent_ms[i] = 0; /* no machine, no answer: not even a reset */
        sim_kill_engine(sim, i);
        sim_kill(sim, i);
    }
    snprintf(line, sizeof line, "%s: all see %zu dead", name, count);
    await(line, phases_are_right, 10);
    recover(name);
    traffic_print(name, traffic);
    revive();
    snprintf(line, sizeof line, "%s: back, all see all alive", name);
    await(line, phases_are_right, 50);
    await("    and all is well", all_is_well, 50);
}

static void scene_lose1(void)
{
    lose("one lost", scale.sim.count / 2, 1);
}

static void scene_lose10(void)
{
    lose("a tenth lost", scale.sim.count / 3, scale.sim.count / 10);
}

static void scene_lose66(void)
{
    lose("two thirds lost", scale.sim.count / 6, scale.sim.count * 2 / 3);
}

static size_t rolled, rolling_end;

static bool are_drained(struct sim *sim)
{
    for (size_t i = rolled; i < rolling_end; i++)
        if (sim->nodes[i].node)
            return false;
    return true;
}

static size_t rolling_at_once(size_t nodes)
{
    size_t share = nodes / ROLLING_ROUNDS_MAX;
    return share > ROLLING_AT_ONCE_MIN ? share : ROLLING_AT_ONCE_MIN;
}

/* SIGTERM, the drain, a new process: some at a time, the next a second after. */
static void scene_rolling(void)
{
    struct sim *sim = &scale.sim;
    struct traffic traffic = traffic_now();
    uint64_t began_ms = sim->now_ms, started = sim->started;
    size_t at_once = rolling_at_once(sim->count);
    for (rolled = 0; rolled < sim->count; rolled = rolling_end) {
        rolling_end = rolled + at_once < sim->count ? rolled + at_once : sim->count;
        for (size_t i = rolled; i < rolling_end; i++)
            sim_stop(sim, i);
        if (!sim_until(sim, are_drained, 60000))
            demand(false, "a node does not drain");
        revive();
        sim_run(sim, 1000);
    }
    figure("rolling: all nodes restarted", "%.1f s, %zu at a time, %llu containers moved",
           (double)(sim->now_ms - began_ms) / 1000, at_once,
           (unsigned long long)(sim->started - started));
    await("rolling: then all see all alive", phases_are_right, 50);
    await("    and all is well", all_is_well, 50);
    traffic_print("rolling (busy)", traffic);
}

static void halves(bool cut)
{
    struct sim *sim = &scale.sim;
    if (!cut) {
        sim_heal_cuts(sim);
        return;
    }
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < sim->count; j++)
            if (i % 2 != j % 2)
                sim_cut_one_way(sim, i, j, true);
}

static bool both_sides_run(struct sim *sim)
{
    return containers_running(sim) == 2 * scale.wanted && sim_is_still(sim) && maps_are_equal(sim);
}

static void scene_split(void)
{
    struct traffic traffic = traffic_now();
    halves(true);
    await("split: each sees the other half dead", phases_are_right, 50);
    await("split: both halves run everything", both_sides_run, 50);
    traffic_print("split (busy)", traffic);
    sim_run(&scale.sim, SETTLE_MS);
    traffic = traffic_now();
    sim_run(&scale.sim, IDLE_MS);
    traffic_print("split, at rest", traffic);
    traffic = traffic_now();
    halves(false);
    await("heal: all see all alive", phases_are_right, 50);
    await("heal: one copy of each, maps equal", all_is_well, 50);
    traffic_print("heal (busy)", traffic);
}

/* --- The program ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*play)(void);
} scenes[] = {
    {"cold", scene_cold},       {"idle", scene_idle},     {"event", scene_event},
    {"lose1", scene_lose1},     {"lose10", scene_lose10}, {"lose66", scene_lose66},
    {"rolling", scene_rolling}, {"split", scene_split},
};

/* All maps are equal: what some agents show, all would. */
static void look_at_some(void)
{
    struct sim *sim = &scale.sim;
    size_t step = 1 + sim->count / LOOKED_AT;
    for (size_t i = 0; i < sim->count; i += step) {
        struct event look = {.type = EVENT_LOOK};
        sim_event(sim, i, &look);
    }
}

static bool play(const char *name)
{
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        if (strcmp(scenes[i].name, name) == 0) {
            scenes[i].play();
            return true;
        }
    fprintf(stderr, "scale: no such scene: %s\n", name);
    return false;
}

int main(int argc, char **argv)
{
    struct sim *sim = &scale.sim;
    size_t nodes = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    const char *seed = getenv("SIM_SEED");
    if (nodes == 0 || argc < 4 || strcmp(argv[3], "cold") != 0) {
        fprintf(
            stderr,
            "usage: scale NODES CHILDREN cold [idle|event|lose1|lose10|lose66|rolling|split...]\n");
        return 2;
    }
    scale.began_s = spent_s();
    scale.children = strtoul(argv[2], NULL, 10);
    sim_init(sim, seed ? strtoull(seed, NULL, 10) : 1, nodes);
    sim->delay_ms_min = 1;
    sim->seeds_max = SEEDS;
    sim->lazy_disk = true;
    sim->nobody_looks = true;
    printf("# %zu nodes, %zu children; links of %llu to %llu ms\n", nodes, scale.children,
           (unsigned long long)sim->delay_ms_min, (unsigned long long)sim->delay_ms_max);
    for (int i = 3; i < argc; i++)
        if (!play(argv[i]))
            return 2;
    look_at_some();
    await("end: one view of every child everywhere", sim_is_converged, 100);
    demand(sim->violations == 0, "an invariant");
    figure("end: simulated time, peak memory", "%.0f s, %.0f MiB",
           (double)(sim->now_ms - 1000) / 1000, peak_mib());
    sim_release(sim);
    return scale.broken == 0 ? 0 : 1;
}
