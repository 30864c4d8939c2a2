/* Walking JSON text in place (see api_scan.h). A value is skipped by counting brackets outside
 * strings, so that depth costs nothing. */
#include "agent/codec/api_scan.h"

#include <string.h>

static bool byte_is(struct span text, size_t at, char wanted)
{
    return at < text.bytes && text.data[at] == (uint8_t)wanted;
}

static size_t skip_blanks(struct span text, size_t at)
{
    while (byte_is(text, at, ' ') || byte_is(text, at, '\n') || byte_is(text, at, '\t') ||
           byte_is(text, at, '\r'))
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

/* The next key, and where its value begins; 0: there is none. */
static size_t scan_key(struct span object, size_t at, struct span *ret_key)
{
    size_t start = skip_blanks(object, at);
    if (!byte_is(object, start, at == 0 ? '{' : ','))
        return 0;
    start = skip_blanks(object, start + 1);
    if (!byte_is(object, start, '"'))
        return 0;
    size_t key_end = skip_string(object, start);
    size_t colon = skip_blanks(object, key_end);
    if (!byte_is(object, colon, ':') || key_end < start + 2)
        return 0;
    *ret_key = span_of(object.data + start + 1, key_end - start - 2);
    return skip_blanks(object, colon + 1);
}

bool api_scan_next(struct span object, size_t *at, struct span *ret_key, struct span *ret_value)
{
    size_t value = scan_key(object, *at, ret_key);
    size_t end = value ? skip_value(object, value) : 0;
    if (end == value)
        return false;
    *ret_value = span_of(object.data + value, end - value);
    *at = skip_blanks(object, end);
    return true;
}

bool api_scan_enter(struct span object, const char *key, struct span *ret_value)
{
    struct span name, wanted = span_text(key);
    size_t at = 0, value;
    while ((value = scan_key(object, at, &name))) {
        if (span_equal(name, wanted)) {
            *ret_value = span_of(object.data + value, object.bytes - value);
            return true;
        }
        at = skip_value(object, value);
        if (at == value)
            break;
    }
    *ret_value = (struct span){0};
    return false;
}

bool api_scan_member(struct span object, const char *key, struct span *ret_value)
{
    size_t end = api_scan_enter(object, key, ret_value) ? skip_value(*ret_value, 0) : 0;
    ret_value->bytes = end;
    return end > 0;
}

struct span api_scan_string(struct span value)
{
    bool quoted = value.bytes >= 2 && value.data[0] == '"' && value.data[value.bytes - 1] == '"';
    if (!quoted || memchr(value.data, '\\', value.bytes))
        return (struct span){0};
    return span_of(value.data + 1, value.bytes - 2);
}
