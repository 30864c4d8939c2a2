/* See api_watch.h. A watch is a position in the feed and, where that does not say it, the set of
 * what the client knows: while it is told in pieces (feed.h), and always if objects can leave its
 * selection. Nothing else is kept of what was told: objects are written as they are now. */
#include "agent/codec/api_watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_hub.h"
#include "agent/codec/api_selection.h"

enum { ITEMS_AT_ONCE = 256, HIDDEN_LOOK_MS = 100 };

_Static_assert((int)API_WORKLOADS == (int)FEED_WORKLOADS && (int)API_MEMBERS == (int)FEED_MEMBERS &&
                   (int)API_NAMES == (int)FEED_NAMES &&
                   (int)API_RESOURCE_COUNT == (int)FEED_RESOURCE_COUNT,
               "a resource has the same number in both");

struct api_watch {
    struct api_selection selection;
    struct api_known known;
    uint64_t position;    /* of the last item looked at */
    uint64_t complete;    /* nothing was left to tell then */
    uint64_t told;        /* the last resourceVersion that the client has read */
    bool bookmarks;       /* it wants them */
    bool ends_initial;    /* it wants to be told when it has what was there */
    struct api_hub *hub;  /* for the end; NULL: none */
    uint64_t bookmark_ms; /* the next one */
    uint64_t end_ms;
};

/* --- Events ----------------------------------------------------------------------------------- */

static void event_begin(struct buffer *body, const char *type)
{
    static const char before[] = "{\"type\":\"", between[] = "\",\"object\":";
    buffer_append(body, before, sizeof before - 1);
    buffer_append(body, type, strlen(type));
    buffer_append(body, between, sizeof between - 1);
}

static void event_end(struct buffer *body)
{
    buffer_append(body, "}\n", 2);
}

static void event_write_item(struct api_call *call, const struct api_context *context,
                             const char *type, const struct api_item *item)
{
    struct buffer *body = &call->response.body;
    struct api_hub *hub = context->hub;
    event_begin(body, type);
    unsigned form = api_shape_form(call->shape, item->shown);
    struct span known = hub ? api_hub_rendering(hub, item->version, form) : (struct span){0};
    if (known.bytes > 0) {
        buffer_append(body, known.data, known.bytes);
    } else {
        size_t begin = body->bytes;
        struct api_writer writer = api_writer_of(body);
        api_shape_write(call->shape, item, context, &writer);
        if (hub)
            api_hub_put_rendering(hub, item->version, form,
                                  span_of(body->data + begin, body->bytes - begin));
    }
    event_end(body);
}

/* Events have a feed of their own: the journal of this agent. */
static bool is_events(const struct api_call *call)
{
    return call->route.endpoint == API_ENDPOINT_EVENTS;
}

static uint64_t feed_position(const struct api_call *call, const struct api_context *context)
{
    return is_events(call) ? api_events_position(context) : query_position(context->node);
}

static enum feed_resource feed_of(const struct api_call *call)
{
    return (enum feed_resource)api_resources[call->route.resource].base;
}

static uint64_t feed_compacted(const struct api_call *call, const struct api_context *context)
{
    return is_events(call) ? api_events_dropped(context)
                           : query_compacted(context->node, feed_of(call));
}

/* An object of which there is only metadata, up to the inside of that; name: NULL for a bookmark.
 */
static struct api_writer head_write(struct api_call *call, const char *type, const char *name)
{
    struct api_writer writer = api_writer_of(&call->response.body);
    enum api_resource resource = call->route.resource;
    event_begin(&call->response.body, type);
    if (call->shape.table) {
        unsigned columns = is_events(call) ? API_SHOWN_COUNT : (unsigned)resource;
        api_table_begin(&writer, columns);
        api_table_row_begin_gone(&writer, columns, name ? name : "");
    } else {
        api_writer_open(&writer, NULL, '{');
        api_writer_text(&writer, "apiVersion",
                        is_events(call) ? "v1" : api_group_version(resource));
        api_writer_text(&writer, "kind", is_events(call) ? "Event" : api_resources[resource].kind);
        api_writer_open(&writer, "metadata", '{');
    }
    api_writer_text_unless_empty(&writer, "name", name);
    return writer;
}

static void head_end(struct api_call *call, struct api_writer *writer)
{
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
    if (call->shape.table) {
        api_writer_close(writer, '}');
        api_table_end_rows(writer);
        api_writer_close(writer, '}');
    }
    event_end(&call->response.body);
}

static void event_write_gone(struct api_call *call, const struct api_context *context,
                             const struct feed_item *item, const struct api_item *object)
{
    char version[API_RESOURCE_VERSION_BYTES], uid[UID_BYTES + 1] = "";
    api_uid_print(call->route.resource, &object->key, item->gone->uid, item->gone->number, uid);
    api_resource_version_print(item->version, context->run_tag, version);
    struct api_writer writer = head_write(call, "DELETED", object->name);
    api_writer_text_unless_empty(&writer, "namespace", object->key.ns);
    api_writer_text_unless_empty(&writer, "uid", uid);
    api_writer_text(&writer, "resourceVersion", version);
    head_end(call, &writer);
}

static void event_write_bookmark(struct api_call *call, const struct api_context *context,
                                 bool ends_initial)
{
    struct api_watch *watch = call->watch;
    char version[API_RESOURCE_VERSION_BYTES];
    api_resource_version_print(watch->complete, context->run_tag, version);
    struct api_writer writer = head_write(call, "BOOKMARK", NULL);
    api_writer_text(&writer, "resourceVersion", version);
    if (ends_initial) {
        api_writer_open(&writer, "annotations", '{');
        api_writer_text(&writer, "k8s.io/initial-events-end", "true");
        api_writer_close(&writer, '}');
    }
    head_end(call, &writer);
    watch->told = watch->complete;
}

static int expired(struct api_failure *failure)
{
    return api_failure_set(failure, 410,
                           "the resourceVersion is of another agent or run, of the future or too "
                           "old: list again and watch from there");
}

static void event_write_expired(struct api_call *call)
{
    struct api_failure failure = {0};
    expired(&failure);
    event_begin(&call->response.body, "ERROR");
    api_failure_write(&failure, &call->response.body);
    event_end(&call->response.body);
}

/* --- Items ------------------------------------------------------------------------------------ */

/* Of what is gone only name and key. */
static bool watch_find(const struct api_call *call, const struct api_context *context,
                       const struct feed_item *item, struct api_item *ret_object)
{
    struct api_key key = {.ordinal = item->ordinal};
    TEXT_SET(key.ns, item->ns);
    TEXT_SET(key.name, feed_name(item));
    if (!item->gone)
        return api_item_find(ret_object, context->node, call->route.resource, &key);
    struct child_id child = {.ordinal = item->ordinal};
    enum api_resource base = api_resources[call->route.resource].base;
    *ret_object = (struct api_item){.resource = base, .shown = call->route.resource, .key = key};
    TEXT_SET(child.workload, feed_name(item));
    if (base == API_CHILDREN)
        api_child_name_print(&child, ret_object->name, sizeof ret_object->name);
    else
        TEXT_SET(ret_object->name, feed_name(item));
    return true;
}

static void watch_write(struct api_call *call, const struct api_context *context,
                        const struct feed_item *item, const struct api_item *object)
{
    struct api_watch *watch = call->watch;
    uint64_t hash = api_known_hash(&object->key);
    bool was = api_known_has(&watch->known, hash) ||
               (!watch->selection.changes && item->since <= watch->complete);
    bool is = !item->gone && api_selection_wants(&watch->selection, object);
    if (is && !was)
        api_known_add(&watch->known, hash);
    else if (!is && was)
        api_known_remove(&watch->known, hash);
    if (is)
        event_write_item(call, context, was ? "MODIFIED" : "ADDED", object);
    else if (was && !item->gone)
        event_write_item(call, context, "DELETED", object);
    else if (was)
        event_write_gone(call, context, item, object);
    if (is || was)
        watch->told = item->version;
}

/* False: not now. */
static bool watch_tell(struct api_call *call, const struct api_context *context,
                       const struct feed_item *item)
{
    const struct api_route *route = &call->route;
    struct api_item object;
    if (route->ns[0] && strcmp(route->ns, item->ns) != 0)
        return true;
    if (!watch_find(call, context, item, &object))
        return false;
    bool named = !route->name[0] || strcmp(route->name, object.name) == 0;
    if (named && (call->watch->selection.changes ||
                  api_selection_wants_name(&call->watch->selection, item->ns, object.name)))
        watch_write(call, context, item, &object);
    return true;
}

/* True: nothing is left to tell. */
static bool watch_tell_events(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    while (call->response.body.bytes < API_PIECE_BYTES)
        if (!api_events_tell(call, context, watch->complete, &watch->position)) {
            watch->position = watch->complete = api_events_position(context);
            return true;
        } else {
            watch->told = watch->position;
        }
    return false;
}

/* True: nothing is left to tell. */
static bool watch_tell_changes(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    const struct feed_item *items[ITEMS_AT_ONCE];
    enum feed_resource resource = feed_of(call);
    size_t count;
    while ((count = query_changes(context->node, resource, watch->position, items, ITEMS_AT_ONCE)) >
           0)
        for (size_t i = 0; i < count; i++) {
            if (call->response.body.bytes >= API_PIECE_BYTES)
                return false;
            if (!watch_tell(call, context, items[i])) {
                call->wake_ms = context->mono_ms + HIDDEN_LOOK_MS;
                return false;
            }
            watch->position = items[i]->version;
        }
    watch->position = watch->complete = query_position(context->node);
    if (!watch->selection.changes && watch->known.count > 0)
        api_known_release(&watch->known);
    return true;
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void watch_bookmark(struct api_call *call, const struct api_context *context, bool ends)
{
    struct api_watch *watch = call->watch;
    bool due = ends || context->mono_ms >= watch->bookmark_ms;
    if (watch->ends_initial) {
        watch->ends_initial = false;
        event_write_bookmark(call, context, true);
    } else if (watch->bookmarks && due && watch->told < watch->complete) {
        event_write_bookmark(call, context, false);
    }
    if (due)
        watch->bookmark_ms = context->mono_ms + API_BOOKMARK_MS;
}

int api_watch_poll(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    bool ends = context->mono_ms >= watch->end_ms;
    call->wake_ms = UINT64_MAX;
    if (feed_compacted(call, context) > watch->complete && watch->complete > 0) {
        event_write_expired(call);
        return API_DONE;
    }
    if (is_events(call) ? watch_tell_events(call, context) : watch_tell_changes(call, context))
        watch_bookmark(call, context, ends);
    if (ends)
        return API_DONE;
    uint64_t next_ms =
        watch->bookmarks && watch->bookmark_ms < watch->end_ms ? watch->bookmark_ms : watch->end_ms;
    call->wake_ms = next_ms < call->wake_ms ? next_ms : call->wake_ms;
    return API_STREAM;
}

/* --- Beginning -------------------------------------------------------------------------------- */

static int watch_set_end(struct api_call *call, const struct api_context *context)
{
    const char *text = api_query_get(&call->query, "timeoutSeconds");
    uint64_t seconds = API_WATCH_SECONDS_MAX;
    if (text && *text) {
        size_t digits = strspn(text, "0123456789");
        if (text[digits] || digits > 9)
            return api_failure_set(&call->failure, 400,
                                   "timeoutSeconds: expected a number, not \"%.40s\"", text);
        uint64_t wanted = strtoull(text, NULL, 10);
        seconds = wanted > 0 && wanted < seconds ? wanted : seconds;
    }
    call->watch->end_ms = context->mono_ms + seconds * 1000;
    return 0;
}

/* What the client knows at `complete`, if nothing of the resource has changed since: what it is
 * like now. */
static void watch_know_present(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    const struct api_route *route = &call->route;
    struct api_item item = {.resource = route->resource};
    while (api_item_next(&item, context->node, route->resource, route->ns, &item.key))
        if (api_selection_wants(&watch->selection, &item))
            api_known_add(&watch->known, api_known_hash(&item.key));
}

static int watch_set_known(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    const struct feed_item *item;
    const struct api_known *kept =
        context->hub ? api_hub_find(context->hub, watch->selection.hash, watch->complete) : NULL;
    enum feed_resource resource = feed_of(call);
    if (kept)
        api_known_copy(&watch->known, kept);
    else if (query_changes(context->node, resource, watch->complete, &item, 1) == 0)
        watch_know_present(call, context);
    else
        return expired(&call->failure);
    return 0;
}

/* From where: *ret_initial: what is there comes first. */
static int watch_set_position(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch;
    const char *version = api_query_get(&call->query, "resourceVersion");
    const char *initial = api_query_get(&call->query, "sendInitialEvents");
    bool from_now = !version || !*version || strcmp(version, "0") == 0;
    uint64_t now = feed_position(call, context), position = now;
    if (!from_now &&
        (!api_resource_version_parse(&position, context->run_tag, version) || position > now))
        return expired(&call->failure);
    watch->ends_initial = initial && api_query_flag(&call->query, "sendInitialEvents");
    if (watch->ends_initial || (from_now && !(initial && *initial)))
        return 0; /* from the beginning: all that is there comes after it */
    if (position < feed_compacted(call, context))
        return expired(&call->failure);
    watch->position = watch->complete = watch->told = position;
    return watch->selection.changes ? watch_set_known(call, context) : 0;
}

int api_watch_begin(struct api_call *call, const struct api_context *context)
{
    struct api_watch *watch = call->watch = xcalloc(1, sizeof *watch);
    watch->hub = context->hub;
    watch->bookmarks = api_query_flag(&call->query, "allowWatchBookmarks");
    watch->bookmark_ms = context->mono_ms + API_BOOKMARK_MS;
    if ((!is_events(call) && api_selection_parse(&watch->selection, call) < 0) ||
        watch_set_end(call, context) < 0 || watch_set_position(call, context) < 0)
        return -1;
    api_call_answer(call, 200);
    int progress = api_watch_poll(call, context);
    assert(progress == API_STREAM);
    return progress;
}

/* Whoever goes on from the last version that was told knows what was known here. */
void api_watch_free(struct api_watch *watch)
{
    if (!watch)
        return;
    if (watch->hub && watch->selection.changes && watch->position == watch->complete &&
        watch->complete > 0)
        api_hub_keep(watch->hub, watch->selection.hash, watch->told, &watch->known);
    api_selection_release(&watch->selection);
    api_known_release(&watch->known);
    free(watch);
}
