/* JSON patch: the examples of RFC 6902, appendix A, and what a hostile one may not do. */
#include <stdio.h>
#include <string.h>

#include "agent/codec/json.h"
#include "agent/codec/json_patch.h"
#include "unit.h"

/* The result as text, or the message. The caller frees. */
static char *patched(const char *target_text, const char *patch_text)
{
    cleanup_json cJSON *target = cJSON_Parse(target_text), *patch = cJSON_Parse(patch_text),
                       *result = NULL;
    struct error err = {0};
    if (json_patch(&result, target, patch, &err) != 0)
        return xstrdup(err.text);
    return json_print(result);
}

static void check(const char *target, const char *patch, const char *expected)
{
    char *got = patched(target, patch);
    if (strcmp(got, expected) != 0)
        printf("%s on %s\n  got      %s\n  expected %s\n", patch, target, got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
    free(got);
}

static void the_examples_of_the_rfc(void)
{
    check("{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}");
    check("{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
          "{\"foo\":[\"bar\",\"qux\",\"baz\"]}");
    check("{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
          "{\"foo\":\"bar\"}");
    check("{\"foo\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[1,3]}");
    check("{\"baz\":\"qux\",\"foo\":1}",
          "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
          "{\"foo\":1,\"baz\":\"boo\"}");
    check("{\"a\":[1,2,3]}",
          "[{\"op\":\"replace\",\"path\":\"/a/2\",\"value\":9},{\"op\":\"replace\",\"path\":\"/a/"
          "0\",\"value\":8}]",
          "{\"a\":[8,2,9]}");
    check("{\"foo\":{\"bar\":1,\"w\":2},\"qux\":{}}",
          "[{\"op\":\"move\",\"from\":\"/foo/w\",\"path\":\"/qux/t\"}]",
          "{\"foo\":{\"bar\":1},\"qux\":{\"t\":2}}");
    check("{\"foo\":[1,2,3,4]}", "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
          "{\"foo\":[1,3,4,2]}");
    check("{\"a\":{\"b\":[1]}}", "[{\"op\":\"copy\",\"from\":\"/a/b\",\"path\":\"/c\"}]",
          "{\"a\":{\"b\":[1]},\"c\":[1]}");
    check("{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":[2]}]", "{\"a\":[1,[2]]}");
    check(
        "{\"a/b\":1,\"m~n\":2}",
        "[{\"op\":\"test\",\"path\":\"/a~1b\",\"value\":1},{\"op\":\"remove\",\"path\":\"/m~0n\"}]",
        "{\"a/b\":1}");
    check("{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}");
    check("{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":2}}]", "{\"b\":2}");
    check("{\"a\":{\"x\":1,\"z\":2}}",
          "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"z\":2,\"x\":1}}]",
          "{\"a\":{\"x\":1,\"z\":2}}");
    check("{\"\":1}", "[{\"op\":\"remove\",\"path\":\"/\"}]", "{}");
}

static void what_does_not_fit_is_named(void)
{
    check("{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]",
          "patch operation 0: the test failed: /a");
    check("{\"a\":1}",
          "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2},{\"op\":\"remove\",\"path\":\"/c\"}]",
          "patch operation 1: nothing is at the path /c");
    check("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":2}]",
          "patch operation 0: nothing is at the path /b/c");
    check("{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/c\",\"value\":2}]",
          "patch operation 0: nothing is at the path /a/c");
    check("{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":2}]",
          "patch operation 0: nothing is at the path /a/2");
    check("{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]",
          "patch operation 0: nothing is at the path /a/-");
    check("{\"a\":[1]}", "[{\"op\":\"remove\",\"path\":\"/a/00\"}]",
          "patch operation 0: nothing is at the path /a/00");
    check("{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",
          "patch operation 0: a value cannot be moved into itself: /a/b");
    check("{}", "[{\"op\":\"remove\",\"path\":\"\"}]",
          "patch operation 0: the whole document cannot be removed");
    check("{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
          "patch operation 0: not a JSON pointer: a");
    check("{}", "[{\"op\":\"add\",\"path\":\"/a~2\",\"value\":1}]",
          "patch operation 0: not a JSON pointer: /a~2");
    check("{}", "[{\"op\":\"add\",\"path\":\"/a~\",\"value\":1}]",
          "patch operation 0: not a JSON pointer: /a~");
    check("{}", "[{\"op\":\"dance\",\"path\":\"/a\"}]", "patch operation 0: unknown op dance");
    check("{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "patch operation 0: needs a value");
    check("{}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", "patch operation 0: needs from");
    check("{}", "[7]", "patch operation 0: needs op and path");
    check("{}", "{}", "a JSON patch is a list of operations");
}

/* [{add /a x}, then `times` of the operation]. */
static char *repeated(const char *first, const char *operation, int times)
{
    struct buffer text = {0};
    buffer_append(&text, "[", 1);
    buffer_append(&text, first, strlen(first));
    for (int i = 0; i < times; i++) {
        buffer_append(&text, ",", 1);
        buffer_append(&text, operation, strlen(operation));
    }
    buffer_append(&text, "]", 2);
    return (char *)text.data;
}

static void growth_is_bounded(void)
{
    char *doubling = repeated("{\"op\":\"add\",\"path\":\"/a\",\"value\":[\"xxxxxxxx\"]}",
                              "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}", 900);
    check("{}", doubling, "patch operation 17: the result would be too large");
    static const char forty[] =
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";
    char deep[512];
    snprintf(deep, sizeof deep,
             "[{\"op\":\"add\",\"path\":\"/a\",\"value\":%s},{\"op\":\"add\",\"path\":"
             "\"/a/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0\",\"value\":%s}]",
             forty, forty);
    check("{}", deep, "patch operation 1: the result would be nested too deeply");
    char *many = repeated("{\"op\":\"add\",\"path\":\"/a\",\"value\":1}",
                          "{\"op\":\"remove\",\"path\":\"/a\"}", 1000);
    check("{}", many, "a JSON patch has at most 1000 operations");
    free(doubling);
    free(many);
}

UNIT_MAIN("json patch", {"the examples of the RFC", the_examples_of_the_rfc},
          {"what does not fit is named", what_does_not_fit_is_named},
          {"growth is bounded", growth_is_bounded})
