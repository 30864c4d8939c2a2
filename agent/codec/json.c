/* See json.h. The scan before the parse is one pass over the bytes without recursion; it knows only
 * strings and brackets, cJSON judges the rest.
 *
 * Invariant: what json_parse returns is at most JSON_DEPTH_MAX deep, so that every recursive walk
 * over such a tree (ours, cJSON's, other codecs') is bounded. */
#include "agent/codec/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const uint8_t *start, *at, *end;
    unsigned depth;
    size_t values;
    struct error *err;
};

static int scan_fail(const struct scan *scan, enum error_code code, const char *what)
{
    size_t line = 1, column = 1;
    for (const uint8_t *byte = scan->start; byte < scan->at && byte < scan->end; byte++) {
        column++;
        if (*byte == '\n') {
            line++;
            column = 1;
        }
    }
    return error_set(scan->err, code, "%zu:%zu: %s", line, column, what);
}

/* Bytes of the UTF-8 character at scan->at, 0 if it is not one: no overlong forms, no surrogates.
 */
static size_t scan_utf8(const struct scan *scan)
{
    const uint8_t *at = scan->at;
    size_t left = (size_t)(scan->end - at);
    uint8_t first = at[0];
    size_t bytes = first < 0x80   ? 1
                   : first < 0xc2 ? 0
                   : first < 0xe0 ? 2
                   : first < 0xf0 ? 3
                   : first < 0xf5 ? 4
                                  : 0;
    if (bytes > left)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
        (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return bytes;
}

static int scan_escape(struct scan *scan)
{
    if (scan->end - scan->at >= 6 && memcmp(scan->at, "\\u0000", 6) == 0)
        return scan_fail(scan, ERROR_MALFORMED, "a zero byte in a string");
    scan->at += scan->end - scan->at >= 2 ? 2 : 1;
    return 0;
}

/* From the opening quote to behind the closing one. */
static int scan_string(struct scan *scan)
{
    for (scan->at++; scan->at < scan->end && *scan->at != '"';) {
        if (*scan->at == '\\') {
            if (scan_escape(scan))
                return -1;
            continue;
        }
        if (*scan->at < 0x20)
            return scan_fail(scan, ERROR_MALFORMED, "a control character in a string");
        size_t bytes = scan_utf8(scan);
        if (bytes == 0)
            return scan_fail(scan, ERROR_MALFORMED, "not UTF-8");
        scan->at += bytes;
    }
    if (scan->at >= scan->end)
        return scan_fail(scan, ERROR_MALFORMED, "a string without an end");
    scan->at++;
    return 0;
}

static int scan_structure(struct scan *scan)
{
    uint8_t byte = *scan->at;
    if (byte == 0)
        return scan_fail(scan, ERROR_MALFORMED, "a zero byte");
    if (byte == '[' || byte == '{') {
        scan->values++;
        if (++scan->depth > JSON_DEPTH_MAX)
            return scan_fail(scan, ERROR_MALFORMED, "nested too deeply");
    } else if ((byte == ']' || byte == '}') && scan->depth > 0) {
        scan->depth--;
    } else if (byte == ',') {
        scan->values++;
    }
    if (scan->values > JSON_VALUES_MAX)
        return scan_fail(scan, ERROR_TOO_LARGE, "too many values");
    scan->at++;
    return 0;
}

static int scan_text(struct scan *scan)
{
    while (scan->at < scan->end)
        if (*scan->at == '"' ? scan_string(scan) : scan_structure(scan))
            return -1;
    return 0;
}

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* 1e999 is read as infinity, which cannot be written again. */
static bool numbers_are_finite(const cJSON *value)
{
    if (cJSON_IsNumber(value) && !isfinite(value->valuedouble))
        return false;
    for (const cJSON *child = value->child; child; child = child->next)
        if (!numbers_are_finite(child))
            return false;
    return true;
}

cJSON *json_parse(struct span text, size_t bytes_max, struct error *err)
{
    if (text.bytes > bytes_max) {
        error_set(err, ERROR_TOO_LARGE, "%zu bytes; at most %zu are accepted", text.bytes,
                  bytes_max);
        return NULL;
    }
    if (text.bytes == 0) {
        error_set(err, ERROR_MALFORMED, "1:1: empty");
        return NULL;
    }
    struct scan scan = {
        .start = text.data, .at = text.data, .end = text.data + text.bytes, .err = err};
    if (scan_text(&scan))
        return NULL;
    const char *end = (const char *)text.data;
    cleanup_json cJSON *tree =
        cJSON_ParseWithLengthOpts((const char *)text.data, text.bytes, &end, false);
    scan.at = (const uint8_t *)end;
    if (!tree) {
        scan_fail(&scan, ERROR_MALFORMED, "not JSON");
        return NULL;
    }
    while (scan.at < scan.end && is_white(*scan.at))
        scan.at++;
    if (scan.at < scan.end) {
        scan_fail(&scan, ERROR_MALFORMED, "something follows the JSON text");
        return NULL;
    }
    if (!numbers_are_finite(tree)) {
        error_set(err, ERROR_MALFORMED, "a number that is too great");
        return NULL;
    }
    cJSON *whole = tree;
    tree = NULL;
    return whole;
}

const cJSON *json_get(const cJSON *object, const char *key)
{
    if (!cJSON_IsObject(object))
        return NULL;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(value) ? NULL : value;
}

const cJSON *json_get_path(const cJSON *object, const char *const *keys)
{
    for (; object && *keys; keys++)
        object = json_get(object, *keys);
    return object;
}

const char *json_get_text(const cJSON *object, const char *key)
{
    return json_text(json_get(object, key));
}

const cJSON *json_get_object(const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsObject(value) ? value : NULL;
}

const cJSON *json_get_array(const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsArray(value) ? value : NULL;
}

bool json_get_bool(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : fallback;
}

int64_t json_get_integer(const cJSON *object, const char *key, int64_t fallback)
{
    int64_t integer = fallback;
    json_integer(&integer, json_get(object, key));
    return integer;
}

const char *json_text(const cJSON *value)
{
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

bool json_integer(int64_t *ret_integer, const cJSON *value)
{
    if (!cJSON_IsNumber(value) || fabs(value->valuedouble) > (double)JSON_INTEGER_MAX ||
        value->valuedouble != floor(value->valuedouble))
        return false;
    *ret_integer = (int64_t)value->valuedouble;
    return true;
}

const char *json_type_name(const cJSON *value)
{
    if (!value)
        return "nothing";
    switch (value->type & 0xff) {
    case cJSON_False:
    case cJSON_True:
        return "a boolean";
    case cJSON_Number:
        return "a number";
    case cJSON_String:
        return "a string";
    case cJSON_Array:
        return "an array";
    case cJSON_Object:
        return "an object";
    default:
        return "null";
    }
}

/* A node without memory is a dead node, and a dead node is a case that the others handle. */
static void *json_must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void json_add(cJSON *object, const char *key, cJSON *value)
{
    bool added = key ? cJSON_AddItemToObject(object, key, json_must(value))
                     : cJSON_AddItemToArray(object, json_must(value));
    if (!added)
        abort();
}

cJSON *json_add_object(cJSON *object, const char *key)
{
    cJSON *value = json_new_object();
    json_add(object, key, value);
    return value;
}

cJSON *json_add_array(cJSON *object, const char *key)
{
    cJSON *value = json_new_array();
    json_add(object, key, value);
    return value;
}

void json_add_text(cJSON *object, const char *key, const char *text)
{
    json_add(object, key, cJSON_CreateString(text));
}

/* cJSON prints 10^15 as 1e+15, which readers of integers (Go's among them) refuse. */
void json_add_integer(cJSON *object, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    json_add(object, key, cJSON_CreateRaw(digits));
}

void json_add_bool(cJSON *object, const char *key, bool value)
{
    json_add(object, key, cJSON_CreateBool(value));
}

cJSON *json_new_object(void)
{
    return json_must(cJSON_CreateObject());
}

cJSON *json_new_array(void)
{
    return json_must(cJSON_CreateArray());
}

cJSON *json_copy(const cJSON *value)
{
    return json_must(cJSON_Duplicate(value, true));
}

char *json_print(const cJSON *value)
{
    return json_must(cJSON_PrintUnformatted(value));
}

void json_print_to(struct buffer *buffer, const cJSON *value)
{
    char *text = json_print(value);
    buffer_append(buffer, text, strlen(text));
    free(text);
}

void json_cleanup(cJSON **tree)
{
    cJSON_Delete(*tree);
}
