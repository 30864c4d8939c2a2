/* Addresses, paths, answers: what the client sends where, and how it reads what comes back. */
#include <stdlib.h>
#include <string.h>

#include "agent/cli/api_address.h"
#include "agent/cli/api_answer.h"
#include "agent/cli/api_path.h"
#include "agent/cli/apply_change.h"
#include "agent/cli/rollout.h"
#include "agent/cli/terminal.h"
#include "unit.h"

static cJSON *parse(const char *text)
{
    struct error err = {0};
    return json_parse(span_text(text), 10000, &err);
}

static const struct api_login nothing;

static void addresses_are_understood(void)
{
    static const char *const cases[][2] = {
        {"http://127.0.0.1:7371", "http://127.0.0.1:7371"},
        {"127.0.0.1:80", "http://127.0.0.1:80"},
        {"node-a", "http://node-a:7371"},
        {"http://node-a/", "http://node-a:7371"},
        {"[::1]:80", "http://[::1]:80"},
        {"[fd00::1]", "http://[fd00::1]:7371"},
        {"https://node-a", "https://node-a:7371"},
        {"https://node-a:80/", "https://node-a:80"},
    };
    struct api_address address;
    struct error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(api_address_parse(&address, cases[i][0], &nothing, &err), 0);
        CU_ASSERT_STRING_EQUAL(address.base_url, cases[i][1]);
        CU_ASSERT_STRING_EQUAL(address.socket, "");
    }
    CU_ASSERT_EQUAL(api_address_parse(&address, "unix:///run/x.sock", &nothing, &err), 0);
    CU_ASSERT_STRING_EQUAL(address.socket, "/run/x.sock");
    CU_ASSERT_STRING_EQUAL(address.text, "unix:///run/x.sock");
}

static void bad_addresses_are_refused(void)
{
    static const char *const cases[] = {
        "",         "http://",       "ftp://x",  "a:0", "a:65536",    "a:b",
        "a:",       "a/path",        "user@a:1", "::1", "[::1",       "unix://",
        "unix:///", "unix:relative", "https://", "a b", "http://a?x",
    };
    struct api_address address;
    char text[400] = "unix:///";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        CU_ASSERT_EQUAL(api_address_parse(&address, cases[i], &nothing, &err), -1);
        CU_ASSERT_EQUAL(err.code, ERROR_INVALID);
    }
    struct error err = {0};
    memset(text + 8, 'x', sizeof text - 9);
    CU_ASSERT_EQUAL(api_address_parse(&address, text, &nothing, &err), -1);
    CU_ASSERT_EQUAL(api_address_parse(&address, text + 8, &nothing, &err), -1);
}

static void the_flag_beats_the_environment(void)
{
    struct api_address address;
    struct error err = {0};
    setenv("HORDELET_API", "environment:1", 1);
    CU_ASSERT_EQUAL(api_address_find(&address, &(struct api_flags){.api = "flag:2"}, &err), 0);
    CU_ASSERT_STRING_EQUAL(address.text, "http://flag:2");
    CU_ASSERT_EQUAL(api_address_find(&address, &(struct api_flags){.api = NULL}, &err), 0);
    CU_ASSERT_STRING_EQUAL(address.text, "http://environment:1");
    setenv("HORDELET_API", "a:b:c", 1);
    CU_ASSERT_EQUAL(api_address_find(&address, &(struct api_flags){.api = NULL}, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "HORDELET_API: \"a:b:c\""));
    unsetenv("HORDELET_API");
}

/* What would be read on its way is not sent; without a scheme it goes where nobody reads it. */
static void logins_choose_the_scheme(void)
{
    static const struct {
        const char *text;
        struct api_login login;
        const char *url; /* NULL: refused */
    } cases[] = {
        {"a", {.token_file = "t"}, "https://a:7371"},
        {"a", {.ca_file = "c"}, "https://a:7371"},
        {"127.0.0.1", {.token_file = "t"}, "https://127.0.0.1:7371"},
        {"http://127.0.0.1", {.token_file = "t"}, "http://127.0.0.1:7371"},
        {"http://localhost:80", {.token_file = "t"}, "http://localhost:80"},
        {"http://[::1]", {.token_file = "t"}, "http://[::1]:7371"},
        {"http://127.0.0.1.example", {.token_file = "t"}, NULL},
        {"http://localhost.example", {.token_file = "t"}, NULL},
        {"http://10.0.0.1", {.token_file = "t"}, NULL},
        {"http://127.0.0.1", {.cert_file = "c"}, NULL},
        {"http://10.0.0.1", {.ca_file = "c"}, "http://10.0.0.1:7371"},
        {"unix:///run/x", {.token_file = "t", .cert_file = "c"}, "http://localhost"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_address address = {.tls = false};
        struct error err = {0};
        int result = api_address_parse(&address, cases[i].text, &cases[i].login, &err);
        CU_ASSERT_EQUAL(result, cases[i].url ? 0 : -1);
        CU_ASSERT_STRING_EQUAL(address.base_url, cases[i].url ? cases[i].url : "");
        CU_ASSERT_EQUAL(address.tls, strncmp(address.base_url, "https:", 6) == 0);
    }
    struct api_flags flags = {.api = "a", .login = {.key_file = "k"}};
    struct api_address address;
    struct error err = {0};
    CU_ASSERT_EQUAL(api_address_find(&address, &flags, &err), -1);
    setenv("HORDELET_CERT_FILE", "c", 1);
    CU_ASSERT_EQUAL(api_address_find(&address, &flags, &err), 0);
    CU_ASSERT_STRING_EQUAL(address.login.cert_file, "c");
    unsetenv("HORDELET_CERT_FILE");
}

static void paths_are_built_and_encoded(void)
{
    struct buffer path = {0};
    api_path_object(&path, API_WORKLOADS, "default", "web", "scale");
    CU_ASSERT_STRING_EQUAL(terminal_text(&path),
                           "/apis/hordelet.dev/v1/namespaces/default/workloads/web/scale");
    buffer_clear(&path);
    api_path_object(&path, API_CHILDREN, NULL, NULL, NULL);
    CU_ASSERT_STRING_EQUAL(terminal_text(&path), "/apis/hordelet.dev/v1/children");
    buffer_clear(&path);
    api_path_object(&path, API_MEMBERS, "ignored", "../a?b#c%\xc3\xbc", NULL);
    CU_ASSERT_STRING_EQUAL(terminal_text(&path),
                           "/apis/hordelet.dev/v1/members/..%2Fa%3Fb%23c%25%C3%BC");
    buffer_clear(&path);
    api_path_object(&path, API_NAMES, "n", "..", NULL);
    CU_ASSERT_STRING_EQUAL(terminal_text(&path), "/apis/hordelet.dev/v1/namespaces/n/names/%2E%2E");
    buffer_release(&path);
}

static void selectors_are_passed_on(void)
{
    struct buffer path = {0};
    terminal_printf(&path, "/x");
    api_path_query(&path, "labelSelector", "app=web,tier in (a, b),c!=d&e");
    api_path_query(&path, "fieldSelector", NULL);
    api_path_query(&path, "limit", "500");
    CU_ASSERT_STRING_EQUAL(
        terminal_text(&path),
        "/x?labelSelector=app%3Dweb%2Ctier%20in%20%28a%2C%20b%29%2Cc%21%3Dd%26e&limit=500");
    buffer_release(&path);
}

static void check_failure(int status, const char *json, enum error_code code, const char *text)
{
    struct error err = {0};
    cJSON *answer = json ? parse(json) : NULL;
    CU_ASSERT_EQUAL(api_answer_fail(&err, status, answer), -1);
    CU_ASSERT_EQUAL(err.code, code);
    CU_ASSERT_STRING_EQUAL(err.text, text);
    cJSON_Delete(answer);
}

static void failures_become_words(void)
{
    check_failure(404, "{\"message\":\"workloads \\\"x\\\" not found\"}", ERROR_NOT_FOUND,
                  "workloads \"x\" not found");
    check_failure(
        422,
        "{\"message\":\"Workload is invalid: "
        "...\",\"details\":{\"causes\":[{\"field\":\"spec.replicas\","
        "\"message\":\"must be 0 to 9\"},{\"field\":\"spec.x\",\"message\":\"unknown field\"}]}}",
        ERROR_INVALID, "spec.replicas: must be 0 to 9; spec.x: unknown field");
    check_failure(422, "{\"message\":\"whole\",\"details\":{\"causes\":[{\"field\":1}]}}",
                  ERROR_INVALID, "whole");
    check_failure(503, "{}", ERROR_IO, "the agent answered 503 without a word");
    check_failure(404, NULL, ERROR_NOT_FOUND,
                  "the answer (HTTP 404) is not JSON: is this the API of a hordelet agent?");
}

static void warnings_are_read(void)
{
    char text[16];
    CU_ASSERT_TRUE(api_answer_warning(text, sizeof text, " 299 - \"a \\\"b\\\"\" x"));
    CU_ASSERT_STRING_EQUAL(text, "a \"b\"");
    CU_ASSERT_TRUE(api_answer_warning(text, sizeof text, "299 - \"0123456789abcdefgh\""));
    CU_ASSERT_STRING_EQUAL(text, "0123456789abcde");
    CU_ASSERT_TRUE(api_answer_warning(text, sizeof text, "\"open\\"));
    CU_ASSERT_FALSE(api_answer_warning(text, sizeof text, "299 - none"));
    CU_ASSERT_FALSE(api_answer_warning(text, sizeof text, "299 - \"\""));
}

static void changes_are_told_apart(void)
{
    cJSON *one =
        parse("{\"metadata\":{\"resourceVersion\":\"1\",\"generation\":1},\"spec\":{\"a\":1}}");
    cJSON *status = parse(
        "{\"metadata\":{\"resourceVersion\":\"2\",\"generation\":1},\"spec\":{\"a\":1},\"status\":{"
        "}}");
    cJSON *spec =
        parse("{\"metadata\":{\"resourceVersion\":\"2\",\"generation\":2},\"spec\":{\"a\":2}}");
    cJSON *labels = parse(
        "{\"metadata\":{\"resourceVersion\":\"2\",\"generation\":1,\"labels\":{\"x\":\"y\"}},"
        "\"spec\":{\"a\":1}}");
    CU_ASSERT_STRING_EQUAL(apply_change(200, NULL, one), "created");
    CU_ASSERT_STRING_EQUAL(apply_change(201, one, one), "created");
    CU_ASSERT_STRING_EQUAL(apply_change(200, one, one), "unchanged");
    CU_ASSERT_STRING_EQUAL(apply_change(200, one, status), "unchanged");
    CU_ASSERT_STRING_EQUAL(apply_change(200, one, spec), "configured");
    CU_ASSERT_STRING_EQUAL(apply_change(200, one, labels), "configured");
    cJSON_Delete(one);
    cJSON_Delete(status);
    cJSON_Delete(spec);
    cJSON_Delete(labels);
}

static void check_ready(bool expected, const char *progress, const char *json)
{
    struct buffer text = {0};
    cJSON *workload = parse(json);
    CU_ASSERT_EQUAL(rollout_is_ready(workload, &text), expected);
    CU_ASSERT_STRING_EQUAL(terminal_text(&text), progress);
    cJSON_Delete(workload);
    buffer_release(&text);
}

static void readiness_is_judged(void)
{
    check_ready(
        true, "2 of 2 ready",
        "{\"metadata\":{\"generation\":3},\"spec\":{\"replicas\":2},\"status\":{\"replicas\":2,"
        "\"readyReplicas\":2,\"observedGeneration\":3}}");
    check_ready(
        false, "the agents have not seen this change yet",
        "{\"metadata\":{\"generation\":3},\"spec\":{\"replicas\":2},\"status\":{\"replicas\":2,"
        "\"readyReplicas\":2,\"observedGeneration\":2}}");
    check_ready(false, "1 too many are still there",
                "{\"spec\":{\"replicas\":1},\"status\":{\"replicas\":1,\"readyReplicas\":2}}");
    check_ready(true, "0 of 0 ready", "{\"spec\":{\"replicas\":0},\"status\":{\"replicas\":0}}");
}

static void what_is_missing_is_described(void)
{
    struct buffer text = {0};
    cJSON *children = parse(
        "[{\"metadata\":{\"name\":\"web-0\"},\"status\":{\"ready\":true}},{\"metadata\":{\"name\":"
        "\"web-1\"},\"status\":{\"phase\":\"Pulling\",\"node\":\"b\",\"reason\":\"ImagePull\","
        "\"message\":\"4\\n%\"}},{\"metadata\":{\"name\":\"web-2\"}}]");
    rollout_describe_missing(children, &text);
    CU_ASSERT_STRING_EQUAL(terminal_text(&text),
                           "\n  web-1: Pulling on b, ImagePull: 4\\n%\n  web-2: Pending");
    cJSON_Delete(children);
    buffer_release(&text);
}

UNIT_MAIN("cli path", {"addresses are understood", addresses_are_understood},
          {"bad addresses are refused", bad_addresses_are_refused},
          {"the flag beats the environment", the_flag_beats_the_environment},
          {"logins choose the scheme", logins_choose_the_scheme},
          {"paths are built and encoded", paths_are_built_and_encoded},
          {"selectors are passed on", selectors_are_passed_on},
          {"failures become words", failures_become_words},
          {"warnings are read", warnings_are_read},
          {"changes are told apart", changes_are_told_apart},
          {"readiness is judged", readiness_is_judged},
          {"what is missing is described", what_is_missing_is_described})
