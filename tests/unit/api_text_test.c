/* What the API writes and how it reads its own documents: writer, scan, Status objects. */
#include "unit.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "agent/codec/api_scan.h"
#include "agent/codec/api_status.h"
#include "agent/codec/api_writer.h"

static void is_text(struct buffer *buffer, const char *expected)
{
    buffer_u8(buffer, 0);
    if (strcmp((const char *)buffer->data, expected) != 0)
        printf("%s\n", (const char *)buffer->data);
    CU_ASSERT_STRING_EQUAL((const char *)buffer->data, expected);
    buffer_clear(buffer);
}

static void objects_and_arrays_get_their_commas(void)
{
    struct buffer buffer = {0};
    struct api_writer writer = api_writer_of(&buffer);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "a", "x");
    api_writer_open(&writer, "b", '[');
    api_writer_unsigned(&writer, NULL, UINT64_MAX);
    api_writer_signed(&writer, NULL, INT64_MIN);
    api_writer_open(&writer, NULL, '{');
    api_writer_close(&writer, '}');
    api_writer_close(&writer, ']');
    api_writer_bool(&writer, "c", true);
    api_writer_text_unless_empty(&writer, "d", "");
    api_writer_time(&writer, "e", 1700000000999);
    api_writer_raw(&writer, "f", span_text("null"));
    api_writer_close(&writer, '}');
    is_text(&buffer,
            "{\"a\":\"x\",\"b\":[18446744073709551615,-9223372036854775808,{}],\"c\":true,"
            "\"e\":\"2023-11-14T22:13:20Z\",\"f\":null}");
    buffer_release(&buffer);
}

static void text_is_escaped(void)
{
    struct buffer buffer = {0};
    struct api_writer writer = api_writer_of(&buffer);
    api_writer_text(&writer, NULL, "\"\\\b\f\n\r\t\x01\x7f/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    is_text(&buffer,
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    writer.comma = false; /* not UTF-8: a lone tail, overlong, cut, surrogate, too great */
    api_writer_text(&writer, NULL, "\x80|\xc0\xaf|\xe2\x82|\xed\xa0\x80|\xf4\x90\x80\x80");
#define BAD "\xef\xbf\xbd"
    is_text(&buffer, "\"" BAD "|" BAD BAD "|" BAD BAD "|" BAD BAD BAD "|" BAD BAD BAD BAD "\"");
    buffer_release(&buffer);
}

static void json_is_indented(void)
{
    struct buffer buffer = {0};
    api_json_indent(&buffer, span_text("{\"a\":[1,{\"b\":\"x,{\\\"\"}],\"c\":{},\"d\":[]}"));
    is_text(&buffer,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,{\\\"\"\n    }\n  ],\n  \"c\": {},\n  "
            "\"d\": []\n}\n");
    api_json_indent(&buffer, span_text("}]\"\\")); /* not JSON: no harm */
    buffer_release(&buffer);
}

static void members_are_found(void)
{
    struct span object =
        span_text("{ \"a\" : {\"x\":[1,\"}\"],\"y\":\"\\\"}\"} , \"b\":\"t\",\"c\":12,\"d\":null}");
    struct span value;
    CU_ASSERT_TRUE(api_scan_member(object, "a", &value));
    CU_ASSERT_TRUE(span_equal(value, span_text("{\"x\":[1,\"}\"],\"y\":\"\\\"}\"}")));
    CU_ASSERT_TRUE(api_scan_member(object, "b", &value));
    CU_ASSERT_TRUE(span_equal(api_scan_string(value), span_text("t")));
    CU_ASSERT_TRUE(api_scan_member(object, "c", &value));
    CU_ASSERT_TRUE(span_equal(value, span_text("12")));
    CU_ASSERT_TRUE(api_scan_member(object, "d", &value));
    CU_ASSERT_TRUE(span_equal(value, span_text("null")));
    CU_ASSERT_FALSE(api_scan_member(object, "e", &value));
    CU_ASSERT_EQUAL(api_scan_string(span_text("\"a\\n\"")).bytes, 0);
}

/* Every prefix of a document, and every document with one byte changed: the walk ends within its
 * bytes (ASan). */
static void broken_objects_end_the_walk(void)
{
    static const char text[] = "{\"a\":{\"x\":[1,\"}\"],\"y\":\"\\\"}\"},\"b\":\"t\\\\\",\"c\":12}";
    static const char changes[] = "{}[]\",:\\x";
    struct span key, value;
    for (size_t bytes = 0; bytes < sizeof text; bytes++) {
        for (size_t change = 0; change < sizeof changes - 1; change++) {
            uint8_t *copy = malloc(bytes + 1);
            memcpy(copy, text, bytes);
            if (bytes > 0)
                copy[bytes / 2] = (uint8_t)changes[change];
            uint8_t *exact = realloc(copy, bytes ? bytes : 1);
            size_t steps = 0;
            for (size_t at = 0; api_scan_next(span_of(exact, bytes), &at, &key, &value); steps++)
                CU_ASSERT_TRUE(value.data + value.bytes <= exact + bytes);
            CU_ASSERT_TRUE(steps < sizeof text);
            free(exact);
        }
    }
}

static cJSON *status_json(const struct api_failure *failure)
{
    struct buffer buffer = {0};
    api_failure_write(failure, &buffer);
    cJSON *json = cJSON_ParseWithLength((const char *)buffer.data, buffer.bytes);
    buffer_release(&buffer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    return json;
}

static const char *text_at(const cJSON *json, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
    return text ? text : "";
}

static void failures_are_worded_as_kubernetes_words_them(void)
{
    struct api_failure failure;
    CU_ASSERT_EQUAL(api_failure_not_found(&failure, API_WORKLOADS, "web"), -1);
    cJSON *json = status_json(&failure);
    CU_ASSERT_STRING_EQUAL(text_at(json, "kind"), "Status");
    CU_ASSERT_STRING_EQUAL(text_at(json, "apiVersion"), "v1");
    CU_ASSERT_STRING_EQUAL(text_at(json, "status"), "Failure");
    CU_ASSERT_STRING_EQUAL(text_at(json, "reason"), "NotFound");
    CU_ASSERT_STRING_EQUAL(text_at(json, "message"), "workloads.hordelet.dev \"web\" not found");
    CU_ASSERT_EQUAL(cJSON_GetObjectItem(json, "code")->valueint, 404);
    const cJSON *details = cJSON_GetObjectItem(json, "details");
    CU_ASSERT_STRING_EQUAL(text_at(details, "name"), "web");
    CU_ASSERT_STRING_EQUAL(text_at(details, "group"), "hordelet.dev");
    CU_ASSERT_STRING_EQUAL(text_at(details, "kind"), "workloads");
    cJSON_Delete(json);
    api_failure_exists(&failure, API_WORKLOADS, "web");
    CU_ASSERT_STRING_EQUAL(failure.reason, "AlreadyExists");
    CU_ASSERT_EQUAL(failure.status, 409);
}

static void a_field_error_names_its_field(void)
{
    struct api_failure failure;
    api_failure_invalid(
        &failure, API_WORKLOADS, "web",
        "spec.container.ports[0].containerPort: must be 1 to 65535 (line 7, column 3)");
    cJSON *json = status_json(&failure);
    CU_ASSERT_EQUAL(failure.status, 422);
    CU_ASSERT_STRING_EQUAL(text_at(json, "reason"), "Invalid");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text_at(json, "message"),
               "Workload.hordelet.dev \"web\" is invalid: spec.container.ports[0].containerPort:"));
    const cJSON *cause =
        cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "details"), "causes"), 0);
    CU_ASSERT_STRING_EQUAL(text_at(cause, "field"), "spec.container.ports[0].containerPort");
    CU_ASSERT_STRING_EQUAL(text_at(cause, "message"), "must be 1 to 65535 (line 7, column 3)");
    cJSON_Delete(json);
    api_failure_invalid(&failure, API_WORKLOADS, NULL, "something else");
    CU_ASSERT_STRING_EQUAL(failure.cause_field, "");
}

static void errors_and_replies_become_failures(void)
{
    static const struct {
        enum error_code code;
        int status;
    } table[] = {{ERROR_MALFORMED, 400}, {ERROR_INVALID, 422},  {ERROR_TOO_LARGE, 413},
                 {ERROR_NOT_FOUND, 404}, {ERROR_CONFLICT, 409}, {ERROR_UNSUPPORTED_MEDIA, 415},
                 {ERROR_IO, 500}};
    struct api_failure failure;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = {.code = table[i].code, .text = "why"};
        api_failure_error(&failure, API_SUPERVISORS, "x", &err);
        CU_ASSERT_EQUAL(failure.status, table[i].status);
        CU_ASSERT_STRING_NOT_EQUAL(failure.reason, "");
    }
    struct reply reply = {.status = 507, .message = "the disk is full"};
    api_failure_reply(&failure, API_WORKLOADS, "web", &reply);
    CU_ASSERT_EQUAL(failure.status, 507);
    CU_ASSERT_STRING_EQUAL(failure.reason, "InsufficientStorage");
    CU_ASSERT_STRING_EQUAL(failure.message, "the disk is full");
    reply = (struct reply){.status = 0};
    api_failure_reply(&failure, API_WORKLOADS, "web", &reply);
    CU_ASSERT_EQUAL(failure.status, 500);
}

UNIT_MAIN("api text", {"objects and arrays get their commas", objects_and_arrays_get_their_commas},
          {"text is escaped", text_is_escaped}, {"json is indented", json_is_indented},
          {"members are found", members_are_found},
          {"broken objects end the walk", broken_objects_end_the_walk},
          {"failures are worded as kubernetes words them",
           failures_are_worded_as_kubernetes_words_them},
          {"a field error names its field", a_field_error_names_its_field},
          {"errors and replies become failures", errors_and_replies_become_failures})
