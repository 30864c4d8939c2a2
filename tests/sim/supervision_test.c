/* Rules of design section 7, each a scene: restart policies, engines, members of a supervisor,
 * names in conflict, updates, and what waits for what. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

/* --- Restarts -------------------------------------------------------------------------------- */

static void set_transient(struct workload *workload)
{
    workload->restart = RESTART_TRANSIENT;
}

static void set_transient_new(struct workload *workload)
{
    workload->restart = RESTART_TRANSIENT;
    workload->generation = workload->spec_hash = 2;
}

static void transient_ends_with_0_and_runs_again_for_a_new_spec_only(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 1, 3);
    story_run(&sim, 0, "job", 1, set_transient);
    story_where(&sim, "job", &container);
    sim_exit(&sim, container, 3);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000)); /* a failure: again */
    size_t holder = story_where(&sim, "job", &container);
    sim_exit(&sim, container, 0);
    sim_run(&sim, 3000);
    struct child_view view = story_child(&sim, 0, "job", 0);
    CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
    CU_ASSERT_EQUAL(view.restarts, 1);
    sim_kill(&sim, holder);
    sim_kill_engine(&sim, holder);
    sim_run(&sim, 6000);
    sim_start(&sim, holder);
    sim_run(&sim, 6000);
    CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), 0); /* finished is finished */
    story_run(&sim, 1, "job", 1, set_transient_new);
    CU_ASSERT_EQUAL(story_child(&sim, 2, "job", 0).restarts, 0);
    sim_release(&sim);
}

static void set_temporary(struct workload *workload)
{
    workload->restart = RESTART_TEMPORARY;
}

static void a_temporary_child_whose_container_was_removed_has_failed(void)
{
    for (int restarted = 0; restarted < 2; restarted++) {
        struct sim sim;
        size_t container = 0;
        story_begin(&sim, 2, 1);
        story_run(&sim, 0, "job", 1, set_temporary);
        sim_run(&sim, 2000);
        story_where(&sim, "job", &container);
        if (restarted)
            sim_kill(&sim, 0);
        sim_vanish(&sim, container);
        if (restarted)
            sim_start(&sim, 0);
        sim_run(&sim, 5000);
        struct child_view view = story_child(&sim, 0, "job", 0);
        CU_ASSERT_EQUAL(view.phase, CHILD_FAILED);
        CU_ASSERT_STRING_EQUAL(view.reason, "ContainerLost");
        CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), 0);
        sim_release(&sim);
    }
}

static void a_permanent_child_whose_container_was_removed_is_restarted(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 3, 1);
    story_run(&sim, 0, "web", 1, NULL);
    story_where(&sim, "web", &container);
    sim_vanish(&sim, container);
    sim_run(&sim, 2000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).restarts, 1);
    sim_release(&sim);
}

static void backoff_doubles_survives_the_agent_and_is_forgiven(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 4, 1);
    story_run(&sim, 0, "web", 1, NULL);
    for (int i = 0; i < 8; i++) {
        sim_run(&sim, 1500); /* the status is paced */
        story_where(&sim, "web", &container);
        sim_exit(&sim, container, 1);
        uint64_t before_ms = sim.now_ms;
        CU_ASSERT_FATAL(sim_until(&sim, sim_is_converged, 60000));
        uint64_t waited_ms = sim.now_ms - before_ms;
        CU_ASSERT(waited_ms >= (100u << i) && waited_ms < (100u << i) + 1000);
        if (i == 5) {
            sim_run(&sim, 1500);
            sim_kill(&sim, 0);
            sim_start(&sim, 0);
            sim_run(&sim, 1500);
        }
    }
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).restarts, 8);
    sim_run(&sim, 601000);
    story_where(&sim, "web", &container);
    sim_exit(&sim, container, 1);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 1000));
    sim_release(&sim);
}

/* --- DELETE of a child ----------------------------------------------------------------------- */

static void a_deleted_child_is_placed_again_and_a_terminated_one_is_not(void)
{
    struct sim sim;
    story_begin(&sim, 5, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t other = (story_where(&sim, "web", NULL) + 1) % 3;
    story_stop_child(&sim, other, "web", false); /* through another agent */
    sim_run(&sim, 2000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(story_child(&sim, other, "web", 0).epoch, 2);
    other = (story_where(&sim, "web", NULL) + 1) % 3;
    story_stop_child(&sim, other, "web", true);
    sim_run(&sim, 20000);
    struct child_view view = story_child(&sim, other, "web", 0);
    CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
    CU_ASSERT_STRING_EQUAL(view.reason, "deleted");
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    sim_release(&sim);
}

/* --- Engines --------------------------------------------------------------------------------- */

/* "It failed", says the engine, and has done it; no hint, and no list for a while. The same start
 * may be tried again, for the engine knows it by its name; one of another epoch may not.
 * (swarm 4000396) */
static void a_start_of_which_nobody_knows_the_end_is_not_followed_by_another(void)
{
    struct sim sim;
    story_begin(&sim, 7, 1);
    sim.lie_percent = sim.lose_hint_percent = sim.list_fail_percent = 100;
    story_put(&sim, 0, "web", 1, NULL);
    for (int i = 0; i < 100 && strcmp(story_child(&sim, 0, "web", 0).reason, "StartError") != 0;
         i++)
        sim_run(&sim, 10);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    sim.lie_percent = sim.lose_hint_percent = 0;
    story_stop_child(&sim, 0, "web", false);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).epoch, 2);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    sim.list_fail_percent = 0;
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    CU_ASSERT_EQUAL(sim.violations, 0);
    sim_release(&sim);
}

static void children_of_a_lost_engine_move_and_its_copies_end_when_it_answers(void)
{
    struct sim sim;
    story_begin(&sim, 6, 3);
    story_run(&sim, 0, "web", 9, NULL);
    sim_engine_state(&sim, 1, false);
    sim_run(&sim, 55000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9); /* the grace */
    sim_run(&sim, 10000);
    CU_ASSERT(sim_running(&sim, "web", NULL) > 9);
    struct member_view view;
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &view));
    CU_ASSERT(!view.runtime_healthy && view.children == 0);
    sim_engine_state(&sim, 1, true);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    sim_release(&sim);
}

static void an_agent_whose_engine_answers_late_keeps_its_children(void)
{
    struct sim sim;
    story_begin(&sim, 7, 3);
    story_run(&sim, 0, "web", 9, NULL);
    uint64_t made = sim.container_count;
    sim_kill(&sim, 1);
    sim.nodes[1].engine_dead = true;
    sim_start(&sim, 1);
    sim_run(&sim, 20000);
    sim_engine_state(&sim, 1, true);
    sim_run(&sim, 5000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.container_count, made);
    sim_release(&sim);
}

static void a_member_without_an_engine_is_given_nothing_new(void)
{
    struct sim sim;
    story_begin(&sim, 11, 3);
    sim_engine_state(&sim, 1, false);
    sim_run(&sim, 1000);
    story_put(&sim, 1, "web", 30, NULL);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 30); /* long before the grace has passed */
    for (size_t i = 0; i < sim.container_count; i++)
        CU_ASSERT(sim.containers[i].engine != 1);
    sim_release(&sim);
}

static void an_engine_that_restarts_has_its_containers_restarted(void)
{
    struct sim sim;
    story_begin(&sim, 8, 3);
    story_run(&sim, 0, "web", 9, NULL);
    sim_engine_state(&sim, 1, false);
    sim_kill_engine(&sim, 1);
    sim_run(&sim, 3000);
    sim_engine_state(&sim, 1, true);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    for (uint32_t i = 0; i < 9; i++)
        CU_ASSERT_EQUAL(story_child(&sim, 0, "web", i).epoch, 1);
    sim_release(&sim);
}

/* --- Pulling reserves, it does not end ------------------------------------------------------- */

static void a_holder_that_returns_while_others_pull_keeps_its_container(void)
{
    for (int way = 0; way < 2; way++) {
        struct sim sim;
        story_begin(&sim, 9, 3);
        story_run(&sim, 0, "web", 1, NULL);
        uint64_t made = sim.container_count;
        size_t holder = story_where(&sim, "web", NULL), other = (holder + 1) % 3;
        sim.pull_ms = 20000;
        if (way == 0)
            story_cut(&sim, holder, true);
        else
            sim_kill(&sim, holder);
        sim_run(&sim, 8000);
        CU_ASSERT_EQUAL(story_child(&sim, other, "web", 0).phase, CHILD_PULLING);
        CU_ASSERT_EQUAL(story_child(&sim, other, "web", 0).epoch, 2);
        if (way == 0)
            story_cut(&sim, holder, false);
        else
            sim_start(&sim, holder);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 5000));
        sim_run(&sim, 30000);
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.container_count, made);
        CU_ASSERT_EQUAL(story_where(&sim, "web", NULL), holder);
        CU_ASSERT(sim_until(&sim, sim_maps_are_equal, 5000));
        sim_release(&sim);
    }
}

static void after_a_minute_of_failed_pulls_another_node_tries(void)
{
    struct sim sim;
    story_begin(&sim, 10, 3);
    sim.bad_image = "image:1";
    story_put(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 3000);
    const char *first = story_child(&sim, 0, "web", 0).node;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(sim.nodes[i].name, first) == 0)
            sim.bad_image_node = &sim.nodes[i];
    CU_ASSERT(sim.bad_image_node != NULL);
    CU_ASSERT(!sim_until(&sim, sim_is_converged, 50000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
    sim_release(&sim);
}

/* --- Members of a supervisor ----------------------------------------------------------------- */

static void a_member_that_is_taken_off_the_list_hands_its_children_over(void)
{
    struct sim sim;
    struct member_view view;
    story_begin(&sim, 11, 3);
    story_run(&sim, 0, "web", 9, NULL);
    story_supervisor(&sim, 0, "default", "Uniform", "02", 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
    sim_run(&sim, 1000); /* counts are told within a second */
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &view) && view.children == 0);
    story_supervisor(&sim, 0, "default", "Uniform", "89",
                     0); /* nobody who lives: better the wrong node than none */
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9);
    sim_release(&sim);
}

/* --- Names in conflict ----------------------------------------------------------------------- */

static struct workload_name shared_name = {.name = "shared"};

static void set_keep(struct workload *workload)
{
    workload->names = &shared_name;
    workload->name_count = 1;
}

static void set_stop(struct workload *workload)
{
    set_keep(workload);
    workload->on_name_conflict = NAME_CONFLICT_STOP;
}

static void a_child_without_its_name_runs_on_or_stops_as_it_says(void)
{
    for (int stop = 0; stop < 2; stop++) {
        struct sim sim;
        story_begin(&sim, 12, 3);
        story_run(&sim, 0, "first", 1, set_keep);
        story_put(&sim, 1, "second", 1, stop ? set_stop : set_keep);
        sim_run(&sim, 4000);
        struct child_view view = story_child(&sim, 2, "second", 0);
        CU_ASSERT_EQUAL(sim_running(&sim, "second", NULL), !stop);
        CU_ASSERT_EQUAL(view.phase, stop ? CHILD_FAILED : CHILD_RUNNING);
        CU_ASSERT_STRING_EQUAL(view.reason, stop ? "name_conflict" : "NameConflict");
        sim_delete_workload(&sim, 0, "first");
        CU_ASSERT(sim_until(&sim, sim_is_converged, 4000));
        struct name_view name;
        CU_ASSERT(query_name(sim.nodes[0].node, "default", "shared", &name));
        CU_ASSERT_STRING_EQUAL(name.owner, "default/second/0");
        sim_release(&sim);
    }
}

static bool first_holds_it(struct sim *sim)
{
    struct name_view name;
    return query_name(sim->nodes[0].node, "default", "shared", &name) &&
           strcmp(name.owner, "default/first/0") == 0;
}

/* Both had registered it on their sides of a cut. */
static void the_loser_of_a_concurrent_name_stops_its_container(void)
{
    struct sim sim;
    story_begin(&sim, 13, 2);
    sim_cut(&sim, 0, 1, true);
    sim_run(&sim, 5000);
    sim_put_workload(&sim, 0, "first", 1, set_stop);
    sim_put_workload(&sim, 1, "second", 1, set_stop);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "first", NULL) + sim_running(&sim, "second", NULL), 2);
    sim_cut(&sim, 0, 1, false);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(sim_running(&sim, "first", NULL), first_holds_it(&sim));
    CU_ASSERT_EQUAL(sim_running(&sim, "second", NULL), !first_holds_it(&sim));
    sim_release(&sim);
}

/* --- Updates --------------------------------------------------------------------------------- */

static struct {
    uint32_t max_unavailable, min_ready_seconds;
    enum update_type update;
} next_update;

static void set_update(struct workload *workload)
{
    workload->generation = workload->spec_hash = 2;
    workload->max_unavailable = next_update.max_unavailable;
    workload->min_ready_seconds = next_update.min_ready_seconds;
    workload->update = next_update.update;
}

/* Updates six children on three nodes; returns the fewest that ran. */
static size_t update_web(struct sim *sim, uint64_t *ret_ms, bool *ret_mixed)
{
    size_t least = 6, old = 6;
    uint64_t begin_ms = sim->now_ms;
    sim_put_workload(sim, 0, "web", 6, set_update);
    *ret_mixed = false;
    for (int i = 0; i < 30000 && old > 0; i++) {
        sim_run(sim, 10);
        size_t running = sim_running(sim, "web", NULL);
        least = running < least ? running : least;
        old = 0;
        for (size_t j = 0; j < sim->container_count; j++)
            old += sim->containers[j].container.state == CONTAINER_RUNNING &&
                   sim->containers[j].container.spec_hash == 1;
        *ret_mixed = *ret_mixed || (old > 0 && old < running);
    }
    *ret_ms = sim->now_ms - begin_ms;
    CU_ASSERT_EQUAL(old, 0);
    CU_ASSERT(sim_until(sim, sim_is_converged, 15000));
    return least;
}

static void updates_keep_to_max_unavailable_min_ready_and_recreate(void)
{
    const struct {
        uint32_t max_unavailable, min_ready;
        enum update_type update;
        size_t least;
        uint64_t ms_min;
    } cases[] = {{1, 0, UPDATE_ROLLING, 5, 0},
                 {2, 0, UPDATE_ROLLING, 4, 0},
                 {1, 3, UPDATE_ROLLING, 5, 15000},
                 {1, 0, UPDATE_RECREATE, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim sim;
        uint64_t took_ms;
        bool mixed;
        story_begin(&sim, 14 + i, 3);
        sim.nodes[1].wall_offset_ms = 3600000; /* a clock an hour ahead must not matter */
        sim.nodes[2].wall_offset_ms = -3600000;
        story_run(&sim, 0, "web", 6, NULL);
        next_update.max_unavailable = cases[i].max_unavailable;
        next_update.min_ready_seconds = cases[i].min_ready;
        next_update.update = cases[i].update;
        CU_ASSERT_EQUAL(update_web(&sim, &took_ms, &mixed), cases[i].least);
        CU_ASSERT(took_ms >= cases[i].ms_min && took_ms < cases[i].ms_min + 15000);
        sim_release(&sim);
    }
}

/* --- Disks and idleness ---------------------------------------------------------------------- */

static void an_old_image_of_the_disk_goes_on_as_another_replica(void)
{
    struct sim sim;
    struct member_view before, after;
    story_begin(&sim, 20, 3);
    sim_copy_disk(&sim, 1);
    story_run(&sim, 1, "web", 9, NULL);
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &before));
    for (int times = 0; times < 2;
         times++) { /* once is like a crash: dots are reserved in blocks */
        sim_kill(&sim, 1);
        sim_restore_disk(&sim, 1);
        sim_start(&sim, 1);
        sim_run(&sim, 5000);
        story_run(&sim, 1, "web", 9, NULL);
    }
    CU_ASSERT(query_member(sim.nodes[0].node, "n1", &after));
    CU_ASSERT_NOT_EQUAL(before.replica, after.replica);
    sim_release(&sim);
}

/* An agent alone cannot tell that its disk is old: what it does not know it leaves alone. */
static void a_lone_agent_with_an_old_disk_ends_nothing(void)
{
    struct sim sim;
    story_begin(&sim, 21, 1);
    sim_copy_disk(&sim, 0);
    story_run(&sim, 0, "web", 3, NULL);
    sim_kill(&sim, 0);
    sim_restore_disk(&sim, 0);
    sim_start(&sim, 0);
    sim_run(&sim, 130000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    sim_release(&sim);
}

static void an_idle_agent_sleeps(void)
{
    for (size_t nodes = 1; nodes <= 3; nodes += 2) {
        struct sim sim;
        story_begin(&sim, 22, nodes);
        sim.start_ms = 5;
        story_run(&sim, 0, "web", 300, NULL);
        sim_run(&sim, 5000);
        uint64_t before = sim.nodes[0].ticks;
        sim_run(&sim, 60000);
        uint64_t ticks = (sim.nodes[0].ticks - before) / 60;
        printf("(idle: %llu ticks/s at %zu nodes) ", (unsigned long long)ticks, nodes);
        CU_ASSERT(ticks <= (nodes == 1 ? 1 : 15));
        sim_release(&sim);
    }
}

UNIT_MAIN("supervision", {"transient", transient_ends_with_0_and_runs_again_for_a_new_spec_only},
          {"temporary and removed", a_temporary_child_whose_container_was_removed_has_failed},
          {"permanent and removed", a_permanent_child_whose_container_was_removed_is_restarted},
          {"back-off", backoff_doubles_survives_the_agent_and_is_forgiven},
          {"DELETE and terminate", a_deleted_child_is_placed_again_and_a_terminated_one_is_not},
          {"a start of unknown end",
           a_start_of_which_nobody_knows_the_end_is_not_followed_by_another},
          {"a lost engine", children_of_a_lost_engine_move_and_its_copies_end_when_it_answers},
          {"no engine, nothing new", a_member_without_an_engine_is_given_nothing_new},
          {"an engine that answers late", an_agent_whose_engine_answers_late_keeps_its_children},
          {"an engine that restarts", an_engine_that_restarts_has_its_containers_restarted},
          {"a holder returns while others pull",
           a_holder_that_returns_while_others_pull_keeps_its_container},
          {"failed pulls", after_a_minute_of_failed_pulls_another_node_tries},
          {"off the member list", a_member_that_is_taken_off_the_list_hands_its_children_over},
          {"name conflict", a_child_without_its_name_runs_on_or_stops_as_it_says},
          {"concurrent names", the_loser_of_a_concurrent_name_stops_its_container},
          {"updates", updates_keep_to_max_unavailable_min_ready_and_recreate},
          {"an old disk", an_old_image_of_the_disk_goes_on_as_another_replica},
          {"an old disk, alone", a_lone_agent_with_an_old_disk_ends_nothing},
          {"idle", an_idle_agent_sleeps})
