/* Bounded reading and writing of bytes. Every decoder of this project reads through `struct
 * reader`.
 *
 * A reader never runs past its end: the first read that would do so sets `failed`, and that read
 * and all later ones return zero. Decode a whole message, then ask once with reader_done(). A
 * writer grows; running out of memory ends the process (see xmalloc below), because a dead node is
 * a case this system is built for.
 *
 * Integers are little endian; varint is LEB128, at most 10 bytes. */
#ifndef CRDT_BYTES_H
#define CRDT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some bytes that somebody else owns. */
struct span {
    const uint8_t *data;
    size_t bytes;
};

struct span span_of(const void *data, size_t bytes);
struct span span_text(const char *text); /* without the final zero */
bool span_equal(struct span a, struct span b);
int span_compare(struct span a, struct span b); /* memcmp order, a prefix is smaller */

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

struct reader reader_of(struct span span);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
uint64_t reader_varint(struct reader *reader);
struct span reader_take(struct reader *reader, size_t bytes); /* borrowed from the reader's input */
struct span reader_span(struct reader *reader,
                        size_t bytes_max); /* varint length, then bytes; too long fails */
size_t reader_count(struct reader *reader, size_t max); /* varint; greater than max fails */
size_t reader_left(const struct reader *reader);
bool reader_done(const struct reader *reader); /* nothing failed and nothing is left over */

/* A growing array of bytes. Zeroed memory is an empty buffer. */
struct buffer {
    uint8_t *data;
    size_t bytes, capacity;
};

void buffer_release(struct buffer *buffer); /* frees and zeroes */
void buffer_clear(struct buffer *buffer);   /* keeps the memory */
void buffer_reserve(struct buffer *buffer, size_t more_bytes);
void buffer_u8(struct buffer *buffer, uint8_t value);
void buffer_u16(struct buffer *buffer, uint16_t value);
void buffer_u32(struct buffer *buffer, uint32_t value);
void buffer_u64(struct buffer *buffer, uint64_t value);
void buffer_varint(struct buffer *buffer, uint64_t value);
void buffer_append(struct buffer *buffer, const void *data, size_t bytes);
void buffer_span(struct buffer *buffer, struct span span); /* varint length, then the bytes */
void buffer_text(struct buffer *buffer,
                 const char *text); /* buffer_span of the text; NULL is empty */
struct span buffer_view(const struct buffer *buffer);

/* Memory, or the end of the process. */
void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *old, size_t bytes);
void *xmemdup(const void *data, size_t bytes); /* a zero byte follows the copy */
char *xstrdup(const char *text);

/* What a full array grows to that may be large and is on each node for each member: little room
 * more than it needs. */
size_t capacity_grown(size_t capacity);

#endif
