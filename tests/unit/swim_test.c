/* The failure detector: what many of them do in the world of swim_net.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "swim_net.h"
#include "unit.h"

/* --- life ---------------------------------------------------------------------------------- */

static void all_find_each_other(void)
{
    static const struct {
        int count;
        uint64_t limit_ms;
    } rows[] = {{2, 100}, {3, 100}, {10, 200}, {50, 500}, {100, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net *net = net_new(rows[i].count, 11);
        net_run(net, rows[i].limit_ms);
        CU_ASSERT_TRUE(net_all_alive(net));
        net_free(net);
    }
}

static void idle_traffic_is_small(void)
{
    enum { SECONDS = 60, ENVELOPE_BYTES = 100 };
    static const struct {
        int count;
        uint64_t bytes_per_second_max;
    } rows[] = {{3, 300}, {10, 1000}, {50, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net *net = net_new(rows[i].count, 12);
        net_run(net, 10000);
        struct net_node before = net->nodes[0];
        net_run(net, SECONDS * 1000);
        uint64_t count = net->nodes[0].sent_count - before.sent_count;
        uint64_t bytes = net->nodes[0].sent_bytes - before.sent_bytes + count * ENVELOPE_BYTES;
        CU_ASSERT_TRUE(bytes / SECONDS <= rows[i].bytes_per_second_max);
        CU_ASSERT_EQUAL(net->nodes[0].reconnects, 0);
        net_free(net);
    }
}

/* Each peer of a small cluster is asked, or asks, once a second; and each asks itself at times. */
static void small_clusters_talk_every_second(void)
{
    for (int count = 2; count <= 6; count++) {
        struct net *net = net_new(count, 13);
        net_run(net, 5000);
        for (int round = 0; round < 20; round++) {
            net_run(net, 1000);
            for (int i = 0; i < count; i++)
                CU_ASSERT_TRUE(net_all_see(net, i, PLACEMENT_ALIVE));
        }
        uint64_t least = (uint64_t)(count - 1) * 25; /* pings and acks in 25 s, together */
        for (int i = 0; i < count; i++)
            CU_ASSERT_TRUE(net->nodes[i].sent_count >= least);
        net_free(net);
    }
}

/* --- detection ----------------------------------------------------------------------------- */

enum fault { KILLED, FROZEN };

struct times {
    uint64_t median_ms, max_ms;
    unsigned false_deaths;
};

static int compare_u64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct times detect(int count, int seeds, enum fault fault, unsigned loss_percent)
{
    enum { DETECT_SEEDS_MAX = 200 };
    uint64_t times_ms[DETECT_SEEDS_MAX];
    struct times times = {0};
    assert(seeds <= DETECT_SEEDS_MAX);
    for (int seed = 0; seed < seeds; seed++) {
        struct net *net = net_new(count, (uint64_t)seed + 1);
        net_run(net, 3000 + random_below(&net->random, 2000));
        CU_ASSERT_TRUE(net_all_alive(net));
        net->loss_percent = loss_percent;
        uint64_t since_ms = net->now_ms;
        int victim = (int)random_below(&net->random, (uint64_t)count);
        if (fault == KILLED) {
            net_kill(net, victim);
            net_run(net, 1);
            net_hint(net, victim);
        } else {
            net_freeze(net, victim, FOREVER);
        }
        net_run(net, 6000);
        times_ms[seed] = net_detection_ms(net, victim, since_ms);
        times.false_deaths += net->false_deaths;
        net_free(net);
    }
    qsort(times_ms, (size_t)seeds, sizeof *times_ms, compare_u64);
    times.median_ms = times_ms[seeds / 2];
    times.max_ms = times_ms[seeds - 1];
    return times;
}

static void a_killed_process_is_dead_within_a_second(void)
{
    static const struct {
        int count, seeds;
        unsigned loss_percent;
    } rows[] = {{2, 50, 0}, {3, 200, 0}, {3, 100, 5}, {10, 50, 0}, {50, 5, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct times times = detect(rows[i].count, rows[i].seeds, KILLED, rows[i].loss_percent);
        CU_ASSERT_TRUE(times.median_ms < 700);
        CU_ASSERT_TRUE(times.max_ms < 1000);
        CU_ASSERT_EQUAL(times.false_deaths, 0);
    }
}

static void a_frozen_process_is_dead_within_seconds(void)
{
    static const struct {
        int count, seeds;
        uint64_t median_ms_max, max_ms_max;
    } rows[] = {{2, 100, 2300, 2700},  {3, 200, 2200, 2700}, {5, 100, 2200, 3000},
                {10, 100, 2200, 3000}, {50, 10, 2500, 3500}, {100, 5, 3000, 4000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct times times = detect(rows[i].count, rows[i].seeds, FROZEN, 0);
        CU_ASSERT_TRUE(times.median_ms <= rows[i].median_ms_max);
        CU_ASSERT_TRUE(times.max_ms <= rows[i].max_ms_max);
        CU_ASSERT_EQUAL(times.false_deaths, 0);
    }
}

/* The others hear of it by rumour, though their connections never broke. */
static void one_hint_is_enough(void)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct net *net = net_new(3, seed);
        net_run(net, 4000 + 37 * seed);
        net_kill(net, 2);
        uint64_t since_ms = net->now_ms;
        swim_hint_broken(net->nodes[0].swim, net->now_ms, node_name(2), &net->effects);
        net_carry_out(net, 0);
        net_run(net, 3000);
        CU_ASSERT_TRUE(net_detection_ms(net, 2, since_ms) < 1000);
        net_free(net);
    }
}

static void a_hint_is_no_verdict(void)
{
    struct net *net = net_new(3, 21);
    net_run(net, 5000);
    for (int round = 0; round < 100; round++) {
        net_hint(net, round % 3);
        net_run(net, 97);
        CU_ASSERT_TRUE(net_all_alive(net));
    }
    CU_ASSERT_EQUAL(net->false_deaths, 0);
    CU_ASSERT_EQUAL(swim_incarnation(net->nodes[0].swim, "n1"), UINT64_C(1) << 32 | 1);
    net_free(net);
}

/* --- who lives must not be called dead ----------------------------------------------------- */

static void a_paused_member_contradicts(void)
{
    unsigned suspected = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        int count = seed % 2 ? 3 : 10;
        struct net *net = net_new(count, seed);
        net_run(net, 4000 + 31 * seed);
        net_freeze(net, 1, net->now_ms + 1000);
        net_run(net, 990);
        suspected += net_phase(net, 0, 1) == PLACEMENT_SUSPECT;
        net_run(net, 2000);
        CU_ASSERT_TRUE(net_all_alive(net));
        CU_ASSERT_EQUAL(net->false_deaths, 0);
        net_free(net);
    }
    CU_ASSERT_TRUE(suspected > 10); /* or this tests nothing */
}

static void refutation_raises_the_incarnation(void)
{
    struct net *net = net_new(4, 31);
    net_run(net, 5000);
    uint64_t before = swim_incarnation(net->nodes[0].swim, "n1");
    net_freeze(net, 1, net->now_ms + 1900);
    net_run(net, 1800);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_SUSPECT);
    net_run(net, 300);
    CU_ASSERT_TRUE(net_all_alive(net));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(swim_incarnation(net->nodes[i].swim, "n1") > before);
    net_free(net);
}

static void a_one_way_cut_is_bridged_by_others(void)
{
    for (int way = 0; way < 2; way++) {
        struct net *net = net_new(4, 32);
        net_run(net, 5000);
        net->cut[way ? 0 : 1][way ? 1 : 0] = true;
        for (int round = 0; round < 200; round++) {
            net_run(net, 100);
            CU_ASSERT_TRUE(net_all_alive(net));
        }
        net_free(net);
    }
}

static void ten_minutes_of_pauses_and_loss(void)
{
    struct net *net = net_new(20, 33);
    net_run(net, 5000);
    net->loss_percent = 5;
    net->pause_every_ms = 10000;
    net_run(net, 600000);
    CU_ASSERT_EQUAL(net->false_deaths, 0);
    net->loss_percent = 0;
    net->pause_every_ms = 0;
    net_run(net, 5000);
    CU_ASSERT_TRUE(net_all_alive(net));
    net_free(net);
}

static void a_frozen_observer_declares_nobody_dead(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net *net = net_new(5, seed);
        net_run(net, 5000 + 57 * seed);
        net_freeze(net, 0, net->now_ms + 500 * seed);
        net_run(net, 500 * seed + 5000);
        for (int i = 1; i < 5; i++)
            CU_ASSERT_EQUAL(net->dead_at_ms[0][i], 0);
        CU_ASSERT_TRUE(net_all_alive(net)); /* nor does it stay dead itself */
        net_free(net);
    }
}

/* A proof of life of another kind ends the suspicion of who heard it. */
static void any_message_is_a_proof_of_life(void)
{
    struct net *net = net_new(2, 34);
    net_run(net, 5000);
    net->cut[1][0] = true;
    for (int i = 0; i < 100; i++) {
        net_run(net, 100);
        swim_heard(net->nodes[0].swim, net->now_ms, "n1");
        net_carry_out(net, 0);
        CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_ALIVE);
    }
    net_run(net, 4000);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_DEAD);
    swim_heard(net->nodes[0].swim, net->now_ms, "n1"); /* a dead one has to raise its incarnation */
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_DEAD);
    CU_ASSERT_TRUE(net->nodes[0].reconnects >= 4);
    net_free(net);
}

/* --- coming back --------------------------------------------------------------------------- */

static void a_split_heals_within_three_seconds(void)
{
    static const struct {
        int count, left;
        uint64_t split_ms;
    } rows[] = {{5, 3, 20000}, {3, 1, 20000}, {3, 1, 3000}, {40, 20, 20000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct net *net = net_new(rows[i].count, seed);
            net_run(net, 5000);
            net_split(net, rows[i].left, true);
            net_run(net, rows[i].split_ms);
            unsigned split_deaths = net->false_deaths;
            net_split(net, rows[i].left, false);
            net_run(net, 3000);
            CU_ASSERT_TRUE(net_all_alive(net));
            CU_ASSERT_EQUAL(net->false_deaths, split_deaths);
            net_free(net);
        }
    }
}

static void the_dead_are_asked_and_reconnected(void)
{
    struct net *net = net_new(3, 41);
    net_run(net, 5000);
    net_kill(net, 2);
    net_run(net, 10000);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_DEAD);
    uint64_t before = net->nodes[0].reconnects;
    net_run(net, 20000);
    uint64_t reconnects = net->nodes[0].reconnects - before;
    CU_ASSERT_TRUE(reconnects >= 6 && reconnects <= 10);
    net_free(net);
}

/* Of many dead, the one that is heard is told so at once, not when its turn comes. */
static void who_speaks_is_told_before_the_other_dead(void)
{
    enum { COUNT = 32 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *net = net_new(COUNT, seed);
        net_run(net, 5000);
        for (int i = 2; i < COUNT; i++)
            net_kill(net, i);
        net_split(net, 1, true);
        net_run(net, 60000);
        CU_ASSERT_TRUE(net_all_see(net, 0, PLACEMENT_DEAD) && net_all_see(net, 1, PLACEMENT_DEAD));
        net_split(net, 1, false);
        swim_heard(net->nodes[1].swim, net->now_ms, "n0");
        net_run(net, 600); /* its turn would come within 10 s */
        CU_ASSERT_TRUE(net_all_alive(net));
        net_free(net);
    }
}

static void a_quick_restart_is_seen_at_once(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net *net = net_new(3, seed);
        net_run(net, 5000);
        net_kill(net, 2);
        net_run(net, 1);
        net_hint(net, 2);
        net_run(net, 5 * seed);
        net_start(net, 2);
        net_run(net, 50);
        CU_ASSERT_TRUE(net_all_alive(net));
        CU_ASSERT_EQUAL(swim_incarnation(net->nodes[0].swim, "n2") >> 32, 2);
        net_run(net, 3000);
        CU_ASSERT_EQUAL(net->false_deaths, 0);
        net_free(net);
    }
}

static void a_restart_is_a_change_even_if_nobody_blinked(void)
{
    struct net *net = net_new(2, 42);
    net_run(net, 2000);
    net_kill(net, 1);
    net_start(net, 1);
    struct net_node *node = &net->nodes[0];
    bool has_payload;
    uint8_t payload[SWIM_PAYLOAD_BYTES];
    while (net->flying.count > 0) {
        struct packet packet = queue_pop(&net->flying);
        if (packet.to == 0)
            swim_receive(node->swim, net->now_ms, "n1", packet.body, &net->effects, &has_payload,
                         payload);
        free((void *)(uintptr_t)packet.body.data);
    }
    const char *names[2];
    CU_ASSERT_EQUAL(swim_changes(node->swim, names, 2), 1);
    CU_ASSERT_EQUAL(swim_changes(node->swim, names, 2), 0);
    net_free(net);
}

/* A data directory was lost: the first incarnation of the new run is smaller than what all know. */
static void a_lost_boot_number_is_made_good(void)
{
    for (uint64_t down_ms = 50; down_ms <= 10050; down_ms += 10000) {
        struct net *net = net_new(3, 43);
        net_run(net, 2000);
        for (int round = 0; round < 3; round++) {
            net_kill(net, 2);
            net_start(net, 2);
            net_run(net, 1000);
        }
        net_kill(net, 2);
        net_run(net, down_ms);
        net->nodes[2].boot = 0;
        net_start(net, 2);
        net_run(net, 5000);
        CU_ASSERT_TRUE(net_all_alive(net));
        net_freeze(net, 2, net->now_ms + 1900);
        net_run(net, 5000);
        CU_ASSERT_TRUE(net_all_alive(net));
        net_free(net);
    }
}

/* The same, and the last that was heard of the run before is that it shuts down: the new run must
 * hear of it, or is taken for one that ends for ever. (swarm 3277) */
static void a_lost_boot_number_is_not_shutting_down_for_ever(void)
{
    struct net *net = net_new(3, 45);
    net_run(net, 2000);
    net_kill(net, 2);
    net_start(net, 2);
    net_run(net, 1000);
    swim_set_shutting_down(net->nodes[2].swim, true);
    net_carry_out(net, 2);
    net_run(net, 50);
    CU_ASSERT_TRUE(net_all_see(net, 2, PLACEMENT_SHUTTING_DOWN));
    net_kill(net, 2);
    net->nodes[2].boot = 0;
    net_start(net, 2);
    net_run(net, 3000);
    CU_ASSERT_TRUE(net_all_alive(net));
    net_free(net);
}

static void the_first_agent_after_a_power_cut_waits(void)
{
    struct net *net = net_new(3, 44);
    queue_drop(&net->flying);
    net_kill(net, 1);
    net_kill(net, 2);
    net_run(net, GRACE_MS - 1);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_UNINITIALIZED);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_UNINITIALIZED);
    for (int i = 0; i < 40; i++) {
        net_run(net, 100);
        CU_ASSERT_NOT_EQUAL(net_phase(net, 0, 1), PLACEMENT_SUSPECT);
    }
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_DEAD);
    CU_ASSERT_EQUAL(net_phase(net, 0, 2), PLACEMENT_DEAD);
    net_start(net, 1);
    net_run(net, 50);
    CU_ASSERT_EQUAL(net_phase(net, 0, 1), PLACEMENT_ALIVE);
    net_free(net);
}

/* --- leaving ------------------------------------------------------------------------------- */

static void who_shuts_down_is_given_four_times_as_long(void)
{
    struct net *net = net_new(3, 51);
    net_run(net, 5000);
    swim_set_shutting_down(net->nodes[2].swim, true);
    net_carry_out(net, 2);
    CU_ASSERT_EQUAL(net_phase(net, 2, 2), PLACEMENT_SHUTTING_DOWN);
    net_run(net, 50);
    CU_ASSERT_TRUE(net_all_see(net, 2, PLACEMENT_SHUTTING_DOWN));
    net_freeze(net, 2, net->now_ms + 4000);
    for (int i = 0; i < 60; i++) {
        net_run(net, 100);
        CU_ASSERT_TRUE(net_all_see(net, 2, PLACEMENT_SHUTTING_DOWN)); /* not suspect either */
    }
    uint64_t since_ms = net->now_ms;
    net_freeze(net, 2, FOREVER);
    net_run(net, 10000);
    uint64_t detection_ms = net_detection_ms(net, 2, since_ms);
    CU_ASSERT_TRUE(detection_ms > 4500 && detection_ms < 6500);
    net_free(net);

    net = net_new(3, 52);
    net_run(net, 5000);
    swim_set_shutting_down(net->nodes[2].swim, true);
    net_carry_out(net, 2);
    net_run(net, 1000);
    swim_set_shutting_down(net->nodes[2].swim, false);
    net_carry_out(net, 2);
    net_run(net, 50);
    CU_ASSERT_TRUE(net_all_alive(net));
    net_free(net);
}

static void who_does_not_belong_is_answered_but_unknown(void)
{
    struct net *net = net_new(4, 53);
    net_run(net, 3000);
    for (int i = 0; i < 3; i++) {
        swim_remove(net->nodes[i].swim, "n3");
        swim_remove(net->nodes[i].swim, "nobody");
    }
    net_kill(net, 3);
    net_start(net, 3); /* it asks, and says where it is */
    net_run(net, 20000);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(net_phase(net, i, 3), PLACEMENT_UNINITIALIZED);
        CU_ASSERT_EQUAL(swim_incarnation(net->nodes[i].swim, "n3"), 0);
        CU_ASSERT_EQUAL(net_phase(net, 3, i), PLACEMENT_ALIVE);
    }
    for (int i = 0; i < 3; i++)
        swim_add(net->nodes[i].swim, "n3", "n3");
    net_run(net, 2000);
    CU_ASSERT_TRUE(net_all_alive(net));
    net_free(net);
}

/* Members go while probes, suspicions and relays are under way. */
static void members_may_be_removed_at_any_time(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net *net = net_new(8, seed);
        net_run(net, 3000);
        net->loss_percent = 20;
        for (int i = 5; i < 8; i++)
            net_freeze(net, i, FOREVER);
        for (int round = 0; round < 400; round++) {
            net_run(net, 20);
            int observer = (int)random_below(&net->random, 5);
            int subject = (int)random_below(&net->random, 8);
            if (round % 2)
                swim_remove(net->nodes[observer].swim, node_name(subject));
            else
                swim_add(net->nodes[observer].swim, node_name(subject), node_name(subject));
        }
        net_free(net);
    }
}

UNIT_MAIN(
    "swim", {"all find each other", all_find_each_other},
    {"idle traffic is small", idle_traffic_is_small},
    {"small clusters talk every second", small_clusters_talk_every_second},
    {"a killed process is dead within a second", a_killed_process_is_dead_within_a_second},
    {"a frozen process is dead within seconds", a_frozen_process_is_dead_within_seconds},
    {"one hint is enough", one_hint_is_enough}, {"a hint is no verdict", a_hint_is_no_verdict},
    {"a paused member contradicts", a_paused_member_contradicts},
    {"refutation raises the incarnation", refutation_raises_the_incarnation},
    {"a one-way cut is bridged by others", a_one_way_cut_is_bridged_by_others},
    {"ten minutes of pauses and loss", ten_minutes_of_pauses_and_loss},
    {"a frozen observer declares nobody dead", a_frozen_observer_declares_nobody_dead},
    {"any message is a proof of life", any_message_is_a_proof_of_life},
    {"a split heals within three seconds", a_split_heals_within_three_seconds},
    {"the dead are asked and reconnected", the_dead_are_asked_and_reconnected},
    {"who speaks is told before the other dead", who_speaks_is_told_before_the_other_dead},
    {"a quick restart is seen at once", a_quick_restart_is_seen_at_once},
    {"a restart is a change even if nobody blinked", a_restart_is_a_change_even_if_nobody_blinked},
    {"a lost boot number is made good", a_lost_boot_number_is_made_good},
    {"a lost boot number is not shutting down for ever",
     a_lost_boot_number_is_not_shutting_down_for_ever},
    {"the first agent after a power cut waits", the_first_agent_after_a_power_cut_waits},
    {"who shuts down is given four times as long", who_shuts_down_is_given_four_times_as_long},
    {"who does not belong is answered but unknown", who_does_not_belong_is_answered_but_unknown},
    {"members may be removed at any time", members_may_be_removed_at_any_time})
