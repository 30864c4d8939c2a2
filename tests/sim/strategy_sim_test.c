/* Strategies other than Uniform, in whole clusters: every node draws the same. */
#include <string.h>

#include "tests/sim/story.h"

static void supervise_at_random(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "random");
}

static void put_random_supervisor(struct sim *sim)
{
    struct supervisor supervisor = {.generation = 1};
    char document[] = "{}";
    supervisor_set_defaults(&supervisor, "random");
    TEXT_SET(supervisor.strategy, "UniformRandom");
    supervisor.document = document;
    supervisor.document_bytes = 2;
    struct request request = {.kind = REQUEST_PUT_SUPERVISOR, .supervisor = &supervisor};
    uint64_t id = sim_request(sim, 0, &request);
    sim_run(sim, 200);
    CU_ASSERT_FATAL(sim_reply(sim, id) && sim_reply(sim, id)->status == 200);
}

/* In Horde each node shuffles by itself: what a dead node had starts twice, or not at all. */
static void what_a_dead_node_had_starts_once_under_uniform_random(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 4);
        put_random_supervisor(&sim);
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

UNIT_MAIN("strategy_sim", {"what a dead node had starts once under UniformRandom",
                           what_a_dead_node_had_starts_once_under_uniform_random})
