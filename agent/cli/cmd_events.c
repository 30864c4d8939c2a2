/* hordelet events: what all members have noted of late. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/events.h"
#include "agent/cli/follow.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/codec/timestamp.h"

struct events_options {
    struct cli_options cli;
    const char *ns, *output;
    bool all_namespaces, warnings, watch;
};

/* The object itself, or a child of the workload called so. */
static bool event_concerns(const cJSON *event, const char *wanted)
{
    const char *name = json_get_text(json_get_object(event, "involvedObject"), "name");
    if (!wanted || !name)
        return !wanted;
    size_t bytes = strlen(wanted);
    if (strncmp(name, wanted, bytes) != 0)
        return false;
    if (name[bytes] == '\0')
        return true;
    return name[bytes] == '-' && isdigit((unsigned char)name[bytes + 1]) &&
           name[bytes + 1 + strspn(name + bytes + 1, "0123456789")] == '\0';
}

void events_keep(cJSON *items, const char *wanted)
{
    for (cJSON *item = items->child, *next; item; item = next) {
        next = item->next;
        if (!event_concerns(item, wanted))
            cJSON_Delete(cJSON_DetachItemViaPointer(items, item));
    }
}

static void events_path(const struct events_options *options, struct buffer *path)
{
    terminal_printf(path, "/api/v1");
    if (!options->all_namespaces)
        terminal_printf(path, "/namespaces/%s", options->ns ? options->ns : API_NAMESPACE_DEFAULT);
    terminal_printf(path, "/events");
    api_path_query(path, "fieldSelector", options->warnings ? "type=Warning" : NULL);
}

static int events_fetch(struct invocation *invocation, cJSON **ret_items, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    events_path(invocation->options, &path);
    return api_client_list(invocation->client, terminal_text(&path), ret_items, NULL, err);
}

static void event_add_row(struct text_table *table, const cJSON *event, uint64_t now_ms)
{
    const cJSON *object = json_get_object(event, "involvedObject");
    const char *time = json_get_text(event, "lastTimestamp");
    cleanup_buffer struct buffer what = {0}, message = {0};
    char age[TIMESTAMP_AGE_BYTES] = "";
    uint64_t then_ms;
    if (time && timestamp_parse(&then_ms, time))
        timestamp_age(then_ms, now_ms, age);
    const char *kind = json_get_text(object, "kind"), *name = json_get_text(object, "name");
    terminal_printf(&what, "%s/%s", kind ? kind : "", name ? name : "");
    for (size_t i = 0; i < what.bytes && what.data[i] != '/'; i++)
        what.data[i] = (uint8_t)tolower(what.data[i]);
    const char *text = json_get_text(event, "message");
    int64_t count = json_get_integer(event, "count", 1);
    terminal_printf(&message, "%s", text ? text : "");
    if (count > 1)
        terminal_printf(&message, " (%" PRId64 " times)", count);
    text_table_add(table, age);
    text_table_add(table, json_get_text(event, "type"));
    text_table_add(table, json_get_text(event, "reason"));
    text_table_add(table, terminal_text(&what));
    text_table_add(table, json_get_text(json_get_object(event, "source"), "host"));
    text_table_add(table, terminal_text(&message));
}

void events_print(struct buffer *out, const cJSON *items, uint64_t now_ms)
{
    static const char *const titles[] = {"LAST SEEN", "TYPE", "REASON",
                                         "OBJECT",    "NODE", "MESSAGE"};
    enum { COLUMNS = sizeof titles / sizeof *titles };
    struct text_table table = {.column_count = COLUMNS};
    for (size_t i = 0; i < COLUMNS; i++)
        text_table_add(&table, titles[i]);
    const cJSON *item;
    cJSON_ArrayForEach(item, items) event_add_row(&table, item, now_ms);
    text_table_print(&table, out);
    text_table_release(&table);
}

static void events_show(const cJSON *items, struct buffer *out)
{
    events_print(out, items, cli_wall_ms());
}

/* --- Following -------------------------------------------------------------------------------- */

struct watching {
    const char *wanted;
    enum output_format format;
    char latest[64]; /* the lastTimestamp of what was shown: after a gap only later ones are */
    bool titles_shown;
};

static void watching_show(struct watching *watching, cJSON *items)
{
    cleanup_buffer struct buffer out = {0};
    const cJSON *item;
    events_keep(items, watching->wanted);
    cJSON_ArrayForEach(item, items)
    {
        const char *time = json_get_text(item, "lastTimestamp");
        if (time && strcmp(time, watching->latest) > 0)
            TEXT_SET(watching->latest, time);
        if (watching->format != OUTPUT_TABLE)
            output_object(&out, watching->format, item);
    }
    if (watching->format == OUTPUT_TABLE && items->child)
        events_show(items, &out);
    size_t titles = watching->titles_shown && watching->format == OUTPUT_TABLE
                        ? strcspn(terminal_text(&out), "\n") + 1
                        : 0;
    if (out.bytes > titles)
        printf("%s", terminal_text(&out) + titles);
    watching->titles_shown |= items->child != NULL;
    fflush(stdout);
}

static int watching_listed(void *context, const cJSON *items)
{
    struct watching *watching = context;
    cleanup_json cJSON *later = json_copy(items);
    for (cJSON *item = later->child, *next; item; item = next) {
        next = item->next;
        const char *time = json_get_text(item, "lastTimestamp");
        if (watching->latest[0] && (!time || strcmp(time, watching->latest) <= 0))
            cJSON_Delete(cJSON_DetachItemViaPointer(later, item));
    }
    watching_show(watching, later);
    return 0;
}

static int watching_changed(void *context, const char *type, const cJSON *event)
{
    cleanup_json cJSON *items = json_new_array();
    (void)type;
    cJSON_AddItemToArray(items, json_copy(event));
    watching_show(context, items);
    return 0;
}

static int events_watch(struct invocation *invocation, enum output_format format)
{
    const struct events_options *options = invocation->options;
    const struct text_list *arguments = &invocation->arguments;
    struct watching watching = {.wanted = arguments->count ? arguments->items[0] : NULL,
                                .format = format};
    struct follower follower = {&watching, watching_listed, watching_changed, NULL};
    cleanup_buffer struct buffer path = {0};
    struct error err = {0};
    events_path(options, &path);
    uint64_t deadline_ms = options->cli.timeout.given ? cli_mono_ms() + options->cli.timeout.ms : 0;
    if (follow(invocation->client, terminal_text(&path), deadline_ms, &follower, &err) < 0)
        return cli_fail(invocation, &err);
    return CLI_DONE;
}

static int run_events(struct invocation *invocation)
{
    const struct events_options *options = invocation->options;
    enum output_format format;
    struct error err = {0};
    cleanup_json cJSON *items = NULL;
    cleanup_buffer struct buffer out = {0};
    if (invocation->arguments.count > 1)
        return cli_fail_usage(invocation, "one object at most, please");
    if (output_format_parse(&format, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (format == OUTPUT_WIDE || format == OUTPUT_NAME)
        return cli_fail_usage(invocation, "--output is json or yaml here");
    if (options->ns && !name_is_dns1123(options->ns))
        return cli_fail_usage(invocation, "\"%s\" cannot be a namespace", options->ns);
    if (options->watch)
        return events_watch(invocation, format);
    if (events_fetch(invocation, &items, &err) < 0)
        return cli_fail(invocation, &err);
    events_keep(items, invocation->arguments.count ? invocation->arguments.items[0] : NULL);
    if (format != OUTPUT_TABLE) {
        cleanup_json cJSON *list = output_list(json_copy(items));
        output_object(&out, format, list);
    } else if (cJSON_GetArraySize(items) > 0) {
        events_show(items, &out);
    } else {
        fprintf(stderr, "There are no such events: members keep an hour of them.\n");
    }
    output_flush(&out);
    return CLI_DONE;
}

static const struct flag events_flags[] = {
    CLI_FLAG_NAMESPACE(struct events_options),
    {"all-namespaces", 'A', FLAG_BOOL, offsetof(struct events_options, all_namespaces), NULL,
     "of all namespaces"},
    {"warnings", 0, FLAG_BOOL, offsetof(struct events_options, warnings), NULL, "only warnings"},
    {"watch", 'w', FLAG_BOOL, offsetof(struct events_options, watch), NULL,
     "go on, and show what the agent that is asked notes"},
    {"output", 'o', FLAG_TEXT, offsetof(struct events_options, output), "FORMAT",
     "json or yaml (default: a table)"},
    {0},
};

const struct verb verb_events = {
    .name = "events",
    .usage = "[OBJECT] [FLAGS]",
    .summary = "Show what has happened: starts, ends, moves, deaths",
    .description =
        "Asks all members for what they have noted, the oldest first: each keeps its own latest "
        "1,000\n"
        "events of the last hour, in memory. A member that does not answer within a second is "
        "named in a\n"
        "warning. OBJECT is the name of a workload, a child or a member. Members' events are in "
        "the\n"
        "namespace default. With --watch what follows is of the agent that is asked only.\n",
    .examples =
        "  hordelet events web\n"
        "  hordelet events --warnings -A\n",
    .flags = events_flags,
    .options_bytes = sizeof(struct events_options),
    .run = run_events,
};
