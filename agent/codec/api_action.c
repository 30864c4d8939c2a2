/* What users do to children, members and supervisors (see api_call.h): stop a child, cordon, drain,
 * join, leave, detach, forget, wait for a quorum. */
#include <string.h>
#include <strings.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_patch_value.h"
#include "agent/codec/duration.h"
#include "agent/codec/json.h"

static int action_delete_child(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    char uid[UID_BYTES + 1];
    bool dry_run;
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    if (api_call_delete_options(call, context, &item, &dry_run) < 0)
        return -1;
    api_item_uid(&item, uid);
    api_call_success(call, 200, uid);
    call->answered = true;
    call->submit.kind = REQUEST_DELETE_CHILD;
    call->submit.child = item.child.id;
    call->submit.flag = api_query_flag(&call->query, "terminate");
    return dry_run ? API_DONE : API_SUBMIT;
}

/* kubectl cordon knows Nodes, and sends a strategic merge patch: of a single flag the same as a
 * merge patch. */
static const char *action_patch_type(const struct api_call *call)
{
    static const char strategic[] = "application/strategic-merge-patch+json";
    const char *type = call->request->content_type;
    bool node = call->route.resource == API_NODES;
    return node && type && strncasecmp(type, strategic, sizeof strategic - 1) == 0
               ? "application/merge-patch+json"
               : type;
}

/* Nobody must think that it was changed. */
static int action_refuse_labels(struct api_call *call, const cJSON *body)
{
    const struct api_route *route = &call->route;
    if (!JSON_GET_PATH(body, "metadata", "labels") &&
        !JSON_GET_PATH(body, "metadata", "annotations"))
        return 0;
    return api_failure_invalid(&call->failure, route->resource, route->name,
                               "metadata: the labels of a member are its agent's flag --labels, "
                               "and it has no annotations");
}

/* null is false: a merge patch takes a field away with it. */
static int action_take_flag(struct api_call *call, bool *ret_flag)
{
    const struct api_route *route = &call->route;
    const char *content_type = action_patch_type(call);
    enum patch_type type;
    struct error err = {0};
    const cJSON *value;
    if (patch_type_parse(&type, content_type, &err) < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (api_call_parse_body(call, content_type) < 0)
        return -1;
    if (type == PATCH_MERGE && action_refuse_labels(call, call->documents.items[0].object) < 0)
        return -1;
    if (api_patch_value(&value, call->documents.items[0].object, "unschedulable", &err) < 0)
        return api_failure_error(&call->failure, route->resource, route->name, &err);
    if (value && !cJSON_IsBool(value) && !cJSON_IsNull(value))
        return api_failure_invalid(&call->failure, route->resource, route->name,
                                   "spec.unschedulable: expected true or false");
    if (value)
        *ret_flag = cJSON_IsTrue(value);
    return 0;
}

static int action_patch_member(struct api_call *call, const struct api_context *context,
                               struct api_item *item)
{
    bool dry_run, unschedulable = item->member.unschedulable;
    if (api_call_dry_run(call, &dry_run) < 0 || action_take_flag(call, &unschedulable) < 0)
        return -1;
    if (dry_run || unschedulable == item->member.unschedulable) {
        struct api_writer writer = api_call_answer(call, 200);
        item->member.unschedulable = unschedulable;
        api_item_write(item, context, &writer, NULL);
        return API_DONE;
    }
    call->submit.kind = REQUEST_SET_UNSCHEDULABLE;
    call->submit.flag = unschedulable;
    TEXT_SET(call->submit.name, call->route.name);
    return API_SUBMIT;
}

static int action_take_addresses(struct api_call *call)
{
    if (api_call_parse_body(call, call->request->content_type) < 0)
        return -1;
    const cJSON *list =
        cJSON_GetObjectItemCaseSensitive(call->documents.items[0].object, "addresses");
    const cJSON *address;
    size_t count = 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return api_failure_set(&call->failure, 400, "addresses: expected a list of HOST:PORT");
    cJSON_ArrayForEach(address, list)
    {
        if (count == SEEDS_MAX)
            return api_failure_set(&call->failure, 400, "addresses: at most %d", SEEDS_MAX);
        const char *text = cJSON_IsString(address) ? address->valuestring : "";
        if (!*text || strlen(text) > ADDRESS_BYTES_MAX || text[strcspn(text, " \t\r\n/")])
            return api_failure_set(&call->failure, 400, "addresses[%zu]: expected HOST:PORT",
                                   count);
        call->addresses[count++] = text;
    }
    call->submit.addresses = call->addresses;
    call->submit.address_count = count;
    return 0;
}

/* ?for=60s */
static int action_take_away(struct api_call *call)
{
    const char *text = api_query_get(&call->query, "for");
    call->submit.away_ms = DETACH_MS_DEFAULT;
    if (text && (!duration_parse(&call->submit.away_ms, text) ||
                 call->submit.away_ms < DETACH_MS_MIN || call->submit.away_ms > DETACH_MS_MAX))
        return api_failure_set(&call->failure, 400,
                               "for: \"%.40s\" is no duration of 1s to 1h, as 60s", text);
    return 0;
}

static enum request_kind action_request(enum api_subresource subresource)
{
    return subresource == API_JOIN     ? REQUEST_JOIN
           : subresource == API_LEAVE  ? REQUEST_LEAVE
           : subresource == API_DETACH ? REQUEST_DETACH
           : subresource == API_DRAIN  ? REQUEST_DRAIN
                                       : REQUEST_FORGET;
}

static int action_member(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    bool self = strcmp(route->name, context->member) == 0;
    bool by_anyone = route->subresource == API_FORGET || route->subresource == API_DRAIN;
    if (!by_anyone && !self)
        return api_failure_set(&call->failure, 400, "this agent is %s: ask the agent of %s itself",
                               context->member, route->name);
    if (route->subresource == API_FORGET && self)
        return api_failure_conflict(
            &call->failure, API_MEMBERS, route->name,
            "an agent cannot forget itself; to take it out: hordelet leave");
    if (route->subresource == API_JOIN && action_take_addresses(call) < 0)
        return -1;
    if (route->subresource == API_DETACH && action_take_away(call) < 0)
        return -1;
    api_call_success(call, 200, NULL);
    call->answered = true;
    call->submit.kind = action_request(route->subresource);
    TEXT_SET(call->submit.name, route->name);
    return API_SUBMIT;
}

/* Horde's wait_for_quorum. ?timeout=5s */
static int action_wait_quorum(struct api_call *call, const struct api_context *context)
{
    const char *name = call->route.name, *text = api_query_get(&call->query, "timeout");
    struct supervisor_view view;
    if (!query_supervisor(context->node, name, &view))
        return api_failure_not_found(&call->failure, API_SUPERVISORS, name);
    call->submit.wait_ms = REQUEST_TIMEOUT_MS;
    if (text &&
        (!duration_parse(&call->submit.wait_ms, text) || call->submit.wait_ms > QUORUM_WAIT_MS_MAX))
        return api_failure_set(&call->failure, 400,
                               "timeout: \"%.40s\" is no duration of 0s to 60s, as 5s", text);
    api_call_success(call, 200, NULL);
    call->answered = true;
    call->submit.kind = REQUEST_WAIT_QUORUM;
    TEXT_SET(call->submit.name, name);
    return API_SUBMIT;
}

/* The way out when a majority is lost for good. Who asks says that it knows what may happen. */
static int action_force_electorate(struct api_call *call, const struct api_context *context)
{
    const char *name = call->route.name;
    struct supervisor_view view;
    if (!query_supervisor(context->node, name, &view))
        return api_failure_not_found(&call->failure, API_SUPERVISORS, name);
    if (!api_query_flag(&call->query, "acceptTwoCopies"))
        return api_failure_set(&call->failure, 400,
                               "acceptTwoCopies: must be true: while the members of before are "
                               "cut off, two copies of a child may run");
    api_call_success(call, 200, NULL);
    call->answered = true;
    call->submit.kind = REQUEST_FORCE_ELECTORATE;
    TEXT_SET(call->submit.name, name);
    return API_SUBMIT;
}

int api_action(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    if (api_resources[route->resource].base == API_CHILDREN)
        return action_delete_child(call, context);
    if (route->subresource == API_QUORUM)
        return action_wait_quorum(call, context);
    if (route->subresource == API_FORCE_ELECTORATE)
        return action_force_electorate(call, context);
    struct api_item item;
    if (!api_item_get(&item, context->node, API_MEMBERS, "", route->name))
        return api_failure_not_found(&call->failure, API_MEMBERS, route->name);
    if (route->verb == API_PATCH)
        return action_patch_member(call, context, &item);
    return action_member(call, context);
}
