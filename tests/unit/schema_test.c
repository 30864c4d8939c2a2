/* The tables themselves: what every row promises to those who read it. */
#include <string.h>

#include "agent/codec/json.h"
#include "agent/codec/schema.h"
#include "agent/codec/schema_check.h"
#include "agent/codec/schema_format.h"
#include "unit.h"

static unsigned rows;

static void check_sentence(const struct schema_field *field)
{
    if ((field->flags & SCHEMA_UNSUPPORTED) != 0)
        return;
    bool sentence =
        field->description != NULL && field->description[strlen(field->description) - 1] == '.';
    if (!sentence)
        printf("no sentence describes %s\n", field->name);
    CU_ASSERT(sentence);
}

/* A default must parse, be valid, and be complete already but for what is inside of it. */
static void check_fallback(const struct schema_field *field)
{
    if (field->fallback == NULL)
        return;
    struct problems problems;
    problems_init(&problems, NULL);
    cleanup_json cJSON *value = cJSON_Parse(field->fallback);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    schema_check(&problems, field, value, false);
    if (problems.count > 0)
        printf("%s: %s\n", field->name, problems.text);
    CU_ASSERT_EQUAL(problems.count, 0);
    CU_ASSERT((field->flags & SCHEMA_REQUIRED) == 0);
}

static void check_object(const struct schema_object *object)
{
    CU_ASSERT_PTR_NOT_NULL(object->name);
    CU_ASSERT_PTR_NOT_NULL(object->description);
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        rows++;
        CU_ASSERT_PTR_EQUAL(schema_find(object, field->name), field); /* names are unique */
        check_sentence(field);
        check_fallback(field);
        CU_ASSERT((field->type == SCHEMA_OBJECT) == (field->object != NULL));
        CU_ASSERT((field->type == SCHEMA_LIST || field->type == SCHEMA_AUTO_OR_LIST) ==
                  (field->item != NULL));
        CU_ASSERT(field->min <= field->max);
        if (field->object != NULL)
            check_object(field->object);
        if (field->item != NULL && field->item->object != NULL)
            check_object(field->item->object);
        for (size_t k = 0; k < SCHEMA_KEYS_MAX && field->key[k] != NULL; k++)
            CU_ASSERT_PTR_NOT_NULL(schema_find(field->item->object, field->key[k]));
    }
}

static void every_row_is_whole(void)
{
    check_object(schema_workload.root->object);
    check_object(schema_supervisor.root->object);
    CU_ASSERT(rows > 150);
}

static void guesses_what_was_meant(void)
{
    static const char *const cases[][2] = {{"imge", "image"},
                                           {"imagee", "image"},
                                           {"iamge", "image"},
                                           {"Image", "image"},
                                           {"comand", "command"},
                                           {"Env", "env"},
                                           {"volumemounts", "volumeMounts"}};
    for (size_t i = 0; i < SCHEMA_COUNT(cases); i++) {
        const struct schema_field *field = schema_suggest(&schema_container, cases[i][0]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(field);
        CU_ASSERT_STRING_EQUAL(field->name, cases[i][1]);
    }
    CU_ASSERT_PTR_NULL(schema_suggest(&schema_container, "picture"));
    CU_ASSERT_PTR_NULL(schema_suggest(&schema_container, ""));
    CU_ASSERT_PTR_NULL(schema_suggest(&schema_container, "envFron")); /* would be refused too */
}

static void check_format(enum schema_format format, const char *const *good, const char *const *bad)
{
    for (; *good != NULL; good++) {
        if (schema_format_fault(format, *good) != NULL)
            printf("refused: \"%s\"\n", *good);
        CU_ASSERT_PTR_NULL(schema_format_fault(format, *good));
    }
    for (; *bad != NULL; bad++) {
        if (schema_format_fault(format, *bad) == NULL)
            printf("accepted: \"%s\"\n", *bad);
        CU_ASSERT_PTR_NOT_NULL(schema_format_fault(format, *bad));
    }
}
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LONG_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void formats_accept_and_refuse(void)
{
    check_format(SCHEMA_NAME, TEXTS("a", "a-b", "0", LONG_63),
                 TEXTS("", "-a", "a-", "A", "a.b", LONG_63 "a"));
    check_format(SCHEMA_MEMBER_NAME, TEXTS("a", "node-1.example.org", "10.0.0.1"),
                 TEXTS("", ".a", "a.", "a..b", "a.-b"));
    check_format(SCHEMA_PORT_NAME, TEXTS("http", "h2", "a-b"),
                 TEXTS("", "80", "-a", "a--b", "HTTP", "aaaaaaaaaaaaaaaa"));
    check_format(SCHEMA_LABEL_KEY, TEXTS("app", "a.b/c_d", "A-1", LONG_63),
                 TEXTS("", "a/", "/a", "a/b/c", "A.B/c", "-a", "a b", LONG_63 "a"));
    check_format(SCHEMA_LABEL_VALUE, TEXTS("", "v1.2_x-y"),
                 TEXTS("-a", "a-", "a b", "a/b", LONG_63 "a"));
    check_format(SCHEMA_ABSOLUTE_PATH, TEXTS("/", "/a/..b", "/a/b"),
                 TEXTS("", "a", "/a/../b", "/..", "/a\nb"));
    check_format(SCHEMA_RELATIVE_PATH, TEXTS("a", "a/b"), TEXTS("", "/a", "..", "a/..", "a/../b"));
    check_format(
        SCHEMA_IMAGE,
        TEXTS("busybox", "docker.io/library/busybox:1.36", "a@sha256:00ff", "localhost:5000/a"),
        TEXTS("", "a b", ":a", "-a", "a\n"));
    check_format(SCHEMA_IP,
                 TEXTS("0.0.0.0", "255.1.2.3", "::", "::1", "fe80::1", "1:2:3:4:5:6:7:8"),
                 TEXTS("", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1.2.3.4x", "::1::", "1:2",
                       "g::", "12345::", "1:", ":"));
    check_format(SCHEMA_CAPABILITY, TEXTS("ALL", "NET_ADMIN"), TEXTS("", "net_admin", "NET ADMIN"));
    check_format(SCHEMA_ENV_NAME, TEXTS("A", "a.b-c", "a b"), TEXTS("A=B", "a\n", "\xc3\xa4"));
}

UNIT_MAIN("schema", {"every row is whole", every_row_is_whole},
          {"guesses what was meant", guesses_what_was_meant},
          {"formats accept and refuse", formats_accept_and_refuse})
