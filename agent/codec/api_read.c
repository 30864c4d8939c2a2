/* get and list (see api_call.h). A list is written as it is walked; what does not fit into `limit`
 * is written to the side, for the pages that follow (api_pages.h), and counted. With ?count nothing
 * is written and all that is selected is counted. O(items of the resource in the namespace); a page
 * that is kept costs its text. */
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
    struct api_pin pin;     /* where the rest of the list is, if it was begun before */
    struct api_known known; /* what was named, if whoever watches from here needs it */
    struct api_rest rest;   /* what does not fit */
    uint64_t remaining;
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
        api_continue_parse(&listing->from, &listing->pin, route->resource, route->ns, token, &err) <
            0)
        return api_failure_error(&call->failure, route->resource, NULL, &err);
    return 0;
}

/* last: of the items on this page. */
static void listing_write_metadata(const struct listing *listing, const struct api_call *call,
                                   const struct api_context *context, uint64_t position,
                                   const struct api_key *last, struct api_writer *writer)
{
    char version[API_RESOURCE_VERSION_BYTES];
    char token[API_CONTINUE_BYTES];
    api_resource_version_print(position, context->run_tag, version);
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "resourceVersion", version);
    if (listing->count)
        api_writer_unsigned(writer, "remainingItemCount", listing->remaining);
    else if (listing->remaining > 0) {
        api_continue_print(call->route.resource, call->route.ns, last, &listing->pin, token);
        api_writer_text(writer, "continue", token);
        if (!listing->selection.labels &&
            !listing->selection.fields) /* as Kubernetes: else it is unknown */
            api_writer_unsigned(writer, "remainingItemCount", listing->remaining);
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

static void listing_write_item(const struct api_call *call, const struct api_context *context,
                               const struct api_item *item, struct api_writer *writer)
{
    if (call->shape.table)
        api_table_row(item, context, call->shape.include, writer);
    else
        api_item_write(item, context, writer, NULL);
}

/* What comes after the limit is kept, if there is somebody to keep it. */
static void listing_put_aside(struct listing *listing, const struct api_call *call,
                              const struct api_context *context, const struct api_item *item)
{
    listing->remaining++;
    if (listing->count || !context->hub || listing->rest.too_large)
        return;
    struct api_writer writer = api_writer_of(&listing->rest.texts);
    listing_write_item(call, context, item, &writer);
    api_rest_add(&listing->rest, &item->key);
}

static void listing_keep(struct listing *listing, const struct api_call *call,
                         const struct api_context *context)
{
    uint64_t position = query_position(context->node);
    bool all = listing->from.name[0] == '\0' && !listing->count;
    if (context->hub && listing->selection.changes && all)
        api_hub_keep(context->hub, listing->selection.hash, position, &listing->known);
    listing->pin = (struct api_pin){.run_tag = context->run_tag};
    if (listing->rest.count == 0)
        return;
    listing->rest.selection = listing->selection.hash;
    listing->rest.form = api_shape_form(call->shape, call->route.resource);
    listing->rest.position = position;
    listing->pin.list =
        api_pages_keep(api_hub_pages(context->hub), &listing->rest, context->mono_ms);
}

static void listing_write(struct listing *listing, struct api_call *call,
                          const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct api_writer writer = api_call_answer(call, 200);
    struct api_item item = {.key = listing->from};
    struct api_key last = listing->from;
    uint64_t count = 0;
    /* Its first page has found that this list is too large to be kept: not each page tries again.
     */
    listing->rest.too_large = last.name[0] && listing->pin.run_tag == context->run_tag;
    listing_begin(call, &writer);
    while (api_item_next(&item, context->node, route->resource, route->ns, &item.key)) {
        if (!api_selection_wants(&listing->selection, &item))
            continue;
        if (listing->selection.changes && context->hub)
            api_known_add(&listing->known, api_known_hash(&item.key));
        if (listing->count || (listing->limit > 0 && count == listing->limit)) {
            listing_put_aside(listing, call, context, &item);
            continue;
        }
        listing_write_item(call, context, &item, &writer);
        last = item.key;
        count++;
    }
    listing_keep(listing, call, context);
    api_writer_close(&writer, ']');
    listing_write_metadata(listing, call, context, query_position(context->node), &last, &writer);
    api_writer_close(&writer, '}');
}

/* --- Pages that follow ------------------------------------------------------------------------ */

static int listing_expired(const struct listing *listing, struct api_call *call)
{
    api_failure_set(&call->failure, 410,
                    "the rest of this list is not kept any more: list again, or go on with the "
                    "continue token of this answer, which leads to what is there now");
    api_continue_print(call->route.resource, call->route.ns, &listing->from, &(struct api_pin){0},
                       call->failure.continue_token);
    return -1;
}

static int listing_write_kept(struct listing *listing, struct api_call *call,
                              const struct api_context *context)
{
    bool ours = context->hub && listing->pin.run_tag == context->run_tag;
    struct api_rest *rest =
        ours ? api_pages_find(api_hub_pages(context->hub), listing->pin.list,
                              listing->selection.hash,
                              api_shape_form(call->shape, call->route.resource), context->mono_ms)
             : NULL;
    uint64_t at = listing->pin.index;
    if (!rest || at >= rest->count)
        return listing_expired(listing, call);
    struct api_writer writer = api_call_answer(call, 200);
    struct api_key last;
    uint64_t left = rest->count - at;
    uint64_t end = at + (listing->limit > 0 && listing->limit < left ? listing->limit : left);
    listing_begin(call, &writer);
    for (; at < end; at++)
        api_writer_raw(&writer, NULL, api_rest_text(rest, at));
    api_writer_close(&writer, ']');
    api_rest_key(rest, end - 1, &last);
    listing->pin.index = end;
    listing->remaining = rest->count - end;
    if (listing->remaining == 0)
        api_pages_read(rest, context->mono_ms);
    listing_write_metadata(listing, call, context, rest->position, &last, &writer);
    api_writer_close(&writer, '}');
    return 0;
}

int api_read(struct api_call *call, const struct api_context *context)
{
    if (call->route.verb == API_GET)
        return read_get(call, context);
    struct listing listing = {0};
    int result = listing_parse(&listing, call);
    if (result == 0 && listing.pin.list > 0 && !listing.count)
        result = listing_write_kept(&listing, call, context);
    else if (result == 0)
        listing_write(&listing, call, context);
    api_selection_release(&listing.selection);
    api_known_release(&listing.known);
    api_rest_release(&listing.rest);
    return result < 0 ? -1 : API_DONE;
}
