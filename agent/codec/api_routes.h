/* Method and path to what is meant: the one table of resources, and the parser that reads it.
 *
 * Discovery, the objects' kinds, OpenAPI and watch come from the same table, so that a resource is
 * added in one place. */
#ifndef AGENT_CODEC_API_ROUTES_H
#define AGENT_CODEC_API_ROUTES_H

#include "agent/codec/schema.h"
#include "agent/core/ident.h"

#define API_GROUP "hordelet.dev"
#define API_VERSION "v1"
#define API_GROUP_VERSION API_GROUP "/" API_VERSION
#define API_ROOT "/apis/" API_GROUP_VERSION
#define API_CORE_VERSION "v1"
#define API_CORE_ROOT "/api/" API_CORE_VERSION
/* As a member's name: the agent that is asked; as a child's: the one whose token it is. None is
 * called so: it is not DNS-1123. */
#define API_SELF "SELF"

enum { API_OBJECT_NAME_BYTES_MAX = NAME_BYTES_MAX + 11 }; /* a child's: workload-ordinal */

enum api_resource {
    API_WORKLOADS,
    API_CHILDREN,
    API_NAMES,
    API_METAS,
    API_SUPERVISORS,
    API_MEMBERS,
    API_RESOURCE_COUNT,
    /* Kubernetes' own kinds: other ways to show what is above. */
    API_PODS = API_RESOURCE_COUNT, /* children */
    API_NODES,                     /* members */
    API_SHOWN_COUNT,
};

enum api_verb {
    API_GET,
    API_LIST,
    API_WATCH,
    API_CREATE,
    API_UPDATE,
    API_PATCH,
    API_DELETE,
    API_DELETE_COLLECTION,
    API_VERB_COUNT,
};
#define API_CAN(verb) (1u << (verb))

enum api_subresource {
    API_NO_SUBRESOURCE,
    API_SCALE,
    API_STATUS,
    API_JOIN,
    API_LEAVE,
    API_DETACH,
    API_FORGET,
    API_DRAIN,
    API_ORPHANS,
    API_STATE,
    API_LOG,
    API_QUORUM,
    API_RING,
    API_REBALANCE,
    API_FORCE_ELECTORATE,
    API_EXEC, /* and attach, portforward: refused */
};

enum api_endpoint {
    API_ENDPOINT_OBJECTS, /* of a resource */
    API_ENDPOINT_LIVEZ,
    API_ENDPOINT_READYZ,
    API_ENDPOINT_METRICS,
    API_ENDPOINT_VERSION,
    API_ENDPOINT_EVENTS,        /* /api/v1/[namespaces/NS/]events */
    API_ENDPOINT_CORE_VERSIONS, /* /api */
    API_ENDPOINT_CORE_VERSION,  /* /api/v1 */
    API_ENDPOINT_GROUPS,        /* /apis */
    API_ENDPOINT_GROUP,         /* /apis/hordelet.dev */
    API_ENDPOINT_GROUP_VERSION, /* /apis/hordelet.dev/v1 */
    API_ENDPOINT_OPENAPI,       /* /openapi/v3: where the documents are */
    API_ENDPOINT_OPENAPI_CORE,  /* /openapi/v3/api/v1 */
    API_ENDPOINT_OPENAPI_GROUP, /* /openapi/v3/apis/hordelet.dev/v1 */
};

struct api_subresource_info {
    enum api_subresource subresource;
    const char *name;
    const char *kind, *group,
        *version;   /* of its objects, for discovery; kind NULL: an action of ours, not listed */
    unsigned verbs; /* API_CAN bits */
};

struct api_resource_info {
    const char *plural, *singular, *short_name; /* short_name: "" if none */
    const char *kind, *list_kind;
    bool namespaced;
    unsigned verbs;
    struct api_subresource_info subresources[7];
    size_t subresource_count;
    enum api_resource base; /* what it shows: itself, but for Kubernetes' own kinds */
    const char *group;      /* "" for those */
    const char *category;   /* "all": kubectl get all names it; "" if none */
    const struct schema_kind *schema;
};

extern const struct api_resource_info api_resources[API_SHOWN_COUNT];
const char *api_group_version(enum api_resource resource); /* "hordelet.dev/v1" or "v1" */
const char *api_verb_name(enum api_verb verb);             /* as in discovery: get, list, ... */

struct api_route {
    enum api_endpoint endpoint;
    enum api_resource resource;
    enum api_subresource subresource;
    enum api_verb verb;
    char ns[NAME_BYTES_MAX + 1];              /* empty: all namespaces, or none */
    char name[API_OBJECT_NAME_BYTES_MAX + 1]; /* empty: the collection */
    unsigned verbs;                           /* what can be done here, for Allow */
};

enum api_route_result {
    API_ROUTE_FOUND,
    API_ROUTE_MALFORMED, /* a bad escape: 400 */
    API_ROUTE_NO_PATH,   /* nothing of ours has such a path: 404 */
    API_ROUTE_NO_NAME, /* a resource of ours, but no object can have such a name: 404; ret_route is
                          filled in except for the name */
    API_ROUTE_NO_METHOD, /* 405; ret_route->verbs and endpoint say what would work */
    API_ROUTE_OPTIONS,   /* the method was OPTIONS: the same */
};

/* path: as on the request line, up to the question mark; still percent-encoded, zero-terminated.
 * watch: the query asks for one. */
enum api_route_result api_route_parse(struct api_route *ret_route, const char *method,
                                      const char *path, bool watch);
/* The methods that do some of these verbs, as in "GET, HEAD, POST"; empty text for none. */
void api_route_methods(const struct api_route *route, char *ret_text, size_t bytes);

/* "web-12" to workload "web", ordinal 12. False: not the name of a child. */
bool api_child_name_parse(struct child_id *ret_id, const char *ns, const char *name);
void api_child_name_print(const struct child_id *id, char *ret_text, size_t bytes);

#endif
