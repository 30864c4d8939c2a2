/* get and list (see api_call.h). A list is written as it is walked; what does not fit into `limit`
 * is counted, so that remainingItemCount is true at this moment. With ?count nothing is written and
 * all that is selected is counted. O(items of the resource in the
 * namespace). */
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_hub.h"
#include "agent/codec/api_selection.h"

static int read_get(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_item item;
    if (!api_item_get(&item, context->node, route->resource, route->ns, route->name))
        return api_failure_not_found(&call->failure, route->resource, route->name);
    struct api_writer writer = api_call_answer(call, 200);
    api_shape_write(call->shape, &item, context, &writer);
    return API_DONE;
}

struct listing {
    struct api_selection selection;
    uint64_t limit; /* 0: none */
    bool count;     /* only how many there are */
    struct api_key from;
    struct api_known known; /* what was named, if whoever watches from here needs it */
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
    if (api_selection_parse(&listing->selection, call) < 0)
        return -1;
    if (token && *token &&
        api_continue_parse(&listing->from, route->resource, route->ns, token, &err) < 0)
        return api_failure_error(&call->failure, route->resource, NULL, &err);
    return 0;
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
        if (!listing->selection.labels &&
            !listing->selection.fields) /* as Kubernetes: else it is unknown */
            api_writer_unsigned(writer, "remainingItemCount", remaining);
    }
    api_writer_close(writer, '}');
}

static void listing_begin(const struct api_call *call, struct api_writer *writer)
{
    enum api_resource resource = call->route.resource;
    if (call->shape.table) {
        api_table_begin(writer, resource);
        return;
    }
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "apiVersion", api_group_version(resource));
    api_writer_text(writer, "kind", api_resources[resource].list_kind);
    api_writer_open(writer, "items", '[');
}

static void listing_write(struct listing *listing, struct api_call *call,
                          const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_writer writer = api_call_answer(call, 200);
    struct api_item item = {.key = listing->from};
    struct api_key last = listing->from;
    uint64_t count = 0, remaining = 0;
    bool selective = listing->selection.labels || listing->selection.fields;
    bool kept = context->hub && listing->selection.changes && !listing->limit && !listing->count;
    listing_begin(call, &writer);
    while (api_item_next(&item, context->node, route->resource, route->ns, &item.key)) {
        if (!api_selection_wants(&listing->selection, &item))
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
        if (call->shape.table)
            api_table_row(&item, context, call->shape.include, &writer);
        else
            api_item_write(&item, context, &writer, NULL);
        if (kept)
            api_known_add(&listing->known, api_known_hash(&item.key));
        last = item.key;
        count++;
    }
    if (kept)
        api_hub_keep(context->hub, listing->selection.hash, query_position(context->node),
                     &listing->known);
    api_writer_close(&writer, ']');
    listing_write_metadata(listing, call, context, &last, remaining, &writer);
    api_writer_close(&writer, '}');
}

int api_read(struct api_call *call, const struct api_context *context)
{
    if (call->route.verb == API_GET)
        return read_get(call, context);
    struct listing listing = {0};
    int result = listing_parse(&listing, call);
    if (result == 0)
        listing_write(&listing, call, context);
    api_selection_release(&listing.selection);
    api_known_release(&listing.known);
    return result < 0 ? -1 : API_DONE;
}
