/* The laws of synchronisation, on random networks: whatever is lost, doubled, reordered, cut off,
 * restarted or forged, the maps become equal once the network heals, and acknowledgements are true.
 *
 * SEEDS=n runs more seeds than the quick default; SEED=n runs that one. */
#include "sync_network.h"
#include "unit.h"

enum {
    SEEDS_QUICK = 120,
    STEPS = 150,
    KEYS = 40,
    HEAL_MS_MAX = 60000,
    WAITING_MAX = 64,
};

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* --- A random life of a cluster --- */

struct swarm {
    struct net *net;
    uint64_t next_replica;
    struct {
        int node;
        struct dot dot;
    } waiting[WAITING_MAX];
    int waiting_count;
};

static uint64_t chance(struct swarm *swarm, uint64_t bound)
{
    return random_below(&swarm->net->random, bound);
}

/* Someone must really cover what the machine calls acknowledged: up or down, for a node that is
 * down comes back, unless with less than it had: see swarm_restart. */
static bool swarm_acknowledged_truly(const struct swarm *swarm)
{
    const struct net *net = swarm->net;
    for (int i = 0; i < swarm->waiting_count; i++) {
        int writer = swarm->waiting[i].node;
        if (!sync_acknowledged(net->nodes[writer].sync, swarm->waiting[i].dot))
            continue;
        bool covered = false;
        for (int n = 0; n < net->count; n++)
            covered |= n != writer && net_covers(net, n, swarm->waiting[i].dot);
        if (!covered)
            return false;
    }
    return true;
}

static void swarm_write(struct swarm *swarm, int node)
{
    struct net *net = swarm->net;
    char key[32], value[400];
    bool ack = chance(swarm, 3) == 0;
    int count = chance(swarm, 20) == 0 ? 300 : 1 + (int)chance(swarm, 3);
    memset(value, 'v', sizeof value);
    struct dot dot = {0};
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key-%d", (int)chance(swarm, count > 10 ? 1000 : KEYS));
        value[chance(swarm, sizeof value)] = 0;
        if (chance(swarm, 3) == 0)
            net_remove(net, node, key);
        else
            dot = net_put(net, node, key, value);
    }
    net_share(net, node, ack);
    if (ack && dot.counter > 0 && swarm->waiting_count < WAITING_MAX) {
        swarm->waiting[swarm->waiting_count].node = node;
        swarm->waiting[swarm->waiting_count++].dot = dot;
    }
}

/* A node that returns with less than it had makes old claims untrue: what was waited for is no
 * longer looked at. */
static void swarm_restart(struct swarm *swarm, int node)
{
    swarm->waiting_count = 0;
    net_restart(swarm->net, node, chance(swarm, 2) == 0, swarm->next_replica++);
    net_meet(swarm->net, true);
}

static void swarm_step(struct swarm *swarm)
{
    struct net *net = swarm->net;
    int node = (int)chance(swarm, (uint64_t)net->count);
    uint64_t what = chance(swarm, 100);
    if (net->nodes[node].down) {
        if (what < 30)
            swarm_restart(swarm, node);
    } else if (what < 70) {
        swarm_write(swarm, node);
    } else if (what < 74) {
        net_save(net, node);
    } else if (what < 76) {
        net_stop(net, node);
        net_meet(net, true);
    } else if (what < 80) {
        net->nodes[node].side = (int)chance(swarm, 2);
        if (chance(swarm, 2) == 0)
            net_meet(net, true); /* or nobody has noticed yet */
    } else if (what < 82) {
        sync_thaw(net->nodes[node].sync, net->now_ms);
    }
    uint64_t pauses_ms[] = {0, 3, 30, 300, 2000};
    net_run(net, chance(swarm, 1 + pauses_ms[chance(swarm, 5)]));
}

static void swarm_heal(struct swarm *swarm)
{
    struct net *net = swarm->net;
    net->loss_percent = net->double_percent = 0;
    for (int i = 0; i < net->count; i++) {
        net->nodes[i].side = 0;
        if (net->nodes[i].down)
            swarm_restart(swarm, i);
    }
    net_meet(net, true);
}

static bool swarm_run(uint64_t seed, uint64_t *ret_heal_ms)
{
    struct random random = random_of(seed);
    struct swarm swarm = {.next_replica = 1000};
    struct net *net = swarm.net = net_new(2 + (int)random_below(&random, 5), seed);
    net->delay_min_ms = random_below(&random, 5);
    net->delay_max_ms = net->delay_min_ms + random_below(&random, 100);
    net->loss_percent = random_below(&random, 2) ? (unsigned)random_below(&random, 30) : 0;
    net->double_percent = random_below(&random, 2) ? (unsigned)random_below(&random, 30) : 0;
    net->purge = random_below(&random, 2) ? 1 + random_below(&random, 10) : 0;
    net->summaries = true;
    net_meet(net, true);
    bool good = true;
    for (int step = 0; step < STEPS && good; step++) {
        swarm_step(&swarm);
        good = swarm_acknowledged_truly(&swarm);
    }
    if (!good)
        printf("\nSEED=%llu: acknowledged, and nobody covers it\n", (unsigned long long)seed);
    swarm_heal(&swarm);
    *ret_heal_ms = net_run_until_equal(net, HEAL_MS_MAX);
    if (*ret_heal_ms == UINT64_MAX)
        printf("\nSEED=%llu: not equal\n", (unsigned long long)seed);
    for (int i = 0; i < net->count; i++)
        awmap_check(net->nodes[i].map);
    net_free(net);
    return good && *ret_heal_ms != UINT64_MAX;
}

static void maps_become_equal_and_acknowledgements_are_true(void)
{
    uint64_t first = number_from("SEED", 1);
    uint64_t count = getenv("SEED") ? 1 : number_from("SEEDS", SEEDS_QUICK);
    uint64_t longest_ms = 0, sum_ms = 0, failures = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t heal_ms = 0;
        if (!swarm_run(seed, &heal_ms)) {
            failures++;
            continue;
        }
        sum_ms += heal_ms;
        longest_ms = heal_ms > longest_ms ? heal_ms : longest_ms;
    }
    CU_ASSERT_EQUAL(failures, 0);
    printf("\n    %llu seeds: equal after %llu ms in the mean, %llu ms at most\n    ",
           (unsigned long long)count, (unsigned long long)(sum_ms / count),
           (unsigned long long)longest_ms);
}

/* --- Larger and rougher --- */

static void forty_peers_relay_to_all(void)
{
    struct net *net = net_new(40, 7);
    net->delay_min_ms = 1;
    net->delay_max_ms = 3;
    net_meet(net, false);
    uint64_t begin_ms = net->now_ms, worst_ms = 0;
    for (int i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%d", i);
        struct dot dot = net_put(net, i % 40, key, "v");
        net_share(net, i % 40, true);
        uint64_t took_ms = net_run_until_equal(net, 2000);
        CU_ASSERT_NOT_EQUAL_FATAL(took_ms, UINT64_MAX);
        worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
        net_run(net, 50);
        CU_ASSERT_TRUE(sync_acknowledged(net->nodes[i % 40].sync, dot));
    }
    CU_ASSERT_EQUAL(net->kinds[SYNC_DIGEST] + net->kinds[SYNC_WALK_REQUEST], 0);
    CU_ASSERT_TRUE(worst_ms < 50);
    printf(
        "\n    40 peers, 1 to 3 ms apart: a write is at all of them after %llu ms at most, "
        "%.1f pushes per peer\n    ",
        (unsigned long long)worst_ms, (double)net->kinds[SYNC_PUSH] / 100 / 39);
    /* Many at once, on ways of different length. */
    begin_ms = net->now_ms;
    for (int i = 0; i < 400; i++) {
        char key[32];
        snprintf(key, sizeof key, "burst-%d", i);
        net_put(net, i % 40, key, "v");
        net_share(net, i % 40, false);
        net_run(net, (uint64_t)i % 2);
    }
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 2000), UINT64_MAX);
    CU_ASSERT_TRUE(net->now_ms - begin_ms < 1000);
    net_free(net);
}

static void forty_peers_heal_with_loss(void)
{
    struct net *net = net_new(40, 8);
    net->loss_percent = 20;
    net->delay_max_ms = 30;
    net->summaries = true;
    net_meet(net, false);
    for (int i = 0; i < 200; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%d", i);
        net_put(net, i % 40, key, "v");
        net_share(net, i % 40, false);
        net_run(net, 5);
    }
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 30000), UINT64_MAX);
    net_free(net);
}

static void large_maps_cross_a_bad_network(void)
{
    struct net *net = net_new(3, 9);
    net->loss_percent = 15;
    net->double_percent = 10;
    net->delay_max_ms = 40;
    net->summaries = true;
    net_fill(net, 0, "a", 20000);
    net_fill(net, 1, "b", 10000);
    net_meet(net, true);
    uint64_t took_ms = net_run_until_equal(net, 60000);
    CU_ASSERT_NOT_EQUAL(took_ms, UINT64_MAX);
    printf("\n    3 nodes, 30,000 keys, 15 %% lost: equal after %llu ms, %.1f MB\n    ",
           (unsigned long long)took_ms, (double)net->bytes / 1e6);
    net_free(net);
}

/* A writer that never pauses: the walk of a newcomer must still come to an end. */
static void a_newcomer_catches_up_with_a_busy_writer(void)
{
    struct net *net = net_new(2, 10);
    net->delay_min_ms = net->delay_max_ms = 20;
    net->summaries = true;
    net_fill(net, 0, "old", 20000);
    net_meet(net, true);
    struct dot dot = {0};
    for (int i = 0; i < 3000; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%d", i % 500);
        dot = net_put(net, 0, key, "v");
        net_share(net, 0, true);
        net_run(net, 1);
    }
    CU_ASSERT_TRUE(sync_peer_seen_max(net->nodes[0].sync, dot.replica) + 100 > dot.counter);
    CU_ASSERT_TRUE(net->kinds[SYNC_WALK_REQUEST] < 5);
    CU_ASSERT_NOT_EQUAL(net_run_until_equal(net, 1000), UINT64_MAX);
    net_free(net);
}

/* --- Garbage --- */

struct recorded {
    uint8_t *bodies[256];
    size_t bytes[256];
    size_t count;
    struct net_node *node;
};

static void record_send(void *context, const char *address, enum channel channel, struct span body,
                        struct effects *effects)
{
    struct recorded *recorded = context;
    if (recorded->count < 256 && body.bytes < 5000) {
        recorded->bytes[recorded->count] = body.bytes;
        recorded->bodies[recorded->count++] = xmemdup(body.data, body.bytes);
    }
    net_send(recorded->node, address, channel, body, effects);
}

/* All kinds of messages, as two nodes exchanged them. */
static void record_all_kinds(struct recorded *recorded)
{
    struct net *net = net_new(2, 11);
    recorded->node = &net->nodes[0];
    sync_set_send(net->nodes[0].sync, record_send, recorded);
    net->delay_max_ms = 30;
    net->purge = 3;
    net->summaries = true;
    for (int i = 0; i < 60; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%d", i % 9);
        if (i % 3)
            net_put(net, i % 2, key, "value");
        else
            net_remove(net, i % 2, key);
        if (i % 10 == 0)
            net_meet(net, true);
        net_share(net, i % 2, true);
        sync_compare(net->nodes[i % 2].sync, net->now_ms, net->nodes[1 - i % 2].name, NULL);
        net_run(net, (uint64_t)i % 40);
        if (i % 20 == 19) {
            net_know(net, i % 2, 1 - i % 2, false);
            net->nodes[0].side ^= 1;
        }
    }
    net_free(net);
}

static void receive_damaged(struct net *net, const struct recorded *recorded)
{
    struct random *random = &net->random;
    size_t choice = (size_t)random_below(random, recorded->count);
    size_t bytes = recorded->bytes[choice];
    uint8_t *copy = xmemdup(recorded->bodies[choice], bytes);
    for (uint64_t flips = random_below(random, 4); flips > 0; flips--)
        copy[random_below(random, bytes)] ^= (uint8_t)(1u << random_below(random, 8));
    if (random_below(random, 4) == 0)
        copy[random_below(random, bytes)] = (uint8_t)random_next(random);
    if (random_below(random, 4) == 0)
        bytes = (size_t)random_below(random, bytes + 1);
    uint8_t *exact = xcalloc(bytes + 1, 1); /* the sanitizer watches its end */
    exact = xrealloc(exact, bytes ? bytes : 1);
    memcpy(exact, copy, bytes);
    sync_receive(net->nodes[0].sync, net->now_ms, net->nodes[1].name, span_of(exact, bytes), NULL);
    net_settle_feed(net, 0);
    free(exact);
    free(copy);
}

static void damaged_messages_do_no_harm(void)
{
    struct recorded recorded = {.count = 0};
    record_all_kinds(&recorded);
    CU_ASSERT_TRUE_FATAL(recorded.count > 20);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net *net = net_new(3, seed);
        net->double_percent = 1; /* receivers may call things garbage */
        net_meet(net, true);
        net_fill(net, 1, "k", 20);
        for (int i = 0; i < 500; i++) {
            receive_damaged(net, &recorded);
            if (i % 50 == 0)
                net_run(net, random_below(&net->random, 1000));
        }
        net_run(net, 10000);
        CU_ASSERT_TRUE(net->nodes[0].sync->held_count <= SYNC_HELD_MAX);
        CU_ASSERT_TRUE(net->nodes[0].sync->outlet_count <= SYNC_SESSIONS_MAX);
        awmap_check(net->nodes[0].map);
        net_free(net);
    }
    for (size_t i = 0; i < recorded.count; i++)
        free(recorded.bodies[i]);
}

UNIT_MAIN("sync laws",
          {"maps become equal and acknowledgements are true",
           maps_become_equal_and_acknowledgements_are_true},
          {"forty peers relay to all", forty_peers_relay_to_all},
          {"forty peers heal with loss", forty_peers_heal_with_loss},
          {"large maps cross a bad network", large_maps_cross_a_bad_network},
          {"a newcomer catches up with a busy writer", a_newcomer_catches_up_with_a_busy_writer},
          {"damaged messages do no harm", damaged_messages_do_no_harm})
