/* The ring: agreement between nodes, few moves, fair shares, and owners that stay the same for
 * ever.
 *
 * UPDATE=1 rewrites tests/golden/ring_owners.txt; a difference there moves containers in every
 * running cluster. Runs from the root of the repository. */
#include <stdio.h>
#include <string.h>

#include "placement/hash.h"
#include "placement/ring.h"
#include "unit.h"

enum { KEYS = 1000, NAMES_MAX = 64 };

static char names[NAMES_MAX][24];

static void names_fill(const char *prefix)
{
    for (int i = 0; i < NAMES_MAX; i++)
        snprintf(names[i], sizeof names[i], "%.10s-%d", prefix, i);
}

static uint64_t key_hash(int key)
{
    char id[64];
    int bytes = snprintf(id, sizeof id, "default/web/%d", key);
    return placement_hash(id, (size_t)bytes);
}

/* Members are names[0] to names[count - 1], but for the one left out (-1: nobody). */
static struct ring ring_without(size_t count, int left_out)
{
    struct ring_member members[NAMES_MAX];
    for (size_t i = 0; i < count; i++)
        members[i] = (struct ring_member){names[i], RING_WEIGHT_DEFAULT};
    if (left_out >= 0)
        members[left_out].weight = 0;
    struct ring ring = {0};
    ring_build(&ring, members, count);
    return ring;
}

static void owners_are_frozen(void)
{
    static const char path[] = "tests/golden/ring_owners.txt";
    names_fill("node");
    struct ring ring = ring_without(5, -1);
    if (getenv("UPDATE")) {
        FILE *file = fopen(path, "w");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        for (int key = 0; key < KEYS; key++)
            fprintf(file, "default/web/%d %s\n", key, names[ring_owner(&ring, key_hash(key))]);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    int key = 0;
    char id[64], owner[16];
    for (; fscanf(file, "%63s %15s", id, owner) == 2; key++)
        CU_ASSERT_STRING_EQUAL(names[ring_owner(&ring, placement_hash(id, strlen(id)))], owner);
    fclose(file);
    CU_ASSERT_EQUAL(key, KEYS);
    ring_release(&ring);
}

static void points_are_sorted_and_counted(void)
{
    names_fill("sorted");
    struct ring ring = ring_without(NAMES_MAX, -1);
    size_t points_of[NAMES_MAX] = {0};
    CU_ASSERT_EQUAL(ring.count, (size_t)NAMES_MAX * RING_POINTS_PER_MEMBER);
    for (size_t i = 0; i < ring.count; i++) {
        points_of[ring.points[i].member]++;
        CU_ASSERT(i == 0 || ring.points[i - 1].hash <= ring.points[i].hash);
    }
    for (size_t i = 0; i < NAMES_MAX; i++)
        CU_ASSERT_EQUAL(points_of[i], RING_POINTS_PER_MEMBER);
    ring_release(&ring);
}

/* The owner by its definition: the nearest point clockwise, found by looking at all of them. */
static uint32_t owner_by_definition(const struct ring *ring, uint64_t hash)
{
    size_t nearest = 0;
    for (size_t i = 1; i < ring->count; i++)
        if (ring->points[i].hash - hash < ring->points[nearest].hash - hash)
            nearest = i;
    return ring->points[nearest].member;
}

static void owner_is_the_next_point_clockwise(void)
{
    names_fill("next");
    for (size_t count = 1; count <= 5; count++) {
        struct ring ring = ring_without(count, -1);
        for (int key = 0; key < KEYS; key++)
            CU_ASSERT_EQUAL(ring_owner(&ring, key_hash(key)),
                            owner_by_definition(&ring, key_hash(key)));
        for (size_t i = 0; i < ring.count; i++) {
            CU_ASSERT_EQUAL(ring_owner(&ring, ring.points[i].hash), ring.points[i].member);
            CU_ASSERT_EQUAL(ring_owner(&ring, ring.points[i].hash + 1),
                            ring.points[(i + 1) % ring.count].member);
        }
        CU_ASSERT_EQUAL(ring_owner(&ring, UINT64_MAX), ring.points[0].member);
        CU_ASSERT_EQUAL(ring_owner(&ring, 0), ring.points[0].member);
        ring_release(&ring);
    }
}

static void nobody_owns_anything_in_an_empty_ring(void)
{
    struct ring ring = {0};
    struct ring_walk walk;
    names_fill("empty");
    struct ring_member weightless = {names[0], 0};
    for (size_t count = 0; count <= 1; count++) {
        ring_build(&ring, &weightless, count);
        CU_ASSERT_EQUAL(ring_owner(&ring, 12345), RING_NONE);
        ring_walk_begin(&walk, &ring, 12345);
        CU_ASSERT_EQUAL(ring_walk_next(&walk), RING_NONE);
        ring_walk_release(&walk);
        ring_release(&ring);
    }
    ring_release(NULL);
}

/* Adding is removing seen from the other side: both are the same pair of rings. */
static void one_member_moves_only_its_own_keys(void)
{
    names_fill("move");
    for (int gone = 0; gone < 7; gone++) {
        struct ring all = ring_without(7, -1), fewer = ring_without(7, gone);
        int moved = 0;
        for (int key = 0; key < KEYS; key++) {
            uint32_t before = ring_owner(&all, key_hash(key)),
                     after = ring_owner(&fewer, key_hash(key));
            CU_ASSERT(after != (uint32_t)gone);
            CU_ASSERT(before == after || before == (uint32_t)gone);
            moved += before != after;
        }
        CU_ASSERT(moved > KEYS / 7 / 2 && moved < KEYS / 7 * 2);
        ring_release(&all);
        ring_release(&fewer);
    }
}

static void order_of_the_array_is_irrelevant(void)
{
    names_fill("order");
    struct ring straight = ring_without(NAMES_MAX, -1), turned = {0};
    struct ring_member members[NAMES_MAX];
    for (size_t i = 0; i < NAMES_MAX; i++) /* 37 and 64 have no common factor: a permutation */
        members[i] = (struct ring_member){names[i * 37 % NAMES_MAX], RING_WEIGHT_DEFAULT};
    ring_build(&turned, members, NAMES_MAX);
    CU_ASSERT_EQUAL_FATAL(straight.count, turned.count);
    for (size_t i = 0; i < straight.count; i++) {
        CU_ASSERT_EQUAL(straight.points[i].hash, turned.points[i].hash);
        CU_ASSERT_EQUAL(straight.points[i].member, turned.points[i].member * 37 % NAMES_MAX);
    }
    ring_release(&straight);
    ring_release(&turned);
}

/* Weight 300 beside three of weight 100 is half of the ring; a change of weight moves keys of that
 * member only. */
static void weights_are_respected(void)
{
    names_fill("weight");
    struct ring_member members[4];
    for (int i = 0; i < 4; i++)
        members[i] = (struct ring_member){names[i], RING_WEIGHT_DEFAULT};
    struct ring even = {0}, uneven = {0};
    ring_build(&even, members, 4);
    members[2].weight = 300;
    ring_build(&uneven, members, 4);
    int owned = 0;
    for (int key = 0; key < KEYS; key++) {
        uint32_t before = ring_owner(&even, key_hash(key)),
                 after = ring_owner(&uneven, key_hash(key));
        CU_ASSERT(before == after || after == 2);
        owned += after == 2;
    }
    CU_ASSERT(owned > KEYS * 40 / 100 && owned < KEYS * 60 / 100);
    ring_release(&even);
    ring_release(&uneven);
}

static void extreme_weights_are_bounded(void)
{
    names_fill("extreme");
    struct ring_member members[2] = {{names[0], 1}, {names[1], UINT32_MAX}};
    struct ring ring = {0};
    ring_build(&ring, members, 2);
    CU_ASSERT_EQUAL(ring.count, 2 + RING_WEIGHT_MAX * RING_POINTS_PER_MEMBER / RING_WEIGHT_DEFAULT);
    ring_release(&ring);
}

static void a_walk_meets_every_member_once(void)
{
    names_fill("walk");
    for (size_t count = 1; count < 40; count += 6) {
        struct ring ring = ring_without(count, count > 3 ? 3 : -1);
        struct ring_walk walk;
        bool met[NAMES_MAX] = {false};
        size_t steps = 0;
        ring_walk_begin(&walk, &ring, key_hash((int)count));
        for (uint32_t m; (m = ring_walk_next(&walk)) != RING_NONE; steps++) {
            CU_ASSERT_FATAL(m < count && m != (count > 3 ? 3 : RING_NONE));
            CU_ASSERT(!met[m]);
            met[m] = true;
            CU_ASSERT(steps > 0 || m == ring_owner(&ring, key_hash((int)count)));
        }
        CU_ASSERT_EQUAL(steps, count > 3 ? count - 1 : count);
        CU_ASSERT_EQUAL(ring_walk_next(&walk), RING_NONE);
        ring_walk_release(&walk);
        ring_release(&ring);
    }
}

/* Rank 1 is who would own the key without rank 0, and so on. */
static void a_walk_tells_who_is_next_if_the_first_dies(void)
{
    names_fill("heir");
    struct ring all = ring_without(6, -1);
    for (int key = 0; key < KEYS; key++) {
        struct ring_walk walk;
        ring_walk_begin(&walk, &all, key_hash(key));
        uint32_t first = ring_walk_next(&walk), second = ring_walk_next(&walk);
        ring_walk_release(&walk);
        struct ring fewer = ring_without(6, (int)first);
        CU_ASSERT_EQUAL(ring_owner(&fewer, key_hash(key)), second);
        ring_release(&fewer);
    }
    ring_release(&all);
}

static void first_of_two_is_the_ring_of_two(void)
{
    names_fill("pair");
    for (size_t n = 0; n + 1 < 16; n++) {
        struct ring_member members[2] = {{names[n], RING_WEIGHT_DEFAULT},
                                         {names[n + 1], RING_WEIGHT_DEFAULT}};
        struct ring ring = {0};
        ring_build(&ring, members, 2);
        int first_owns = 0;
        for (int key = 0; key < KEYS; key++) {
            int order = ring_first_of_two(key_hash(key), names[n], names[n + 1]);
            CU_ASSERT_EQUAL(order < 0 ? 0 : 1, ring_owner(&ring, key_hash(key)));
            CU_ASSERT(order != 0);
            CU_ASSERT_EQUAL(order<0, ring_first_of_two(key_hash(key), names[n + 1], names[n])> 0);
            first_owns += order < 0;
        }
        CU_ASSERT(first_owns > KEYS * 30 / 100 && first_owns < KEYS * 70 / 100);
        ring_release(&ring);
    }
    CU_ASSERT_EQUAL(ring_first_of_two(1, "same", "same"), 0);
}

/* Concurrent claims are put in order by it, hence there must be one: no circle among any three. */
static void first_of_two_is_an_order(void)
{
    names_fill("order");
    for (int key = 0; key < KEYS; key++) {
        const char *a = names[key % 5], *b = names[5 + key % 7], *c = names[12 + key % 11];
        bool ab = ring_first_of_two(key_hash(key), a, b) < 0;
        bool bc = ring_first_of_two(key_hash(key), b, c) < 0;
        bool ca = ring_first_of_two(key_hash(key), c, a) < 0;
        CU_ASSERT(!(ab && bc && ca) && (ab || bc || ca));
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double balance_of(const struct ring *ring, size_t members, int keys)
{
    int owned[NAMES_MAX] = {0}, most = 0;
    for (int key = 0; key < keys; key++)
        owned[ring_owner(ring, key_hash(key))]++;
    for (size_t i = 0; i < members; i++)
        most = owned[i] > most ? owned[i] : most;
    return (double)most * (double)members / keys;
}

/* The arithmetic of 128 points at 5 members gives 1.12 as the median of max/mean. */
static void five_members_share_fairly(void)
{
    enum { CLUSTERS = 101 };
    double balances[CLUSTERS];
    for (int i = 0; i < CLUSTERS; i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "c%d", i);
        names_fill(prefix);
        struct ring ring = ring_without(5, -1);
        balances[i] = balance_of(&ring, 5, 10000);
        ring_release(&ring);
    }
    qsort(balances, CLUSTERS, sizeof *balances, compare_doubles);
    CU_ASSERT(balances[CLUSTERS / 2] < 1.15);
    CU_ASSERT(balances[CLUSTERS - 1] < 1.40);
}

UNIT_MAIN("ring", {"owners are frozen", owners_are_frozen},
          {"points are sorted and counted", points_are_sorted_and_counted},
          {"the owner is the next point clockwise", owner_is_the_next_point_clockwise},
          {"nobody owns anything in an empty ring", nobody_owns_anything_in_an_empty_ring},
          {"one member moves only its own keys", one_member_moves_only_its_own_keys},
          {"the order of the array is irrelevant", order_of_the_array_is_irrelevant},
          {"weights are respected", weights_are_respected},
          {"extreme weights are bounded", extreme_weights_are_bounded},
          {"a walk meets every member once", a_walk_meets_every_member_once},
          {"a walk tells who is next if the first dies",
           a_walk_tells_who_is_next_if_the_first_dies},
          {"first of two is the ring of two", first_of_two_is_the_ring_of_two},
          {"first of two is an order", first_of_two_is_an_order},
          {"five members share fairly", five_members_share_fairly})
