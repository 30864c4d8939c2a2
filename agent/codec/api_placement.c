/* Where children belong (see api_call.h):
 *
 *   GET    children/NAME/ring          who would run it, in order, and who may not and why
 *   GET    supervisors/NAME/rebalance  what would move, what moves, and whether that was asked for
 *   POST   supervisors/NAME/rebalance  ask for it; with ?dryRun=All the same as GET
 *   DELETE supervisors/NAME/rebalance  call it off */
#include <string.h>

#include "agent/codec/api_call_private.h"

static struct api_writer placement_begin(struct api_call *call, const char *kind)
{
    struct api_writer writer = api_call_answer(call, 200);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "apiVersion", API_GROUP_VERSION);
    api_writer_text(&writer, "kind", kind);
    api_writer_open(&writer, "metadata", '{');
    api_writer_text(&writer, "name", call->route.name);
    api_writer_text_unless_empty(&writer, "namespace", call->route.ns);
    api_writer_close(&writer, '}');
    api_writer_open(&writer, "status", '{');
    return writer;
}

static int placement_end(struct api_writer *writer)
{
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
    return API_DONE;
}

/* --- Ring ------------------------------------------------------------------------------------- */

static void write_candidates(struct api_writer *writer, const struct ring_view *view)
{
    api_writer_open(writer, "candidates", '[');
    for (size_t i = 0; i < view->count && view->entries[i].candidate; i++) {
        api_writer_open(writer, NULL, '{');
        api_writer_unsigned(writer, "rank", i);
        api_writer_text(writer, "node", view->entries[i].node);
        api_writer_bool(writer, "holder", view->entries[i].holder);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

static void write_excluded(struct api_writer *writer, const struct ring_view *view)
{
    api_writer_open(writer, "excluded", '[');
    for (size_t i = 0; i < view->count; i++) {
        const struct ring_entry *entry = &view->entries[i];
        if (entry->candidate)
            continue;
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "node", entry->node);
        api_writer_bool(writer, "holder", entry->holder);
        api_writer_text(writer, "reason", entry->reason);
        api_writer_text_unless_empty(writer, "message", entry->message);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

static int placement_ring(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct child_id id;
    struct ring_view view;
    if (!api_child_name_parse(&id, route->ns, route->name) ||
        !query_ring(context->node, &id, &view))
        return api_failure_not_found(&call->failure, API_CHILDREN, route->name);
    struct api_writer writer = placement_begin(call, "Ring");
    api_writer_text(&writer, "supervisor", view.supervisor);
    api_writer_text_unless_empty(&writer, "strategy", view.strategy);
    api_writer_text_unless_empty(&writer, "holder", view.holder);
    api_writer_text_unless_empty(&writer, "claim", view.state);
    api_writer_unsigned(&writer, "epoch", view.epoch);
    api_writer_text_unless_empty(&writer, "offeredTo", view.offered_to);
    api_writer_text_unless_empty(&writer, "reason", view.reason);
    api_writer_text_unless_empty(&writer, "message", view.message);
    write_candidates(&writer, &view);
    write_excluded(&writer, &view);
    ring_view_release(&view);
    return placement_end(&writer);
}

/* --- Rebalance -------------------------------------------------------------------------------- */

static void write_move(struct api_writer *writer, const struct move_view *view)
{
    char name[API_OBJECT_NAME_BYTES_MAX + 1];
    api_child_name_print(&view->id, name, sizeof name);
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "namespace", view->id.ns);
    api_writer_text(writer, "child", name);
    api_writer_text(writer, "from", view->from);
    api_writer_text(writer, "to", view->to);
    api_writer_text(writer, "state", view->under_way ? "UnderWay" : "Wanted");
    api_writer_text_unless_empty(writer, "reason", view->reason);
    api_writer_close(writer, '}');
}

static int placement_show(struct api_call *call, const struct api_context *context)
{
    const char *name = call->route.name;
    struct rebalance_view view;
    struct move_view move;
    query_rebalance(context->node, name, &view);
    struct api_writer writer = placement_begin(call, "Rebalance");
    api_writer_bool(&writer, "active", view.active);
    api_writer_bool(&writer, "asked", view.asked);
    if (view.asked) {
        api_writer_text(&writer, "askedAt", view.node);
        api_writer_time(&writer, "askedTime", view.asked_ms);
    }
    api_writer_open(&writer, "moves", '[');
    for (bool more = query_move_next(context->node, name, NULL, &move); more;) {
        struct child_id after = move.id;
        write_move(&writer, &move);
        more = query_move_next(context->node, name, &after, &move);
    }
    api_writer_close(&writer, ']');
    return placement_end(&writer);
}

static int placement_rebalance(struct api_call *call, const struct api_context *context)
{
    const struct api_route *route = &call->route;
    struct rebalance_view view;
    bool dry_run = false;
    if (!query_rebalance(context->node, route->name, &view))
        return api_failure_not_found(&call->failure, API_SUPERVISORS, route->name);
    if (api_call_dry_run(call, &dry_run) < 0)
        return -1;
    if (route->verb == API_GET || (dry_run && route->verb == API_CREATE))
        return placement_show(call, context);
    api_call_success(call, 200, NULL);
    call->answered = true;
    call->submit.kind = REQUEST_REBALANCE;
    call->submit.flag = route->verb == API_CREATE;
    TEXT_SET(call->submit.name, route->name);
    return dry_run ? API_DONE : API_SUBMIT;
}

int api_placement(struct api_call *call, const struct api_context *context)
{
    return call->route.subresource == API_RING ? placement_ring(call, context)
                                               : placement_rebalance(call, context);
}
