/* crdt/bytes.c: what is written is read; nothing is read past the end. */
#include "unit.h"

#include <string.h>

#include "crdt/bytes.h"

static void numbers_come_back(void)
{
    static const uint64_t numbers[] = {0,       1,          127,        128,        300,
                                       1 << 14, UINT32_MAX, UINT64_MAX, 1ull << 63, 1ull << 62};
    struct buffer buffer = {0};
    buffer_u8(&buffer, 0xfe);
    buffer_u16(&buffer, 0xfedc);
    buffer_u32(&buffer, 0xfedcba98);
    buffer_u64(&buffer, UINT64_C(0xfedcba9876543210));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        buffer_varint(&buffer, numbers[i]);
    CU_ASSERT_EQUAL(buffer.data[1], 0xdc); /* little endian */
    struct reader reader = reader_of(buffer_view(&buffer));
    CU_ASSERT_EQUAL(reader_u8(&reader), 0xfe);
    CU_ASSERT_EQUAL(reader_u16(&reader), 0xfedc);
    CU_ASSERT_EQUAL(reader_u32(&reader), 0xfedcba98);
    CU_ASSERT_EQUAL(reader_u64(&reader), UINT64_C(0xfedcba9876543210));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        CU_ASSERT_EQUAL(reader_varint(&reader), numbers[i]);
    CU_ASSERT_TRUE(reader_done(&reader));
    buffer_release(&buffer);
}

static void spans_come_back(void)
{
    struct buffer buffer = {0};
    buffer_text(&buffer, "hello");
    buffer_text(&buffer, NULL);
    buffer_span(&buffer, span_of(NULL, 0));
    struct reader reader = reader_of(buffer_view(&buffer));
    CU_ASSERT_TRUE(span_equal(reader_span(&reader, 5), span_text("hello")));
    CU_ASSERT_EQUAL(reader_span(&reader, 5).bytes, 0);
    CU_ASSERT_EQUAL(reader_span(&reader, 0).bytes, 0);
    CU_ASSERT_TRUE(reader_done(&reader));
    reader = reader_of(buffer_view(&buffer));
    CU_ASSERT_EQUAL(reader_span(&reader, 4).bytes, 0); /* too long */
    CU_ASSERT_TRUE(reader.failed);
    buffer_release(&buffer);
}

static void the_end_is_the_end(void)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct reader reader = reader_of(span_of(bytes, 3));
    CU_ASSERT_EQUAL(reader_u32(&reader), 0);
    CU_ASSERT_TRUE(reader.failed);
    CU_ASSERT_EQUAL(reader_u8(&reader), 0); /* all later reads fail too */
    CU_ASSERT_EQUAL(reader_left(&reader), 0);
    CU_ASSERT_FALSE(reader_done(&reader));
    reader = reader_of(span_of(NULL, 0));
    CU_ASSERT_TRUE(reader_done(&reader));
    CU_ASSERT_EQUAL(reader_take(&reader, SIZE_MAX).bytes, 0);
    CU_ASSERT_TRUE(reader.failed);
    reader = reader_of(span_of(bytes, 3));
    CU_ASSERT_EQUAL(reader_u8(&reader), 1);
    CU_ASSERT_FALSE(reader_done(&reader)); /* something is left */
}

static void varints_are_bounded(void)
{
    static const uint8_t eleven[] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1};
    static const uint8_t too_great[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    static const uint8_t cut[] = {255, 255};
    struct reader reader = reader_of(span_of(eleven, sizeof eleven));
    CU_ASSERT_EQUAL(reader_varint(&reader), 0);
    CU_ASSERT_TRUE(reader.failed);
    reader = reader_of(span_of(too_great, sizeof too_great));
    CU_ASSERT_EQUAL(reader_varint(&reader), 0);
    CU_ASSERT_TRUE(reader.failed);
    reader = reader_of(span_of(cut, sizeof cut));
    CU_ASSERT_EQUAL(reader_varint(&reader), 0);
    CU_ASSERT_TRUE(reader.failed);
    reader = reader_of(span_of("\x05", 1));
    CU_ASSERT_EQUAL(reader_count(&reader, 4), 0);
    CU_ASSERT_TRUE(reader.failed);
}

static void spans_are_ordered(void)
{
    CU_ASSERT_TRUE(span_compare(span_text("a"), span_text("b")) < 0);
    CU_ASSERT_TRUE(span_compare(span_text("ab"), span_text("a")) > 0);
    CU_ASSERT_TRUE(span_compare(span_text(""), span_text("a")) < 0);
    CU_ASSERT_EQUAL(span_compare(span_text("same"), span_text("same")), 0);
    CU_ASSERT_EQUAL(span_compare(span_of(NULL, 0), span_text("")), 0);
    CU_ASSERT_TRUE(span_compare(span_text("\x7f"), span_text("\x80")) < 0); /* unsigned */
    CU_ASSERT_FALSE(span_equal(span_text("a"), span_text("ab")));
}

static void copies_are_copies(void)
{
    char *text = xstrdup("copy");
    uint8_t *bytes = xmemdup("xyz", 2), *nothing = xmemdup(NULL, 0);
    CU_ASSERT_STRING_EQUAL(text, "copy");
    CU_ASSERT_EQUAL(memcmp(bytes, "xy", 3), 0);
    CU_ASSERT_EQUAL(nothing[0], 0);
    free(text);
    free(bytes);
    free(nothing);
    struct buffer buffer = {0};
    buffer_append(&buffer, "abc", 3);
    buffer_clear(&buffer);
    CU_ASSERT_EQUAL(buffer_view(&buffer).bytes, 0);
    buffer_release(&buffer);
    CU_ASSERT_PTR_NULL(buffer.data);
}

UNIT_MAIN("bytes", {"numbers", numbers_come_back}, {"spans", spans_come_back},
          {"the end", the_end_is_the_end}, {"varints", varints_are_bounded},
          {"order", spans_are_ordered}, {"copies", copies_are_copies})
