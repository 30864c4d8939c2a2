/* See policy.h. Paths are compared as text, component by component: where a symbolic link in them
 * leads to is known to the node's kernel alone, so what is allowed must not be writable by who
 * must not leave it. */
#include "agent/codec/policy.h"

#include <string.h>

#include "agent/codec/json.h"
#include "agent/core/ident.h"

/* What Docker and Podman give to each container unless it is told to drop them. */
static const char *const capabilities_free[] = {
    "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER", "FSETID",  "KILL",   "MKNOD",
    "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",      "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"};

/* ---- paths ---- */

/* The next component, or an empty span at the end. */
static struct span path_component(const char **at)
{
    for (;;) {
        *at += strspn(*at, "/");
        size_t bytes = strcspn(*at, "/");
        struct span component = span_of(*at, bytes);
        *at += bytes;
        if (bytes != 1 || *(const char *)component.data != '.')
            return component;
    }
}

bool policy_path_is_below(const char *path, const char *above)
{
    for (;;) {
        struct span wanted = path_component(&above), found = path_component(&path);
        if (wanted.bytes == 0)
            return true;
        if (found.bytes != wanted.bytes || memcmp(found.data, wanted.data, found.bytes) != 0)
            return false;
    }
}

bool policy_path_has_dot_dot(const char *path)
{
    for (;;) {
        struct span component = path_component(&path);
        if (component.bytes == 2 && memcmp(component.data, "..", 2) == 0)
            return true;
        if (component.bytes == 0)
            return false;
    }
}

static bool path_is_same(const char *left, const char *right)
{
    return policy_path_is_below(left, right) && policy_path_is_below(right, left);
}

static bool policy_names_path(const struct policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->host_path_count; i++)
        if (path_is_same(policy->host_paths[i], path) || path_is_same(policy->host_paths[i], "/"))
            return true;
    return false;
}

/* What is protected and would be seen through this path, and is not allowed by its own name; or
 * NULL. */
static const char *policy_protects(const struct policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->protected_count; i++) {
        const char *own = policy->protected_paths[i];
        if ((policy_path_is_below(own, path) || policy_path_is_below(path, own)) &&
            !policy_names_path(policy, own))
            return own;
    }
    return NULL;
}

static bool policy_has_path(const struct policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->host_path_count; i++)
        if (policy_path_is_below(path, policy->host_paths[i]))
            return true;
    return false;
}

static int check_host_path(const struct policy *policy, const char *path, unsigned index,
                           struct error *err)
{
    if (policy_path_has_dot_dot(path)) /* the schema has refused it; this is the node's own word */
        return error_set(err, ERROR_FORBIDDEN,
                         "spec.volumes[%u].hostPath.path: %.200s: must not have ..", index, path);
    const char *own = policy_protects(policy, path);
    if (!policy_has_path(policy, path))
        return error_set(err, ERROR_FORBIDDEN,
                         "spec.volumes[%u].hostPath.path: %.200s is not below a path that this "
                         "agent allows (--allow-host-path %.200s would)",
                         index, path, path);
    if (own)
        return error_set(err, ERROR_FORBIDDEN,
                         "spec.volumes[%u].hostPath.path: %.200s reaches %.200s, which is the "
                         "agent's own and not allowed by a path above it (--allow-host-path "
                         "%.200s would)",
                         index, path, own, own);
    return 0;
}

static int check_volumes(const struct policy *policy, const cJSON *spec, struct error *err)
{
    const cJSON *volume;
    unsigned index = 0;
    cJSON_ArrayForEach(volume, json_get_array(spec, "volumes"))
    {
        const char *path = json_get_text(json_get_object(volume, "hostPath"), "path");
        if (path && check_host_path(policy, path, index, err))
            return -1;
        index++;
    }
    return 0;
}

/* ---- capabilities ---- */

static const char *capability_name(const char *text)
{
    return strncmp(text, "CAP_", 4) == 0 ? text + 4 : text;
}

static bool policy_has_capability(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < sizeof capabilities_free / sizeof *capabilities_free; i++)
        if (strcmp(capabilities_free[i], name) == 0)
            return true;
    for (size_t i = 0; i < policy->capability_count; i++) {
        const char *allowed = capability_name(policy->capabilities[i]);
        if (strcmp(allowed, name) == 0 || strcmp(allowed, "ALL") == 0)
            return true;
    }
    return false;
}

static int check_capabilities(const struct policy *policy, const cJSON *security, struct error *err)
{
    const cJSON *item, *added = json_get_array(json_get_object(security, "capabilities"), "add");
    unsigned index = 0;
    cJSON_ArrayForEach(item, added)
    {
        const char *name = json_text(item);
        if (name && !policy_has_capability(policy, capability_name(name)))
            return error_set(err, ERROR_FORBIDDEN,
                             "spec.container.securityContext.capabilities.add[%u]: %.64s is not "
                             "allowed by this agent (--allow-capability %.64s would)",
                             index, name, capability_name(name));
        index++;
    }
    return 0;
}

/* ---- all of it ---- */

int policy_check(const struct policy *policy, const cJSON *spec, struct error *err)
{
    const cJSON *security = json_get_object(json_get_object(spec, "container"), "securityContext");
    if (!policy)
        return 0;
    if (json_get_bool(spec, "hostNetwork", false) && !policy->host_network)
        return error_set(err, ERROR_FORBIDDEN,
                         "spec.hostNetwork: is not allowed by this agent (--allow-host-network "
                         "would)");
    if (json_get_bool(security, "privileged", false) && !policy->privileged)
        return error_set(err, ERROR_FORBIDDEN,
                         "spec.container.securityContext.privileged: is not allowed by this agent "
                         "(--allow-privileged would)");
    return check_capabilities(policy, security, err) || check_volumes(policy, spec, err) ? -1 : 0;
}

int policy_check_document(const struct policy *policy, const char *document, struct error *err)
{
    if (!policy)
        return 0;
    cleanup_json cJSON *json = json_parse(span_text(document), DOCUMENT_BYTES_MAX, err);
    return json ? policy_check(policy, json_get_object(json, "spec"), err) : -1;
}
