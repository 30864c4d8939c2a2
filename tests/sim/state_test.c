/* State hand-off, each rule a scene: what a child leaves is found by its successor wherever it
 * starts, a predecessor that does not know better changes nothing, and nothing is left behind. */
#include <stdio.h>
#include <stdlib.h>
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
    sim_run(&sim, 15000 + WHOLE_MAP_MS);
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

/* --- At random -------------------------------------------------------------------------------- */

enum { RANDOM_SEEDS = 150, RANDOM_ROUNDS = 40, RANDOM_NODES = 4, STATES = RANDOM_ROUNDS };

struct tried { /* a state that was asked to be taken */
    uint64_t id, epoch;
    size_t node;
};

static void random_fault(struct sim *sim, struct random *random)
{
    size_t node = (size_t)random_below(random, RANDOM_NODES);
    size_t other = (node + 1 + (size_t)random_below(random, RANDOM_NODES - 1)) % RANDOM_NODES;
    switch (random_below(random, 6)) {
    case 0:
        if (sim->nodes[node].node) {
            sim_kill(sim, node);
            if (random_below(random, 2))
                sim_kill_engine(sim, node);
        }
        break;
    case 1:
        story_cut(sim, node, true);
        break;
    case 2:
        sim_cut(sim, node, other, true);
        break;
    case 3:
        sim_heal_cuts(sim);
        break;
    default:
        for (size_t i = 0; i < sim->count; i++)
            if (!sim->nodes[i].node)
                sim_start(sim, i);
    }
}

static void random_name(struct sim *sim, struct random *random)
{
    static const char *const owners[] = {"me", "you"};
    struct registration registration = {.address = "10.0.0.9", .ttl_ms = OUTSIDE_TTL_MS_MIN * 3};
    struct request request = {
        .kind = random_below(random, 5) ? REQUEST_PUT_NAME : REQUEST_DELETE_NAME,
        .ns = "default",
        .name = "db",
        .flag = random_below(random, 2)};
    size_t node = (size_t)random_below(random, RANDOM_NODES);
    memcpy(registration.owner, owners[random_below(random, 2)], 2);
    request.registration = &registration;
    if (sim->nodes[node].node)
        sim_request(sim, node, &request);
}

/* Whoever believes to hold the child is asked. */
static void random_state(struct sim *sim, struct random *random, struct tried *tried)
{
    size_t node = (size_t)random_below(random, RANDOM_NODES);
    struct child_id id = web();
    struct child_view view;
    char text[64];
    *tried = (struct tried){.id = 0};
    if (!sim->nodes[node].node || !query_child(sim->nodes[node].node, &id, &view) ||
        strcmp(view.node, sim->nodes[node].name) != 0)
        return;
    snprintf(text, sizeof text, "%llu of n%zu", (unsigned long long)sim->last_request + 1, node);
    *tried = (struct tried){send_state(sim, node, view.epoch, span_text(text)), view.epoch, node};
}

/* What counts in the end is of no epoch before that of any answer of 200, and of one claim nothing
 * older; it is whole and the same everywhere. (A holder that has taken its child back from one who
 * only pulled has a smaller epoch than others may have had meanwhile: its word counts.) */
static void check_state(struct sim *sim, const struct tried *tried, size_t count)
{
    struct child_id id = web();
    struct state_view view = {.epoch = 0};
    struct buffer bytes = {0};
    bool there = query_state(sim->nodes[0].node, &id, &view);
    CU_ASSERT(!there || query_state_read(sim->nodes[0].node, &id, &bytes));
    buffer_u8(&bytes, 0);
    uint64_t counts = strtoull((const char *)bytes.data, NULL, 10);
    uint64_t holds = story_child(sim, 0, "web", 0).epoch;
    const struct tried *won = NULL;
    for (size_t i = 0; i < count; i++)
        won = tried[i].id && tried[i].id == counts ? &tried[i] : won;
    CU_ASSERT_EQUAL(there, won != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct reply *reply = tried[i].id ? sim_reply(sim, tried[i].id) : NULL;
        if (!reply || reply->status != 200 || tried[i].epoch > holds)
            continue;
        CU_ASSERT(won && won->epoch >= tried[i].epoch);
        CU_ASSERT(!won || won->epoch > tried[i].epoch || won->node != tried[i].node ||
                  won->id >= tried[i].id);
    }
    buffer_release(&bytes);
    for (size_t i = 1; i < sim->count; i++) {
        struct state_view other = {.epoch = 0};
        CU_ASSERT_EQUAL(query_state(sim->nodes[i].node, &id, &other), there);
        CU_ASSERT(other.epoch == view.epoch && other.stamp == view.stamp);
        CU_ASSERT_EQUAL(other.complete, there);
    }
}

static void whatever_happens_one_state_counts_and_is_whole(void)
{
    for (uint64_t seed = 0; seed < RANDOM_SEEDS; seed++) {
        struct sim sim;
        struct random random = random_of(seed);
        struct tried tried[STATES];
        story_begin(&sim, 1000 + seed, RANDOM_NODES);
        story_run(&sim, 0, "web", 1, NULL);
        for (size_t i = 0; i < RANDOM_ROUNDS; i++) {
            random_state(&sim, &random, &tried[i]);
            random_name(&sim, &random);
            if (random_below(&random, 2))
                random_fault(&sim, &random);
            sim_run(&sim, random_below(&random, random_below(&random, 4) ? 400 : 6000));
        }
        sim_heal_cuts(&sim);
        for (size_t i = 0; i < sim.count; i++)
            if (!sim.nodes[i].node)
                sim_start(&sim, i);
        sim_run(&sim, 30000);
        size_t failures = CU_get_number_of_failures();
        CU_ASSERT(sim_is_converged(&sim));
        CU_ASSERT(sim_maps_are_equal(&sim));
        check_state(&sim, tried, RANDOM_ROUNDS);
        struct name_view name;
        for (size_t i = 0; i < sim.count; i++)
            CU_ASSERT(!query_name(sim.nodes[i].node, "default", "db", &name));
        if (CU_get_number_of_failures() > failures)
            printf("seed %llu\n", (unsigned long long)seed);
        sim_release(&sim);
    }
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
          {"whatever happens, one state counts and is whole",
           whatever_happens_one_state_counts_and_is_whole},
          {"it survives a power cut of all", it_survives_a_power_cut_of_all})
