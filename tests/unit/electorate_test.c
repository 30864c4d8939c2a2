/* Electorates as values: who votes, what a majority is, which of two is the later, their bytes. How
 * one follows another is in tests/sim/lease_test.c. */
#include <string.h>

#include "agent/core/electorate.h"
#include "unit.h"

/* a, b, c, ... with replica ids 1, 2, 3, ... */
static struct electorate of(size_t count)
{
    struct electorate made = {.count = count, .lease_seconds = 5};
    for (size_t i = 0; i < count; i++) {
        made.members[i].node[0] = (char)('a' + i);
        made.members[i].replica = i + 1;
    }
    return made;
}

static void of_an_even_number_the_first_has_no_vote(void)
{
    static const size_t voters[] = {0, 1, 1, 3, 3, 5}, majority[] = {0, 1, 1, 2, 2, 3};
    for (size_t count = 1; count <= 5; count++) {
        struct electorate electorate = of(count);
        CU_ASSERT_EQUAL(electorate_voter_count(&electorate), voters[count]);
        CU_ASSERT(electorate_is_majority(&electorate, majority[count]));
        CU_ASSERT(!electorate_is_majority(&electorate, majority[count] - 1));
        CU_ASSERT_EQUAL(electorate_votes(&electorate, "a", 1), count % 2 == 1);
        CU_ASSERT(electorate_find(&electorate, "a", 0) == 0);
    }
}

static void another_life_of_a_voter_has_no_vote(void)
{
    struct electorate electorate = of(3);
    CU_ASSERT(electorate_votes(&electorate, "b", 2));
    CU_ASSERT(!electorate_votes(&electorate, "b", 9));
    CU_ASSERT(!electorate_votes(&electorate, "d", 4));
}

static void later_is_the_greater_era_then_the_greater_version_then_what_is_settled(void)
{
    struct electorate_record a = {.term = {0, 2, 7}, .now = of(3)}, b = a;
    bool conflict;
    CU_ASSERT(electorate_record_compare(&a, &b, &conflict) == 0 && !conflict);
    b.olds[b.old_count++] = of(1);
    CU_ASSERT(electorate_record_compare(&a, &b, &conflict) > 0 && !conflict);
    b.term.version = 3;
    CU_ASSERT(electorate_record_compare(&a, &b, &conflict) < 0 && !conflict);
    b.term.lineage = 8; /* two first ones, on two sides of a cut */
    electorate_record_compare(&a, &b, &conflict);
    CU_ASSERT(conflict);
    b.term.era = 1; /* forced, or what ends the conflict */
    CU_ASSERT(electorate_record_compare(&a, &b, &conflict) < 0 && !conflict);
}

/* Of an electorate that is still joint, also those before it; each once. */
static void who_follows_needs_all_whose_leases_may_run(void)
{
    struct electorate_record before = {.term = {0, 2, 7}, .now = of(3)}, next = {.now = of(5)};
    before.olds[before.old_count++] = of(1);
    CU_ASSERT(electorate_record_follow(&next, &before));
    CU_ASSERT_EQUAL(next.old_count, 2);
    CU_ASSERT(electorate_equal(&next.olds[0], &before.now));
    CU_ASSERT(electorate_equal(&next.olds[1], &before.olds[0]));
    CU_ASSERT(electorate_record_follow(&next, &before));
    CU_ASSERT_EQUAL(next.old_count, 2);
    for (size_t count = 6; next.old_count < ELECTORATE_OLD_MAX; count++) {
        struct electorate more = of(count);
        CU_ASSERT(electorate_record_add_old(&next, &more));
    }
    before.now = of(2);
    CU_ASSERT(!electorate_record_follow(&next, &before)); /* no room: it may not be proposed */
    CU_ASSERT_EQUAL(next.old_count, ELECTORATE_OLD_MAX);
}

static void leases_are_as_short_as_the_shortest_and_rests_as_long_as_the_longest(void)
{
    struct electorate_record record = {.term = {0, 2, 7}, .now = of(3)};
    record.olds[record.old_count++] = of(3);
    record.olds[0].lease_seconds = 60;
    CU_ASSERT_EQUAL(electorate_lease_ms_min(&record), 5000);
    CU_ASSERT_EQUAL(electorate_lease_ms_max(&record), 60000);
}

/* Of what is cut short nothing is. */
static bool is_read(const struct electorate_record *record)
{
    struct electorate_record read;
    struct buffer bytes = {0};
    electorate_record_encode(record, &bytes);
    bool good = electorate_record_decode(&read, buffer_view(&bytes));
    CU_ASSERT(!good || electorate_equal(&read.now, &record->now));
    for (size_t cut = 0; cut < bytes.bytes; cut++)
        CU_ASSERT(!electorate_record_decode(&read, span_of(bytes.data, cut)));
    buffer_release(&bytes);
    return good;
}

static void only_what_is_well_formed_is_read(void)
{
    struct electorate_record good = {.term = {0, 2, 7}, .now = of(3)}, bad = good;
    good.olds[good.old_count++] = of(26);
    CU_ASSERT(is_read(&good));
    bad.now.lease_seconds = 61;
    CU_ASSERT(!is_read(&bad));
    bad.now.lease_seconds = 0;
    CU_ASSERT(!is_read(&bad));
    bad = good;
    bad.now.members[1] = bad.now.members[0]; /* nobody votes twice */
    CU_ASSERT(!is_read(&bad));
    bad = good;
    bad.now.members[2].replica = 0;
    CU_ASSERT(!is_read(&bad));
    bad = good;
    bad.term.version = 0;
    CU_ASSERT(!is_read(&bad));
    bad = good;
    bad.now.count = 0;
    CU_ASSERT(!is_read(&bad));
}

UNIT_MAIN("electorate",
          {"of an even number the first has no vote", of_an_even_number_the_first_has_no_vote},
          {"another life of a voter has no vote", another_life_of_a_voter_has_no_vote},
          {"later is the greater era, then the greater version, then what is settled",
           later_is_the_greater_era_then_the_greater_version_then_what_is_settled},
          {"who follows needs all whose leases may run",
           who_follows_needs_all_whose_leases_may_run},
          {"leases are as short as the shortest, and rests as long as the longest",
           leases_are_as_short_as_the_shortest_and_rests_as_long_as_the_longest},
          {"only what is well formed is read", only_what_is_well_formed_is_read})
