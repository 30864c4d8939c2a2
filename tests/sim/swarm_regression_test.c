/* What the swarm found, and what was looked for after it, as scenes that need no luck. */
#include <string.h>

#include "agent/core/node_private.h"
#include "tests/sim/story.h"

/* n0's disk hangs: its write reaches n1 and n2, and is lost with the power. When n0 returns it must
 * not claim to know that dot: the members would take the new document for removed, and the old one,
 * which had been acknowledged, was replaced by it. (swarm 404 of 2026-11-21) */
static void a_write_that_outlives_its_writer_in_others_memory_is_no_deletion(void)
{
    struct sim sim;
    struct workload_view view;
    story_begin(&sim, 1, 3);
    story_put(&sim, 1, "web", 1, NULL);
    sim.nodes[0].disk_stuck = true;
    uint64_t id = sim_put_workload(&sim, 0, "web", 3, NULL);
    sim_run(&sim, 100);
    CU_ASSERT(sim_reply(&sim, id) == NULL);
    CU_ASSERT(query_workload(sim.nodes[1].node, "default", "web", &view));
    CU_ASSERT_EQUAL(view.workload->replicas, 3);
    sim_kill(&sim, 0);
    sim_kill_engine(&sim, 0);
    sim_drop_unsynced(&sim, 0);
    sim.nodes[0].disk_stuck = false;
    sim_run(&sim, 1000);
    sim_start(&sim, 0);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 20000));
    CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(query_workload(sim.nodes[i].node, "default", "web", &view));
        CU_ASSERT_EQUAL(view.workload->replicas, 3);
    }
    sim_release(&sim);
}

/* It is on this disk, and perhaps with a peer: "refused" would be a lie. (swarm 180) */
static void a_write_that_waits_when_its_agent_stops_is_told_as_uncertain(void)
{
    struct sim sim;
    story_begin(&sim, 2, 3);
    story_put(&sim, 1, "web", 1, NULL);
    story_cut(&sim, 0, true);
    uint64_t id = sim_put_workload(&sim, 0, "web", 3, NULL);
    sim_run(&sim, 100);
    CU_ASSERT(sim_reply(&sim, id) == NULL);
    sim_stop(&sim, 0);
    sim_run(&sim, 2500);
    CU_ASSERT_FATAL(sim_reply(&sim, id) != NULL);
    CU_ASSERT_EQUAL(sim_reply(&sim, id)->status, 504);
    CU_ASSERT(strstr(sim_reply(&sim, id)->message, "repeat the request at another agent") != NULL);
    sim_release(&sim);
}

/* After a crash n0 starts, and is told to stop before it has compared: the run after that must
 * still know of the crash, and not use dots again that only others' memory has. (swarm 10354) */
static void a_start_that_is_cut_short_does_not_hide_a_crash(void)
{
    struct sim sim;
    story_begin(&sim, 3, 3);
    story_put(&sim, 1, "web", 1, NULL);
    uint64_t writer = awmap_writer(sim.nodes[0].node->map);
    sim_kill(&sim, 0);
    story_cut(&sim, 0, true);
    sim_start(&sim, 0);
    sim_run(&sim, 500);
    sim_stop(&sim, 0);
    sim_run(&sim, 4000);
    CU_ASSERT_FATAL(sim.nodes[0].node == NULL);
    sim_heal_cuts(&sim);
    sim_start(&sim, 0);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 20000));
    sim_run(&sim, 2000);
    CU_ASSERT_NOT_EQUAL(awmap_writer(sim.nodes[0].node->map), writer);
    sim_release(&sim);
}

/* Of what the next holder says the present one may hear before it hears of the claim. It must not
 * write over it, for how a child has ended nobody else knows; and it must not wait for ever, for
 * the claim may have been lost with its writer. (swarm 100007130) */
static void a_later_status_is_left_alone_until_its_claim_has_had_time_to_come(void)
{
    struct sim sim;
    story_begin(&sim, 4, 2);
    story_run(&sim, 0, "web", 1, NULL);
    struct child_id id = {.ns = "default", .workload = "web"};
    struct node *holder = sim.nodes[0].node, *next = sim.nodes[1].node;
    if (strcmp(story_child(&sim, 0, "web", 0).node, "n0") != 0) {
        holder = sim.nodes[1].node;
        next = sim.nodes[0].node;
    }
    struct status status = {.epoch = 2, .phase = CHILD_SUCCEEDED, .reason = "deleted"};
    struct buffer value = {0};
    struct key key = key_status(&id);
    status_encode(&status, &value);
    node_put(next, &key, &value);
    buffer_release(&value);
    const struct child *child = store_child(&holder->store, &id);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(child->status->epoch, 2);
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(child->status->epoch, 1);
    sim_release(&sim);
}

static void set_renewed(struct workload *workload)
{
    workload->spec_hash = 2;
}

/* It may run again under the next spec, if anybody could take it: how it ended under the one before
 * is told before its container is forgotten, and told of that one. (swarm 660047721) */
static void who_lets_go_of_an_end_tells_it_but_not_over_what_came_later(void)
{
    for (int later = 0; later < 2; later++) {
        struct sim sim;
        story_begin(&sim, 6, 2);
        sim.stop_ms = 400;
        story_run(&sim, 0, "web", 1, NULL);
        sim_run(&sim, 2000);
        for (size_t i = 0; i < 2; i++)
            story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, sim.nodes[i].name, true);
        story_stop_child(&sim, 0, "web", true);
        struct child_id id = {.ns = "default", .workload = "web"};
        struct status status = {.epoch = 2, .phase = CHILD_RUNNING};
        struct buffer value = {0};
        struct key key = key_status(&id);
        status_encode(&status, &value);
        if (later)
            node_put(sim.nodes[0].node, &key, &value);
        buffer_release(&value);
        story_put(&sim, 0, "web", 1, set_renewed);
        sim_run(&sim, 10000);
        const struct child *child = store_child(&sim.nodes[0].node->store, &id);
        CU_ASSERT_EQUAL(child->claim->state, CLAIM_FINISHED);
        CU_ASSERT_EQUAL(child->status->epoch, later ? 2 : 1);
        CU_ASSERT_EQUAL(child->status->phase, later ? CHILD_RUNNING : CHILD_SUCCEEDED);
        CU_ASSERT_EQUAL(child->status->spec_hash, later ? 0 : child->claim->spec_hash);
        sim_release(&sim);
    }
}

/* One member writes it, and nobody is told of what it belongs to: all leave it alone for as long as
 * the rest may be on its way, and then it goes. */
static void goes_late(struct sim *sim, const struct key *key, struct buffer *value)
{
    node_put(sim->nodes[0].node, key, value);
    buffer_release(value);
    sim_run(sim, WHOLE_MAP_MS - 2000);
    for (size_t i = 0; i < sim->count; i++)
        CU_ASSERT(awmap_find(sim->nodes[i].node->map, key_span(key)) != NULL);
    sim_run(sim, 5000);
    for (size_t i = 0; i < sim->count; i++)
        CU_ASSERT(awmap_find(sim->nodes[i].node->map, key_span(key)) == NULL);
}

/* Of a child of which nobody knows anything yet: nobody could write again how it ended. (swarm
 * 560000844) */
static void a_status_without_claim_or_workload_is_left_alone_until_they_have_had_time_to_come(void)
{
    struct sim sim;
    story_begin(&sim, 5, 3);
    struct child_id id = {.ns = "default", .workload = "web"};
    struct status status = {.epoch = 1, .phase = CHILD_SUCCEEDED, .reason = "deleted"};
    struct buffer value = {0};
    struct key key = key_status(&id);
    status_encode(&status, &value);
    goes_late(&sim, &key, &value);
    sim_release(&sim);
}

/* While a cut heals; it had been acknowledged. */
static void a_state_of_a_later_workload_is_left_alone_until_this_has_had_time_to_come(void)
{
    struct sim sim;
    story_begin(&sim, 5, 3);
    story_run(&sim, 0, "web", 1, NULL);
    struct child_id id = {.ns = "default", .workload = "web"};
    struct state_record record = {.id = {.epoch = 2}, .node = "n9", .uid = "later"};
    struct buffer value = {0};
    struct key key = key_state(&id);
    state_record_encode(&record, &value);
    goes_late(&sim, &key, &value);
    sim_release(&sim);
}

UNIT_MAIN("swarm_regression",
          {"a write that outlives its writer in others' memory is no deletion",
           a_write_that_outlives_its_writer_in_others_memory_is_no_deletion},
          {"a write that waits when its agent stops is told as uncertain",
           a_write_that_waits_when_its_agent_stops_is_told_as_uncertain},
          {"a start that is cut short does not hide a crash",
           a_start_that_is_cut_short_does_not_hide_a_crash},
          {"a later status is left alone until its claim has had time to come",
           a_later_status_is_left_alone_until_its_claim_has_had_time_to_come},
          {"who lets go of an end tells it, but not over what came later",
           who_lets_go_of_an_end_tells_it_but_not_over_what_came_later},
          {"a status without claim or workload is left alone until they have had time to come",
           a_status_without_claim_or_workload_is_left_alone_until_they_have_had_time_to_come},
          {"a state of a later workload is left alone until this has had time to come",
           a_state_of_a_later_workload_is_left_alone_until_this_has_had_time_to_come})
