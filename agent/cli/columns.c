/* See columns.h: which columns there are is in agent/codec/api_columns.c; here is how each is found
 * in an object's JSON. Most are the text or number at a path; the others have a function. A field
 * that is absent, or not what it should be, is an empty cell. */
#include "agent/cli/columns.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/codec/api_columns.h"
#include "agent/codec/timestamp.h"

enum { PATH_MAX_KEYS = 4 };

struct cell {
    const char *path[PATH_MAX_KEYS];
    void (*print)(struct buffer *cell, const cJSON *object,
                  uint64_t now_ms); /* instead of the path */
};

/* --- Cells ------------------------------------------------------------------------------------ */

static void print_value(struct buffer *cell, const cJSON *value)
{
    int64_t integer;
    if (json_text(value))
        terminal_printf(cell, "%s", json_text(value));
    else if (json_integer(&integer, value))
        terminal_printf(cell, "%" PRId64, integer);
    else if (cJSON_IsBool(value))
        terminal_printf(cell, "%s", cJSON_IsTrue(value) ? "true" : "false");
    else if (value)
        json_print_to(cell, value);
}

static void print_age(struct buffer *cell, const char *timestamp, uint64_t now_ms)
{
    char age[TIMESTAMP_AGE_BYTES];
    uint64_t then_ms;
    if (timestamp && timestamp_parse(&then_ms, timestamp))
        terminal_printf(cell, "%s", timestamp_age(then_ms, now_ms, age));
}

static void print_created(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    print_age(cell, json_get_text(json_get_object(object, "metadata"), "creationTimestamp"),
              now_ms);
}

/* Of what runs now, not of the workload: after a move or a restart it is young again. */
static void print_child_age(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const char *started = json_get_text(json_get_object(object, "status"), "startedAt");
    if (started)
        print_age(cell, started, now_ms);
    else
        print_created(cell, object, now_ms);
}

static void print_workload_ready(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *status = json_get_object(object, "status");
    (void)now_ms;
    if (status)
        terminal_printf(cell, "%" PRId64 "/%" PRId64, json_get_integer(status, "readyReplicas", 0),
                        json_get_integer(status, "replicas", 0));
}

static void print_child_ready(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *ready = JSON_GET_PATH(object, "status", "ready");
    (void)now_ms;
    if (cJSON_IsBool(ready))
        terminal_printf(cell, "%s", cJSON_IsTrue(ready) ? "1/1" : "0/1");
}

static void print_child_node(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const char *node = json_get_text(json_get_object(object, "status"), "node");
    (void)now_ms;
    terminal_printf(cell, "%s", node && *node ? node : "<none>");
}

static void print_spec_value(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *value = JSON_GET_PATH(object, "spec", "value");
    (void)now_ms;
    if (value)
        json_print_to(cell, value);
}

static void print_quorum(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *quorum = JSON_GET_PATH(object, "status", "quorum");
    (void)now_ms;
    if (cJSON_IsBool(quorum))
        terminal_printf(cell, "%s", cJSON_IsTrue(quorum) ? "yes" : "no");
}

/* A name without a port is its address alone. */
static void print_endpoint(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *status = json_get_object(object, "status");
    const char *address = json_get_text(status, "address");
    int64_t port = json_get_integer(status, "port", 0);
    (void)now_ms;
    if (!address)
        return;
    bool brackets = port > 0 && strchr(address, ':') && *address != '[';
    terminal_printf(cell, brackets ? "[%s]" : "%s", address);
    if (port > 0)
        terminal_printf(cell, ":%" PRId64, port);
}

static void print_member_phase(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    (void)now_ms;
    print_value(cell, JSON_GET_PATH(object, "status", "phase"));
    const cJSON *status = json_get_object(object, "status");
    if (json_get_bool(status, "draining", false))
        terminal_printf(cell, json_get_integer(status, "children", 0) ? ",draining" : ",drained");
    else if (json_get_bool(json_get_object(object, "spec"), "unschedulable", false))
        terminal_printf(cell, ",unschedulable");
}

static void print_runtime(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *runtime = JSON_GET_PATH(object, "status", "runtime");
    const char *name = json_get_text(runtime, "name"), *version = json_get_text(runtime, "version");
    (void)now_ms;
    if (name)
        terminal_printf(cell, "%s://%s", name, version ? version : "");
    if (!json_get_bool(runtime, "healthy", true))
        terminal_printf(cell, "%s(not healthy)", name ? " " : "");
}

/* "2/3": alive ones of all. */
static void print_supervisor_members(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    const cJSON *members = JSON_GET_PATH(object, "status", "members"), *member;
    unsigned alive = 0, count = 0;
    (void)now_ms;
    cJSON_ArrayForEach(member, members)
    {
        const char *phase = json_text(member);
        alive += phase && strcmp(phase, "alive") == 0;
        count++;
    }
    if (members)
        terminal_printf(cell, "%u/%u", alive, count);
}

/* --- Columns ---------------------------------------------------------------------------------- */

#define PATH(...)                     \
    {                                 \
        .path = { __VA_ARGS__, NULL } \
    }
#define PRINT(function)    \
    {                      \
        .print = function, \
    }
#define NAME PATH("metadata", "name")
#define AGE PRINT(print_created)

/* In the order of api_columns.c. */
static const struct cell cells[API_RESOURCE_COUNT][API_COLUMNS_MAX] = {
    [API_WORKLOADS] = {NAME, PRINT(print_workload_ready), PATH("status", "updatedReplicas"),
                       PATH("spec", "supervisor"), AGE, PATH("spec", "container", "image")},
    [API_CHILDREN] = {NAME, PATH("status", "phase"), PRINT(print_child_ready),
                      PRINT(print_child_node), PATH("status", "epoch"), PATH("status", "restarts"),
                      PRINT(print_child_age), PATH("status", "reason"),
                      PATH("status", "containerID"), PATH("status", "message")},
    [API_NAMES] = {NAME, PATH("status", "node"), PRINT(print_endpoint), PATH("status", "owner"),
                   PRINT(print_spec_value)},
    [API_METAS] = {NAME, PRINT(print_spec_value)},
    [API_SUPERVISORS] = {NAME, PATH("spec", "distributionStrategy"),
                         PRINT(print_supervisor_members), PRINT(print_quorum),
                         PATH("status", "specs"), PATH("status", "active")},
    [API_MEMBERS] = {NAME, PRINT(print_member_phase), PATH("status", "children"),
                     PRINT(print_runtime), PATH("status", "gossipAddress"),
                     PATH("status", "version"), AGE},
};

static const struct cell namespace_cell = PATH("metadata", "namespace");

/* --- Tables ----------------------------------------------------------------------------------- */

/* "Up-to-date" -> "UP-TO-DATE", as kubectl does. */
static void add_title(struct text_table *table, const char *name)
{
    char title[64];
    size_t bytes = 0;
    for (; name[bytes] && bytes + 1 < sizeof title; bytes++)
        title[bytes] = (char)toupper((unsigned char)name[bytes]);
    title[bytes] = '\0';
    text_table_add(table, title);
}

static bool is_state(const char *name)
{
    return strcmp(name, "Phase") == 0 || strcmp(name, "Ready") == 0 || strcmp(name, "Quorum") == 0;
}

static void columns_choose(const struct cell *ret_cells[TEXT_TABLE_COLUMNS_MAX],
                           enum api_resource resource, const struct columns_options *options,
                           struct text_table *table)
{
    const struct api_column *column = api_columns(resource);
    if (options->with_namespace && api_resources[resource].namespaced) {
        ret_cells[table->column_count++] = &namespace_cell;
        add_title(table, "Namespace");
    }
    for (size_t i = 0; column[i].name; i++)
        if (options->wide || column[i].priority == 0) {
            table->coloured[table->column_count] = options->colours && is_state(column[i].name);
            ret_cells[table->column_count++] = &cells[resource][i];
            add_title(table, column[i].name);
        }
}

void columns_print(struct buffer *buffer, enum api_resource resource, const cJSON *items,
                   const struct columns_options *options)
{
    const struct cell *chosen[TEXT_TABLE_COLUMNS_MAX];
    struct text_table table = {0};
    cleanup_buffer struct buffer cell = {0};
    columns_choose(chosen, resource, options, &table);
    const cJSON *item;
    cJSON_ArrayForEach(item, items)
    {
        for (size_t i = 0; i < table.column_count; i++) {
            buffer_clear(&cell);
            if (chosen[i]->print)
                chosen[i]->print(&cell, item, options->now_ms);
            else
                print_value(&cell, json_get_path(item, chosen[i]->path));
            text_table_add(&table, terminal_text(&cell));
        }
    }
    text_table_print(&table, buffer);
    text_table_release(&table);
}

void columns_print_lookup(struct buffer *buffer, const cJSON *name)
{
    cleanup_buffer struct buffer endpoint = {0};
    const char *node = json_get_text(json_get_object(name, "status"), "node");
    print_endpoint(&endpoint, name, 0);
    terminal_escape(buffer, json_get_text(json_get_object(name, "metadata"), "name"));
    terminal_printf(buffer, " ");
    terminal_escape(buffer, node && *node ? node : "-");
    terminal_printf(buffer, " ");
    terminal_escape(buffer, endpoint.bytes > 0 ? terminal_text(&endpoint) : "-");
    terminal_printf(buffer, "\n");
}
