/* Names from outside, and the registry's meta (see api_call.h): create, update, delete. Who may is
 * the core's to say; here the body and the owner's token are read.
 *
 * POST and PUT of a name by its owner are the same, and so is a renewal: only to somebody else does
 * POST say that the name is taken (409), and PUT that it is not theirs to change (403). */
#include <string.h>

#include "agent/codec/api_call_private.h"

static int registry_take_owner(struct api_call *call)
{
    const struct api_request *request = call->request;
    size_t bytes = request->token ? strlen(request->token) : 0;
    if (bytes < OWNER_TOKEN_BYTES_MIN || bytes > OWNER_TOKEN_BYTES_MAX)
        return api_failure_set(&call->failure, 401,
                               "Hordelet-Token: names are registered with a token of the owner, "
                               "%d to %d characters that nobody can guess",
                               OWNER_TOKEN_BYTES_MIN, OWNER_TOKEN_BYTES_MAX);
    memcpy(call->body.registration.owner, request->token_hash, OWNER_HASH_BYTES);
    return 0;
}

/* A child changes what is said beside its own name, and nothing else of it. */
static int registry_set_value(struct api_call *call)
{
    const struct registration *registration = &call->body.registration;
    const struct api_identity *child = call->request->child;
    if (registration->address[0] || registration->port || registration->label_count)
        return api_failure_invalid(&call->failure, API_NAMES, call->route.name,
                                   "spec: of its own name a child can change the value only");
    call->submit.kind = REQUEST_SET_VALUE;
    call->submit.child = child->child;
    call->submit.epoch = child->epoch;
    TEXT_SET(call->submit.uid, child->uid);
    return API_SUBMIT;
}

static int registry_put(struct api_call *call, const struct api_context *context)
{
    struct api_route *route = &call->route;
    bool name = route->resource == API_NAMES, dry_run;
    struct write write = {.ns = route->ns,
                          .name = route->name[0] ? route->name : NULL,
                          .now_ms = context->wall_ms,
                          .uid_bytes = context->random};
    struct error err = {0};
    struct api_item there;
    if (api_call_dry_run(call, &dry_run) < 0 ||
        api_call_parse_body(call, call->request->content_type) < 0)
        return -1;
    if (dry_run)
        return api_failure_set(&call->failure, 400, "dryRun: not for %s",
                               api_resources[route->resource].plural);
    int result = name ? registration_read(&call->body, &call->documents.items[0], &write, &err)
                      : meta_read(&call->body, &call->documents.items[0], &write, &err);
    if (result < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    bool child = name && call->request->child;
    if (name && !child && registry_take_owner(call) < 0)
        return -1;
    TEXT_SET(route->name, call->body.name);
    bool exists = api_item_get(&there, context->node, route->resource, route->ns, route->name);
    if (!name && exists && route->verb == API_CREATE)
        return api_failure_exists(&call->failure, route->resource, route->name);
    call->success = exists ? 200 : 201;
    call->submit.kind = name ? REQUEST_PUT_NAME : REQUEST_PUT_META;
    call->submit.flag = route->verb == API_CREATE;
    call->submit.registration = &call->body.registration;
    call->submit.value = call->body.value;
    TEXT_SET(call->submit.ns, route->ns);
    TEXT_SET(call->submit.name, route->name);
    return child ? registry_set_value(call) : API_SUBMIT;
}

static int registry_delete(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    bool name = route->resource == API_NAMES, dry_run;
    struct api_item item;
    char uid[UID_BYTES + 1];
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    if ((name && registry_take_owner(call) < 0) ||
        api_call_delete_options(call, context, &item, &dry_run) < 0)
        return -1;
    api_item_uid(&item, uid);
    api_call_success(call, 200, uid);
    call->answered = true;
    call->submit.kind = name ? REQUEST_DELETE_NAME : REQUEST_DELETE_META;
    call->submit.registration = &call->body.registration;
    TEXT_SET(call->submit.ns, route->ns);
    TEXT_SET(call->submit.name, route->name);
    return dry_run ? API_DONE : API_SUBMIT;
}

int api_registry(struct api_call *call, const struct api_context *context)
{
    return call->route.verb == API_DELETE ? registry_delete(call, context)
                                          : registry_put(call, context);
}

void api_registry_answer(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    struct api_writer writer = api_call_answer(call, call->success);
    if (api_item_get(&item, context->node, route->resource, route->ns, route->name))
        api_item_write(&item, context, &writer, NULL);
    else /* it was taken away again at once */
        api_call_success(call, call->success, NULL);
}
