/* Readiness and liveness: what the answers of a container come to. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

static struct {
    struct probe readiness, liveness;
    uint64_t spec_hash;
    enum restart_policy restart;
} next;

static void set_probes(struct workload *workload)
{
    workload->probes[PROBE_READINESS] = next.readiness;
    workload->probes[PROBE_LIVENESS] = next.liveness;
    workload->generation = workload->spec_hash = next.spec_hash;
    workload->restart = next.restart;
}

static void begin(struct sim *sim, uint64_t seed, size_t nodes)
{
    story_begin(sim, seed, nodes);
    memset(&next, 0, sizeof next);
    next.spec_hash = 1;
}

static const struct probe every_second = {
    .period_seconds = 1, .timeout_seconds = 1, .success_threshold = 1, .failure_threshold = 3};

static bool has_name(struct sim *sim, const char *name)
{
    struct name_view view;
    return query_name(sim->nodes[0].node, "default", name, &view);
}

static size_t ready_count(struct sim *sim, const char *name)
{
    struct workload_view view = {.ready = 0};
    CU_ASSERT(query_workload(sim->nodes[0].node, "default", name, &view));
    return view.ready;
}

/* Not before initialDelaySeconds, after successThreshold answers in a row, and away again after
 * failureThreshold bad ones; its name with it. */
static void readiness_follows_the_answers_and_the_name_follows_readiness(void)
{
    struct sim sim;
    size_t container = 0;
    begin(&sim, 300, 2);
    next.readiness = (struct probe){.initial_delay_seconds = 5,
                                    .period_seconds = 2,
                                    .timeout_seconds = 1,
                                    .success_threshold = 3,
                                    .failure_threshold = 2};
    story_put(&sim, 0, "web", 1, set_probes);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim.probes, 0);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    struct child_view view = story_child(&sim, 1, "web", 0);
    CU_ASSERT(view.phase == CHILD_RUNNING && !view.ready && strcmp(view.reason, "NotReady") == 0);
    CU_ASSERT(!has_name(&sim, "web"));
    sim_run(&sim, 5500); /* asked at 5 and at 7 s */
    CU_ASSERT_EQUAL(sim.probes, 2);
    CU_ASSERT(!has_name(&sim, "web"));
    sim_run(&sim, 2000);
    CU_ASSERT(has_name(&sim, "web") && story_child(&sim, 1, "web", 0).ready);
    story_where(&sim, "web", &container);
    sim.containers[container].unready = true;
    sim_run(&sim, 2000); /* one bad answer is none */
    CU_ASSERT(has_name(&sim, "web"));
    sim_run(&sim, 3000);
    view = story_child(&sim, 1, "web", 0);
    CU_ASSERT(!has_name(&sim, "web") && !view.ready && view.phase == CHILD_RUNNING);
    CU_ASSERT_STRING_EQUAL(view.message, "HTTP status 503");
    CU_ASSERT_EQUAL(view.restarts, 0); /* readiness ends nothing */
    sim.containers[container].unready = false;
    sim_run(&sim, 8000);
    CU_ASSERT(has_name(&sim, "web") && story_child(&sim, 1, "web", 0).reason[0] == '\0');
    sim_release(&sim);
}

/* It did not listen yet when it was asked first: what is told is not that for ever. */
static void the_reason_follows_the_answers(void)
{
    struct sim sim;
    begin(&sim, 306, 2);
    next.readiness = every_second;
    sim.ready_ms = 3000;
    sim.unready_hash = 1;
    story_put(&sim, 0, "web", 1, set_probes);
    sim_run(&sim, 3000);
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 1, "web", 0).message, "cannot connect");
    sim_run(&sim, 10000);
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 1, "web", 0).message, "HTTP status 503");
    sim_release(&sim);
}

/* The new agent takes over what the old one knew: no name goes away for a moment. */
static void a_restart_of_the_agent_keeps_readiness_as_it_was(void)
{
    for (int ready = 0; ready < 2; ready++) {
        struct sim sim;
        begin(&sim, 301, 1);
        next.readiness = every_second;
        next.readiness.period_seconds = 60;
        sim.unready_hash = ready ? 0 : 1;
        story_put(&sim, 0, "web", 1, set_probes);
        sim_run(&sim, 5000);
        CU_ASSERT_EQUAL(has_name(&sim, "web"), ready);
        sim_kill(&sim, 0);
        sim_start(&sim, 0);
        for (int i = 0; i < 30; i++) {
            sim_run(&sim, 100);
            CU_ASSERT_EQUAL(has_name(&sim, "web"), ready);
        }
        CU_ASSERT_EQUAL(sim.container_count, 1);
        sim_release(&sim);
    }
}

/* Ended with its grace, judged as a failure whatever its exit code: the policies hold. */
static void a_container_that_hangs_is_restarted_or_has_failed(void)
{
    const enum restart_policy policies[] = {RESTART_PERMANENT, RESTART_TRANSIENT,
                                            RESTART_TEMPORARY};
    for (size_t i = 0; i < 3; i++) {
        struct sim sim;
        size_t container = 0;
        begin(&sim, 302 + i, 2);
        next.liveness = every_second;
        next.restart = policies[i];
        story_run(&sim, 0, "web", 1, set_probes);
        story_where(&sim, "web", &container);
        sim_run(&sim, 5000);
        sim.containers[container].hung = true;
        sim_run(&sim, 1800);
        CU_ASSERT_EQUAL(sim.containers[container].container.state, CONTAINER_RUNNING);
        sim_run(&sim, 4000);
        bool again = policies[i] != RESTART_TEMPORARY;
        struct child_view view = story_child(&sim, 1, "web", 0);
        CU_ASSERT_EQUAL(view.restarts, again);
        CU_ASSERT_EQUAL(view.phase, again ? CHILD_RUNNING : CHILD_FAILED);
        CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), again);
        if (!again) {
            CU_ASSERT_STRING_EQUAL(view.reason, "Unhealthy");
            CU_ASSERT_STRING_EQUAL(view.message, "liveness probe: HTTP status 503");
        }
        sim_release(&sim);
    }
}

/* A new version that never gets ready takes the place of one child and no more. */
static void an_update_stops_at_the_first_child_that_is_not_ready(void)
{
    struct sim sim;
    begin(&sim, 310, 3);
    next.readiness = every_second;
    story_run(&sim, 0, "web", 5, set_probes);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(ready_count(&sim, "web"), 5);
    next.spec_hash = sim.unready_hash = 2;
    story_put(&sim, 0, "web", 5, set_probes);
    for (int i = 0; i < 60; i++) {
        sim_run(&sim, 1000);
        CU_ASSERT(ready_count(&sim, "web") >= 4);
    }
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 0).spec_hash, 2);
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 1).spec_hash, 1);
    next.spec_hash = 3;
    story_put(&sim, 0, "web", 5, set_probes);
    for (int i = 0; i < 60; i++) {
        sim_run(&sim, 1000);
        CU_ASSERT(ready_count(&sim, "web") >= 4); /* the bad one counts: it is replaced first */
    }
    CU_ASSERT(ready_count(&sim, "web") == 5 && sim_is_converged(&sim));
    CU_ASSERT_EQUAL(story_child(&sim, 0, "web", 4).spec_hash, 3);
    sim_release(&sim);
}

/* What the engine cannot find out is no answer; nor is what was asked before a pause. */
static void an_engine_that_fails_and_a_pause_are_no_answers(void)
{
    struct sim sim;
    begin(&sim, 311, 1);
    next.readiness = next.liveness = every_second;
    next.liveness.failure_threshold = next.readiness.failure_threshold = 1;
    story_run(&sim, 0, "web", 3, set_probes);
    sim_run(&sim, 3000);
    uint64_t made = sim.container_count, probes = sim.probes;
    sim.fail_percent = 100;
    sim_run(&sim, 20000);
    sim.fail_percent = 0;
    CU_ASSERT(sim.probes > probes + 50); /* it was asked for */
    sim_freeze(&sim, 0, true);
    sim_run(&sim, 5000);
    sim_freeze(&sim, 0, false);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim.container_count, made);
    CU_ASSERT_EQUAL(ready_count(&sim, "web"), 3);
    sim_release(&sim);
}

/* However many there are, and however slow. */
static void probes_in_flight_are_bounded_and_all_get_their_turn(void)
{
    struct sim sim;
    begin(&sim, 312, 1);
    sim.start_ms = 5;
    next.readiness = every_second;
    story_run(&sim, 0, "web", 300, set_probes);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(ready_count(&sim, "web"), 300);
    sim.slow_ms_max = 2000; /* a second each: 32 at a time */
    uint64_t before = sim.probes;
    sim_run(&sim, 60000);
    uint64_t asked = sim.probes - before;
    CU_ASSERT(asked > 60 * 20 && asked < 60 * 40);
    for (size_t i = 0; i < sim.container_count; i++)
        sim.containers[i].unready = true;
    sim_run(&sim, 45000); /* 300 x 3 answers at 30 a second */
    CU_ASSERT_EQUAL(ready_count(&sim, "web"), 0);
    sim_release(&sim);
}

UNIT_MAIN("probe", {"readiness", readiness_follows_the_answers_and_the_name_follows_readiness},
          {"reason", the_reason_follows_the_answers},
          {"agent restart", a_restart_of_the_agent_keeps_readiness_as_it_was},
          {"liveness", a_container_that_hangs_is_restarted_or_has_failed},
          {"update", an_update_stops_at_the_first_child_that_is_not_ready},
          {"no answers", an_engine_that_fails_and_a_pause_are_no_answers},
          {"many", probes_in_flight_are_bounded_and_all_get_their_turn})
