/* Containers of one child as the engine tells of them: late, twice, and in the wrong order. */
#include "agent/core/local.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/random.h"
#include "unit.h"

static struct container told(const char *id, enum container_state state)
{
    struct container container = {.state = state, .epoch = 3};
    TEXT_SET(container.id, id);
    return container;
}

static bool observe(struct local *local, const char *id, enum container_state state,
                    uint64_t now_ms)
{
    struct container container = told(id, state);
    return local_observe(local, &container, now_ms);
}

static int state_of(struct local *local, const char *id)
{
    struct local_container *container = local_find(local, id);
    return container ? (int)container->container.state : CONTAINER_GONE;
}

static void release(struct local *local)
{
    free(local->containers);
    memset(local, 0, sizeof *local);
}

static void it_is_made_once_and_freed(void)
{
    struct child child = {0};
    struct local *local = local_make(&child);
    CU_ASSERT_PTR_EQUAL(child.local, local);
    CU_ASSERT_PTR_EQUAL(local_make(&child), local);
    CU_ASSERT_TRUE(local_is_quiet(local));
    observe(local, "x", CONTAINER_CREATED, 1);
    local_free(local);
    local_free(NULL);
}

static void it_is_quiet_when_nothing_is_there_or_in_flight(void)
{
    struct local local = {0};
    CU_ASSERT_TRUE(local_is_quiet(&local));
    local.start_operation = 1;
    CU_ASSERT_FALSE(local_is_quiet(&local));
    local = (struct local){.pull_operation = 1};
    CU_ASSERT_FALSE(local_is_quiet(&local));
    local = (struct local){.queued_start = true};
    CU_ASSERT_FALSE(local_is_quiet(&local));
    local = (struct local){.queued_stop = true};
    CU_ASSERT_FALSE(local_is_quiet(&local));
    local = (struct local){.restarts = 7};
    CU_ASSERT_TRUE(local_is_quiet(&local));
    observe(&local, "x", CONTAINER_EXITED, 1);
    CU_ASSERT_FALSE(local_is_quiet(&local));
    observe(&local, "x", CONTAINER_GONE, 2);
    CU_ASSERT_TRUE(local_is_quiet(&local));
    release(&local);
}

static void a_life_is_taken_in_step_by_step(void)
{
    struct local local = {0};
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_CREATED, 10));
    CU_ASSERT_FALSE(observe(&local, "x", CONTAINER_CREATED, 11));
    CU_ASSERT_EQUAL(local_find(&local, "x")->seen_ms, 11);
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_RUNNING, 12));
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_EXITED, 13));
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_GONE, 14));
    CU_ASSERT_EQUAL(local.container_count, 0);
    CU_ASSERT_PTR_NULL(local_find(&local, "x"));
    CU_ASSERT_FALSE(observe(&local, "x", CONTAINER_GONE, 15));
    release(&local);
}

/* Every state told after every other: the later of the two in a life is what is known. */
static void life_only_goes_forward(void)
{
    for (int first = CONTAINER_CREATED; first <= CONTAINER_EXITED; first++)
        for (int then = CONTAINER_CREATED; then <= CONTAINER_EXITED; then++) {
            struct local local = {0};
            observe(&local, "x", (enum container_state)first, 1);
            bool changed = observe(&local, "x", (enum container_state)then, 2);
            CU_ASSERT_EQUAL(changed, then > first);
            CU_ASSERT_EQUAL(state_of(&local, "x"), then > first ? then : first);
            CU_ASSERT_EQUAL(local_find(&local, "x")->seen_ms, 2);
            release(&local);
        }
}

static void a_stale_report_changes_nothing(void)
{
    struct local local = {0};
    struct container exited = told("x", CONTAINER_EXITED), stale = told("x", CONTAINER_RUNNING);
    exited.exit_code = 7;
    exited.started_ms = 1000;
    exited.finished_ms = 2000;
    local_observe(&local, &exited, 1);
    local_find(&local, "x")->ended_noted = true;
    stale.started_ms = 1000;
    TEXT_SET(stale.address, "10.0.0.1");
    CU_ASSERT_FALSE(local_observe(&local, &stale, 2));
    CU_ASSERT_EQUAL(memcmp(&local_find(&local, "x")->container, &exited, sizeof exited), 0);
    CU_ASSERT_TRUE(local_find(&local, "x")->ended_noted);
    stale.started_ms = 2000; /* not later than the end */
    CU_ASSERT_FALSE(local_observe(&local, &stale, 3));
    CU_ASSERT_EQUAL(state_of(&local, "x"), CONTAINER_EXITED);
    stale.state = CONTAINER_CREATED;
    stale.started_ms = 9000;
    CU_ASSERT_FALSE(local_observe(&local, &stale, 4));
    CU_ASSERT_EQUAL(state_of(&local, "x"), CONTAINER_EXITED);
    release(&local);
}

static void a_start_after_the_end_is_believed(void)
{
    struct local local = {0};
    struct container report = told("x", CONTAINER_EXITED);
    report.started_ms = 1000;
    report.finished_ms = 2000;
    local_observe(&local, &report, 1);
    local_find(&local, "x")->ended_noted = true;
    report.state = CONTAINER_RUNNING;
    report.started_ms = 2001;
    CU_ASSERT_TRUE(local_observe(&local, &report, 2));
    CU_ASSERT_EQUAL(state_of(&local, "x"), CONTAINER_RUNNING);
    CU_ASSERT_FALSE(local_find(&local, "x")->ended_noted); /* its next end is judged anew */
    release(&local);
}

static void a_report_of_the_same_state_refreshes_the_details(void)
{
    struct local local = {0};
    struct container report = told("x", CONTAINER_RUNNING);
    local_observe(&local, &report, 1);
    local_find(&local, "x")->stopping = true;
    local_find(&local, "x")->operation = 9;
    TEXT_SET(report.address, "10.0.0.1");
    CU_ASSERT_FALSE(local_observe(&local, &report, 2));
    CU_ASSERT_STRING_EQUAL(local_find(&local, "x")->container.address, "10.0.0.1");
    CU_ASSERT_TRUE(local_find(&local, "x")->stopping); /* ours, not the engine's to change */
    CU_ASSERT_EQUAL(local_find(&local, "x")->operation, 9);
    release(&local);
}

/* While an operation is in flight its end still finds the container it was for. */
static void gone_waits_for_the_operation_in_flight(void)
{
    struct local local = {0};
    observe(&local, "x", CONTAINER_RUNNING, 1);
    local_find(&local, "x")->operation = 5;
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_GONE, 2));
    CU_ASSERT_EQUAL(local.container_count, 1);
    CU_ASSERT_EQUAL(state_of(&local, "x"), CONTAINER_GONE);
    CU_ASSERT_EQUAL(local_find(&local, "x")->operation, 5);
    for (int state = CONTAINER_CREATED; state <= CONTAINER_EXITED; state++) {
        struct container stale = told("x", (enum container_state)state);
        stale.started_ms = 99999;
        CU_ASSERT_FALSE(local_observe(&local, &stale, 3));
        CU_ASSERT_NOT_EQUAL_FATAL(local_find(&local, "x"), NULL);
        CU_ASSERT_EQUAL(local_find(&local, "x")->container.state, CONTAINER_GONE);
    }
    local_find(&local, "x")->operation = 0;
    CU_ASSERT_TRUE(observe(&local, "x", CONTAINER_GONE, 4));
    CU_ASSERT_EQUAL(local.container_count, 0);
    release(&local);
}

static void more_than_the_limit_is_left_to_the_next_list(void)
{
    struct local local = {0};
    char id[16];
    for (int i = 0; i < LOCAL_CONTAINERS_MAX; i++) {
        snprintf(id, sizeof id, "c%d", i);
        CU_ASSERT_TRUE(observe(&local, id, CONTAINER_RUNNING, 1));
    }
    CU_ASSERT_FALSE(observe(&local, "one-more", CONTAINER_RUNNING, 2));
    CU_ASSERT_EQUAL(local.container_count, LOCAL_CONTAINERS_MAX);
    CU_ASSERT_PTR_NULL(local_find(&local, "one-more"));
    CU_ASSERT_TRUE(observe(&local, "c3", CONTAINER_EXITED, 3)); /* known ones are followed */
    CU_ASSERT_TRUE(observe(&local, "c3", CONTAINER_GONE, 4));
    CU_ASSERT_TRUE(observe(&local, "one-more", CONTAINER_RUNNING, 5));
    CU_ASSERT_EQUAL(local.container_count, LOCAL_CONTAINERS_MAX);
    release(&local);
}

static void dropping_one_keeps_the_others(void)
{
    for (int gone = 0; gone < 4; gone++) {
        struct local local = {0};
        static const char *const ids[] = {"a", "b", "c", "d"};
        for (int i = 0; i < 4; i++)
            observe(&local, ids[i], CONTAINER_RUNNING, (uint64_t)i + 1);
        local_drop(&local, local_find(&local, ids[gone]));
        CU_ASSERT_EQUAL(local.container_count, 3);
        for (int i = 0; i < 4; i++) {
            struct local_container *container = local_find(&local, ids[i]);
            CU_ASSERT_EQUAL(container == NULL, i == gone);
            CU_ASSERT_TRUE(!container || container->seen_ms == (uint64_t)i + 1);
        }
        release(&local);
    }
}

/* Whatever is told in whatever order, without restarts by hand: what is known never goes back. */
static void random_reports_never_lead_back(void)
{
    struct random random = random_of(3);
    for (int round = 0; round < 2000; round++) {
        struct local local = {0};
        static const char *const ids[] = {"a", "b", "c"};
        int known[3] = {-1, -1, -1};
        for (int i = 0; i < 30; i++) {
            size_t which = (size_t)random_below(&random, 3);
            int state = (int)random_below(&random, CONTAINER_GONE);
            bool changed = observe(&local, ids[which], (enum container_state)state, 1);
            CU_ASSERT_EQUAL(changed, state > known[which]);
            known[which] = state > known[which] ? state : known[which];
            CU_ASSERT_EQUAL(state_of(&local, ids[which]), known[which]);
        }
        release(&local);
    }
}

UNIT_MAIN("local", {"it is made once and freed", it_is_made_once_and_freed},
          {"it is quiet when nothing is there or in flight",
           it_is_quiet_when_nothing_is_there_or_in_flight},
          {"a life is taken in step by step", a_life_is_taken_in_step_by_step},
          {"life only goes forward", life_only_goes_forward},
          {"a stale report changes nothing", a_stale_report_changes_nothing},
          {"a start after the end is believed", a_start_after_the_end_is_believed},
          {"a report of the same state refreshes the details",
           a_report_of_the_same_state_refreshes_the_details},
          {"gone waits for the operation in flight", gone_waits_for_the_operation_in_flight},
          {"more than the limit is left to the next list",
           more_than_the_limit_is_left_to_the_next_list},
          {"dropping one keeps the others", dropping_one_keeps_the_others},
          {"random reports never lead back", random_reports_never_lead_back})
