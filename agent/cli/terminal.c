/* See terminal.h. Pure: no stream, no locale. The widths are those of the blocks that matter (CJK,
 * emoji, combining marks), because wcwidth depends on a locale that may not be installed. */
#include "agent/cli/terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void terminal_printf(struct buffer *buffer, const char *format, ...)
{
    enum { FIRST_TRY_BYTES = 128 };
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    buffer_reserve(buffer, FIRST_TRY_BYTES);
    char *end = (char *)buffer->data + buffer->bytes;
    int length = vsnprintf(end, FIRST_TRY_BYTES, format, arguments);
    size_t bytes = length > 0 ? (size_t)length : 0;
    if (bytes >= FIRST_TRY_BYTES) {
        buffer_reserve(buffer, bytes + 1);
        vsnprintf((char *)buffer->data + buffer->bytes, bytes + 1, format, again);
    }
    buffer->bytes += bytes;
    va_end(again);
    va_end(arguments);
}

const char *terminal_text(struct buffer *buffer)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->bytes] = '\0';
    return (const char *)buffer->data;
}

/* --- UTF-8 ----------------------------------------------------------------------------------- */

/* Bytes of the character at the start of text, 0 if there is no valid one. */
static size_t utf8_decode(struct span text, uint32_t *ret_character)
{
    uint8_t first = text.data[0];
    size_t bytes = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (bytes == 0 || bytes > text.bytes || first > 0xf4)
        return 0;
    uint32_t character = bytes == 1 ? first : first & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text.data[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (character < least[bytes] || character > 0x10ffff || (character >> 11) == 0x1b)
        return 0; /* overlong, beyond Unicode, or half of a surrogate pair */
    *ret_character = character;
    return bytes;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t character, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}
#define IN_RANGES(character, ranges) in_ranges(character, ranges, sizeof(ranges) / sizeof *(ranges))

/* Controls, soft hyphen and joiners, line and paragraph separators, direction marks, byte order
 * mark, private use and tag characters: they show as nothing, or as something else than what is
 * there. */
static bool is_printable(uint32_t character)
{
    static const struct range hidden[] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xe000, 0xf8ff},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff},
    };
    return !IN_RANGES(character, hidden);
}

static size_t character_columns(uint32_t character)
{
    static const struct range combining[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
        {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
        {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };
    if (character < 0x300)
        return 1;
    return IN_RANGES(character, combining) ? 0 : IN_RANGES(character, wide) ? 2 : 1;
}

size_t terminal_columns(struct span text)
{
    size_t columns = 0;
    while (text.bytes > 0) {
        uint32_t character = 0;
        size_t bytes = utf8_decode(text, &character);
        columns += bytes > 0 ? character_columns(character) : 1;
        bytes += bytes == 0;
        text = span_of(text.data + bytes, text.bytes - bytes);
    }
    return columns;
}

/* --- Escapes ---------------------------------------------------------------------------------- */

static void escape_character(struct buffer *buffer, uint32_t character)
{
    if (character == '\n')
        terminal_printf(buffer, "\\n");
    else if (character == '\t')
        terminal_printf(buffer, "\\t");
    else if (character == '\r')
        terminal_printf(buffer, "\\r");
    else if (character < 0x80)
        terminal_printf(buffer, "\\x%02" PRIx32, character);
    else if (character < 0x10000)
        terminal_printf(buffer, "\\u%04" PRIx32, character);
    else
        terminal_printf(buffer, "\\U%08" PRIx32, character);
}

static void escape(struct buffer *buffer, const char *text, bool keep_newlines)
{
    struct span left = text ? span_text(text) : span_of("", 0);
    while (left.bytes > 0) {
        uint32_t character = 0;
        size_t bytes = utf8_decode(left, &character);
        if (bytes == 0)
            terminal_printf(buffer, "\\x%02x", left.data[0]);
        else if (is_printable(character) || (keep_newlines && character == '\n'))
            buffer_append(buffer, left.data, bytes);
        else
            escape_character(buffer, character);
        bytes += bytes == 0;
        left = span_of(left.data + bytes, left.bytes - bytes);
    }
}

void terminal_escape(struct buffer *buffer, const char *text)
{
    escape(buffer, text, false);
}

void terminal_escape_lines(struct buffer *buffer, const char *text)
{
    escape(buffer, text, true);
}
