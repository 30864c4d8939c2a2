/* What the verbs of api_call.h share: options of a request, bodies, preconditions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/protobuf_options.h"

int api_call_dry_run(struct api_call *call, bool *ret_dry_run)
{
    const char *value = api_query_get(&call->query, "dryRun");
    *ret_dry_run = value != NULL && *value;
    if (*ret_dry_run && strcmp(value, "All") != 0)
        return api_failure_set(&call->failure, 400,
                               "dryRun: \"%.40s\" is not supported: use \"All\"", value);
    return 0;
}

int api_call_parse_body(struct api_call *call, const char *content_type)
{
    struct error err = {0};
    const char *name = call->route.name;
    if (documents_parse(&call->documents, content_type, call->request->body, &err) < 0)
        return api_failure_error(&call->failure, call->route.resource, name, &err);
    if (call->documents.count != 1)
        return api_failure_set(&call->failure, 400,
                               "the body holds %zu documents: send one per request",
                               call->documents.count);
    return 0;
}

/* A resourceVersion is a position in the feed: the document must not have changed since. So one
 * that was read from a list, or from an object whose status has changed meanwhile, is as good as
 * the object's own. */
int api_call_check_version(struct api_call *call, const struct api_context *context,
                           const char *version, uint64_t stored, const char *name)
{
    uint64_t position;
    if (!version || !*version || strcmp(version, "0") == 0)
        return 0;
    if (api_resource_version_parse(&position, context->run_tag, version) && position >= stored &&
        position <= query_position(context->node))
        return 0;
    return api_failure_conflict(
        &call->failure, call->route.resource, name,
        "the object has been modified; please apply your changes to the latest version and "
        "try again");
}

static const char *object_text(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static int delete_options_parse(struct api_call *call)
{
    const char *type = call->request->content_type;
    if (!type || strncasecmp(type, PROTOBUF_MEDIA_TYPE, strlen(PROTOBUF_MEDIA_TYPE)) != 0)
        return api_call_parse_body(call, type);
    cJSON *options = protobuf_delete_options(call->request->body);
    if (!options)
        return api_failure_set(&call->failure, 400, "the body is no DeleteOptions in protobuf");
    call->documents.items = xcalloc(1, sizeof *call->documents.items);
    call->documents.items[0].object = options;
    call->documents.count = 1;
    return 0;
}

int api_call_delete_options(struct api_call *call, const struct api_context *context,
                            const struct api_item *item, bool *ret_dry_run)
{
    if (api_call_dry_run(call, ret_dry_run) < 0)
        return -1;
    if (call->request->body.bytes == 0)
        return 0;
    if (delete_options_parse(call) < 0)
        return -1;
    const cJSON *options = call->documents.items[0].object;
    const cJSON *dry_run = cJSON_GetObjectItemCaseSensitive(options, "dryRun");
    if (cJSON_GetArraySize(dry_run) > 0)
        *ret_dry_run = true;
    const cJSON *preconditions = cJSON_GetObjectItemCaseSensitive(options, "preconditions");
    const char *uid = object_text(preconditions, "uid");
    char stored_uid[UID_BYTES + 1];
    api_item_uid(item, stored_uid);
    if (*uid && strcmp(uid, stored_uid) != 0)
        return api_failure_conflict(&call->failure, item->resource, item->name,
                                    "the UID in the precondition is not that of the stored object");
    return api_call_check_version(call, context, object_text(preconditions, "resourceVersion"),
                                  item->stored, item->name);
}
