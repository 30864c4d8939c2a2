/* get and list (see api_call.h). A list is written as it is walked; what does not fit into `limit`
 * is counted, so that remainingItemCount is true at this moment. With ?count nothing is written and
 * all that is selected is counted. O(items of the resource in the
 * namespace). */
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"

static int read_get(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    struct api_writer writer = api_call_answer(call, 200);
    api_item_write(&item, context, &writer, NULL);
    return API_DONE;
}

struct listing {
    struct api_label_selector labels;
    struct api_field_selector fields;
    uint64_t limit; /* 0: none */
    bool count;     /* only how many there are */
    struct api_key from;
};

static int listing_set_limit(struct api_call *call, uint64_t *ret_limit)
{
    const char *text = api_query_get(&call->query, "limit");
    *ret_limit = 0;
    if (!text || !*text)
        return 0;
    size_t digits = strspn(text, "0123456789");
    if (text[digits] || digits > 18)
        return api_failure_set(&call->failure, 400, "limit: expected a number, not \"%.40s\"",
                               text);
    *ret_limit = strtoull(text, NULL, 10);
    return 0;
}

static int listing_parse(struct listing *listing, struct api_call *call)
{
    const struct api_route *route = &call->route;
    const char *token = api_query_get(&call->query, "continue");
    struct error err = {0};
    if (listing_set_limit(call, &listing->limit) < 0)
        return -1;
    listing->count = api_query_flag(&call->query, "count");
    if (api_label_selector_parse(&listing->labels, api_query_get(&call->query, "labelSelector"),
                                 &err) < 0 ||
        api_field_selector_parse(&listing->fields, route->resource,
                                 api_query_get(&call->query, "fieldSelector"), &err) < 0 ||
        (token && *token &&
         api_continue_parse(&listing->from, route->resource, route->ns, token, &err) < 0))
        return api_failure_error(&call->failure, route->resource, NULL, &err);
    return 0;
}

static bool listing_wants(const struct listing *listing, const struct api_item *item)
{
    if (listing->fields.count > 0) {
        struct api_fields fields;
        api_item_fields(item, &fields);
        if (!api_field_selector_matches(&listing->fields, &fields))
            return false;
    }
    if (listing->labels.count > 0) {
        struct api_labels labels;
        api_item_labels(item, &labels);
        return api_label_selector_matches(&listing->labels, &labels);
    }
    return true;
}

static void listing_write_metadata(const struct listing *listing, const struct api_call *call,
                                   const struct api_context *context, const struct api_key *last,
                                   uint64_t remaining, struct api_writer *writer)
{
    char version[API_RESOURCE_VERSION_BYTES];
    char token[API_CONTINUE_BYTES];
    api_resource_version_print(query_position(context->node), context->run_tag, version);
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "resourceVersion", version);
    if (listing->count)
        api_writer_unsigned(writer, "remainingItemCount", remaining);
    else if (remaining > 0) {
        api_continue_print(call->route.resource, call->route.ns, last, token);
        api_writer_text(writer, "continue", token);
        if (listing->labels.count == 0 &&
            listing->fields.count == 0) /* as Kubernetes: else it is unknown */
            api_writer_unsigned(writer, "remainingItemCount", remaining);
    }
    api_writer_close(writer, '}');
}

static void listing_write(struct listing *listing, struct api_call *call,
                          const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_writer writer = api_call_answer(call, 200);
    struct api_item item = {.key = listing->from};
    struct api_key last = listing->from;
    uint64_t count = 0, remaining = 0;
    bool selective = listing->labels.count + listing->fields.count > 0;
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "apiVersion", API_GROUP_VERSION);
    api_writer_text(&writer, "kind", api_resources[route->resource].list_kind);
    api_writer_open(&writer, "items", '[');
    while (api_item_next(&item, context->node, route->resource, route->ns, &item.key)) {
        if (!listing_wants(listing, &item))
            continue;
        if (listing->count) {
            remaining++;
            continue;
        }
        if (listing->limit > 0 && count == listing->limit) {
            remaining++;
            if (selective) /* one more is all that `continue` needs to know */
                break;
            continue;
        }
        api_item_write(&item, context, &writer, NULL);
        last = item.key;
        count++;
    }
    api_writer_close(&writer, ']');
    listing_write_metadata(listing, call, context, &last, remaining, &writer);
    api_writer_close(&writer, '}');
}

int api_read(struct api_call *call, const struct api_context *context)
{
    if (call->route.verb == API_GET)
        return read_get(call, context);
    struct listing listing = {0};
    if (listing_parse(&listing, call) < 0)
        return -1;
    listing_write(&listing, call, context);
    return API_DONE;
}
