/* A document's probe as what is to be sent where. The document was validated when it was written,
 * possibly by an agent of another version: what cannot be carried out is an error. */
#include "agent/codec/docker_json_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void docker_probe_release(struct docker_probe *probe)
{
    for (size_t i = 0; i < probe->header_count; i++)
        free(probe->headers[i]);
    free(probe->headers);
    free(probe->body);
    free(probe->url);
    *probe = (struct docker_probe){.action = DOCKER_PROBE_EXEC};
}

/* ---- where ---- */

static int64_t probe_port_number(const cJSON *container, const cJSON *wanted)
{
    int64_t number = 0;
    const cJSON *ports = json_get_array(container, "ports");
    if (json_integer(&number, wanted))
        return number;
    for (const cJSON *port = ports ? ports->child : NULL; port && json_text(wanted);
         port = port->next) {
        const char *name = json_get_text(port, "name");
        if (name && strcmp(name, json_text(wanted)) == 0)
            return json_get_integer(port, "containerPort", 0);
    }
    return 0;
}

static uint16_t probe_published(const struct container *container, int64_t port)
{
    for (size_t i = 0; i < container->port_count; i++)
        if (container->ports[i].container_port == port && !container->ports[i].udp)
            return container->ports[i].host_port;
    return 0;
}

/* "host:port", an IPv6 address in brackets. */
static int probe_endpoint(char *ret_text, size_t bytes, const cJSON *spec, const cJSON *action,
                          const struct docker_probe_target *target, struct error *err)
{
    int64_t port = probe_port_number(json_get_object(spec, "container"), json_get(action, "port"));
    const char *host = target->container->address;
    if (port < 1 || port > 65535)
        return error_set(err, ERROR_INVALID, "port: there is no such port");
    if (json_get_bool(spec, "hostNetwork", false)) {
        host = target->published_host ? target->published_host : "127.0.0.1";
    } else if (target->published_host) {
        host = target->published_host;
        port = probe_published(target->container, port);
        if (port == 0)
            return error_set(err, ERROR_INVALID, "port: it is not published");
    }
    if (!host[0])
        return error_set(err, ERROR_INVALID, "the container has no address of its own");
    bool six = strchr(host, ':') != NULL;
    snprintf(ret_text, bytes, "%s%s%s:%d", six ? "[" : "", host, six ? "]" : "", (int)port);
    return 0;
}

/* ---- what ---- */

static bool is_printable(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

static int probe_exec(struct docker_probe *probe, const cJSON *action, struct error *err)
{
    const cJSON *command = json_get_array(action, "command");
    if (!command || !command->child)
        return error_set(err, ERROR_INVALID, "exec.command: is empty");
    cleanup_json cJSON *body = json_new_object();
    cJSON *words = json_add_array(body, "Cmd");
    for (const cJSON *word = command->child; word; word = word->next) {
        if (!json_text(word))
            return error_set(err, ERROR_INVALID, "exec.command: must be a list of strings");
        json_add_text(words, NULL, json_text(word));
    }
    json_add_bool(body, "AttachStdout", true);
    json_add_bool(body, "AttachStderr", true);
    probe->action = DOCKER_PROBE_EXEC;
    probe->body = json_print(body);
    return 0;
}

static int probe_header(struct docker_probe *probe, const cJSON *header, struct error *err)
{
    const char *name = json_get_text(header, "name"), *value = json_get_text(header, "value");
    if (!name || !name[0] || !value || !is_printable(name) || !is_printable(value))
        return error_set(err, ERROR_INVALID, "httpGet.httpHeaders: must be printable");
    size_t bytes = strlen(name) + strlen(value) + 3;
    char *line = xmalloc(bytes);
    /* curl takes "Name:" for "leave this one out", and "Name;" for an empty one. */
    snprintf(line, bytes, value[0] ? "%s: %s" : "%s;", name, value);
    probe->headers[probe->header_count++] = line;
    return 0;
}

static int probe_headers(struct docker_probe *probe, const cJSON *headers, struct error *err)
{
    if (cJSON_GetArraySize(headers) > PROBE_HEADERS_MAX)
        return error_set(err, ERROR_INVALID, "httpGet.httpHeaders: too many");
    probe->headers = xcalloc(PROBE_HEADERS_MAX, sizeof *probe->headers);
    for (const cJSON *header = headers ? headers->child : NULL; header; header = header->next)
        if (probe_header(probe, header, err))
            return -1;
    return 0;
}

static int probe_http(struct docker_probe *probe, const char *endpoint, const cJSON *action,
                      struct error *err)
{
    const char *path = json_get_text(action, "path"), *scheme = json_get_text(action, "scheme");
    bool sealed = scheme && strcmp(scheme, "HTTPS") == 0;
    path = path ? path : "/";
    if (path[0] != '/' || !is_printable(path))
        return error_set(err, ERROR_INVALID, "httpGet.path: must begin with / and be printable");
    size_t bytes = strlen(endpoint) + strlen(path) + sizeof "https://";
    probe->action = DOCKER_PROBE_HTTP;
    probe->url = xmalloc(bytes);
    snprintf(probe->url, bytes, "%s://%s%s", sealed ? "https" : "http", endpoint, path);
    return probe_headers(probe, json_get_array(action, "httpHeaders"), err);
}

static int probe_fill(struct docker_probe *probe, const cJSON *spec, const cJSON *document,
                      const struct docker_probe_target *target, struct error *err)
{
    const cJSON *exec = json_get_object(document, "exec"),
                *http = json_get_object(document, "httpGet"),
                *tcp = json_get_object(document, "tcpSocket");
    char endpoint[ADDRESS_BYTES_MAX + 16];
    if (exec)
        return probe_exec(probe, exec, err);
    if (!http && !tcp)
        return error_set(err, ERROR_INVALID, "none of exec, httpGet and tcpSocket");
    if (probe_endpoint(endpoint, sizeof endpoint, spec, http ? http : tcp, target, err))
        return -1;
    if (http)
        return probe_http(probe, endpoint, http, err);
    size_t bytes = strlen(endpoint) + sizeof "http://";
    probe->action = DOCKER_PROBE_TCP;
    probe->url = xmalloc(bytes);
    snprintf(probe->url, bytes, "http://%s", endpoint);
    return 0;
}

int docker_json_probe(struct docker_probe *ret_probe, const struct docker_probe_target *target,
                      struct error *err)
{
    static const char *const names[] = {
        [PROBE_READINESS] = "readinessProbe", [PROBE_LIVENESS] = "livenessProbe"};
    *ret_probe = (struct docker_probe){.action = DOCKER_PROBE_EXEC};
    cleanup_json cJSON *document = json_parse(span_text(target->document), DOCUMENT_BYTES_MAX, err);
    if (!document)
        return -1;
    const cJSON *spec = json_get_object(document, "spec");
    const cJSON *probe = JSON_GET_PATH(spec, "container", names[target->probe]);
    if (probe_fill(ret_probe, spec, probe, target, err) == 0)
        return 0;
    docker_probe_release(ret_probe);
    return -1;
}

/* ---- what came of a command ---- */

int docker_json_exec(struct docker_exec *ret_exec, struct span body, struct error *err)
{
    cleanup_json cJSON *answer = json_parse(body, DOCKER_ANSWER_BYTES_MAX, err);
    if (!answer)
        return error_wrap(err, "exec");
    const cJSON *running = json_get(answer, "Running");
    int64_t exit_code = json_get_integer(answer, "ExitCode", -1);
    if (!cJSON_IsBool(running))
        return error_set(err, ERROR_MALFORMED, "exec: no Running");
    *ret_exec = (struct docker_exec){
        .running = cJSON_IsTrue(running),
        .exit_code = exit_code >= 0 && exit_code <= 255 ? (int32_t)exit_code : -1,
    };
    return 0;
}

/* Output comes in frames: 1 or 2 for the stream, three zeros, four bytes of length. */
void docker_exec_text(char *ret_text, size_t bytes, struct span output)
{
    const uint8_t *data = output.data;
    if (output.bytes >= 8 && data[0] <= 2 && data[1] == 0 && data[2] == 0 && data[3] == 0)
        output = span_of(data + 8, output.bytes - 8);
    docker_json_message(ret_text, bytes, output);
    for (size_t end = strlen(ret_text); end > 0 && ret_text[end - 1] == ' '; end--)
        ret_text[end - 1] = '\0';
}
