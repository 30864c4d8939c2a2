/* What the swarm found, as scenes that need no luck. */
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

UNIT_MAIN("swarm_regression",
          {"a write that outlives its writer in others' memory is no deletion",
           a_write_that_outlives_its_writer_in_others_memory_is_no_deletion},
          {"a write that waits when its agent stops is told as uncertain",
           a_write_that_waits_when_its_agent_stops_is_told_as_uncertain},
          {"a start that is cut short does not hide a crash",
           a_start_that_is_cut_short_does_not_hide_a_crash})
