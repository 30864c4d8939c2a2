/* Text for terminals: ages, escapes, widths, tables, the columns of `get`. */
#include <string.h>

#include "agent/cli/columns.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/codec/timestamp.h"
#include "agent/cli/text_table.h"
#include "unit.h"

#define ASSERT_TEXT(buffer, expected) CU_ASSERT_STRING_EQUAL(terminal_text(&(buffer)), expected)

static void ages_are_those_of_kubectl(void)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } cases[] = {
        {0, "0s"},          {5, "5s"},          {119, "119s"},    {120, "2m"},
        {200, "3m20s"},     {599, "9m59s"},     {600, "10m"},     {3600, "60m"},
        {10799, "179m"},    {10800, "3h"},      {11100, "3h5m"},  {28800, "8h"},
        {172799, "47h"},    {172800, "2d"},     {176400, "2d1h"}, {345600, "4d"},
        {691200, "8d"},     {63071999, "729d"}, {63072000, "2y"}, {63158400, "2y1d"},
        {315360000, "10y"},
    };
    char text[TIMESTAMP_AGE_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(timestamp_age(1000, 1000 + cases[i].seconds * 1000, text),
                               cases[i].text);
    CU_ASSERT_STRING_EQUAL(timestamp_age(5000, 1000, text), "0s");
}

static void hostile_text_is_escaped(void)
{
    struct buffer buffer = {0};
    terminal_escape(&buffer, "a\x1b[31m\n\t\r\x7f");
    ASSERT_TEXT(buffer, "a\\x1b[31m\\n\\t\\r\\x7f");
    buffer_clear(&buffer);
    terminal_escape(&buffer, "\xff\xc0\xaf\xe2\x82 \xed\xa0\x80 \xf5");
    ASSERT_TEXT(buffer, "\\xff\\xc0\\xaf\\xe2\\x82 \\xed\\xa0\\x80 \\xf5");
    buffer_clear(&buffer);
    terminal_escape(&buffer,
                    "\xc2\x9b \xe2\x80\xae \xef\xbb\xbf gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    ASSERT_TEXT(buffer, "\\u009b \\u202e \\ufeff gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    buffer_clear(&buffer);
    terminal_escape_lines(&buffer, "a\nb\x01");
    ASSERT_TEXT(buffer, "a\nb\\x01");
    buffer_clear(&buffer);
    terminal_escape(&buffer, NULL);
    ASSERT_TEXT(buffer, "");
    buffer_release(&buffer);
}

static void long_texts_are_printed_whole(void)
{
    struct buffer buffer = {0};
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    terminal_printf(&buffer, "a%sb", text);
    CU_ASSERT_EQUAL(buffer.bytes, sizeof text + 1);
    CU_ASSERT_EQUAL(terminal_text(&buffer)[sizeof text], 'b');
    buffer_release(&buffer);
}

static void columns_are_counted_as_shown(void)
{
    CU_ASSERT_EQUAL(terminal_columns(span_text("abc")), 3);
    CU_ASSERT_EQUAL(terminal_columns(span_text("gr\xc3\xbc\xc3\x9f")), 4);
    CU_ASSERT_EQUAL(terminal_columns(span_text("\xe6\x97\xa5\xe6\x9c\xac")), 4); /* two wide ones */
    CU_ASSERT_EQUAL(terminal_columns(span_text("e\xcc\x81")), 1); /* a combining accent */
    CU_ASSERT_EQUAL(terminal_columns(span_text("")), 0);
}

static void tables_are_aligned(void)
{
    static const char *const cells[] = {"NAME",
                                        "NODE",
                                        "REASON",
                                        "w\xc3\xa9"
                                        "b",
                                        "a",
                                        "",
                                        "longer-name",
                                        NULL,
                                        "x\ny",
                                        "cut"};
    struct text_table table = {.column_count = 3};
    struct buffer buffer = {0};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        text_table_add(&table, cells[i]);
    text_table_print(&table, &buffer);
    ASSERT_TEXT(buffer,
                "NAME         NODE  REASON\n"
                "w\xc3\xa9"
                "b          a     -\n"
                "longer-name  -     x\\ny\n");
    text_table_release(&table);
    buffer_release(&buffer);
}

static void check_columns(enum api_resource resource, const char *json,
                          const struct columns_options *options, const char *expected)
{
    struct error err = {0};
    struct buffer buffer = {0};
    cJSON *items = json_parse(span_text(json), 10000, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(items);
    columns_print(&buffer, resource, items, options);
    ASSERT_TEXT(buffer, expected);
    buffer_release(&buffer);
    cJSON_Delete(items);
}

static void each_kind_has_its_columns(void)
{
    struct columns_options options = {.now_ms = 10000}, wide = {.wide = true, .now_ms = 10000};
    struct columns_options all = {.with_namespace = true};
    check_columns(
        API_WORKLOADS,
        "[{\"metadata\":{\"name\":\"web\",\"creationTimestamp\":\"1970-01-01T00:00:03Z\"},\"spec\":"
        "{\"replicas\":3,\"restart\":\"permanent\",\"supervisor\":\"default\",\"container\":{"
        "\"image\":"
        "\"busybox\"}},\"status\":{\"replicas\":3,\"readyReplicas\":2,\"updatedReplicas\":1}}]",
        &wide,
        "NAME  READY  UP-TO-DATE  SUPERVISOR  AGE  IMAGE\n"
        "web   2/3    1           default     7s   busybox\n");
    check_columns(
        API_CHILDREN,
        "[{\"metadata\":{\"name\":\"web-0\",\"namespace\":\"n\"},\"status\":{\"phase\":\"Running\","
        "\"ready\":"
        "true,\"node\":\"a\",\"epoch\":4,\"restarts\":1,\"message\":\"hidden\"}},{\"metadata\":5}]",
        &all,
        "NAMESPACE  NAME   PHASE    READY  NODE    EPOCH  RESTARTS  AGE  REASON\n"
        "n          web-0  Running  1/1    a       4      1         -    -\n"
        "-          -      -        -      <none>  -      -         -    -\n");
    check_columns(API_NAMES,
                  "[{\"metadata\":{\"name\":\"web\"},\"spec\":{\"value\":{\"a\":1}},\"status\":{"
                  "\"node\":\"a\",\"address\":"
                  "\"fd00::1\",\"port\":80,\"owner\":\"o\"}},{\"metadata\":{\"name\":\"x\"},"
                  "\"status\":{\"address\":"
                  "\"10.0.0.1\"}}]",
                  &wide,
                  "NAME  NODE  ENDPOINT      OWNER  VALUE\n"
                  "web   a     [fd00::1]:80  o      {\"a\":1}\n"
                  "x     -     10.0.0.1      -      -\n");
    check_columns(API_SUPERVISORS,
                  "[{\"metadata\":{\"name\":\"quorum\"},\"spec\":{\"distributionStrategy\":"
                  "\"UniformQuorum\"},\"status\":"
                  "{\"quorum\":false,\"members\":{\"a\":\"alive\",\"b\":\"dead\"},\"specs\":1,"
                  "\"active\":0}}]",
                  &options,
                  "NAME    STRATEGY       MEMBERS  QUORUM  SPECS  ACTIVE\n"
                  "quorum  UniformQuorum  1/2      no      1      0\n");
    check_columns(
        API_MEMBERS,
        "[{\"metadata\":{\"name\":\"a\"},\"spec\":{\"unschedulable\":true},\"status\":{\"phase\":"
        "\"alive\","
        "\"children\":2,\"runtime\":{\"name\":\"docker\",\"version\":\"24\",\"healthy\":false},"
        "\"gossipAddress\":\"a:7370\",\"version\":\"0.1.0\"}}]",
        &options,
        "NAME  PHASE                CHILDREN  RUNTIME                    ADDRESS  VERSION\n"
        "a     alive,unschedulable  2         docker://24 (not healthy)  a:7370   0.1.0\n");
}

static void lookup_lines(void)
{
    struct buffer buffer = {0};
    struct error err = {0};
    cJSON *name = json_parse(
        span_text("{\"metadata\":{\"name\":\"web-0\"},\"status\":{\"node\":\"a\",\"address\":"
                  "\"10.0.0.1\",\"port\":32000}}"),
        1000, &err);
    columns_print_lookup(&buffer, name);
    ASSERT_TEXT(buffer, "web-0 a 10.0.0.1:32000\n");
    buffer_release(&buffer);
    cJSON_Delete(name);
}

static void objects_are_printed_as_json(void)
{
    struct buffer buffer = {0};
    struct error err = {0};
    cJSON *object =
        json_parse(span_text("{\"a\":[1,{\"b\\n\":null}],\"c\":{},\"metadata\":{\"name\":\"x\","
                             "\"managedFields\":[]}}"),
                   1000, &err);
    output_trim(object);
    output_json(&buffer, object);
    ASSERT_TEXT(buffer,
                "{\n  \"a\": [\n    1,\n    {\n      \"b\\n\": null\n    }\n  ],\n  \"c\": {},\n"
                "  \"metadata\": {\n    \"name\": \"x\"\n  }\n}\n");
    buffer_clear(&buffer);
    output_name(&buffer, API_WORKLOADS, object);
    ASSERT_TEXT(buffer, "workload/x\n");
    buffer_release(&buffer);
    cJSON_Delete(object);
}

UNIT_MAIN("cli terminal", {"ages are those of kubectl", ages_are_those_of_kubectl},
          {"hostile text is escaped", hostile_text_is_escaped},
          {"long texts are printed whole", long_texts_are_printed_whole},
          {"columns are counted as shown", columns_are_counted_as_shown},
          {"tables are aligned", tables_are_aligned},
          {"each kind has its columns", each_kind_has_its_columns}, {"lookup lines", lookup_lines},
          {"objects are printed as JSON", objects_are_printed_as_json})
