/* GET children/NAME/log: what its container has printed, as it is, in pieces.
 *
 *   ?follow=true  ?tailLines=N  ?timestamps=true  ?sinceSeconds=N  ?sinceTime=T  ?container=NAME
 *
 * as Kubernetes' pods/NAME/log, which is the same here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_core.h"
#include "agent/codec/timestamp.h"

enum { LOG_NUMBER_MAX = 1000000000 };

/* *ret_number stays as it is if there is no such parameter. */
static int log_number(struct api_call *call, const char *name, uint32_t least, uint32_t *ret_number)
{
    const char *text = api_query_get(&call->query, name);
    if (!text)
        return 0;
    size_t digits = strspn(text, "0123456789");
    unsigned long value =
        digits > 0 && digits < 11 && !text[digits] ? strtoul(text, NULL, 10) : LOG_NUMBER_MAX + 1ul;
    if (value < least || value > LOG_NUMBER_MAX)
        return api_failure_set(&call->failure, 400,
                               "%s: \"%.40s\" is no number of %" PRIu32 " to %d", name, text, least,
                               LOG_NUMBER_MAX);
    *ret_number = (uint32_t)value;
    return 0;
}

/* A time of the client's clock; in the future it is as now. */
static int log_since_time(struct api_call *call, const struct api_context *context,
                          uint32_t *ret_seconds)
{
    const char *text = api_query_get(&call->query, "sinceTime");
    uint64_t then_ms;
    if (!text || !*text)
        return 0;
    if (!timestamp_parse(&then_ms, text))
        return api_failure_set(&call->failure, 400, "sinceTime: \"%.40s\" is no RFC 3339 time",
                               text);
    uint64_t past_ms = context->wall_ms > then_ms ? context->wall_ms - then_ms : 0;
    uint64_t seconds = (past_ms + 999) / 1000;
    *ret_seconds = seconds == 0 ? 1 : seconds > LOG_NUMBER_MAX ? LOG_NUMBER_MAX : (uint32_t)seconds;
    return 0;
}

/* What Kubernetes has and there is nothing for here is refused, not passed over. */
static int log_check(struct api_call *call, const struct api_item *item)
{
    const char *wanted = api_query_get(&call->query, "container");
    char name[NAME_BYTES_MAX + 1];
    api_pod_container_name(item, name);
    if (wanted && *wanted && strcmp(wanted, name) != 0)
        return api_failure_set(&call->failure, 400, "container %.63s is not valid for pod %s",
                               wanted, item->name);
    if (api_query_flag(&call->query, "previous"))
        return api_failure_set(&call->failure, 400,
                               "previous: the output of a container that was replaced is not kept");
    if (api_query_get(&call->query, "limitBytes"))
        return api_failure_set(&call->failure, 400, "limitBytes: not supported in this release");
    return 0;
}

int api_log(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct output_wish *wish = &call->submit.output;
    struct api_item item;
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    wish->tail = OUTPUT_TAIL_ALL;
    if (log_number(call, "tailLines", 0, &wish->tail) < 0 ||
        log_number(call, "sinceSeconds", 1, &wish->since_seconds) < 0 ||
        log_since_time(call, context, &wish->since_seconds) < 0 || log_check(call, &item) < 0)
        return -1;
    wish->follow = api_query_flag(&call->query, "follow");
    wish->timestamps = api_query_flag(&call->query, "timestamps");
    call->submit.kind = REQUEST_OUTPUT;
    call->submit.child = item.child.id;
    call->answered = true;
    call->response.content_type = API_TEXT;
    return API_SUBMIT;
}
