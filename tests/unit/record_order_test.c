/* The orders that settle a conflict: of claims, names and states. */
#include <string.h>

#include "agent/core/random.h"
#include "agent/core/record.h"
#include "placement/ring.h"
#include "unit.h"

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

/* --- The order of states --- */

static void states_are_ordered_by_their_claims_then_by_time(void)
{
    struct random random = random_of(16);
    for (int round = 0; round < 20000; round++) {
        struct state_record records[2] = {0};
        for (int i = 0; i < 2; i++) {
            records[i].id =
                (struct state_id){1 + random_below(&random, 2), 1 + random_below(&random, 2),
                                  random_below(&random, 3)};
            TEXT_SET(records[i].node, random_below(&random, 2) ? "a" : "b");
        }
        const struct state_record *a = &records[0], *b = &records[1];
        int order = state_record_compare(a, b, 77);
        CU_ASSERT_EQUAL(sign(state_record_compare(b, a, 77)), -sign(order));
        bool same = strcmp(a->node, b->node) == 0 && a->id.replica == b->id.replica;
        if (a->id.epoch != b->id.epoch) {
            CU_ASSERT_EQUAL(order > 0, a->id.epoch > b->id.epoch);
        } else if (same) {
            int later = (a->id.stamp > b->id.stamp) - (a->id.stamp < b->id.stamp);
            CU_ASSERT_EQUAL(sign(order), later);
        }
    }
}

/* --- The order of claims --- */

static struct claim random_claim(struct random *random)
{
    static const char *const nodes[] = {"a", "b", "c", "node-10"};
    struct claim claim = {.epoch = 1 + random_below(random, 2),
                          .replica = 1 + random_below(random, 2),
                          .state = (enum claim_state)random_below(random, 4)};
    TEXT_SET(claim.node, nodes[random_below(random, 4)]);
    return claim;
}

static bool claim_same(const struct claim *a, const struct claim *b)
{
    return a->epoch == b->epoch && a->replica == b->replica && a->state == b->state &&
           strcmp(a->node, b->node) == 0;
}

static void the_order_of_claims_is_total(void)
{
    struct random random = random_of(11);
    for (int round = 0; round < 20000; round++) {
        struct claim a = random_claim(&random), b = random_claim(&random),
                     c = random_claim(&random);
        uint64_t hash = random_below(&random, 50) * 0x9e3779b97f4a7c15;
        int ab = claim_compare(&a, &b, hash), bc = claim_compare(&b, &c, hash);
        CU_ASSERT_EQUAL(sign(claim_compare(&b, &a, hash)), -sign(ab));
        CU_ASSERT_EQUAL(ab == 0, claim_same(&a, &b));
        CU_ASSERT_EQUAL(claim_compare(&a, &a, hash), 0);
        CU_ASSERT_TRUE(!(ab > 0 && bc >= 0) || claim_compare(&a, &c, hash) > 0);
        CU_ASSERT_TRUE(!(ab < 0 && bc <= 0) || claim_compare(&a, &c, hash) < 0);
        if (a.epoch != b.epoch)
            CU_ASSERT_EQUAL(ab > 0, a.epoch > b.epoch);
    }
}

/* Epoch, then the ring, then the replica; the spec, the uid and the state have no say before. */
static void claims_are_ordered_by_epoch_ring_and_replica(void)
{
    for (uint64_t hash = 1; hash < 1000; hash++) {
        struct claim a = {.epoch = 5, .node = "a", .replica = 9, .state = CLAIM_PULLING};
        struct claim b = {.epoch = 5, .node = "b", .replica = 1, .state = CLAIM_CLAIMED};
        uint64_t place = hash * 0x9e3779b97f4a7c15;
        bool a_is_first = ring_first_of_two(place, "a", "b") < 0;
        CU_ASSERT_EQUAL(claim_compare(&a, &b, place) > 0, a_is_first);
        b.spec_hash = UINT64_MAX;
        TEXT_SET(b.uid, "another uid");
        CU_ASSERT_EQUAL(claim_compare(&a, &b, place) > 0, a_is_first);
        b.epoch = 6;
        CU_ASSERT_TRUE(claim_compare(&a, &b, place) < 0);
        TEXT_SET(b.node, "a");
        b.epoch = 5;
        CU_ASSERT_TRUE(claim_compare(&a, &b, place) < 0); /* the smaller replica wins */
    }
}

/* Both nodes win about half of the children: no name is always the greater. */
static void the_ring_is_fair_to_both_names(void)
{
    int won = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct child_id id = {.ns = "default", .workload = "web", .ordinal = i};
        struct claim a = {.epoch = 1, .node = "a"}, b = {.epoch = 1, .node = "b"};
        won += claim_compare(&a, &b, child_id_hash(&id)) > 0;
    }
    CU_ASSERT_TRUE(won > 300 && won < 700);
}

/* --- The order of names --- */

/* Some of outside owners: their tokens live as long as the program. */
static struct name_record random_name(struct random *random)
{
    static const char *const nodes[] = {"a", "b", "c"};
    static struct name_outside owners[2] = {{.owner = {1}}, {.owner = {2}}};
    struct name_record name = {.owner = {.ns = "default", .workload = "web"},
                               .epoch = 1 + random_below(random, 2),
                               .claim_epoch = 1 + random_below(random, 2),
                               .replica = 1 + random_below(random, 2)};
    name.owner.ordinal = (uint32_t)random_below(random, 3);
    TEXT_SET(name.node, nodes[random_below(random, 3)]);
    if (random_below(random, 3) == 0) {
        name.outside = &owners[random_below(random, 2)];
        name.owner = (struct child_id){.ordinal = 0};
        name.claim_epoch = 0;
    }
    return name;
}

static void the_order_of_names_is_antisymmetric(void)
{
    struct random random = random_of(12);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        const char *name = random_below(&random, 2) ? "web" : "db";
        int ab = name_record_compare(&a, &b, name);
        CU_ASSERT_EQUAL(sign(name_record_compare(&b, &a, name)), -sign(ab));
        CU_ASSERT_EQUAL(name_record_compare(&a, &a, name), 0);
        if (a.epoch != b.epoch)
            CU_ASSERT_EQUAL(ab > 0, a.epoch > b.epoch);
    }
}

static void the_order_of_names_is_transitive(void)
{
    struct random random = random_of(13);
    int broken = 0;
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random),
                           c = random_name(&random);
        broken += name_record_compare(&a, &b, "web") > 0 &&
                  name_record_compare(&b, &c, "web") > 0 && name_record_compare(&a, &c, "web") <= 0;
    }
    CU_ASSERT_EQUAL(broken, 0);
}

static void two_copies_of_one_child_are_ordered_by_their_claims(void)
{
    struct random random = random_of(14);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        if (a.outside || b.outside)
            continue;
        a.epoch = b.epoch;
        a.owner = b.owner;
        struct claim claim_a = {.epoch = a.claim_epoch, .replica = a.replica};
        struct claim claim_b = {.epoch = b.claim_epoch, .replica = b.replica};
        TEXT_SET(claim_a.node, a.node);
        TEXT_SET(claim_b.node, b.node);
        int order = claim_compare(&claim_a, &claim_b, child_id_hash(&a.owner));
        CU_ASSERT_EQUAL(sign(name_record_compare(&a, &b, "web")), sign(order));
    }
}

/* What an endpoint or a value says decides nothing: both sides must come to the same end. */
static void names_are_ordered_by_nothing_else(void)
{
    struct random random = random_of(15);
    for (int round = 0; round < 20000; round++) {
        struct name_record a = random_name(&random), b = random_name(&random);
        int order = sign(name_record_compare(&a, &b, "web"));
        char value[] = "1";
        a.value = value;
        a.port = 80;
        TEXT_SET(a.address, "10.0.0.1");
        TEXT_SET(a.uid, "another uid");
        CU_ASSERT_EQUAL(sign(name_record_compare(&a, &b, "web")), order);
    }
}

UNIT_MAIN("record_order",
          {"states are ordered by their claims, then by time",
           states_are_ordered_by_their_claims_then_by_time},
          {"the order of claims is total", the_order_of_claims_is_total},
          {"claims are ordered by epoch, ring and replica",
           claims_are_ordered_by_epoch_ring_and_replica},
          {"the ring is fair to both names", the_ring_is_fair_to_both_names},
          {"the order of names is antisymmetric", the_order_of_names_is_antisymmetric},
          {"the order of names is transitive", the_order_of_names_is_transitive},
          {"two copies of one child are ordered by their claims",
           two_copies_of_one_child_are_ordered_by_their_claims},
          {"names are ordered by nothing else", names_are_ordered_by_nothing_else})
