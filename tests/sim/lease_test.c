/* Leases and electorates, scene by scene. That no two copies of a guarded child run at once is
 * looked at by the simulator at each start (sim_guard.c): sim.violations. */
#include <string.h>

#include "agent/core/electorate_private.h"
#include "agent/core/node_private.h"
#include "tests/sim/story.h"

enum { LEASE_MS = 5000, START_MS = 300 };

static void of_voters(struct workload *workload)
{
    TEXT_SET(workload->supervisor, "voters");
}

/* Five nodes, clocks at the bound, one guarded child; returns where it runs. */
static size_t scene(struct sim *sim, uint64_t seed, const char *members)
{
    story_begin(sim, seed, 5);
    for (size_t i = 0; i < 5; i++)
        sim->nodes[i].drift_ppm = i % 2 ? 10000 : -10000;
    sim->guard_slow_ms_max = LEASE_MS * 7 / 100;
    story_supervisor(sim, 0, "voters", "UniformQuorum", members, 0);
    story_run(sim, 1, "web", 1, of_voters);
    sim_run(sim, 5000);
    return story_where(sim, "web", NULL);
}

static void end(struct sim *sim)
{
    CU_ASSERT_EQUAL(sim->violations, 0);
    sim_release(sim);
}

/* How long until it runs elsewhere; the limit: not at all. */
static uint64_t until_elsewhere(struct sim *sim, size_t here, uint64_t limit_ms)
{
    uint64_t began_ms = sim->now_ms;
    while (sim->now_ms < began_ms + limit_ms) {
        for (size_t i = 0; i < sim->container_count; i++)
            if (sim->containers[i].container.state == CONTAINER_RUNNING &&
                sim->containers[i].container.guarded && sim->containers[i].engine != here)
                return sim->now_ms - began_ms;
        sim_run(sim, 10);
    }
    return limit_ms;
}

/* Within a lease, a second, and the start; and the minority has ended its own by then. */
static void after_a_cut_it_runs_elsewhere(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        size_t at = scene(&sim, seed, "01234");
        story_cut(&sim, at, true);
        CU_ASSERT(until_elsewhere(&sim, at, 60000) <= LEASE_MS + 1000 + START_MS);
        sim_run(&sim, 10000);
        sim_heal_cuts(&sim);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 10000));
        end(&sim);
    }
}

/* With one of three silent, two that ask at once have a vote each. Slow links make them ask at
 * once; it must not go on like that. */
static void two_that_ask_at_once_come_to_an_end(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 3);
        story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
        story_run(&sim, 1, "web", 3, of_voters);
        sim_run(&sim, 5000);
        size_t at = story_where(&sim, "web", NULL);
        sim.delay_ms_max = 100;
        sim.slow_link_percent = 100;
        sim.slow_link_ms = seed % 2 ? 100 : 0;
        sim_run(&sim, 3000);
        story_cut(&sim, at, true);
        sim_run(&sim, 2 * LEASE_MS + 2000);
        size_t elsewhere = 0;
        for (size_t i = 0; i < sim.container_count; i++)
            elsewhere += sim.containers[i].container.state == CONTAINER_RUNNING &&
                         sim.containers[i].container.guarded && sim.containers[i].engine != at;
        CU_ASSERT_EQUAL(elsewhere, 3);
        end(&sim);
    }
}

static struct lease_counts counts_at(const struct sim *sim, size_t at)
{
    return query_leases(sim->nodes[at].node, "voters");
}

/* Every third of a lease by one majority for all. */
static void leases_are_counted(void)
{
    struct sim sim;
    size_t at = scene(&sim, 1, "01234");
    struct lease_counts before = counts_at(&sim, at);
    CU_ASSERT_EQUAL(before.held, 1);
    CU_ASSERT_EQUAL(before.asked, 0);
    CU_ASSERT_EQUAL(before.lost, 0);
    CU_ASSERT(before.left_ms > LEASE_MS / 2 && before.left_ms <= LEASE_MS * 9 / 10);
    sim_run(&sim, 10 * LEASE_MS);
    uint64_t renewals = counts_at(&sim, at).renewals - before.renewals;
    CU_ASSERT(renewals >= 29 && renewals <= 31 * 4); /* each later answer moves the majority on */
    story_cut(&sim, at, true);
    sim_run(&sim, LEASE_MS * 6 / 10);
    CU_ASSERT_EQUAL(counts_at(&sim, at).lost, 1);
    sim_run(&sim, 2 * LEASE_MS);
    CU_ASSERT_EQUAL(counts_at(&sim, at).held, 0);
    CU_ASSERT(query_grants(sim.nodes[at].node) == 1);
    end(&sim);
}

/* Nobody tells the container but its guard. */
static void a_frozen_agents_child_is_ended_by_its_guard(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        size_t container = 0, at = scene(&sim, seed, "01234");
        story_where(&sim, "web", &container);
        sim_freeze(&sim, at, true);
        CU_ASSERT(until_elsewhere(&sim, at, 60000) <= LEASE_MS + 1000 + START_MS);
        CU_ASSERT_EQUAL(sim.containers[container].container.exit_code, GUARD_EXIT_CODE);
        sim_run(&sim, 20000);
        sim_freeze(&sim, at, false);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 20000));
        end(&sim);
    }
}

static void a_dead_engine_does_not_keep_its_child(void)
{
    struct sim sim;
    size_t at = scene(&sim, 1, "01234");
    sim.nodes[at].engine_dead = true; /* it hangs: stops come to nothing */
    story_cut(&sim, at, true);
    CU_ASSERT(until_elsewhere(&sim, at, 60000) <= LEASE_MS + 1000 + START_MS);
    end(&sim);
}

/* A planned hand-over waits for no lease: it is released as soon as the container has ended. */
static void a_drain_hands_over_at_once(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim sim;
        size_t at = scene(&sim, seed, "01234");
        sim_stop(&sim, at);
        CU_ASSERT(until_elsewhere(&sim, at, 60000) <= sim.stop_ms + sim.start_ms + 150);
        end(&sim);
    }
}

/* Its guard outlives the agent, and the same container is renewed by the next run. */
static void a_restarted_agent_keeps_its_child(void)
{
    struct sim sim;
    size_t container = 0, at = scene(&sim, 1, "01234");
    story_where(&sim, "web", &container);
    for (int i = 0; i < 3; i++) {
        sim_kill(&sim, at);
        sim_run(&sim, 500);
        sim_start(&sim, at);
        sim_run(&sim, 10000);
    }
    CU_ASSERT_EQUAL(sim.containers[container].container.state, CONTAINER_RUNNING);
    CU_ASSERT_EQUAL(sim.started, 1);
    end(&sim);
}

static const struct electorate_entry *electorate(struct sim *sim, size_t index)
{
    return store_electorate(&sim->nodes[index].node->store, "voters");
}

/* Three members become five and other three while their child runs on. */
static void an_electorate_is_changed_step_by_step(void)
{
    struct sim sim;
    scene(&sim, 1, "012");
    uint64_t lineage = electorate(&sim, 0)->record.term.lineage;
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "01234", 0);
    sim_run(&sim, 2000);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.term.version, 2);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.old_count, 1); /* both majorities */
    sim_run(&sim, 2 * LEASE_MS);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.old_count, 0);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "234", 0);
    sim_run(&sim, 3 * LEASE_MS);
    CU_ASSERT_EQUAL(electorate(&sim, 4)->record.term.version, 3);
    CU_ASSERT_EQUAL(electorate(&sim, 4)->record.now.count, 3);
    CU_ASSERT_EQUAL(electorate(&sim, 4)->record.term.lineage, lineage);
    sim_kill(&sim, 0);
    sim_kill(&sim, 1); /* they have no say any more */
    sim_run(&sim, 20000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    CU_ASSERT(story_where(&sim, "web", NULL) >= 2);
    end(&sim);
}

/* One that is decided and not yet in the map, as its proposer's disk is slow, is not followed by
 * the next: leases of the one before it may still run, of which the next would know nothing. (swarm
 * 510042535: two copies, on n0 by the first electorate and on n1 by the third) */
static void an_electorate_is_not_followed_before_the_map_has_it(void)
{
    struct sim sim;
    size_t at = scene(&sim, 4, "0");
    CU_ASSERT_EQUAL(at, 0);
    const struct ballot_box *box = box_find(sim.nodes[0].node, "voters");
    story_supervisor(&sim, 1, "voters", "UniformQuorum", "01", 0);
    while (box->adopted.term.version == 1)
        sim_run(&sim, 1);
    CU_ASSERT(!box_is_durable(sim.nodes[0].node, box)); /* with this seed */
    sim.nodes[0].disk_stuck = true;
    story_supervisor(&sim, 1, "voters", "UniformQuorum", "1", 0);
    sim_run(&sim, 3000);
    CU_ASSERT_EQUAL(box->adopted.term.version, 2);
    CU_ASSERT_EQUAL(box->proposal.phase, PHASE_NONE);
    CU_ASSERT_EQUAL(electorate(&sim, 1)->record.term.version, 1);
    sim.nodes[0].disk_stuck = false;
    sim_run(&sim, 6 * LEASE_MS);
    CU_ASSERT_EQUAL(electorate(&sim, 1)->record.term.version, 3);
    CU_ASSERT_EQUAL(electorate(&sim, 1)->record.old_count, 0);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    CU_ASSERT_EQUAL(story_where(&sim, "web", NULL), 1);
    end(&sim);
}

/* Its promises are gone: it votes again only after a step has named its new replica id. */
static void a_voter_without_its_data_does_not_vote_before_a_step(void)
{
    struct sim sim;
    scene(&sim, 1, "012");
    uint64_t before = electorate(&sim, 0)->record.now.members[2].replica;
    sim_kill(&sim, 2);
    sim_kill_engine(&sim, 2);
    sim_forget_disk(&sim, 2);
    sim_start(&sim, 2);
    for (; electorate(&sim, 0)->record.term.version == 1; sim_run(&sim, 10))
        CU_ASSERT_PTR_NULL(electorates_mine(sim.nodes[2].node, "voters"));
    sim_run(&sim, 3 * LEASE_MS);
    CU_ASSERT(electorate(&sim, 0)->record.now.members[2].replica != before);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.term.version, 2);
    CU_ASSERT_PTR_NOT_NULL(electorates_mine(sim.nodes[2].node, "voters"));
    end(&sim);
}

/* From before it accepted the electorate, and it has written nothing since by which others could
 * see that the image is old: the electorate tells. (swarm 510016990: no step ever ended) */
static void an_old_image_that_knows_of_no_electorate_is_another_replica(void)
{
    struct sim sim;
    story_begin(&sim, 1, 3);
    sim_copy_disk(&sim, 2);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "012", 0);
    sim_run(&sim, 5000);
    CU_ASSERT_PTR_NOT_NULL(electorates_mine(sim.nodes[2].node, "voters"));
    uint64_t before = sim.nodes[2].node->durable.replica;
    sim_kill(&sim, 2);
    sim_restore_disk(&sim, 2);
    sim_start(&sim, 2);
    sim_run(&sim, 3 * LEASE_MS);
    uint64_t now = sim.nodes[2].node->durable.replica;
    CU_ASSERT_NOT_EQUAL(now, before);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.now.members[2].replica, now);
    CU_ASSERT_PTR_NOT_NULL(electorates_mine(sim.nodes[2].node, "voters"));
    end(&sim);
}

/* Two sides of a cut have each named themselves. They meet, and nothing runs until somebody says.
 */
static void disjoint_first_electorates_are_a_conflict(void)
{
    struct sim sim;
    story_begin(&sim, 1, 4);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 2; j < 4; j++)
            sim_cut(&sim, i, j, true);
    sim_run(&sim, 10000);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "01", 0);
    story_supervisor(&sim, 2, "voters", "UniformQuorum", "23", 0);
    story_put(&sim, 0, "web", 1, of_voters);
    sim_run(&sim, 3000);
    sim_heal_cuts(&sim);
    sim_run(&sim, 3 * LEASE_MS);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    CU_ASSERT_STRING_EQUAL(story_child(&sim, 0, "web", 0).reason, "ElectorateConflict");
    story_supervisor(&sim, 3, "voters", "UniformQuorum", "0123", 0);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    end(&sim);
}

static void name_for_long(struct sim *sim, size_t index, const char *members)
{
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, "voters");
    TEXT_SET(supervisor.strategy, "UniformQuorum");
    supervisor.lease_seconds = LEASE_SECONDS_MAX;
    story_put_supervisor(sim, index, &supervisor, members);
}

static bool n0_has_adopted(struct sim *sim)
{
    const struct ballot_box *box = box_find(sim->nodes[0].node, "voters");
    return box && box->has_adopted && box_is_durable(sim->nodes[0].node, box);
}

static bool n3_has_the_joint_one(struct sim *sim)
{
    return electorate(sim, 3)->record.old_count == 1;
}

/* Of two sides of a cut one has n0 as its electorate. The other's was n2 and becomes n2 and n3, of
 * which n3 votes; "web" runs on n2 by the lease of the old one, which nobody hears of any more. n0
 * and n3 meet, and somebody names them. While n2's lease may run nothing is theirs: who votes next
 * would know nothing of it. beside: that n0 voted is on its disk only, not in the map. */
static void two_histories_meet(uint64_t seed, bool beside)
{
    struct sim sim;
    story_begin(&sim, seed, 4);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 2; j < 4; j++)
            sim_cut(&sim, i, j, true);
    sim_run(&sim, 10000);
    name_for_long(&sim, 1, "0");
    CU_ASSERT_FATAL(sim_until(&sim, n0_has_adopted, 3000));
    if (beside)
        sim_kill(&sim, 0);
    name_for_long(&sim, 2, "2");
    story_put(&sim, 2, "web", 1, of_voters);
    sim_run(&sim, 5000);
    CU_ASSERT_EQUAL(story_where(&sim, "web", NULL), 2);
    name_for_long(&sim, 2, "23");
    CU_ASSERT_FATAL(sim_until(&sim, n3_has_the_joint_one, 3000));

    for (size_t i = 0; i < 4; i++)
        sim_cut(&sim, 2, i, i != 2);
    for (size_t i = 0; i < 2; i++)
        sim_cut(&sim, i, 3, false);
    sim_run(&sim, 4000);
    if (beside)
        sim_start(&sim, 0);
    sim_run(&sim, 4000);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->conflict, !beside);
    name_for_long(&sim, 3, "03");
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.term.era, 0);
    CU_ASSERT_EQUAL(story_where(&sim, "web", NULL), 2);

    sim_heal_cuts(&sim);
    sim_run(&sim, 4 * LEASE_SECONDS_MAX * 1000);
    CU_ASSERT_EQUAL(electorate(&sim, 2)->record.term.era, 1);
    CU_ASSERT_EQUAL(electorate(&sim, 2)->record.old_count, 0);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    end(&sim);
}

static void what_ends_a_conflict_waits_for_the_leases_of_all(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) /* of either side the record comes first */
        two_histories_meet(seed, false);
}

static void who_voted_beside_the_map_waits_for_the_leases_of_all(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        two_histories_meet(seed, true);
}

static void by_force_a_minority_becomes_the_electorate(void)
{
    struct sim sim;
    scene(&sim, 1, "012");
    for (size_t i = 1; i < 3; i++) {
        sim_kill(&sim, i);
        sim_kill_engine(&sim, i);
    }
    sim_run(&sim, 20000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 0);
    story_supervisor(&sim, 0, "voters", "UniformQuorum", "034", 0);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.term.version,
                    1); /* who would have to agree is gone */
    uint64_t wrong = story_request(&sim, 1 + 3, REQUEST_FORCE_ELECTORATE, "default", false);
    CU_ASSERT(sim_reply(&sim, wrong) && sim_reply(&sim, wrong)->status == 409);
    uint64_t id = story_request(&sim, 3, REQUEST_FORCE_ELECTORATE, "voters", false);
    sim_run(&sim, 2000);
    CU_ASSERT(sim_reply(&sim, id) && sim_reply(&sim, id)->status == 200);
    sim_run(&sim, 10000);
    CU_ASSERT_EQUAL(sim_running(&sim, "web", NULL), 1);
    CU_ASSERT_EQUAL(electorate(&sim, 0)->record.term.era, 1);
    end(&sim);
}

/* After a restart, say. What it takes for the length of its leases is for how long it waits for the
 * end of what the run before may have started: it was a minute, the longest that there may be. */
static void the_first_lease_is_as_long_as_the_electorate_has_it(void)
{
    struct sim sim;
    struct child_id child = {.ns = "default", .workload = "web"};
    struct supervisor supervisor = {.generation = 0};
    supervisor_set_defaults(&supervisor, "voters");
    TEXT_SET(supervisor.strategy, "UniformQuorum");
    supervisor.lease_seconds = 2;
    story_begin(&sim, 1, 3);
    story_put_supervisor(&sim, 0, &supervisor, "012");
    sim_run(&sim, 5000);
    struct node *node = sim.nodes[2].node;
    struct lease_holder *holder = leases_holder(node, "voters");
    struct lease *lease = lease_holder_want(holder, &child, 1, node->now.mono_ms);
    CU_ASSERT_EQUAL(lease->lease_ms, 2000);
    end(&sim);
}

UNIT_MAIN("lease", {"after a cut it runs elsewhere", after_a_cut_it_runs_elsewhere},
          {"two that ask at once come to an end", two_that_ask_at_once_come_to_an_end},
          {"leases are counted", leases_are_counted},
          {"a frozen agent's child is ended by its guard",
           a_frozen_agents_child_is_ended_by_its_guard},
          {"a dead engine does not keep its child", a_dead_engine_does_not_keep_its_child},
          {"a drain hands over at once", a_drain_hands_over_at_once},
          {"a restarted agent keeps its child", a_restarted_agent_keeps_its_child},
          {"an electorate is changed step by step", an_electorate_is_changed_step_by_step},
          {"an electorate is not followed before the map has it",
           an_electorate_is_not_followed_before_the_map_has_it},
          {"an old image that knows of no electorate is another replica",
           an_old_image_that_knows_of_no_electorate_is_another_replica},
          {"a voter without its data does not vote before a step",
           a_voter_without_its_data_does_not_vote_before_a_step},
          {"disjoint first electorates are a conflict", disjoint_first_electorates_are_a_conflict},
          {"what ends a conflict waits for the leases of all",
           what_ends_a_conflict_waits_for_the_leases_of_all},
          {"who voted beside the map waits for the leases of all",
           who_voted_beside_the_map_waits_for_the_leases_of_all},
          {"by force a minority becomes the electorate",
           by_force_a_minority_becomes_the_electorate},
          {"the first lease", the_first_lease_is_as_long_as_the_electorate_has_it})
