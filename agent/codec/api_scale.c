/* workloads/NAME/scale: a workload seen as an autoscaling/v1 Scale (see api_call.h). */
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_patch_value.h"
#include "agent/codec/workload_json.h"

static int scale_take_replicas(struct api_call *call, uint32_t *ret_replicas)
{
    const cJSON *value;
    struct error err = {0};
    const struct api_route *route = &call->route;
    const cJSON *body = call->documents.items[0].object;
    if (route->verb == API_UPDATE && strcmp(document_kind(body), "Scale") != 0)
        return api_failure_set(&call->failure, 400,
                               "kind: expected Scale of autoscaling/v1, not \"%.60s\"",
                               document_kind(body));
    if (api_patch_value(&value, body, "replicas", &err) < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (!value && route->verb == API_PATCH)
        return 0;
    double number = cJSON_IsNumber(value) ? value->valuedouble
                    : value               ? -1
                                          : 0; /* absent is 0, as Kubernetes has it */
    if (!(number >= 0 && number <= REPLICAS_MAX) || number != (double)(uint32_t)number) {
        error_set(&err, ERROR_INVALID, "spec.replicas: expected a whole number from 0 to %d",
                  REPLICAS_MAX);
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    }
    *ret_replicas = (uint32_t)number;
    return 0;
}

static int scale_parse(struct api_call *call, const struct api_context *context,
                       const struct api_item *item, uint32_t *ret_replicas)
{
    const struct api_route *route = &call->route;
    const char *content_type = call->request->content_type;
    enum patch_type type;
    struct error err = {0};
    if (route->verb == API_PATCH && patch_type_parse(&type, content_type, &err) < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (api_call_parse_body(call, content_type) < 0)
        return -1;
    const cJSON *metadata =
        cJSON_GetObjectItemCaseSensitive(call->documents.items[0].object, "metadata");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(metadata, "resourceVersion");
    if (api_call_check_version(call, context, cJSON_IsString(version) ? version->valuestring : NULL,
                               item->workload.version, item->name) < 0)
        return -1;
    return scale_take_replicas(call, ret_replicas);
}

static int scale_write(struct api_call *call, const struct api_context *context,
                       const struct api_item *item)
{
    const struct api_route *route = &call->route;
    const char *manager = api_query_get(&call->query, "fieldManager");
    struct write write = {.ns = route->ns,
                          .name = route->name,
                          .manager = manager,
                          .now_ms = context->wall_ms,
                          .uid_bytes = context->random};
    uint32_t replicas = item->workload.workload->replicas;
    struct error err = {0};
    bool changed, dry_run;
    if (api_call_dry_run(call, &dry_run) < 0 || scale_parse(call, context, item, &replicas) < 0)
        return -1;
    if (workload_scale(&call->workload, item->workload.workload, replicas, &write, &changed, &err) <
        0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (!changed || dry_run) {
        struct api_writer writer = api_call_answer(call, 200);
        api_scale_write(item, replicas, context, &writer);
        return API_DONE;
    }
    call->submit.kind = REQUEST_PUT_WORKLOAD;
    call->submit.workload = &call->workload;
    return API_SUBMIT;
}

int api_scale(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    if (route->verb != API_GET)
        return scale_write(call, context, &item);
    struct api_writer writer = api_call_answer(call, 200);
    api_scale_write(&item, item.workload.workload->replicas, context, &writer);
    return API_DONE;
}
