/* Strategies other than Uniform, in whole clusters: every node draws the same. */
#include <string.h>

#include "tests/sim/story.h"

static void supervise_at_random(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "random");
}

/* In Horde each node shuffles by itself: what a dead node had starts twice, or not at all. */
static void what_a_dead_node_had_starts_once_under_uniform_random(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 4);
        story_supervisor(&sim, 0, "random", "UniformRandom", "", 0);
        story_run(&sim, 1, "web", 40, supervise_at_random);
        CU_ASSERT_EQUAL(sim.started, 40);
        size_t lost = 0;
        for (uint32_t i = 0; i < 40; i++)
            lost += strcmp(story_child(&sim, 0, "web", i).node, "n3") == 0;
        CU_ASSERT(lost > 0 && lost < 40);
        sim_kill_engine(&sim, 3);
        sim_kill(&sim, 3);
        sim_run(&sim, 8000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.started, 40 + lost);
        sim_release(&sim);
    }
}

/* --- Room ------------------------------------------------------------------------------------- */

static void of_small(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "small");
}

static void of_small_and_urgent(struct workload *workload)
{
    of_small(workload);
    workload->priority = 10;
}

static size_t running_on(const struct sim *sim, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        count += sim->containers[i].engine == index &&
                 sim->containers[i].container.state == CONTAINER_RUNNING;
    return count;
}

static size_t without_room(struct sim *sim, size_t index, const char *workload, uint32_t replicas)
{
    size_t count = 0;
    for (uint32_t i = 0; i < replicas; i++) {
        struct child_view child = story_child(sim, index, workload, i);
        count += child.phase == CHILD_PENDING && strcmp(child.reason, "NoRoom") == 0;
    }
    return count;
}

/* Nobody waits for the 500 ms of its rank: to run takes 220 ms, and the ring is uneven. */
static void a_full_node_spills_over_at_once(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 4);
        story_supervisor(&sim, 0, "small", "Uniform", "", 5);
        story_run(&sim, 1, "warm", 40, NULL); /* everybody has the image */
        sim_delete_workload(&sim, 1, "warm");
        sim_run(&sim, 2000);
        uint64_t started = sim.started;
        story_put(&sim, 1, "web", 20, of_small); /* takes 200 ms */
        sim_run(&sim, 250);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 20);
        CU_ASSERT_EQUAL(sim.started, started + 20);
        for (size_t i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(running_on(&sim, i), 5);
        sim_release(&sim);
    }
}

static void without_room_anywhere_they_wait_until_there_is(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 3);
        story_supervisor(&sim, 0, "small", "Uniform", "", 4);
        story_put(&sim, 1, "old", 6, of_small);
        story_put(&sim, 1, "web", 10, of_small);
        sim_run(&sim, 3000);
        CU_ASSERT_EQUAL(sim_running(&sim, "old", NULL), 6);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 6);
        for (size_t i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(without_room(&sim, i, "web", 10), 4);
        uint64_t digest = query_digest(sim.nodes[0].node), started = sim.started;
        sim_run(&sim, 120000);
        CU_ASSERT_EQUAL(query_digest(sim.nodes[0].node), digest); /* nothing is written twice */
        story_put(&sim, 2, "old", 3, of_small);
        sim_run(&sim, 1000);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9);
        CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 10), 1);
        story_supervisor(&sim, 0, "small", "Uniform", "", 5);
        sim_run(&sim, 1000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.started, started + 4); /* no two of them took the same */
        sim_release(&sim);
    }
}

static void who_is_urgent_gets_the_room_first(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "small", "Uniform", "", 2);
    story_put(&sim, 1, "old", 6, of_small);
    sim_run(&sim, 2000);
    story_put(&sim, 1, "a", 3, of_small);
    story_put(&sim, 1, "web", 3, of_small_and_urgent);
    story_put(&sim, 1, "z", 3, of_small);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 3), 3);
    CU_ASSERT_EQUAL(sim_reply(&sim, sim_delete_workload(&sim, 0, "old")) != NULL, false);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    CU_ASSERT_EQUAL(without_room(&sim, 0, "a", 3) + without_room(&sim, 0, "z", 3), 3);
    sim_release(&sim);
}

static void what_is_lost_with_its_node_may_have_no_room(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "small", "Uniform", "", 2);
    story_run(&sim, 1, "web", 6, of_small);
    sim_kill_engine(&sim, 2);
    sim_kill(&sim, 2);
    sim_run(&sim, 8000);
    CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 6), 2);
    CU_ASSERT_EQUAL(without_room(&sim, 1, "web", 6), 2);
    story_supervisor(&sim, 0, "small", "Uniform", "", 3);
    sim_run(&sim, 1000);
    CU_ASSERT(sim_is_converged(&sim));
    sim_release(&sim);
}

static void of_small_renewed(struct workload *workload)
{
    of_small(workload);
    workload->spec_hash = 2;
}

/* Those of lower ordinal that have no room must not be waited for: nobody would ever make any.
 * (swarm 1124 of 2026-11-21) */
static void who_has_no_room_does_not_hold_up_an_update(void)
{
    struct sim sim;
    struct workload_view view;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "small", "Uniform", "", 2);
    story_run(&sim, 1, "web", 6, of_small);
    story_put(&sim, 1, "first", 1, of_small_and_urgent);
    story_stop_child(&sim, 1, "web", false); /* web/0, and the room goes to who is urgent */
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim_running(&sim, "first", NULL), 1);
    CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 1), 1);
    story_put(&sim, 1, "web", 6, of_small_renewed);
    sim_run(&sim, 20000);
    CU_ASSERT(query_workload(sim.nodes[0].node, "default", "web", &view));
    CU_ASSERT_EQUAL(view.updated, 5);
    sim_release(&sim);
}

static void of_small_recreated(struct workload *workload)
{
    of_small_renewed(workload);
    workload->update = UPDATE_RECREATE;
}

/* What was given back and finds no room has a status that says it runs, and nobody who would write
 * another. (swarm 51817 of 2026-11-21) */
static void who_has_no_room_does_not_hold_up_a_recreation(void)
{
    struct sim sim;
    struct workload_view view;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "small", "Uniform", "", 2);
    story_run(&sim, 1, "web", 6, of_small);
    story_put(&sim, 1, "first", 1, of_small_and_urgent);
    story_stop_child(&sim, 1, "web", false);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 1), 1);
    story_put(&sim, 1, "web", 6, of_small_recreated);
    sim_run(&sim, 20000);
    CU_ASSERT(query_workload(sim.nodes[0].node, "default", "web", &view));
    CU_ASSERT_EQUAL(view.updated, 5);
    sim_release(&sim);
}

/* Its status says that it runs, or stops, and it is to run again before its end was told. */
static void who_was_terminated_and_has_no_room_does_not_hold_up_a_recreation(void)
{
    for (int told = 0; told < 2; told++) {
        struct sim sim;
        struct workload_view view;
        story_begin(&sim, 1, 3);
        sim.stop_ms = 400;
        story_supervisor(&sim, 0, "small", "Uniform", "", 2);
        story_run(&sim, 1, "web", 6, of_small);
        sim_run(&sim, 2000);
        story_put(&sim, 1, "first", 1, of_small_and_urgent);
        story_stop_child(&sim, 1, "web", true);
        sim_run(&sim, told * 150);
        story_put(&sim, 1, "web", 6, of_small_recreated);
        sim_run(&sim, 20000);
        CU_ASSERT_EQUAL(sim_running(&sim, "first", NULL), 1);
        CU_ASSERT_EQUAL(without_room(&sim, 0, "web", 1), 1);
        CU_ASSERT(query_workload(sim.nodes[0].node, "default", "web", &view));
        CU_ASSERT_EQUAL(view.updated, 5);
        sim_release(&sim);
    }
}

/* --- Zones ------------------------------------------------------------------------------------ */

static size_t running_in(const struct sim *sim, const char *zone)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->count; i++)
        count += strcmp(sim->nodes[i].zone, zone) == 0 ? running_on(sim, i) : 0;
    return count;
}

static void zones_share_alike_and_a_lost_zone_is_made_up_for(void)
{
    static const char *const zones[] = {"a", "a", "a", "b", "b", "c"};
    struct sim sim;
    sim_init(&sim, 1, 6);
    for (size_t i = 0; i < 6; i++)
        sim.nodes[i].zone = zones[i];
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    story_run(&sim, 1, "web", 12, NULL);
    CU_ASSERT(running_in(&sim, "a") == 4 && running_in(&sim, "b") == 4);
    CU_ASSERT_EQUAL(sim.started, 12);
    for (size_t i = 3; i < 5; i++) {
        sim_kill_engine(&sim, i);
        sim_kill(&sim, i);
    }
    sim_run(&sim, 10000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, 16); /* what the others had stayed */
    CU_ASSERT(running_in(&sim, "a") > 4 && running_in(&sim, "c") >= 4);
    sim_release(&sim);
}

UNIT_MAIN("strategy_sim",
          {"what a dead node had starts once under UniformRandom",
           what_a_dead_node_had_starts_once_under_uniform_random},
          {"a full node spills over at once", a_full_node_spills_over_at_once},
          {"without room anywhere they wait until there is",
           without_room_anywhere_they_wait_until_there_is},
          {"who is urgent gets the room first", who_is_urgent_gets_the_room_first},
          {"what is lost with its node may have no room",
           what_is_lost_with_its_node_may_have_no_room},
          {"who has no room does not hold up an update",
           who_has_no_room_does_not_hold_up_an_update},
          {"who has no room does not hold up a recreation",
           who_has_no_room_does_not_hold_up_a_recreation},
          {"who was terminated and has no room does not hold up a recreation",
           who_was_terminated_and_has_no_room_does_not_hold_up_a_recreation},
          {"zones share alike, and a lost zone is made up for",
           zones_share_alike_and_a_lost_zone_is_made_up_for})
