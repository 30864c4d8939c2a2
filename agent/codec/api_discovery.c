/* What does not need an object: health, version, and discovery from the table of resources (see
 * api_call.h). */
#include <string.h>

#include "agent/codec/api_call_private.h"

#if defined(__x86_64__)
#define PLATFORM "linux/amd64"
#elif defined(__aarch64__)
#define PLATFORM "linux/arm64"
#elif defined(__arm__)
#define PLATFORM "linux/arm"
#elif defined(__riscv)
#define PLATFORM "linux/riscv64"
#else
#define PLATFORM "linux/unknown"
#endif

static int answer_text(struct api_call *call, int status, const char *text)
{
    buffer_clear(&call->response.body);
    buffer_append(&call->response.body, text, strlen(text));
    call->response.status = status;
    call->response.content_type = API_TEXT;
    return API_DONE;
}

static int answer_ready(struct api_call *call, const struct node *node)
{
    if (query_ready(node))
        return answer_text(call, 200, "ok");
    return answer_text(call, 503,
                       query_stopping(node) ? "not ready: stopping" : "not ready: starting");
}

static int answer_metrics(struct api_call *call, const struct api_context *context)
{
    struct vitals vitals = {0};
    if (context->read_vitals)
        context->read_vitals(context->vitals_context, &vitals);
    buffer_clear(&call->response.body);
    metrics_write(&call->response.body, context->node, context->read_vitals ? &vitals : NULL);
    call->response.status = 200;
    call->response.content_type = METRICS_CONTENT_TYPE;
    return API_DONE;
}

/* apimachinery's version.Info: kubectl reads gitVersion as a semantic version. */
static int answer_version(struct api_call *call)
{
    struct api_writer writer = api_call_answer(call, 200);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "major", "1");
    api_writer_text(&writer, "minor", "0");
    api_writer_text(&writer, "gitVersion", "v" HORDELET_VERSION);
    api_writer_text(&writer, "gitCommit", "");
    api_writer_text(&writer, "gitTreeState", "");
    api_writer_text(&writer, "buildDate", "");
    api_writer_text(&writer, "goVersion", "");
    api_writer_text(&writer, "compiler", __VERSION__);
    api_writer_text(&writer, "platform", PLATFORM);
    api_writer_close(&writer, '}');
    return API_DONE;
}

static struct api_writer discovery_begin(struct api_call *call, const char *kind)
{
    struct api_writer writer = api_call_answer(call, 200);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "kind", kind);
    api_writer_text(&writer, "apiVersion", "v1");
    return writer;
}

static void write_group_version(struct api_writer *writer, const char *key)
{
    api_writer_open(writer, key, '{');
    api_writer_text(writer, "groupVersion", API_GROUP_VERSION);
    api_writer_text(writer, "version", API_VERSION);
    api_writer_close(writer, '}');
}

static void write_group_fields(struct api_writer *writer)
{
    api_writer_text(writer, "name", API_GROUP);
    api_writer_open(writer, "versions", '[');
    write_group_version(writer, NULL);
    api_writer_close(writer, ']');
    write_group_version(writer, "preferredVersion");
}

static int answer_core_versions(struct api_call *call)
{
    struct api_writer writer = discovery_begin(call, "APIVersions");
    api_writer_raw(&writer, "versions", span_text("[\"v1\"]"));
    api_writer_raw(&writer, "serverAddressByClientCIDRs", span_text("[]"));
    api_writer_close(&writer, '}');
    return API_DONE;
}

static int answer_groups(struct api_call *call)
{
    struct api_writer writer = discovery_begin(call, "APIGroupList");
    api_writer_open(&writer, "groups", '[');
    api_writer_open(&writer, NULL, '{');
    write_group_fields(&writer);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, ']');
    api_writer_close(&writer, '}');
    return API_DONE;
}

static int answer_group(struct api_call *call)
{
    struct api_writer writer = discovery_begin(call, "APIGroup");
    write_group_fields(&writer);
    api_writer_close(&writer, '}');
    return API_DONE;
}

static void write_verbs(struct api_writer *writer, unsigned verbs)
{
    api_writer_open(writer, "verbs", '[');
    for (unsigned verb = 0; verb < API_VERB_COUNT; verb++)
        if (verbs & API_CAN(verb))
            api_writer_text(writer, NULL, api_verb_name((enum api_verb)verb));
    api_writer_close(writer, ']');
}

static void write_resource(struct api_writer *writer, const struct api_resource_info *info)
{
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "name", info->plural);
    api_writer_text(writer, "singularName", info->singular);
    api_writer_bool(writer, "namespaced", info->namespaced);
    api_writer_text(writer, "kind", info->kind);
    write_verbs(writer, info->verbs);
    if (info->short_name[0]) {
        api_writer_open(writer, "shortNames", '[');
        api_writer_text(writer, NULL, info->short_name);
        api_writer_close(writer, ']');
    }
    if (info->category[0]) {
        api_writer_open(writer, "categories", '[');
        api_writer_text(writer, NULL, info->category);
        api_writer_close(writer, ']');
    }
    api_writer_close(writer, '}');
}

static void write_subresource(struct api_writer *writer, const struct api_resource_info *info,
                              const struct api_subresource_info *subresource)
{
    char name[64];
    TEXT_SET(name, info->plural);
    strncat(name, "/", sizeof name - strlen(name) - 1);
    strncat(name, subresource->name, sizeof name - strlen(name) - 1);
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "name", name);
    api_writer_text(writer, "singularName", "");
    api_writer_bool(writer, "namespaced", info->namespaced);
    api_writer_text(writer, "group", subresource->group);
    api_writer_text(writer, "version", subresource->version);
    api_writer_text(writer, "kind", subresource->kind);
    write_verbs(writer, subresource->verbs);
    api_writer_close(writer, '}');
}

static void write_resources(struct api_writer *writer, const char *group)
{
    for (size_t i = 0; i < API_SHOWN_COUNT; i++) {
        const struct api_resource_info *info = &api_resources[i];
        if (strcmp(info->group, group) != 0)
            continue;
        write_resource(writer, info);
        for (size_t j = 0; j < info->subresource_count; j++)
            if (info->subresources[j].kind)
                write_subresource(writer, info, &info->subresources[j]);
    }
}

static int answer_group_version(struct api_call *call)
{
    struct api_writer writer = discovery_begin(call, "APIResourceList");
    api_writer_text(&writer, "groupVersion", API_GROUP_VERSION);
    api_writer_open(&writer, "resources", '[');
    write_resources(&writer, API_GROUP);
    api_writer_close(&writer, ']');
    api_writer_close(&writer, '}');
    return API_DONE;
}

/* Of Kubernetes' own group: events, and other ways to show children and members. */
static int answer_core_version(struct api_call *call)
{
    static const struct api_resource_info events = {
        .plural = "events",
        .singular = "event",
        .short_name = "ev",
        .kind = "Event",
        .namespaced = true,
        .verbs = API_CAN(API_LIST) | API_CAN(API_WATCH),
        .category = "",
    };
    struct api_writer writer = discovery_begin(call, "APIResourceList");
    api_writer_text(&writer, "groupVersion", API_CORE_VERSION);
    api_writer_open(&writer, "resources", '[');
    write_resource(&writer, &events);
    write_resources(&writer, "");
    api_writer_close(&writer, ']');
    api_writer_close(&writer, '}');
    return API_DONE;
}

int api_discovery(struct api_call *call, const struct api_context *context)
{
    switch (call->route.endpoint) {
    case API_ENDPOINT_LIVEZ:
        return answer_text(call, 200, "ok");
    case API_ENDPOINT_READYZ:
        return answer_ready(call, context->node);
    case API_ENDPOINT_METRICS:
        return answer_metrics(call, context);
    case API_ENDPOINT_VERSION:
        return answer_version(call);
    case API_ENDPOINT_CORE_VERSIONS:
        return answer_core_versions(call);
    case API_ENDPOINT_CORE_VERSION:
        return answer_core_version(call);
    case API_ENDPOINT_GROUPS:
        return answer_groups(call);
    case API_ENDPOINT_GROUP:
        return answer_group(call);
    case API_ENDPOINT_GROUP_VERSION:
        return answer_group_version(call);
    case API_ENDPOINT_OPENAPI:
    case API_ENDPOINT_OPENAPI_CORE:
    case API_ENDPOINT_OPENAPI_GROUP:
        return api_openapi(call);
    case API_ENDPOINT_EVENTS:
    case API_ENDPOINT_OBJECTS:
        break;
    }
    return api_failure_no_path(&call->failure);
}
