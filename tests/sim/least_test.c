/* LeastRequested in whole clusters: what children ask for against what members have. */
#include <string.h>

#include "agent/core/node_private.h"
#include "tests/sim/story.h"

enum { GIB = 1 << 30 };

static uint64_t asked_milli;

static void of_least(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "least");
    workload->cpu_milli = asked_milli;
}

static void of_nobody(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "nobody");
}

static void of_least_urgent(struct workload *workload)
{
    of_least(workload);
    workload->priority = 10;
}

/* cpus: one digit each, 0: not told. */
static void begin(struct sim *sim, uint64_t seed, const char *cpus)
{
    sim_init(sim, seed, strlen(cpus));
    for (size_t i = 0; cpus[i]; i++) {
        sim->nodes[i].cpu_milli = (uint64_t)(cpus[i] - '0') * 1000;
        sim->nodes[i].memory_bytes = cpus[i] == '0' ? 0 : UINT64_C(8) * GIB;
    }
    sim_start_all(sim);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
    story_supervisor(sim, 0, "least", "LeastRequested", "", 0);
    sim_run(sim, 1500); /* members tell what they have once somebody asks */
    asked_milli = 500;
}

static size_t running_on(const struct sim *sim, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        count += sim->containers[i].engine == index &&
                 sim->containers[i].container.state == CONTAINER_RUNNING;
    return count;
}

static size_t without_room(struct sim *sim, const char *workload, uint32_t replicas)
{
    size_t count = 0;
    for (uint32_t i = 0; i < replicas; i++) {
        struct child_view child = story_child(sim, 0, workload, i);
        count += child.phase == CHILD_PENDING && strcmp(child.reason, "NoRoom") == 0;
    }
    return count;
}

/* The ring would not: it is by share, and each is started once. */
static void many_at_once_spread_evenly(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        begin(&sim, seed, "4444");
        story_run(&sim, 1, "web", 12, of_least);
        CU_ASSERT_EQUAL(sim.started, 12);
        for (size_t i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(running_on(&sim, i), 3);
        asked_milli = 0; /* nothing asked: by number */
        story_run(&sim, 2, "idle", 8, of_least);
        for (size_t i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(running_on(&sim, i), 5);
        CU_ASSERT_EQUAL(sim.started, 20);
        sim_release(&sim);
    }
}

/* Free all at once, of different sizes: each goes where it is counted, though in the end there
 * would be more left for one of the middling ones beside the other. */
static void each_goes_where_it_was_counted(void)
{
    static const uint64_t sizes[] = {300, 300, 100, 500};
    static const char *const names[] = {"a", "b", "c", "d"};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 2);
        for (size_t i = 0; i < 2; i++) {
            sim_kill(&sim, i);
            sim.nodes[i].cpu_milli = 4000;
            sim_start(&sim, i);
        }
        CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
        sim_run(&sim, 6000); /* they may write by then */
        story_supervisor(&sim, 0, "other", "LeastRequested", "", 0);
        sim_run(&sim, 1500);
        for (size_t i = 0; i < 4; i++) {
            asked_milli = sizes[i];
            story_put(&sim, 0, names[i], 1, of_least);
        }
        story_supervisor(&sim, 0, "least", "LeastRequested", "", 0);
        sim_run(&sim, 5000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT(running_on(&sim, 0) == 2 && running_on(&sim, 1) == 2);
        CU_ASSERT(story_where(&sim, "c", NULL) != story_where(&sim, "d", NULL));
        CU_ASSERT_EQUAL(sim.started, 4);
        sim_release(&sim);
    }
}

static void a_larger_member_takes_more(void)
{
    struct sim sim;
    begin(&sim, 1, "822");
    story_run(&sim, 1, "web", 12, of_least);
    CU_ASSERT_EQUAL(sim.started, 12);
    CU_ASSERT(running_on(&sim, 0) >= 7);
    CU_ASSERT(running_on(&sim, 1) <= 4 && running_on(&sim, 2) <= 4);
    sim_release(&sim);
}

/* Eight fit; the rest says why it waits, the urgent one goes first, and what ends makes room. */
static void who_does_not_fit_waits(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, "22");
        story_put(&sim, 0, "web", 8, of_least);
        sim_run(&sim, 3000);
        CU_ASSERT(sim_is_converged(&sim));
        story_put(&sim, 0, "late", 2, of_least);
        story_put(&sim, 0, "soon", 1, of_least_urgent);
        sim_run(&sim, 5000);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 8);
        CU_ASSERT_EQUAL(without_room(&sim, "late", 2), 2);
        CU_ASSERT_EQUAL(without_room(&sim, "soon", 1), 1);
        story_put(&sim, 1, "web", 7, of_least);
        sim_run(&sim, 4000);
        CU_ASSERT_EQUAL(sim_running(&sim, "soon", NULL), 1);
        CU_ASSERT_EQUAL(without_room(&sim, "late", 2), 2);
        for (size_t i = 0; i < 2; i++)
            CU_ASSERT_EQUAL(running_on(&sim, i), 4);
        struct child_id id = {.ns = "default", .workload = "late"};
        struct ring_view ring;
        CU_ASSERT_FATAL(query_ring(sim.nodes[0].node, &id, &ring));
        CU_ASSERT(ring.count == 2 && strcmp(ring.entries[0].reason, "NoRoom") == 0);
        ring_view_release(&ring);
        sim_delete_workload(&sim, 0, "web");
        sim_run(&sim, 5000);
        CU_ASSERT(sim_is_converged(&sim));
        sim_release(&sim);
    }
}

static void what_a_dead_member_had_goes_where_least_is_asked_for(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, "8888");
        story_run(&sim, 1, "web", 24, of_least);
        sim_kill_engine(&sim, 3);
        sim_kill(&sim, 3);
        sim_run(&sim, 8000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.started, 30);
        for (size_t i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(running_on(&sim, i), 8);
        sim_release(&sim);
    }
}

static bool no_rebalance_is_left(struct sim *sim)
{
    for (size_t i = 0; i < sim->count; i++)
        if (sim->nodes[i].node && store_rebalance(&sim->nodes[i].node->store, "least"))
            return false;
    return true;
}

/* It ends, and asked for once more it moves nothing. */
static void a_rebalance_evens_out_and_rests(void)
{
    struct sim sim;
    begin(&sim, 1, "888");
    sim_stop(&sim, 2);
    sim_run(&sim, 5000);
    story_run(&sim, 0, "web", 12, of_least);
    sim_start(&sim, 2);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    sim_run(&sim, 3000);
    uint64_t started = sim.started;
    story_request(&sim, 0, REQUEST_REBALANCE, "least", true);
    CU_ASSERT(sim_until(&sim, no_rebalance_is_left, 120000));
    CU_ASSERT(sim.started > started && sim.started <= started + 4);
    CU_ASSERT(running_on(&sim, 2) >= 2);
    started = sim.started;
    story_request(&sim, 1, REQUEST_REBALANCE, "least", true);
    CU_ASSERT(sim_until(&sim, no_rebalance_is_left, 120000));
    CU_ASSERT_EQUAL(sim.started, started);
    CU_ASSERT(sim_is_converged(&sim));
    sim_release(&sim);
}

/* Also among so many others that a round of looking at all takes long. */
static void who_waits_for_room_is_looked_at_again_soon(void)
{
    struct sim sim;
    begin(&sim, 1, "11");
    story_put(&sim, 0, "many", 2000, of_nobody);
    asked_milli = 600;
    story_put(&sim, 0, "web", 2, of_least);
    story_put(&sim, 0, "late", 1, of_least);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 2);
    CU_ASSERT_EQUAL(without_room(&sim, "late", 1), 1);
    sim_delete_workload(&sim, 0, "web");
    sim_run(&sim, 2500);
    CU_ASSERT_EQUAL(sim_running(&sim, "late", NULL), 1);
    sim_release(&sim);
}

/* Members say what they have only when a supervisor asks for it. */
static void nothing_is_told_that_nobody_asks_for(void)
{
    struct sim sim;
    struct member_view view;
    sim_init(&sim, 1, 2);
    sim.nodes[0].cpu_milli = sim.nodes[1].cpu_milli = 4000;
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &view) && view.cpu_milli == 0);
    story_supervisor(&sim, 0, "least", "LeastRequested", "", 0);
    sim_run(&sim, 3000);
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &view) && view.cpu_milli == 4000);
    sim_release(&sim);
}

UNIT_MAIN("least", {"many at once spread evenly", many_at_once_spread_evenly},
          {"each goes where it was counted", each_goes_where_it_was_counted},
          {"a larger member takes more", a_larger_member_takes_more},
          {"who does not fit waits", who_does_not_fit_waits},
          {"what a dead member had goes where least is asked for",
           what_a_dead_member_had_goes_where_least_is_asked_for},
          {"a rebalance evens out and rests", a_rebalance_evens_out_and_rests},
          {"who waits for room is looked at again soon",
           who_waits_for_room_is_looked_at_again_soon},
          {"nothing is told that nobody asks for", nothing_is_told_that_nobody_asks_for})
