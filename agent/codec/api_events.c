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
#include "agent/core/journal.h"

#define EVENTS_NAMESPACE "default" /* of what has none itself */

struct found_event {
    struct journal_entry entry;
    struct span member; /* who noted it */
};

struct found_events {
    struct found_event *items;
    size_t count, capacity;
};

static const char *const kinds[JOURNAL_SUBJECT_COUNT] = {[JOURNAL_CHILD] = "Child",
                                                         [JOURNAL_MEMBER] = "Member",
                                                         [JOURNAL_WORKLOAD] = "Workload",
                                                         [JOURNAL_SUPERVISOR] = "Supervisor"};

static struct span event_namespace(const struct found_event *event)
{
    return event->entry.ns.bytes ? event->entry.ns : span_text(EVENTS_NAMESPACE);
}

static const char *event_type(const struct found_event *event)
{
    return event->entry.warning ? "Warning" : "Normal";
}

static bool events_want(const struct api_call *call, const struct api_field_selector *selector,
                        const struct found_event *event)
{
    char name[API_OBJECT_NAME_BYTES_MAX + 1], ns[NAME_BYTES_MAX + 1];
    char reason[REASON_BYTES_MAX + 1];
    text_set_span(name, sizeof name, event->entry.name);
    text_set_span(ns, sizeof ns, event_namespace(event));
    text_set_span(reason, sizeof reason, event->entry.reason);
    struct api_fields fields = {.values = {[API_FIELD_NAMESPACE] = ns,
                                           [API_FIELD_EVENT_NAME] = name,
                                           [API_FIELD_EVENT_NAMESPACE] = ns,
                                           [API_FIELD_EVENT_KIND] = kinds[event->entry.subject],
                                           [API_FIELD_EVENT_REASON] = reason,
                                           [API_FIELD_EVENT_TYPE] = event_type(event)}};
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
                           const struct api_field_selector *selector, struct span found)
{
    struct reader members = reader_of(found);
    while (reader_left(&members) > 0 && !members.failed) {
        struct found_event event = {.member = reader_span(&members, NAME_BYTES_MAX)};
        struct reader entries = reader_of(reader_span(&members, found.bytes));
        while (!members.failed && journal_decode(&entries, &event.entry))
            if (events_want(call, selector, &event))
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

static void write_version(struct api_writer *writer, uint64_t serial, uint32_t run_tag)
{
    char text[API_RESOURCE_VERSION_BYTES];
    api_resource_version_print(serial, run_tag, text);
    api_writer_text(writer, "resourceVersion", text);
}

/* version: of this agent's journal, also for what another one has noted. */
static void event_write(const struct found_event *event, uint64_t version, uint32_t run_tag,
                        struct api_writer *writer)
{
    const struct journal_entry *entry = &event->entry;
    struct span ns = event_namespace(event);
    char name[API_OBJECT_NAME_BYTES_MAX + NAME_BYTES_MAX + 24];
    snprintf(name, sizeof name, "%.*s.%.*s.%" PRIx64, (int)entry->name.bytes,
             (const char *)entry->name.data, (int)event->member.bytes,
             (const char *)event->member.data, entry->first_serial);
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "apiVersion", "v1");
    api_writer_text(writer, "kind", "Event");
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "name", name);
    api_writer_text_span(writer, "namespace", ns);
    write_version(writer, version, run_tag);
    api_writer_time(writer, "creationTimestamp", entry->first_ms);
    api_writer_close(writer, '}');
    api_writer_open(writer, "involvedObject", '{');
    api_writer_text(writer, "kind", kinds[entry->subject]);
    api_writer_text(writer, "apiVersion", API_GROUP_VERSION);
    if (entry->ns.bytes)
        api_writer_text_span(writer, "namespace", entry->ns);
    api_writer_text_span(writer, "name", entry->name);
    api_writer_close(writer, '}');
    api_writer_text_span(writer, "reason", entry->reason);
    api_writer_text_span(writer, "message", entry->message);
    api_writer_text(writer, "type", event_type(event));
    api_writer_unsigned(writer, "count", entry->count);
    api_writer_time(writer, "firstTimestamp", entry->first_ms);
    api_writer_time(writer, "lastTimestamp", entry->last_ms);
    api_writer_open(writer, "source", '{');
    api_writer_text(writer, "component", "hordelet");
    api_writer_text_span(writer, "host", event->member);
    api_writer_close(writer, '}');
    api_writer_text(writer, "reportingComponent", "hordelet");
    api_writer_text_span(writer, "reportingInstance", event->member);
    api_writer_close(writer, '}');
}

static int events_selector(struct api_call *call, struct api_field_selector *ret_selector)
{
    struct error err = {0};
    if (api_field_selector_parse(ret_selector, API_SELECT_EVENTS,
                                 api_query_get(&call->query, "fieldSelector"), &err) < 0)
        return api_failure_set(&call->failure, 400, "%s", err.text);
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
    if (!events_want(call, &selector, &event))
        return true;
    struct api_writer writer = api_writer_of(body);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "type", entry->first_serial > complete ? "ADDED" : "MODIFIED");
    struct buffer object = {0};
    struct api_writer inner = api_writer_of(&object);
    event_write(&event, entry->serial, context->run_tag, &inner);
    api_writer_raw(&writer, "object", buffer_view(&object));
    buffer_release(&object);
    api_writer_close(&writer, '}');
    buffer_append(body, "\n", 1);
    return true;
}

void api_events_answer(struct api_call *call, const struct reply *reply,
                       const struct api_context *context)
{
    struct api_field_selector selector;
    struct found_events events = {0};
    if (events_selector(call, &selector) == 0)
        events_collect(&events, call, &selector, reply->found);
    if (events.count > 1)
        qsort(events.items, events.count, sizeof *events.items, event_compare);
    struct api_writer writer = api_call_answer(call, 200);
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "apiVersion", "v1");
    api_writer_text(&writer, "kind", "EventList");
    uint64_t now = api_events_position(context);
    api_writer_open(&writer, "metadata", '{');
    write_version(&writer, now, context->run_tag);
    api_writer_close(&writer, '}');
    api_writer_open(&writer, "items", '[');
    for (size_t i = 0; i < events.count; i++) {
        bool own = span_equal(events.items[i].member, span_text(context->member));
        event_write(&events.items[i], own ? events.items[i].entry.serial : now, context->run_tag,
                    &writer);
    }
    api_writer_close(&writer, ']');
    api_writer_close(&writer, '}');
    free(events.items);
    if (reply->message[0])
        api_call_header(call, "Warning", "299 - \"no answer from %.90s\"", reply->message);
}
