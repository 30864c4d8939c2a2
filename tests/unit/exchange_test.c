/* crdt/push.c, walk.c, full.c: two or three maps, one body at a time. The laws at random are in
 * tests/laws. */
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

static void put(struct awmap *map, const char *key, const char *value)
{
    awmap_put(map, span_text(key), span_text(value), 1);
}

static void drop_tombstones(struct awmap *map)
{
    awmap_changed_clear(map);
    awmap_note_pushed(map, awmap_writer_counter(map));
    awmap_purge(map, SIZE_MAX);
}

static bool has(const struct awmap *map, const char *key)
{
    return awmap_find(map, span_text(key)) != NULL;
}

static struct awmap_push_result push(struct awmap *to, const struct awmap *from, uint64_t at)
{
    struct buffer body = {0};
    struct awmap_push_result result;
    CU_ASSERT_EQUAL(awmap_push_cut(from, at, 100000, &body), awmap_writer_counter(from));
    CU_ASSERT_TRUE(awmap_push_apply(to, buffer_view(&body), &result));
    buffer_release(&body);
    return result;
}

static struct awmap_walk walk_between(const struct awmap *from, const struct awmap *to,
                                      bool *ret_behind)
{
    struct awmap_walk walk = {0};
    struct buffer position = {0};
    awmap_position_encode(to, NULL, &position);
    CU_ASSERT_TRUE(awmap_walk_begin(&walk, from, buffer_view(&position), ret_behind));
    buffer_release(&position);
    return walk;
}

static struct buffer walk_body(struct awmap_walk *walk, const struct awmap *from, size_t bytes_max)
{
    struct buffer body = {0};
    awmap_walk_cut(walk, from, bytes_max, &body);
    return body;
}

static bool equal(const struct awmap *a, const struct awmap *b)
{
    struct awmap_digest x = awmap_digest(a), y = awmap_digest(b);
    return memcmp(&x, &y, sizeof x) == 0;
}

static uint64_t seen(const struct awmap *map, uint64_t replica)
{
    return vector_get(awmap_seen(map), replica);
}

/* --- Push ------------------------------------------------------------------------------------ */

static void a_push_is_integrated(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "v");
    struct awmap_push_result result = push(b, a, 0);
    CU_ASSERT_TRUE(result.replica == 1 && !result.gap && result.news && has(b, "k"));
    CU_ASSERT_TRUE(equal(a, b));
    result = push(b, a, 0);
    CU_ASSERT_TRUE(!result.gap && !result.news); /* nothing to relay */
    struct buffer body = {0};
    CU_ASSERT_EQUAL(awmap_push_cut(a, 1, 1000, &body), 1); /* nothing to send */
    CU_ASSERT_EQUAL(body.bytes, 0);
    awmap_free(a);
    awmap_free(b);
}

static void a_gap_is_told(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "v");
    put(a, "l", "v");
    struct awmap_push_result result = push(b, a, 1);
    CU_ASSERT_TRUE(result.gap && result.news && has(b, "l") && !has(b, "k"));
    CU_ASSERT_EQUAL(seen(b, 1), 0);
    awmap_free(a);
    awmap_free(b);
}

static void a_push_below_the_horizon_raises_nothing(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "v");
    push(b, a, 0);
    awmap_remove(a, span_text("k"));
    drop_tombstones(a);
    put(a, "l", "v");
    struct awmap_push_result result = push(b, a, 1);
    CU_ASSERT_TRUE(result.gap && has(b, "l") && has(b, "k"));
    CU_ASSERT_EQUAL(seen(b, 1), 1);
    awmap_free(a);
    awmap_free(b);
}

/* Cuts and delivers one slice after the other. */
static struct awmap_push_result push_slices(struct awmap *to, const struct awmap *from,
                                            unsigned *ret_count, unsigned *ret_gaps)
{
    struct awmap_push_result result = {0};
    uint64_t at = 0;
    for (*ret_count = *ret_gaps = 0; at < awmap_writer_counter(from); ++*ret_count) {
        struct buffer body = {0};
        uint64_t end = awmap_push_cut(from, at, 60, &body);
        CU_ASSERT_TRUE_FATAL(end > at);
        CU_ASSERT_TRUE(awmap_push_apply(to, buffer_view(&body), &result));
        *ret_gaps += result.gap;
        buffer_release(&body);
        at = end;
    }
    return result;
}

static void slices_raise_when_nothing_is_hidden(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    unsigned count, gaps;
    char key[8];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "%u", i);
        put(a, key, "some value");
    }
    push_slices(b, a, &count, &gaps);
    CU_ASSERT_TRUE(count > 3 && gaps == 0 && equal(a, b));
    put(a, "3", "again"); /* now a slice hides the dot that this replaced */
    struct awmap *c = map_of(3);
    push_slices(c, a, &count, &gaps);
    CU_ASSERT_TRUE(seen(c, 1) < 4);
    CU_ASSERT_TRUE(gaps > 0);
    CU_ASSERT_EQUAL(awmap_count(c), 20);
    awmap_free(a);
    awmap_free(b);
    awmap_free(c);
}

/* --- Walk ------------------------------------------------------------------------------------ */

static struct awmap *map_with(uint64_t writer, unsigned keys)
{
    struct awmap *map = map_of(writer);
    char key[32];
    for (unsigned i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "%llu/%u", (unsigned long long)writer, i);
        put(map, key, "some value of some length");
    }
    return map;
}

static void a_walk_catches_up(void)
{
    struct awmap *a = map_with(1, 100), *b = map_with(2, 30);
    bool behind, last = false;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct awmap_walk_intake intake = {0};
    unsigned bodies = 0;
    CU_ASSERT_FALSE(behind);
    for (; !walk.done; bodies++) {
        CU_ASSERT_EQUAL(seen(b, 1), 0); /* MIDWALK */
        struct buffer body = walk_body(&walk, a, 500);
        CU_ASSERT_TRUE(body.bytes <= 600);
        CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
        CU_ASSERT_EQUAL(last, walk.done);
        buffer_release(&body);
    }
    CU_ASSERT_TRUE(bodies > 5);
    CU_ASSERT_EQUAL(awmap_count(b), 130);
    CU_ASSERT_EQUAL(seen(b, 1), 100);
    awmap_walk_release(&walk);
    walk = walk_between(a, b, &behind);
    struct buffer body = walk_body(&walk, a, 500);
    CU_ASSERT_TRUE(walk.done && body.bytes < 20);
    buffer_release(&body);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
}

static void a_lost_body_is_noticed(void)
{
    struct awmap *a = map_with(1, 50), *b = map_of(2);
    bool behind, last = false;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct awmap_walk_intake intake = {0};
    for (unsigned i = 0; !walk.done; i++) {
        struct buffer body = walk_body(&walk, a, 500);
        if (i != 1)
            CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    CU_ASSERT_TRUE(last && intake.broken);
    CU_ASSERT_TRUE(awmap_count(b) > 0 && awmap_count(b) < 50);
    CU_ASSERT_EQUAL(seen(b, 1), 0);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
}

static void a_repeated_body_is_harmless(void)
{
    struct awmap *a = map_with(1, 50), *b = map_of(2);
    bool behind, last = false;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct awmap_walk_intake intake = {0};
    while (!walk.done) {
        struct buffer body = walk_body(&walk, a, 500);
        CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
        CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    CU_ASSERT_TRUE(equal(a, b));
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
}

static void changes_during_a_walk_are_not_lost(void)
{
    struct awmap *a = map_with(1, 50), *b = map_of(2);
    bool behind, last = false;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct awmap_walk_intake intake = {0};
    for (unsigned i = 0; !walk.done; i++) {
        if (i < 3)
            put(a, "1/3", "changed");
        struct buffer body = walk_body(&walk, a, 300);
        CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
        buffer_release(&body);
    }
    CU_ASSERT_EQUAL(seen(b, 1), 50); /* what the sender had at the beginning */
    const struct awmap_entry *entry = awmap_find(b, span_text("1/3"));
    CU_ASSERT_EQUAL(awmap_entry_sibling(entry, 0).dot.counter, 53);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
}

static void tombstones_dropped_ahead_end_a_walk(void)
{
    struct awmap *a = map_with(1, 50), *b = map_of(2);
    awmap_remove(a, span_text("1/0"));
    bool behind, last = false;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct awmap_walk_intake intake = {0};
    struct buffer body = walk_body(&walk, a, 300);
    CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last) && !last);
    drop_tombstones(a);
    buffer_clear(&body);
    awmap_walk_cut(&walk, a, 300, &body);
    CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
    CU_ASSERT_TRUE(walk.done && last);
    CU_ASSERT_EQUAL(seen(b, 1), 0);
    awmap_walk_release(&walk);
    walk = walk_between(a, b, &behind);
    CU_ASSERT_TRUE(behind);
    buffer_release(&body);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
}

static void a_key_of_many_writers_is_sent_once(void)
{
    struct awmap *a = map_with(1, 20), *c = map_of(3), *b = map_of(2);
    push(c, a, 0);
    for (unsigned i = 0; i < 20; i++) {
        char key[32];
        snprintf(key, sizeof key, "1/%u", i);
        put(c, key, "one that is long enough to be noticed when it is sent twice");
    }
    bool behind, last;
    struct awmap_walk walk = walk_between(c, b, &behind);
    struct buffer body = walk_body(&walk, c, 100000);
    struct awmap_walk_intake intake = {0};
    CU_ASSERT_TRUE(awmap_walk_apply(b, &intake, buffer_view(&body), &last));
    CU_ASSERT_TRUE(last && equal(b, c));
    CU_ASSERT_TRUE(body.bytes < 20 * 100);
    buffer_release(&body);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
    awmap_free(c);
}

static void claims_hold_only_above_their_low(void)
{
    struct awmap *a = map_with(1, 10), *b = map_of(2), *other = map_of(3);
    push(b, a, 0);
    put(a, "new", "v");
    bool behind, last;
    struct awmap_walk walk = walk_between(a, b, &behind);
    struct buffer body = walk_body(&walk, a, 1000);
    struct awmap_walk_intake intake = {0};
    CU_ASSERT_TRUE(awmap_walk_apply(other, &intake, buffer_view(&body), &last));
    CU_ASSERT_TRUE(has(other, "new"));
    CU_ASSERT_EQUAL(seen(other, 1), 0); /* the body was cut for b */
    buffer_release(&body);
    awmap_walk_release(&walk);
    awmap_free(a);
    awmap_free(b);
    awmap_free(other);
}

/* --- Full comparison ------------------------------------------------------------------------- */

static void full_between(struct awmap *to, const struct awmap *from, uint32_t buckets,
                         size_t bytes_max)
{
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    bool last = false;
    for (awmap_full_begin(&full, from, buckets); !full.done;) {
        struct buffer body = {0};
        awmap_full_cut(&full, from, bytes_max, &body);
        CU_ASSERT_TRUE(awmap_full_apply(to, &intake, buffer_view(&body), &last));
        CU_ASSERT_EQUAL(last, full.done);
        buffer_release(&body);
    }
    awmap_full_release(&full);
    awmap_check(to);
}

static void a_full_comparison_makes_equal(void)
{
    for (size_t bytes_max = 1; bytes_max < 100000; bytes_max *= 7) {
        struct awmap *a = map_with(1, 300), *b = map_of(2);
        push(b, a, 0);
        for (unsigned i = 0; i < 300; i += 2) {
            char key[32];
            snprintf(key, sizeof key, "1/%u", i);
            awmap_remove(a, span_text(key));
        }
        drop_tombstones(a);
        bool behind;
        struct awmap_walk walk = walk_between(a, b, &behind);
        CU_ASSERT_TRUE(behind);
        awmap_walk_release(&walk);
        put(b, "mine", "stays");
        full_between(b, a, UINT32_MAX, bytes_max);
        CU_ASSERT_EQUAL(awmap_count(b), 151);
        CU_ASSERT_TRUE(has(b, "mine"));
        CU_ASSERT_EQUAL(seen(b, 1), 450);
        CU_ASSERT_EQUAL(vector_get(awmap_horizon(b), 1), 449 + 1);
        full_between(a, b, UINT32_MAX, bytes_max);
        CU_ASSERT_TRUE(equal(a, b));
        awmap_free(a);
        awmap_free(b);
    }
}

static void some_buckets_raise_nothing(void)
{
    struct awmap *a = map_with(1, 200), *b = map_of(2);
    struct awmap_digest digest = awmap_digest(a);
    full_between(b, a, 1u << 7 | 1u << 31, 100);
    CU_ASSERT_TRUE(awmap_count(b) > 0 && awmap_count(b) < 50);
    CU_ASSERT_EQUAL(awmap_seen(b)->count, 0);
    struct awmap_digest partly = awmap_digest(b);
    for (unsigned i = 0; i < AWMAP_BUCKETS; i++)
        CU_ASSERT_EQUAL(partly.buckets[i], i == 7 || i == 31 ? digest.buckets[i] : 0);
    full_between(b, a, 0, 100);
    awmap_free(a);
    awmap_free(b);
}

static void bodies_out_of_order_are_refused(void)
{
    struct awmap *a = map_with(1, 50), *b = map_of(2);
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    struct buffer first = {0}, second = {0}, other = {0};
    bool last;
    awmap_full_begin(&full, a, UINT32_MAX);
    awmap_full_cut(&full, a, 200, &first);
    awmap_full_cut(&full, a, 200, &second);
    put(a, "late", "v");
    awmap_full_begin(&full, a, UINT32_MAX);
    awmap_full_cut(&full, a, 200, &other);
    buffer_clear(&other);
    awmap_full_cut(&full, a, 200, &other); /* the second of another session */
    CU_ASSERT_FALSE(awmap_full_apply(b, &intake, buffer_view(&second), &last));
    CU_ASSERT_EQUAL(awmap_count(b), 0);
    CU_ASSERT_TRUE(awmap_full_apply(b, &intake, buffer_view(&first), &last));
    CU_ASSERT_FALSE(awmap_full_apply(b, &intake, buffer_view(&first), &last));
    CU_ASSERT_FALSE(awmap_full_apply(b, &intake, buffer_view(&other), &last));
    CU_ASSERT_TRUE(awmap_full_apply(b, &intake, buffer_view(&second), &last));
    awmap_full_release(&full);
    buffer_release(&first);
    buffer_release(&second);
    buffer_release(&other);
    awmap_free(a);
    awmap_free(b);
}

static void an_empty_map_is_one_body(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(b, "mine", "stays");
    struct awmap_full full = {0};
    struct awmap_full_intake intake = {0};
    struct buffer body = {0};
    bool last = false;
    awmap_full_begin(&full, a, UINT32_MAX);
    awmap_full_cut(&full, a, 1, &body);
    CU_ASSERT_TRUE(full.done && body.bytes < 40);
    CU_ASSERT_TRUE(awmap_full_apply(b, &intake, buffer_view(&body), &last) && last);
    CU_ASSERT_TRUE(has(b, "mine"));
    awmap_full_release(&full);
    buffer_release(&body);
    awmap_free(a);
    awmap_free(b);
}

static void bodies_of_another_kind_are_refused(void)
{
    struct awmap *a = map_with(1, 3), *b = map_of(2);
    struct awmap_walk walk = {0};
    struct awmap_walk_intake walk_intake = {0};
    struct awmap_full_intake full_intake = {0};
    struct awmap_push_result result;
    struct buffer body = {0}, position = {0};
    bool flag;
    awmap_push_cut(a, 0, 1000, &body);
    awmap_position_encode(a, NULL, &position);
    CU_ASSERT_FALSE(awmap_walk_apply(b, &walk_intake, buffer_view(&body), &flag));
    CU_ASSERT_FALSE(awmap_full_apply(b, &full_intake, buffer_view(&body), &flag));
    CU_ASSERT_FALSE(awmap_walk_begin(&walk, b, buffer_view(&body), &flag));
    CU_ASSERT_FALSE(awmap_push_apply(b, buffer_view(&position), &result));
    body.data[1]++; /* a later version */
    CU_ASSERT_FALSE(awmap_push_apply(b, buffer_view(&body), &result));
    CU_ASSERT_EQUAL(awmap_count(b), 0);
    buffer_release(&body);
    buffer_release(&position);
    awmap_free(a);
    awmap_free(b);
}

UNIT_MAIN("exchange", {"push", a_push_is_integrated}, {"push gap", a_gap_is_told},
          {"push horizon", a_push_below_the_horizon_raises_nothing},
          {"push slices", slices_raise_when_nothing_is_hidden}, {"walk", a_walk_catches_up},
          {"walk, body lost", a_lost_body_is_noticed},
          {"walk, body repeated", a_repeated_body_is_harmless},
          {"walk, changes", changes_during_a_walk_are_not_lost},
          {"walk, tombstones dropped", tombstones_dropped_ahead_end_a_walk},
          {"walk, sent once", a_key_of_many_writers_is_sent_once},
          {"walk, claims", claims_hold_only_above_their_low},
          {"full", a_full_comparison_makes_equal}, {"full, buckets", some_buckets_raise_nothing},
          {"full, order", bodies_out_of_order_are_refused},
          {"full, empty", an_empty_map_is_one_body}, {"kinds", bodies_of_another_kind_are_refused})
