/* State hand-off, each rule a scene: what a child leaves is found by its successor wherever it
 * starts, a predecessor that does not know better changes nothing, and nothing is left behind. */
#include <stdio.h>
#include <string.h>

#include "agent/core/key.h"
#include "tests/sim/story.h"

/* --- Sentences -------------------------------------------------------------------------------- */

static struct child_id web(void)
{
    return (struct child_id){.ns = "default", .workload = "web", .ordinal = 0};
}

/* The child of this epoch says it to the agent of its node. */
static uint64_t send_state(struct sim *sim, size_t index, uint64_t epoch, struct span state)
{
    struct request request = {
        .kind = REQUEST_PUT_STATE, .child = web(), .epoch = epoch, .state = state};
    TEXT_SET(request.uid, story_child(sim, index, "web", 0).uid);
    return sim_request(sim, index, &request);
}

static int answer_of(struct sim *sim, uint64_t id)
{
    for (int i = 0; i < 60 && !sim_reply(sim, id); i++)
        sim_run(sim, 100);
    CU_ASSERT_FATAL(sim_reply(sim, id) != NULL);
    return sim_reply(sim, id)->status;
}

static int put_state(struct sim *sim, size_t index, const char *text)
{
    uint64_t epoch = story_child(sim, index, "web", 0).epoch;
    return answer_of(sim, send_state(sim, index, epoch, span_text(text)));
}

static bool state_is(struct sim *sim, size_t index, struct span expected)
{
    struct child_id id = web();
    struct state_view view;
    struct buffer bytes = {0};
    bool good = query_state(sim->nodes[index].node, &id, &view) && view.complete &&
                query_state_read(sim->nodes[index].node, &id, &bytes) &&
                view.bytes == expected.bytes && span_equal(buffer_view(&bytes), expected);
    buffer_release(&bytes);
    return good;
}

static bool has_state(struct sim *sim, size_t index)
{
    struct child_id id = web();
    struct state_view view;
    return query_state(sim->nodes[index].node, &id, &view);
}

static size_t keys_at(struct sim *sim, size_t index)
{
    return query_counts(sim->nodes[index].node).keys;
}

static struct buffer large_state(uint8_t seed, size_t bytes)
{
    struct buffer state = {0};
    for (size_t i = 0; i < bytes; i++)
        buffer_u8(&state, (uint8_t)(i * 31 + i / 251 + seed));
    return state;
}

/* --- Moves ------------------------------------------------------------------------------------ */

static void a_successor_finds_it_wherever_it_starts(void)
{
    struct sim sim;
    story_begin(&sim, 1, 4);
    story_run(&sim, 0, "web", 1, NULL);
    for (int move = 0; move < 3; move++) {
        char text[32];
        size_t holder = story_where(&sim, "web", NULL);
        snprintf(text, sizeof text, "counter %d", move);
        CU_ASSERT_EQUAL(put_state(&sim, holder, text), 200);
        sim_kill(&sim, holder); /* the instant after the answer */
        sim_kill_engine(&sim, holder);
        sim_run(&sim, 6000);
        size_t successor = story_where(&sim, "web", NULL);
        CU_ASSERT_NOT_EQUAL(successor, holder);
        CU_ASSERT(state_is(&sim, successor, span_text(text)));
        sim_start(&sim, holder);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
    }
    sim_release(&sim);
}

static void a_large_one_arrives_whole_and_its_predecessors_go(void)
{
    struct sim sim;
    story_begin(&sim, 2, 3);
    story_run(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 3000);
    size_t holder = story_where(&sim, "web", NULL), before = keys_at(&sim, 0);
    for (uint8_t i = 0; i < 5; i++) {
        struct buffer state = large_state(i, STATE_BYTES_MAX - i);
        uint64_t id = send_state(&sim, holder, 1, buffer_view(&state));
        CU_ASSERT_EQUAL(answer_of(&sim, id), 200);
        sim_run(&sim, 3000);
        for (size_t j = 0; j < 3; j++) {
            CU_ASSERT(state_is(&sim, j, buffer_view(&state)));
            CU_ASSERT_EQUAL(keys_at(&sim, j), before + 1 + STATE_PIECES_MAX);
        }
        buffer_release(&state);
    }
    CU_ASSERT_EQUAL(put_state(&sim, holder, ""), 200);
    sim_run(&sim, 3000);
    CU_ASSERT(state_is(&sim, (holder + 1) % 3, span_text("")));
    CU_ASSERT_EQUAL(keys_at(&sim, 0), before + 1);
    struct buffer state = large_state(9, STATE_BYTES_MAX + 1);
    CU_ASSERT_EQUAL(answer_of(&sim, send_state(&sim, holder, 1, buffer_view(&state))), 413);
    buffer_release(&state);
    sim_release(&sim);
}

/* While one waits for its second member, the one before it is all that counts. */
static void one_is_taken_at_a_time(void)
{
    struct sim sim;
    story_begin(&sim, 3, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    CU_ASSERT_EQUAL(put_state(&sim, holder, "first"), 200);
    story_cut(&sim, holder, true);
    uint64_t second = send_state(&sim, holder, 1, span_text("second"));
    uint64_t third = send_state(&sim, holder, 1, span_text("third"));
    CU_ASSERT_EQUAL(sim_reply(&sim, third)->status, 429);
    sim_run(&sim, 100);
    CU_ASSERT(sim_reply(&sim, second) == NULL);
    CU_ASSERT(state_is(&sim, (holder + 1) % 3, span_text("first")));
    sim_heal_cuts(&sim);
    CU_ASSERT_EQUAL(answer_of(&sim, second), 200);
    CU_ASSERT_EQUAL(put_state(&sim, holder, "third"), 200);
    sim_run(&sim, 2000);
    CU_ASSERT(state_is(&sim, (holder + 1) % 3, span_text("third")));
    sim_release(&sim);
}

/* --- Predecessors ----------------------------------------------------------------------------- */

static void a_predecessor_is_refused_and_told_of_its_successor(void)
{
    struct sim sim;
    story_begin(&sim, 4, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t before = story_where(&sim, "web", NULL);
    CU_ASSERT_EQUAL(put_state(&sim, before, "of epoch 1"), 200);
    story_stop_child(&sim, before, "web", false); /* it is placed again: epoch 2 */
    sim_run(&sim, 2000);
    size_t after = story_where(&sim, "web", NULL);
    CU_ASSERT_EQUAL(put_state(&sim, after, "of epoch 2"), 200);
    for (size_t i = 0; i < 3; i++) {
        uint64_t id = send_state(&sim, i, 1, span_text("stale"));
        CU_ASSERT_EQUAL(answer_of(&sim, id), 409);
        CU_ASSERT_PTR_NOT_NULL(strstr(sim_reply(&sim, id)->message, "epoch 2 is on n"));
    }
    sim_run(&sim, 2000);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(state_is(&sim, i, span_text("of epoch 2")));
    sim_release(&sim);
}

/* It runs on, cut off, and writes on: after the heal its successor's counts, and what it wrote is
 * gone everywhere. */
static void what_a_predecessor_writes_in_a_split_does_not_count_after_it(void)
{
    for (uint64_t seed = 30; seed < 36; seed++) {
        struct sim sim;
        story_begin(&sim, seed, 3);
        story_run(&sim, 0, "web", 1, NULL);
        size_t before = story_where(&sim, "web", NULL), other = (before + 1) % 3;
        CU_ASSERT_EQUAL(put_state(&sim, before, "common"), 200);
        story_cut(&sim, before, true);
        sim_run(&sim, 8000);
        struct child_view view = story_child(&sim, other, "web", 0);
        size_t after = (size_t)(view.node[1] - '0');
        CU_ASSERT_EQUAL(view.epoch, 2);
        CU_ASSERT(state_is(&sim, after, span_text("common")));
        bool stale_last = seed % 2; /* the clock decides nothing */
        CU_ASSERT_EQUAL(put_state(&sim, stale_last ? after : before, "one"), 200);
        sim_run(&sim, 1000);
        CU_ASSERT_EQUAL(put_state(&sim, stale_last ? before : after, "two"), 200);
        sim_heal_cuts(&sim);
        CU_ASSERT(sim_until(&sim, sim_is_converged, 30000));
        sim_run(&sim, 5000);
        for (size_t i = 0; i < 3; i++) {
            CU_ASSERT(state_is(&sim, i, span_text(stale_last ? "one" : "two")));
            CU_ASSERT_EQUAL(keys_at(&sim, i), keys_at(&sim, 0));
        }
        CU_ASSERT(sim_maps_are_equal(&sim));
        CU_ASSERT_EQUAL(answer_of(&sim, send_state(&sim, before, 1, span_text("x"))), 409);
        sim_release(&sim);
    }
}

/* --- The end ---------------------------------------------------------------------------------- */

static void it_goes_away_with_its_workload(void)
{
    struct sim sim;
    story_begin(&sim, 5, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    CU_ASSERT_EQUAL(put_state(&sim, holder, "to go"), 200);
    sim_delete_workload(&sim, 0, "web");
    sim_run(&sim, 8000);
    CU_ASSERT_EQUAL(keys_at(&sim, 0), 3); /* the members */
    story_run(&sim, 0, "web", 1, NULL);
    CU_ASSERT(!has_state(&sim, 0));
    /* ... also when its holder is dead by then */
    holder = story_where(&sim, "web", NULL);
    CU_ASSERT_EQUAL(put_state(&sim, holder, "to go"), 200);
    sim_kill(&sim, holder);
    sim_kill_engine(&sim, holder);
    sim_delete_workload(&sim, (holder + 1) % 3, "web");
    sim_run(&sim, 15000);
    CU_ASSERT_EQUAL(keys_at(&sim, (holder + 1) % 3), 3);
    sim_start(&sim, holder);
    sim_run(&sim, 15000);
    CU_ASSERT_EQUAL(keys_at(&sim, holder), 3);
    sim_release(&sim);
}

static void a_child_may_take_its_state_away_itself(void)
{
    struct sim sim;
    story_begin(&sim, 6, 3);
    story_run(&sim, 0, "web", 1, NULL);
    sim_run(&sim, 3000);
    size_t holder = story_where(&sim, "web", NULL), before = keys_at(&sim, 0);
    struct request request = {.kind = REQUEST_DELETE_STATE, .child = web(), .epoch = 1};
    TEXT_SET(request.uid, story_child(&sim, 0, "web", 0).uid);
    CU_ASSERT_EQUAL(answer_of(&sim, sim_request(&sim, holder, &request)), 404);
    CU_ASSERT_EQUAL(put_state(&sim, holder, "some"), 200);
    CU_ASSERT_EQUAL(answer_of(&sim, sim_request(&sim, holder, &request)), 200);
    sim_run(&sim, 1000);
    CU_ASSERT(!has_state(&sim, (holder + 1) % 3));
    CU_ASSERT_EQUAL(keys_at(&sim, 0), before);
    sim_release(&sim);
}

static void it_survives_a_power_cut_of_all(void)
{
    struct sim sim;
    story_begin(&sim, 7, 3);
    story_run(&sim, 0, "web", 1, NULL);
    size_t holder = story_where(&sim, "web", NULL);
    struct buffer state = large_state(3, 100000);
    CU_ASSERT_EQUAL(answer_of(&sim, send_state(&sim, holder, 1, buffer_view(&state))), 200);
    for (size_t i = 0; i < 3; i++) {
        sim_kill(&sim, i);
        sim_kill_engine(&sim, i);
        sim_drop_unsynced(&sim, i);
    }
    sim_start_all(&sim);
    CU_ASSERT(sim_until(&sim, sim_is_converged, 60000));
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(state_is(&sim, i, buffer_view(&state)));
    buffer_release(&state);
    sim_release(&sim);
}

UNIT_MAIN("state",
          {"a successor finds it wherever it starts", a_successor_finds_it_wherever_it_starts},
          {"a large one arrives whole and its predecessors go",
           a_large_one_arrives_whole_and_its_predecessors_go},
          {"one is taken at a time", one_is_taken_at_a_time},
          {"a predecessor is refused and told of its successor",
           a_predecessor_is_refused_and_told_of_its_successor},
          {"what a predecessor writes in a split does not count after it",
           what_a_predecessor_writes_in_a_split_does_not_count_after_it},
          {"it goes away with its workload", it_goes_away_with_its_workload},
          {"a child may take its state away itself", a_child_may_take_its_state_away_itself},
          {"it survives a power cut of all", it_survives_a_power_cut_of_all})
