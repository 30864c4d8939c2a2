/* hordelet gc --orphans: containers that are the cluster's by their labels, and of no child that it
 * knows. Nothing of them is ever touched unless this is asked for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"

#define GC_TIMEOUT_MS 60000

struct gc_options {
    struct cli_options cli;
    const char *node, *output;
    bool orphans, dry_run;
};

struct gc {
    struct invocation *invocation;
    const struct gc_options *options;
    cJSON *found; /* owned: all orphans, each with its node */
    bool failed;
};

/* --- Asking ----------------------------------------------------------------------------------- */

/* What the member has; remove: and its end begins. *ret_items is the caller's. */
static int gc_ask(struct api_client *client, const char *member, bool remove, cJSON **ret_items,
                  struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *list = NULL;
    api_path_object(&path, API_MEMBERS, NULL, member, "orphans");
    struct api_send send = {.method = remove ? "DELETE" : "GET", .path = terminal_text(&path)};
    if (api_client_send(client, &send, NULL, &list, err) < 0)
        return error_wrap(err, "member/%s", member);
    if (json_get_integer(json_get_object(list, "metadata"), "remainingItemCount", 0) > 0)
        fprintf(stderr, "hordelet: gc: not all orphans of %s are listed: repeat it afterwards\n",
                member);
    cJSON *items = cJSON_DetachItemFromObjectCaseSensitive(list, "items");
    *ret_items = items ? items : json_new_array();
    return 0;
}

static void gc_member(struct gc *gc, const char *member)
{
    struct error err = {0};
    cleanup_json cJSON *items = NULL;
    bool remove = !gc->options->dry_run;
    if (gc_ask(gc->invocation->client, member, remove, &items, &err) < 0) {
        cli_fail(gc->invocation, &err);
        gc->failed = true;
        return;
    }
    while (items->child) {
        cJSON *item = cJSON_DetachItemViaPointer(items, items->child);
        json_add_text(item, "node", member);
        cJSON_AddItemToArray(gc->found, item);
    }
}

/* Of those that are gone for good nothing can be asked. */
static bool member_is_there(const cJSON *member)
{
    const char *phase = json_get_text(json_get_object(member, "status"), "phase");
    return phase && strcmp(phase, "left") != 0 && strcmp(phase, "dead") != 0 &&
           strcmp(phase, "absent") != 0;
}

static int gc_members(struct gc *gc, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *members = NULL;
    if (gc->options->node) {
        gc_member(gc, gc->options->node);
        return 0;
    }
    api_path_object(&path, API_MEMBERS, NULL, NULL, NULL);
    if (api_client_list(gc->invocation->client, terminal_text(&path), &members, NULL, err) < 0)
        return -1;
    const cJSON *member;
    cJSON_ArrayForEach(member, members)
    {
        const char *name = json_get_text(json_get_object(member, "metadata"), "name");
        if (name && member_is_there(member))
            gc_member(gc, name);
        else if (name)
            fprintf(stderr, "hordelet: gc: member/%s cannot be asked: it is not there\n", name);
    }
    return 0;
}

/* --- Showing ---------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *item, const char *key)
{
    const char *text = json_get_text(item, key);
    return text ? text : "";
}

static void print_child(struct buffer *text, const cJSON *item)
{
    terminal_printf(text, "%s/%s-%" PRId64, text_of(item, "namespace"), text_of(item, "workload"),
                    json_get_integer(item, "ordinal", 0));
}

static void gc_show_table(const struct gc *gc, struct buffer *out)
{
    static const char *const titles[] = {"NODE", "CONTAINER", "CHILD", "EPOCH", "STATE"};
    struct text_table table = {.column_count = sizeof titles / sizeof *titles};
    for (size_t i = 0; i < table.column_count; i++)
        text_table_add(&table, titles[i]);
    const cJSON *item;
    cJSON_ArrayForEach(item, gc->found)
    {
        cleanup_buffer struct buffer child = {0}, id = {0}, epoch = {0};
        print_child(&child, item);
        terminal_printf(&id, "%.12s", text_of(item, "containerID"));
        terminal_printf(&epoch, "%" PRId64, json_get_integer(item, "epoch", 0));
        text_table_add(&table, text_of(item, "node"));
        text_table_add(&table, terminal_text(&id));
        text_table_add(&table, terminal_text(&child));
        text_table_add(&table, terminal_text(&epoch));
        text_table_add(&table, json_get_bool(item, "running", false) ? "running" : "ended");
    }
    text_table_print(&table, out);
    text_table_release(&table);
}

static void gc_show(const struct gc *gc, enum output_format format)
{
    cleanup_buffer struct buffer out = {0};
    if (format != OUTPUT_TABLE) {
        cleanup_json cJSON *list = output_list(json_copy(gc->found));
        output_object(&out, format, list);
    } else if (cJSON_GetArraySize(gc->found) > 0) {
        gc_show_table(gc, &out);
    } else if (!gc->failed) {
        fprintf(stderr, "There are no orphans.\n");
    }
    output_flush(&out);
}

/* --- Their end -------------------------------------------------------------------------------- */

static const cJSON *gc_same(const cJSON *items, const cJSON *wanted)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, items) if (strcmp(text_of(item, "containerID"),
                                               text_of(wanted, "containerID")) == 0) return item;
    return NULL;
}

/* 1: it is gone, 0: not yet, -1: it will not go. */
static int gc_look(struct gc *gc, const cJSON *orphan, struct error *err)
{
    cleanup_json cJSON *items = NULL;
    if (gc_ask(gc->invocation->client, text_of(orphan, "node"), false, &items, err) < 0)
        return err->code == ERROR_IO ? 0 : -1;
    const cJSON *left = gc_same(items, orphan);
    if (!left)
        return 1;
    if (json_get_bool(left, "ending", false))
        return 0;
    return error_set(err, ERROR_CONFLICT, "%s",
                     *text_of(left, "message") ? text_of(left, "message")
                                               : "its child has become known: it stays");
}

static void gc_await(struct gc *gc, const cJSON *orphan, struct rollout_clock *clock)
{
    cleanup_buffer struct buffer child = {0}, line = {0};
    struct error err;
    int result;
    print_child(&child, orphan);
    do {
        err = (struct error){0};
        result = gc_look(gc, orphan, &err);
    } while (result == 0 && rollout_clock_wait(clock, gc->invocation->client));
    terminal_printf(&line, "container %.12s of ", text_of(orphan, "containerID"));
    terminal_escape(&line, terminal_text(&child));
    terminal_printf(&line, " on %s", text_of(orphan, "node"));
    if (result > 0) {
        printf("%s removed\n", terminal_text(&line));
        return;
    }
    if (result == 0)
        error_set(&err, ERROR_IO, "not gone in time; its end goes on");
    error_wrap(&err, "%s", terminal_text(&line));
    cli_fail(gc->invocation, &err);
    gc->failed = true;
}

static void gc_end(struct gc *gc)
{
    const struct cli_options *cli = &gc->options->cli;
    struct rollout_clock clock;
    const cJSON *orphan;
    rollout_clock_start(&clock, cli->timeout.given ? cli->timeout.ms : GC_TIMEOUT_MS);
    cJSON_ArrayForEach(orphan, gc->found)
    {
        rollout_clock_reset(&clock);
        gc_await(gc, orphan, &clock);
    }
    if (cJSON_GetArraySize(gc->found) == 0 && !gc->failed)
        fprintf(stderr, "There are no orphans.\n");
}

static int run_gc(struct invocation *invocation)
{
    struct gc gc = {.invocation = invocation, .options = invocation->options};
    enum output_format format;
    struct error err = {0};
    if (invocation->arguments.count > 0 || !gc.options->orphans)
        return cli_fail_usage(invocation, "what is to go? --orphans");
    if (output_format_parse(&format, gc.options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (format == OUTPUT_WIDE || format == OUTPUT_NAME ||
        (gc.options->output && !gc.options->dry_run))
        return cli_fail_usage(invocation, "--output is json or yaml, with --dry-run");
    gc.found = json_new_array();
    if (gc_members(&gc, &err) < 0) {
        cli_fail(invocation, &err);
        gc.failed = true;
    } else if (gc.options->dry_run) {
        gc_show(&gc, format);
    } else {
        gc_end(&gc);
    }
    cJSON_Delete(gc.found);
    return gc.failed ? CLI_FAILED : CLI_DONE;
}

static const struct flag gc_flags[] = {
    {"orphans", 0, FLAG_BOOL, offsetof(struct gc_options, orphans), NULL,
     "containers of the cluster whose child it does not know"},
    {"node", 0, FLAG_TEXT, offsetof(struct gc_options, node), "MEMBER",
     "of this member only (default: of all)"},
    {"dry-run", 0, FLAG_BOOL, offsetof(struct gc_options, dry_run), NULL,
     "show them, and touch nothing"},
    {"output", 'o', FLAG_TEXT, offsetof(struct gc_options, output), "FORMAT",
     "json or yaml, with --dry-run (default: a table)"},
    {0},
};

const struct verb verb_gc = {
    .name = "gc",
    .usage = "--orphans [--node MEMBER] [--dry-run] [FLAGS]",
    .summary = "Stop and remove containers that no child owns",
    .description =
        "An orphan carries this cluster's and its node's labels, but its child is unknown to the "
        "cluster:\n"
        "left over from a data directory that was lost, say. No agent touches one by itself. Here "
        "each is\n"
        "stopped (5s, then killed) and removed; look first, with --dry-run. An agent that has not "
        "compared\n"
        "itself with the others yet refuses. Waits for at most --timeout (default here: 60s).\n",
    .examples =
        "  hordelet gc --orphans --dry-run\n"
        "  hordelet gc --orphans --node node-3\n",
    .flags = gc_flags,
    .options_bytes = sizeof(struct gc_options),
    .run = run_gc,
};
