/* crdt/dot.c: dots and vectors. */
#include "unit.h"

#include "crdt/dot.h"

static void dots_are_ordered(void)
{
    struct dot a = {2, 1}, b = {1, 2}, c = {2, 2};
    CU_ASSERT_TRUE(dot_compare(a, b) < 0); /* the counter counts first */
    CU_ASSERT_TRUE(dot_compare(b, c) < 0);
    CU_ASSERT_TRUE(dot_compare(c, a) > 0);
    CU_ASSERT_EQUAL(dot_compare(a, a), 0);
    CU_ASSERT_TRUE(dot_equal(a, a) && !dot_equal(a, b));
}

static void vectors_rise(void)
{
    struct vector vector = {0};
    CU_ASSERT_EQUAL(vector_get(&vector, 7), 0);
    CU_ASSERT_FALSE(vector_raise(&vector, 7, 0)); /* zero is absence */
    for (uint64_t replica = 100; replica > 0; replica--)
        CU_ASSERT_TRUE(vector_raise(&vector, replica * 3, replica));
    CU_ASSERT_EQUAL(vector.count, 100);
    for (uint32_t i = 1; i < vector.count; i++)
        CU_ASSERT_TRUE(vector.items[i - 1].replica < vector.items[i].replica);
    CU_ASSERT_EQUAL(vector_get(&vector, 30), 10);
    CU_ASSERT_EQUAL(vector_get(&vector, 31), 0);
    CU_ASSERT_FALSE(vector_raise(&vector, 30, 9));
    CU_ASSERT_FALSE(vector_raise(&vector, 30, 10));
    CU_ASSERT_TRUE(vector_raise(&vector, 30, 11));
    CU_ASSERT_TRUE(vector_covers(&vector, (struct dot){30, 11}));
    CU_ASSERT_FALSE(vector_covers(&vector, (struct dot){30, 12}));
    vector_remove(&vector, 30);
    vector_remove(&vector, 31);
    CU_ASSERT_EQUAL(vector.count, 99);
    CU_ASSERT_EQUAL(vector_get(&vector, 30), 0);
    CU_ASSERT_EQUAL(vector_get(&vector, 33), 11);
    vector_release(&vector);
    CU_ASSERT_EQUAL(vector.count, 0);
}

static void vectors_compare(void)
{
    struct vector a = {0}, b = {0}, none = {0};
    vector_raise(&a, 1, 5);
    vector_raise(&a, 2, 5);
    vector_copy(&b, &a);
    CU_ASSERT_TRUE(vector_equal(&a, &b));
    vector_raise(&b, 3, 1);
    CU_ASSERT_FALSE(vector_equal(&a, &b));
    CU_ASSERT_TRUE(vector_covers_all(&b, &a));
    CU_ASSERT_FALSE(vector_covers_all(&a, &b));
    CU_ASSERT_TRUE(vector_covers_all(&none, &none));
    CU_ASSERT_TRUE(vector_covers_all(&a, &none));
    vector_copy(&b, &none);
    CU_ASSERT_TRUE(vector_equal(&b, &none));
    vector_release(&a);
    vector_release(&b);
}

static bool decodes(const struct buffer *buffer)
{
    struct vector vector = {0};
    struct reader reader = reader_of(buffer_view(buffer));
    bool good = vector_decode(&vector, &reader) && reader_done(&reader);
    vector_release(&vector);
    return good;
}

static void vectors_come_back(void)
{
    struct vector vector = {0}, back = {0};
    struct buffer buffer = {0};
    vector_raise(&vector, UINT64_MAX, DOT_COUNTER_MAX);
    vector_raise(&vector, 5, 1);
    vector_raise(&back, 77, 1);
    vector_encode(&vector, &buffer);
    struct reader reader = reader_of(buffer_view(&buffer));
    CU_ASSERT_TRUE(vector_decode(&back, &reader) && reader_done(&reader));
    CU_ASSERT_TRUE(vector_equal(&vector, &back));
    for (; buffer.bytes > 0; buffer.bytes--) {
        buffer.bytes--;
        CU_ASSERT_FALSE(decodes(&buffer)); /* cut anywhere */
        buffer.bytes++;
    }
    vector_release(&vector);
    vector_release(&back);
    buffer_release(&buffer);
}

static struct buffer vector_bytes(uint64_t count, struct dot a, struct dot b)
{
    struct buffer buffer = {0};
    buffer_varint(&buffer, count);
    buffer_u64(&buffer, a.replica);
    buffer_varint(&buffer, a.counter);
    buffer_u64(&buffer, b.replica);
    buffer_varint(&buffer, b.counter);
    return buffer;
}

static void garbage_is_refused(void)
{
    static const struct {
        uint64_t count;
        struct dot a, b;
        bool good;
    } cases[] = {
        {2, {1, 1}, {2, 1}, true},
        {2, {2, 1}, {1, 1}, false},                   /* descends */
        {2, {1, 1}, {1, 2}, false},                   /* twice */
        {2, {0, 1}, {1, 1}, false},                   /* no replica */
        {2, {1, 0}, {2, 1}, false},                   /* no counter */
        {2, {1, DOT_COUNTER_MAX + 1}, {2, 1}, false}, /* too great */
        {3, {1, 1}, {2, 1}, false},                   /* more than is there */
        {1, {1, 1}, {2, 1}, false},                   /* less */
        {VECTOR_COUNT_MAX + 1ull, {1, 1}, {2, 1}, false},
        {UINT64_MAX, {1, 1}, {2, 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer buffer = vector_bytes(cases[i].count, cases[i].a, cases[i].b);
        CU_ASSERT_EQUAL(decodes(&buffer), cases[i].good);
        buffer_release(&buffer);
    }
}

UNIT_MAIN("dot", {"order", dots_are_ordered}, {"rise", vectors_rise}, {"compare", vectors_compare},
          {"encode and decode", vectors_come_back}, {"garbage", garbage_is_refused})
