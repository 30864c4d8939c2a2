/* What an engine answers, read into values. Decisions are made from the state after an inspection,
 * so this file knows every word that docker and podman use for a state, and takes any other by the
 * flag `Running`.
 *
 * Invariant: nothing is taken as ours unless all labels that identify a child can be read. */
#include "agent/codec/docker_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/json.h"
#include "agent/codec/timestamp.h"

/* ---- labels ---- */

/* Digits to the end of the text and nothing else. */
static bool parse_number(uint64_t *ret_number, const char *text, int base)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number = 0;
    if (!text || !text[0])
        return false;
    for (; *text; text++) {
        const char *digit = memchr(digits, *text, (size_t)base);
        if (!digit || __builtin_mul_overflow(number, (uint64_t)base, &number) ||
            __builtin_add_overflow(number, (uint64_t)(digit - digits), &number))
            return false;
    }
    *ret_number = number;
    return true;
}

static bool read_name(char *field, size_t bytes, const cJSON *labels, const char *key)
{
    const char *text = json_get_text(labels, key);
    if (!text || strlen(text) >= bytes)
        return false;
    text_set(field, bytes, text);
    return text[0] != 0;
}

static void read_labels(struct docker_container *docker, const cJSON *labels)
{
    struct container *container = &docker->container;
    const char *child = json_get_text(labels, DOCKER_LABEL_CHILD);
    bool cluster = read_name(docker->cluster, sizeof docker->cluster, labels, DOCKER_LABEL_CLUSTER);
    bool node = read_name(container->node, sizeof container->node, labels, DOCKER_LABEL_NODE);
    bool uid = read_name(container->uid, sizeof container->uid, labels, DOCKER_LABEL_UID);
    read_name(container->supervisor, sizeof container->supervisor, labels, DOCKER_LABEL_SUPERVISOR);
    parse_number(&container->replica, json_get_text(labels, DOCKER_LABEL_REPLICA), 16);
    parse_number(&container->spec_hash, json_get_text(labels, DOCKER_LABEL_SPEC_HASH), 16);
    container->guarded = texts_equal(json_get_text(labels, DOCKER_LABEL_GUARDED), "true");
    docker->labelled =
        cluster && node && uid && child && child_id_parse(&container->child, child) &&
        parse_number(&container->epoch, json_get_text(labels, DOCKER_LABEL_EPOCH), 10);
}

static bool read_id(char ret_id[CONTAINER_ID_BYTES_MAX + 1], const char *id)
{
    if (!id || !id[0] || strlen(id) > CONTAINER_ID_BYTES_MAX)
        return false;
    for (const char *at = id; *at; at++) /* it becomes part of a path */
        if (!(*at >= '0' && *at <= '9') && !(*at >= 'a' && *at <= 'z') && *at != '_' && *at != '-')
            return false;
    text_set(ret_id, CONTAINER_ID_BYTES_MAX + 1, id);
    return true;
}

/* ---- inspect ---- */

static enum container_state read_status(const char *status, bool running)
{
    static const struct {
        const char *word;
        enum container_state state;
    } words[] = {
        {"created", CONTAINER_CREATED},     {"configured", CONTAINER_CREATED},
        {"initialized", CONTAINER_CREATED}, {"running", CONTAINER_RUNNING},
        {"paused", CONTAINER_RUNNING},      {"restarting", CONTAINER_RUNNING},
        {"stopping", CONTAINER_RUNNING},    {"exited", CONTAINER_EXITED},
        {"stopped", CONTAINER_EXITED},      {"removing", CONTAINER_GONE},
        {"dead", CONTAINER_GONE},
    };
    for (size_t i = 0; status && i < sizeof words / sizeof *words; i++)
        if (strcmp(status, words[i].word) == 0)
            return words[i].state;
    return running ? CONTAINER_RUNNING : CONTAINER_EXITED;
}

/* Engines write the year 1 for "never". */
static uint64_t read_time(const cJSON *state, const char *key)
{
    uint64_t ms = 0;
    const char *text = json_get_text(state, key);
    return text && timestamp_parse(&ms, text) ? ms : 0;
}

static void read_port_key(const char *key, uint64_t *ret_number, bool *ret_udp, bool *ret_known)
{
    char digits[8] = "";
    size_t bytes = strcspn(key, "/");
    if (bytes < sizeof digits)
        memcpy(digits, key, bytes);
    *ret_udp = strcmp(key + bytes, "/udp") == 0;
    bool tcp = key[bytes] == 0 || strcmp(key + bytes, "/tcp") == 0;
    *ret_known = (tcp || *ret_udp) && parse_number(ret_number, digits, 10) && *ret_number >= 1 &&
                 *ret_number <= UINT16_MAX;
}

static void add_port(struct container *container, const char *key, uint64_t host_port)
{
    uint64_t number = 0;
    bool udp, known;
    read_port_key(key, &number, &udp, &known);
    if (!known || container->port_count == PORTS_PER_WORKLOAD_MAX)
        return;
    if (host_port == 0)
        host_port = number; /* the host's network: the same on both sides */
    container->ports[container->port_count++] =
        (struct container_port){(uint16_t)number, (uint16_t)host_port, udp};
}

/* A port is bound once for IPv4 and once for IPv6, not always to the same number: the first counts.
 */
static void read_published_ports(struct container *container, const cJSON *ports)
{
    const cJSON *bindings;
    cJSON_ArrayForEach(bindings, ports)
    {
        uint64_t host_port = 0;
        const cJSON *first = cJSON_IsArray(bindings) ? bindings->child : NULL;
        if (parse_number(&host_port, json_get_text(first, "HostPort"), 10) && host_port >= 1 &&
            host_port <= UINT16_MAX)
            add_port(container, bindings->string, host_port);
    }
}

static void read_network(struct container *container, const cJSON *inspection)
{
    const char *mode = json_text(JSON_GET_PATH(inspection, "HostConfig", "NetworkMode"));
    const cJSON *network = json_get_object(inspection, "NetworkSettings"), *port, *item;
    if (mode && strcmp(mode, "host") == 0) {
        const cJSON *exposed = JSON_GET_PATH(inspection, "Config", "ExposedPorts");
        if (cJSON_IsObject(exposed))
            cJSON_ArrayForEach(port, exposed) add_port(container, port->string, 0);
        return;
    }
    const cJSON *ports = json_get_object(network, "Ports");
    if (ports)
        read_published_ports(container, ports);
    const char *address = json_get_text(network, "IPAddress");
    cJSON_ArrayForEach(item, json_get_object(network, "Networks")) if (!address || !address[0])
        address = json_get_text(item, "IPAddress");
    TEXT_SET(container->address, address ? address : "");
}

/* One line of printable text: it ends in logs and on terminals. */
static void set_line(char *field, size_t bytes, const char *text)
{
    text_set(field, bytes, text);
    size_t length = strlen(field);
    while (length > 0 && strchr(" \r\n\t", field[length - 1]))
        field[--length] = 0;
    for (char *at = field; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
}

int docker_json_inspect(struct docker_container *ret_container, struct span body, struct error *err)
{
    cleanup_json cJSON *inspection = json_parse(body, DOCKER_ANSWER_BYTES_MAX, err);
    if (!inspection)
        return error_wrap(err, "inspection of a container");
    struct docker_container docker = {0};
    struct container *container = &docker.container;
    const cJSON *state = json_get_object(inspection, "State");
    if (!read_id(container->id, json_get_text(inspection, "Id")) || !state)
        return error_set(err, ERROR_MALFORMED, "inspection of a container: no Id or no State");
    read_labels(&docker, JSON_GET_PATH(inspection, "Config", "Labels"));
    container->state =
        read_status(json_get_text(state, "Status"), json_get_bool(state, "Running", false));
    container->exit_code = (int32_t)json_get_integer(state, "ExitCode", 0);
    container->oom_killed = json_get_bool(state, "OOMKilled", false);
    container->started_ms = read_time(state, "StartedAt");
    container->finished_ms = read_time(state, "FinishedAt");
    const char *error = json_get_text(state, "Error");
    set_line(docker.error, sizeof docker.error, error ? error : "");
    read_network(container, inspection);
    *ret_container = docker;
    return 0;
}

/* ---- list, created, events, version ---- */

int docker_json_list(struct docker_containers *ret_containers, struct span body, struct error *err)
{
    cleanup_json cJSON *list = json_parse(body, DOCKER_LIST_BYTES_MAX, err);
    if (!list)
        return error_wrap(err, "list of containers");
    if (!cJSON_IsArray(list))
        return error_set(err, ERROR_MALFORMED, "list of containers: not an array");
    size_t count_max = (size_t)cJSON_GetArraySize(list);
    if (count_max > DOCKER_CONTAINERS_MAX)
        return error_set(err, ERROR_TOO_LARGE, "list of containers: more than %d",
                         DOCKER_CONTAINERS_MAX);
    struct docker_containers found = {.items = xcalloc(count_max + 1, sizeof *found.items)};
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        struct docker_container *docker = &found.items[found.count++];
        if (!read_id(docker->container.id, json_get_text(item, "Id"))) {
            free(found.items);
            return error_set(err, ERROR_MALFORMED, "list of containers: one without an Id");
        }
        read_labels(docker, json_get_object(item, "Labels"));
        docker->container.state = read_status(json_get_text(item, "State"), false);
    }
    *ret_containers = found;
    return 0;
}

int docker_json_created(char ret_id[CONTAINER_ID_BYTES_MAX + 1], struct span body,
                        struct error *err)
{
    cleanup_json cJSON *answer = json_parse(body, DOCKER_ANSWER_BYTES_MAX, err);
    if (!answer)
        return error_wrap(err, "answer to create");
    if (!read_id(ret_id, json_get_text(answer, "Id")))
        return error_set(err, ERROR_MALFORMED, "answer to create: no Id");
    return 0;
}

int docker_json_event(struct docker_event *ret_event, struct span line, struct error *err)
{
    cleanup_json cJSON *json = json_parse(line, DOCKER_ANSWER_BYTES_MAX, err);
    if (!json)
        return error_wrap(err, "event");
    struct docker_event event = {0};
    const char *action = json_get_text(json, "Action");
    const cJSON *actor = json_get_object(json, "Actor");
    if (!action || !read_id(event.container.container.id, json_get_text(actor, "ID")))
        return error_set(err, ERROR_MALFORMED, "event: no Action or no Actor.ID");
    read_labels(&event.container, json_get_object(actor, "Attributes"));
    event.gone = strcmp(action, "destroy") == 0 || strcmp(action, "remove") == 0;
    *ret_event = event;
    return 0;
}

/* "1.41" is 41. */
static unsigned read_api(const cJSON *version, const char *key)
{
    uint64_t minor = 0;
    const char *text = json_get_text(version, key);
    if (!text || strncmp(text, "1.", 2) != 0 || !parse_number(&minor, text + 2, 10) || minor > 9999)
        return 0;
    return (unsigned)minor;
}

/* Podman tells its name in the first component only; docker calls that one "Engine". */
int docker_json_version(struct docker_version *ret_version, struct span body, struct error *err)
{
    cleanup_json cJSON *json = json_parse(body, DOCKER_ANSWER_BYTES_MAX, err);
    if (!json)
        return error_wrap(err, "version of the engine");
    struct docker_version version = {0};
    version.api = read_api(json, "ApiVersion");
    version.api_min = read_api(json, "MinAPIVersion");
    const char *text = json_get_text(json, "Version");
    const cJSON *components = json_get_array(json, "Components");
    const char *name = components ? json_get_text(components->child, "Name") : NULL;
    if (version.api == 0)
        return error_set(err, ERROR_MALFORMED, "version of the engine: no ApiVersion 1.x");
    set_line(version.version, sizeof version.version, text ? text : "");
    set_line(version.name, sizeof version.name,
             name && strncmp(name, "Podman", 6) == 0 ? "podman" : "docker");
    *ret_version = version;
    return 0;
}

void docker_json_message(char *ret_text, size_t bytes, struct span body)
{
    struct error err;
    cleanup_json cJSON *json = json_parse(body, DOCKER_ANSWER_BYTES_MAX, &err);
    const char *message = json_get_text(json, "message");
    if (message) {
        set_line(ret_text, bytes, message);
        return;
    }
    text_set_span(ret_text, bytes, body);
    size_t length = strnlen(ret_text, bytes);
    for (size_t i = 0; i < length; i++) /* not known to be UTF-8, nor text at all */
        if ((unsigned char)ret_text[i] < 0x20 || (unsigned char)ret_text[i] >= 0x7f)
            ret_text[i] = ' ';
}
