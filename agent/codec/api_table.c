/* See api_table.h. */
#include "agent/codec/api_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_columns.h"
#include "agent/codec/api_core.h"
#include "agent/codec/api_scan.h"
#include "agent/codec/timestamp.h"

struct cell {
    const struct api_item *item;
    const struct api_context *context;
    struct api_writer *writer;
};

/* --- Cells ------------------------------------------------------------------------------------ */

static void text(const struct cell *cell, const char *value)
{
    api_writer_text(cell->writer, NULL, value ? value : "");
}

static void number(const struct cell *cell, uint64_t value)
{
    api_writer_unsigned(cell->writer, NULL, value);
}

static void age(const struct cell *cell, uint64_t then_ms)
{
    char value[TIMESTAMP_AGE_BYTES];
    text(cell, then_ms ? timestamp_age(then_ms, cell->context->wall_ms, value) : "<unknown>");
}

static void of_count(const struct cell *cell, unsigned some, unsigned all)
{
    char value[32];
    snprintf(value, sizeof value, "%u/%u", some, all);
    text(cell, value);
}

static void cell_name(const struct cell *cell)
{
    text(cell, cell->item->name);
}

static void workload_ready(const struct cell *cell)
{
    const struct workload_view *view = &cell->item->workload;
    of_count(cell, view->ready, view->workload->replicas);
}

static void workload_updated(const struct cell *cell)
{
    number(cell, cell->item->workload.updated);
}

static void workload_supervisor(const struct cell *cell)
{
    text(cell, cell->item->workload.workload->supervisor);
}

static void workload_age(const struct cell *cell)
{
    age(cell, cell->item->workload.workload->created_ms);
}

static void workload_image(const struct cell *cell)
{
    text(cell, cell->item->workload.workload->image);
}

static void child_phase(const struct cell *cell)
{
    text(cell, child_phase_name(cell->item->child.phase));
}

static void child_ready(const struct cell *cell)
{
    of_count(cell, cell->item->child.ready, 1);
}

static void child_node(const struct cell *cell)
{
    const char *node = cell->item->child.node;
    text(cell, node[0] ? node : "<none>");
}

static void child_epoch(const struct cell *cell)
{
    number(cell, cell->item->child.epoch);
}

static void child_restarts(const struct cell *cell)
{
    number(cell, cell->item->child.restarts);
}

/* Of what runs now, not of the workload: after a move or a restart it is young again. */
static void child_age(const struct cell *cell)
{
    const struct child_view *view = &cell->item->child;
    uint64_t created_ms = view->workload ? view->workload->created_ms : 0;
    age(cell, view->started_ms ? view->started_ms : created_ms);
}

static void child_reason(const struct cell *cell)
{
    text(cell, cell->item->child.reason);
}

static void child_container(const struct cell *cell)
{
    text(cell, cell->item->child.container_id);
}

static void child_message(const struct cell *cell)
{
    text(cell, cell->item->child.message);
}

static void pod_host(const struct cell *cell)
{
    char host[ADDRESS_BYTES_MAX + 1];
    const struct workload *workload = cell->item->child.workload;
    api_pod_host(cell->item, cell->context, host, sizeof host);
    text(cell, host[0] && workload && workload->host_network ? host : "<none>");
}

static void name_node(const struct cell *cell)
{
    text(cell, cell->item->registered.node);
}

static void name_endpoint(const struct cell *cell)
{
    const struct name_view *view = &cell->item->registered;
    char value[ADDRESS_BYTES_MAX + 16];
    const char *address = view->address ? view->address : "";
    bool brackets = view->port && strchr(address, ':') && address[0] != '[';
    int bytes = snprintf(value, sizeof value, brackets ? "[%s]" : "%s", address);
    if (view->port && bytes < (int)sizeof value)
        snprintf(value + bytes, sizeof value - (size_t)bytes, ":%u", view->port);
    text(cell, value);
}

static void name_owner(const struct cell *cell)
{
    text(cell, cell->item->registered.owner);
}

static void name_value(const struct cell *cell)
{
    text(cell, cell->item->registered.value);
}

static void meta_value(const struct cell *cell)
{
    text(cell, cell->item->meta.value);
}

static void supervisor_strategy(const struct cell *cell)
{
    text(cell, cell->item->supervisor.supervisor->strategy);
}

static void supervisor_members(const struct cell *cell)
{
    const char *name = "", *phase;
    unsigned alive = 0, count = 0;
    while (query_supervisor_member_next(
        cell->context->node, cell->item->supervisor.supervisor->name, name, &name, &phase)) {
        alive += strcmp(phase, "alive") == 0;
        count++;
    }
    of_count(cell, alive, count);
}

static void supervisor_quorum(const struct cell *cell)
{
    text(cell, cell->item->supervisor.quorum ? "yes" : "no");
}

static void supervisor_specs(const struct cell *cell)
{
    number(cell, cell->item->supervisor.specs);
}

static void supervisor_active(const struct cell *cell)
{
    number(cell, cell->item->supervisor.active);
}

static void member_phase(const struct cell *cell)
{
    const struct member_view *view = &cell->item->member;
    char value[64];
    snprintf(value, sizeof value, "%s%s", view->phase,
             view->draining        ? view->children ? ",draining" : ",drained"
             : view->unschedulable ? ",unschedulable"
                                   : "");
    text(cell, value);
}

static void member_children(const struct cell *cell)
{
    number(cell, cell->item->member.children);
}

static void member_runtime(const struct cell *cell)
{
    const struct member_view *view = &cell->item->member;
    char value[192];
    bool named = view->runtime_name && view->runtime_name[0];
    snprintf(value, sizeof value, "%s%s%s%s", named ? view->runtime_name : "", named ? "://" : "",
             named && view->runtime_version ? view->runtime_version : "",
             view->runtime_healthy ? ""
             : named               ? " (not healthy)"
                                   : "(not healthy)");
    text(cell, value);
}

static void member_address(const struct cell *cell)
{
    text(cell, cell->item->member.gossip_address);
}

static void member_version(const struct cell *cell)
{
    text(cell, cell->item->member.agent_version);
}

static void member_age(const struct cell *cell)
{
    age(cell, cell->item->member.joined_ms);
}

static void node_status(const struct cell *cell)
{
    const struct member_view *view = &cell->item->member;
    char value[64];
    snprintf(value, sizeof value, "%s%s", strcmp(view->phase, "alive") == 0 ? "Ready" : "NotReady",
             view->unschedulable ? ",SchedulingDisabled" : "");
    text(cell, value);
}

static void node_roles(const struct cell *cell)
{
    text(cell, "<none>");
}

static void node_version(const struct cell *cell)
{
    char value[64];
    const char *version = cell->item->member.agent_version;
    snprintf(value, sizeof value, "%s%s", version && version[0] ? "v" : "", version ? version : "");
    text(cell, value);
}

static void node_address(const struct cell *cell)
{
    char host[ADDRESS_BYTES_MAX + 1];
    api_address_host(cell->item->member.gossip_address, host, sizeof host);
    text(cell, host);
}

/* --- Columns ---------------------------------------------------------------------------------- */

typedef void (*cell_function)(const struct cell *cell);

/* In the order of api_columns.c. Those of events are written in api_events.c. */
static const cell_function cells[API_SHOWN_COUNT][API_COLUMNS_MAX] = {
    [API_WORKLOADS] = {cell_name, workload_ready, workload_updated, workload_supervisor,
                       workload_age, workload_image},
    [API_CHILDREN] = {cell_name, child_phase, child_ready, child_node, child_epoch, child_restarts,
                      child_age, child_reason, child_container, child_message},
    [API_NAMES] = {cell_name, name_node, name_endpoint, name_owner, name_value},
    [API_METAS] = {cell_name, meta_value},
    [API_SUPERVISORS] = {cell_name, supervisor_strategy, supervisor_members, supervisor_quorum,
                         supervisor_specs, supervisor_active},
    [API_MEMBERS] = {cell_name, member_phase, member_children, member_runtime, member_address,
                     member_version, member_age},
    [API_PODS] = {cell_name, child_ready, child_phase, child_restarts, child_age, pod_host,
                  child_node, child_epoch, child_reason},
    [API_NODES] = {cell_name, node_status, node_roles, member_age, node_version, node_address,
                   member_runtime, member_children},
};

/* --- Tables ----------------------------------------------------------------------------------- */

void api_table_begin(struct api_writer *writer, unsigned resource)
{
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "kind", "Table");
    api_writer_text(writer, "apiVersion", API_META_GROUP_VERSION);
    api_writer_open(writer, "columnDefinitions", '[');
    for (const struct api_column *column = api_columns(resource); column->name; column++) {
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "name", column->name);
        api_writer_text(writer, "type", column->type);
        api_writer_text(writer, "format", column == api_columns(resource) ? "name" : "");
        api_writer_text(writer, "description", column->description);
        api_writer_unsigned(writer, "priority", column->priority);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
    api_writer_open(writer, "rows", '[');
}

void api_table_end_rows(struct api_writer *writer)
{
    api_writer_close(writer, ']');
}

static void open_partial(struct api_writer *writer)
{
    api_writer_open(writer, "object", '{');
    api_writer_text(writer, "kind", "PartialObjectMetadata");
    api_writer_text(writer, "apiVersion", API_META_GROUP_VERSION);
}

void api_table_row(const struct api_item *item, const struct api_context *context,
                   enum api_include include, struct api_writer *writer)
{
    struct cell cell = {item, context, writer};
    api_writer_open(writer, NULL, '{');
    api_writer_open(writer, "cells", '[');
    for (size_t i = 0; api_columns(item->shown)[i].name; i++)
        cells[item->shown][i](&cell);
    api_writer_close(writer, ']');
    if (include == API_INCLUDE_OBJECT) {
        api_item_write(item, context, writer, "object");
    } else if (include == API_INCLUDE_METADATA) {
        open_partial(writer);
        api_item_metadata_write(item, context, writer);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, '}');
}

void api_table_row_begin_gone(struct api_writer *writer, unsigned resource, const char *name)
{
    api_writer_open(writer, NULL, '{');
    api_writer_open(writer, "cells", '[');
    for (const struct api_column *column = api_columns(resource); column->name; column++)
        if (strcmp(column->name, "Name") == 0)
            api_writer_text(writer, NULL, name);
        else
            api_writer_raw(writer, NULL, span_text("null"));
    api_writer_close(writer, ']');
    open_partial(writer);
    api_writer_open(writer, "metadata", '{');
}

void api_shape_write(struct api_shape shape, const struct api_item *item,
                     const struct api_context *context, struct api_writer *writer)
{
    if (!shape.table) {
        api_item_write(item, context, writer, NULL);
        return;
    }
    api_table_begin(writer, item->shown);
    api_table_row(item, context, shape.include, writer);
    api_table_end_rows(writer);
    api_writer_close(writer, '}');
}

unsigned api_shape_form(struct api_shape shape, enum api_resource shown)
{
    unsigned kind = shape.table ? 1 + (unsigned)shape.include : 0;
    return kind << 8 | (unsigned)shown;
}
