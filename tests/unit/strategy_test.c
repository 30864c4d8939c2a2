/* Strategies: who is a candidate, in which order, and which strategies exist in this release. */
#include <stdio.h>
#include <string.h>

#include "placement/hash.h"
#include "placement/strategy.h"
#include "unit.h"

enum { MEMBERS = 6 };

/* One supervisor's members, all alive and eligible until a test says otherwise. */
struct fixture {
    struct placement_member members[MEMBERS];
    struct ring ring;
    struct placement_view view;
};

static void fixture_init(struct fixture *fixture)
{
    static const char *const names[MEMBERS] = {"a", "b", "c", "d", "e", "f"};
    *fixture = (struct fixture){0};
    for (size_t i = 0; i < MEMBERS; i++)
        fixture->members[i] = (struct placement_member){.name = names[i],
                                                        .phase = PLACEMENT_ALIVE,
                                                        .weight = RING_WEIGHT_DEFAULT,
                                                        .eligible = true};
    fixture->view = (struct placement_view){fixture->members, MEMBERS, &fixture->ring};
    placement_ring_build(&fixture->ring, fixture->members, MEMBERS);
}

static struct placement_child child_of(int ordinal)
{
    char id[32];
    int bytes = snprintf(id, sizeof id, "default/web/%d", ordinal);
    return (struct placement_child){.id_hash = placement_hash(id, (size_t)bytes), .epoch = 1};
}

static size_t choose(const struct fixture *fixture, int ordinal, uint32_t *ret_members, size_t max)
{
    struct placement_child child = child_of(ordinal);
    return placement_uniform.choose(&fixture->view, &child, ret_members, max);
}

static void the_strategies_are_built(void)
{
    CU_ASSERT_PTR_EQUAL(placement_strategy_by_name("Uniform"), &placement_uniform);
    CU_ASSERT_PTR_EQUAL(placement_strategy_by_name("UniformRandom"), &placement_uniform_random);
    CU_ASSERT_PTR_EQUAL(placement_strategy_by_name("UniformQuorum"), &placement_uniform_quorum);
    CU_ASSERT_PTR_EQUAL(placement_strategy_by_name("LeastRequested"), &placement_least_requested);
    static const char *const unknown[] = {"", "uniform", "Uniform ", "UniformQuoru"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        CU_ASSERT_PTR_NULL(placement_strategy_by_name(unknown[i]));
}

/* Horde's count: more than half of the members, of an even number without the first. */
static void a_quorum_is_more_than_half_of_the_voters(void)
{
    static const size_t needed[MEMBERS + 1] = {SIZE_MAX, 1, 1, 2, 2, 3, 3};
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t members = 0; members <= MEMBERS; members++)
        for (unsigned alive = 0; alive < 1u << members; alive++) {
            size_t votes = 0;
            for (size_t i = 0; i < members; i++) {
                fixture.members[i].phase = alive >> i & 1 ? PLACEMENT_ALIVE : PLACEMENT_DEAD;
                votes += (alive >> i & 1) && (members % 2 == 1 || i > 0);
            }
            fixture.view.count = members;
            CU_ASSERT_EQUAL(placement_uniform_quorum.has_quorum(&fixture.view),
                            votes >= needed[members]);
        }
    ring_release(&fixture.ring);
}

/* Who can answer has a vote; whether it may take children is another question. */
static void who_drains_or_is_cordoned_votes(void)
{
    for (enum placement_phase phase = PLACEMENT_UNINITIALIZED; phase <= PLACEMENT_LEFT; phase++) {
        struct placement_member member = {.name = "a", .phase = phase};
        struct placement_view view = {.members = &member, .count = 1};
        CU_ASSERT_EQUAL(placement_uniform_quorum.has_quorum(&view),
                        phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT ||
                            phase == PLACEMENT_SHUTTING_DOWN);
    }
}

static void with_a_quorum_children_are_where_uniform_has_them(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint32_t uniform[MEMBERS], quorum[MEMBERS];
    for (int ordinal = 0; ordinal < 100; ordinal++) {
        struct placement_child child = child_of(ordinal);
        choose(&fixture, ordinal, uniform, MEMBERS);
        size_t count = placement_uniform_quorum.choose(&fixture.view, &child, quorum, MEMBERS);
        CU_ASSERT_EQUAL(count, MEMBERS);
        CU_ASSERT_EQUAL(memcmp(uniform, quorum, sizeof quorum), 0);
    }
    for (size_t i = 3; i < MEMBERS; i++) /* two of the five voters are left */
        fixture.members[i].phase = PLACEMENT_DEAD;
    struct placement_child child = child_of(1);
    CU_ASSERT_EQUAL(placement_uniform_quorum.choose(&fixture.view, &child, quorum, MEMBERS), 0);
    ring_release(&fixture.ring);
}

static void alive_and_suspect_may_run(void)
{
    for (enum placement_phase phase = PLACEMENT_UNINITIALIZED; phase <= PLACEMENT_LEFT; phase++)
        CU_ASSERT_EQUAL(placement_phase_may_run(phase),
                        phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT);
}

static void candidates_are_all_members_in_ring_order(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (int ordinal = 0; ordinal < 100; ordinal++) {
        uint32_t chosen[MEMBERS + 1];
        CU_ASSERT_EQUAL(choose(&fixture, ordinal, chosen, MEMBERS + 1), MEMBERS);
        struct ring_walk walk;
        ring_walk_begin(&walk, &fixture.ring, child_of(ordinal).id_hash);
        for (size_t rank = 0; rank < MEMBERS; rank++)
            CU_ASSERT_EQUAL(chosen[rank], ring_walk_next(&walk));
        ring_walk_release(&walk);
    }
    ring_release(&fixture.ring);
}

static void no_more_than_asked_for(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint32_t all[MEMBERS], some[MEMBERS];
    choose(&fixture, 7, all, MEMBERS);
    for (size_t max = 0; max <= MEMBERS; max++) {
        memset(some, 0xff, sizeof some);
        CU_ASSERT_EQUAL(choose(&fixture, 7, some, max), max);
        CU_ASSERT(memcmp(some, all, max * sizeof *all) == 0);
        CU_ASSERT(max == MEMBERS || some[max] == UINT32_MAX);
    }
    ring_release(&fixture.ring);
}

/* Whoever is passed over leaves the order of the others as it was. */
static void ineligible_members_are_passed_over(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (int ordinal = 0; ordinal < 100; ordinal++) {
        uint32_t all[MEMBERS], rest[MEMBERS];
        choose(&fixture, ordinal, all, MEMBERS);
        fixture.members[all[0]].eligible = false;
        fixture.members[all[2]].eligible = false;
        CU_ASSERT_EQUAL(choose(&fixture, ordinal, rest, MEMBERS), MEMBERS - 2);
        CU_ASSERT(rest[0] == all[1] && rest[1] == all[3] && rest[2] == all[4]);
        fixture.members[all[0]].eligible = true;
        fixture.members[all[2]].eligible = true;
    }
    ring_release(&fixture.ring);
}

/* Suspicion moves nothing; a verdict moves only what the dead one had. */
static void phases_narrow_the_ring(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint32_t before[100], after;
    for (int ordinal = 0; ordinal < 100; ordinal++)
        choose(&fixture, ordinal, &before[ordinal], 1);
    for (enum placement_phase phase = PLACEMENT_UNINITIALIZED; phase <= PLACEMENT_LEFT; phase++) {
        fixture.members[3].phase = phase;
        placement_ring_build(&fixture.ring, fixture.members, MEMBERS);
        for (int ordinal = 0; ordinal < 100; ordinal++) {
            CU_ASSERT_EQUAL(choose(&fixture, ordinal, &after, 1), 1);
            bool stays = before[ordinal] != 3 || placement_phase_may_run(phase);
            CU_ASSERT_EQUAL(after == before[ordinal], stays);
        }
    }
    ring_release(&fixture.ring);
}

/* The view's ring may be older than a member's phase by one event: the phase wins. */
static void a_phase_counts_before_the_ring_is_rebuilt(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint32_t all[MEMBERS], rest[MEMBERS];
    choose(&fixture, 1, all, MEMBERS);
    fixture.members[all[0]].phase = PLACEMENT_DEAD;
    CU_ASSERT_EQUAL(choose(&fixture, 1, rest, MEMBERS), MEMBERS - 1);
    CU_ASSERT(memcmp(rest, all + 1, (MEMBERS - 1) * sizeof *all) == 0);
    ring_release(&fixture.ring);
}

static void nobody_to_choose_from(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    uint32_t chosen[MEMBERS];
    for (size_t i = 0; i < MEMBERS; i++)
        fixture.members[i].eligible = false;
    CU_ASSERT_EQUAL(choose(&fixture, 0, chosen, MEMBERS), 0);
    placement_ring_build(&fixture.ring, NULL, 0);
    fixture.view.count = 0;
    CU_ASSERT_EQUAL(choose(&fixture, 0, chosen, MEMBERS), 0);
    CU_ASSERT(placement_uniform.has_quorum(&fixture.view));
    ring_release(&fixture.ring);
}

/* Unlike Horde, where the key is the spec and equal specs share a node. */
static void children_of_one_workload_spread(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    size_t owned[MEMBERS] = {0};
    for (int ordinal = 0; ordinal < 600; ordinal++) {
        uint32_t first;
        choose(&fixture, ordinal, &first, 1);
        owned[first]++;
    }
    for (size_t i = 0; i < MEMBERS; i++)
        CU_ASSERT(owned[i] > 50 && owned[i] < 160);
    ring_release(&fixture.ring);
}

static size_t choose_random(const struct fixture *fixture, int ordinal, uint64_t epoch,
                            uint32_t *ret_members, size_t max)
{
    struct placement_child child = child_of(ordinal);
    child.epoch = epoch;
    return placement_uniform_random.choose(&fixture->view, &child, ret_members, max);
}

static void random_is_the_same_whatever_the_order_of_members(void)
{
    struct fixture fixture, turned;
    fixture_init(&fixture);
    fixture_init(&turned);
    for (size_t i = 0; i < MEMBERS; i++)
        turned.members[i].name = fixture.members[MEMBERS - 1 - i].name;
    for (int ordinal = 0; ordinal < 100; ordinal++) {
        uint32_t chosen[MEMBERS], other[MEMBERS], first;
        CU_ASSERT_EQUAL(choose_random(&fixture, ordinal, 1, chosen, MEMBERS), MEMBERS);
        CU_ASSERT_EQUAL(choose_random(&turned, ordinal, 1, other, MEMBERS), MEMBERS);
        for (size_t i = 0; i < MEMBERS; i++)
            CU_ASSERT_EQUAL(other[i], MEMBERS - 1 - chosen[i]);
        CU_ASSERT_EQUAL(choose_random(&fixture, ordinal, 1, &first, 1), 1);
        CU_ASSERT_EQUAL(first, chosen[0]);
        CU_ASSERT_EQUAL(choose_random(&fixture, ordinal, 1, &first, 0), 0);
    }
    ring_release(&fixture.ring);
    ring_release(&turned.ring);
}

/* One in six stays where it was by chance, and every member gets its share. */
static void random_draws_anew_for_each_epoch(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    size_t stayed = 0, owned[MEMBERS] = {0};
    for (int ordinal = 0; ordinal < 600; ordinal++) {
        uint32_t now, next;
        choose_random(&fixture, ordinal, 1, &now, 1);
        choose_random(&fixture, ordinal, 2, &next, 1);
        stayed += now == next;
        owned[now]++;
    }
    CU_ASSERT(stayed > 60 && stayed < 150);
    for (size_t i = 0; i < MEMBERS; i++)
        CU_ASSERT(owned[i] > 60 && owned[i] < 150);
    ring_release(&fixture.ring);
}

static void random_passes_over_who_may_not_run(void)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (int ordinal = 0; ordinal < 100; ordinal++) {
        uint32_t all[MEMBERS], rest[MEMBERS];
        choose_random(&fixture, ordinal, 1, all, MEMBERS);
        fixture.members[all[0]].eligible = false;
        fixture.members[all[2]].phase = PLACEMENT_DEAD;
        fixture.members[all[4]].weight = 0;
        CU_ASSERT_EQUAL(choose_random(&fixture, ordinal, 1, rest, MEMBERS), MEMBERS - 3);
        CU_ASSERT(rest[0] == all[1] && rest[1] == all[3] && rest[2] == all[5]);
        fixture.members[all[0]].eligible = true;
        fixture.members[all[2]].phase = PLACEMENT_ALIVE;
        fixture.members[all[4]].weight = RING_WEIGHT_DEFAULT;
    }
    CU_ASSERT(placement_uniform_random.has_quorum(&fixture.view));
    ring_release(&fixture.ring);
}

/* --- LeastRequested --------------------------------------------------------------------------- */

enum { GIB = 1 << 30 };

static void weighed_init(struct fixture *fixture)
{
    fixture_init(fixture);
    for (size_t i = 0; i < MEMBERS; i++) {
        fixture->members[i].cpu_milli = 4000;
        fixture->members[i].memory_bytes = UINT64_C(8) * GIB;
    }
}

static size_t choose_least(const struct fixture *fixture, int ordinal, uint32_t holder,
                           uint32_t *ret_members)
{
    struct placement_child child = child_of(ordinal);
    child.cpu_milli = 500;
    child.memory_bytes = GIB;
    child.holder = holder;
    return placement_least_requested.choose(&fixture->view, &child, ret_members, MEMBERS);
}

static void the_least_asked_of_comes_first(void)
{
    struct fixture fixture;
    uint32_t order[MEMBERS];
    weighed_init(&fixture);
    for (uint32_t i = 0; i < MEMBERS; i++)
        fixture.members[i].cpu_milli_asked = 500 * ((i + 3) % MEMBERS);
    CU_ASSERT_EQUAL(choose_least(&fixture, 0, UINT32_MAX, order), MEMBERS);
    for (uint32_t i = 0; i < MEMBERS; i++)
        CU_ASSERT_EQUAL(order[i], (i + 3) % MEMBERS);
    /* Half as large, and as much asked of it: less of it is left. */
    fixture.members[3].cpu_milli = 2000;
    fixture.members[3].cpu_milli_asked = 1000;
    choose_least(&fixture, 0, UINT32_MAX, order);
    CU_ASSERT_EQUAL(order[0], 4);
    /* Memory counts as much as cpu. */
    fixture.members[4].memory_bytes_asked = UINT64_C(6) * GIB;
    choose_least(&fixture, 0, UINT32_MAX, order);
    CU_ASSERT_EQUAL(order[0], 5);
    /* Who tells nothing comes last; nobody overflows. */
    fixture.members[5].cpu_milli = fixture.members[5].memory_bytes = 0;
    fixture.members[0].memory_bytes = UINT64_MAX;
    fixture.members[0].memory_bytes_asked = 0;
    choose_least(&fixture, 0, UINT32_MAX, order);
    CU_ASSERT_EQUAL(order[MEMBERS - 1], 5);
    CU_ASSERT(placement_least_requested.has_quorum(&fixture.view));
    ring_release(&fixture.ring);
}

/* Equal shares: fewer children, then a draw that does not depend on the members' order. */
static void among_equals_children_and_then_a_draw_decide(void)
{
    struct fixture fixture;
    size_t firsts[MEMBERS] = {0};
    uint32_t order[MEMBERS];
    weighed_init(&fixture);
    for (int ordinal = 0; ordinal < 600; ordinal++) {
        choose_least(&fixture, ordinal, UINT32_MAX, order);
        firsts[order[0]]++;
    }
    for (size_t i = 0; i < MEMBERS; i++)
        CU_ASSERT(firsts[i] > 60 && firsts[i] < 140);
    for (uint32_t i = 0; i < MEMBERS; i++)
        fixture.members[i].children = i != 2;
    for (int ordinal = 0; ordinal < 50; ordinal++) {
        choose_least(&fixture, ordinal, UINT32_MAX, order);
        CU_ASSERT_EQUAL(order[0], 2);
    }
    fixture.members[2].eligible = false;
    fixture.members[1].phase = PLACEMENT_DEAD;
    CU_ASSERT_EQUAL(choose_least(&fixture, 0, UINT32_MAX, order), MEMBERS - 2);
    for (size_t i = 0; i < MEMBERS - 2; i++)
        CU_ASSERT(order[i] != 1 && order[i] != 2);
    ring_release(&fixture.ring);
}

/* Else the two would hand it to and fro. */
static void a_holder_keeps_it_unless_another_is_much_better(void)
{
    struct fixture fixture;
    uint32_t order[MEMBERS];
    weighed_init(&fixture);
    for (uint32_t i = 0; i < MEMBERS; i++) { /* beside it */
        fixture.members[i].cpu_milli_asked = 1000;
        fixture.members[i].children = 2;
    }
    for (int ordinal = 0; ordinal < 50; ordinal++) {
        choose_least(&fixture, ordinal, 4, order);
        CU_ASSERT_EQUAL(order[0], 4);
    }
    fixture.members[4].cpu_milli_asked = 1500; /* a sixteenth of a share */
    choose_least(&fixture, 0, 4, order);
    CU_ASSERT_EQUAL(order[0], 4);
    fixture.members[4].cpu_milli_asked = 2000; /* an eighth */
    choose_least(&fixture, 0, 4, order);
    CU_ASSERT(order[0] != 4);
    fixture.members[4].cpu_milli_asked = 1000;
    fixture.members[4].children = 3;
    choose_least(&fixture, 0, 4, order);
    CU_ASSERT(order[0] != 4);
    ring_release(&fixture.ring);
}

UNIT_MAIN("strategy", {"the strategies are built", the_strategies_are_built},
          {"a quorum is more than half of the voters", a_quorum_is_more_than_half_of_the_voters},
          {"who drains or is cordoned votes", who_drains_or_is_cordoned_votes},
          {"with a quorum children are where Uniform has them",
           with_a_quorum_children_are_where_uniform_has_them},
          {"alive and suspect may run", alive_and_suspect_may_run},
          {"candidates are all members in ring order", candidates_are_all_members_in_ring_order},
          {"no more than asked for", no_more_than_asked_for},
          {"ineligible members are passed over", ineligible_members_are_passed_over},
          {"phases narrow the ring", phases_narrow_the_ring},
          {"a phase counts before the ring is rebuilt", a_phase_counts_before_the_ring_is_rebuilt},
          {"nobody to choose from", nobody_to_choose_from},
          {"children of one workload spread", children_of_one_workload_spread},
          {"random is the same whatever the order of members",
           random_is_the_same_whatever_the_order_of_members},
          {"random draws anew for each epoch", random_draws_anew_for_each_epoch},
          {"random passes over who may not run", random_passes_over_who_may_not_run},
          {"the least asked of comes first", the_least_asked_of_comes_first},
          {"among equals children, and then a draw, decide",
           among_equals_children_and_then_a_draw_decide},
          {"a holder keeps it unless another is much better",
           a_holder_keeps_it_unless_another_is_much_better})
