/* See describe.h. Titles stand in a column of their own, values behind them; what has no value is
 * left out. Tables and the spec are indented below their title. */
#include "agent/cli/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/columns.h"
#include "agent/cli/events.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/codec/timestamp.h"
#include "agent/codec/yaml.h"

enum { TITLE_COLUMNS = 18, PATH_MAX_KEYS = 4 };

/* --- Lines ------------------------------------------------------------------------------------ */

static void line(struct buffer *out, const char *title, const char *value)
{
    if (!value || !*value)
        return;
    char text[TITLE_COLUMNS + 1] = "";
    if (*title)
        snprintf(text, sizeof text, "%s:", title);
    terminal_printf(out, "%-*s", TITLE_COLUMNS, text);
    terminal_escape(out, value);
    terminal_printf(out, "\n");
}

static void print_value(struct buffer *text, const cJSON *value)
{
    int64_t integer;
    if (json_text(value))
        terminal_printf(text, "%s", json_text(value));
    else if (json_integer(&integer, value))
        terminal_printf(text, "%" PRId64, integer);
    else if (cJSON_IsBool(value))
        terminal_printf(text, "%s", cJSON_IsTrue(value) ? "yes" : "no");
    else if (value && !cJSON_IsNull(value))
        json_print_to(text, value);
}

static void line_value(struct buffer *out, const char *title, const cJSON *value)
{
    cleanup_buffer struct buffer text = {0};
    print_value(&text, value);
    line(out, title, terminal_text(&text));
}

static void line_time(struct buffer *out, const char *title, const char *timestamp, uint64_t now_ms)
{
    cleanup_buffer struct buffer text = {0};
    char age[TIMESTAMP_AGE_BYTES];
    uint64_t then_ms;
    if (!timestamp || !timestamp_parse(&then_ms, timestamp))
        return;
    terminal_printf(&text, "%s (%s ago)", timestamp, timestamp_age(then_ms, now_ms, age));
    line(out, title, terminal_text(&text));
}

/* Labels and the like: one a line, the title before the first. */
static void line_map(struct buffer *out, const char *title, const cJSON *map)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, map)
    {
        cleanup_buffer struct buffer text = {0};
        terminal_printf(&text, "%s=", member->string);
        print_value(&text, member);
        line(out, member == map->child ? title : "", terminal_text(&text));
    }
}

static void indented(struct buffer *out, const char *title, struct span text)
{
    terminal_printf(out, "%s:\n", title);
    for (size_t at = 0; at < text.bytes;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.bytes - at);
        size_t bytes = end ? (size_t)(end - text.data) - at : text.bytes - at;
        terminal_printf(out, "  %.*s\n", (int)bytes, (const char *)text.data + at);
        at += bytes + 1;
    }
}

/* --- Owners ----------------------------------------------------------------------------------- */

/* "workload/web of supervisor/default" */
static void print_workload_owner(struct buffer *text, const char *workload, const char *supervisor)
{
    if (workload)
        terminal_printf(text, "workload/%s%s", workload, supervisor ? " of " : "");
    if (supervisor)
        terminal_printf(text, "supervisor/%s", supervisor);
}

/* A name's: NS/WORKLOAD/ORDINAL, or token/HASH. */
static void print_name_owner(struct buffer *text, const cJSON *object)
{
    const char *owner = json_get_text(json_get_object(object, "status"), "owner");
    const char *slash = owner ? strchr(owner, '/') : NULL;
    const char *last = owner ? strrchr(owner, '/') : NULL;
    if (!slash)
        return;
    if (slash == last)
        terminal_printf(text, "an outside process, %s", owner);
    else
        terminal_printf(text, "child/%.*s-%s of workload/%.*s", (int)(last - slash - 1), slash + 1,
                        last + 1, (int)(last - slash - 1), slash + 1);
}

static void describe_owner(struct buffer *out, const struct described *described)
{
    const cJSON *spec = json_get_object(described->object, "spec");
    cleanup_buffer struct buffer text = {0};
    if (described->resource == API_WORKLOADS || described->resource == API_CHILDREN)
        print_workload_owner(&text, json_get_text(spec, "workload"),
                             json_get_text(spec, "supervisor"));
    else if (described->resource == API_NAMES)
        print_name_owner(&text, described->object);
    line(out, "Owned by", terminal_text(&text));
}

/* --- Fields ----------------------------------------------------------------------------------- */

struct field {
    const char *title;
    const char *path[PATH_MAX_KEYS];
};

static const struct field workload_fields[] = {
    {"Image", {"spec", "container", "image"}},
    {"Replicas", {"spec", "replicas"}},
    {"Running", {"status", "runningReplicas"}},
    {"Ready", {"status", "readyReplicas"}},
    {"Updated", {"status", "updatedReplicas"}},
    {"Generation", {"metadata", "generation"}},
    {"UID", {"metadata", "uid"}},
    {0},
};

static const struct field child_fields[] = {
    {"Phase", {"status", "phase"}},
    {"Ready", {"status", "ready"}},
    {"Reason", {"status", "reason"}},
    {"Message", {"status", "message"}},
    {"Node", {"status", "node"}},
    {"Epoch", {"status", "epoch"}},
    {"Container", {"status", "containerID"}},
    {"Restarts", {"status", "restarts"}},
    {"Exit code", {"status", "exitCode"}},
    {0},
};

static const struct field name_fields[] = {
    {"Node", {"status", "node"}},
    {"Address", {"status", "address"}},
    {"Port", {"status", "port"}},
    {"Epoch", {"status", "epoch"}},
    {"Value", {"spec", "value"}},
    {"TTL seconds", {"spec", "ttlSeconds"}},
    {0},
};

static const struct field meta_fields[] = {{"Value", {"spec", "value"}}, {0}};

static const struct field supervisor_fields[] = {
    {"Strategy", {"spec", "distributionStrategy"}},
    {"Quorum", {"status", "quorum"}},
    {"Specs", {"status", "specs"}},
    {"Workers", {"status", "workers"}},
    {"Active", {"status", "active"}},
    {"Generation", {"metadata", "generation"}},
    {0},
};

static const struct field member_fields[] = {
    {"Phase", {"status", "phase"}},
    {"Unschedulable", {"spec", "unschedulable"}},
    {"Draining", {"status", "draining"}},
    {"Gossip", {"status", "gossipAddress"}},
    {"API", {"status", "apiAddress"}},
    {"Zone", {"spec", "zone"}},
    {"Weight", {"spec", "weight"}},
    {"Children", {"status", "children"}},
    {"CPU", {"status", "capacity", "cpu"}},
    {"Memory", {"status", "capacity", "memory"}},
    {"Runtime", {"status", "runtime", "name"}},
    {"Runtime version", {"status", "runtime", "version"}},
    {"Engine answers", {"status", "runtime", "healthy"}},
    {"Agent version", {"status", "version"}},
    {"Incarnation", {"status", "incarnation"}},
    {0},
};

static const struct field *const fields[API_RESOURCE_COUNT] = {
    [API_WORKLOADS] = workload_fields,
    [API_CHILDREN] = child_fields,
    [API_NAMES] = name_fields,
    [API_METAS] = meta_fields,
    [API_SUPERVISORS] = supervisor_fields,
    [API_MEMBERS] = member_fields,
};

static void describe_full(struct buffer *out, const cJSON *object)
{
    const cJSON *full;
    cJSON_ArrayForEach(full, JSON_GET_PATH(object, "status", "full"))
    {
        cleanup_buffer struct buffer text = {0};
        const char *supervisor = json_get_text(full, "supervisor");
        const char *reason = json_get_text(full, "reason");
        terminal_printf(&text, "for supervisor/%s: %s", supervisor ? supervisor : "",
                        reason ? reason : "");
        line(out, "No room", terminal_text(&text));
    }
}

static void describe_fields(struct buffer *out, const struct described *described)
{
    const cJSON *object = described->object, *metadata = json_get_object(object, "metadata");
    line(out, "Name", json_get_text(metadata, "name"));
    line(out, "Namespace", json_get_text(metadata, "namespace"));
    line(out, "Kind", api_resources[described->resource].kind);
    describe_owner(out, described);
    line_map(out, "Labels", json_get_object(metadata, "labels"));
    line_map(out, "Annotations", json_get_object(metadata, "annotations"));
    line_time(out, described->resource == API_MEMBERS ? "Joined" : "Created",
              json_get_text(metadata, "creationTimestamp"), described->now_ms);
    for (const struct field *field = fields[described->resource]; field->title; field++)
        line_value(out, field->title, json_get_path(object, field->path));
    line_time(out, "Started", json_get_text(json_get_object(object, "status"), "startedAt"),
              described->now_ms);
    describe_full(out, object);
}

/* --- Sections --------------------------------------------------------------------------------- */

static void describe_spec(struct buffer *out, const struct described *described)
{
    const cJSON *spec = json_get_object(described->object, "spec");
    if (described->resource != API_WORKLOADS && described->resource != API_SUPERVISORS)
        return;
    cleanup_free char *text = yaml_print(spec);
    indented(out, "Spec", span_text(text));
}

static void describe_conditions(struct buffer *out, const struct described *described)
{
    static const char *const keys[] = {"type", "status", "reason", "message"};
    const cJSON *conditions = JSON_GET_PATH(described->object, "status", "conditions");
    struct text_table table = {.column_count = sizeof keys / sizeof *keys};
    cleanup_buffer struct buffer text = {0};
    if (cJSON_GetArraySize(conditions) == 0)
        return;
    text_table_add(&table, "TYPE");
    text_table_add(&table, "STATUS");
    text_table_add(&table, "REASON");
    text_table_add(&table, "MESSAGE");
    const cJSON *condition;
    cJSON_ArrayForEach(condition, conditions) for (size_t i = 0; i < table.column_count; i++)
        text_table_add(&table, json_get_text(condition, keys[i]));
    text_table_print(&table, &text);
    text_table_release(&table);
    indented(out, "Conditions", buffer_view(&text));
}

static void describe_phases(struct buffer *out, const struct described *described)
{
    const cJSON *members = JSON_GET_PATH(described->object, "status", "members"), *member;
    struct text_table table = {.column_count = 2};
    cleanup_buffer struct buffer text = {0};
    if (described->resource != API_SUPERVISORS || !members || !members->child)
        return;
    text_table_add(&table, "NAME");
    text_table_add(&table, "PHASE");
    cJSON_ArrayForEach(member, members)
    {
        text_table_add(&table, member->string);
        text_table_add(&table, json_text(member));
    }
    text_table_print(&table, &text);
    text_table_release(&table);
    indented(out, "Members", buffer_view(&text));
}

static void describe_related(struct buffer *out, const struct described *described)
{
    for (size_t i = 0; i < described->related_count; i++) {
        cleanup_buffer struct buffer text = {0};
        struct columns_options options = {
            .now_ms = described->now_ms,
            .with_namespace = !api_resources[described->resource].namespaced};
        const cJSON *items = described->related[i].items;
        if (cJSON_GetArraySize(items) == 0) {
            line(out, described->related[i].title, "none");
            continue;
        }
        columns_print(&text, described->related[i].resource, items, &options);
        indented(out, described->related[i].title, buffer_view(&text));
    }
}

static void describe_events(struct buffer *out, const struct described *described)
{
    cleanup_buffer struct buffer text = {0};
    if (!described->events) {
        line(out, "Events", "could not be had");
    } else if (cJSON_GetArraySize(described->events) == 0) {
        line(out, "Events", "none in the last hour");
    } else {
        events_print(&text, described->events, described->now_ms);
        indented(out, "Events", buffer_view(&text));
    }
}

void describe_print(struct buffer *out, const struct described *described)
{
    describe_fields(out, described);
    describe_spec(out, described);
    describe_conditions(out, described);
    describe_phases(out, described);
    describe_related(out, described);
    describe_events(out, described);
}
