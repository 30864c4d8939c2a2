/* See workload_check.h. Lists here are short (the schema bounds them), so pairs are compared one by
 * one. */
#include "agent/codec/workload_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/json.h"
#include "agent/codec/quantity.h"
#include "agent/core/limits.h"

enum { CHECKED_ITEMS_MAX = 1000 }; /* of lists that are too long already */

static bool is_text(const cJSON *value, const char *text)
{
    return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

/* The item before `item` whose member has the same value; `also` (may be NULL) must be equal too.
 */
static bool repeats(const cJSON *list, const cJSON *item, const char *key, const char *also)
{
    const cJSON *value = json_get(item, key);
    if (value == NULL)
        return false;
    for (const cJSON *other = list->child; other != item; other = other->next)
        if (values_equal(json_get(other, key), value) &&
            (also == NULL || values_equal(json_get(other, also), json_get(item, also)) ||
             json_get(other, also) == json_get(item, also)))
            return true;
    return false;
}

static void check_distinct(struct problems *problems, const cJSON *list, const char *name,
                           const char *key)
{
    unsigned index = 0;
    size_t mark = path_push_field(problems, name);
    for (const cJSON *item = list ? list->child : NULL; item != NULL && index < CHECKED_ITEMS_MAX;
         item = item->next) {
        char value[SHOWN_BYTES];
        size_t below = path_push_index(problems, index++);
        if (repeats(list, item, key, NULL))
            problem_field(problems, key, json_get(item, key), "%s is there twice",
                          shown(json_get(item, key), value));
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

/* ---- ports ---- */

static bool port_is_udp(const cJSON *port)
{
    return is_text(json_get(port, "protocol"), "UDP");
}

/* Whether another port before this one has the same number (of the given field) and protocol. */
static bool port_repeats(const cJSON *ports, const cJSON *port, const char *field)
{
    int64_t number, other_number;
    if (!json_integer(&number, json_get(port, field)) || number == 0)
        return false;
    for (const cJSON *other = ports->child; other != port; other = other->next)
        if (json_integer(&other_number, json_get(other, field)) && other_number == number &&
            port_is_udp(other) == port_is_udp(port))
            return true;
    return false;
}

static void check_port(struct problems *problems, const cJSON *ports, const cJSON *port,
                       bool host_network)
{
    static const char *const numbers[] = {"containerPort", "hostPort"};
    char value[SHOWN_BYTES];
    const cJSON *name = json_get(port, "name");
    if (repeats(ports, port, "name", NULL))
        problem_field(problems, "name", name, "%s is there twice", shown(name, value));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (port_repeats(ports, port, numbers[i]))
            problem_field(problems, numbers[i], json_get(port, numbers[i]), "%s is there twice",
                          shown(json_get(port, numbers[i]), value));
    int64_t host = json_get_integer(port, "hostPort", 0),
            inside = json_get_integer(port, "containerPort", 0);
    if (host_network && host != 0 && host != inside)
        problem_field(problems, "hostPort", json_get(port, "hostPort"),
                      "must be the containerPort with hostNetwork");
}

static void check_ports(struct problems *problems, const cJSON *spec, const cJSON *ports)
{
    unsigned index = 0;
    size_t mark = path_push_field(problems, "container.ports");
    for (const cJSON *port = ports ? ports->child : NULL; port != NULL && index < CHECKED_ITEMS_MAX;
         port = port->next) {
        size_t below = path_push_index(problems, index++);
        check_port(problems, ports, port, json_get_bool(spec, "hostNetwork", false));
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

/* ---- names ---- */

static bool port_exists(const cJSON *ports, const cJSON *wanted)
{
    for (const cJSON *port = ports ? ports->child : NULL; port != NULL; port = port->next) {
        const cJSON *same = json_get(port, cJSON_IsNumber(wanted) ? "containerPort" : "name");
        if (same != NULL && values_equal(same, wanted))
            return true;
    }
    return false;
}

/* Bytes of "-ORDINAL" that replicas get appended to their names. */
static size_t ordinal_bytes(const cJSON *spec)
{
    int64_t replicas = json_get_integer(spec, "replicas", 1);
    return replicas > 1 ? (size_t)snprintf(NULL, 0, "-%lld", (long long)(replicas - 1)) : 0;
}

static void check_name_length(struct problems *problems, const cJSON *spec, const cJSON *name)
{
    size_t more = ordinal_bytes(spec);
    if (cJSON_IsString(name) && more > 0 && strlen(name->valuestring) <= NAME_BYTES_MAX &&
        strlen(name->valuestring) + more > NAME_BYTES_MAX)
        problem_field(
            problems, "name", name,
            "must have at most %zu bytes: names of replicas get -ORDINAL appended, %d in all",
            NAME_BYTES_MAX - more, NAME_BYTES_MAX);
}

static void check_names(struct problems *problems, const cJSON *spec, const cJSON *ports)
{
    const cJSON *names = json_get_array(spec, "names");
    unsigned index = 0;
    size_t mark = path_push_field(problems, "names");
    for (const cJSON *name = names ? names->child : NULL; name != NULL && index < CHECKED_ITEMS_MAX;
         name = name->next) {
        char value[SHOWN_BYTES];
        const cJSON *port = json_get(name, "port");
        size_t below = path_push_index(problems, index++);
        if (port != NULL && !port_exists(ports, port))
            problem_field(problems, "port", port, "%s is no port of spec.container.ports",
                          shown(port, value));
        check_name_length(problems, spec, json_get(name, "name"));
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

/* ---- probes ---- */

static void check_probe_port(struct problems *problems, const cJSON *action, const cJSON *ports)
{
    const cJSON *port = json_get(action, "port");
    char value[SHOWN_BYTES];
    if (cJSON_IsString(port) && !port_exists(ports, port))
        problem_field(problems, "port", port, "%s is no port of spec.container.ports",
                      shown(port, value));
}

/* What goes into a request as it is: nothing that could end a line in it. */
static bool is_printable(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

static void check_header(struct problems *problems, const cJSON *header)
{
    const cJSON *name = json_get(header, "name"), *value = json_get(header, "value");
    if (cJSON_IsString(name) &&
        (!is_printable(name->valuestring) || strpbrk(name->valuestring, " :;,\"()<>@/[]?={}\\")))
        problem_field(problems, "name", name, "is no name of an HTTP header");
    if (cJSON_IsString(value) && !is_printable(value->valuestring))
        problem_field(problems, "value", value, "must be printable ASCII");
}

static void check_http(struct problems *problems, const cJSON *http)
{
    const cJSON *path = json_get(http, "path"), *headers = json_get_array(http, "httpHeaders");
    unsigned index = 0;
    if (cJSON_IsString(path) && (path->valuestring[0] != '/' || !is_printable(path->valuestring) ||
                                 strpbrk(path->valuestring, " #")))
        problem_field(problems, "path", path, "must begin with / and be as in a URL");
    size_t mark = path_push_field(problems, "httpHeaders");
    for (const cJSON *header = headers ? headers->child : NULL;
         header != NULL && index < CHECKED_ITEMS_MAX; header = header->next) {
        size_t below = path_push_index(problems, index++);
        check_header(problems, header);
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

static void check_probe(struct problems *problems, const cJSON *container, const char *name)
{
    static const char *const actions[] = {"exec", "httpGet", "tcpSocket", "grpc"};
    const cJSON *probe = json_get_object(container, name);
    const cJSON *ports = json_get_array(container, "ports");
    unsigned count = 0;
    if (probe == NULL)
        return;
    char path[64];
    snprintf(path, sizeof path, "container.%s", name);
    size_t mark = path_push_field(problems, path);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const cJSON *action = json_get(probe, actions[i]);
        count += action != NULL;
        size_t below = path_push_field(problems, actions[i]);
        check_probe_port(problems, action, ports);
        path_pop(problems, below);
    }
    const cJSON *command = JSON_GET_PATH(probe, "exec", "command");
    if (cJSON_IsArray(command) && command->child == NULL)
        problem_field(problems, "exec.command", command, "must not be empty");
    if (count != 1)
        problem(problems, probe, "must have one of exec, httpGet and tcpSocket");
    size_t below = path_push_field(problems, "httpGet");
    check_http(problems, json_get_object(probe, "httpGet"));
    path_pop(problems, below);
    const cJSON *successes = json_get(probe, "successThreshold");
    if (strcmp(name, "livenessProbe") == 0 && json_get_integer(probe, "successThreshold", 1) != 1)
        problem_field(problems, "successThreshold", successes, "must be 1 for a livenessProbe");
    path_pop(problems, mark);
}

/* ---- volumes ---- */

static void check_volume(struct problems *problems, const cJSON *volume)
{
    const cJSON *host_path = json_get(volume, "hostPath"), *empty = json_get(volume, "emptyDir");
    bool known = true; /* a kind of volume that the schema refuses is told of there */
    if (!cJSON_IsObject(volume))
        return;
    for (const cJSON *member = volume->child; member != NULL; member = member->next)
        known &= cJSON_IsNull(member) || strcmp(member->string, "name") == 0 ||
                 member == host_path || member == empty;
    if (known && (host_path != NULL) == (empty != NULL))
        problem(problems, volume, "must have one of hostPath and emptyDir");
    const cJSON *limit = json_get(empty, "sizeLimit");
    if (limit != NULL && !is_text(json_get(empty, "medium"), "Memory"))
        problem_field(
            problems, "emptyDir.sizeLimit", limit,
            "not supported in this release for directories on disk, only for medium Memory");
}

static void check_volumes(struct problems *problems, const cJSON *volumes)
{
    unsigned index = 0;
    size_t mark = path_push_field(problems, "volumes");
    for (const cJSON *volume = volumes ? volumes->child : NULL;
         volume != NULL && index < CHECKED_ITEMS_MAX; volume = volume->next) {
        size_t below = path_push_index(problems, index++);
        check_volume(problems, volume);
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

static const cJSON *find_volume(const cJSON *volumes, const char *name)
{
    for (const cJSON *volume = volumes ? volumes->child : NULL; volume != NULL;
         volume = volume->next)
        if (is_text(json_get(volume, "name"), name))
            return volume;
    return NULL;
}

static void check_mount(struct problems *problems, const cJSON *volumes, const cJSON *mounts,
                        const cJSON *mount)
{
    const cJSON *name = json_get(mount, "name"), *sub_path = json_get(mount, "subPath");
    char value[SHOWN_BYTES];
    if (!cJSON_IsString(name))
        return;
    const cJSON *volume = find_volume(volumes, name->valuestring);
    if (volume == NULL)
        problem_field(problems, "name", name, "%s is no volume of spec.volumes",
                      shown(name, value));
    else if (json_get(volume, "emptyDir") != NULL && sub_path != NULL)
        problem_field(problems, "subPath", sub_path,
                      "not supported in this release with an emptyDir");
    else if (json_get(volume, "emptyDir") != NULL && repeats(mounts, mount, "name", NULL))
        problem_field(problems, "name", name, "an emptyDir can be mounted once in this release");
}

static void check_mounts(struct problems *problems, const cJSON *spec, const cJSON *container)
{
    const cJSON *mounts = json_get_array(container, "volumeMounts"),
                *volumes = json_get_array(spec, "volumes");
    unsigned index = 0;
    check_distinct(problems, volumes, "volumes", "name");
    check_volumes(problems, volumes);
    check_distinct(problems, mounts, "container.volumeMounts", "mountPath");
    size_t mark = path_push_field(problems, "container.volumeMounts");
    for (const cJSON *mount = mounts ? mounts->child : NULL;
         mount != NULL && index < CHECKED_ITEMS_MAX; mount = mount->next) {
        size_t below = path_push_index(problems, index++);
        check_mount(problems, volumes, mounts, mount);
        path_pop(problems, below);
    }
    path_pop(problems, mark);
}

/* ---- resources, security ---- */

static bool quantity_of(int64_t *ret_value, const cJSON *value, enum quantity_scale scale)
{
    if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
        return false;
    char *number = cJSON_IsNumber(value) ? json_print(value) : NULL;
    int failed = quantity_parse(ret_value, number ? number : value->valuestring, scale, NULL);
    free(number);
    return !failed;
}

static void check_resources(struct problems *problems, const cJSON *container)
{
    static const struct {
        const char *name, *path;
        enum quantity_scale scale;
    } resources[] = {{"cpu", "container.resources.requests.cpu", QUANTITY_MILLI},
                     {"memory", "container.resources.requests.memory", QUANTITY_UNITS}};
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        const cJSON *limit = JSON_GET_PATH(container, "resources", "limits", resources[i].name);
        const cJSON *request = JSON_GET_PATH(container, "resources", "requests", resources[i].name);
        int64_t most, wanted;
        char value[SHOWN_BYTES];
        if (quantity_of(&most, limit, resources[i].scale) &&
            quantity_of(&wanted, request, resources[i].scale) && wanted > most)
            problem_field(problems, resources[i].path, request,
                          "must not be greater than its limit, %s", shown(limit, value));
    }
}

static void check_security(struct problems *problems, const cJSON *container)
{
    const cJSON *security = json_get_object(container, "securityContext");
    const cJSON *group = json_get(security, "runAsGroup"),
                *not_root = json_get(security, "runAsNonRoot");
    if (group != NULL && json_get(security, "runAsUser") == NULL)
        problem_field(problems, "container.securityContext.runAsGroup", group, "needs runAsUser");
    if (cJSON_IsTrue(not_root) && json_get_integer(security, "runAsUser", 0) == 0)
        problem_field(problems, "container.securityContext.runAsNonRoot", not_root,
                      "needs a runAsUser other than 0; the image's own user is not looked at in "
                      "this release");
}

static void check_deadlines(struct problems *problems, const cJSON *spec)
{
    int64_t ready = json_get_integer(spec, "minReadySeconds", 0);
    int64_t deadline = json_get_integer(spec, "progressDeadlineSeconds", 600);
    const cJSON *culprit = json_get(spec, "progressDeadlineSeconds");
    if (deadline > 0 && deadline <= ready)
        problem_field(problems, "progressDeadlineSeconds",
                      culprit ? culprit : json_get(spec, "minReadySeconds"),
                      "must be greater than minReadySeconds");
}

void workload_check(struct problems *problems, const cJSON *object)
{
    const cJSON *spec = json_get_object(object, "spec");
    const cJSON *container = json_get_object(spec, "container"),
                *ports = json_get_array(container, "ports");
    size_t mark = path_push_field(problems, "metadata");
    if (json_get_array(spec, "names") == NULL)
        check_name_length(problems, spec, JSON_GET_PATH(object, "metadata", "name"));
    path_pop(problems, mark);
    mark = path_push_field(problems, "spec");
    check_distinct(problems, json_get_array(spec, "names"), "names", "name");
    check_names(problems, spec, ports);
    check_ports(problems, spec, ports);
    check_mounts(problems, spec, container);
    check_resources(problems, container);
    check_security(problems, container);
    check_probe(problems, container, "readinessProbe");
    check_probe(problems, container, "livenessProbe");
    check_deadlines(problems, spec);
    path_pop(problems, mark);
}
