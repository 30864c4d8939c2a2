/* Bounded reading and writing of bytes; memory that never fails.
 *
 * The one idea: a reader remembers that it failed, so a decoder reads straight through and asks
 * once at the end. Invariant: at <= end, and a failed reader has at == end, so that nothing more is
 * read. Bytes are shifted in and out one by one: the compilers make single moves of it, and the
 * byte order of the machine never shows. */
#include "crdt/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct span span_of(const void *data, size_t bytes)
{
    return (struct span){.data = data, .bytes = bytes};
}

struct span span_text(const char *text)
{
    return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

int span_compare(struct span a, struct span b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

struct reader reader_of(struct span span)
{
    /* An empty span may have no address; arithmetic on a null pointer is not allowed. */
    static const uint8_t nothing[1];
    const uint8_t *data = span.bytes == 0 ? nothing : span.data;
    return (struct reader){.at = data, .end = data + span.bytes};
}

struct span reader_take(struct reader *reader, size_t bytes)
{
    if (reader->failed || bytes > reader_left(reader)) {
        reader->failed = true;
        reader->at = reader->end;
        return span_of(reader->end, 0);
    }
    struct span taken = span_of(reader->at, bytes);
    reader->at += bytes;
    return taken;
}

static uint64_t reader_little_endian(struct reader *reader, size_t bytes)
{
    struct span taken = reader_take(reader, bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.bytes; i++)
        value |= (uint64_t)taken.data[i] << (8 * i);
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)reader_little_endian(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)reader_little_endian(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)reader_little_endian(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return reader_little_endian(reader, 8);
}

uint64_t reader_varint(struct reader *reader)
{
    if (reader->at < reader->end && *reader->at < 0x80)
        return *reader->at++; /* nearly all of them */
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(reader);
        if (reader->failed || (shift == 63 && byte > 1))
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->failed = true;
    reader->at = reader->end;
    return 0;
}

struct span reader_span(struct reader *reader, size_t bytes_max)
{
    size_t bytes = reader_count(reader, bytes_max);
    return reader_take(reader, bytes);
}

size_t reader_count(struct reader *reader, size_t max)
{
    uint64_t count = reader_varint(reader);
    if (count <= max)
        return (size_t)count;
    reader->failed = true;
    reader->at = reader->end;
    return 0;
}

size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->bytes = 0;
}

void buffer_reserve(struct buffer *buffer, size_t more_bytes)
{
    assert(more_bytes <= SIZE_MAX / 4 - buffer->bytes);
    size_t wanted = buffer->bytes + more_bytes;
    if (wanted <= buffer->capacity)
        return;
    size_t doubled = buffer->capacity < 32 ? 64 : buffer->capacity * 2;
    buffer->capacity = wanted > doubled ? wanted : doubled;
    buffer->data = xrealloc(buffer->data, buffer->capacity);
}

static void buffer_little_endian(struct buffer *buffer, uint64_t value, size_t bytes)
{
    buffer_reserve(buffer, bytes);
    for (size_t i = 0; i < bytes; i++)
        buffer->data[buffer->bytes + i] = (uint8_t)(value >> (8 * i));
    buffer->bytes += bytes;
}

void buffer_u8(struct buffer *buffer, uint8_t value)
{
    if (buffer->bytes == buffer->capacity)
        buffer_reserve(buffer, 1);
    buffer->data[buffer->bytes++] = value;
}

void buffer_u16(struct buffer *buffer, uint16_t value)
{
    buffer_little_endian(buffer, value, 2);
}

void buffer_u32(struct buffer *buffer, uint32_t value)
{
    buffer_little_endian(buffer, value, 4);
}

void buffer_u64(struct buffer *buffer, uint64_t value)
{
    buffer_little_endian(buffer, value, 8);
}

void buffer_varint(struct buffer *buffer, uint64_t value)
{
    buffer_reserve(buffer, 10);
    while (value >= 0x80) {
        buffer->data[buffer->bytes++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    buffer->data[buffer->bytes++] = (uint8_t)value;
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    buffer_reserve(buffer, bytes);
    memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
}

void buffer_span(struct buffer *buffer, struct span span)
{
    buffer_varint(buffer, span.bytes);
    buffer_append(buffer, span.data, span.bytes);
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_span(buffer, text ? span_text(text) : span_of(NULL, 0));
}

struct span buffer_view(const struct buffer *buffer)
{
    return span_of(buffer->data, buffer->bytes);
}

void *xmalloc(size_t bytes)
{
    return xrealloc(NULL, bytes);
}

void *xcalloc(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!memory)
        abort();
    return memory;
}

void *xrealloc(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes ? bytes : 1);
    if (!memory)
        abort();
    return memory;
}

void *xmemdup(const void *data, size_t bytes)
{
    assert(bytes < SIZE_MAX);
    uint8_t *copy = xmalloc(bytes + 1);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    copy[bytes] = 0;
    return copy;
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text));
}

size_t capacity_grown(size_t capacity)
{
    return capacity < 16 ? capacity + 4 : capacity + capacity / 4;
}
