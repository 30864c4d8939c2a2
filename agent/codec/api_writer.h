/* JSON text, written front to back into a buffer, without a tree: what the API answers with.
 *
 * Commas are the writer's business; brackets must be balanced by the caller. A key is given inside
 * objects and NULL inside arrays and at the top. */
#ifndef AGENT_CODEC_API_WRITER_H
#define AGENT_CODEC_API_WRITER_H

#include "crdt/bytes.h"

struct api_writer {
    struct buffer *buffer; /* borrowed */
    bool comma;            /* the next value needs one */
};

struct api_writer api_writer_of(struct buffer *buffer);
void api_writer_open(struct api_writer *writer, const char *key, char bracket);
void api_writer_close(struct api_writer *writer, char bracket);
void api_writer_text(struct api_writer *writer, const char *key, const char *value);
void api_writer_text_span(struct api_writer *writer, const char *key, struct span value);
void api_writer_text_unless_empty(struct api_writer *writer, const char *key, const char *value);
void api_writer_signed(struct api_writer *writer, const char *key, int64_t value);
void api_writer_unsigned(struct api_writer *writer, const char *key, uint64_t value);
void api_writer_bool(struct api_writer *writer, const char *key, bool value);
void api_writer_time(struct api_writer *writer, const char *key,
                     uint64_t wall_ms); /* RFC 3339 in UTC, whole seconds */
void api_writer_raw(struct api_writer *writer, const char *key,
                    struct span json); /* must be JSON already */

/* Appends the same JSON with line breaks and two blanks of indentation. */
void api_json_indent(struct buffer *buffer, struct span json);

/* Length of the UTF-8 sequence at the start of the bytes; 0 if there is none. */
size_t utf8_sequence_bytes(const uint8_t *at, size_t left);

#endif
