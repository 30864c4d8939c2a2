/* Walking JSON text in place (see api_scan.h). A value is skipped by counting brackets outside
 * strings, so that depth costs nothing. */
#include "agent/codec/api_scan.h"

#include <string.h>

static bool byte_is(struct span text, size_t at, const char *characters)
{
    return at < text.bytes && text.data[at] != 0 && strchr(characters, text.data[at]) != NULL;
}

static size_t skip_blanks(struct span text, size_t at)
{
    while (byte_is(text, at, " \t\r\n"))
        at++;
    return at;
}

/* The offset after the string that begins at `at`. */
static size_t skip_string(struct span text, size_t at)
{
    for (at++; at < text.bytes && text.data[at] != '"'; at++)
        if (text.data[at] == '\\')
            at++;
    return at < text.bytes ? at + 1 : text.bytes;
}

enum kind { PLAIN, STRING, OPEN, CLOSE, END };

static const uint8_t kinds[256] = {
    ['"'] = STRING, ['{'] = OPEN, ['['] = OPEN, ['}'] = CLOSE, [']'] = CLOSE,
    [','] = END,    [' '] = END,  ['\t'] = END, ['\r'] = END,  ['\n'] = END,
};

/* A look at each byte, and only that: lists of thousands come through here. */
static size_t skip_value(struct span text, size_t at)
{
    size_t depth = 0;
    while (at < text.bytes) {
        enum kind kind = (enum kind)kinds[text.data[at]];
        if (depth == 0 && (kind == END || kind == CLOSE))
            return at;
        at = kind == STRING ? skip_string(text, at) : at + 1;
        if (kind == OPEN)
            depth++;
        else if (kind == CLOSE)
            depth--;
        if (depth == 0 && (kind == CLOSE || kind == STRING))
            return at;
    }
    return at;
}

bool api_scan_next(struct span object, size_t *at, struct span *ret_key, struct span *ret_value)
{
    size_t start = skip_blanks(object, *at);
    if (!byte_is(object, start, *at == 0 ? "{" : ","))
        return false;
    start = skip_blanks(object, start + 1);
    if (!byte_is(object, start, "\""))
        return false;
    size_t key_end = skip_string(object, start);
    size_t colon = skip_blanks(object, key_end);
    if (!byte_is(object, colon, ":") || key_end < start + 2)
        return false;
    size_t value = skip_blanks(object, colon + 1);
    size_t end = skip_value(object, value);
    if (end == value)
        return false;
    *ret_key = span_of(object.data + start + 1, key_end - start - 2);
    *ret_value = span_of(object.data + value, end - value);
    *at = skip_blanks(object, end);
    return true;
}

bool api_scan_member(struct span object, const char *key, struct span *ret_value)
{
    struct span name, value, wanted = span_text(key);
    for (size_t at = 0; api_scan_next(object, &at, &name, &value);) {
        if (span_equal(name, wanted)) {
            *ret_value = value;
            return true;
        }
    }
    *ret_value = (struct span){0};
    return false;
}

struct span api_scan_string(struct span value)
{
    bool quoted = value.bytes >= 2 && value.data[0] == '"' && value.data[value.bytes - 1] == '"';
    if (!quoted || memchr(value.data, '\\', value.bytes))
        return (struct span){0};
    return span_of(value.data + 1, value.bytes - 2);
}
