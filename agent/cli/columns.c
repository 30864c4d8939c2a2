/* See columns.h: a table of columns per resource. Most are the text or number at a path; the others
 * have a function. A field that is absent, or not what it should be, is an empty cell. */
#include "agent/cli/columns.h"

#include <inttypes.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/codec/timestamp.h"

enum { PATH_MAX_KEYS = 4 };

struct column {
    const char *title;
    bool wide; /* only with -o wide */
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

static void print_yes(struct buffer *cell, const cJSON *value)
{
    if (cJSON_IsBool(value))
        terminal_printf(cell, "%s", cJSON_IsTrue(value) ? "yes" : "no");
}

static void print_child_ready(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    (void)now_ms;
    print_yes(cell, JSON_GET_PATH(object, "status", "ready"));
}

static void print_quorum(struct buffer *cell, const cJSON *object, uint64_t now_ms)
{
    (void)now_ms;
    print_yes(cell, JSON_GET_PATH(object, "status", "quorum"));
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
        terminal_printf(cell, "%s%s%s", name, version ? " " : "", version ? version : "");
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

#define PATH(...) .path = {__VA_ARGS__}
#define WIDE .wide = true
#define NAME_COLUMN                      \
    {                                    \
        "NAME", PATH("metadata", "name") \
    }

static const struct column workload_columns[] = {
    NAME_COLUMN,
    {"REPLICAS", PATH("spec", "replicas")},
    {"READY", PATH("status", "readyReplicas")},
    {"RESTART", PATH("spec", "restart")},
    {"SUPERVISOR", PATH("spec", "supervisor")},
    {"AGE", .print = print_created},
    {"IMAGE", WIDE, PATH("spec", "container", "image")},
    {0},
};

static const struct column child_columns[] = {
    NAME_COLUMN,
    {"PHASE", PATH("status", "phase")},
    {"READY", .print = print_child_ready},
    {"NODE", PATH("status", "node")},
    {"EPOCH", PATH("status", "epoch")},
    {"RESTARTS", PATH("status", "restarts")},
    {"AGE", .print = print_child_age},
    {"REASON", PATH("status", "reason")},
    {"CONTAINER", WIDE, PATH("status", "containerID")},
    {"MESSAGE", WIDE, PATH("status", "message")},
    {0},
};

static const struct column name_columns[] = {
    NAME_COLUMN,
    {"NODE", PATH("status", "node")},
    {"ENDPOINT", .print = print_endpoint},
    {"OWNER", PATH("status", "owner")},
    {"VALUE", WIDE, PATH("spec", "value")},
    {0},
};

static const struct column meta_columns[] = {
    NAME_COLUMN,
    {"VALUE", PATH("spec", "value")},
    {0},
};

static const struct column supervisor_columns[] = {
    NAME_COLUMN,
    {"STRATEGY", PATH("spec", "distributionStrategy")},
    {"MEMBERS", .print = print_supervisor_members},
    {"QUORUM", .print = print_quorum},
    {"SPECS", PATH("status", "specs")},
    {"ACTIVE", PATH("status", "active")},
    {0},
};

static const struct column member_columns[] = {
    NAME_COLUMN,
    {"PHASE", .print = print_member_phase},
    {"CHILDREN", PATH("status", "children")},
    {"RUNTIME", .print = print_runtime},
    {"ADDRESS", PATH("status", "gossipAddress")},
    {"VERSION", PATH("status", "version")},
    {0},
};

static const struct column namespace_column = {"NAMESPACE", PATH("metadata", "namespace")};

static const struct column *const columns[API_RESOURCE_COUNT] = {
    [API_WORKLOADS] = workload_columns,
    [API_CHILDREN] = child_columns,
    [API_NAMES] = name_columns,
    [API_METAS] = meta_columns,
    [API_SUPERVISORS] = supervisor_columns,
    [API_MEMBERS] = member_columns,
};

/* --- Tables ----------------------------------------------------------------------------------- */

static size_t columns_choose(const struct column *ret_columns[TEXT_TABLE_COLUMNS_MAX],
                             enum api_resource resource, const struct columns_options *options)
{
    size_t count = 0;
    if (options->with_namespace && api_resources[resource].namespaced)
        ret_columns[count++] = &namespace_column;
    for (const struct column *column = columns[resource]; column->title; column++)
        if (options->wide || !column->wide)
            ret_columns[count++] = column;
    return count;
}

void columns_print(struct buffer *buffer, enum api_resource resource, const cJSON *items,
                   const struct columns_options *options)
{
    const struct column *chosen[TEXT_TABLE_COLUMNS_MAX];
    struct text_table table = {.column_count = columns_choose(chosen, resource, options)};
    cleanup_buffer struct buffer cell = {0};
    for (size_t i = 0; i < table.column_count; i++)
        text_table_add(&table, chosen[i]->title);
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
