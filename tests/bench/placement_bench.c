/* What placing costs, and how even it is. Peer: Horde 0.10's choose_node (targets of the design).
 * Physical limit of the same run: one hash of a child id, which every lookup needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "placement/hash.h"
#include "placement/strategy.h"
#include "tests/bench/bench.h"

enum { MEMBERS_MAX = 1000, LOOKUPS = 500000, IDS = 4096, REPEATS = 5 };

static char names[MEMBERS_MAX][48];
static struct placement_member members[MEMBERS_MAX];
static uint64_t id_hashes[IDS];
static uint64_t sink; /* keeps results alive */

static void members_fill(size_t count, unsigned cluster)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "c%u-node-%zu", cluster, i);
        members[i] = (struct placement_member){.name = names[i],
                                               .phase = PLACEMENT_ALIVE,
                                               .weight = RING_WEIGHT_DEFAULT,
                                               .eligible = true};
    }
}

static uint64_t child_hash(int ordinal)
{
    char id[48];
    int bytes = snprintf(id, sizeof id, "default/web/%d", ordinal);
    return placement_hash(id, (size_t)bytes);
}

static double hash_ns(void)
{
    static const char id[] = "default/billing/1234";
    double start = bench_cpu_ns();
    for (int i = 0; i < LOOKUPS; i++)
        sink += placement_hash(id, sizeof id - 1 - (sink & 1));
    return (bench_cpu_ns() - start) / LOOKUPS;
}

static double build_us(struct ring *ring, size_t count)
{
    int rounds = count > 100 ? 20 : 200;
    double start = bench_cpu_ns();
    for (int i = 0; i < rounds; i++)
        placement_ring_build(ring, members, count);
    return (bench_cpu_ns() - start) / 1e3 / rounds;
}

static double owner_ns(const struct ring *ring)
{
    double start = bench_cpu_ns();
    for (int i = 0; i < LOOKUPS; i++)
        sink += ring_owner(ring, id_hashes[i % IDS] + (sink & 1));
    return (bench_cpu_ns() - start) / LOOKUPS;
}

static double choose_ns(const struct placement_view *view, size_t max)
{
    uint32_t chosen[8];
    double start = bench_cpu_ns();
    for (int i = 0; i < LOOKUPS / 4; i++) {
        struct placement_child child = {.id_hash = id_hashes[i % IDS] + (sink & 1), .epoch = 1};
        sink += placement_uniform.choose(view, &child, chosen, max) + chosen[0];
    }
    return (bench_cpu_ns() - start) / (LOOKUPS / 4);
}

static double first_of_two_ns(void)
{
    double start = bench_cpu_ns();
    for (int i = 0; i < LOOKUPS / 200; i++)
        sink += (uint64_t)ring_first_of_two(id_hashes[i % IDS], names[0], names[1]);
    return (bench_cpu_ns() - start) / (LOOKUPS / 200);
}

static void costs_print(size_t count, const char *horde)
{
    struct ring ring = {0};
    double build[REPEATS], owner[REPEATS], one[REPEATS], three[REPEATS], hash[REPEATS];
    members_fill(count, 0);
    for (int i = 0; i < REPEATS; i++) {
        build[i] = build_us(&ring, count);
        struct placement_view view = {members, count, &ring};
        owner[i] = owner_ns(&ring);
        one[i] = choose_ns(&view, 1);
        three[i] = choose_ns(&view, 3);
        hash[i] = hash_ns();
    }
    const char *limit = bench_text("%.0f ns: one hash", bench_median(hash, REPEATS));
    bench_line(bench_text("%zu members: build the ring", count),
               bench_text("%.0f us", bench_median(build, REPEATS)), "-", "2,000 us", "-");
    bench_line(bench_text("%zu members: owner on the ring", count),
               bench_text("%.1f ns", bench_median(owner, REPEATS)), "-", "-", limit);
    bench_line(
        bench_text("%zu members: choose 1 / 3", count),
        bench_text("%.1f / %.1f ns", bench_median(one, REPEATS), bench_median(three, REPEATS)),
        horde, "100 ns", limit);
    ring_release(&ring);
}

/* Greatest share over mean share of the children. */
static double balance_of(size_t count, int children, unsigned cluster)
{
    static int owned[MEMBERS_MAX];
    struct ring ring = {0};
    int most = 0;
    members_fill(count, cluster);
    placement_ring_build(&ring, members, count);
    memset(owned, 0, sizeof owned);
    for (int i = 0; i < children; i++)
        owned[ring_owner(&ring, child_hash(i))]++;
    for (size_t i = 0; i < count; i++)
        most = owned[i] > most ? owned[i] : most;
    ring_release(&ring);
    return (double)most * (double)count / children;
}

static void balance_print(size_t count, const char *arithmetic)
{
    enum { CLUSTERS = 101 };
    double balances[CLUSTERS];
    int children = count > 200 ? (int)count * 50 : 10000;
    int clusters = count >= 500 ? 5 : count >= 50 ? 21 : CLUSTERS;
    for (int i = 0; i < clusters; i++)
        balances[i] = balance_of(count, children, (unsigned)i);
    double middle = bench_median(balances, (size_t)clusters);
    bench_line(bench_text("%zu members, %d children: max/mean, median (worst of %d)", count,
                          children, clusters),
               bench_text("%.3f (%.3f)", middle, balances[clusters - 1]),
               count == 5 ? "Horde -24 % / +11 %" : "-", count == 5 ? "1.15" : "-",
               bench_text("%s: arithmetic", arithmetic));
}

int main(void)
{
    double first[REPEATS];
    for (int i = 0; i < IDS; i++)
        id_hashes[i] = child_hash(i);
    costs_print(3, "Horde 48,000 ns");
    costs_print(5, "-");
    costs_print(10, "Horde 271,000 ns");
    costs_print(50, "Horde 2,300,000 ns");
    costs_print(100, "Horde 5,100,000 ns");
    costs_print(1000, "-");
    members_fill(2, 0);
    for (int i = 0; i < REPEATS; i++)
        first[i] = first_of_two_ns();
    bench_line("order of two holders of one child",
               bench_text("%.0f ns", bench_median(first, REPEATS)), "-", "-", "-");
    balance_print(5, "1.12");
    balance_print(10, "-");
    balance_print(50, "1.26");
    balance_print(100, "-");
    balance_print(1000, "1.53");
    return sink == 1; /* never, but the compiler cannot know */
}
