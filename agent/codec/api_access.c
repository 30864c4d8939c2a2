/* See api_access.h. The messages are worded as Kubernetes words them. */
#include "agent/codec/api_access.h"

#include <stdio.h>
#include <string.h>

/* --- Who -------------------------------------------------------------------------------------- */

static const char *const role_names[API_ROLE_COUNT] = {"read", "write", "admin"};

int api_grant_parse(struct api_grant *ret_grant, struct span text, struct error *err)
{
    char copy[API_GRANT_BYTES_MAX + 1];
    struct api_grant grant = {.role = API_ROLE_READ};
    text_set_span(copy, sizeof copy, text);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon++ = '\0';
    while (grant.role < API_ROLE_COUNT && strcmp(role_names[grant.role], copy) != 0)
        grant.role++;
    if (text.bytes > API_GRANT_BYTES_MAX || memchr(text.data, 0, text.bytes) ||
        grant.role == API_ROLE_COUNT || (colon && !name_is_dns1123(colon)))
        return error_set(err, ERROR_INVALID,
                         "a role is read, write or admin, or read:NAMESPACE or write:NAMESPACE");
    if (colon && grant.role == API_ROLE_ADMIN)
        return error_set(err, ERROR_INVALID,
                         "admin is for the whole cluster; in one namespace it is write:%s", colon);
    if (colon)
        TEXT_SET(grant.ns, colon);
    *ret_grant = grant;
    return 0;
}

bool api_principal_set_name(struct api_principal *principal, struct span name)
{
    for (size_t i = 0; i < name.bytes; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || strchr("\"\\,#", name.data[i]))
            return false;
    if (name.bytes == 0 || name.bytes > API_USER_BYTES_MAX)
        return false;
    text_set_span(principal->name, sizeof principal->name, name);
    return true;
}

bool api_principal_add(struct api_principal *principal, const struct api_grant *grant)
{
    if (principal->grant_count == API_GRANTS_MAX)
        return false;
    principal->grants[principal->grant_count++] = *grant;
    return true;
}

/* --- What ------------------------------------------------------------------------------------- */

bool api_access_is_public(const char *target)
{
    static const char *const paths[] = {"/livez", "/readyz", "/healthz", "/version"};
    size_t bytes = strcspn(target, "?#");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strlen(paths[i]) == bytes && memcmp(paths[i], target, bytes) == 0)
            return true;
    return false;
}

static bool route_is_read(const struct api_route *route)
{
    bool reads = route->verb == API_GET || route->verb == API_LIST || route->verb == API_WATCH;
    return reads && route->subresource != API_EXEC;
}

/* False: nothing in particular. */
static bool route_needs(const struct api_route *route, enum api_role *ret_role)
{
    switch (route->endpoint) {
    case API_ENDPOINT_OBJECTS:
        *ret_role = route_is_read(route)                        ? API_ROLE_READ
                    : api_resources[route->resource].namespaced ? API_ROLE_WRITE
                                                                : API_ROLE_ADMIN;
        return true;
    case API_ENDPOINT_METRICS:
    case API_ENDPOINT_EVENTS:
        *ret_role = API_ROLE_READ;
        return true;
    case API_ENDPOINT_LIVEZ:
    case API_ENDPOINT_READYZ:
    case API_ENDPOINT_VERSION:
    case API_ENDPOINT_CORE_VERSIONS:
    case API_ENDPOINT_CORE_VERSION:
    case API_ENDPOINT_GROUPS:
    case API_ENDPOINT_GROUP:
    case API_ENDPOINT_GROUP_VERSION:
    case API_ENDPOINT_OPENAPI:
    case API_ENDPOINT_OPENAPI_CORE:
    case API_ENDPOINT_OPENAPI_GROUP:
        break;
    }
    return false;
}

/* ns empty: all of them, or none. */
static bool principal_may(const struct api_principal *principal, enum api_role role, const char *ns)
{
    for (size_t i = 0; i < principal->grant_count; i++) {
        const struct api_grant *grant = &principal->grants[i];
        if (grant->role >= role && (!grant->ns[0] || strcmp(grant->ns, ns) == 0))
            return true;
    }
    return false;
}

int api_access_check(const struct api_principal *principal, const struct api_route *route,
                     const char *path, struct api_failure *failure)
{
    enum api_role role;
    if (!route_needs(route, &role) || principal_may(principal, role, route->ns))
        return 0;
    return api_failure_forbidden(failure, route, principal->name, path);
}
