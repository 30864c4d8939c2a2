/* Bodies: media types, sniffing, and the bounds of JSON. */
#include <time.h>

#include "agent/codec/json.h"
#include "codec_support.h"

static enum error_code code_of(const char *content_type, const char *body)
{
    struct documents documents;
    struct error err = {0};
    documents_parse(&documents, content_type, span_text(body), &err);
    documents_release(&documents);
    return err.code;
}

static void media_types_choose_the_parser(void)
{
    CU_ASSERT_EQUAL(code_of("application/json", "{}"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("Application/JSON; charset=utf-8", "{}"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("application/json", "a: b"), ERROR_MALFORMED);
    CU_ASSERT_EQUAL(code_of("application/yaml", "a: b"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("application/apply-patch+yaml", "{\"a\": 1}"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("application/json-patch+json", "[]"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("application/json-patch+json", "{}"), ERROR_MALFORMED);
    CU_ASSERT_EQUAL(code_of("application/merge-patch+json", "[]"), ERROR_MALFORMED);
    CU_ASSERT_EQUAL(code_of("application/vnd.kubernetes.protobuf", "{}"), ERROR_UNSUPPORTED_MEDIA);
    CU_ASSERT_EQUAL(code_of("application/strategic-merge-patch+json", "{}"),
                    ERROR_UNSUPPORTED_MEDIA);
    CU_ASSERT_EQUAL(code_of(NULL, " \n{\"a\": 1}"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of("", "a: b"), ERROR_NONE);
    CU_ASSERT_EQUAL(code_of(NULL, "{a: b}"), ERROR_MALFORMED); /* looks like JSON */
    CU_ASSERT_EQUAL(code_of("application/json", ""), ERROR_MALFORMED);
    CU_ASSERT_EQUAL(code_of("application/yaml", ""), ERROR_MALFORMED);
}

static void patch_types_are_three(void)
{
    enum patch_type type;
    CU_ASSERT(patch_type_parse(&type, "application/merge-patch+json", NULL) == 0 &&
              type == PATCH_MERGE);
    CU_ASSERT(patch_type_parse(&type, "application/json-patch+json; charset=utf-8", NULL) == 0 &&
              type == PATCH_JSON);
    CU_ASSERT(patch_type_parse(&type, "application/apply-patch+yaml", NULL) == 0 &&
              type == PATCH_APPLY);
    CU_ASSERT_EQUAL(patch_type_parse(&type, "application/json", NULL), -1);
    CU_ASSERT_EQUAL(patch_type_parse(&type, NULL, NULL), -1);
}

static char *repeat(const char *head, const char *pattern, size_t bytes)
{
    struct buffer text = {0};
    buffer_append(&text, head, strlen(head));
    while (text.bytes + strlen(pattern) < bytes)
        buffer_append(&text, pattern, strlen(pattern));
    buffer_u8(&text, 0);
    return (char *)text.data;
}

static void json_has_bounds(void)
{
    char *deep = repeat("{\"a\":", "[", 200), *wide = repeat("{\"a\":[0", ",0", BODY_BYTES_MAX - 8);
    struct buffer text = {0};
    buffer_append(&text, wide, strlen(wide));
    buffer_append(&text, "]}", 3);
    CU_ASSERT_EQUAL(code_of("application/json", deep), ERROR_MALFORMED);
    CU_ASSERT_EQUAL(code_of("application/json", (const char *)text.data), ERROR_TOO_LARGE);
    buffer_clear(&text);
    buffer_append(&text, "{", 1);
    for (int i = 0; i <= DOCUMENT_KEYS_MAX; i++) {
        char key[32];
        int bytes = snprintf(key, sizeof key, "%s\"k%d\":0", i > 0 ? "," : "", i);
        buffer_append(&text, key, (size_t)bytes);
    }
    buffer_append(&text, "}", 2);
    CU_ASSERT_EQUAL(code_of("application/json", (const char *)text.data), ERROR_TOO_LARGE);
    CU_ASSERT_EQUAL(code_of("application/yaml", (const char *)text.data), ERROR_TOO_LARGE);
    CU_ASSERT_EQUAL(code_of("application/json", "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}"),
                    ERROR_MALFORMED);
    buffer_release(&text);
    free(deep);
    free(wide);
}

/* Whatever a mebibyte holds, it is read, validated and refused in less than a second. */
static void a_mebibyte_is_quick(void)
{
    static const char *const bodies[][2] = {
        {"[", "{\"a\":"},
        {"{\"a\":[0", ",0"},
        {"{\"a\":[{}", ",{}"},
        {"{\"a\":\"", "\\u00e4"},
        {"{", "\"a\":0,"},
        {"", "\""},
        {"", " "},
        {"{\"a\":[\"", "\",\""},
        {"", "9"},
        {"", "\\"},
        {"{\"a\":", "-"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char *text = repeat(bodies[i][0], bodies[i][1], BODY_BYTES_MAX - 1);
        clock_t start = clock();
        code_of("application/json", text);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds > 1)
            printf("%.2f s for %s%s...\n", seconds, bodies[i][0], bodies[i][1]);
        CU_ASSERT(seconds < 10);
        free(text);
    }
}

UNIT_MAIN("document json", {"media types choose the parser", media_types_choose_the_parser},
          {"patch types are three", patch_types_are_three}, {"json has bounds", json_has_bounds},
          {"a mebibyte is quick", a_mebibyte_is_quick})
