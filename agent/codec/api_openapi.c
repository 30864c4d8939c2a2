/* OpenAPI v3, from the table of resources and the schema: what kubectl asks before it writes, and
 * what it explains from.
 *
 *   /openapi/v3                              where the documents are
 *   /openapi/v3/apis/hordelet.dev/v1         ours
 *   /openapi/v3/api/v1                       Kubernetes' own kinds, as far as they are shown
 *
 * The paths say what kubectl looks for: which kind a path has, and that PATCH knows dryRun and
 * fieldValidation. Unknown fields are always errors here, whatever fieldValidation says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/schema_print.h"
#include "placement/hash.h"

enum { OPENAPI_PATH_BYTES = 160 };

struct operation {
    const char *method;
    enum api_verb verb;
    const char *parameters; /* of the query, as JSON */
};

#define PARAMETER(name) "{\"name\":\"" name "\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}"
#define LIST_PARAMETERS        \
    PARAMETER("labelSelector") \
    "," PARAMETER("fieldSelector") "," PARAMETER("limit") "," PARAMETER("continue") ","     \
        PARAMETER("watch") "," PARAMETER("resourceVersion") "," PARAMETER("timeoutSeconds") \
            "," PARAMETER("allowWatchBookmarks")
#define WRITE_PARAMETERS \
    PARAMETER("dryRun") "," PARAMETER("fieldManager") "," PARAMETER("fieldValidation")

static const struct operation collection_operations[] = {
    {"get", API_LIST, LIST_PARAMETERS},
    {"post", API_CREATE, WRITE_PARAMETERS},
};
static const struct operation named_operations[] = {
    {"get", API_GET, ""},
    {"put", API_UPDATE, WRITE_PARAMETERS},
    {"patch", API_PATCH, WRITE_PARAMETERS "," PARAMETER("force")},
    {"delete", API_DELETE, PARAMETER("dryRun")},
};

static void write_content(struct api_writer *writer, const char *const *types, size_t count,
                          const struct api_resource_info *info)
{
    char name[SCHEMA_DEFINITION_BYTES], ref[SCHEMA_DEFINITION_BYTES + 32];
    schema_definition_name(name, info->schema->root->object);
    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    api_writer_open(writer, "content", '{');
    for (size_t i = 0; i < count; i++) {
        api_writer_open(writer, types[i], '{');
        api_writer_open(writer, "schema", '{');
        api_writer_text(writer, "$ref", ref);
        api_writer_close(writer, '}');
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, '}');
}

static void write_request_body(struct api_writer *writer, const struct api_resource_info *info,
                               enum api_verb verb)
{
    static const char *const bodies[] = {API_JSON, API_YAML};
    static const char *const patches[] = {"application/apply-patch+yaml",
                                          "application/json-patch+json",
                                          "application/merge-patch+json"};
    if (verb != API_CREATE && verb != API_UPDATE && verb != API_PATCH)
        return;
    api_writer_open(writer, "requestBody", '{');
    if (verb == API_PATCH)
        write_content(writer, patches, 3, info);
    else
        write_content(writer, bodies, 2, info);
    api_writer_close(writer, '}');
}

static void write_operation(struct api_writer *writer, const struct api_resource_info *info,
                            const struct operation *operation)
{
    static const char *const answers[] = {API_JSON, API_YAML};
    char list[1536];
    snprintf(list, sizeof list, "[%s]", operation->parameters);
    api_writer_open(writer, operation->method, '{');
    api_writer_text(writer, "x-kubernetes-action", api_verb_name(operation->verb));
    api_writer_open(writer, "x-kubernetes-group-version-kind", '{');
    api_writer_text(writer, "group", info->group);
    api_writer_text(writer, "kind", info->kind);
    api_writer_text(writer, "version", API_VERSION);
    api_writer_close(writer, '}');
    api_writer_raw(writer, "parameters", span_text(list));
    write_request_body(writer, info, operation->verb);
    api_writer_open(writer, "responses", '{');
    api_writer_open(writer, "200", '{');
    api_writer_text(writer, "description", "OK");
    write_content(writer, answers, 2, info);
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
}

static void write_path(struct api_writer *writer, const struct api_resource_info *info,
                       const char *ns, const char *name)
{
    char path[OPENAPI_PATH_BYTES];
    const struct operation *operations = name[0] ? named_operations : collection_operations;
    size_t count = name[0] ? SCHEMA_COUNT(named_operations) : SCHEMA_COUNT(collection_operations);
    bool across = info->namespaced && !ns[0]; /* of all namespaces: there nothing is created */
    snprintf(path, sizeof path, "%s%s/%s%s", info->group[0] ? API_ROOT : API_CORE_ROOT, ns,
             info->plural, name);
    api_writer_open(writer, path, '{');
    for (size_t i = 0; i < count; i++)
        if (info->verbs & API_CAN(operations[i].verb) &&
            !(across && operations[i].verb == API_CREATE))
            write_operation(writer, info, &operations[i]);
    api_writer_close(writer, '}');
}

static void write_paths(struct api_writer *writer, const struct api_resource_info *info)
{
    const char *ns = info->namespaced ? "/namespaces/{namespace}" : "";
    write_path(writer, info, "", "");
    if (info->namespaced)
        write_path(writer, info, ns, "");
    if (info->verbs & API_CAN(API_GET))
        write_path(writer, info, ns, "/{name}");
}

/* Events are no objects of the map, and not in the table of resources. */
static const struct api_resource_info events_info = {
    .plural = "events",
    .kind = "Event",
    .namespaced = true,
    .verbs = API_CAN(API_LIST),
    .group = "",
    .schema = &schema_event,
};

static const struct api_resource_info *document_resource(const char *group, size_t index)
{
    for (size_t i = 0; i < API_SHOWN_COUNT; i++)
        if (strcmp(api_resources[i].group, group) == 0 && index-- == 0)
            return &api_resources[i];
    return index == 0 && !group[0] ? &events_info : NULL;
}

static void document_write(struct buffer *buffer, const char *group)
{
    struct api_writer writer = api_writer_of(buffer);
    struct schema_printed done = {0};
    const struct api_resource_info *info;
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "openapi", "3.0.0");
    api_writer_open(&writer, "info", '{');
    api_writer_text(&writer, "title", "hordelet");
    api_writer_text(&writer, "version", "v" HORDELET_VERSION);
    api_writer_close(&writer, '}');
    api_writer_open(&writer, "paths", '{');
    for (size_t i = 0; (info = document_resource(group, i)); i++)
        write_paths(&writer, info);
    api_writer_close(&writer, '}');
    api_writer_open(&writer, "components", '{');
    api_writer_open(&writer, "schemas", '{');
    for (size_t i = 0; (info = document_resource(group, i)); i++)
        schema_print_kind(&writer, info->schema, group, API_VERSION, SCHEMA_OPENAPI, &done);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
}

/* The address names the content, so that a client may keep what it has read. */
static void write_link(struct api_writer *writer, const char *path, const char *group)
{
    struct buffer document = {0};
    char link[OPENAPI_PATH_BYTES];
    document_write(&document, group);
    snprintf(link, sizeof link, "/openapi/v3/%s?hash=%016" PRIX64, path,
             placement_hash(document.data, document.bytes));
    buffer_release(&document);
    api_writer_open(writer, path, '{');
    api_writer_text(writer, "serverRelativeURL", link);
    api_writer_close(writer, '}');
}

int api_openapi(struct api_call *call)
{
    struct api_writer writer = api_call_answer(call, 200);
    if (call->route.endpoint == API_ENDPOINT_OPENAPI_CORE)
        document_write(&call->response.body, "");
    if (call->route.endpoint == API_ENDPOINT_OPENAPI_GROUP)
        document_write(&call->response.body, API_GROUP);
    if (call->route.endpoint != API_ENDPOINT_OPENAPI)
        return API_DONE;
    api_writer_open(&writer, NULL, '{');
    api_writer_open(&writer, "paths", '{');
    write_link(&writer, "api/" API_VERSION, "");
    write_link(&writer, "apis/" API_GROUP_VERSION, API_GROUP);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
    return API_DONE;
}
