/* Kubernetes' Events: what all members have noted of late (see agent/core/journal.h).
 *
 *   GET /api/v1/events, /api/v1/namespaces/NS/events      ?fieldSelector=involvedObject.name=...
 *
 * A list asks all members, and has the oldest first. A watch tells what this agent has noted, and
 * goes on from where the list was in its journal: what others note is not told. Events are no
 * objects of the map: nothing to get by name, and their end is not told. Events of members are in
 * the namespace `default`, as Kubernetes has them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_call_private.h"
#include "agent/codec/api_event_write.h"
#include "agent/core/journal.h"

struct found_events {
    struct found_event *items;
    size_t count, capacity;
};

/* A selector may name what Kubernetes knows: Pod is Child, Node is Member. */
static void selector_take_core_kinds(struct api_field_selector *selector)
{
    for (size_t i = 0; i < selector->count; i++) {
        struct api_field_requirement *requirement = &selector->requirements[i];
        if (requirement->field != API_FIELD_EVENT_KIND)
            continue;
        if (span_equal(requirement->value, span_text("Pod")))
            requirement->value = span_text("Child");
        if (span_equal(requirement->value, span_text("Node")))
            requirement->value = span_text("Member");
    }
}

/* value NULL: any. */
static bool selector_has(const struct api_field_selector *selector, enum api_field field,
                         const char *value)
{
    for (size_t i = 0; i < selector->count; i++)
        if (selector->requirements[i].field == field &&
            (!value || span_equal(selector->requirements[i].value, span_text(value))))
            return true;
    return false;
}

static bool events_want(const struct api_call *call, const struct api_context *context,
                        const struct api_field_selector *selector, const struct found_event *event)
{
    char name[API_OBJECT_NAME_BYTES_MAX + 1], ns[NAME_BYTES_MAX + 1];
    char reason[REASON_BYTES_MAX + 1], uid[API_OBJECT_NAME_BYTES_MAX + 1] = "";
    text_set_span(name, sizeof name, event->entry.name);
    text_set_span(ns, sizeof ns, api_event_namespace(event));
    text_set_span(reason, sizeof reason, event->entry.reason);
    if (selector_has(selector, API_FIELD_EVENT_UID, NULL))
        api_event_uid(event, context, uid);
    /* kubectl describe node takes the name of a Node for its uid */
    if (event->entry.subject == JOURNAL_MEMBER && selector_has(selector, API_FIELD_EVENT_UID, name))
        TEXT_SET(uid, name);
    struct api_fields fields = {
        .values = {[API_FIELD_NAMESPACE] = ns,
                   [API_FIELD_EVENT_NAME] = name,
                   [API_FIELD_EVENT_NAMESPACE] = event->entry.ns.bytes ? ns : "",
                   [API_FIELD_EVENT_KIND] = api_event_kind(event),
                   [API_FIELD_EVENT_UID] = uid,
                   [API_FIELD_EVENT_REASON] = reason,
                   [API_FIELD_EVENT_TYPE] = api_event_type(event)}};
    return (call->route.ns[0] == '\0' || strcmp(call->route.ns, ns) == 0) &&
           api_field_selector_matches(selector, &fields);
}

static void events_add(struct found_events *events, const struct found_event *event)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity ? 2 * events->capacity : 64;
        events->items = xrealloc(events->items, events->capacity * sizeof *events->items);
    }
    events->items[events->count++] = *event;
}

static void events_collect(struct found_events *events, const struct api_call *call,
                           const struct api_context *context,
                           const struct api_field_selector *selector, struct span found)
{
    struct reader members = reader_of(found);
    while (reader_left(&members) > 0 && !members.failed) {
        struct found_event event = {.member = reader_span(&members, NAME_BYTES_MAX)};
        struct reader entries = reader_of(reader_span(&members, found.bytes));
        while (!members.failed && journal_decode(&entries, &event.entry))
            if (events_want(call, context, selector, &event))
                events_add(events, &event);
    }
}

/* By time; what one member noted within a millisecond stays in its order. */
static int event_compare(const void *a, const void *b)
{
    const struct found_event *left = a, *right = b;
    if (left->entry.last_ms != right->entry.last_ms)
        return left->entry.last_ms < right->entry.last_ms ? -1 : 1;
    int order = span_compare(left->member, right->member);
    if (order != 0)
        return order;
    return (left->entry.serial > right->entry.serial) - (left->entry.serial < right->entry.serial);
}

static int events_selector(struct api_call *call, struct api_field_selector *ret_selector)
{
    struct error err = {0};
    if (api_field_selector_parse(ret_selector, API_SELECT_EVENTS,
                                 api_query_get(&call->query, "fieldSelector"), &err) < 0)
        return api_failure_set(&call->failure, 400, "%s", err.text);
    selector_take_core_kinds(ret_selector);
    return 0;
}

int api_events(struct api_call *call, const struct api_context *context)
{
    struct api_field_selector selector;
    if (events_selector(call, &selector) < 0)
        return -1;
    if (api_query_flag(&call->query, "watch"))
        return api_watch_begin(call, context);
    call->submit = (struct request){.id = context->request_id, .kind = REQUEST_EVENTS};
    return API_SUBMIT;
}

uint64_t api_events_position(const struct api_context *context)
{
    return query_journal(context->node)->serial;
}

uint64_t api_events_dropped(const struct api_context *context)
{
    return query_journal(context->node)->dropped;
}

bool api_events_tell(struct api_call *call, const struct api_context *context, uint64_t complete,
                     uint64_t *position)
{
    struct buffer *body = &call->response.body;
    struct api_field_selector selector;
    struct found_event event = {.member = span_text(context->member)};
    const struct journal_entry *entry = journal_after(query_journal(context->node), *position);
    if (!entry || events_selector(call, &selector) < 0)
        return false;
    event.entry = *entry;
    *position = entry->serial;
    if (!events_want(call, context, &selector, &event))
        return true;
    struct api_writer writer = api_writer_of(body);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "type", entry->first_serial > complete ? "ADDED" : "MODIFIED");
    if (call->shape.table) {
        struct buffer table = {0};
        struct api_writer inner = api_writer_of(&table);
        api_table_begin(&inner, API_SHOWN_COUNT);
        api_event_row(&event, entry->serial, context, call->shape.include, &inner);
        api_table_end_rows(&inner);
        api_writer_close(&inner, '}');
        api_writer_raw(&writer, "object", buffer_view(&table));
        buffer_release(&table);
    } else {
        api_event_write(&event, entry->serial, context, &writer, "object");
    }
    api_writer_close(&writer, '}');
    buffer_append(body, "\n", 1);
    return true;
}

static void events_write(struct api_call *call, const struct api_context *context,
                         const struct found_events *events)
{
    struct api_writer writer = api_call_answer(call, 200);
    uint64_t now = api_events_position(context);
    char version[API_RESOURCE_VERSION_BYTES];
    if (call->shape.table) {
        api_table_begin(&writer, API_SHOWN_COUNT);
    } else {
        api_writer_open(&writer, NULL, '{');
        api_writer_text(&writer, "apiVersion", API_CORE_VERSION);
        api_writer_text(&writer, "kind", "EventList");
        api_writer_open(&writer, "items", '[');
    }
    for (size_t i = 0; i < events->count; i++) {
        const struct found_event *event = &events->items[i];
        bool own = span_equal(event->member, span_text(context->member));
        uint64_t serial = own ? event->entry.serial : now;
        if (call->shape.table)
            api_event_row(event, serial, context, call->shape.include, &writer);
        else
            api_event_write(event, serial, context, &writer, NULL);
    }
    api_writer_close(&writer, ']');
    api_resource_version_print(now, context->run_tag, version);
    api_writer_open(&writer, "metadata", '{');
    api_writer_text(&writer, "resourceVersion", version);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
}

void api_events_answer(struct api_call *call, const struct reply *reply,
                       const struct api_context *context)
{
    struct api_field_selector selector;
    struct found_events events = {0};
    if (events_selector(call, &selector) == 0)
        events_collect(&events, call, context, &selector, reply->found);
    if (events.count > 1)
        qsort(events.items, events.count, sizeof *events.items, event_compare);
    events_write(call, context, &events);
    free(events.items);
    if (reply->message[0])
        api_call_header(call, "Warning", "299 - \"no answer from %.90s\"", reply->message);
}
