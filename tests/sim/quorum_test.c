/* UniformQuorum: who has a majority of the voters runs all, who has not runs nothing. That no two
 * copies ever run at once is looked at by the simulator itself (sim_guard.c); scenes of leases and
 * electorates are in lease_test.c. */
#include <string.h>

#include "tests/sim/story.h"

static void of_voters(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "voters");
}

static void of_quorum(struct workload *workload)
{
    TEXT_SET(workload->supervisor, SUPERVISOR_QUORUM);
}

/* Cut into those below the index and the others. */
static void cut_at(struct sim *sim, size_t index)
{
    for (size_t i = 0; i < sim->count; i++)
        for (size_t j = 0; j < i; j++)
            sim_cut(sim, i, j, (i < index) != (j < index));
}

static size_t running_between(const struct sim *sim, size_t from, size_t to)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        count += sim->containers[i].engine >= from && sim->containers[i].engine < to &&
                 sim->containers[i].container.state == CONTAINER_RUNNING;
    return count;
}

static bool has_quorum(const struct sim *sim, size_t index)
{
    struct supervisor_view view;
    CU_ASSERT(query_supervisor(sim->nodes[index].node, "voters", &view));
    return view.quorum;
}

static void all_pend_for(struct sim *sim, size_t index, uint32_t replicas, const char *reason)
{
    for (uint32_t i = 0; i < replicas; i++) {
        struct child_view child = story_child(sim, index, "web", i);
        CU_ASSERT_EQUAL(child.phase, CHILD_PENDING);
        CU_ASSERT_STRING_EQUAL(child.reason, reason);
    }
}

/* Horde promises this, and since 0.8.4 stops nothing (horde.md F1). */
static void the_side_with_the_quorum_runs_all_and_the_other_stops(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 5);
        story_supervisor(&sim, 0, "voters", "UniformQuorum", "01234", 0);
        story_run(&sim, 1, "web", 20, of_voters);
        size_t left = running_between(&sim, 0, 2);
        CU_ASSERT(left > 0 && has_quorum(&sim, 0) && has_quorum(&sim, 4));
        cut_at(&sim, 2);
        for (size_t i = 0; i < 120; i++) { /* five seconds after the others are dead */
            size_t duplicates;
            sim_run(&sim, 100);
            sim_running(&sim, "web", &duplicates);
            CU_ASSERT_EQUAL(duplicates, 0); /* who lost it had stopped by then */
        }
        CU_ASSERT_EQUAL(running_between(&sim, 0, 2), 0);
        CU_ASSERT_EQUAL(running_between(&sim, 2, 5), 20);
        CU_ASSERT_EQUAL(sim.started, 20 + left);
        CU_ASSERT(!has_quorum(&sim, 0) && has_quorum(&sim, 4));
        for (size_t i = 0; i < 2; i++)
            all_pend_for(&sim, i, 20, "quorum_lost");
        sim_run(&sim, 60000);
        sim_heal_cuts(&sim);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
        sim_run(&sim, 5000);
        CU_ASSERT_EQUAL(sim.started, 20 + left); /* what runs stays where it is */
        CU_ASSERT(has_quorum(&sim, 0));
        sim_release(&sim);
    }
}

/* Of n0 to n3 the first has no vote: two of the three others decide. It may hold children. */
static void of_an_even_number_the_first_has_no_vote(void)
{
    struct sim sim;
    story_begin(&sim, 1, 4);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "3210", 0); /* in any order */
    story_run(&sim, 1, "web", 20, of_voters);
    CU_ASSERT(running_between(&sim, 0, 1) > 0);
    cut_at(&sim, 2);
    sim_run(&sim, 12000);
    CU_ASSERT_EQUAL(running_between(&sim, 0, 2), 0);
    CU_ASSERT_EQUAL(running_between(&sim, 2, 4), 20);
    sim_heal_cuts(&sim);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    cut_at(&sim, 3);
    sim_run(&sim, 12000);
    CU_ASSERT_EQUAL(running_between(&sim, 0, 3), 20);
    sim_release(&sim);
}

static void with_nobody_in_the_majority_nothing_runs(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    story_run(&sim, 1, "web", 9, of_voters);
    for (size_t i = 0; i < 3; i++)
        story_cut(&sim, i, true);
    sim_run(&sim, 12000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_heal_cuts(&sim);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9);
    sim_release(&sim);
}

/* A drain is no loss of a vote: the electorate stays as it was named. */
static void who_drains_goes_on_voting(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    story_run(&sim, 1, "web", 9, of_voters);
    sim_stop(&sim, 0);
    sim_run(&sim, 20);
    CU_ASSERT(has_quorum(&sim, 1));
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(running_between(&sim, 1, 3), 9);
    story_cut(&sim, 2, true); /* one of three is left */
    sim_run(&sim, 12000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_release(&sim);
}

static void without_an_electorate_nothing_starts(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_put(&sim, 1, "web", 3, of_quorum);
    sim_run(&sim, 3000);
    for (size_t i = 0; i < 3; i++)
        all_pend_for(&sim, i, 3, "NoElectorate");
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 0, "web", 0).message,
                           "run: hordelet set-members quorum a,b,c");
    story_supervisor(&sim, 0, SUPERVISOR_QUORUM, "UniformQuorum", "012", 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 3000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    sim_release(&sim);
}

static void start_and_see(struct sim *sim, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        sim_start(sim, i);
    CU_ASSERT_FATAL(sim_until(sim, sim_all_alive, 10000));
}

/* Who is there may change at any time, so that `auto` names nobody: one who waits for an electorate
 * waits for names. */
static void members_auto_is_no_electorate(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "", 0);
    story_put(&sim, 1, "web", 3, of_voters);
    sim_run(&sim, 10000);
    for (size_t i = 0; i < 3; i++)
        all_pend_for(&sim, i, 3, "NoElectorate");
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 2, "web", 0).message,
                           "run: hordelet set-members voters a,b,c");
    CU_ASSERT_EQUAL(sim.started, 0);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "", 0); /* whoever was named votes on */
    sim_run(&sim, 20000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    CU_ASSERT_EQUAL(sim.started, 3);
    sim_release(&sim);
}

/* The first electorate is accepted by all of its members; from then on a majority is enough. */
static void before_the_majority_is_up_nothing_starts(void)
{
    struct sim sim;
    sim_init(&sim, 1, 5);
    start_and_see(&sim, 0, 4);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "01234", 0);
    story_put(&sim, 1, "web", 5, of_voters);
    sim_run(&sim, 5000);
    all_pend_for(&sim, 0, 5, "NoElectorate");
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 0, "web", 0).message,
                           "every member must accept the first electorate; not there: n4");
    CU_ASSERT_EQUAL(sim.started, 0);
    start_and_see(&sim, 4, 5);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    for (size_t i = 0; i < 5; i++) {
        sim_kill(&sim, i);
        sim_kill_engine(&sim, i);
    }
    start_and_see(&sim, 0, 2);
    sim_run(&sim, 20000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    start_and_see(&sim, 2, 3);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000)); /* two may be on their way back */
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 5);
    CU_ASSERT_EQUAL(sim.violations, 0);
    sim_release(&sim);
}

static uint64_t wait_for_quorum(struct sim *sim, size_t index, uint64_t wait_ms)
{
    struct request request = {.kind = REQUEST_WAIT_QUORUM, .name = "voters", .wait_ms = wait_ms};
    return sim_request(sim, index, &request);
}

/* Horde's wait_for_quorum. */
static void a_quorum_can_be_waited_for(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    sim_run(&sim, 2000);
    story_cut(&sim, 0, true);
    sim_run(&sim, 10000);
    uint64_t soon = wait_for_quorum(&sim, 0, 1000), later = wait_for_quorum(&sim, 0, 20000);
    sim_run(&sim, 900);
    CU_ASSERT_PTR_NULL(sim_reply(&sim, soon));
    sim_run(&sim, 200);
    CU_ASSERT_FATAL(sim_reply(&sim, soon) != NULL);
    CU_ASSERT_EQUAL(sim_reply(&sim, soon)->status, 504);
    CU_ASSERT_PTR_NULL(sim_reply(&sim, later));
    story_cut(&sim, 0, false);
    sim_run(&sim, 4000);
    CU_ASSERT_FATAL(sim_reply(&sim, later) != NULL);
    CU_ASSERT_EQUAL(sim_reply(&sim, later)->status, 200);
    uint64_t at_once = wait_for_quorum(&sim, 1, 0);
    CU_ASSERT(sim_reply(&sim, at_once) && sim_reply(&sim, at_once)->status == 200);
    sim_release(&sim);
}

/* It has not heard the others yet, and may be part of the majority: what runs goes on. */
static void a_restarted_agent_restarts_no_container(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 5);
        story_supervisor(&sim, 0, "voters", "UniformQuorum", "01234", 0);
        story_run(&sim, 1, "web", 20, of_voters);
        for (size_t i = 0; i < 5; i++) {
            sim_kill(&sim, i);
            sim_run(&sim, 50);
            sim_start(&sim, i);
            CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
            sim_run(&sim, 2000);
        }
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.started, 20);
        sim_release(&sim);
    }
}

/* All agents at once, so that each is the first for a moment. */
static void all_agents_restarted_restart_no_container(void)
{
    struct sim sim;
    story_begin(&sim, 1, 5);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "01234", 0);
    story_run(&sim, 1, "web", 20, of_voters);
    for (size_t i = 0; i < 5; i++)
        sim_kill(&sim, i);
    for (size_t i = 0; i < 5; i++) {
        sim_run(&sim, 700);
        sim_start(&sim, i);
    }
    CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
    sim_run(&sim, 3000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, 20);
    sim_release(&sim);
}

/* It is ended by its guard, and not begun again before there is a quorum. */
static void what_ends_in_the_minority_is_not_restarted(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 1, 3);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    story_run(&sim, 1, "web", 1, of_voters);
    size_t at = story_where(&sim, "web", &container);
    sim_kill(&sim, at);
    for (size_t i = 0; i < 3; i++)
        if (i != at)
            sim_kill(&sim, i);
    sim_start(&sim, at); /* alone: the others are not heard, and not dead for 30 s */
    sim_run(&sim, 1000);
    CU_ASSERT_EQUAL(sim.containers[container].container.state, CONTAINER_RUNNING);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim.containers[container].container.exit_code, GUARD_EXIT_CODE);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    CU_ASSERT_EQUAL(sim.started, 1);
    sim_start(&sim, (at + 1) % 3);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    sim_release(&sim);
}

UNIT_MAIN("quorum",
          {"the side with the quorum runs all and the other stops",
           the_side_with_the_quorum_runs_all_and_the_other_stops},
          {"of an even number the first has no vote", of_an_even_number_the_first_has_no_vote},
          {"with nobody in the majority nothing runs", with_nobody_in_the_majority_nothing_runs},
          {"who drains goes on voting", who_drains_goes_on_voting},
          {"without an electorate nothing starts", without_an_electorate_nothing_starts},
          {"members auto is no electorate", members_auto_is_no_electorate},
          {"before the majority is up nothing starts", before_the_majority_is_up_nothing_starts},
          {"a quorum can be waited for", a_quorum_can_be_waited_for},
          {"a restarted agent restarts no container", a_restarted_agent_restarts_no_container},
          {"all agents restarted restart no container", all_agents_restarted_restart_no_container},
          {"what ends in the minority is not restarted",
           what_ends_in_the_minority_is_not_restarted})
