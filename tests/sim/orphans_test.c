/* hordelet gc --orphans: only what nobody knows, only when it is asked for. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/story.h"

static struct answer {
    uint64_t id;
    int status;
    size_t count, told, ending;
    char workload[NAME_BYTES_MAX + 1];
} answer;

static void hears(struct sim *sim, size_t index, const struct reply *reply)
{
    struct reader reader = reader_of(reply->found);
    struct orphan_view view;
    (void)sim, (void)index;
    if (reply->id != answer.id)
        return;
    answer.status = reply->status;
    answer.count = (size_t)reader_varint(&reader);
    while (orphan_view_decode(&reader, &view)) {
        answer.told++;
        answer.ending += view.condemned;
        TEXT_SET(answer.workload, view.child.workload);
    }
}

static void ask(struct sim *sim, size_t index, const char *member, bool remove)
{
    struct request request = {.kind = REQUEST_ORPHANS, .flag = remove};
    sim->watch_reply = hears;
    answer = (struct answer){.id = sim->last_request + 1};
    TEXT_SET(request.name, member);
    CU_ASSERT_EQUAL(sim_request(sim, index, &request), answer.id);
    sim_run(sim, 200);
}

static void orphans_end_when_they_are_asked_to_and_nothing_else_does(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    story_run(&sim, 0, "web", 6, NULL);
    size_t orphan = sim_add_foreign(&sim, 1, "lost"), foreign = sim_add_foreign(&sim, 1, NULL);
    size_t other = sim_add_foreign(&sim, 2, "lost-too");
    sim_run(&sim, 70000); /* a list has told of them */
    ask(&sim, 0, "n1", false);
    CU_ASSERT(answer.status == 200 && answer.count == 1 && answer.told == 1 && !answer.ending);
    CU_ASSERT_STRING_EQUAL(answer.workload, "lost");
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(sim.violations, 0);
    sim.containers[orphan].untouchable = false; /* from now on it may be */
    ask(&sim, 0, "n1", true);
    CU_ASSERT(answer.status == 200 && answer.ending == 1);
    sim_run(&sim, 1000);
    CU_ASSERT_EQUAL(sim.containers[orphan].container.state, CONTAINER_GONE);
    CU_ASSERT_EQUAL(sim.containers[foreign].container.state, CONTAINER_RUNNING);
    CU_ASSERT_EQUAL(sim.containers[other].container.state, CONTAINER_RUNNING);
    CU_ASSERT_EQUAL(sim.violations, 0);
    size_t duplicates;
    CU_ASSERT_EQUAL(sim_running(&sim, "web", &duplicates), 6);
    ask(&sim, 1, "n1", false); /* at its own agent */
    CU_ASSERT(answer.status == 200 && answer.count == 0);
    sim_release(&sim);
}

static void one_that_fails_to_end_can_be_asked_again(void)
{
    struct sim sim;
    story_begin(&sim, 2, 2);
    size_t orphan = sim_add_foreign(&sim, 1, "lost");
    sim_run(&sim, 70000);
    sim.containers[orphan].untouchable = false;
    sim.fail_percent = 100;
    ask(&sim, 0, "n1", true);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(sim.containers[orphan].container.state, CONTAINER_RUNNING);
    sim.fail_percent = 0;
    sim_run(&sim, 70000);
    CU_ASSERT_EQUAL(sim.containers[orphan].container.state, CONTAINER_RUNNING);
    ask(&sim, 0, "n1", true);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(sim.containers[orphan].container.state, CONTAINER_GONE);
    sim_release(&sim);
}

/* It has lost its disk and nobody answers: what looks like an orphan may be anything. */
static void who_has_not_compared_condemns_nothing(void)
{
    struct sim sim;
    story_begin(&sim, 3, 3);
    story_run(&sim, 0, "web", 12, NULL);
    sim_kill(&sim, 1);
    sim_forget_disk(&sim, 1);
    story_cut(&sim, 1, true);
    sim_start(&sim, 1);
    sim_run(&sim, 8000);
    ask(&sim, 1, "n1", false);
    CU_ASSERT(answer.status == 200 && answer.count > 0);
    ask(&sim, 1, "n1", true);
    CU_ASSERT_EQUAL(answer.status, 503);
    sim_run(&sim, 5000);
    ask(&sim, 1, "n1", false);
    CU_ASSERT_EQUAL(answer.ending, 0);
    CU_ASSERT(answer.count > 0);
    story_cut(&sim, 1, false);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    ask(&sim, 0, "n1", false);
    CU_ASSERT(answer.status == 200 && answer.count == 0);
    sim_release(&sim);
}

static void who_cannot_be_reached_is_said_so(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    sim_kill(&sim, 1);
    sim_run(&sim, 5000);
    ask(&sim, 0, "n1", true);
    CU_ASSERT_EQUAL(answer.status, 503);
    sim_cut(&sim, 0, 2, true);
    ask(&sim, 0, "n2", true);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(answer.status, 504);
    sim_release(&sim);
}

UNIT_MAIN("orphans",
          {"orphans end when they are asked to and nothing else does",
           orphans_end_when_they_are_asked_to_and_nothing_else_does},
          {"one that fails to end can be asked again", one_that_fails_to_end_can_be_asked_again},
          {"who has not compared condemns nothing", who_has_not_compared_condemns_nothing},
          {"who cannot be reached is said so", who_cannot_be_reached_is_said_so})
