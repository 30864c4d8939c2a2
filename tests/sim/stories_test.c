/* The protocol's scenes; tests/golden/stories has them as they are told. Each is also checked for
 * what it must end in, so that no golden file can bless a wrong end. */
#include "tests/sim/stories.h"
#include "tests/unit.h"

static void tale_cut_off(struct tale *tale, size_t index, bool cut)
{
    for (size_t i = 0; i < tale->sim.count; i++)
        if (i != index)
            sim_cut(&tale->sim, index, i, cut);
}

/* How many containers of web/ordinal run on the nodes from first to last. */
static size_t tale_copies(const struct tale *tale, size_t first, size_t last, uint32_t ordinal)
{
    size_t copies = 0;
    for (size_t i = 0; i < tale->sim.container_count; i++) {
        const struct sim_container *at = &tale->sim.containers[i];
        copies += at->container.state == CONTAINER_RUNNING && at->engine >= first &&
                  at->engine <= last && at->container.child.ordinal == ordinal;
    }
    return copies;
}

static void join(void)
{
    struct tale tale;
    tale_init(&tale, 3);
    tale_curtain(&tale);
    tale_start(&tale, 0);
    tale_start(&tale, 1);
    tale_run(&tale, 3000);
    tale_put(&tale, 0, 3);
    tale_run(&tale, 3000);
    tale_start(&tale, 2);
    tale_run(&tale, 4000);
    tale_put(&tale, 2, 6);
    tale_run(&tale, 5000);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "join",
        "Two agents meet, run three children, and a third one joins.\n\n"
        "The seeds of all are the addresses of all three. An agent that is welcomed compares\n"
        "its map with the other's before it writes anything (5 s at most, here some\n"
        "milliseconds). The new member takes nothing from the others (redistribution is\n"
        "passive); what is asked for afterwards is spread over all. A rank-0 candidate claims\n"
        "at once. A pull takes 20 ms here, a start 200 ms.\n"));
}

static void suspect_and_refute(void)
{
    struct tale tale;
    tale_init_running(&tale, 5, 5);
    uint64_t started = tale.sim.started;
    tale_curtain(&tale);
    tale_tell(&tale, "n4 hears nobody and is heard by nobody");
    tale_cut_off(&tale, 4, true);
    tale_run(&tale, 1600);
    tale_tell(&tale, "n4 is connected again");
    tale_cut_off(&tale, 4, false);
    tale_run(&tale, 6000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "suspect_and_refute",
        "A member that was silent for 1.6 s is suspected by all, and contradicts.\n\n"
        "No connection broke, so only probes can tell. Profile lan: a probe each 250 ms, of\n"
        "members that were not heard for 0.9 s; 300 ms for a direct answer, 300 ms more for\n"
        "one by way of others, then suspect; a suspect has 0.9 s or more to contradict. A\n"
        "suspect keeps its work: nobody claims, no container ends. n4 itself suspects the\n"
        "others one by one.\n"));
}

static void death_and_takeover(void)
{
    struct tale tale;
    tale_init_running(&tale, 4, 8);
    tale_curtain(&tale);
    tale_power_off(&tale, 3);
    tale_run(&tale, 6000);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    uint64_t started = tale.sim.started;
    tale_start(&tale, 3);
    tale_run(&tale, 5000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "death_and_takeover",
        "A node loses power; the others take over what ran there. It comes back and rests.\n\n"
        "The broken connections start a probe at once: 0.3 s without an answer, direct or by\n"
        "way of others, then suspect; 0.35 to 0.65 s later dead: within 1 s of the death. The\n"
        "first candidate of each child's ring claims at once with the next epoch. The node\n"
        "that returns compares first, finds that its claims were outbid and starts nothing.\n"));
}

static void silent_death(void)
{
    struct tale tale;
    tale_init_running(&tale, 4, 8);
    tale_curtain(&tale);
    tale_tell(&tale, "n3 freezes for ever, its connections stay open");
    sim_freeze(&tale.sim, 3, true);
    sim_kill_engine(&tale.sim, 3);
    tale_run(&tale, 6000);
    CU_ASSERT_EQUAL(sim_running(&tale.sim, "web", NULL), 8);
    CU_ASSERT(tale_end(
        &tale, "silent_death",
        "A node ends without a word and without a broken connection.\n\n"
        "Probes alone must find out: it was heard at most 1 s ago, 0.6 s for the answers,\n"
        "then suspicion of 0.9 s and more: dead within 3 s, and taken over at once.\n"));
}

static void drain(void)
{
    struct tale tale;
    tale_init_running(&tale, 3, 6);
    tale_curtain(&tale);
    tale_tell(&tale, "n2 is told to stop (SIGTERM)");
    sim_stop(&tale.sim, 2);
    tale_run(&tale, 8000);
    CU_ASSERT(!tale.sim.nodes[2].node && tale.sim.nodes[2].exit_status == 0);
    tale_start(&tale, 2);
    tale_run(&tale, 2000);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "drain",
        "A node is told to stop, and hands its children over one by one.\n\n"
        "Its children stop together (50 ms each here); each is released as soon as it has\n"
        "ended, and claimed by its next candidate at once: nobody waits for a verdict. The\n"
        "agent ends when a second member knows its last word; the others show it as absent.\n"
        "Started again, it counts as shutting down until its new record has come.\n"));
}

static void detach_back_in_time(void)
{
    struct tale tale;
    tale_init_running(&tale, 3, 6);
    uint64_t started = tale.sim.started;
    tale_curtain(&tale);
    tale_detach(&tale, 2, 10000);
    tale_run(&tale, 9000);
    tale_start(&tale, 2);
    tale_run(&tale, 6000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "detach_back_in_time",
        "An agent goes for at most 10 s, leaves its containers running, and is back after 9 s.\n\n"
        "It ends as soon as a second member knows; nothing is stopped. For the others it is "
        "absent\n"
        "from then on: its connection breaks, nobody hears it for 9 s, and nobody adopts. Back, "
        "it\n"
        "compares first, finds its claims as it left them, and goes on with its containers: "
        "nothing\n"
        "is started, nothing is stopped.\n"));
}

static void detach_not_back_in_time(void)
{
    struct tale tale;
    tale_init_running(&tale, 3, 6);
    tale_curtain(&tale);
    tale_detach(&tale, 2, 10000);
    tale_run(&tale, 15000);
    CU_ASSERT_EQUAL(tale_copies(&tale, 0, 1, 1), 1);
    CU_ASSERT_EQUAL(tale_copies(&tale, 0, 1, 3), 1);
    uint64_t started = tale.sim.started;
    tale_start(&tale, 2);
    tale_run(&tale, 6000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(&tale, "detach_not_back_in_time",
                       "An agent goes for at most 10 s, leaves its containers running, and is back "
                       "after 15 s.\n"));
}

static void split_and_heal(void)
{
    struct tale tale;
    tale_init_running(&tale, 4, 4);
    tale_curtain(&tale);
    tale_tell(&tale, "the network splits: n0 n1 | n2 n3");
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 2; j < 4; j++)
            sim_cut(&tale.sim, i, j, true);
    tale_run(&tale, 8000);
    for (uint32_t ordinal = 0; ordinal < 4; ordinal++) {
        CU_ASSERT_EQUAL(tale_copies(&tale, 0, 1, ordinal), 1);
        CU_ASSERT_EQUAL(tale_copies(&tale, 2, 3, ordinal), 1);
    }
    uint64_t started = tale.sim.started;
    tale_tell(&tale, "the network heals");
    sim_heal_cuts(&tale.sim);
    tale_run(&tale, 8000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "split_and_heal",
        "The network splits in halves and heals.\n\n"
        "Uniform prefers two copies to none: each half adopts what the other half ran, with\n"
        "the next epoch. The dead go on being asked once a second, so the heal is seen within\n"
        "3 s, and of each pair the lesser claim's container ends: the greater epoch wins, and\n"
        "nothing starts.\n"));
}

static void conflict(void)
{
    struct tale tale;
    tale_init(&tale, 2);
    sim_start_all(&tale.sim);
    CU_ASSERT_FATAL(sim_until(&tale.sim, sim_all_alive, 10000));
    sim_cut(&tale.sim, 0, 1, true);
    tale_run(&tale, 8000);
    tale_curtain(&tale);
    tale_tell(&tale, "n0 and n1 are cut off from each other and hold each other dead");
    tale_put(&tale, 0, 2);
    tale_run(&tale, 1000);
    tale_put(&tale, 1, 3);
    tale_run(&tale, 3000);
    tale_tell(&tale, "the network heals");
    sim_heal_cuts(&tale.sim);
    tale_run(&tale, 8000);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT_EQUAL(sim_running(&tale.sim, "web", NULL), 3);
    CU_ASSERT(tale_end(
        &tale, "conflict",
        "Two users write the same workload on both sides of a split; the sides claim its\n"
        "children at the same epoch.\n\n"
        "After the heal the later document is read: three children. Of two claims of one\n"
        "epoch the holder wins that the ring reaches first from the child's key, and that\n"
        "alone: both sides know the winner without a word. The loser stops its container.\n"));
}

static void frozen_observer(void)
{
    struct tale tale;
    tale_init_running(&tale, 3, 6);
    tale_curtain(&tale);
    tale_tell(&tale, "n0's agent is frozen; its containers run on");
    sim_freeze(&tale.sim, 0, true);
    tale_run(&tale, 20000);
    uint64_t started = tale.sim.started;
    tale_tell(&tale, "n0's agent thaws");
    sim_freeze(&tale.sim, 0, false);
    tale_run(&tale, 8000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "frozen_observer",
        "An agent is frozen for 20 s and thaws.\n\n"
        "The others cannot know better: dead within 3 s, and adopted. The agent that thaws\n"
        "finds itself more than 500 ms late: it accuses nobody for its own absence, compares\n"
        "its map before it starts anything, and ends the copies whose claims were outbid.\n"));
}

static void lone_start(void)
{
    struct tale tale;
    tale_init_running(&tale, 3, 6);
    for (size_t i = 0; i < 3; i++) {
        sim_kill(&tale.sim, i);
        sim_kill_engine(&tale.sim, i);
    }
    tale_run(&tale, 60000);
    tale_curtain(&tale);
    tale_tell(&tale, "a power cut has ended all agents and containers a minute ago");
    tale_start(&tale, 0);
    tale_run(&tale, 40000);
    CU_ASSERT_EQUAL(sim_running(&tale.sim, "web", NULL), 6);
    uint64_t started = tale.sim.started;
    tale_start(&tale, 1);
    tale_start(&tale, 2);
    tale_run(&tale, 8000);
    CU_ASSERT_EQUAL(tale.sim.started, started);
    CU_ASSERT(sim_all_alive(&tale.sim) && sim_is_converged(&tale.sim));
    CU_ASSERT(tale_end(
        &tale, "lone_start",
        "After a power cut one agent is the first to be up.\n\n"
        "It waits 5 s for a member to compare with, then starts what its own claims say, at\n"
        "their epochs. The others were not heard in this run: they are uninitialized, and\n"
        "declared dead only after the start grace of 30 s (then 0.9 s and more of suspicion).\n"
        "Only then are their children adopted. Those who come up later compare first and\n"
        "start nothing. All write under fresh writer ids: nobody knows whether the cut left a\n"
        "write unknown to its disk.\n"));
}

UNIT_MAIN("stories", {"join", join}, {"suspect and refute", suspect_and_refute},
          {"death and takeover", death_and_takeover}, {"silent death", silent_death},
          {"drain", drain}, {"detach, back in time", detach_back_in_time},
          {"detach, not back in time", detach_not_back_in_time}, {"split and heal", split_and_heal},
          {"conflict", conflict}, {"frozen observer", frozen_observer}, {"lone start", lone_start})
