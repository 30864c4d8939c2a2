/* docker_json.h: what a document's probes ask for and where; what came of a command. */
#include <stdio.h>
#include <string.h>

#include "agent/codec/docker_json.h"
#include "unit.h"

#define DOCUMENT(probe, more)                                               \
    "{\"spec\":{" more                                                      \
    "\"container\":{\"image\":\"a\",\"ports\":[{\"name\":\"web\","          \
    "\"containerPort\":8080},{\"containerPort\":53,\"protocol\":\"UDP\"}]," \
    "\"readinessProbe\":" probe "}}}"
#define HTTP_GET(more) "{\"httpGet\":{\"port\":\"web\"" more "}}"

static int probe_of(struct docker_probe *probe, const char *document, const char *published,
                    const char *address, struct error *err)
{
    struct container container = {.port_count = 2};
    TEXT_SET(container.address, address);
    container.ports[0] = (struct container_port){.container_port = 53, .host_port = 1, .udp = true};
    container.ports[1] = (struct container_port){.container_port = 8080, .host_port = 32768};
    struct docker_probe_target target = {.document = document,
                                         .probe = PROBE_READINESS,
                                         .container = &container,
                                         .published_host = published};
    return docker_json_probe(probe, &target, err);
}

static void urls_lead_to_the_container_or_its_published_port(void)
{
    const struct {
        const char *document, *published, *address, *url;
    } cases[] = {
        {DOCUMENT(HTTP_GET(""), ""), NULL, "172.17.0.2", "http://172.17.0.2:8080/"},
        {DOCUMENT(HTTP_GET(",\"path\":\"/a?b=%20\",\"scheme\":\"HTTPS\""), ""), NULL, "172.17.0.2",
         "https://172.17.0.2:8080/a?b=%20"},
        {DOCUMENT(HTTP_GET(""), ""), "127.0.0.1", "172.17.0.2", "http://127.0.0.1:32768/"},
        {DOCUMENT(HTTP_GET(""), ""), NULL, "fd00::2", "http://[fd00::2]:8080/"},
        {DOCUMENT(HTTP_GET(""), "\"hostNetwork\":true,"), NULL, "", "http://127.0.0.1:8080/"},
        {DOCUMENT(HTTP_GET(""), "\"hostNetwork\":true,"), "10.0.0.9", "", "http://10.0.0.9:8080/"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":99}}", ""), NULL, "172.17.0.2", "http://172.17.0.2:99"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docker_probe probe;
        struct error err = {0};
        CU_ASSERT_EQUAL_FATAL(
            probe_of(&probe, cases[i].document, cases[i].published, cases[i].address, &err), 0);
        CU_ASSERT_STRING_EQUAL(probe.url, cases[i].url);
        docker_probe_release(&probe);
    }
}

static void what_cannot_be_asked_is_told(void)
{
    const struct {
        const char *document, *published, *message;
    } cases[] = {
        {DOCUMENT("{}", ""), NULL, "none of exec, httpGet and tcpSocket"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":\"ftp\"}}", ""), NULL, "there is no such port"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":70000}}", ""), NULL, "there is no such port"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":99}}", ""), "127.0.0.1", "not published"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":53}}", ""), "127.0.0.1", "not published"},
        {DOCUMENT("{\"tcpSocket\":{\"port\":99}}", ""), NULL, "no address of its own"},
        {DOCUMENT("{\"exec\":{\"command\":[]}}", ""), NULL, "exec.command"},
        {DOCUMENT("{\"exec\":{\"command\":[\"a\",1]}}", ""), NULL, "list of strings"},
        {DOCUMENT(HTTP_GET(",\"path\":\"a\""), "\"hostNetwork\":true,"), NULL, "httpGet.path"},
        {DOCUMENT(HTTP_GET(",\"httpHeaders\":[{\"name\":\"A\",\"value\":\"b\\r\\nC: d\"}]"),
                  "\"hostNetwork\":true,"),
         NULL, "printable"},
        {"{\"spec\":", NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docker_probe probe;
        struct error err = {0};
        CU_ASSERT_EQUAL(probe_of(&probe, cases[i].document, cases[i].published, "", &err), -1);
        CU_ASSERT(err.text[0] && strstr(err.text, cases[i].message));
        CU_ASSERT(!probe.url && !probe.body && !probe.headers);
    }
}

static void commands_and_headers_are_taken_as_they_are(void)
{
    struct docker_probe probe;
    struct error err = {0};
    CU_ASSERT_EQUAL_FATAL(
        probe_of(&probe, DOCUMENT("{\"exec\":{\"command\":[\"test\",\"-f\",\"/a \\\"b\"]}}", ""),
                 NULL, "", &err),
        0);
    CU_ASSERT_STRING_EQUAL(probe.body,
                           "{\"Cmd\":[\"test\",\"-f\",\"/a \\\"b\"],"
                           "\"AttachStdout\":true,\"AttachStderr\":true}");
    docker_probe_release(&probe);
    CU_ASSERT_EQUAL_FATAL(
        probe_of(&probe,
                 DOCUMENT(HTTP_GET(",\"httpHeaders\":[{\"name\":\"Host\",\"value\":\"x\"},"
                                   "{\"name\":\"Empty\",\"value\":\"\"}]"),
                          ""),
                 NULL, "1.2.3.4", &err),
        0);
    CU_ASSERT_EQUAL_FATAL(probe.header_count, 2);
    CU_ASSERT_STRING_EQUAL(probe.headers[0], "Host: x");
    CU_ASSERT_STRING_EQUAL(probe.headers[1], "Empty;");
    docker_probe_release(&probe);
}

static void ends_of_commands_are_read(void)
{
    struct docker_exec exec;
    struct error err = {0};
    char text[64];
    CU_ASSERT_EQUAL(
        docker_json_exec(&exec, span_text("{\"Running\":false,\"ExitCode\":3,\"Pid\":1}"), &err),
        0);
    CU_ASSERT(!exec.running && exec.exit_code == 3);
    CU_ASSERT_EQUAL(
        docker_json_exec(&exec, span_text("{\"Running\":true,\"ExitCode\":null}"), &err), 0);
    CU_ASSERT(exec.running && exec.exit_code == -1);
    CU_ASSERT_EQUAL(docker_json_exec(&exec, span_text("{\"ExitCode\":0}"), &err), -1);
    CU_ASSERT_EQUAL(docker_json_exec(&exec, span_text("nonsense"), &err), -1);
    docker_exec_text(text, sizeof text,
                     span_of("\2\0\0\0\0\0\0\10"
                             "no file\n",
                             16));
    CU_ASSERT_STRING_EQUAL(text, "no file");
    docker_exec_text(text, sizeof text, span_text("as it is"));
    CU_ASSERT_STRING_EQUAL(text, "as it is");
}

UNIT_MAIN("docker_probe", {"urls", urls_lead_to_the_container_or_its_published_port},
          {"refusals", what_cannot_be_asked_is_told},
          {"commands and headers", commands_and_headers_are_taken_as_they_are},
          {"ends of commands", ends_of_commands_are_read})
