/* Bugs that were found by review or by a seed, each told as a scene. The seeds that found some of
 * them stand at the end. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/faults.h"
#include "tests/sim/story.h"

/* The loop over a list went on for ever. */
static void a_list_lacks_a_container_that_is_just_being_stopped(void)
{
    struct sim sim;
    story_begin(&sim, 1, 1);
    story_run(&sim, 0, "web", 1, NULL);
    size_t container = 0;
    story_where(&sim, "web", &container);
    sim.stop_ms = 3000;
    sim_delete_workload(&sim, 0, "web");
    sim_run(&sim, 500);
    sim.lose_hint_percent = 100;
    sim_vanish(&sim, container);
    sim_engine_state(&sim, 0, true);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    sim_release(&sim);
}

/* A list had left out a container that ran: its successor ran beside it until a later list showed
 * both. When that one ended, the next was started before the first had. (swarm 460005567) */
static void the_next_waits_for_the_end_of_one_that_came_back(void)
{
    struct sim sim;
    story_begin(&sim, 1, 1);
    story_run(&sim, 0, "web", 1, NULL);
    size_t first = 0, successor, copies = 0;
    story_where(&sim, "web", &first);
    for (int i = 0; i < 3; i++) { /* three ends: the next start waits */
        sim_exit(&sim, first, 1);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
        story_where(&sim, "web", &first);
    }
    sim.lie_percent = 100;
    sim_engine_state(&sim, 0, true);
    story_stop_child(&sim, 0, "web", false); /* placed again: epoch 2, another container */
    sim_run(&sim, 10000);
    successor = sim.container_count - 1;
    sim_running(&sim, "web", &copies);
    CU_ASSERT(successor > first && copies > 0);
    sim.lie_percent = 0;
    sim.stop_ms = 20000;
    sim_engine_state(&sim, 0, true);
    sim_run(&sim, 100);
    sim_exit(&sim, successor, 1);
    sim_run(&sim, 15000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1); /* the first, which takes long to end */
    CU_ASSERT_EQUAL(sim.containers[first].container.state, CONTAINER_RUNNING);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    CU_ASSERT_EQUAL(sim.violations, 0);
    sim_release(&sim);
}

/* Others removed its record and ignored what it sent; it saw them alive and never learned. */
static void who_was_forgotten_while_away_comes_back(bool frozen)
{
    struct sim sim;
    story_begin(&sim, 2, 3);
    story_run(&sim, 0, "web", 6, NULL);
    if (frozen)
        sim_freeze(&sim, 2, true);
    else
        story_cut(&sim, 2, true);
    sim_run(&sim, 6000);
    uint64_t id = story_request(&sim, 0, REQUEST_FORGET, "n2", false);
    CU_ASSERT(sim_reply(&sim, id) && sim_reply(&sim, id)->status == 200);
    struct member_view view;
    CU_ASSERT(!query_member(sim.nodes[1].node, "n2", &view));
    sim_freeze(&sim, 2, false);
    story_cut(&sim, 2, false);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 6000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 5000));
    sim_release(&sim);
}

static void forgotten_while_frozen(void)
{
    who_was_forgotten_while_away_comes_back(true);
}

static void forgotten_while_cut_off(void)
{
    who_was_forgotten_while_away_comes_back(false);
}

/* One forgets all others, who were frozen: they answer it and it answers them, and it does not know
 * them. A greeting at random took minutes to find it. (swarm 2001542) */
static void who_forgot_the_others_is_greeted(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 3);
        story_run(&sim, 0, "web", 6, NULL);
        sim_freeze(&sim, 0, true);
        sim_freeze(&sim, 1, true);
        sim_run(&sim, 8000);
        story_request(&sim, 2, REQUEST_FORGET, "n0", false);
        story_request(&sim, 2, REQUEST_FORGET, "n1", false);
        sim_run(&sim, 3000);
        sim_freeze(&sim, 0, false);
        sim_freeze(&sim, 1, false);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 6000));
        CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
        CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 5000));
        sim_release(&sim);
    }
}

/* The two sides of a cut forget each other: only their seeds can bring them together again.
 * (swarm 60693) */
static void who_forgot_each_other_meet_by_their_seeds(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_run(&sim, 0, "web", 6, NULL);
    story_cut(&sim, 2, true);
    sim_run(&sim, 8000);
    story_request(&sim, 2, REQUEST_FORGET, "n0", false);
    story_request(&sim, 2, REQUEST_FORGET, "n1", false);
    story_request(&sim, 0, REQUEST_FORGET, "n2", false);
    sim_run(&sim, 3000);
    story_cut(&sim, 2, false);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 5000));
    sim_release(&sim);
}

/* The member wrote its own record again without it. */
static void a_cordon_set_through_another_agent_stays(void)
{
    struct sim sim;
    struct member_view view;
    story_begin(&sim, 3, 3);
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n1", true);
    sim_engine_state(&sim, 1, true); /* a reason to write its record */
    sim_run(&sim, 3000);
    CU_ASSERT(query_member(sim.nodes[2].node, "n1", &view) && view.unschedulable);
    sim_kill(&sim, 1);
    sim_start(&sim, 1);
    sim_run(&sim, 3000);
    CU_ASSERT(query_member(sim.nodes[2].node, "n1", &view) && view.unschedulable);
    story_run(&sim, 0, "web", 12, NULL);
    CU_ASSERT(query_member(sim.nodes[2].node, "n1", &view) && view.children == 0);
    sim_release(&sim);
}

static void set_new_uid(struct workload *workload)
{
    TEXT_SET(workload->uid, "another");
}

/* The holder of the old uid waited for its own turn, which never came. */
static void a_workload_made_anew_leaves_a_cordoned_holder(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, sim.nodes[holder].name, true);
    story_run(&sim, 0, "web", 1, set_new_uid); /* deleted and made anew faster than seen */
    CU_ASSERT_NOT_EQUAL(story_where(&sim, "web", NULL), holder);
    sim_release(&sim);
}

static void set_new_uid_and_drop_seen(struct sim *sim, size_t away)
{
    sim_delete_workload(sim, (away + 1) % 3, "web");
    sim_run(sim, 1000);
    story_put(sim, (away + 1) % 3, "web", 1, set_new_uid);
    sim_run(sim, 3000);
}

static void a_holder_that_was_away_never_keeps_a_container_of_the_old_uid(void)
{
    for (int way = 0; way < 3; way++) {
        struct sim sim;
        story_begin(&sim, 5, 3);
        story_run(&sim, 0, "web", 1, NULL);
        size_t away = story_where(&sim, "web", NULL);
        if (way == 0)
            sim_kill(&sim, away);
        else if (way == 1)
            sim_freeze(&sim, away, true);
        else
            story_cut(&sim, away, true);
        set_new_uid_and_drop_seen(&sim, away);
        if (way == 0)
            sim_start(&sim, away);
        sim_freeze(&sim, away, false);
        story_cut(&sim, away, false);
        sim_run(&sim, 3000);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        size_t container = 0;
        story_where(&sim, "web", &container);
        CU_ASSERT_STRING_EQUAL(sim.containers[container].container.uid, "another");
        sim_release(&sim);
    }
}

/* After an agent had restarted it knew no document of the workload, hence no supervisor, hence no
 * rank: keys stayed for ever. */
static void keys_of_a_deleted_workload_go_although_its_holder_is_dead(void)
{
    struct sim sim;
    story_begin(&sim, 6, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    sim_freeze(&sim, holder, true);
    sim_delete_workload(&sim, (holder + 1) % 3, "web");
    sim_run(&sim, 300);
    for (size_t i = 1; i < 3; i++) {
        sim_kill(&sim, (holder + i) % 3);
        sim_start(&sim, (holder + i) % 3);
    }
    sim_run(&sim, 45000 + WHOLE_MAP_MS); /* the start grace, until the holder is dead */
    CU_ASSERT_EQUAL(query_counts(sim.nodes[(holder + 1) % 3].node).children, 0);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[(holder + 1) % 3].node).names, 0);
    sim_freeze(&sim, holder, false);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_release(&sim);
}

/* The back-off level passed what a status can carry, and nobody could read it any more. */
static void a_start_that_fails_for_hours_stays_readable(void)
{
    struct sim sim;
    story_begin(&sim, 7, 2);
    story_put(&sim, 0, "web", 1, NULL);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    sim.fail_percent = 100;
    size_t container = 0, holder = story_where(&sim, "web", &container);
    sim_exit(&sim, container, 1);
    sim_run(&sim, 6ull * 3600 * 1000);
    struct child_view view = story_child(&sim, 1 - holder, "web", 0);
    CU_ASSERT_EQUAL(view.phase, CHILD_CRASH_LOOP_BACK_OFF);
    sim.fail_percent = 0;
    CU_ASSERT(sim_until(&sim, sim_is_converged, 301000));
    sim_release(&sim);
}

static void set_new_spec(struct workload *workload)
{
    workload->generation = workload->spec_hash = 2;
}

/* Its container counted as stopping for ever, without names and without a second attempt. */
static void a_stop_that_fails_is_tried_again(void)
{
    struct sim sim;
    story_begin(&sim, 8, 1);
    story_run(&sim, 0, "web", 1, NULL);
    sim.fail_percent = 100;
    story_put(&sim, 0, "web", 1, set_new_spec);
    sim_run(&sim, 3000);
    sim.fail_percent = 0;
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    sim_release(&sim);
}

/* Its keys were gone when it came true, and it was taken for a stranger's. */
static void a_start_that_comes_true_late_is_ended_although_all_is_deleted(void)
{
    struct sim sim;
    story_begin(&sim, 9, 1);
    sim.late_percent = 100;
    story_put(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 50);
    sim_delete_workload(&sim, 0, "web");
    sim_run(&sim, 400);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[0].node).workloads, 0);
    sim.late_percent = 0;
    sim_run(&sim, 8000);
    CU_ASSERT(sim.container_count > 0);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_release(&sim);
}

/* Nobody remembered that it was ours: it would have run on as an orphan. */
static void what_is_deleted_while_the_engine_is_away_ends_when_it_answers(void)
{
    struct sim sim;
    story_begin(&sim, 10, 3);
    sim.engine_grace_ms = 60000;
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    sim_engine_state(&sim, holder, false);
    sim_run(&sim, 70000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 2); /* adopted by another */
    sim_delete_workload(&sim, (holder + 1) % 3, "web");
    sim_run(&sim, 3000);
    sim_kill(&sim, holder);
    sim_start(&sim, holder);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    sim_engine_state(&sim, holder, true);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_release(&sim);
}

/* A hint is a hint. */
static void an_end_that_nobody_tells_of_is_seen_within_a_minute(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 11, 1);
    story_run(&sim, 0, "web", 1, NULL);
    story_where(&sim, "web", &container);
    sim.lose_hint_percent = 100;
    sim_exit(&sim, container, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 61000));
    sim_release(&sim);
}

static void a_drain_that_must_kill_ends_in_good_order(void)
{
    struct sim sim;
    story_begin(&sim, 12, 2);
    story_run(&sim, 0, "web", 8, NULL);
    sim.stop_ms = 27000; /* beyond the drain timeout; the kill takes as long */
    sim_stop(&sim, 0);
    sim_run(&sim, 40000);
    CU_ASSERT_EQUAL(sim.nodes[0].exit_status, 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    sim_release(&sim);
}

static void a_name_of_a_lost_holder_goes_when_the_child_is_named_otherwise(void)
{
    struct sim sim;
    story_begin(&sim, 13, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL), other = (holder + 1) % 3;
    sim_kill(&sim, holder);
    sim_kill_engine(&sim, holder);
    story_put(&sim, other, "web", 3, NULL);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(query_counts(sim.nodes[other].node).names, 3);
    sim_release(&sim);
}

/* Swarm seed 480. Each comes to know that the other has left, of a run before the one it has just
 * met: neither may turn its back on the other for that. */
static void who_left_apart_comes_back_together(void)
{
    for (uint64_t seed = 0; seed < 20; seed++) { /* the order of some messages matters */
        struct sim sim;
        story_begin(&sim, 1400 + seed, 3);
        sim.delay_ms_max = 60;
        for (size_t i = 0; i < 3; i++)
            story_cut(&sim, i, true);
        sim_run(&sim, 5000);
        for (size_t i = 0; i < 3; i++)
            story_request(&sim, i, REQUEST_LEAVE, "", false);
        sim_run(&sim, 20000);
        sim_heal_cuts(&sim);
        sim_start_all(&sim);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 20000));
        CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 5000));
        sim_release(&sim);
    }
}

UNIT_MAIN(
    "regression",
    {"a list lacks what is being stopped", a_list_lacks_a_container_that_is_just_being_stopped},
    {"the next waits for the end of one that came back",
     the_next_waits_for_the_end_of_one_that_came_back},
    {"forgotten while frozen", forgotten_while_frozen},
    {"forgotten while cut off", forgotten_while_cut_off},
    {"who forgot the others is greeted", who_forgot_the_others_is_greeted},
    {"who forgot each other meet by their seeds", who_forgot_each_other_meet_by_their_seeds},
    {"a cordon through another agent stays", a_cordon_set_through_another_agent_stays},
    {"made anew, it leaves a cordoned holder", a_workload_made_anew_leaves_a_cordoned_holder},
    {"no container of an old uid", a_holder_that_was_away_never_keeps_a_container_of_the_old_uid},
    {"keys of the deleted go", keys_of_a_deleted_workload_go_although_its_holder_is_dead},
    {"a start that fails for hours", a_start_that_fails_for_hours_stays_readable},
    {"a stop that fails", a_stop_that_fails_is_tried_again},
    {"a start that comes true late", a_start_that_comes_true_late_is_ended_although_all_is_deleted},
    {"deleted while the engine is away",
     what_is_deleted_while_the_engine_is_away_ends_when_it_answers},
    {"an end that nobody tells of", an_end_that_nobody_tells_of_is_seen_within_a_minute},
    {"a drain that must kill", a_drain_that_must_kill_ends_in_good_order},
    {"who left apart comes back", who_left_apart_comes_back_together},
    {"a name of a lost holder", a_name_of_a_lost_holder_goes_when_the_child_is_named_otherwise})
