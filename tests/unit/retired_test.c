/* crdt/retired.c and position.c: replicas that are gone for good, and what others are told of
 * them. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "crdt/exchange.h"

static struct awmap *map_of(uint64_t writer)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, writer, 0);
    return map;
}

static void put(struct awmap *map, const char *key)
{
    awmap_put(map, span_text(key), span_text("value"), 1);
}

static bool has(const struct awmap *map, const char *key)
{
    return awmap_find(map, span_text(key)) != NULL;
}

static size_t siblings(const struct awmap *map, const char *key)
{
    const struct awmap_entry *entry = awmap_find(map, span_text(key));
    return entry ? awmap_entry_count(entry) : 0;
}

static uint32_t context_count(const struct awmap *map, const char *key)
{
    const struct awmap_entry *entry = entry_find(map, span_text(key));
    return entry ? entry_state(entry).context_count : 0;
}

/* What the core does from time to time, as soon as it may. */
static void strike(struct awmap *map)
{
    struct vector stable = {0};
    vector_copy(&stable, awmap_seen(map));
    awmap_note_pushed(map, awmap_writer_counter(map));
    awmap_changed_clear(map);
    awmap_tidy(map, &stable, SIZE_MAX);
    vector_release(&stable);
    awmap_check(map);
}

static bool push(struct awmap *from, struct awmap *to, uint64_t after)
{
    struct buffer body = {0};
    struct awmap_push_result result;
    awmap_push_cut(from, after, 100000, &body);
    CU_ASSERT_TRUE_FATAL(awmap_push_apply(to, buffer_view(&body), &result));
    buffer_release(&body);
    return !result.gap;
}

static void compare(const struct awmap *from, struct awmap *to, uint32_t buckets, size_t bytes_max)
{
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    bool last = false;
    for (awmap_full_begin(&full, from, buckets); !full.done;) {
        struct buffer body = {0};
        awmap_full_cut(&full, from, bytes_max, &body);
        CU_ASSERT_TRUE_FATAL(awmap_full_apply(to, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    CU_ASSERT_TRUE(last);
    awmap_full_release(&full);
    awmap_full_intake_release(&intake);
    awmap_check(to);
}

/* False: the receiver is behind and was compared with in full. */
static bool walk(const struct awmap *from, struct awmap *to)
{
    struct awmap_walk walk = {0};
    struct awmap_walk_intake intake = {0};
    struct buffer position = {0};
    bool behind, last;
    awmap_position_encode(to, NULL, &position);
    CU_ASSERT_TRUE_FATAL(awmap_walk_begin(&walk, from, buffer_view(&position), &behind));
    buffer_release(&position);
    if (behind) {
        compare(from, to, UINT32_MAX, 100);
        return false;
    }
    while (!walk.done) {
        struct buffer body = {0};
        awmap_walk_cut(&walk, from, 100, &body);
        CU_ASSERT_TRUE_FATAL(awmap_walk_apply(to, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    awmap_walk_release(&walk);
    return true;
}

static uint64_t seen_hash(const struct awmap *map)
{
    return awmap_digest(map).seen_hash;
}

static struct awmap_position position_of(const struct awmap *map, const struct vector *about)
{
    struct awmap_position position = {0};
    struct buffer bytes = {0};
    awmap_position_encode(map, about, &bytes);
    CU_ASSERT_TRUE_FATAL(awmap_position_decode(&position, buffer_view(&bytes)));
    buffer_release(&bytes);
    return position;
}

/* --- The table ------------------------------------------------------------------------------- */

static void retiring_moves_what_is_known(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "x");
    put(a, "y");
    push(a, b, 0);
    uint64_t before = seen_hash(b);
    CU_ASSERT_FALSE(awmap_retire(b, 2)); /* itself */
    CU_ASSERT_FALSE(awmap_retire(b, 3)); /* unknown */
    awmap_changed_clear(b);
    CU_ASSERT_TRUE(awmap_retire(b, 1));
    CU_ASSERT_TRUE(awmap_seen_changed(b));
    CU_ASSERT_EQUAL(vector_get(awmap_seen(b), 1), 0);
    CU_ASSERT_EQUAL(vector_get(awmap_retired(b), 1), 2);
    CU_ASSERT_EQUAL(awmap_known(b, 1), 2);
    CU_ASSERT_TRUE(awmap_covers(b, (struct dot){1, 2}));
    CU_ASSERT_FALSE(awmap_covers(b, (struct dot){1, 3}));
    CU_ASSERT_EQUAL(seen_hash(b), before); /* who retires when does not show */
    CU_ASSERT_TRUE(has(b, "x") && has(b, "y"));
    awmap_check(b);
    awmap_free(a);
    awmap_free(b);
}

/* RETIREBARE: it was retired by mistake, and goes on. */
static void later_dots_are_new(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "x");
    push(a, b, 0);
    awmap_retire(b, 1);
    put(a, "y");
    CU_ASSERT_TRUE(push(a, b, 1));
    CU_ASSERT_TRUE(has(b, "x") && has(b, "y"));
    CU_ASSERT_EQUAL(vector_get(awmap_seen(b), 1), 2);
    CU_ASSERT_EQUAL(vector_get(awmap_retired(b), 1), 1);
    awmap_check(b);
    awmap_retire(b, 1);
    CU_ASSERT_EQUAL(vector_get(awmap_retired(b), 1), 2);
    CU_ASSERT_EQUAL(b->retired.count, 1);
    put(a, "z");
    CU_ASSERT_TRUE(walk(a, b));
    CU_ASSERT_TRUE(has(b, "z"));
    CU_ASSERT_TRUE(walk(b, a)); /* it has lost nothing */
    CU_ASSERT_EQUAL(seen_hash(a), seen_hash(b));
    awmap_free(a);
    awmap_free(b);
}

static void what_was_removed_stays_away(void)
{
    struct awmap *a = map_of(1), *b = map_of(2), *late = map_of(3);
    put(a, "x");
    push(a, b, 0);
    push(a, late, 0);
    awmap_remove(b, span_text("x"));
    awmap_retire(b, 1);
    strike(b);
    CU_ASSERT_EQUAL(awmap_tombstone_count(b), 0); /* nothing is left but 16 bytes */
    CU_ASSERT_EQUAL(b->index_count, 0);
    walk(late, b);
    CU_ASSERT_FALSE(has(b, "x"));
    CU_ASSERT_FALSE(walk(b, late)); /* a comparison tells it */
    CU_ASSERT_FALSE(has(late, "x"));
    awmap_free(a);
    awmap_free(b);
    awmap_free(late);
}

static void contexts_are_struck_except_of_the_living(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "x");
    put(a, "y");
    push(a, b, 0);
    put(b, "x");
    CU_ASSERT_EQUAL(context_count(b, "x"), 2);
    awmap_retire(b, 1);
    CU_ASSERT_EQUAL(context_count(b, "x"), 2); /* not before it is stable */
    struct vector stable = {0};
    awmap_changed_clear(b);
    awmap_note_pushed(b, 1);
    CU_ASSERT_EQUAL(awmap_tidy(b, &stable, SIZE_MAX), 0);
    strike(b);
    CU_ASSERT_EQUAL(context_count(b, "x"), 1);
    CU_ASSERT_EQUAL(context_count(b, "y"), 1);
    CU_ASSERT_EQUAL(siblings(b, "x"), 1);
    put(b, "y");
    CU_ASSERT_EQUAL(context_count(b, "y"), 2);
    strike(b);
    CU_ASSERT_EQUAL(context_count(b, "y"), 1);
    CU_ASSERT_EQUAL(b->index_count, 1);
    awmap_free(a);
    awmap_free(b);
}

/* STRIKEHORIZON: the model's own rules lose here. 2 removes what 1 wrote and forgets 1; 3 knows of
 * 1 what 2 does, and still has it. */
static void a_strike_sends_the_late_to_a_comparison(void)
{
    struct awmap *one = map_of(1), *two = map_of(2), *three = map_of(3);
    put(one, "x");
    push(one, two, 0);
    push(one, three, 0);
    put(two, "x"); /* over one's */
    awmap_retire(two, 1);
    strike(two);
    CU_ASSERT_EQUAL(context_count(two, "x"), 1);
    CU_ASSERT_FALSE(walk(two, three));
    CU_ASSERT_EQUAL(siblings(three, "x"), 1);
    CU_ASSERT_EQUAL(awmap_known(three, 2), 1);
    awmap_free(one);
    awmap_free(two);
    awmap_free(three);
}

/* The same by a slice: what was struck does not raise any more. */
static void a_struck_slice_raises_nothing(void)
{
    struct awmap *one = map_of(1), *two = map_of(2), *three = map_of(3);
    put(one, "x");
    push(one, two, 0);
    put(two, "x");
    awmap_retire(two, 1);
    strike(two);
    CU_ASSERT_FALSE(push(two, three, 0));
    CU_ASSERT_EQUAL(awmap_known(three, 2), 0);
    put(two, "y");
    CU_ASSERT_FALSE(push(two, three, 1)); /* there is a gap before it */
    awmap_free(one);
    awmap_free(two);
    awmap_free(three);
}

/* And during a walk: 2 wrote over 1's long ago, and once more since the walk began, so that the key
 * stands ahead of the cursor when the horizon rises to what is behind it. */
static void a_strike_behind_the_cursor_ends_a_walk(void)
{
    enum { OLD = 3, NEW = 8 };
    struct awmap *one = map_of(1), *two = map_of(2), *three = map_of(3), *four = map_of(4);
    struct awmap_walk walk_to_four = {0};
    struct awmap_walk_intake intake = {0};
    struct vector stable = {0};
    struct buffer body = {0};
    bool behind, last = false;
    put(one, "x");
    push(one, two, 0);
    push(one, four, 0);
    for (int i = 0; i < OLD; i++)
        put(two, "x");
    walk(two, three);
    awmap_retire(three, 1);
    awmap_changed_clear(three);
    awmap_note_stable(three, &stable);
    awmap_position_encode(four, NULL, &body);
    CU_ASSERT_TRUE(awmap_walk_begin(&walk_to_four, three, buffer_view(&body), &behind) && !behind);
    for (int i = 0; i < NEW; i++) {
        char key[16];
        snprintf(key, sizeof key, "y%d", i);
        put(two, key);
    }
    put(two, "x");
    push(two, three, OLD);
    buffer_clear(&body);
    awmap_walk_cut(&walk_to_four, three, 100, &body);
    CU_ASSERT_TRUE(awmap_walk_apply(four, &intake, buffer_view(&body), &last) && !last);
    CU_ASSERT(walk_to_four.cursor.counter > OLD);
    awmap_changed_clear(three);
    CU_ASSERT_EQUAL(awmap_tidy(three, &stable, SIZE_MAX), 1);
    CU_ASSERT_EQUAL(context_count(three, "x"), 1);
    while (!walk_to_four.done) {
        buffer_clear(&body);
        awmap_walk_cut(&walk_to_four, three, 100, &body);
        CU_ASSERT_TRUE(awmap_walk_apply(four, &intake, buffer_view(&body), &last));
    }
    CU_ASSERT_EQUAL(awmap_known(four, 2), 0);
    CU_ASSERT_FALSE(walk(three, four));
    CU_ASSERT_EQUAL(siblings(four, "x"), 1);
    awmap_walk_release(&walk_to_four);
    vector_release(&stable);
    buffer_release(&body);
    awmap_free(one);
    awmap_free(two);
    awmap_free(three);
    awmap_free(four);
}

/* Of a key that keeps changing, what was replaced before `stable` was taken is struck; what was
 * still alive then, or was retired since, waits. */
static void changing_keys_are_struck_when_they_have_aged(void)
{
    struct awmap *one = map_of(1), *map = map_of(2);
    struct vector stable = {0};
    put(one, "alive");
    put(one, "dead");
    push(one, map, 0);
    put(map, "dead");
    awmap_retire(map, 1);
    for (int turn = 0; turn < 2; turn++) {
        awmap_note_pushed(map, awmap_writer_counter(map));
        awmap_changed_clear(map);
        awmap_note_stable(map, &stable);
        put(map, "alive");
        put(map, "dead");
        awmap_changed_clear(map);
        CU_ASSERT_EQUAL(awmap_tidy(map, &stable, SIZE_MAX), 1);
        CU_ASSERT_EQUAL(context_count(map, "dead"), 1);
        CU_ASSERT_EQUAL(context_count(map, "alive"), turn == 0 ? 2 : 1);
        CU_ASSERT(vector_get(awmap_horizon(map), 2) <= vector_get(&stable, 2));
        awmap_check(map);
    }
    vector_release(&stable);
    awmap_free(one);
    awmap_free(map);
}

static void striking_has_a_budget(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "x");
    push(a, b, 0);
    put(b, "x");
    awmap_note_pushed(b, 1);
    awmap_retire(b, 1);
    awmap_changed_clear(b);
    CU_ASSERT_EQUAL(awmap_tidy(b, awmap_seen(b), 0), 0);
    CU_ASSERT_EQUAL(awmap_tidy(b, awmap_seen(b), 1), 1);
    awmap_free(a);
    awmap_free(b);
}

/* --- Between replicas ------------------------------------------------------------------------ */

/* Two retire the same one with different counters: the lesser knowledge is behind the greater. */
static void tables_that_disagree_agree_again(void)
{
    struct awmap *one = map_of(1), *more = map_of(2), *less = map_of(3);
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put(one, key);
        push(one, more, (uint64_t)i);
        if (i < 3)
            push(one, less, (uint64_t)i);
    }
    awmap_retire(more, 1);
    awmap_retire(less, 1);
    CU_ASSERT_NOT_EQUAL(seen_hash(more), seen_hash(less));
    CU_ASSERT_TRUE(walk(less, more)); /* nothing new */
    CU_ASSERT_TRUE(has(more, "k4"));
    CU_ASSERT_FALSE(walk(more, less));
    CU_ASSERT_TRUE(has(less, "k3") && has(less, "k4"));
    CU_ASSERT_EQUAL(vector_get(awmap_retired(less), 1), 5);
    CU_ASSERT_EQUAL(seen_hash(more), seen_hash(less));
    CU_ASSERT_TRUE(walk(more, less));
    awmap_free(one);
    awmap_free(more);
    awmap_free(less);
}

static struct awmap *map_with_many_retired(uint64_t writer, uint64_t count)
{
    struct awmap *map = map_of(writer);
    for (uint64_t i = 0; i < count; i++) {
        map_raise_seen(map, (struct dot){1000 + i, 1 + i % 7});
        CU_ASSERT_TRUE(awmap_retire(map, 1000 + i));
    }
    return map;
}

static void positions_stay_small_and_tell_all(void)
{
    enum { MANY = 5000 };
    struct awmap *a = map_with_many_retired(1, MANY), *b = map_with_many_retired(2, MANY);
    put(a, "x");
    struct buffer bytes = {0};
    awmap_position_encode(a, NULL, &bytes);
    CU_ASSERT(bytes.bytes < 1000);
    buffer_release(&bytes);
    struct awmap_position position = position_of(a, NULL);
    CU_ASSERT_TRUE(awmap_position_equals(a, &position));
    CU_ASSERT_TRUE(awmap_position_rest_equals(b, &position));
    CU_ASSERT_FALSE(awmap_position_is_covered(b, &position));
    CU_ASSERT_TRUE(awmap_position_covers(b, &position));
    awmap_position_release(&position);
    CU_ASSERT_TRUE(walk(a, b)); /* no comparison for one key */
    CU_ASSERT_TRUE(has(b, "x"));
    position = position_of(a, NULL);
    CU_ASSERT_TRUE(awmap_position_equals(b, &position));
    awmap_position_release(&position);
    awmap_free(a);
    awmap_free(b);
}

/* One retires some earlier than the other, and somebody new comes in between. */
static void moments_of_retiring_do_not_matter(void)
{
    struct awmap *a = map_with_many_retired(1, 500), *b = map_with_many_retired(2, 500);
    for (uint64_t i = 0; i < AWMAP_RECENT_RETIRED / 2; i++) {
        map_raise_seen(a, (struct dot){5000 + i, 3});
        map_raise_seen(b, (struct dot){5000 + i, 3});
        awmap_retire(a, 5000 + i);
    }
    put(b, "x");
    CU_ASSERT_TRUE(walk(b, a));
    CU_ASSERT_TRUE(walk(a, b));
    CU_ASSERT_EQUAL(seen_hash(a), seen_hash(b));
    CU_ASSERT_TRUE(has(a, "x"));
    awmap_free(a);
    awmap_free(b);
}

/* Who knows nothing of those that were retired long ago learns it by a comparison, in parts. */
static void a_newcomer_learns_the_table(void)
{
    enum { MANY = 3000 };
    struct awmap *a = map_with_many_retired(1, MANY), *b = map_of(2);
    put(a, "x");
    put(b, "y");
    struct awmap_position position = position_of(a, NULL);
    CU_ASSERT_FALSE(awmap_position_rest_equals(b, &position));
    CU_ASSERT_FALSE(awmap_position_covers(b, &position));
    awmap_position_release(&position);
    CU_ASSERT_FALSE(walk(a, b));
    CU_ASSERT_TRUE(vector_equal(awmap_retired(a), awmap_retired(b)));
    CU_ASSERT_TRUE(has(b, "x"));
    CU_ASSERT_TRUE(walk(b, a));
    CU_ASSERT_EQUAL(seen_hash(a), seen_hash(b));
    awmap_free(a);
    awmap_free(b);
}

/* A part of the keys: nothing is raised, but what the retired wrote and is gone, goes. */
static void a_partial_comparison_knows_the_retired(void)
{
    struct awmap *one = map_of(1), *a = map_of(2), *b = map_of(3);
    put(one, "x");
    push(one, a, 0);
    push(one, b, 0);
    awmap_remove(a, span_text("x"));
    awmap_retire(a, 1);
    strike(a);
    compare(a, b, UINT32_MAX >> 1, 1);
    compare(a, b, UINT32_C(1) << 31, 1);
    CU_ASSERT_FALSE(has(b, "x"));
    CU_ASSERT_EQUAL(awmap_known(b, 2), 0);
    awmap_free(one);
    awmap_free(a);
    awmap_free(b);
}

/* FULLRETIRED: the sender learns of one and retires it meanwhile. */
static void a_comparison_overtaken_by_a_retirement_raises_nothing(void)
{
    struct awmap *one = map_of(1), *a = map_of(2), *b = map_of(3);
    put(a, "y");
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    bool last;
    awmap_full_begin(&full, a, UINT32_MAX);
    put(one, "x");
    push(one, a, 0);
    awmap_retire(a, 1);
    while (!full.done) {
        struct buffer body = {0};
        awmap_full_cut(&full, a, 1000, &body);
        CU_ASSERT_TRUE_FATAL(awmap_full_apply(b, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    CU_ASSERT_TRUE(has(b, "y"));
    CU_ASSERT_EQUAL(awmap_known(b, 2), 0);
    awmap_full_release(&full);
    awmap_full_intake_release(&intake);
    awmap_free(one);
    awmap_free(a);
    awmap_free(b);
}

/* A writer that was forgotten by mistake must learn from an answer what is known of it. */
static void an_answer_names_whom_the_question_names(void)
{
    struct awmap *a = map_with_many_retired(1, 500), *b = map_of(1001);
    put(b, "x");
    struct awmap_position position = position_of(a, awmap_seen(b));
    CU_ASSERT_EQUAL(vector_get(&position.known, 1001), 2);
    CU_ASSERT_EQUAL(vector_get(&position.known, 1002), 0);
    CU_ASSERT_FALSE(awmap_position_is_covered(b, &position));
    awmap_position_release(&position);
    CU_ASSERT_FALSE(walk(a, b));
    CU_ASSERT_EQUAL(vector_get(awmap_seen(b), 1001), 2); /* the writer is not retired at itself */
    CU_ASSERT_EQUAL(awmap_put(b, span_text("z"), span_text(""), 1).counter, 3);
    awmap_check(b);
    awmap_free(a);
    awmap_free(b);
}

/* --- On disk --------------------------------------------------------------------------------- */

static void restore(struct awmap *map, const struct buffer *record)
{
    CU_ASSERT_TRUE(awmap_restore(map, buffer_view(record)));
}

static void the_table_is_restored(void)
{
    struct awmap *a = map_with_many_retired(1, 10000), *back = awmap_new(), *log = awmap_new();
    struct buffer record = {0};
    awmap_vectors_record(a, &record); /* all was retired since the feed was cleared: it is new */
    restore(log, &record);
    CU_ASSERT_TRUE(vector_equal(awmap_retired(log), awmap_retired(a)));
    awmap_changed_clear(a);
    buffer_clear(&record);
    awmap_vectors_record(a, &record);
    CU_ASSERT(record.bytes < 100);
    for (int twice = 0; twice < 2; twice++) {
        size_t parts = 0;
        buffer_clear(&record);
        for (size_t at = 0; awmap_retired_record(a, &at, &record); buffer_clear(&record), parts++)
            restore(back, &record);
        CU_ASSERT_EQUAL(parts, 3);
    }
    CU_ASSERT_TRUE(vector_equal(awmap_retired(back), awmap_retired(a)));
    CU_ASSERT_EQUAL(seen_hash(back), seen_hash(a));
    awmap_check(back);
    awmap_set_writer(back, 1000, 5); /* a past writer writes again: it is not retired then */
    CU_ASSERT_EQUAL(vector_get(awmap_retired(back), 1000), 0);
    CU_ASSERT_EQUAL(vector_get(awmap_seen(back), 1000), 5);
    awmap_check(back);
    buffer_release(&record);
    awmap_free(a);
    awmap_free(back);
    awmap_free(log);
}

/* An older record of a key has a sibling that the later context, struck in memory, does not cover:
 * the record before the strike does. */
static void a_struck_key_is_restored(void)
{
    struct awmap *one = map_of(1), *map = map_of(2), *back = awmap_new();
    struct buffer record = {0};
    put(one, "x");
    push(one, map, 0);
    for (int write = 0; write < 3; write++) {
        buffer_clear(&record);
        awmap_entry_record(awmap_find(map, span_text("x")), &record);
        restore(back, &record);
        buffer_clear(&record);
        awmap_vectors_record(map, &record);
        restore(back, &record);
        strike(map);
        awmap_retire(map, 1);
        put(map, "x");
    }
    CU_ASSERT_EQUAL(siblings(back, "x"), 1);
    CU_ASSERT_EQUAL(vector_get(awmap_retired(back), 1), 1);
    awmap_check(back);
    buffer_release(&record);
    awmap_free(one);
    awmap_free(map);
    awmap_free(back);
}

UNIT_MAIN("retired replicas", {"retiring moves what is known", retiring_moves_what_is_known},
          {"later dots are new", later_dots_are_new},
          {"what was removed stays away", what_was_removed_stays_away},
          {"contexts are struck, except of the living", contexts_are_struck_except_of_the_living},
          {"a strike sends the late to a comparison", a_strike_sends_the_late_to_a_comparison},
          {"a struck slice raises nothing", a_struck_slice_raises_nothing},
          {"a strike behind the cursor ends a walk", a_strike_behind_the_cursor_ends_a_walk},
          {"changing keys are struck when they have aged",
           changing_keys_are_struck_when_they_have_aged},
          {"striking has a budget", striking_has_a_budget},
          {"tables that disagree agree again", tables_that_disagree_agree_again},
          {"positions stay small and tell all", positions_stay_small_and_tell_all},
          {"moments of retiring do not matter", moments_of_retiring_do_not_matter},
          {"a newcomer learns the table", a_newcomer_learns_the_table},
          {"a partial comparison knows the retired", a_partial_comparison_knows_the_retired},
          {"a comparison overtaken by a retirement raises nothing",
           a_comparison_overtaken_by_a_retirement_raises_nothing},
          {"an answer names whom the question names", an_answer_names_whom_the_question_names},
          {"the table is restored", the_table_is_restored},
          {"a struck key is restored", a_struck_key_is_restored})
