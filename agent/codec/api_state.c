/* children/NAME/state (see api_call.h): what a child leaves to its successor, as plain bytes. Only
 * the child itself writes it, known by the token of its epoch. */
#include <inttypes.h>
#include <string.h>

#include "agent/codec/api_call_private.h"

static int state_get(struct api_call *call, const struct api_context *context,
                     const struct child_id *child)
{
    struct api_response *response = &call->response;
    struct state_view view;
    if (!query_state(context->node, child, &view))
        return api_failure_not_found(&call->failure, API_CHILDREN, call->route.name);
    buffer_clear(&response->body);
    if (!view.complete || !query_state_read(context->node, child, &response->body)) {
        api_failure_set(&call->failure, 503,
                        "the state of %s is not here as a whole yet; try again", call->route.name);
        call->failure.retry_after_seconds = 1;
        return -1;
    }
    response->status = 200;
    response->content_type = API_BYTES;
    api_call_header(call, "Hordelet-State-Epoch", "%" PRIu64, view.epoch);
    return API_DONE;
}

int api_state(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    const struct api_identity *identity = call->request->child;
    struct child_id child;
    if (!api_child_name_parse(&child, route->ns, route->name))
        return api_failure_not_found(&call->failure, API_CHILDREN, route->name);
    if (route->verb == API_GET)
        return state_get(call, context, &child);
    if (!identity)
        return api_failure_set(&call->failure, 401,
                               "Hordelet-Token: only the child itself writes its state");
    if (child_id_compare(&identity->child, &child) != 0)
        return api_failure_set(&call->failure, 403, "the token is another child's");
    if (call->request->body.bytes > STATE_BYTES_MAX)
        return api_failure_set(&call->failure, 413, "a state has at most 256 KiB");
    api_call_success(call, 200, NULL);
    call->answered = true;
    call->submit.kind = route->verb == API_UPDATE ? REQUEST_PUT_STATE : REQUEST_DELETE_STATE;
    call->submit.child = child;
    call->submit.epoch = identity->epoch;
    call->submit.state = call->request->body;
    TEXT_SET(call->submit.uid, identity->uid);
    return API_SUBMIT;
}

bool api_child_is_past(const struct api_identity *identity, const struct node *node)
{
    struct child_view view;
    return !query_child(node, &identity->child, &view) || strcmp(view.uid, identity->uid) != 0 ||
           view.epoch > identity->epoch;
}

int api_child_may(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    const struct api_request *request = call->request;
    struct child_id child;
    if (!request->from_child)
        return 0;
    if (!request->child)
        return api_failure_set(&call->failure, 401,
                               "Hordelet-Token: here only the token in HORDELET_TOKEN counts, "
                               "and this is not one of this agent");
    bool reads = route->verb == API_GET || route->verb == API_LIST || route->verb == API_WATCH;
    bool own = route->resource == API_CHILDREN && route->subresource == API_STATE &&
               api_child_name_parse(&child, route->ns, route->name) &&
               child_id_compare(&child, &request->child->child) == 0;
    bool names = (route->resource == API_NAMES && (reads || route->verb == API_UPDATE)) ||
                 (route->resource == API_METAS && reads);
    bool writes_state = own && !reads; /* of those the node says which epoch there is */
    if ((own || names) && !writes_state && route->endpoint == API_ENDPOINT_OBJECTS &&
        api_child_is_past(request->child, context->node))
        return api_failure_set(&call->failure, 403,
                               "Hordelet-Token: the child runs elsewhere or no more: its token is "
                               "over");
    if (route->endpoint == API_ENDPOINT_OBJECTS ? own || names
                                                : route->endpoint != API_ENDPOINT_EVENTS)
        return 0;
    return api_failure_set(
        &call->failure, 403,
        "a child may read names and metas, change the value of its own names, and "
        "read and write its own state");
}
