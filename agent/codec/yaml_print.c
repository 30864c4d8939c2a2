/* JSON values -> YAML text, as `get -o yaml` shows it. Strings are plain only where every YAML
 * reader would read the same string back; all others are double-quoted with JSON's escapes, which
 * YAML shares. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "agent/codec/yaml_scalar.h"

enum { IMPLICIT_KEY_BYTES_MAX = 1024 }; /* no reader takes more before a colon: YAML 1.2, 7.4 */

static void print_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static void print_indent(struct buffer *buffer, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++)
        print_text(buffer, "  ");
}

/* Dates, times, versions, hexadecimal ids: strings here, but numbers or dates to some reader. */
static bool looks_numeric(const char *text)
{
    return (isdigit((unsigned char)*text) || strchr("+-.", *text) != NULL) &&
           text[strspn(text, "0123456789abcdefABCDEFxXoOTZ_.:+- ")] == '\0';
}

static bool string_is_plain(const char *text)
{
    double number;
    if (yaml_scalar_resolve(text, &number) != YAML_SCALAR_STRING || looks_numeric(text) ||
        strcmp(text, "=") == 0)
        return false;
    if (!isalnum((unsigned char)*text) && strchr("_/.", *text) == NULL)
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("_-./@+=~,:;()%^$ ", *at) == NULL)
            return false;
        if ((*at == ':' || *at == ' ') && (at[1] == '\0' || at[1] == ' '))
            return false;
    }
    return true;
}

/* Line breaks and invisible characters that YAML folds or refuses when they stand as they are. The
 * text is UTF-8. */
static uint32_t needs_escape(const unsigned char *at, size_t *ret_bytes)
{
    uint32_t point = at[0];
    *ret_bytes = 1;
    if (point < 0x80)
        return point < 0x20 || point == 0x7f ? point : 0;
    if ((point & 0xe0) == 0xc0 && at[1] != '\0') {
        *ret_bytes = 2;
        point = (point & 0x1fu) << 6 | (at[1] & 0x3fu);
        return point <= 0xa0 ? point : 0;
    }
    if ((point & 0xf0) == 0xe0 && at[1] != '\0' && at[2] != '\0') {
        *ret_bytes = 3;
        point = (point & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
        bool odd = point == 0x2028 || point == 0x2029 || point == 0xfeff || point >= 0xfffe;
        return odd ? point : 0;
    }
    return 0;
}

static void print_quoted(struct buffer *buffer, const char *text)
{
    print_text(buffer, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        size_t bytes;
        uint32_t point = needs_escape(at, &bytes);
        char escape[16];
        if (point != 0) {
            const char *letter = point == '\n'   ? "\\n"
                                 : point == '\t' ? "\\t"
                                 : point == '\r' ? "\\r"
                                                 : NULL;
            if (letter == NULL)
                snprintf(escape, sizeof escape, "\\u%04x", point);
            print_text(buffer, letter ? letter : escape);
        } else {
            if (*at == '"' || *at == '\\')
                print_text(buffer, "\\");
            buffer_append(buffer, at, bytes);
        }
        at += bytes;
    }
    print_text(buffer, "\"");
}

static void print_string(struct buffer *buffer, const char *text)
{
    if (string_is_plain(text))
        print_text(buffer, text);
    else
        print_quoted(buffer, text);
}

static bool is_block(const cJSON *item)
{
    return (cJSON_IsObject(item) || cJSON_IsArray(item)) && item->child != NULL;
}

static void print_flow(struct buffer *buffer, const cJSON *item)
{
    if (cJSON_IsString(item)) {
        print_string(buffer, item->valuestring);
        return;
    }
    if (cJSON_IsNumber(item)) {
        char text[NUMBER_TEXT_BYTES];
        print_text(buffer, number_print(item->valuedouble, text));
        return;
    }
    json_print_to(buffer, item); /* raw numbers, booleans, null, {} and [] read the same in YAML */
}

static void print_block(struct buffer *buffer, const cJSON *item, unsigned indent,
                        bool first_is_indented);

/* All that stands before the colon. A longer key has a line of its own, after a question mark. */
static void print_key(struct buffer *buffer, const char *text, unsigned indent)
{
    size_t begin = buffer->bytes;
    print_string(buffer, text);
    if (buffer->bytes - begin <= IMPLICIT_KEY_BYTES_MAX)
        return;
    buffer->bytes = begin;
    print_text(buffer, "? ");
    print_string(buffer, text);
    print_text(buffer, "\n");
    print_indent(buffer, indent);
}

static void print_members(struct buffer *buffer, const cJSON *object, unsigned indent,
                          bool first_is_indented)
{
    for (const cJSON *child = object->child; child != NULL; child = child->next) {
        if (!first_is_indented)
            print_indent(buffer, indent);
        first_is_indented = false;
        print_key(buffer, child->string, indent);
        if (!is_block(child)) {
            print_text(buffer, ": ");
            print_flow(buffer, child);
            print_text(buffer, "\n");
            continue;
        }
        print_text(buffer, ":\n");
        /* Lists stand under their key without another step, as kubectl writes them. */
        print_block(buffer, child, cJSON_IsArray(child) ? indent : indent + 1, false);
    }
}

static void print_items(struct buffer *buffer, const cJSON *array, unsigned indent,
                        bool first_is_indented)
{
    for (const cJSON *child = array->child; child != NULL; child = child->next) {
        if (!first_is_indented)
            print_indent(buffer, indent);
        first_is_indented = false;
        print_text(buffer, "- ");
        if (is_block(child)) {
            print_block(buffer, child, indent + 1, true);
            continue;
        }
        print_flow(buffer, child);
        print_text(buffer, "\n");
    }
}

static void print_block(struct buffer *buffer, const cJSON *item, unsigned indent,
                        bool first_is_indented)
{
    if (cJSON_IsObject(item))
        print_members(buffer, item, indent, first_is_indented);
    else
        print_items(buffer, item, indent, first_is_indented);
}

char *yaml_print(const cJSON *item)
{
    struct buffer buffer = {0};
    if (is_block(item)) {
        print_block(&buffer, item, 0, false);
    } else {
        print_flow(&buffer, item);
        print_text(&buffer, "\n");
    }
    buffer_u8(&buffer, 0);
    return (char *)buffer.data;
}
