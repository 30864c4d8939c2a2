/* hordelet drain: a member hands over what it holds and stays a member, until it is uncordoned. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

static struct member_view member_of(struct sim *sim, size_t index, const char *name)
{
    struct member_view view = {.name = NULL};
    CU_ASSERT_FATAL(query_member(sim->nodes[index].node, name, &view));
    return view;
}

static bool n1_is_empty(struct sim *sim)
{
    struct member_view view;
    return query_member(sim->nodes[0].node, "n1", &view) && view.children == 0;
}

static size_t running_on(const struct sim *sim, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        count += sim->containers[i].engine == index &&
                 sim->containers[i].container.state == CONTAINER_RUNNING;
    return count;
}

static void drain(struct sim *sim, size_t index, const char *name)
{
    uint64_t id = story_request(sim, index, REQUEST_DRAIN, name, false);
    CU_ASSERT_FATAL(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

static void uncordon(struct sim *sim, size_t index, const char *name)
{
    uint64_t id = story_request(sim, index, REQUEST_SET_UNSCHEDULABLE, name, false);
    CU_ASSERT_FATAL(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

static void one_copy_at_most(struct sim *sim, size_t index)
{
    size_t duplicates;
    (void)index;
    sim_running(sim, "web", &duplicates);
    sim->violations += duplicates > 0;
}

static void a_drained_member_hands_over_each_child_once_and_stays(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_run(&sim, 0, "web", 12, NULL);
    uint64_t started = sim.started;
    size_t moving = running_on(&sim, 1);
    CU_ASSERT_FATAL(moving > 0);
    sim.watch = one_copy_at_most;
    drain(&sim, 0, "n1");
    CU_ASSERT(sim_until(&sim, n1_is_empty, 5000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT_EQUAL(sim.violations, 0);
    CU_ASSERT_EQUAL(sim.started - started, moving); /* nobody else was touched */
    CU_ASSERT_EQUAL(running_on(&sim, 1), 0);
    struct member_view view = member_of(&sim, 2, "n1");
    CU_ASSERT_STRING_EQUAL(view.phase, "alive");
    CU_ASSERT(view.unschedulable && view.draining);
    sim_release(&sim);
}

static void a_drain_outlives_the_agent_and_ends_when_it_is_uncordoned(void)
{
    for (int orderly = 0; orderly < 2; orderly++) {
        struct sim sim;
        story_begin(&sim, 2, 3);
        drain(&sim, 0, "n1");
        if (orderly)
            sim_stop(&sim, 1);
        else
            sim_kill(&sim, 1);
        sim_run(&sim, 3000);
        sim_start(&sim, 1);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
        sim_run(&sim, 2000);
        CU_ASSERT(member_of(&sim, 0, "n1").draining);
        story_run(&sim, 0, "web", 12, NULL);
        CU_ASSERT_EQUAL(running_on(&sim, 1), 0);
        uncordon(&sim, 2, "n1");
        CU_ASSERT(!member_of(&sim, 0, "n1").draining && !member_of(&sim, 0, "n1").unschedulable);
        sim_run(&sim, 2000);
        CU_ASSERT_EQUAL(running_on(&sim, 1), 0); /* what runs elsewhere stays there */
        story_run(&sim, 0, "more", 12, NULL);
        CU_ASSERT(running_on(&sim, 1) > 0);
        sim_release(&sim);
    }
}

/* Rather late than nowhere: as long as no other may take it a child runs on. */
static void what_nobody_else_may_take_runs_on_until_somebody_may(void)
{
    struct sim sim;
    story_begin(&sim, 3, 3);
    story_run(&sim, 0, "web", 6, NULL);
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n2", true);
    drain(&sim, 0, "n1");
    drain(&sim, 0, "n0");
    sim_run(&sim, 20000);
    size_t duplicates;
    CU_ASSERT_EQUAL(sim_running(&sim, "web", &duplicates), 6);
    CU_ASSERT(running_on(&sim, 0) + running_on(&sim, 1) > 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct child_view view = story_child(&sim, 2, "web", i);
        CU_ASSERT(strcmp(view.node, "n2") == 0 || strcmp(view.reason, "Draining") == 0);
        CU_ASSERT(view.ready);
    }
    uncordon(&sim, 1, "n2");
    CU_ASSERT(sim_until(&sim, n1_is_empty, 5000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT_EQUAL(running_on(&sim, 2), 6);
    sim_release(&sim);
}

/* Nobody has said yet that it is full: that is counted here. */
static void no_more_leave_than_the_others_have_room_for(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    story_supervisor(&sim, 0, "default", "Uniform", "", 5);
    sim.max_children = 5;
    story_run(&sim, 0, "web", 12, NULL);
    drain(&sim, 2, "n1");
    sim_run(&sim, 20000);
    size_t duplicates;
    CU_ASSERT_EQUAL(sim_running(&sim, "web", &duplicates), 12);
    CU_ASSERT_EQUAL(running_on(&sim, 1), 2);
    story_supervisor(&sim, 0, "default", "Uniform", "", 6);
    CU_ASSERT(sim_until(&sim, n1_is_empty, 5000));
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", &duplicates), 12);
    sim_release(&sim);
}

/* The member writes its own record on the other side of a cut, and later. */
static void a_drain_is_not_lost_to_what_the_member_says_meanwhile(void)
{
    struct sim sim;
    story_begin(&sim, 5, 4);
    story_cut(&sim, 1, true);
    drain(&sim, 0, "n1");
    sim_run(&sim, 1000);
    /* A reason to write its record. */
    struct event engine = {.type = EVENT_RUNTIME_STATE,
                           .runtime = {.healthy = true, .name = "docker", .version = "99"}};
    struct effects effects = {0};
    engine.now = (struct instant){.mono_ms = sim.now_ms, .wall_ms = sim.now_ms + 5000};
    node_step(sim.nodes[1].node, &engine, &effects);
    effects_release(&effects);
    sim_run(&sim, 2000);
    CU_ASSERT_STRING_EQUAL(member_of(&sim, 1, "n1").runtime_version, "99");
    story_cut(&sim, 1, false);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
    CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 10000));
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT(member_of(&sim, i, "n1").draining);
        CU_ASSERT_STRING_EQUAL(member_of(&sim, i, "n1").runtime_version, "99");
    }
    sim_release(&sim);
}

static void what_a_draining_member_holds_when_it_dies_is_taken_over(void)
{
    struct sim sim;
    story_begin(&sim, 6, 3);
    story_run(&sim, 0, "web", 12, NULL);
    sim.stop_ms = 20000; /* so long they take to end */
    drain(&sim, 0, "n1");
    sim_run(&sim, 1000);
    CU_ASSERT(running_on(&sim, 1) > 0);
    sim_kill(&sim, 1);
    sim_kill_engine(&sim, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    sim_release(&sim);
}

static void who_has_left_or_is_unknown_cannot_be_drained(void)
{
    struct sim sim;
    story_begin(&sim, 7, 3);
    uint64_t id = story_request(&sim, 0, REQUEST_DRAIN, "nobody", false);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 404);
    story_request(&sim, 1, REQUEST_LEAVE, "n1", false);
    sim_run(&sim, 5000);
    id = story_request(&sim, 0, REQUEST_DRAIN, "n1", false);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 409);
    sim_release(&sim);
}

/* Who drains waits for "0 children": counts are paced, but that one is never told too early. */
static void who_holds_a_child_is_not_told_to_be_empty(void)
{
    struct sim sim;
    story_begin(&sim, 8, 3);
    sim_run(&sim, 3000);
    story_put(&sim, 0, "web", 1, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct child_view child = story_child(&sim, i, "web", 0);
        CU_ASSERT_FATAL(child.node[0]);
        CU_ASSERT_EQUAL(member_of(&sim, i, child.node).children, 1);
    }
    sim_release(&sim);
}

UNIT_MAIN("drain",
          {"a drained member hands over each child once and stays",
           a_drained_member_hands_over_each_child_once_and_stays},
          {"a drain outlives the agent and ends when it is uncordoned",
           a_drain_outlives_the_agent_and_ends_when_it_is_uncordoned},
          {"what nobody else may take runs on until somebody may",
           what_nobody_else_may_take_runs_on_until_somebody_may},
          {"no more leave than the others have room for",
           no_more_leave_than_the_others_have_room_for},
          {"a drain is not lost to what the member says meanwhile",
           a_drain_is_not_lost_to_what_the_member_says_meanwhile},
          {"what a draining member holds when it dies is taken over",
           what_a_draining_member_holds_when_it_dies_is_taken_over},
          {"who has left or is unknown cannot be drained",
           who_has_left_or_is_unknown_cannot_be_drained},
          {"who holds a child is not told to be empty", who_holds_a_child_is_not_told_to_be_empty})
