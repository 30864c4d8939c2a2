/* The table of resources and the parser of paths (see api_routes.h).
 *
 * A path is cut at its slashes first and decoded after, so that an encoded slash never makes a
 * segment. The shapes:
 *
 *   /livez /readyz /metrics /version /api /apis /apis/GROUP /apis/GROUP/v1 /openapi/v3/...
 *   /apis/GROUP/v1/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
 *   /api/v1/[namespaces/NS/](pods|nodes)[/NAME[/SUBRESOURCE]] */
#include "agent/codec/api_routes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/codec/api_query.h"
#include "agent/codec/decimal.h"

#define READ (API_CAN(API_GET) | API_CAN(API_LIST) | API_CAN(API_WATCH))
#define WRITE (API_CAN(API_CREATE) | API_CAN(API_UPDATE) | API_CAN(API_PATCH) | API_CAN(API_DELETE))
#define REGISTER (API_CAN(API_CREATE) | API_CAN(API_UPDATE) | API_CAN(API_DELETE))
#define STATE (API_CAN(API_GET) | API_CAN(API_UPDATE) | API_CAN(API_DELETE))
#define REBALANCE (API_CAN(API_GET) | API_CAN(API_CREATE) | API_CAN(API_DELETE))
#define OPEN (API_CAN(API_GET) | API_CAN(API_CREATE))
#define CHANGE (API_CAN(API_GET) | API_CAN(API_UPDATE) | API_CAN(API_PATCH))

const struct api_resource_info api_resources[API_SHOWN_COUNT] = {
    [API_WORKLOADS] = {.plural = "workloads",
                       .singular = "workload",
                       .short_name = "wl",
                       .kind = "Workload",
                       .list_kind = "WorkloadList",
                       .namespaced = true,
                       .verbs = READ | WRITE,
                       .subresources = {{API_SCALE, "scale", "Scale", "autoscaling", "v1", CHANGE},
                                        {API_STATUS, "status", "Workload", API_GROUP, API_VERSION,
                                         API_CAN(API_GET)}},
                       .subresource_count = 2,
                       .base = API_WORKLOADS,
                       .group = API_GROUP,
                       .category = "all",
                       .schema = &schema_workload},
    [API_CHILDREN] = {.plural = "children",
                      .singular = "child",
                      .short_name = "ch",
                      .kind = "Child",
                      .list_kind = "ChildList",
                      .namespaced = true,
                      .verbs = READ | API_CAN(API_DELETE),
                      .subresources = {{API_STATUS, "status", "Child", API_GROUP, API_VERSION,
                                        API_CAN(API_GET)},
                                       {API_STATE, "state", NULL, NULL, NULL, STATE},
                                       {API_RING, "ring", NULL, NULL, NULL, API_CAN(API_GET)},
                                       {API_LOG, "log", NULL, NULL, NULL, API_CAN(API_GET)}},
                      .subresource_count = 4,
                      .base = API_CHILDREN,
                      .group = API_GROUP,
                      .category = "all",
                      .schema = &schema_child},
    [API_NAMES] = {.plural = "names",
                   .singular = "name",
                   .short_name = "",
                   .kind = "Name",
                   .list_kind = "NameList",
                   .namespaced = true,
                   .verbs = READ | REGISTER,
                   .base = API_NAMES,
                   .group = API_GROUP,
                   .category = "all",
                   .schema = &schema_name},
    [API_METAS] = {.plural = "metas",
                   .singular = "meta",
                   .short_name = "",
                   .kind = "Meta",
                   .list_kind = "MetaList",
                   .namespaced = true,
                   .verbs = READ | REGISTER,
                   .base = API_METAS,
                   .group = API_GROUP,
                   .category = "",
                   .schema = &schema_meta},
    [API_SUPERVISORS] = {.plural = "supervisors",
                         .singular = "supervisor",
                         .short_name = "sup",
                         .kind = "Supervisor",
                         .list_kind = "SupervisorList",
                         .namespaced = false,
                         .verbs = READ | WRITE,
                         .subresources = {{API_STATUS, "status", "Supervisor", API_GROUP,
                                           API_VERSION, API_CAN(API_GET)},
                                          {API_QUORUM, "quorum", NULL, NULL, NULL,
                                           API_CAN(API_GET)},
                                          {API_REBALANCE, "rebalance", NULL, NULL, NULL, REBALANCE},
                                          {API_FORCE_ELECTORATE, "force-electorate", NULL, NULL,
                                           NULL, API_CAN(API_CREATE)}},
                         .subresource_count = 4,
                         .base = API_SUPERVISORS,
                         .group = API_GROUP,
                         .category = "",
                         .schema = &schema_supervisor},
    [API_MEMBERS] = {.plural = "members",
                     .singular = "member",
                     .short_name = "",
                     .kind = "Member",
                     .list_kind = "MemberList",
                     .namespaced = false,
                     .verbs = READ | API_CAN(API_PATCH),
                     .subresources = {{API_STATUS, "status", "Member", API_GROUP, API_VERSION,
                                       API_CAN(API_GET)},
                                      {API_JOIN, "join", NULL, NULL, NULL, API_CAN(API_CREATE)},
                                      {API_LEAVE, "leave", NULL, NULL, NULL, API_CAN(API_CREATE)},
                                      {API_DETACH, "detach", NULL, NULL, NULL, API_CAN(API_CREATE)},
                                      {API_FORGET, "forget", NULL, NULL, NULL, API_CAN(API_CREATE)},
                                      {API_DRAIN, "drain", NULL, NULL, NULL, API_CAN(API_CREATE)},
                                      {API_ORPHANS, "orphans", NULL, NULL, NULL,
                                       API_CAN(API_GET) | API_CAN(API_DELETE)}},
                     .subresource_count = 7,
                     .base = API_MEMBERS,
                     .group = API_GROUP,
                     .category = "",
                     .schema = &schema_member},
    [API_PODS] = {.plural = "pods",
                  .singular = "pod",
                  .short_name = "po",
                  .kind = "Pod",
                  .list_kind = "PodList",
                  .namespaced = true,
                  .verbs = READ | API_CAN(API_DELETE),
                  .subresources = {{API_STATUS, "status", "Pod", "", "v1", API_CAN(API_GET)},
                                   {API_LOG, "log", "Pod", "", "v1", API_CAN(API_GET)},
                                   {API_EXEC, "exec", NULL, NULL, NULL, OPEN},
                                   {API_EXEC, "attach", NULL, NULL, NULL, OPEN},
                                   {API_EXEC, "portforward", NULL, NULL, NULL, OPEN}},
                  .subresource_count = 5,
                  .base = API_CHILDREN,
                  .group = "",
                  .category = "",
                  .schema = &schema_pod},
    [API_NODES] = {.plural = "nodes",
                   .singular = "node",
                   .short_name = "no",
                   .kind = "Node",
                   .list_kind = "NodeList",
                   .namespaced = false,
                   .verbs = READ | API_CAN(API_PATCH),
                   .subresources = {{API_STATUS, "status", "Node", "", "v1", API_CAN(API_GET)}},
                   .subresource_count = 1,
                   .base = API_MEMBERS,
                   .group = "",
                   .category = "",
                   .schema = &schema_node},
};

const char *api_group_version(enum api_resource resource)
{
    return api_resources[resource].group[0] ? API_GROUP_VERSION : API_CORE_VERSION;
}

static const char *const verb_names[API_VERB_COUNT] = {
    [API_GET] = "get",       [API_LIST] = "list",
    [API_WATCH] = "watch",   [API_CREATE] = "create",
    [API_UPDATE] = "update", [API_PATCH] = "patch",
    [API_DELETE] = "delete", [API_DELETE_COLLECTION] = "deletecollection",
};

const char *api_verb_name(enum api_verb verb)
{
    return verb_names[verb];
}

/* --- Paths ------------------------------------------------------------------------------------ */

enum { SEGMENTS_MAX = 8, SEGMENT_BYTES_MAX = 255 };

struct segments {
    char text[SEGMENTS_MAX][SEGMENT_BYTES_MAX + 1];
    size_t count;
};

/* A slash at the end is not a segment, as for Kubernetes. */
static enum api_route_result path_split(struct segments *ret_segments, const char *path)
{
    ret_segments->count = 0;
    if (*path != '/')
        return API_ROUTE_NO_PATH;
    while (*path == '/' && path[1]) {
        size_t bytes = strcspn(++path, "/");
        if (ret_segments->count == SEGMENTS_MAX || bytes > SEGMENT_BYTES_MAX || bytes == 0)
            return API_ROUTE_NO_PATH;
        char *text = ret_segments->text[ret_segments->count++];
        memcpy(text, path, bytes);
        text[bytes] = '\0';
        if (!api_percent_decode(text, false))
            return API_ROUTE_MALFORMED;
        path += bytes;
    }
    return API_ROUTE_FOUND;
}

static bool path_is(const struct segments *segments, size_t index, const char *text)
{
    return index < segments->count && strcmp(segments->text[index], text) == 0;
}

/* /livez and the paths of discovery. */
static bool path_endpoint(struct api_route *route, const struct segments *segments)
{
    static const struct {
        const char *path[5];
        size_t count;
        enum api_endpoint endpoint;
    } endpoints[] = {
        {{"livez"}, 1, API_ENDPOINT_LIVEZ},
        {{"readyz"}, 1, API_ENDPOINT_READYZ},
        {{"metrics"}, 1, API_ENDPOINT_METRICS},
        {{"healthz"}, 1, API_ENDPOINT_LIVEZ},
        {{"version"}, 1, API_ENDPOINT_VERSION},
        {{"api"}, 1, API_ENDPOINT_CORE_VERSIONS},
        {{"api", "v1"}, 2, API_ENDPOINT_CORE_VERSION},
        {{"api", "v1", "events"}, 3, API_ENDPOINT_EVENTS},
        {{"apis"}, 1, API_ENDPOINT_GROUPS},
        {{"apis", API_GROUP}, 2, API_ENDPOINT_GROUP},
        {{"apis", API_GROUP, API_VERSION}, 3, API_ENDPOINT_GROUP_VERSION},
        {{"openapi", "v3"}, 2, API_ENDPOINT_OPENAPI},
        {{"openapi", "v3", "api", API_CORE_VERSION}, 4, API_ENDPOINT_OPENAPI_CORE},
        {{"openapi", "v3", "apis", API_GROUP, API_VERSION}, 5, API_ENDPOINT_OPENAPI_GROUP},
    };
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        bool equal = segments->count == endpoints[i].count;
        for (size_t j = 0; equal && j < endpoints[i].count; j++)
            equal = path_is(segments, j, endpoints[i].path[j]);
        if (equal) {
            route->endpoint = endpoints[i].endpoint;
            route->verbs = API_CAN(API_GET);
            return true;
        }
    }
    return false;
}

/* /api/v1/namespaces/NS/events */
static bool path_events(struct api_route *route, const struct segments *segments)
{
    if (segments->count != 5 || !path_is(segments, 0, "api") || !path_is(segments, 1, "v1") ||
        !path_is(segments, 2, "namespaces") || !path_is(segments, 4, "events") ||
        !name_is_dns1123(segments->text[3]))
        return false;
    TEXT_SET(route->ns, segments->text[3]);
    route->endpoint = API_ENDPOINT_EVENTS;
    route->verbs = API_CAN(API_GET);
    return true;
}

static const struct api_resource_info *resource_by_plural(const char *plural, const char *group)
{
    for (size_t i = 0; i < API_SHOWN_COUNT; i++)
        if (strcmp(api_resources[i].plural, plural) == 0 &&
            strcmp(api_resources[i].group, group) == 0)
            return &api_resources[i];
    return NULL;
}

static bool route_set_subresource(struct api_route *route, const char *name)
{
    const struct api_resource_info *info = &api_resources[route->resource];
    for (size_t i = 0; i < info->subresource_count; i++) {
        if (strcmp(info->subresources[i].name, name) == 0) {
            route->subresource = info->subresources[i].subresource;
            route->verbs = info->subresources[i].verbs;
            return true;
        }
    }
    return false;
}

/* Only keeps out what must not come near a key of the map. Whether the name is a good one is the
 * codec's to say, with a 422 that explains; an object with a bad one is just not found. */
static bool name_is_possible(const struct api_route *route, const char *name)
{
    struct child_id child;
    if (api_resources[route->resource].base == API_CHILDREN && strcmp(name, API_SELF) != 0)
        return api_child_name_parse(&child, route->ns, name);
    size_t bytes =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return name[bytes] == '\0' && bytes <= API_OBJECT_NAME_BYTES_MAX;
}

/* What follows /apis/GROUP/v1/ or /api/v1/, from segment `at` on. */
static enum api_route_result path_object(struct api_route *route, const struct segments *segments,
                                         size_t at, const char *group)
{
    enum {
        ACROSS_VERBS = API_CAN(API_LIST) | API_CAN(API_WATCH),
        COLLECTION_VERBS = ACROSS_VERBS | API_CAN(API_CREATE)
    };
    const char *ns = NULL;
    if (path_is(segments, at, "namespaces") && segments->count > at + 2) {
        ns = segments->text[at + 1];
        at += 2;
    }
    const struct api_resource_info *info =
        at < segments->count ? resource_by_plural(segments->text[at], group) : NULL;
    if (!info || segments->count > at + 3 || (ns && !info->namespaced))
        return API_ROUTE_NO_PATH;
    bool named = segments->count > at + 1;
    if (named && info->namespaced && !ns)
        return API_ROUTE_NO_PATH;
    route->resource = (enum api_resource)(info - api_resources);
    /* An object is created in its namespace only, so without one there is nothing to POST to. */
    unsigned collection = info->namespaced && !ns ? ACROSS_VERBS : (unsigned)COLLECTION_VERBS;
    route->verbs = info->verbs & (named ? ~(unsigned)COLLECTION_VERBS : collection);
    if (segments->count > at + 2 && !route_set_subresource(route, segments->text[at + 2]))
        return API_ROUTE_NO_PATH;
    if (ns && !name_is_dns1123(ns))
        return API_ROUTE_NO_NAME;
    if (ns)
        TEXT_SET(route->ns, ns);
    if (named && !name_is_possible(route, segments->text[at + 1]))
        return API_ROUTE_NO_NAME;
    if (named)
        TEXT_SET(route->name, segments->text[at + 1]);
    return API_ROUTE_FOUND;
}

/* --- Methods ---------------------------------------------------------------------------------- */

static bool method_verb(const char *method, bool named, bool subresource, bool watch,
                        enum api_verb *ret_verb)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        *ret_verb = named ? API_GET : watch ? API_WATCH : API_LIST;
    else if (strcmp(method, "POST") == 0 && (!named || subresource))
        *ret_verb = API_CREATE;
    else if (strcmp(method, "PUT") == 0 && named)
        *ret_verb = API_UPDATE;
    else if (strcmp(method, "PATCH") == 0 && named)
        *ret_verb = API_PATCH;
    else if (strcmp(method, "DELETE") == 0)
        *ret_verb = named ? API_DELETE : API_DELETE_COLLECTION;
    else
        return false;
    return true;
}

enum api_route_result api_route_parse(struct api_route *ret_route, const char *method,
                                      const char *path, bool watch)
{
    struct segments segments;
    *ret_route = (struct api_route){0};
    enum api_route_result result = path_split(&segments, path);
    if (result != API_ROUTE_FOUND)
        return result;
    bool endpoint = path_endpoint(ret_route, &segments) || path_events(ret_route, &segments);
    if (!endpoint) {
        if (path_is(&segments, 0, "api") && path_is(&segments, 1, API_CORE_VERSION))
            result = path_object(ret_route, &segments, 2, "");
        else if (path_is(&segments, 0, "apis") && path_is(&segments, 1, API_GROUP) &&
                 path_is(&segments, 2, API_VERSION))
            result = path_object(ret_route, &segments, 3, API_GROUP);
        else
            result = API_ROUTE_NO_PATH;
        if (result != API_ROUTE_FOUND)
            return result;
    }
    if (strcmp(method, "OPTIONS") == 0)
        return API_ROUTE_OPTIONS;
    bool named = endpoint || ret_route->name[0];
    bool subresource = ret_route->subresource != API_NO_SUBRESOURCE;
    if (!method_verb(method, named, subresource, watch, &ret_route->verb))
        return API_ROUTE_NO_METHOD;
    return ret_route->verbs & API_CAN(ret_route->verb) ? API_ROUTE_FOUND : API_ROUTE_NO_METHOD;
}

void api_route_methods(const struct api_route *route, char *ret_text, size_t bytes)
{
    static const struct {
        unsigned verbs;
        const char *methods;
    } methods[] = {{API_CAN(API_GET) | API_CAN(API_LIST), "GET, HEAD"},
                   {API_CAN(API_CREATE), "POST"},
                   {API_CAN(API_UPDATE), "PUT"},
                   {API_CAN(API_PATCH), "PATCH"},
                   {API_CAN(API_DELETE), "DELETE"}};
    size_t at = 0;
    *ret_text = '\0';
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!(route->verbs & methods[i].verbs) || at >= bytes)
            continue;
        at +=
            (size_t)snprintf(ret_text + at, bytes - at, "%s%s", at ? ", " : "", methods[i].methods);
    }
}

/* --- Names of children ------------------------------------------------------------------------ */

bool api_child_name_parse(struct child_id *ret_id, const char *ns, const char *name)
{
    const char *dash = strrchr(name, '-');
    if (!dash || dash == name || (size_t)(dash - name) > NAME_BYTES_MAX)
        return false;
    const char *digits = dash + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 10 || digits[count] || (count > 1 && digits[0] == '0'))
        return false;
    uint64_t ordinal = strtoull(digits, NULL, 10);
    struct child_id id = {.ordinal = (uint32_t)ordinal};
    TEXT_SET(id.ns, ns);
    memcpy(id.workload, name, (size_t)(dash - name));
    if (ordinal > UINT32_MAX || !name_is_dns1123(id.workload))
        return false;
    *ret_id = id;
    return true;
}

void api_child_name_print(const struct child_id *id, char *ret_text, size_t bytes)
{
    char ordinal[DECIMAL_BYTES];
    size_t name_bytes = strlen(id->workload);
    size_t ordinal_bytes = (size_t)(decimal_print(id->ordinal, ordinal) - ordinal);
    assert(name_bytes + 1 + ordinal_bytes < bytes);
    memcpy(ret_text, id->workload, name_bytes);
    ret_text[name_bytes] = '-';
    memcpy(ret_text + name_bytes + 1, ordinal, ordinal_bytes + 1);
}
