/* What discovery suggests: addresses to ask at, and nothing more. No node here has a seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/story.h"

enum { NOBODY_MAX = 2000 };

static int text_order(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* To one node: the addresses of `count` nodes from `first` on, and of so many where nobody is. */
static void suggest(struct sim *sim, size_t index, size_t first, size_t count, size_t nobody)
{
    static char nobodies[NOBODY_MAX][32];
    const char *addresses[NOBODY_MAX + 16];
    size_t total = 0;
    for (size_t i = first; i < first + count; i++)
        addresses[total++] = sim->nodes[i].address;
    for (size_t i = 0; i < nobody; i++) {
        snprintf(nobodies[i], sizeof nobodies[i], "192.0.2.%zu:7370", i);
        addresses[total++] = nobodies[i];
    }
    qsort(addresses, total, sizeof *addresses, text_order);
    struct event event = {.type = EVENT_SUGGESTED};
    event.suggested.addresses = addresses;
    event.suggested.count = total;
    sim_event(sim, index, &event);
}

static void begin(struct sim *sim, uint64_t seed, size_t nodes)
{
    sim_init(sim, seed, nodes);
    sim->seeds_max = 0;
    sim->discovers = true;
    sim_start_all(sim);
}

static void they_find_each_other(void)
{
    struct sim sim;
    begin(&sim, 1, 3);
    sim_run(&sim, 5000);
    CU_ASSERT(!sim_all_alive(&sim));
    for (size_t i = 0; i < 3; i++)
        suggest(&sim, i, 0, 3, 0); /* its own is among them */
    CU_ASSERT(sim_until(&sim, sim_all_alive, 2000));
    sim_release(&sim);
}

/* One that was told of is enough: the others hear of it from each other. */
static void a_partial_answer_is_enough(void)
{
    struct sim sim;
    begin(&sim, 2, 4);
    for (size_t i = 0; i < 4; i++)
        suggest(&sim, i, (i + 1) % 4, 1, 0);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 5000));
    sim_release(&sim);
}

static void who_is_suggested_no_more_stays(void)
{
    struct sim sim;
    begin(&sim, 3, 3);
    for (size_t i = 0; i < 3; i++)
        suggest(&sim, i, 0, 3, 0);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 2000));
    story_run(&sim, 0, "web", 6, NULL);
    uint64_t started = sim.started;
    for (size_t i = 0; i < 3; i++)
        suggest(&sim, i, 0, i, 0); /* none, one, two */
    for (int i = 0; i < 100; i++) {
        sim_run(&sim, 20);
        CU_ASSERT(sim_all_alive(&sim));
    }
    sim_run(&sim, 60000);
    CU_ASSERT(sim_all_alive(&sim) && sim_is_converged(&sim));
    CU_ASSERT_EQUAL(sim.started, started);
    sim_release(&sim);
}

/* Whoever waits gets a place once those before it have not answered for a while. */
static void one_among_thousands_that_are_gone_is_found(void)
{
    struct sim sim;
    begin(&sim, 4, 2);
    int rounds = 0;
    while (rounds < 100 && !sim_all_alive(&sim)) {
        rounds++;
        suggest(&sim, 0, 0, 2, NOBODY_MAX);
        sim_run(&sim, 10000);
    }
    CU_ASSERT(sim_all_alive(&sim) && rounds > 1 && rounds <= NOBODY_MAX / 32 + 2);
    sim_release(&sim);
}

/* Whom it reaches takes no place, however many are suggested: the next one finds one. */
static void one_more_than_there_are_places_is_found(void)
{
    enum { NODES = 40 };
    struct sim sim;
    sim_init(&sim, 7, NODES + 1);
    sim.seeds_max = 0;
    sim.discovers = true;
    for (size_t i = 0; i < NODES; i++)
        sim_start(&sim, i);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < NODES; i++)
            suggest(&sim, i, 0, NODES, 0);
        sim_run(&sim, 10000);
    }
    CU_ASSERT_FATAL(sim_all_alive(&sim));
    sim_start(&sim, NODES);
    suggest(&sim, 0, 0, NODES + 1, 0);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 10000));
    sim_release(&sim);
}

/* A member under an address of before is found under its new one, whatever else is remembered. */
static void who_comes_back_elsewhere_is_found(void)
{
    struct sim sim;
    begin(&sim, 5, 3);
    for (size_t i = 0; i < 3; i++)
        suggest(&sim, i, 0, 3, 0);
    CU_ASSERT_FATAL(sim_until(&sim, sim_all_alive, 2000));
    story_cut(&sim, 2, true);
    sim_run(&sim, 60000);
    sim_kill(&sim, 2);
    sim_forget_disk(&sim, 2);
    TEXT_SET(sim.nodes[2].address, "moved:1");
    story_cut(&sim, 2, false);
    sim_start(&sim, 2);
    sim_run(&sim, 15000);
    CU_ASSERT(!sim_all_alive(&sim));
    suggest(&sim, 0, 0, 3, 0);
    CU_ASSERT(sim_until(&sim, sim_all_alive, 5000));
    sim_release(&sim);
}

static void of_voters(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "voters");
}

/* The voters that an image remembers may not be those of today: who has not heard from discovery
 * has no vote, unless discovery names it alone. */
static void who_was_told_of_nobody_does_not_vote(void)
{
    struct sim sim;
    begin(&sim, 6, 1);
    sim_run(&sim, 6000);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "0", 0);
    story_put(&sim, 0, "one", 1, of_voters);
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(sim_running(&sim, "one", NULL), 0);
    suggest(&sim, 0, 0, 0, 0); /* an empty answer says nothing */
    sim_run(&sim, 30000);
    CU_ASSERT_EQUAL(sim_running(&sim, "one", NULL), 0);
    suggest(&sim, 0, 0, 1, 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    sim_release(&sim);
}

UNIT_MAIN("suggest", {"found", they_find_each_other}, {"partial", a_partial_answer_is_enough},
          {"fewer", who_is_suggested_no_more_stays},
          {"thousands", one_among_thousands_that_are_gone_is_found},
          {"no place taken", one_more_than_there_are_places_is_found},
          {"moved", who_comes_back_elsewhere_is_found},
          {"alone", who_was_told_of_nobody_does_not_vote})
