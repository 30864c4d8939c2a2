/* The rules of leases, one by one, at one acceptor and one holder (lease.h). That they are enough
 * is what tests/explorer and the swarm look at. */
#include <string.h>

#include "agent/core/lease.h"
#include "unit.h"

enum { LEASE_MS = 5000, SPAN_MS = 5104, START_MS = 100000 };

static const struct child_id web = {.ns = "default", .workload = "web"};

/* --- An acceptor, and what it is asked ---------------------------------------------------------
 */

struct asker {
    const char *name;
    uint64_t replica, boot, session, number, generation;
};

struct answer {
    bool given;
    enum lease_verdict verdict;
    size_t refusals;
    enum lease_refusal_reason reason; /* of the first */
    uint64_t epoch, wait_ms, generation;
    bool recorded;
};

/* Epoch 0: nothing is added. */
static struct answer ask(struct lease_acceptor *acceptor, uint64_t now_ms, struct asker *asker,
                         uint64_t epoch, const struct lease_item *drop)
{
    struct lease_item add = {.child = web, .epoch = epoch}, dropped = {.epoch = 0};
    struct lease_asked asked = {
        .holder = asker->name, .replica = 9, .lease_ms = LEASE_MS, .may_record = true};
    struct lease_ask request = {.supervisor = "voters",
                                .term = {0, 1, 7},
                                .replica = asker->replica,
                                .boot = asker->boot,
                                .session = asker->session,
                                .number = ++asker->number,
                                .generation = asker->generation,
                                .acceptor_session = 1,
                                .adds = &add,
                                .add_count = epoch > 0,
                                .drops = &dropped,
                                .drop_count = drop != NULL};
    struct lease_grant grant;
    struct buffer record = {0};
    dropped = drop ? *drop : dropped;
    struct answer answer = {
        .given = lease_acceptor_ask(acceptor, now_ms, &request, &asked, &grant, &record)};
    if (answer.given) {
        answer.verdict = grant.verdict;
        answer.refusals = grant.refusal_count;
        answer.generation = grant.generation;
        if (grant.refusal_count > 0) {
            answer.reason = grant.refusals[0].reason;
            answer.epoch = grant.refusals[0].epoch;
            answer.wait_ms = grant.refusals[0].wait_ms;
        }
    }
    answer.recorded = record.bytes > 0;
    if (answer.recorded)
        lease_acceptor_logged(acceptor, 1);
    lease_acceptor_check(acceptor);
    lease_grant_release(&grant);
    buffer_release(&record);
    return answer;
}

static bool confirmed(struct lease_acceptor *acceptor)
{
    struct lease_grant grant;
    char holder[NAME_BYTES_MAX + 1];
    bool any = false;
    while (lease_acceptor_synced(acceptor, 1, &grant, holder)) {
        any |= grant.verdict == LEASE_CONFIRMED && grant.refusal_count == 1;
        lease_grant_release(&grant);
    }
    return any;
}

/* a has epoch 1, on the disk. */
static struct lease_acceptor *granted_to(struct asker *asker)
{
    struct lease_acceptor *acceptor = lease_acceptor_new(1);
    lease_acceptor_start(acceptor, START_MS, 0);
    struct answer answer = ask(acceptor, START_MS, asker, 1, NULL);
    CU_ASSERT(answer.given && answer.verdict == LEASE_EXTENDED);
    CU_ASSERT(answer.recorded && answer.refusals == 1 && answer.reason == LEASE_LATER);
    CU_ASSERT(confirmed(acceptor));
    return acceptor;
}

#define ASKER_A                                             \
    {                                                       \
        .name = "a", .replica = 1, .boot = 1, .session = 11 \
    }
#define ASKER_B                                             \
    {                                                       \
        .name = "b", .replica = 2, .boot = 1, .session = 12 \
    }

static void nothing_counts_before_it_is_on_the_disk(void)
{
    struct asker a = ASKER_A;
    struct lease_acceptor *acceptor = lease_acceptor_new(1);
    ask(acceptor, START_MS, &a, 1, NULL);
    struct answer again = ask(acceptor, START_MS + 10, &a, 1, NULL);
    CU_ASSERT(!again.recorded && again.refusals == 1 && again.reason == LEASE_LATER);
    CU_ASSERT(confirmed(acceptor));
    again = ask(acceptor, START_MS + 20, &a, 1, NULL);
    CU_ASSERT(again.refusals == 0 && !again.recorded); /* renewals touch memory only */
    lease_acceptor_free(acceptor);
}

static void a_lease_is_nobody_elses_until_it_has_run_out_here(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_acceptor *acceptor = granted_to(&a);
    CU_ASSERT_EQUAL(lease_span_ms(LEASE_MS), SPAN_MS);
    struct answer refused = ask(acceptor, START_MS + SPAN_MS - 1, &b, 2, NULL);
    CU_ASSERT(refused.refusals == 1 && refused.reason == LEASE_HELD && refused.wait_ms == 1);
    CU_ASSERT(!refused.recorded);
    struct answer later = ask(acceptor, START_MS + SPAN_MS, &b, 2, NULL);
    CU_ASSERT(later.recorded && later.reason == LEASE_LATER);
    lease_acceptor_free(acceptor);
}

static void one_message_renews_all(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_acceptor *acceptor = granted_to(&a);
    a.generation = ask(acceptor, START_MS + 1000, &a, 1, NULL).generation;
    struct answer renewed = ask(acceptor, START_MS + 3000, &a, 0, NULL); /* it names nothing */
    CU_ASSERT(renewed.verdict == LEASE_EXTENDED && renewed.generation == a.generation);
    struct answer refused = ask(acceptor, START_MS + 3000 + SPAN_MS - 1, &b, 2, NULL);
    CU_ASSERT(refused.reason == LEASE_HELD);
    a.generation += 5;
    CU_ASSERT(ask(acceptor, START_MS + 4000, &a, 0, NULL).verdict == LEASE_UNKNOWN);
    lease_acceptor_free(acceptor);
}

static void what_is_older_than_what_was_seen_is_not_answered(void)
{
    struct asker a = ASKER_A, late = ASKER_A;
    struct lease_acceptor *acceptor = granted_to(&a);
    ask(acceptor, START_MS + 1000, &a, 1, NULL);
    CU_ASSERT(!ask(acceptor, START_MS + 2000, &late, 1, NULL).given); /* number 1 again */
    struct asker next_run = {.name = "a", .replica = 1, .boot = 2, .session = 13};
    CU_ASSERT(ask(acceptor, START_MS + 2000, &next_run, 1, NULL).given);
    CU_ASSERT(!ask(acceptor, START_MS + 2000, &a, 1, NULL).given); /* of the run before */
    lease_acceptor_free(acceptor);
}

static void an_epoch_is_never_granted_to_another_again(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_item released = {.child = web, .epoch = 1, .released = true};
    struct lease_acceptor *acceptor = granted_to(&a);
    ask(acceptor, START_MS + 100, &a, 0, &released);
    struct answer stale = ask(acceptor, START_MS + 200, &b, 1, NULL);
    CU_ASSERT(stale.reason == LEASE_STALE && stale.epoch == 1 && !stale.recorded);
    stale = ask(acceptor, START_MS + 200, &a, 1, NULL); /* nor to whom has released it */
    CU_ASSERT(stale.refusals == 1 && stale.reason == LEASE_STALE);
    CU_ASSERT(ask(acceptor, START_MS + 200, &b, 2, NULL).recorded);
    lease_acceptor_free(acceptor);
}

static void what_is_given_up_and_not_released_runs_out(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_item dropped = {.child = web, .epoch = 1};
    struct lease_acceptor *acceptor = granted_to(&a);
    ask(acceptor, START_MS + 100, &a, 0, &dropped);
    struct answer refused = ask(acceptor, START_MS + SPAN_MS - 1, &b, 2, NULL);
    CU_ASSERT(refused.reason == LEASE_HELD);
    lease_acceptor_free(acceptor);
}

/* Its holder has asked for that later epoch elsewhere, and here it was never heard of. */
static void who_gives_up_a_later_epoch_has_given_up_the_one_before(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_item released = {.child = web, .epoch = 2, .released = true};
    struct lease_acceptor *acceptor = granted_to(&a);
    a.generation = ask(acceptor, START_MS, &a, 1, NULL).generation;
    a.generation = ask(acceptor, START_MS + 1000, &a, 0, &released).generation;
    CU_ASSERT_EQUAL(ask(acceptor, START_MS + 2000, &a, 0, NULL).verdict, LEASE_EXTENDED);
    struct answer refused = ask(acceptor, START_MS + SPAN_MS - 1, &b, 3, NULL);
    CU_ASSERT(refused.refusals == 1 && refused.reason == LEASE_HELD && refused.wait_ms == 1);
    CU_ASSERT(ask(acceptor, START_MS + SPAN_MS, &b, 3, NULL).recorded);
    lease_acceptor_free(acceptor);
}

static void a_late_release_undoes_no_later_grant(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_item released = {.child = web, .epoch = 1, .released = true};
    struct lease_acceptor *acceptor = granted_to(&a);
    CU_ASSERT(ask(acceptor, START_MS + 100, &a, 2, NULL).recorded);
    ask(acceptor, START_MS + 200, &a, 2, &released);
    struct answer refused = ask(acceptor, START_MS + 300, &b, 3, NULL);
    CU_ASSERT(refused.refusals == 1 && refused.reason == LEASE_HELD);
    lease_acceptor_free(acceptor);
}

/* The disk knows who was granted what, and for how long at most; not until when. */
static void after_a_restart_it_rests(void)
{
    struct asker a = ASKER_A, b = ASKER_B;
    struct lease_acceptor *acceptor = granted_to(&a), *next = lease_acceptor_new(2);
    struct buffer record = {0};
    size_t at = 0;
    CU_ASSERT(lease_acceptor_record(acceptor, &at, &record));
    CU_ASSERT(lease_acceptor_restore(next, buffer_view(&record)));
    buffer_clear(&record);
    CU_ASSERT(!lease_acceptor_record(acceptor, &at, &record));
    lease_acceptor_start(next, START_MS + 60000, 0);
    struct answer resting = ask(next, START_MS + 60000 + SPAN_MS - 1, &b, 2, NULL);
    CU_ASSERT(resting.refusals == 1 && resting.reason == LEASE_RESTING && resting.wait_ms == 1);
    struct answer at_once = ask(next, START_MS + 60000, &a, 1, NULL);
    CU_ASSERT(at_once.verdict == LEASE_EXTENDED && at_once.refusals == 0 && !at_once.recorded);
    struct answer stale = ask(next, START_MS + 90000, &b, 1, NULL);
    CU_ASSERT(stale.reason == LEASE_STALE);
    buffer_release(&record);
    lease_acceptor_free(acceptor);
    lease_acceptor_free(next);
}

/* A second node of the name, or the same without its data, is another holder. */
static void two_lives_of_a_name_are_two_holders(void)
{
    struct asker a = ASKER_A, other = {.name = "a", .replica = 3, .boot = 1, .session = 14};
    struct lease_acceptor *acceptor = granted_to(&a);
    struct answer stale = ask(acceptor, START_MS + 100, &other, 1, NULL);
    CU_ASSERT(stale.refusals == 1 && stale.reason == LEASE_STALE);
    struct answer held = ask(acceptor, START_MS + SPAN_MS - 1, &other, 2, NULL);
    CU_ASSERT(held.refusals == 1 && held.reason == LEASE_HELD);
    lease_acceptor_free(acceptor);
}

/* --- A holder --------------------------------------------------------------------------------- */

static struct lease_holder *holder_of_three(void)
{
    static struct electorate_record record;
    static const char *const names[] = {"a", "b", "c"};
    struct lease_holder *holder = lease_holder_new("voters", 1, 1, 11);
    record = (struct electorate_record){.term = {0, 1, 7}};
    record.now.count = 3;
    record.now.lease_seconds = LEASE_MS / 1000;
    for (size_t i = 0; i < 3; i++) {
        TEXT_SET(record.now.members[i].node, names[i]);
        record.now.members[i].replica = i + 1;
    }
    lease_holder_set_electorate(holder, &record);
    return holder;
}

/* Sends all that is due, and returns the number of the last. */
static uint64_t speak(struct lease_holder *holder, uint64_t now_ms, size_t *ret_count)
{
    struct lease_ask request;
    char to[NAME_BYTES_MAX + 1];
    uint64_t number = 0;
    lease_holder_tick(holder, now_ms);
    for (*ret_count = 0; lease_holder_send(holder, now_ms, &request, to); ++*ret_count) {
        number = request.number;
        lease_ask_release(&request);
    }
    return number;
}

static void answer(struct lease_holder *holder, uint64_t now_ms, const char *from, uint64_t replica,
                   uint64_t number)
{
    struct lease_grant grant = {.supervisor = "voters",
                                .term = {0, 1, 7},
                                .replica = replica,
                                .session = 1,
                                .holder_session = 11,
                                .number = number,
                                .verdict = LEASE_EXTENDED,
                                .generation = 2};
    lease_holder_grant(holder, now_ms, from, &grant);
    lease_holder_check(holder);
}

static void a_lease_counts_from_when_a_majority_was_asked(void)
{
    struct lease_holder *holder = holder_of_three();
    struct lease *lease = lease_holder_want(holder, &web, 1, START_MS);
    size_t count;
    uint64_t last = speak(holder, START_MS, &count);
    CU_ASSERT_EQUAL(count, 3);
    answer(holder, START_MS + 300, "a", 1, last - 2);
    CU_ASSERT_EQUAL(lease->state, LEASE_STATE_ASKED);
    answer(holder, START_MS + 400, "b", 8, last - 1); /* another life of b has no vote */
    CU_ASSERT_EQUAL(lease->state, LEASE_STATE_ASKED);
    answer(holder, START_MS + 500, "b", 2, last - 1);
    CU_ASSERT_EQUAL(lease->state, LEASE_STATE_HELD);
    CU_ASSERT_EQUAL(lease->since_ms, START_MS);
    CU_ASSERT(lease_is_good_for_start(lease, START_MS + LEASE_MS / 2 - 1));
    CU_ASSERT(!lease_is_good_for_start(lease, START_MS + LEASE_MS / 2));
    lease_holder_tick(holder, START_MS + LEASE_MS / 2);
    CU_ASSERT_EQUAL(lease->state, LEASE_STATE_LATE);
    CU_ASSERT(!lease->killing);
    lease_holder_tick(holder, START_MS + LEASE_MS * 8 / 10);
    CU_ASSERT(lease->killing);
    lease_holder_free(holder);
}

/* Also when its lease was asked for, given up, and asked for again. (swarm 520020158: a start of
 * the first epoch came true beside the third's) */
static void what_may_come_true_keeps_every_later_epoch_waiting(void)
{
    static const uint64_t later[] = {2, 2, 3, 3};
    struct lease_holder *holder = holder_of_three();
    struct lease *lease = lease_holder_want(holder, &web, 1, START_MS);
    size_t count;
    uint64_t last = speak(holder, START_MS, &count);
    answer(holder, START_MS, "a", 1, last - 2);
    answer(holder, START_MS, "b", 2, last - 1);
    CU_ASSERT(lease_is_good_for_start(lease, START_MS));
    lease->uncertain = true; /* a start whose end nobody knows */
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        lease_holder_drop(holder, lease, START_MS + 100 * i);
        lease = lease_holder_want(holder, &web, later[i], START_MS + 100 * i);
        CU_ASSERT_EQUAL(lease->epoch, later[i]);
        CU_ASSERT_EQUAL(lease->blocked_until_ms, START_MS + LEASE_MS);
    }
    lease_holder_free(holder);
}

/* Who gives up a later epoch of the same child must not release that, as if nothing were left:
 * others would run it beside what may still come true. (swarm 580002130) */
static void what_may_come_true_is_not_released_with_a_later_epoch(void)
{
    static const uint64_t after_ms[] = {LEASE_MS - 1, LEASE_MS};
    for (size_t i = 0; i < 2; i++) {
        struct lease_holder *holder = holder_of_three();
        struct lease *lease = lease_holder_want(holder, &web, 1, START_MS);
        size_t count;
        speak(holder, START_MS, &count);
        lease->uncertain = true;
        lease_holder_drop(holder, lease, START_MS);
        lease = lease_holder_want(holder, &web, 2, START_MS);
        speak(holder, START_MS + LEASE_MS / 2, &count);
        CU_ASSERT_EQUAL(count, 3);
        lease_holder_drop(holder, lease, START_MS + after_ms[i]);
        struct lease_ask ask;
        char acceptor[NAME_BYTES_MAX + 1];
        CU_ASSERT_FATAL(lease_holder_send(holder, START_MS + after_ms[i], &ask, acceptor));
        CU_ASSERT_EQUAL_FATAL(ask.drop_count, 1);
        CU_ASSERT_EQUAL(ask.drops[0].epoch, 2);
        CU_ASSERT_EQUAL(ask.drops[0].released, i == 1);
        lease_ask_release(&ask);
        lease_holder_free(holder);
    }
}

static size_t drops_told_to_c(struct lease_holder *holder, uint64_t now_ms, uint64_t epoch)
{
    struct lease_ask request;
    char to[NAME_BYTES_MAX + 1];
    size_t count = 0;
    while (lease_holder_send(holder, now_ms, &request, to)) {
        for (size_t i = 0; to[0] == 'c' && i < request.drop_count; i++)
            count += child_id_compare(&request.drops[i].child, &web) == 0 &&
                     request.drops[i].epoch == epoch;
        lease_ask_release(&request);
    }
    return count;
}

/* It was asked for again meanwhile, of this epoch or the next, and c has not heard of that either.
 * It would take it for ours for as long as anything else of ours is renewed. */
static void who_has_not_been_told_that_it_was_given_up_is_told_in_the_end(void)
{
    static const struct child_id api = {.ns = "default", .workload = "api"};
    static const uint64_t next[] = {1, 2, 2};
    for (size_t i = 0; i < 3; i++) {
        struct lease_holder *holder = holder_of_three();
        struct lease *lease = lease_holder_want(holder, &web, 1, START_MS);
        size_t count;
        lease_holder_want(holder, &api, 1, START_MS);
        uint64_t last = speak(holder, START_MS, &count);
        for (uint64_t j = 0; j < 3; j++)
            answer(holder, START_MS, (const char *[]){"a", "b", "c"}[j], j + 1, last - 2 + j);
        CU_ASSERT_EQUAL(lease->granted, 7);
        if (i < 2)
            lease_holder_drop(holder, lease, START_MS + 100);
        speak(holder, START_MS + 100, &count); /* to c it is lost */
        lease = lease_holder_want(holder, &web, next[i], START_MS + 100);
        lease_holder_drop(holder, lease, START_MS + 100);
        CU_ASSERT_EQUAL(drops_told_to_c(holder, START_MS + LEASE_MS / 3, next[i]), 1);
        lease_holder_free(holder);
    }
}

static void who_has_not_answered_for_a_lease_is_told_all_that_is_left(void)
{
    static const struct child_id api = {.ns = "default", .workload = "api"};
    struct lease_holder *holder = holder_of_three();
    struct lease *lease = lease_holder_want(holder, &web, 1, START_MS);
    size_t count;
    lease_holder_want(holder, &api, 1, START_MS);
    uint64_t last = speak(holder, START_MS, &count);
    answer(holder, START_MS, "c", 3, last);
    lease_holder_drop(holder, lease, START_MS);
    speak(holder, START_MS, &count);
    last = speak(holder, START_MS + SPAN_MS - 1, &count);
    CU_ASSERT_EQUAL(count, 3);
    speak(holder, START_MS + SPAN_MS, &count);
    answer(holder, START_MS + SPAN_MS, "c", 3, last); /* is no answer to that */
    struct lease_ask request;
    char to[NAME_BYTES_MAX + 1];
    for (count = 0; lease_holder_send(holder, START_MS + SPAN_MS + LEASE_MS, &request, to);) {
        CU_ASSERT(to[0] != 'c' || (request.generation == 0 && request.add_count == 1));
        count += to[0] == 'c';
        lease_ask_release(&request);
    }
    CU_ASSERT_EQUAL(count, 1);
    lease_holder_free(holder);
}

static void a_third_of_a_lease_later_each_is_asked_once_more(void)
{
    struct lease_holder *holder = holder_of_three();
    size_t count;
    for (uint32_t ordinal = 0; ordinal < 1000; ordinal++) {
        struct child_id child = web;
        child.ordinal = ordinal;
        lease_holder_want(holder, &child, 1, START_MS);
    }
    uint64_t last = speak(holder, START_MS, &count);
    for (uint64_t i = 0; i < 3; i++)
        answer(holder, START_MS, (const char *[]){"a", "b", "c"}[i], i + 1, last - 2 + i);
    struct lease_counts counts = lease_holder_counts(holder, START_MS);
    CU_ASSERT(counts.held == 1000 && counts.asked == 0 && counts.left_ms == LEASE_MS * 9 / 10);
    speak(holder, START_MS + LEASE_MS / 3 - 1, &count);
    CU_ASSERT_EQUAL(count, 0);
    speak(holder, START_MS + LEASE_MS / 3, &count);
    CU_ASSERT_EQUAL(count, 3); /* however many children */
    lease_holder_free(holder);
}

UNIT_MAIN("lease_rules",
          {"nothing counts before it is on the disk", nothing_counts_before_it_is_on_the_disk},
          {"a lease is nobody else's until it has run out here",
           a_lease_is_nobody_elses_until_it_has_run_out_here},
          {"one message renews all", one_message_renews_all},
          {"what is older than what was seen is not answered",
           what_is_older_than_what_was_seen_is_not_answered},
          {"an epoch is never granted to another again",
           an_epoch_is_never_granted_to_another_again},
          {"what is given up and not released runs out",
           what_is_given_up_and_not_released_runs_out},
          {"a late release undoes no later grant", a_late_release_undoes_no_later_grant},
          {"after a restart it rests", after_a_restart_it_rests},
          {"two lives of a name are two holders", two_lives_of_a_name_are_two_holders},
          {"a lease counts from when a majority was asked",
           a_lease_counts_from_when_a_majority_was_asked},
          {"what may come true keeps every later epoch waiting",
           what_may_come_true_keeps_every_later_epoch_waiting},
          {"what may come true is not released with a later epoch",
           what_may_come_true_is_not_released_with_a_later_epoch},
          {"who has not been told that it was given up is told in the end",
           who_has_not_been_told_that_it_was_given_up_is_told_in_the_end},
          {"who gives up a later epoch has given up the one before",
           who_gives_up_a_later_epoch_has_given_up_the_one_before},
          {"who has not answered for a lease is told all that is left",
           who_has_not_answered_for_a_lease_is_told_all_that_is_left},
          {"a third of a lease later each is asked once more",
           a_third_of_a_lease_later_each_is_asked_once_more})
