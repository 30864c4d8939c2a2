/* Updates of a workload: how far they are, and what holds them up. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

static struct {
    uint64_t spec_hash;
    uint32_t deadline_seconds, min_ready_seconds;
    enum update_type update;
    const char *image;
} next;

static void set_next(struct workload *workload)
{
    workload->generation = workload->spec_hash = next.spec_hash;
    workload->progress_deadline_seconds = next.deadline_seconds;
    workload->min_ready_seconds = next.min_ready_seconds;
    workload->update = next.update;
    if (next.image)
        workload->image = (char *)next.image; /* borrowed for the request */
}

static void begin(struct sim *sim, uint64_t seed)
{
    story_begin(sim, seed, 3);
    memset(&next, 0, sizeof next);
    next.spec_hash = 1;
    next.deadline_seconds = 60;
}

static struct workload_view view_of(struct sim *sim, size_t index)
{
    struct workload_view view = {.workload = NULL};
    CU_ASSERT(query_workload(sim->nodes[index].node, "default", "web", &view));
    return view;
}

static size_t running_with(const struct sim *sim, uint64_t spec_hash)
{
    size_t running = 0;
    for (size_t i = 0; i < sim->container_count; i++)
        running += sim->containers[i].container.state == CONTAINER_RUNNING &&
                   sim->containers[i].container.spec_hash == spec_hash;
    return running;
}

/* Every node sees it, when the time has passed and not before; watchers are told; the rest of the
 * old ones run on; and the next good spec is another update. */
static void an_update_that_does_not_get_on_is_late_everywhere(void)
{
    struct sim sim;
    begin(&sim, 200);
    story_run(&sim, 0, "web", 4, set_next);
    sim_run(&sim, 2000);
    CU_ASSERT(view_of(&sim, 0).complete && !view_of(&sim, 0).late);
    sim.bad_image = "image:bad";
    next.spec_hash = 2;
    next.image = "image:bad";
    story_put(&sim, 0, "web", 4, set_next);
    sim_run(&sim, 55000);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(!view_of(&sim, i).complete && !view_of(&sim, i).late);
    uint64_t version = view_of(&sim, 1).status_version;
    sim_run(&sim, 10000);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(view_of(&sim, i).late);
    CU_ASSERT(view_of(&sim, 1).status_version > version);
    CU_ASSERT_EQUAL(running_with(&sim, 1), 3);
    next.spec_hash = 3;
    next.image = NULL;
    story_put(&sim, 1, "web", 4, set_next);
    CU_ASSERT(!view_of(&sim, 0).late);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
    sim_run(&sim, 3000);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(view_of(&sim, i).complete && !view_of(&sim, i).late);
    sim_release(&sim);
}

/* Five steps of 30 s each are no standstill of 60 s. */
static void each_step_forward_begins_the_deadline_anew(void)
{
    struct sim sim;
    begin(&sim, 201);
    story_run(&sim, 0, "web", 5, set_next);
    next.spec_hash = 2;
    next.min_ready_seconds = 30;
    story_put(&sim, 0, "web", 5, set_next);
    for (int i = 0; i < 140; i++) {
        sim_run(&sim, 1000);
        CU_ASSERT(!view_of(&sim, 0).late && !view_of(&sim, 0).complete);
    }
    sim_run(&sim, 30000);
    CU_ASSERT(view_of(&sim, 0).complete);
    sim_release(&sim);
}

/* A crash long after is no update that is late; a scale is one. */
static void what_is_complete_stays_so_until_the_document_asks_for_more(void)
{
    struct sim sim;
    begin(&sim, 202);
    story_run(&sim, 0, "web", 2, set_next);
    sim_run(&sim, 2000);
    sim.bad_image = "image:1";
    for (size_t i = 0; i < 3; i++)
        story_request(&sim, 0, REQUEST_SET_UNSCHEDULABLE, sim.nodes[i].name, true);
    story_stop_child(&sim, 0, "web", false);
    sim_run(&sim, 70000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    CU_ASSERT(view_of(&sim, 0).complete && !view_of(&sim, 0).late);
    story_put(&sim, 0, "web", 3, set_next);
    sim_run(&sim, 70000);
    CU_ASSERT(!view_of(&sim, 0).complete && view_of(&sim, 0).late);
    sim_release(&sim);
}

/* Recreate: not one of the new spec before the last of the old has ended, whatever the network. */
static void recreate_never_mixes(void)
{
    for (uint64_t seed = 210; seed < 220; seed++) {
        struct sim sim;
        begin(&sim, seed);
        story_run(&sim, 0, "web", 6, set_next);
        sim_run(&sim, 2000);
        sim.loss_percent = 20;
        sim.stop_ms = 3000;
        next.spec_hash = 2;
        next.update = UPDATE_RECREATE;
        sim_put_workload(&sim, 0, "web", 6, set_next);
        for (int i = 0; i < 3000 && running_with(&sim, 2) < 6; i++) {
            sim_run(&sim, 10);
            CU_ASSERT(running_with(&sim, 1) == 0 || running_with(&sim, 2) == 0);
        }
        CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
        sim_release(&sim);
    }
}

UNIT_MAIN("update", {"late", an_update_that_does_not_get_on_is_late_everywhere},
          {"step by step", each_step_forward_begins_the_deadline_anew},
          {"complete", what_is_complete_stays_so_until_the_document_asks_for_more},
          {"recreate", recreate_never_mixes})
