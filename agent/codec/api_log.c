/* GET children/NAME/log: what its container has printed, as it is, in pieces.
 *
 *   ?follow=true  ?tailLines=N  ?timestamps=true  ?sinceSeconds=N      as Kubernetes' pods/NAME/log
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"

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

int api_log(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct output_wish *wish = &call->submit.output;
    struct api_item item;
    if (!api_item_get(&item, context->node, API_CHILDREN, route->ns, route->name))
        return api_failure_not_found(&call->failure, API_CHILDREN, route->name);
    wish->tail = OUTPUT_TAIL_ALL;
    if (log_number(call, "tailLines", 0, &wish->tail) < 0 ||
        log_number(call, "sinceSeconds", 1, &wish->since_seconds) < 0)
        return -1;
    wish->follow = api_query_flag(&call->query, "follow");
    wish->timestamps = api_query_flag(&call->query, "timestamps");
    call->submit.kind = REQUEST_OUTPUT;
    call->submit.child = item.child.id;
    call->answered = true;
    call->response.content_type = API_TEXT;
    return API_SUBMIT;
}
