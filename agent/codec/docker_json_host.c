/* The parts of a create body that reach out of the container: ports, mounts, resources, privileges.
 */
#include "agent/codec/docker_json_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/quantity.h"

/* ---- ports ---- */

static const char *port_protocol(const cJSON *port)
{
    static const char *const names[][2] = {{"TCP", "tcp"}, {"UDP", "udp"}, {"SCTP", "sctp"}};
    const cJSON *protocol = json_get(port, "protocol");
    if (!protocol)
        return "tcp";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_text(protocol) && strcmp(json_text(protocol), names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

static bool port_number(int64_t *ret_number, const cJSON *value)
{
    return json_integer(ret_number, value) && *ret_number >= 1 && *ret_number <= 65535;
}

/* One containerPort can be published more than once: on two host ports or addresses. */
static int create_port(struct docker_create *create, const cJSON *port, unsigned index,
                       cJSON *exposed, cJSON *bindings)
{
    int64_t inside = 0, outside = 0;
    const char *protocol = port_protocol(port), *address = json_get_text(port, "hostIP");
    if (!port_number(&inside, json_get(port, "containerPort")))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.ports[%u].containerPort: must be 1 to 65535", index);
    const cJSON *host_port = json_get(port, "hostPort");
    if (host_port && !port_number(&outside, host_port) &&
        !(json_integer(&outside, host_port) && outside == 0))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.ports[%u].hostPort: must be 1 to 65535", index);
    if (!protocol)
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.ports[%u].protocol: must be TCP, UDP or SCTP", index);
    char key[24], digits[8] = "";
    snprintf(key, sizeof key, "%d/%s", (int)inside, protocol);
    if (!json_get(exposed, key))
        json_add_object(exposed, key);
    if (!bindings)
        return 0;
    if (!json_get(bindings, key))
        json_add_array(bindings, key);
    if (outside)
        snprintf(digits, sizeof digits, "%d", (int)outside);
    cJSON *list = cJSON_GetObjectItemCaseSensitive(bindings, key);
    cJSON *binding = json_new_object();
    json_add_text(binding, "HostIp", address ? address : "");
    json_add_text(binding, "HostPort", digits); /* empty: the engine chooses */
    json_add(list, NULL, binding);
    return 0;
}

/* With the host's network nothing is published, but the ports are still told, so that an inspection
 * knows them. */
int docker_create_ports(struct docker_create *create)
{
    const cJSON *ports = json_get_array(create->container, "ports"), *port;
    if (!ports || !ports->child)
        return 0;
    cJSON *exposed = json_add_object(create->body, "ExposedPorts");
    bool host_network = json_get_bool(create->spec, "hostNetwork", false);
    cJSON *bindings = host_network ? NULL : json_add_object(create->host, "PortBindings");
    unsigned index = 0;
    cJSON_ArrayForEach(port,
                       ports) if (create_port(create, port, index++, exposed, bindings)) return -1;
    return 0;
}

/* ---- mounts ---- */

struct mount {
    const char *target;
    const char *path; /* in the document, for messages: spec.container.volumeMounts[0] */
    bool read_only;
    const char *sub_path; /* NULL: none */
};

static const cJSON *volume_find(const struct docker_create *create, const char *name)
{
    const cJSON *volume;
    cJSON_ArrayForEach(volume, json_get_array(create->spec, "volumes"))
    {
        const char *known = json_get_text(volume, "name");
        if (known && strcmp(known, name) == 0)
            return volume;
    }
    return NULL;
}

static cJSON *mount_add(struct docker_create *create, const struct mount *mount, const char *type)
{
    cJSON *mounts = cJSON_GetObjectItemCaseSensitive(create->host, "Mounts");
    if (!mounts)
        mounts = json_add_array(create->host, "Mounts");
    cJSON *item = json_add_object(mounts, NULL);
    json_add_text(item, "Type", type);
    json_add_text(item, "Target", mount->target);
    json_add_bool(item, "ReadOnly", mount->read_only);
    return item;
}

/* The engine creates the directory for a bind in the old notation only (the new one learned it with
 * API 1.42). That notation separates by colons. */
static int mount_bind_create(struct docker_create *create, const struct mount *mount,
                             const char *source)
{
    if (strchr(source, ':') || strchr(mount->target, ':'))
        return error_set(create->err, ERROR_INVALID,
                         "%s: a path with a colon cannot be used with DirectoryOrCreate",
                         mount->path);
    cJSON *binds = cJSON_GetObjectItemCaseSensitive(create->host, "Binds");
    if (!binds)
        binds = json_add_array(create->host, "Binds");
    struct buffer text = {0};
    buffer_append(&text, source, strlen(source));
    buffer_append(&text, ":", 1);
    buffer_append(&text, mount->target, strlen(mount->target));
    if (mount->read_only)
        buffer_append(&text, ":ro", 3);
    buffer_append(&text, "", 1);
    json_add_text(binds, NULL, (const char *)text.data);
    buffer_release(&text);
    return 0;
}

static bool has_dot_dot(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == 0 || at[2] == '/'))
            return true;
    return false;
}

static int mount_host_path(struct docker_create *create, const struct mount *mount,
                           const cJSON *host_path)
{
    const char *path = json_get_text(host_path, "path"), *type = json_get_text(host_path, "type");
    if (!path || path[0] != '/')
        return error_set(create->err, ERROR_INVALID, "%s: its hostPath.path must be absolute",
                         mount->path);
    if (mount->sub_path && (mount->sub_path[0] == '/' || has_dot_dot(mount->sub_path)))
        return error_set(create->err, ERROR_INVALID, "%s.subPath: must be relative, without ..",
                         mount->path);
    if (type && strcmp(type, "FileOrCreate") == 0)
        return error_set(create->err, ERROR_INVALID,
                         "%s: hostPath of type FileOrCreate is not supported", mount->path);
    struct buffer source = {0};
    buffer_append(&source, path, strlen(path));
    if (mount->sub_path) {
        buffer_append(&source, "/", 1);
        buffer_append(&source, mount->sub_path, strlen(mount->sub_path));
    }
    buffer_append(&source, "", 1);
    int status = 0;
    if (type && strcmp(type, "DirectoryOrCreate") == 0)
        status = mount_bind_create(create, mount, (const char *)source.data);
    else /* it must be there: the engine refuses otherwise */
        json_add_text(mount_add(create, mount, "bind"), "Source", (const char *)source.data);
    buffer_release(&source);
    return status;
}

/* A quantity may be written as a string or as a number. */
static int read_quantity(struct docker_create *create, int64_t *ret_value, const cJSON *value,
                         enum quantity_scale scale, const char *path)
{
    if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
        return error_set(create->err, ERROR_INVALID, "%s: must be a quantity, not %s", path,
                         json_type_name(value));
    char *number = cJSON_IsNumber(value) ? json_print(value) : NULL;
    int status = quantity_parse(ret_value, number ? number : json_text(value), scale, create->err);
    free(number);
    return status ? error_wrap(create->err, "%s", path) : 0;
}

/* An anonymous volume, removed with its container. One that starts with the image's files would not
 * be empty: NoCopy. */
static int mount_empty_directory(struct docker_create *create, const struct mount *mount,
                                 const cJSON *empty)
{
    if (mount->sub_path)
        return error_set(create->err, ERROR_INVALID, "%s.subPath: not supported with an emptyDir",
                         mount->path);
    const char *medium = json_get_text(empty, "medium");
    if (!medium || strcmp(medium, "Memory") != 0) {
        cJSON *options = json_add_object(mount_add(create, mount, "volume"), "VolumeOptions");
        json_add_bool(options, "NoCopy", true);
        return 0;
    }
    cJSON *item = mount_add(create, mount, "tmpfs");
    const cJSON *limit = json_get(empty, "sizeLimit");
    int64_t bytes = 0;
    if (limit && read_quantity(create, &bytes, limit, QUANTITY_UNITS, "emptyDir.sizeLimit"))
        return error_wrap(create->err, "%s", mount->path);
    if (bytes > 0)
        json_add_integer(json_add_object(item, "TmpfsOptions"), "SizeBytes", bytes);
    return 0;
}

/* Two mounts of one emptyDir would be two directories. */
static bool volume_used_before(const struct docker_create *create, const cJSON *mount,
                               const char *name)
{
    for (const cJSON *other = json_get_array(create->container, "volumeMounts")->child;
         other != mount; other = other->next) {
        const char *known = json_get_text(other, "name");
        if (known && strcmp(known, name) == 0)
            return true;
    }
    return false;
}

static int create_mount(struct docker_create *create, const cJSON *value, unsigned index)
{
    char path[64];
    snprintf(path, sizeof path, "spec.container.volumeMounts[%u]", index);
    const char *name = json_get_text(value, "name");
    struct mount mount = {.path = path,
                          .target = json_get_text(value, "mountPath"),
                          .read_only = json_get_bool(value, "readOnly", false),
                          .sub_path = json_get_text(value, "subPath")};
    if (mount.sub_path && !mount.sub_path[0])
        mount.sub_path = NULL;
    if (!mount.target || mount.target[0] != '/')
        return error_set(create->err, ERROR_INVALID, "%s.mountPath: must be absolute", path);
    const cJSON *volume = name ? volume_find(create, name) : NULL;
    if (!volume)
        return error_set(create->err, ERROR_INVALID, "%s.name: no such volume in spec.volumes",
                         path);
    const cJSON *host_path = json_get_object(volume, "hostPath");
    const cJSON *empty = json_get_object(volume, "emptyDir");
    if (host_path)
        return mount_host_path(create, &mount, host_path);
    if (!empty)
        return error_set(create->err, ERROR_INVALID,
                         "%s.name: its volume is neither a hostPath nor an emptyDir", path);
    if (volume_used_before(create, value, name))
        return error_set(create->err, ERROR_INVALID, "%s.name: an emptyDir can be mounted once",
                         path);
    return mount_empty_directory(create, &mount, empty);
}

bool docker_create_has_api(const struct docker_create *create)
{
    return create->start->child_api && json_get_bool(create->spec, "apiAccess", true);
}

/* Unless the document has something else there. */
static void create_api_mount(struct docker_create *create)
{
    const cJSON *other;
    cJSON_ArrayForEach(other, json_get_array(create->container, "volumeMounts"))
    {
        const char *path = json_get_text(other, "mountPath");
        if (path && strcmp(path, DOCKER_CHILD_API) == 0)
            return;
    }
    struct mount mount = {.target = DOCKER_CHILD_API, .read_only = true};
    json_add_text(mount_add(create, &mount, "bind"), "Source", create->start->child_api);
}

static void create_guard_mount(struct docker_create *create, const char *target, const char *source)
{
    struct mount mount = {.target = target, .read_only = true};
    json_add_text(mount_add(create, &mount, "bind"), "Source", source);
}

/* A file that is mounted over the guard, or a container that can leave its pid namespace, would
 * void the promise. */
static int create_guard_mounts(struct docker_create *create)
{
    const struct docker_guard *guard = create->start->guard;
    const cJSON *security = json_get_object(create->container, "securityContext"), *other;
    unsigned index = 0;
    if (json_get_bool(security, "privileged", false))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.securityContext.privileged: cannot be true under a "
                         "UniformQuorum supervisor: such a container can outlive its lease");
    cJSON_ArrayForEach(other, json_get_array(create->container, "volumeMounts"))
    {
        const char *path = json_get_text(other, "mountPath");
        size_t bytes = strlen(DOCKER_GUARD);
        if (path && strncmp(path, DOCKER_GUARD, bytes) == 0 && (!path[bytes] || path[bytes] == '/'))
            return error_set(create->err, ERROR_INVALID,
                             "spec.container.volumeMounts[%u].mountPath: " DOCKER_GUARD
                             " is hordelet-guard's",
                             index);
        index++;
    }
    create_guard_mount(create, DOCKER_GUARD "/guard", guard->program);
    create_guard_mount(create, DOCKER_GUARD "/page", guard->page);
    return 0;
}

int docker_create_mounts(struct docker_create *create)
{
    if (create->start->guard && create_guard_mounts(create))
        return -1;
    if (docker_create_has_api(create))
        create_api_mount(create);
    const cJSON *mount;
    unsigned index = 0;
    cJSON_ArrayForEach(
        mount, json_get_array(create->container,
                              "volumeMounts")) if (create_mount(create, mount, index++)) return -1;
    return 0;
}

/* ---- resources ---- */

enum { SHARES_PER_CPU = 1024, SHARES_MIN = 2, SHARES_MAX = 262144 };

/* As Kubernetes: shares from the request, or from the limit if no request is made. */
static int create_shares(struct docker_create *create, const cJSON *request)
{
    int64_t milli = 0;
    if (!request)
        return 0;
    if (read_quantity(create, &milli, request, QUANTITY_MILLI,
                      "spec.container.resources.requests.cpu"))
        return -1;
    int64_t shares =
        milli >= 1000 * (SHARES_MAX / SHARES_PER_CPU) ? SHARES_MAX : milli * SHARES_PER_CPU / 1000;
    json_add_integer(create->host, "CpuShares", shares < SHARES_MIN ? SHARES_MIN : shares);
    return 0;
}

/* The guard shares the limit with what it guards: of a container that is always at its limit, on
 * two cores, it was seen to be late by 0.06 s at 1 CPU, 0.17 s at 0.2, 0.5 s at 0.1 and 3.4 s at
 * 0.01. It has 0.08 of a lease, so one CPU second a lease is enough. */
static int check_guarded_limit(struct docker_create *create, int64_t limit_nano)
{
    uint64_t lease_ms = create->start->operation->guard_lease_ms;
    uint64_t least_milli = lease_ms ? (1000 * 1000 + lease_ms - 1) / lease_ms : 0;
    if ((uint64_t)limit_nano / 1000000 >= least_milli)
        return 0;
    return error_set(create->err, ERROR_INVALID,
                     "spec.container.resources.limits.cpu: must be at least %" PRIu64
                     "m with leases of %" PRIu64
                     " s: hordelet-guard lives under the same limit, "
                     "and would be late to end the container",
                     least_milli, lease_ms / 1000);
}

int docker_create_resources(struct docker_create *create)
{
    const cJSON *limits = JSON_GET_PATH(create->container, "resources", "limits");
    const cJSON *requests = JSON_GET_PATH(create->container, "resources", "requests");
    const cJSON *cpu = json_get(limits, "cpu"), *memory = json_get(limits, "memory");
    int64_t value = 0;
    if (memory) {
        if (read_quantity(create, &value, memory, QUANTITY_UNITS,
                          "spec.container.resources.limits.memory"))
            return -1;
        json_add_integer(create->host, "Memory", value);
        json_add_integer(create->host, "MemorySwap", value); /* no swap on top, as Kubernetes */
    }
    if (cpu) {
        if (read_quantity(create, &value, cpu, QUANTITY_NANO,
                          "spec.container.resources.limits.cpu"))
            return -1;
        if (create->start->guard && check_guarded_limit(create, value))
            return -1;
        json_add_integer(create->host, "NanoCpus", value);
    }
    const cJSON *request = json_get(requests, "cpu");
    return create_shares(create, request ? request : cpu);
}

/* ---- privileges ---- */

static int create_user(struct docker_create *create, const cJSON *security)
{
    const cJSON *user = json_get(security, "runAsUser"), *group = json_get(security, "runAsGroup");
    int64_t user_id = -1, group_id = -1;
    if ((user && (!json_integer(&user_id, user) || user_id < 0)) ||
        (group && (!json_integer(&group_id, group) || group_id < 0)))
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.securityContext: runAsUser and runAsGroup are numbers");
    if (json_get_bool(security, "runAsNonRoot", false) && user_id <= 0)
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.securityContext.runAsNonRoot: needs a runAsUser other "
                         "than 0, the image's user is not looked at");
    if (group && !user)
        return error_set(create->err, ERROR_INVALID,
                         "spec.container.securityContext.runAsGroup: needs runAsUser");
    if (!user)
        return 0;
    char text[48];
    if (group)
        snprintf(text, sizeof text, "%lld:%lld", (long long)user_id, (long long)group_id);
    else
        snprintf(text, sizeof text, "%lld", (long long)user_id);
    json_add_text(create->body, "User", text);
    return 0;
}

static int create_capabilities(struct docker_create *create, const cJSON *capabilities,
                               const char *field, const char *engine_field)
{
    const cJSON *names = json_get_array(capabilities, field), *name;
    if (!names)
        return 0;
    cJSON *list = json_add_array(create->host, engine_field);
    cJSON_ArrayForEach(name, names)
    {
        if (!json_text(name))
            return error_set(create->err, ERROR_INVALID,
                             "spec.container.securityContext.capabilities.%s: must be strings",
                             field);
        json_add_text(list, NULL, json_text(name));
    }
    return 0;
}

int docker_create_security(struct docker_create *create)
{
    const cJSON *security = json_get_object(create->container, "securityContext");
    if (!security)
        return 0;
    const cJSON *capabilities = json_get_object(security, "capabilities");
    if (create_user(create, security) ||
        create_capabilities(create, capabilities, "add", "CapAdd") ||
        create_capabilities(create, capabilities, "drop", "CapDrop"))
        return -1;
    json_add_bool(create->host, "Privileged", json_get_bool(security, "privileged", false));
    json_add_bool(create->host, "ReadonlyRootfs",
                  json_get_bool(security, "readOnlyRootFilesystem", false));
    if (!json_get_bool(security, "allowPrivilegeEscalation", true))
        json_add_text(json_add_array(create->host, "SecurityOpt"), NULL, "no-new-privileges");
    return 0;
}
