/* Detaching beside the two golden stories (stories_test.c): what its edges are. */
#include <string.h>

#include "tests/sim/story.h"

static uint64_t detach(struct sim *sim, size_t index, uint64_t away_ms)
{
    struct request request = {.kind = REQUEST_DETACH, .away_ms = away_ms};
    return sim_request(sim, index, &request);
}

static const char *phase(const struct sim *sim, size_t index, const char *name)
{
    static struct member_view view;
    return query_member(sim->nodes[index].node, name, &view) ? view.phase : "unknown";
}

static int status(const struct sim *sim, uint64_t id)
{
    const struct reply *reply = sim_reply(sim, id);
    return reply ? reply->status : 0;
}

/* Three nodes of which each holds some of nine children. */
static void begin(struct sim *sim, uint64_t seed)
{
    story_begin(sim, seed, 3);
    story_run(sim, 0, "web", 9, NULL);
}

static void a_signal_detaches_if_so_configured(void)
{
    struct sim sim;
    sim_init(&sim, 1, 3);
    sim.detach_on_stop = true;
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    story_run(&sim, 0, "web", 9, NULL);
    uint64_t started = sim.started;
    for (size_t i = 0; i < 3; i++) { /* one after the other: a rolling upgrade */
        sim_stop(&sim, i);
        sim_run(&sim, 300);
        CU_ASSERT_EQUAL(sim.nodes[i].exit_status, 0);
        CU_ASSERT(sim.nodes[i].node == NULL);
        CU_ASSERT_STRING_EQUAL(phase(&sim, (i + 1) % 3, sim.nodes[i].name), "absent");
        sim_run(&sim, DETACH_MS_DEFAULT - 5000);
        sim_start(&sim, i);
        CU_ASSERT(sim_until(&sim, sim_all_alive, 3000));
    }
    sim_run(&sim, DETACH_MS_DEFAULT);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

static void a_second_signal_ends_it_at_once(void)
{
    struct sim sim;
    begin(&sim, 2);
    story_cut(&sim, 2, true); /* nobody can confirm */
    sim_run(&sim, 100);
    detach(&sim, 2, 60000);
    sim_stop(&sim, 2); /* it goes already */
    sim_run(&sim, 100);
    CU_ASSERT_FATAL(sim.nodes[2].node != NULL);
    sim_stop(&sim, 2);
    CU_ASSERT_EQUAL(sim.nodes[2].exit_status, 1);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9);
    sim_release(&sim);
}

static void who_is_ending_does_not_change_its_mind(void)
{
    struct sim sim;
    begin(&sim, 3);
    struct request leave = {.kind = REQUEST_LEAVE};
    uint64_t left = sim_request(&sim, 2, &leave);
    CU_ASSERT_EQUAL(status(&sim, detach(&sim, 2, 60000)), 503);
    sim_stop(&sim, 2);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(status(&sim, left), 200);
    CU_ASSERT_EQUAL(sim.nodes[2].exit_status, 0);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "left");
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));

    uint64_t started = sim.started;
    sim_freeze(&sim, 0, true); /* nobody can confirm for a moment */
    detach(&sim, 1, 60000);
    sim_run(&sim, 200);
    CU_ASSERT_EQUAL(status(&sim, detach(&sim, 1, 60000)), 503);
    uint64_t put = sim_put_workload(&sim, 1, "other", 1, NULL);
    CU_ASSERT_EQUAL(status(&sim, put), 503);
    sim_stop(&sim, 1);
    sim_run(&sim, 200);
    CU_ASSERT_FATAL(sim.nodes[1].node != NULL);
    sim_freeze(&sim, 0, false);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(sim.nodes[1].exit_status, 0);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n1"), "absent");
    CU_ASSERT_EQUAL(sim.started, started); /* detached, not drained */
    sim_release(&sim);
}

/* It hears the others, who do not hear it: bounded, and told that they may take it for dead. */
static void nobody_confirms(void)
{
    struct sim sim;
    begin(&sim, 4);
    sim_cut_one_way(&sim, 2, 0, true);
    sim_cut_one_way(&sim, 2, 1, true);
    uint64_t id = detach(&sim, 2, 60000);
    sim_run(&sim, SYNC_BEFORE_WRITE_MS);
    CU_ASSERT_FATAL(sim.nodes[2].node != NULL);
    CU_ASSERT_EQUAL(status(&sim, id), 0);
    sim_run(&sim, 2100);
    CU_ASSERT_EQUAL(sim.nodes[2].exit_status, 0);
    CU_ASSERT_EQUAL(status(&sim, id), 504);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "dead");
    sim_release(&sim);
}

/* Nobody looks after a container of an agent that goes: its next run will. */
static void who_goes_decides_nothing_any_more(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 13, 3);
    story_run(&sim, 0, "one", 1, NULL);
    size_t at = story_where(&sim, "one", &container);
    uint64_t started = sim.started;
    for (size_t i = 0; i < 3; i++)
        sim_freeze(&sim, i, i != at);
    detach(&sim, at, 60000);
    sim_exit(&sim, container, 1);
    sim_run(&sim, 1500);
    CU_ASSERT_FATAL(sim.nodes[at].node != NULL);
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* For what it knows there is nobody who could confirm: as with any write. */
static void cut_off_it_goes_as_if_alone(void)
{
    struct sim sim;
    begin(&sim, 12);
    story_cut(&sim, 2, true);
    sim_run(&sim, 5000);
    uint64_t id = detach(&sim, 2, 60000);
    sim_run(&sim, 100);
    CU_ASSERT_EQUAL(sim.nodes[2].exit_status, 0);
    CU_ASSERT_EQUAL_FATAL(status(&sim, id), 200);
    CU_ASSERT(sim_reply(&sim, id)->alone);
    sim_release(&sim);
}

static void alone_it_just_goes_and_comes(void)
{
    struct sim sim;
    story_begin(&sim, 5, 1);
    story_run(&sim, 0, "web", 3, NULL);
    uint64_t started = sim.started, id = detach(&sim, 0, DETACH_MS_MIN);
    sim_run(&sim, 100);
    CU_ASSERT_EQUAL(status(&sim, id), 200);
    CU_ASSERT_EQUAL(sim.nodes[0].exit_status, 0);
    sim_run(&sim, 600000); /* far too late: there is nobody who could mind */
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 3);
    sim_start(&sim, 0);
    sim_run(&sim, 3000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, started);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n0"), "alive");
    sim_release(&sim);
}

/* An upgrade of all agents at once: the last to go have nobody left who could confirm. */
static void all_go_and_come_back(void)
{
    struct sim sim;
    begin(&sim, 14);
    uint64_t started = sim.started;
    for (size_t i = 0; i < 3; i++)
        detach(&sim, i, 60000);
    sim_run(&sim, SYNC_BEFORE_WRITE_MS);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(sim.nodes[i].exit_status, 0);
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 9);
    sim_start(&sim, 0); /* the first is alone for a while */
    sim_run(&sim, 20000);
    sim_start(&sim, 1);
    sim_start(&sim, 2);
    sim_run(&sim, 10000);
    CU_ASSERT(sim_all_alive(&sim) && sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* It was started a moment ago, and may not write before it has compared. */
static void who_has_just_started_says_so_first(void)
{
    struct sim sim;
    begin(&sim, 6);
    uint64_t started = sim.started;
    for (int i = 0; i < 3; i++) {
        uint64_t id = detach(&sim, 2, 20000);
        sim_run(&sim, 3000);
        CU_ASSERT_EQUAL(status(&sim, id), 200);
        CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "absent");
        sim_start(&sim, 2);
    }
    sim_run(&sim, 60000);
    CU_ASSERT(sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* It counts from when it learns of it, which is anew. */
static void an_observer_that_restarts_does_not_adopt_either(void)
{
    struct sim sim;
    begin(&sim, 7);
    uint64_t started = sim.started;
    detach(&sim, 2, 40000);
    sim_run(&sim, 5000);
    for (size_t i = 0; i < 2; i++) {
        sim_kill(&sim, i);
        sim_run(&sim, 50);
        sim_start(&sim, i);
    }
    sim_run(&sim, 34000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "absent");
    CU_ASSERT_STRING_EQUAL(phase(&sim, 1, "n2"), "absent");
    CU_ASSERT_EQUAL(sim.started, started);
    sim_run(&sim, 20000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "dead");
    sim_kill_engine(&sim, 2);
    CU_ASSERT(sim_is_converged(&sim));
    sim_release(&sim);
}

/* It thaws after the time is over, and finds in its mail that the member is back. */
static void an_observer_that_was_frozen_does_not_adopt_who_is_back(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim sim;
        begin(&sim, seed);
        uint64_t started = sim.started;
        detach(&sim, 2, 10000);
        sim_run(&sim, 4000);
        sim_freeze(&sim, 0, true);
        sim_freeze(&sim, 1, true);
        sim_run(&sim, 3000);
        sim_start(&sim, 2);
        sim_run(&sim, 5000);
        sim_freeze(&sim, 0, false);
        sim_freeze(&sim, 1, false);
        sim_run(&sim, 10000);
        CU_ASSERT(sim_all_alive(&sim) && sim_is_converged(&sim));
        CU_ASSERT_EQUAL(sim.started, started);
        sim_release(&sim);
    }
}

/* A cordon rewrites the record; that is no new absence. */
static void a_cordon_meanwhile_does_not_prolong_it(void)
{
    struct sim sim;
    begin(&sim, 8);
    detach(&sim, 2, 20000);
    sim_run(&sim, 15000);
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n2", true);
    sim_run(&sim, 4000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 1, "n2"), "absent");
    sim_run(&sim, 1500);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 1, "n2"), "dead");
    story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, "n2", false);
    sim_run(&sim, 1000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 1, "n2"), "dead");
    sim_release(&sim);
}

static void the_absent_are_not_forgotten(void)
{
    struct sim sim;
    sim_init(&sim, 9, 3);
    sim.forget_after_ms = 5000;
    sim_start_all(&sim);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 10000));
    detach(&sim, 2, 20000);
    sim_run(&sim, 15000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "absent");
    uint64_t id = story_request(&sim, 0, REQUEST_FORGET, "n2", false);
    CU_ASSERT_EQUAL(status(&sim, id), 409);
    sim_run(&sim, 10000);
    CU_ASSERT_STRING_EQUAL(phase(&sim, 0, "n2"), "unknown");
    sim_release(&sim);
}

/* What has ended while nobody looked is restarted by the agent that comes back, at its epoch. */
static void what_has_ended_meanwhile_is_restarted_there(void)
{
    struct sim sim;
    size_t container = 0;
    story_begin(&sim, 10, 3);
    story_run(&sim, 0, "one", 1, NULL);
    size_t at = story_where(&sim, "one", &container);
    detach(&sim, at, 20000);
    sim_run(&sim, 5000);
    sim_exit(&sim, container, 1);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim_running(&sim, "one", NULL), 0);
    sim_start(&sim, at);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 5000));
    CU_ASSERT_EQUAL(story_where(&sim, "one", NULL), at);
    CU_ASSERT_EQUAL(story_child(&sim, at, "one", 0).epoch, 1);
    CU_ASSERT_EQUAL(story_child(&sim, at, "one", 0).restarts, 1);
    sim_release(&sim);
}

static void what_is_asked_for_meanwhile_goes_elsewhere(void)
{
    struct sim sim;
    begin(&sim, 11);
    detach(&sim, 2, 60000);
    sim_run(&sim, 100);
    sim_put_workload(&sim, 0, "more", 6, NULL);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(sim_running(&sim, "more", NULL), 6);
    CU_ASSERT(sim_is_converged(&sim));
    sim_start(&sim, 2);
    sim_run(&sim, 3000);
    CU_ASSERT(sim_is_converged(&sim));
    for (uint32_t i = 0; i < 6; i++)
        CU_ASSERT_STRING_NOT_EQUAL(story_child(&sim, 0, "more", i).node, "n2");
    sim_release(&sim);
}

UNIT_MAIN("detach", {"a signal detaches if so configured", a_signal_detaches_if_so_configured},
          {"a second signal ends it at once", a_second_signal_ends_it_at_once},
          {"who is ending does not change its mind", who_is_ending_does_not_change_its_mind},
          {"nobody confirms", nobody_confirms},
          {"who goes decides nothing any more", who_goes_decides_nothing_any_more},
          {"cut off it goes as if alone", cut_off_it_goes_as_if_alone},
          {"alone it just goes and comes", alone_it_just_goes_and_comes},
          {"all go and come back", all_go_and_come_back},
          {"who has just started says so first", who_has_just_started_says_so_first},
          {"an observer that restarts does not adopt either",
           an_observer_that_restarts_does_not_adopt_either},
          {"an observer that was frozen does not adopt who is back",
           an_observer_that_was_frozen_does_not_adopt_who_is_back},
          {"a cordon meanwhile does not prolong it", a_cordon_meanwhile_does_not_prolong_it},
          {"the absent are not forgotten", the_absent_are_not_forgotten},
          {"what has ended meanwhile is restarted there",
           what_has_ended_meanwhile_is_restarted_there},
          {"what is asked for meanwhile goes elsewhere",
           what_is_asked_for_meanwhile_goes_elsewhere})
