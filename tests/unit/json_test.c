/* json.h: what is refused before cJSON sees it, and what comes out exactly. */
#include "agent/codec/json.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static cJSON *parse(const char *text, struct error *err)
{
    return json_parse(span_text(text), 1 << 20, err);
}

static void texts_are_judged(void)
{
    static const struct {
        const char *text, *error; /* NULL: accepted */
    } cases[] = {
        {"{}", NULL},
        {" [1, -2.5e3, \"\\u00e9\\ud83d\\ude00\", true, null] \n", NULL},
        {"\"\\\\u0000\"", NULL}, /* a backslash, then letters */
        {"", "1:1: empty"},
        {"{", "not JSON"},
        {"{}x", "1:3: something follows"},
        {"{} {}", "1:4: something follows"},
        {"[1,\n 2,\n x]", "3:2: not JSON"},
        {"\"\\u0000\"", "1:2: a zero byte in a string"},
        {"\"a\nb\"", "1:3: a control character"},
        {"\"\xff\"", "1:2: not UTF-8"},
        {"\"\xc0\x80\"", "1:2: not UTF-8"},
        {"\"\xed\xa0\x80\"", "1:2: not UTF-8"},
        {"\"\xe2\x82\"", "1:2: not UTF-8"},
        {"\"abc", "a string without an end"},
        {"\"abc\\", "a string without an end"},
        {"[1e999]", "a number that is too great"},
        {"nul", "not JSON"},
        {"]", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        cJSON *tree = parse(cases[i].text, &err);
        CU_ASSERT_EQUAL(tree != NULL, cases[i].error == NULL);
        if (cases[i].error && !strstr(err.text, cases[i].error))
            CU_FAIL(cases[i].text);
        cJSON_Delete(tree);
    }
}

static char *nested(unsigned depth)
{
    char *text = malloc(2 * depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = 0;
    return text;
}

static void depth_is_bounded(void)
{
    static const struct {
        unsigned depth;
        bool accepted;
    } cases[] = {{JSON_DEPTH_MAX, true}, {JSON_DEPTH_MAX + 1, false}, {400000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *text = nested(cases[i].depth);
        cJSON *tree = parse(text, &err);
        CU_ASSERT_EQUAL(tree != NULL, cases[i].accepted);
        cJSON_Delete(tree);
        free(text);
    }
    cJSON *brackets_in_text = parse("\"[[[[[[[[\\\"[[[\"", NULL);
    CU_ASSERT_PTR_NOT_NULL(brackets_in_text);
    cJSON_Delete(brackets_in_text);
}

static void size_is_bounded(void)
{
    struct error err = {0};
    CU_ASSERT_PTR_NULL(json_parse(span_text("[1,2]"), 4, &err));
    CU_ASSERT_EQUAL(err.code, ERROR_TOO_LARGE);
    size_t bytes = 2 * (JSON_VALUES_MAX + 10);
    char *text = malloc(bytes);
    for (size_t i = 0; i < bytes; i += 2)
        memcpy(text + i, i == 0 ? "[1" : ",1", 2);
    text[bytes - 1] = ']';
    CU_ASSERT_PTR_NULL(json_parse(span_of(text, bytes), bytes, &err));
    CU_ASSERT_EQUAL(err.code, ERROR_TOO_LARGE);
    free(text);
}

/* The text need not end in a zero. */
static void spans_are_respected(void)
{
    char *text = malloc(2);
    memcpy(text, "[1", 2);
    CU_ASSERT_PTR_NULL(json_parse(span_of(text, 2), 10, NULL));
    memcpy(text, "12", 2);
    cJSON *tree = json_parse(span_of(text, 2), 10, NULL);
    int64_t value = 0;
    CU_ASSERT(json_integer(&value, tree) && value == 12);
    cJSON_Delete(tree);
    free(text);
}

static void values_are_typed(void)
{
    cJSON *tree = parse(
        "{\"a\":{\"b\":[1]},\"text\":\"t\",\"yes\":true,\"null\":null,\"n\":3.5,"
        "\"big\":9007199254740993e3,\"i\":-7,\"A\":1}",
        NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
    CU_ASSERT(cJSON_IsArray(JSON_GET_PATH(tree, "a", "b")));
    CU_ASSERT_PTR_NULL(JSON_GET_PATH(tree, "a", "b", "c"));
    CU_ASSERT_STRING_EQUAL(json_get_text(tree, "text"), "t");
    CU_ASSERT_PTR_NULL(json_get_text(tree, "yes"));
    CU_ASSERT_PTR_NULL(json_get_text(tree, "TEXT"));
    CU_ASSERT_PTR_NULL(json_get(tree, "null"));
    CU_ASSERT_PTR_NULL(json_get(NULL, "a"));
    CU_ASSERT(json_get_bool(tree, "yes", false));
    CU_ASSERT(json_get_bool(tree, "no", true));
    CU_ASSERT_EQUAL(json_get_integer(tree, "i", 0), -7);
    CU_ASSERT_EQUAL(json_get_integer(tree, "n", 1), 1);
    CU_ASSERT_EQUAL(json_get_integer(tree, "big", 2), 2);
    CU_ASSERT_EQUAL(json_get_integer(tree, "A", 0), 1);
    cJSON_Delete(tree);
}

static void numbers_are_printed_exactly(void)
{
    cJSON *tree = json_new_object();
    json_add_integer(tree, "a", 1000000000000000);
    json_add_integer(tree, "b", INT64_MIN);
    json_add_integer(tree, "c", INT64_MAX);
    json_add_text(json_add_array(tree, "d"), NULL, "\"\n");
    json_add_bool(json_add_object(tree, "e"), "f", true);
    char *text = json_print(tree);
    CU_ASSERT_STRING_EQUAL(text,
                           "{\"a\":1000000000000000,\"b\":-9223372036854775808,"
                           "\"c\":9223372036854775807,\"d\":[\"\\\"\\n\"],\"e\":{\"f\":true}}");
    free(text);
    cJSON_Delete(tree);
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Whatever is accepted can be printed and is accepted again. */
static void garbage_does_no_harm(void)
{
    static const char seed[] = "{\"a\":[1,2.5e3,{\"b\":\"c\\u00e9\\n\"}],\"d\":null,\"e\":true}";
    uint32_t state = 1;
    for (int round = 0; round < 20000; round++) {
        char *text = malloc(sizeof seed - 1);
        memcpy(text, seed, sizeof seed - 1);
        for (uint32_t flips = random_next(&state) % 4 + 1; flips > 0; flips--)
            text[random_next(&state) % (sizeof seed - 1)] ^= (char)(1 << random_next(&state) % 8);
        cJSON *tree =
            json_parse(span_of(text, random_next(&state) % 3 ? sizeof seed - 1
                                                             : random_next(&state) % (sizeof seed)),
                       1000, NULL);
        if (tree) {
            char *printed = json_print(tree);
            cJSON *again = parse(printed, NULL);
            CU_ASSERT_PTR_NOT_NULL(again);
            cJSON_Delete(again);
            free(printed);
        }
        cJSON_Delete(tree);
        free(text);
    }
}

UNIT_MAIN("json", {"texts are judged", texts_are_judged}, {"depth is bounded", depth_is_bounded},
          {"size is bounded", size_is_bounded}, {"spans are respected", spans_are_respected},
          {"values are typed", values_are_typed},
          {"numbers are printed exactly", numbers_are_printed_exactly},
          {"garbage does no harm", garbage_does_no_harm})
