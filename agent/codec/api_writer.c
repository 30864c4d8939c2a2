/* JSON text, written front to back (see api_writer.h).
 *
 * A list of 10,000 children is one growing buffer instead of half a million tree nodes. Text is
 * escaped as JSON asks; bytes that are not UTF-8 become U+FFFD, so that whatever a peer or an
 * engine said, the answer parses. */
#include "agent/codec/api_writer.h"

#include <stdio.h>
#include <string.h>

#include "agent/codec/decimal.h"
#include "agent/codec/timestamp.h"

struct api_writer api_writer_of(struct buffer *buffer)
{
    return (struct api_writer){buffer, false};
}

static void writer_literal(struct api_writer *writer, const char *text)
{
    buffer_append(writer->buffer, text, strlen(text));
}

size_t utf8_sequence_bytes(const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        if ((at[0] & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t code = at[0] & (uint8_t)~forms[i].mask;
        if (left < i + 1)
            return 0;
        for (size_t j = 1; j <= i; j++) {
            if ((at[j] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (at[j] & 0x3fu);
        }
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return code < forms[i].least || code > 0x10ffff || surrogate ? 0 : i + 1;
    }
    return 0;
}

static void writer_escaped(struct api_writer *writer, uint8_t byte)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the byte, its letter */
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if ((uint8_t)named[i] == byte) {
            buffer_append(writer->buffer, (const char[]){'\\', named[i + 1]}, 2);
            return;
        }
    }
    char text[8];
    int bytes = snprintf(text, sizeof text, "\\u%04x", byte);
    buffer_append(writer->buffer, text, (size_t)bytes);
}

/* How many bytes at the start stand in a string as they are, without a look at UTF-8. */
static size_t plain_bytes(const uint8_t *at, size_t left)
{
    size_t i = 0;
    while (i < left && at[i] >= 0x20 && at[i] < 0x7f && at[i] != '"' && at[i] != '\\')
        i++;
    return i;
}

/* Room for the whole is made first: nearly every text is plain. */
static void writer_string(struct api_writer *writer, struct span value)
{
    struct buffer *buffer = writer->buffer;
    size_t plain = plain_bytes(value.data, value.bytes);
    buffer_reserve(buffer, value.bytes + 2);
    buffer->data[buffer->bytes++] = '"';
    if (plain > 0)
        memcpy(buffer->data + buffer->bytes, value.data, plain);
    buffer->bytes += plain;
    for (size_t i = plain; i < value.bytes;) {
        uint8_t byte = value.data[i];
        size_t bytes = utf8_sequence_bytes(value.data + i, value.bytes - i);
        if (bytes == 0)
            writer_literal(writer, "\xef\xbf\xbd");
        else if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f)
            writer_escaped(writer, byte);
        else
            buffer_append(buffer, value.data + i, bytes);
        i += bytes == 0 ? 1 : bytes;
    }
    buffer_u8(buffer, '"');
}

static void writer_key(struct api_writer *writer, const char *key)
{
    if (writer->comma)
        buffer_u8(writer->buffer, ',');
    writer->comma = true;
    if (key) {
        writer_string(writer, span_text(key));
        buffer_u8(writer->buffer, ':');
    }
}

void api_writer_open(struct api_writer *writer, const char *key, char bracket)
{
    writer_key(writer, key);
    buffer_u8(writer->buffer, (uint8_t)bracket);
    writer->comma = false;
}

void api_writer_close(struct api_writer *writer, char bracket)
{
    buffer_u8(writer->buffer, (uint8_t)bracket);
    writer->comma = true;
}

void api_writer_text_span(struct api_writer *writer, const char *key, struct span value)
{
    writer_key(writer, key);
    writer_string(writer, value);
}

void api_writer_text(struct api_writer *writer, const char *key, const char *value)
{
    api_writer_text_span(writer, key, span_text(value));
}

void api_writer_text_unless_empty(struct api_writer *writer, const char *key, const char *value)
{
    if (value && *value)
        api_writer_text(writer, key, value);
}

void api_writer_signed(struct api_writer *writer, const char *key, int64_t value)
{
    char text[1 + DECIMAL_BYTES] = "-";
    decimal_print(value < 0 ? -(uint64_t)value : (uint64_t)value, text + 1);
    writer_key(writer, key);
    writer_literal(writer, value < 0 ? text : text + 1);
}

void api_writer_unsigned(struct api_writer *writer, const char *key, uint64_t value)
{
    char text[DECIMAL_BYTES];
    decimal_print(value, text);
    writer_key(writer, key);
    writer_literal(writer, text);
}

void api_writer_bool(struct api_writer *writer, const char *key, bool value)
{
    writer_key(writer, key);
    writer_literal(writer, value ? "true" : "false");
}

void api_writer_time(struct api_writer *writer, const char *key, uint64_t wall_ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_print(wall_ms, text);
    api_writer_text(writer, key, text);
}

void api_writer_raw(struct api_writer *writer, const char *key, struct span json)
{
    writer_key(writer, key);
    buffer_append(writer->buffer, json.data, json.bytes);
}

static void indent_line(struct buffer *buffer, size_t depth)
{
    buffer_u8(buffer, '\n');
    for (size_t i = 0; i < depth; i++)
        buffer_append(buffer, "  ", 2);
}

/* Copies the string that begins at `at`; returns the offset after it. */
static size_t indent_string(struct buffer *buffer, struct span json, size_t at)
{
    size_t end = at + 1;
    while (end < json.bytes && json.data[end] != '"')
        end += json.data[end] == '\\' ? 2 : 1;
    end = end < json.bytes ? end + 1 : json.bytes;
    buffer_append(buffer, json.data + at, end - at);
    return end;
}

void api_json_indent(struct buffer *buffer, struct span json)
{
    size_t depth = 0;
    for (size_t i = 0; i < json.bytes;) {
        char byte = (char)json.data[i];
        bool empty = i + 1 < json.bytes && (json.data[i + 1] == '}' || json.data[i + 1] == ']');
        if (byte == '"') {
            i = indent_string(buffer, json, i);
            continue;
        }
        bool closing = byte == '}' || byte == ']';
        if (closing && depth > 0 && json.data[i - 1] != '{' && json.data[i - 1] != '[')
            indent_line(buffer, depth - 1);
        buffer_u8(buffer, (uint8_t)byte);
        if (closing && depth > 0)
            depth--;
        if (byte == '{' || byte == '[') {
            depth++;
            if (!empty)
                indent_line(buffer, depth);
        } else if (byte == ',') {
            indent_line(buffer, depth);
        } else if (byte == ':') {
            buffer_u8(buffer, ' ');
        }
        i++;
    }
    buffer_u8(buffer, '\n');
}
