/* crdt/awmap.c, entry.c, join.c, record.c, digest.c: one map, and what it keeps about itself. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "crdt/awmap_private.h"
#include "crdt/record.h"

static struct awmap *map_of(uint64_t writer)
{
    struct awmap *map = awmap_new();
    awmap_set_writer(map, writer, 0);
    return map;
}

static struct dot put(struct awmap *map, const char *key, const char *value, uint64_t hlc)
{
    return awmap_put(map, span_text(key), span_text(value), hlc);
}

static bool reads(const struct awmap *map, const char *key, const char *value)
{
    const struct awmap_entry *entry = awmap_find(map, span_text(key));
    return entry && span_equal(awmap_entry_sibling(entry, 0).value, span_text(value));
}

/* Joins one key of a map into another. */
static void give(struct awmap *to, const struct awmap *from, const char *key)
{
    const struct awmap_entry *entry = entry_find(from, span_text(key));
    struct state state = entry_state(entry);
    bool news;
    CU_ASSERT_TRUE(entry_join(to, span_text(key), &state, &news));
}

static void puts_and_removes(void)
{
    struct awmap *map = map_of(9);
    struct dot dot = put(map, "k", "one", 1);
    CU_ASSERT_TRUE(dot_equal(dot, ((struct dot){9, 1})));
    CU_ASSERT_TRUE(reads(map, "k", "one"));
    put(map, "k", "two", 2);
    CU_ASSERT_TRUE(reads(map, "k", "two"));
    CU_ASSERT_EQUAL(awmap_count(map), 1);
    CU_ASSERT_EQUAL(awmap_remove(map, span_text("none")).counter, 0);
    CU_ASSERT_EQUAL(awmap_remove(map, span_text("k")).counter, 3);
    CU_ASSERT_EQUAL(awmap_remove(map, span_text("k")).counter, 0); /* nothing is there */
    CU_ASSERT_PTR_NULL(awmap_find(map, span_text("k")));
    CU_ASSERT_EQUAL(awmap_count(map), 0);
    CU_ASSERT_EQUAL(awmap_tombstone_count(map), 1);
    CU_ASSERT_EQUAL(vector_get(awmap_seen(map), 9), 3);
    CU_ASSERT_EQUAL(awmap_writer_counter(map), 3);
    awmap_check(map);
    awmap_free(map);
    awmap_free(NULL);
}

static void a_value_may_be_its_own_source(void)
{
    struct awmap *map = map_of(1);
    put(map, "k", "value", 1);
    const struct awmap_entry *entry = awmap_find(map, span_text("k"));
    awmap_put(map, awmap_entry_key(entry), awmap_entry_sibling(entry, 0).value, 2);
    CU_ASSERT_TRUE(reads(map, "k", "value"));
    awmap_free(map);
}

static void the_writer_changes(void)
{
    struct awmap *map = map_of(1);
    put(map, "k", "a", 1);
    awmap_set_writer(map, 1, 65536); /* the block was reserved */
    CU_ASSERT_EQUAL(put(map, "k", "b", 2).counter, 65537);
    awmap_set_writer(map, 2, 0);
    struct dot dot = put(map, "k", "c", 3);
    CU_ASSERT_TRUE(dot_equal(dot, ((struct dot){2, 1})));
    CU_ASSERT_EQUAL(vector_get(awmap_seen(map), 1), 65537);
    CU_ASSERT_EQUAL(awmap_writer(map), 2);
    awmap_check(map);
    awmap_free(map);
}

static void concurrent_puts_are_siblings(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "older", 10);
    put(b, "k", "newer", 11);
    give(a, b, "k");
    give(b, a, "k");
    const struct awmap_entry *entry = awmap_find(a, span_text("k"));
    CU_ASSERT_EQUAL_FATAL(awmap_entry_count(entry), 2);
    CU_ASSERT_TRUE(reads(a, "k", "newer") && reads(b, "k", "newer"));
    CU_ASSERT_EQUAL(awmap_entry_sibling(entry, 1).hlc, 10);
    put(a, "k", "both seen", 5); /* replaces both, whatever its clock */
    give(b, a, "k");
    CU_ASSERT_TRUE(reads(b, "k", "both seen"));
    CU_ASSERT_EQUAL(awmap_entry_count(awmap_find(b, span_text("k"))), 1);
    awmap_check(b);
    awmap_free(a);
    awmap_free(b);
}

static void adds_win(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "first", 1);
    give(b, a, "k");
    put(a, "k", "second", 2);
    awmap_remove(b, span_text("k")); /* has seen only the first */
    give(a, b, "k");
    give(b, a, "k");
    CU_ASSERT_TRUE(reads(a, "k", "second") && reads(b, "k", "second"));
    awmap_free(a);
    awmap_free(b);
}

static void siblings_are_bounded(void)
{
    struct awmap *map = map_of(1);
    for (uint64_t writer = 100; writer < 100 + AWMAP_SIBLINGS_MAX + 10; writer++) {
        struct awmap *other = map_of(writer);
        put(other, "k", "v", writer);
        give(map, other, "k");
        awmap_free(other);
    }
    const struct awmap_entry *entry = awmap_find(map, span_text("k"));
    CU_ASSERT_EQUAL(awmap_entry_count(entry), AWMAP_SIBLINGS_MAX);
    CU_ASSERT_EQUAL(awmap_entry_sibling(entry, 0).hlc, 100 + AWMAP_SIBLINGS_MAX + 9);
    CU_ASSERT_EQUAL(awmap_entry_sibling(entry, AWMAP_SIBLINGS_MAX - 1).hlc, 110);
    awmap_check(map);
    awmap_free(map);
}

static void iteration_is_ordered(void)
{
    enum { COUNT = 5000 };
    struct awmap *map = map_of(1);
    char key[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "key/%u", i);
        put(map, key, "v", i);
    }
    for (unsigned i = 0; i < COUNT; i += 3) {
        snprintf(key, sizeof key, "key/%u", i);
        awmap_remove(map, span_text(key));
    }
    awmap_check(map);
    size_t count = 0, any = 0;
    uint64_t hash = 0;
    const struct awmap_entry *entry = NULL;
    while ((entry = awmap_next(map, entry))) {
        CU_ASSERT_TRUE(entry->block->hash >= hash && awmap_entry_count(entry) == 1);
        hash = entry->block->hash;
        count++;
    }
    while ((entry = awmap_next_any(map, entry)))
        any++;
    CU_ASSERT_EQUAL(count, awmap_count(map));
    CU_ASSERT_EQUAL(any, COUNT);
    awmap_note_pushed(map, UINT64_MAX);
    awmap_changed_clear(map);
    CU_ASSERT_EQUAL(awmap_purge(map, SIZE_MAX), COUNT - count);
    CU_ASSERT_EQUAL(awmap_tombstone_count(map), 0);
    awmap_check(map);
    awmap_free(map);
}

static void the_feed_tells_each_key_once(void)
{
    struct awmap *map = map_of(1);
    put(map, "a", "1", 1);
    put(map, "b", "1", 1);
    put(map, "a", "2", 2);
    awmap_remove(map, span_text("b"));
    CU_ASSERT_EQUAL_FATAL(awmap_changed_count(map), 2);
    CU_ASSERT_TRUE(span_equal(awmap_entry_key(awmap_changed(map, 0)), span_text("a")));
    CU_ASSERT_EQUAL(awmap_entry_count(awmap_changed(map, 1)), 0);
    CU_ASSERT_TRUE(awmap_seen_changed(map));
    awmap_changed_clear(map);
    CU_ASSERT_EQUAL(awmap_changed_count(map), 0);
    CU_ASSERT_FALSE(awmap_seen_changed(map));
    struct awmap *other = map_of(2);
    give(other, map, "a");
    give(other, map, "a"); /* nothing new */
    CU_ASSERT_EQUAL(awmap_changed_count(other), 1);
    awmap_changed_clear(other);
    give(other, map, "a");
    CU_ASSERT_EQUAL(awmap_changed_count(other), 0);
    awmap_free(map);
    awmap_free(other);
}

static void tombstones_go_when_covered(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "v", 1);
    awmap_remove(a, span_text("k"));
    awmap_changed_clear(a);
    CU_ASSERT_EQUAL(awmap_purge(a, 10), 0); /* its slice was not cut */
    awmap_note_pushed(a, 2);
    give(b, a, "k");
    CU_ASSERT_EQUAL(awmap_tombstone_count(b), 1);
    awmap_changed_clear(b);
    CU_ASSERT_EQUAL(awmap_purge(b, 10), 0); /* b has not integrated those dots */
    CU_ASSERT_EQUAL(awmap_purge(a, 0), 0);
    CU_ASSERT_EQUAL(awmap_purge(a, 10), 1);
    CU_ASSERT_EQUAL(vector_get(awmap_horizon(a), 1), 2);
    CU_ASSERT_TRUE(awmap_seen_changed(a));
    give(a, b, "k"); /* the tombstone does not return */
    CU_ASSERT_EQUAL(awmap_tombstone_count(a), 0);
    awmap_check(a);
    awmap_check(b);
    awmap_free(a);
    awmap_free(b);
}

static void covered_dots_do_not_return(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    put(a, "k", "v", 1);
    give(b, a, "k");
    awmap_remove(a, span_text("k"));
    awmap_changed_clear(a);
    awmap_note_pushed(a, 2);
    awmap_purge(a, 1);
    give(a, b, "k"); /* NOSEEN */
    CU_ASSERT_PTR_NULL(awmap_find(a, span_text("k")));
    awmap_free(a);
    awmap_free(b);
}

/* An old disk image came back, and a peer knows more of this writer than it does itself. */
static void foreign_dots_of_the_own_writer(void)
{
    struct awmap *lost = map_of(1), *map = map_of(1);
    for (uint64_t i = 0; i < 10; i++)
        put(lost, "k", "later", i);
    put(map, "k", "early", 1);
    put(map, "other", "early", 1);
    give(map, lost, "k");
    awmap_check(map);
    CU_ASSERT_TRUE(reads(map, "k", "later"));
    CU_ASSERT_EQUAL(awmap_writer_counter(map), 2);
    CU_ASSERT_EQUAL(put(map, "other", "x", 2).counter, 3);
    CU_ASSERT_EQUAL(put(map, "k", "mine", 2).counter, 11); /* else it would count as replaced */
    CU_ASSERT_TRUE(reads(map, "k", "mine"));
    CU_ASSERT_TRUE(map_raise_seen(map, (struct dot){1, DOT_COUNTER_MAX}));
    CU_ASSERT_EQUAL(put(map, "k", "no counter left", 3).counter, 0);
    CU_ASSERT_EQUAL(awmap_remove(map, span_text("k")).counter, 0);
    CU_ASSERT_TRUE(reads(map, "k", "mine"));
    awmap_check(map);
    awmap_free(lost);
    awmap_free(map);
}

static void digests_follow_content(void)
{
    struct awmap *a = map_of(1), *b = map_of(2);
    struct awmap_digest empty = awmap_digest(a), x, y;
    put(a, "k", "v", 1);
    put(a, "l", "v", 1);
    x = awmap_digest(a);
    CU_ASSERT_NOT_EQUAL(memcmp(&empty, &x, sizeof x), 0);
    give(b, a, "l");
    give(b, a, "k");
    y = awmap_digest(b);
    CU_ASSERT_EQUAL(memcmp(x.buckets, y.buckets, sizeof x.buckets), 0);
    CU_ASSERT_NOT_EQUAL(x.seen_hash, y.seen_hash); /* b has integrated nothing yet */
    uint8_t s[16], t[16];
    awmap_digest_summary(&x, s);
    awmap_digest_summary(&y, t);
    CU_ASSERT_NOT_EQUAL(memcmp(s, t, 8), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(s + 8, t + 8, 8), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(s, s + 8, 8), 0);
    awmap_remove(a, span_text("k"));
    awmap_remove(a, span_text("l"));
    x = awmap_digest(a);
    CU_ASSERT_EQUAL(memcmp(x.buckets, empty.buckets, sizeof x.buckets), 0);
    awmap_free(a);
    awmap_free(b);
}

/* Nodes of all versions must agree on these. */
static void hashes_are_frozen(void)
{
    CU_ASSERT_EQUAL(hash_key(span_text("")), UINT64_C(0x340657aa8df2bb3e));
    CU_ASSERT_EQUAL(hash_key(span_text("w/default/web")), UINT64_C(0x8e6bcf1c91b7eda7));
    CU_ASSERT_EQUAL(hash_key(span_text("12345678")), UINT64_C(0x1f25b595147a2580));
}

static void hashes_spread(void)
{
    enum { COUNT = 256 * 400 };
    static uint32_t ranges[AWMAP_RANGES];
    char key[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "c/default/web/%u", i);
        ranges[hash_key(span_text(key)) >> AWMAP_RANGE_SHIFT]++;
    }
    for (size_t i = 0; i < AWMAP_RANGES; i++)
        CU_ASSERT_TRUE(ranges[i] > 300 && ranges[i] < 500); /* 400, five standard deviations */
}

/* Equal hashes cannot be made up easily, so the sorted array is tried directly. */
static void equal_numbers_fall_back_to_keys(void)
{
    enum { COUNT = 3000 };
    struct awmap *map = map_of(1);
    struct sorted sorted = {0};
    char key[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "%u", i * 7919 % COUNT);
        put(map, key, "", 0);
        sorted_insert(&sorted, 5, entry_find(map, span_text(key)));
    }
    CU_ASSERT_EQUAL(sorted_check(&sorted), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "%u", i);
        struct awmap_entry *entry = entry_find(map, span_text(key));
        CU_ASSERT_PTR_EQUAL(sorted_find(&sorted, 5, span_text(key)), entry);
        CU_ASSERT_PTR_NULL(sorted_find(&sorted, 6, span_text(key)));
        if (i % 10 != 0)
            sorted_remove(&sorted, 5, entry);
    }
    CU_ASSERT_EQUAL(sorted_check(&sorted), COUNT / 10);
    sorted_release(&sorted);
    awmap_free(map);
}

static void records_come_back(void)
{
    struct awmap *map = map_of(7), *back = awmap_new();
    struct buffer older = {0}, newer = {0}, vectors = {0}, before = {0};
    put(map, "k", "older", 1);
    awmap_entry_record(awmap_find(map, span_text("k")), &older);
    awmap_vectors_record(map, &before);
    put(map, "k", "newer", 2);
    awmap_entry_record(awmap_find(map, span_text("k")), &newer);
    awmap_vectors_record(map, &vectors);
    const struct buffer *written[] = {&older, &before, &newer, &vectors};
    for (size_t i = 0; i < 8; i++) /* twice: what is repeated changes nothing */
        CU_ASSERT_TRUE(awmap_restore(back, buffer_view(written[i % 4])));
    CU_ASSERT_TRUE(reads(back, "k", "newer"));
    CU_ASSERT_TRUE(vector_equal(awmap_seen(map), awmap_seen(back)));
    CU_ASSERT_FALSE(awmap_restore(back, span_text("")));
    CU_ASSERT_FALSE(awmap_restore(back, span_text("E")));
    awmap_set_writer(back, 7, awmap_writer_counter(map));
    CU_ASSERT_EQUAL(put(back, "k", "next", 3).counter, 3);
    awmap_check(back);
    awmap_free(map);
    awmap_free(back);
    buffer_release(&older);
    buffer_release(&newer);
    buffer_release(&vectors);
    buffer_release(&before);
}

static bool entry_decodes(struct buffer *entry)
{
    struct buffer record = {0};
    struct awmap *map = awmap_new();
    body_begin(&record, RECORD_ENTRY);
    buffer_append(&record, entry->data, entry->bytes);
    bool good = awmap_restore(map, buffer_view(&record));
    awmap_check(map);
    awmap_free(map);
    buffer_release(&record);
    buffer_release(entry);
    return good;
}

/* key "k", one dot, one sibling with that dot; each argument is one thing to spoil. */
static struct buffer entry_bytes(uint64_t contexts, uint64_t lives, uint64_t number,
                                 uint64_t replica, uint64_t counter_zigzag, uint64_t at,
                                 uint64_t value_bytes)
{
    struct buffer bytes = {0};
    buffer_text(&bytes, "k");
    buffer_varint(&bytes, contexts);
    buffer_varint(&bytes, lives);
    buffer_varint(&bytes, number);
    buffer_u64(&bytes, replica);
    buffer_varint(&bytes, counter_zigzag);
    buffer_varint(&bytes, at);
    buffer_varint(&bytes, 2);
    buffer_varint(&bytes, value_bytes);
    buffer_append(&bytes, "value", 5);
    return bytes;
}

static void bad_entries_are_refused(void)
{
    static const struct {
        uint64_t contexts, lives, number, replica, counter_zigzag, at, value_bytes;
        bool good;
    } cases[] = {
        {1, 1, 0, 3, 8, 0, 5, true},
        {1, 1, 0, 3, 2 * DOT_COUNTER_MAX, 0, 5, true},
        {1, 1, 0, 3, 2 * DOT_COUNTER_MAX + 2, 0, 5, false}, /* counter too great */
        {1, 1, 0, 3, 0, 0, 5, false},                       /* counter zero */
        {1, 1, 0, 0, 8, 0, 5, false},                       /* replica zero */
        {1, 1, 1, 3, 8, 0, 5, false},                       /* a replica not yet met */
        {1, 1, 0, 3, 8, 1, 5, false},                       /* a sibling without its dot */
        {0, 0, 0, 3, 8, 0, 5, false},                       /* no dot */
        {1, 2, 0, 3, 8, 0, 5, false},                       /* more siblings than dots */
        {60000, 1, 0, 3, 8, 0, 5, false},                   /* more dots than bytes */
        {1, AWMAP_SIBLINGS_MAX + 1, 0, 3, 8, 0, 5, false},
        {AWMAP_CONTEXT_MAX + 1, 1, 0, 3, 8, 0, 5, false},
        {1, 1, 0, 3, 8, 0, 6, false}, /* value cut off */
        {1, 1, 0, 3, 8, 0, 4, false}, /* something left over */
        {1, 1, 0, 3, 8, 0, AWMAP_VALUE_BYTES_MAX + 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer bytes =
            entry_bytes(cases[i].contexts, cases[i].lives, cases[i].number, cases[i].replica,
                        cases[i].counter_zigzag, cases[i].at, cases[i].value_bytes);
        CU_ASSERT_EQUAL(entry_decodes(&bytes), cases[i].good);
    }
}

UNIT_MAIN("awmap", {"put and remove", puts_and_removes},
          {"own source", a_value_may_be_its_own_source}, {"writer", the_writer_changes},
          {"siblings", concurrent_puts_are_siblings}, {"add wins", adds_win},
          {"siblings bounded", siblings_are_bounded}, {"iteration", iteration_is_ordered},
          {"feed", the_feed_tells_each_key_once}, {"tombstones", tombstones_go_when_covered},
          {"covered dots", covered_dots_do_not_return},
          {"dots of the own writer", foreign_dots_of_the_own_writer},
          {"digest", digests_follow_content}, {"golden hashes", hashes_are_frozen},
          {"spread of hashes", hashes_spread}, {"equal numbers", equal_numbers_fall_back_to_keys},
          {"records", records_come_back}, {"bad entries", bad_entries_are_refused})
