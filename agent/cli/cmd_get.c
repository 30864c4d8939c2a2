/* hordelet get: objects as tables, YAML, JSON or names. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/columns.h"
#include "agent/cli/follow.h"
#include "agent/cli/get_watch.h"
#include "agent/cli/output.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"

struct get_options {
    struct cli_options cli;
    const char *ns, *selector, *field_selector, *output;
    bool all_namespaces, watch, managed_fields;
};

/* What was found, kind by kind in the order of the command line. */
struct get_group {
    enum api_resource resource;
    cJSON *items; /* owned */
};

struct get {
    struct invocation *invocation;
    const struct get_options *options;
    enum output_format format;
    struct get_group *groups; /* owned */
    size_t group_count;
    bool failed;
};

static const char *get_namespace(const struct get_options *options)
{
    if (options->all_namespaces)
        return NULL;
    return options->ns ? options->ns : API_NAMESPACE_DEFAULT;
}

/* Neighbours of one kind share a table. */
static cJSON *get_group_for(struct get *get, enum api_resource resource)
{
    struct get_group *last = get->group_count > 0 ? &get->groups[get->group_count - 1] : NULL;
    if (last && last->resource == resource)
        return last->items;
    get->groups = xrealloc(get->groups, (get->group_count + 1) * sizeof *get->groups);
    get->groups[get->group_count] = (struct get_group){resource, json_new_array()};
    return get->groups[get->group_count++].items;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static int get_fetch(struct get *get, const struct target *target, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *found = NULL;
    struct api_client *client = get->invocation->client;
    cJSON *items = get_group_for(get, target->resource);
    api_path_object(&path, target->resource, get_namespace(get->options), target->name, NULL);
    if (target->name) {
        if (api_client_get(client, terminal_text(&path), &found, err) < 0)
            return -1;
        cJSON_AddItemToArray(items, found);
        found = NULL;
        return 0;
    }
    api_path_query(&path, "labelSelector", get->options->selector);
    api_path_query(&path, "fieldSelector", get->options->field_selector);
    if (api_client_list(client, terminal_text(&path), &found, NULL, err) < 0)
        return -1;
    while (found->child)
        cJSON_AddItemToArray(items, cJSON_DetachItemViaPointer(found, found->child));
    return 0;
}

static void get_fetch_all(struct get *get, const struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        struct error err = {0};
        if (get_fetch(get, &targets->items[i], &err) == 0)
            continue;
        cli_fail(get->invocation, &err);
        get->failed = true;
        if (!api_client_reached(get->invocation->client))
            return;
    }
}

/* --- Showing ---------------------------------------------------------------------------------- */

static void get_say_none(const struct get *get, enum api_resource resource)
{
    cleanup_buffer struct buffer where = {0};
    const char *ns = get_namespace(get->options);
    bool selected = get->options->selector || get->options->field_selector;
    if (api_resources[resource].namespaced && ns) {
        terminal_printf(&where, " in namespace ");
        terminal_escape(&where, ns);
    }
    fflush(stdout);
    fprintf(stderr, "There are no %s%s%s.\n", api_resources[resource].plural,
            selected ? " with these labels or fields" : "", terminal_text(&where));
}

static void get_show_tables(const struct get *get, struct buffer *out)
{
    struct columns_options options = {
        .wide = get->format == OUTPUT_WIDE,
        .with_namespace = get->options->all_namespaces,
        .colours = output_has_colours(),
        .now_ms = cli_wall_ms(),
    };
    for (size_t i = 0; i < get->group_count; i++) {
        const struct get_group *group = &get->groups[i];
        if (cJSON_GetArraySize(group->items) == 0) {
            if (!get->failed)
                get_say_none(get, group->resource);
            continue;
        }
        terminal_printf(out, "%s", out->bytes > 0 ? "\n" : "");
        columns_print(out, group->resource, group->items, &options);
    }
}

static void get_show_names(const struct get *get, struct buffer *out)
{
    for (size_t i = 0; i < get->group_count; i++) {
        const cJSON *item;
        cJSON_ArrayForEach(item, get->groups[i].items)
            output_name(out, get->groups[i].resource, item);
    }
}

/* One named object is shown as itself, all else as a List. */
static void get_show_objects(const struct get *get, bool single, struct buffer *out)
{
    cJSON *all = json_new_array();
    for (size_t i = 0; i < get->group_count; i++) {
        cJSON *items = get->groups[i].items;
        while (items->child) {
            cJSON *item = cJSON_DetachItemViaPointer(items, items->child);
            if (!get->options->managed_fields)
                output_trim(item);
            cJSON_AddItemToArray(all, item);
        }
    }
    if (single && get->failed) {
        cJSON_Delete(all);
        return;
    }
    cleanup_json cJSON *shown = single ? cJSON_DetachItemFromArray(all, 0) : NULL;
    if (single)
        cJSON_Delete(all);
    else
        shown = output_list(all);
    output_object(out, get->format, shown);
}

static void get_show(const struct get *get, const struct targets *targets)
{
    cleanup_buffer struct buffer out = {0};
    bool single = targets->count == 1 && targets->items[0].name;
    if (get->format == OUTPUT_YAML || get->format == OUTPUT_JSON)
        get_show_objects(get, single, &out);
    else if (get->format == OUTPUT_NAME)
        get_show_names(get, &out);
    else
        get_show_tables(get, &out);
    output_flush(&out);
}

/* --- The verb --------------------------------------------------------------------------------- */

/* What makes no sense together. ERROR_INVALID. */
static int get_check(const struct get_options *options, const struct targets *targets,
                     struct error *err)
{
    bool named = false;
    for (size_t i = 0; i < targets->count; i++)
        named = named || targets->items[i].name;
    if (options->watch && targets->count > 1)
        return error_set(err, ERROR_INVALID, "--watch follows one kind, or one object");
    if (named && options->all_namespaces)
        return error_set(err, ERROR_INVALID,
                         "a name is looked up in one namespace: --namespace, not --all-namespaces");
    if (named && (options->selector || options->field_selector))
        return error_set(err, ERROR_INVALID, "a name and a selector exclude each other");
    if (options->ns && options->all_namespaces)
        return error_set(err, ERROR_INVALID, "--namespace and --all-namespaces exclude each other");
    return 0;
}

static int get_watch_target(struct get *get, const struct target *target)
{
    const struct get_options *options = get->options;
    cleanup_buffer struct buffer path = {0}, one = {0};
    struct error err = {0};
    api_path_object(&path, target->resource, get_namespace(options), NULL, NULL);
    terminal_printf(&one, "metadata.name=%s", target->name ? target->name : "");
    api_path_query(&path, "labelSelector", options->selector);
    api_path_query(&path, "fieldSelector",
                   target->name ? terminal_text(&one) : options->field_selector);
    struct get_watch what = {
        .resource = target->resource,
        .path = terminal_text(&path),
        .format = get->format,
        .with_namespace = options->all_namespaces,
        .managed_fields = options->managed_fields,
        .deadline_ms = options->cli.timeout.given ? cli_mono_ms() + options->cli.timeout.ms : 0};
    return get_watch(get->invocation->client, &what, &err) < 0 ? cli_fail(get->invocation, &err)
                                                               : CLI_DONE;
}

static int run_get(struct invocation *invocation)
{
    struct get get = {.invocation = invocation, .options = invocation->options};
    struct targets targets = {0};
    struct error err = {0};
    if (output_format_parse(&get.format, get.options->output, &err) < 0 ||
        targets_parse(&targets, &invocation->arguments, &err) < 0 ||
        get_check(get.options, &targets, &err) < 0) {
        targets_release(&targets);
        return cli_fail_usage(invocation, "%s", err.text);
    }
    if (get.options->watch) {
        int code = get_watch_target(&get, &targets.items[0]);
        targets_release(&targets);
        return code;
    }
    get_fetch_all(&get, &targets);
    if (!get.failed || api_client_reached(invocation->client))
        get_show(&get, &targets);
    for (size_t i = 0; i < get.group_count; i++)
        cJSON_Delete(get.groups[i].items);
    free(get.groups);
    targets_release(&targets);
    return get.failed ? CLI_FAILED : CLI_DONE;
}

static const struct flag get_flags[] = {
    CLI_FLAG_NAMESPACE(struct get_options),
    {"all-namespaces", 'A', FLAG_BOOL, offsetof(struct get_options, all_namespaces), NULL,
     "objects of all namespaces, with a column that says which"},
    {"selector", 'l', FLAG_TEXT, offsetof(struct get_options, selector), "SELECTOR",
     "only those with these labels: app=web,tier!=test"},
    {"field-selector", 0, FLAG_TEXT, offsetof(struct get_options, field_selector), "SELECTOR",
     "only those with these fields: status.phase=Running"},
    {"output", 'o', FLAG_TEXT, offsetof(struct get_options, output), "FORMAT",
     "wide, yaml, json or name (default: a table)"},
    {"show-managed-fields", 0, FLAG_BOOL, offsetof(struct get_options, managed_fields), NULL,
     "keep metadata.managedFields in yaml and json"},
    {"watch", 'w', FLAG_BOOL, offsetof(struct get_options, watch), NULL,
     "go on, and show what changes, until interrupted or for --timeout"},
    {0},
};

const struct verb verb_get = {
    .name = "get",
    .usage = "KIND [NAME...] | KIND/NAME... [FLAGS]",
    .summary = "Show objects",
    .description =
        "Kinds:\n"
        "  workloads (wl)     what should run\n"
        "  children (ch)      what runs, or should: one container each\n"
        "  names              who can be reached under which name, and where\n"
        "  supervisors (sup)  how workloads are placed and restarted\n"
        "  members            the agents of this cluster\n"
        "\n"
        "On a terminal states have colours; NO_COLOR=1 turns them off.\n",
    .examples =
        "  hordelet get workloads\n"
        "  hordelet get children -A -o wide\n"
        "  hordelet get ch -l hordelet.dev/workload=web\n"
        "  hordelet get wl,ch\n"
        "  hordelet get children -w\n"
        "  hordelet get workload/web -o yaml\n",
    .flags = get_flags,
    .options_bytes = sizeof(struct get_options),
    .run = run_get,
    .arguments = ARGUMENTS_OBJECTS,
};
