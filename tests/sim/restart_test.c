/* Restarts across agents and nodes, escalation, terminated children, and what finished long ago. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

static enum restart_policy next_restart;
static int64_t next_ttl_seconds = -1;

static void set_restart(struct workload *workload)
{
    workload->restart = next_restart;
    workload->ttl_seconds_after_finished = next_ttl_seconds;
}

static void supervisor_is(struct sim *sim, uint32_t max_restarts, enum intensity_action action)
{
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, "default");
    supervisor.max_restarts = max_restarts;
    supervisor.on_intensity = action;
    story_put_supervisor(sim, 0, &supervisor, "");
}

static bool runs_anywhere(struct sim *sim, const char *name)
{
    return sim_running(sim, name, NULL) > 0;
}

static bool poison_runs(struct sim *sim)
{
    return runs_anywhere(sim, "poison");
}

static size_t running_on(const struct sim *sim, const char *name, size_t node)
{
    size_t running = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        running += sim->containers[i].engine == node &&
                   sim->containers[i].container.state == CONTAINER_RUNNING &&
                   strcmp(sim->containers[i].container.child.workload, name) == 0;
    return running;
}

/* What becomes of a child whose node dies with it, while it runs. */
static void a_node_death_is_a_failure_to_transient_and_the_end_of_temporary(void)
{
    const enum restart_policy policies[] = {RESTART_PERMANENT, RESTART_TRANSIENT,
                                            RESTART_TEMPORARY};
    for (size_t i = 0; i < 3; i++) {
        struct sim sim;
        story_begin(&sim, 100 + i, 3);
        next_restart = policies[i];
        story_run(&sim, 0, "job", 1, set_restart);
        sim_run(&sim, 1500);
        size_t holder = story_where(&sim, "job", NULL), other = (holder + 1) % 3;
        sim_kill(&sim, holder);
        sim_kill_engine(&sim, holder);
        sim_run(&sim, 10000);
        struct child_view view = story_child(&sim, other, "job", 0);
        bool again = policies[i] != RESTART_TEMPORARY;
        CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), again);
        CU_ASSERT_EQUAL(view.phase, again ? CHILD_RUNNING : CHILD_FAILED);
        CU_ASSERT_STRING_EQUAL(view.reason, again ? "" : "NodeLost");
        CU_ASSERT_EQUAL(view.epoch, 2);
        sim_start(&sim, holder); /* it comes back: nothing more happens */
        sim_run(&sim, 10000);
        CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), again);
        sim_release(&sim);
    }
}

/* On one node: each policy, for an exit with 0 and with 3. */
static void each_policy_knows_success_from_failure(void)
{
    const struct {
        enum restart_policy restart;
        int exit_code;
        bool again;
        enum child_phase phase;
    } cases[] = {{RESTART_PERMANENT, 0, true, CHILD_RUNNING},
                 {RESTART_PERMANENT, 3, true, CHILD_RUNNING},
                 {RESTART_TRANSIENT, 0, false, CHILD_SUCCEEDED},
                 {RESTART_TRANSIENT, 3, true, CHILD_RUNNING},
                 {RESTART_TEMPORARY, 0, false, CHILD_SUCCEEDED},
                 {RESTART_TEMPORARY, 3, false, CHILD_FAILED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sim sim;
        size_t container = 0;
        story_begin(&sim, 110 + i, 2);
        next_restart = cases[i].restart;
        story_run(&sim, 0, "job", 1, set_restart);
        story_where(&sim, "job", &container);
        sim_exit(&sim, container, cases[i].exit_code);
        sim_run(&sim, 5000);
        struct child_view view = story_child(&sim, 0, "job", 0);
        CU_ASSERT_EQUAL(sim_running(&sim, "job", NULL), cases[i].again);
        CU_ASSERT_EQUAL(view.phase, cases[i].phase);
        CU_ASSERT_EQUAL(view.epoch, 1); /* the same node, the same epoch */
        CU_ASSERT_EQUAL(view.restarts, cases[i].again);
        sim_release(&sim);
    }
}

/* Crashes whenever it runs, for so long. Returns how often. */
static unsigned poison(struct sim *sim, uint64_t duration_ms)
{
    unsigned crashes = 0;
    uint64_t end_ms = sim->now_ms + duration_ms;
    while (sim->now_ms < end_ms) {
        size_t container = 0;
        if (!sim_until(sim, poison_runs, end_ms - sim->now_ms))
            break;
        story_where(sim, "poison", &container);
        sim_exit(sim, container, 1);
        crashes++;
    }
    return crashes;
}

static void a_poison_child_harms_no_neighbour(void)
{
    struct sim sim;
    story_begin(&sim, 120, 2);
    story_run(&sim, 0, "web", 40, NULL);
    story_run(&sim, 0, "poison", 1, NULL);
    uint64_t started = sim.started;
    unsigned crashes = poison(&sim, 120000);
    CU_ASSERT(crashes > 8 && crashes < 14); /* ever more slowly */
    struct child_view view = story_child(&sim, 0, "poison", 0);
    CU_ASSERT_EQUAL(view.phase, CHILD_CRASH_LOOP_BACK_OFF);
    CU_ASSERT_EQUAL(view.epoch, 1); /* it has not moved */
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 40);
    CU_ASSERT(sim.started - started <= crashes); /* nobody else was started, so nobody stopped */
    for (uint32_t i = 0; i < 40; i++)
        CU_ASSERT(story_child(&sim, 1, "web", i).epoch == 1 &&
                  story_child(&sim, 1, "web", i).restarts == 0);
    sim_release(&sim);
}

/* The level, the count and the wait outlive the agent, its node, and a move. */
static void a_crash_loop_goes_on_where_it_was_after_its_agent_and_its_node(void)
{
    struct sim sim;
    story_begin(&sim, 121, 2);
    story_run(&sim, 0, "poison", 1, NULL);
    poison(&sim, 30000);
    sim_run(&sim, 2000);
    struct child_view before = story_child(&sim, 0, "poison", 0);
    CU_ASSERT_EQUAL(before.phase, CHILD_CRASH_LOOP_BACK_OFF);
    CU_ASSERT(before.restarts >= 7);
    size_t holder = strcmp(before.node, "n0") == 0 ? 0 : 1, other = 1 - holder;
    sim_kill(&sim, holder);
    sim_start(&sim, holder);
    sim_run(&sim, 3000);
    struct child_view after = story_child(&sim, other, "poison", 0);
    CU_ASSERT_EQUAL(after.restarts, before.restarts); /* one end is counted once */
    CU_ASSERT_EQUAL(after.phase, CHILD_CRASH_LOOP_BACK_OFF);
    CU_ASSERT(!poison_runs(&sim)); /* and the wait goes on */
    sim_kill(&sim, holder);
    sim_kill_engine(&sim, holder);
    CU_ASSERT(sim_until(&sim, poison_runs, 30000));
    CU_ASSERT_EQUAL(story_where(&sim, "poison", NULL), other);
    sim_run(&sim, 1500);
    CU_ASSERT_EQUAL(story_child(&sim, other, "poison", 0).restarts, before.restarts);
    size_t container = 0;
    story_where(&sim, "poison", &container);
    sim_exit(&sim, container, 1);
    CU_ASSERT(!sim_until(&sim, poison_runs, 12000)); /* at the level that it had */
    sim_release(&sim);
}

/* All children of the supervisor on that node end and move; others stay; and it dies down. */
static void escalation_gives_up_the_children_here_and_dies_down(void)
{
    struct sim sim;
    story_begin(&sim, 122, 3);
    supervisor_is(&sim, 3, INTENSITY_ESCALATE);
    story_run(&sim, 0, "web", 30, NULL);
    story_run(&sim, 0, "poison", 1, NULL);
    size_t first = story_where(&sim, "poison", NULL);
    size_t neighbours = running_on(&sim, "web", first);
    CU_ASSERT_FATAL(neighbours > 2);
    CU_ASSERT_EQUAL(poison(&sim, 1500), 4); /* at 0, 100, 300 and 700 ms: one too many */
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(running_on(&sim, "web", first), 0);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 30);
    size_t moved = 0;
    for (uint32_t i = 0; i < 30; i++)
        moved += story_child(&sim, 0, "web", i).epoch == 2;
    CU_ASSERT_EQUAL(moved, neighbours);
    CU_ASSERT_NOT_EQUAL(story_where(&sim, "poison", NULL), first);
    CU_ASSERT_EQUAL(story_child(&sim, first, "poison", 0).restarts, 4);
    poison(&sim, 120000); /* its level came with it: no node after that is given up */
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 30);
    uint64_t epochs = 0;
    for (uint32_t i = 0; i < 30; i++)
        epochs += story_child(&sim, 0, "web", i).epoch;
    CU_ASSERT_EQUAL(epochs, 30 + neighbours);
    sim_release(&sim);
}

/* Even when no restart at all is allowed: each costs a move, at the pace of the back-off. */
static void escalation_without_any_restart_allowed_is_bounded(void)
{
    struct sim sim;
    story_begin(&sim, 123, 1);
    supervisor_is(&sim, 0, INTENSITY_ESCALATE);
    story_run(&sim, 0, "web", 3, NULL);
    story_run(&sim, 0, "poison", 1, NULL);
    unsigned crashes = poison(&sim, 60000);
    CU_ASSERT(crashes >= 5 && crashes <= 9);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000)); /* alone it takes them back itself */
    sim_release(&sim);
}

static void a_terminated_child_stays_ended_until_it_is_deleted(void)
{
    for (int held = 0; held < 2; held++) {
        struct sim sim;
        story_begin(&sim, 124, 3);
        sim.pull_ms = held ? 10 : 600000;
        next_restart = RESTART_PERMANENT;
        story_put(&sim, 0, "web", 1, set_restart);
        if (held)
            CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
        story_stop_child(&sim, 1, "web", true);
        sim_run(&sim, 10000);
        struct child_view view = story_child(&sim, 2, "web", 0);
        CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
        CU_ASSERT_STRING_EQUAL(view.reason, "deleted");
        sim.pull_ms = 10;
        story_stop_child(&sim, 1, "web", true); /* as often as one likes */
        sim_run(&sim, 5000);
        CU_ASSERT(!runs_anywhere(&sim, "web"));
        story_stop_child(&sim, 2, "web", false);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
        CU_ASSERT(story_child(&sim, 0, "web", 0).epoch > view.epoch);
        sim_release(&sim);
    }
}

/* One that waits because nobody may run it is terminated as well, by whoever is asked. */
static void a_child_that_nobody_holds_can_be_terminated(void)
{
    struct sim sim;
    story_begin(&sim, 125, 2);
    for (size_t i = 0; i < 2; i++)
        story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, i ? "n1" : "n0", true);
    story_put(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).phase, CHILD_PENDING);
    story_stop_child(&sim, 1, "web", true);
    for (size_t i = 0; i < 2; i++)
        story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, i ? "n1" : "n0", false);
    sim_run(&sim, 5000);
    CU_ASSERT(!runs_anywhere(&sim, "web"));
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).phase, CHILD_SUCCEEDED);
    sim_release(&sim);
}

/* A container that was taken for lost, or that somebody starts by hand, does not run on unseen.
 * (swarm 1363) */
static void a_finished_child_that_runs_again_is_ended_again(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 128, 2);
    next_restart = RESTART_TEMPORARY;
    story_run(&sim, 0, "job", 1, set_restart);
    story_where(&sim, "job", &container);
    sim_exit(&sim, container, 0);
    sim_run(&sim, 2000);
    sim.containers[container].container.state = CONTAINER_RUNNING;
    sim.containers[container].container.started_ms += 60000;
    sim_run(&sim, 70000); /* the next list shows it */
    CU_ASSERT(!runs_anywhere(&sim, "job"));
    CU_ASSERT_EQUAL(story_child(&sim, 0, "job", 0).phase, CHILD_SUCCEEDED);
    sim_release(&sim);
}

/* Acknowledged, and the holder's agent dies before the container has ended: asked here or there. */
static void a_termination_outlives_the_agent_that_has_acknowledged_it(void)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct sim sim;
        story_begin(&sim, 129, 3);
        story_run(&sim, 0, "web", 1, NULL);
        size_t holder = story_where(&sim, "web", NULL);
        sim.stop_ms = 3000;
        story_stop_child(&sim, (holder + elsewhere) % 3, "web", true);
        CU_ASSERT(runs_anywhere(&sim, "web"));
        CU_ASSERT_EQUAL(story_child(&sim, holder, "web", 0).phase, CHILD_STOPPING);
        sim_kill(&sim, holder);
        sim_run(&sim, 500);
        sim_start(&sim, holder);
        sim_run(&sim, 10000);
        CU_ASSERT(!runs_anywhere(&sim, "web"));
        for (size_t i = 0; i < 3; i++) {
            struct child_view view = story_child(&sim, i, "web", 0);
            CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
            CU_ASSERT_STRING_EQUAL(view.reason, "deleted");
        }
        sim_release(&sim);
    }
}

/* Terminated while it is being started: what comes of that start is not how it ended. (swarm 1344)
 */
static void a_termination_is_not_retold_by_a_start_that_fails(void)
{
    struct sim sim;
    story_begin(&sim, 131, 2);
    sim.start_ms = 2000;
    story_put(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 500);
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).phase, CHILD_STARTING);
    sim.fail_percent = 100;
    story_stop_child(&sim, 1, "web", true);
    sim_run(&sim, 4000);
    sim.fail_percent = 0;
    sim_run(&sim, 4000);
    struct child_view view = story_child(&sim, 0, "web", 0);
    CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
    CU_ASSERT_STRING_EQUAL(view.reason, "deleted");
    sim_release(&sim);
}

/* How it ended is told together with that it has: no moment at which an agent that dies could leave
 * a finished child of which nobody knows whether it has succeeded. */
static void how_a_job_ended_is_known_after_its_agent_at_any_moment(void)
{
    for (uint64_t ms = 0; ms < 1500; ms += 100) {
        struct sim sim;
        size_t container = 0;
        story_begin(&sim, 130, 1);
        next_restart = RESTART_TRANSIENT;
        story_run(&sim, 0, "job", 1, set_restart);
        story_where(&sim, "job", &container);
        sim_exit(&sim, container, 0);
        sim_run(&sim, ms);
        sim_kill(&sim, 0);
        sim_start(&sim, 0);
        sim_run(&sim, 5000);
        struct child_view view = story_child(&sim, 0, "job", 0);
        CU_ASSERT_EQUAL(view.phase, CHILD_SUCCEEDED);
        CU_ASSERT_STRING_EQUAL(view.reason, "Completed");
        sim_release(&sim);
    }
}

static void set_new_spec(struct workload *workload)
{
    workload->generation = workload->spec_hash = 2;
}

/* Who was terminated in the middle of an update, or failed for good, does not hold it up. */
static void an_update_passes_over_who_has_ended_for_good(void)
{
    struct sim sim;
    story_begin(&sim, 127, 3);
    sim.may_finish = true;
    story_run(&sim, 0, "web", 4, NULL);
    sim.pull_ms = sim.start_ms = 2000; /* the update takes a while */
    sim_put_workload(&sim, 0, "web", 4, set_new_spec);
    sim_run(&sim, 100);
    story_stop_child(&sim, 1, "web", true); /* web-0, whose container is the old one */
    CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 3).spec_hash, 2);
    sim_release(&sim);
}

static void a_finished_workload_is_deleted_after_its_time_and_not_before(void)
{
    struct sim sim;
    struct workload_view view;
    story_begin(&sim, 126, 3);
    next_restart = RESTART_TRANSIENT;
    next_ttl_seconds = 20;
    story_run(&sim, 0, "job", 3, set_restart);
    next_ttl_seconds = -1;
    for (uint32_t left = 3; left > 0; left--) {
        size_t container = 0;
        sim_run(&sim, 25000); /* not while one of them runs */
        CU_ASSERT(query_workload(sim.nodes[1].node, "default", "job", &view));
        story_where(&sim, "job", &container);
        sim_exit(&sim, container, 0);
    }
    sim_run(&sim, 19000);
    CU_ASSERT(query_workload(sim.nodes[1].node, "default", "job", &view));
    sim_run(&sim, 4000);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(!query_workload(sim.nodes[i].node, "default", "job", &view));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000)); /* claims, statuses, containers */
    sim_release(&sim);
}

UNIT_MAIN("restart",
          {"node death", a_node_death_is_a_failure_to_transient_and_the_end_of_temporary},
          {"each policy", each_policy_knows_success_from_failure},
          {"poison", a_poison_child_harms_no_neighbour},
          {"crash loop", a_crash_loop_goes_on_where_it_was_after_its_agent_and_its_node},
          {"escalate", escalation_gives_up_the_children_here_and_dies_down},
          {"escalate at once", escalation_without_any_restart_allowed_is_bounded},
          {"terminate and delete", a_terminated_child_stays_ended_until_it_is_deleted},
          {"terminate the unheld", a_child_that_nobody_holds_can_be_terminated},
          {"terminated and killed", a_termination_outlives_the_agent_that_has_acknowledged_it},
          {"terminated while starting", a_termination_is_not_retold_by_a_start_that_fails},
          {"completed and killed", how_a_job_ended_is_known_after_its_agent_at_any_moment},
          {"finished and started", a_finished_child_that_runs_again_is_ended_again},
          {"update and terminate", an_update_passes_over_who_has_ended_for_good},
          {"ttl", a_finished_workload_is_deleted_after_its_time_and_not_before})
