/* See api_event_write.h. */
#include "agent/codec/api_event_write.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/codec/timestamp.h"

#define EVENTS_NAMESPACE "default" /* of what has none itself */

static const struct {
    const char *kind;
    enum api_resource resource;
} subjects[JOURNAL_SUBJECT_COUNT] = {
    [JOURNAL_CHILD] = {"Child", API_CHILDREN},
    [JOURNAL_MEMBER] = {"Member", API_MEMBERS},
    [JOURNAL_WORKLOAD] = {"Workload", API_WORKLOADS},
    [JOURNAL_SUPERVISOR] = {"Supervisor", API_SUPERVISORS},
};

const char *api_event_kind(const struct found_event *event)
{
    return subjects[event->entry.subject].kind;
}

struct span api_event_namespace(const struct found_event *event)
{
    return event->entry.ns.bytes ? event->entry.ns : span_text(EVENTS_NAMESPACE);
}

const char *api_event_type(const struct found_event *event)
{
    return event->entry.warning ? "Warning" : "Normal";
}

void api_event_uid(const struct found_event *event, const struct api_context *context,
                   char ret_uid[UID_BYTES + 1])
{
    char name[API_OBJECT_NAME_BYTES_MAX + 1], ns[NAME_BYTES_MAX + 1];
    struct api_item item;
    text_set_span(name, sizeof name, event->entry.name);
    text_set_span(ns, sizeof ns, event->entry.ns);
    *ret_uid = '\0';
    if (api_item_get(&item, context->node, subjects[event->entry.subject].resource, ns, name))
        api_item_uid(&item, ret_uid);
}

static void write_version(struct api_writer *writer, uint64_t serial, uint32_t run_tag)
{
    char text[API_RESOURCE_VERSION_BYTES];
    api_resource_version_print(serial, run_tag, text);
    api_writer_text(writer, "resourceVersion", text);
}

static void write_involved(const struct found_event *event, const struct api_context *context,
                           struct api_writer *writer)
{
    const struct journal_entry *entry = &event->entry;
    char uid[UID_BYTES + 1];
    api_event_uid(event, context, uid);
    api_writer_open(writer, "involvedObject", '{');
    api_writer_text(writer, "kind", api_event_kind(event));
    api_writer_text(writer, "apiVersion", API_GROUP_VERSION);
    if (entry->ns.bytes)
        api_writer_text_span(writer, "namespace", entry->ns);
    api_writer_text_span(writer, "name", entry->name);
    api_writer_text_unless_empty(writer, "uid", uid);
    api_writer_close(writer, '}');
}

static void write_metadata(const struct found_event *event, uint64_t version, uint32_t run_tag,
                           struct api_writer *writer)
{
    const struct journal_entry *entry = &event->entry;
    char name[API_OBJECT_NAME_BYTES_MAX + NAME_BYTES_MAX + 24];
    snprintf(name, sizeof name, "%.*s.%.*s.%" PRIx64, (int)entry->name.bytes,
             (const char *)entry->name.data, (int)event->member.bytes,
             (const char *)event->member.data, entry->first_serial);
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "name", name);
    api_writer_text_span(writer, "namespace", api_event_namespace(event));
    write_version(writer, version, run_tag);
    api_writer_time(writer, "creationTimestamp", entry->first_ms);
    api_writer_close(writer, '}');
}

void api_event_write(const struct found_event *event, uint64_t version,
                     const struct api_context *context, struct api_writer *writer, const char *key)
{
    const struct journal_entry *entry = &event->entry;
    api_writer_open(writer, key, '{');
    api_writer_text(writer, "apiVersion", API_CORE_VERSION);
    api_writer_text(writer, "kind", "Event");
    write_metadata(event, version, context->run_tag, writer);
    write_involved(event, context, writer);
    api_writer_text_span(writer, "reason", entry->reason);
    api_writer_text_span(writer, "message", entry->message);
    api_writer_text(writer, "type", api_event_type(event));
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

static void write_age(struct api_writer *writer, uint64_t then_ms, uint64_t now_ms)
{
    char text[TIMESTAMP_AGE_BYTES];
    api_writer_text(writer, NULL, timestamp_age(then_ms, now_ms, text));
}

static void write_cells(const struct found_event *event, const struct api_context *context,
                        struct api_writer *writer)
{
    const struct journal_entry *entry = &event->entry;
    char object[API_OBJECT_NAME_BYTES_MAX + 16];
    snprintf(object, sizeof object, "%s/%.*s", api_event_kind(event), (int)entry->name.bytes,
             (const char *)entry->name.data);
    object[0] = (char)tolower((unsigned char)object[0]);
    api_writer_open(writer, "cells", '[');
    write_age(writer, entry->last_ms, context->wall_ms);
    api_writer_text(writer, NULL, api_event_type(event));
    api_writer_text_span(writer, NULL, entry->reason);
    api_writer_text(writer, NULL, object);
    api_writer_text_span(writer, NULL, entry->message);
    api_writer_text_span(writer, NULL, event->member);
    write_age(writer, entry->first_ms, context->wall_ms);
    api_writer_unsigned(writer, NULL, entry->count);
    api_writer_close(writer, ']');
}

void api_event_row(const struct found_event *event, uint64_t version,
                   const struct api_context *context, enum api_include include,
                   struct api_writer *writer)
{
    api_writer_open(writer, NULL, '{');
    write_cells(event, context, writer);
    if (include == API_INCLUDE_OBJECT) {
        api_event_write(event, version, context, writer, "object");
    } else if (include == API_INCLUDE_METADATA) {
        api_writer_open(writer, "object", '{');
        api_writer_text(writer, "kind", "PartialObjectMetadata");
        api_writer_text(writer, "apiVersion", API_META_GROUP_VERSION);
        write_metadata(event, version, context->run_tag, writer);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, '}');
}
