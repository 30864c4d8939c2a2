/* A workload that not every node allows: it runs where it may, and where nobody allows it it waits
 * and says why. */
#include <string.h>

#include "tests/sim/story.h"

enum { ASKS_MUCH = 7 };

static void asks_much(struct workload *workload)
{
    workload->spec_hash = ASKS_MUCH;
}

static void asks_much_guarded(struct workload *workload)
{
    workload->spec_hash = ASKS_MUCH;
    TEXT_SET(workload->supervisor, "voters");
}

/* Nodes 0 and 1 refuse it. */
static void begin(struct sim *sim, uint64_t seed, size_t nodes)
{
    story_begin(sim, seed, nodes);
    sim->nodes[0].refused_hash = sim->nodes[1].refused_hash = ASKS_MUCH;
}

static size_t containers_on(const struct sim *sim, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        count += sim->containers[i].engine == index;
    return count;
}

static void check_it_waits(struct sim *sim, size_t index, uint32_t ordinal, const char *why)
{
    struct child_view child = story_child(sim, index, "web", ordinal);
    CU_ASSERT_EQUAL(child.phase, CHILD_PENDING);
    CU_ASSERT_STRING_EQUAL(child.reason, "NotAllowed");
    CU_ASSERT_PTR_NOT_NULL(strstr(child.message, why));
}

static void it_runs_where_it_may(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, 3);
        story_run(&sim, 0, "web", 9, asks_much);
        CU_ASSERT_EQUAL(containers_on(&sim, 0) + containers_on(&sim, 1), 0);
        CU_ASSERT_EQUAL(containers_on(&sim, 2), 9);
        uint64_t started = sim.started;
        sim_run(&sim, 280000); /* nobody asks anew */
        CU_ASSERT_EQUAL(sim.started, started);
        story_run(&sim, 1, "other", 6, NULL); /* whatever else there is runs everywhere */
        CU_ASSERT(containers_on(&sim, 0) + containers_on(&sim, 1) > 0);
        sim_release(&sim);
    }
}

/* A guarded one gives its lease back, too. */
static void so_does_a_guarded_one(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct sim sim;
        begin(&sim, seed, 3);
        story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
        story_put(&sim, 0, "web", 4, asks_much_guarded);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
        CU_ASSERT_EQUAL(containers_on(&sim, 2), 4);
        sim_release(&sim);
    }
}

static void where_nobody_allows_it_it_waits_and_says_why(void)
{
    struct sim sim;
    begin(&sim, 9, 2);
    story_put(&sim, 0, "web", 2, asks_much);
    sim_run(&sim, 600000); /* no crash loop comes of it */
    CU_ASSERT_EQUAL(sim.container_count, 0);
    CU_ASSERT(sim.started <= 2 * 2 + 2 * 11); /* each once, then the holder once a minute */
    for (size_t i = 0; i < 2; i++)
        check_it_waits(&sim, i, 0, "spec.hostNetwork");
    sim_kill(&sim, 1); /* the operator allows it */
    sim.nodes[1].refused_hash = 0;
    sim_start(&sim, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 400000));
    sim_release(&sim);
}

/* Also of one that has run, and ended badly often enough, before its node was told otherwise. */
static void what_is_not_allowed_any_more_is_no_crash_loop(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 11, 1);
    story_run(&sim, 0, "web", 1, asks_much);
    for (int ends = 0; ends < 5; ends++) {
        if (ends == 4)
            sim.nodes[0].refused_hash = ASKS_MUCH;
        story_where(&sim, "web", &container);
        sim_exit(&sim, container, 1);
        sim_run(&sim, ends < 4 ? 1300 : 5000);
    }
    check_it_waits(&sim, 0, 0, "spec.hostNetwork");
    sim_release(&sim);
}

/* The one that allowed it has left: nobody takes what all others have declined, and it is told. */
static void when_who_allowed_it_leaves_it_is_told_why_it_waits(void)
{
    struct sim sim;
    begin(&sim, 10, 3);
    story_run(&sim, 0, "web", 9, asks_much);
    sim_stop(&sim, 2);
    sim_run(&sim, 20000);
    for (uint32_t i = 0; i < 9; i++)
        check_it_waits(&sim, 0, i, "allow");
    sim_release(&sim);
}

UNIT_MAIN("allowed", {"where it may", it_runs_where_it_may}, {"guarded", so_does_a_guarded_one},
          {"nobody", where_nobody_allows_it_it_waits_and_says_why},
          {"no crash loop", what_is_not_allowed_any_more_is_no_crash_loop},
          {"left", when_who_allowed_it_leaves_it_is_told_why_it_waits})
