/* hordelet lookup: where a name, or a workload, can be reached. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/columns.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/codec/api_objects.h"

struct lookup_options {
    struct cli_options cli;
    const char *ns, *output;
};

static const char *name_of(const cJSON *object)
{
    const char *name = json_get_text(json_get_object(object, "metadata"), "name");
    return name ? name : "";
}

static bool has_name(const cJSON *items, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, items) if (strcmp(name_of(item), name) == 0) return true;
    return false;
}

/* All names of the workload called so. */
static int lookup_workload(struct api_client *client, const char *ns, const char *name,
                           cJSON **ret_items, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, selector = {0};
    api_path_object(&path, API_NAMES, ns, NULL, NULL);
    terminal_printf(&selector, "%s=%s", API_WORKLOAD_LABEL, name);
    api_path_query(&path, "labelSelector", terminal_text(&selector));
    return api_client_list(client, terminal_text(&path), ret_items, NULL, err);
}

/* The name itself, which may be another workload's. */
static int lookup_exact(struct api_client *client, const char *ns, const char *name, cJSON *items,
                        struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    struct error failure = {0};
    cJSON *found = NULL;
    if (has_name(items, name))
        return 0;
    api_path_object(&path, API_NAMES, ns, name, NULL);
    if (api_client_get(client, terminal_text(&path), &found, &failure) == 0) {
        cJSON_AddItemToArray(items, found);
        return 0;
    }
    if (failure.code == ERROR_NOT_FOUND)
        return 0;
    *err = failure;
    return -1;
}

static void lookup_show(cJSON *items, enum output_format format)
{
    cleanup_buffer struct buffer out = {0};
    if (format == OUTPUT_TABLE) {
        const cJSON *item;
        cJSON_ArrayForEach(item, items) columns_print_lookup(&out, item);
    } else {
        cleanup_json cJSON *list = output_list(json_copy(items));
        output_object(&out, format, list);
    }
    output_flush(&out);
}

static int run_lookup(struct invocation *invocation)
{
    const struct lookup_options *options = invocation->options;
    const char *ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT;
    enum output_format format;
    struct error err = {0};
    cleanup_json cJSON *items = NULL;
    if (invocation->arguments.count != 1)
        return cli_fail_usage(invocation, "one name, please");
    const char *name = invocation->arguments.items[0];
    if (output_format_parse(&format, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    if (format == OUTPUT_WIDE || format == OUTPUT_NAME)
        return cli_fail_usage(invocation, "--output is json or yaml here");
    if (!name_is_dns1123(name))
        return cli_fail_usage(
            invocation,
            "\"%s\" cannot be a name: lower-case letters, digits and dashes, at most 63", name);
    if (lookup_workload(invocation->client, ns, name, &items, &err) < 0 ||
        lookup_exact(invocation->client, ns, name, items, &err) < 0) {
        error_wrap(&err, "%s", name);
        return cli_fail(invocation, &err);
    }
    if (cJSON_GetArraySize(items) == 0) {
        error_set(&err, ERROR_NOT_FOUND,
                  "%s: nothing has this name in namespace %s\nA child has its names while it is "
                  "running and ready: "
                  "`hordelet get children` shows what is missing.",
                  name, ns);
        return cli_fail(invocation, &err);
    }
    lookup_show(items, format);
    return CLI_DONE;
}

static const struct flag lookup_flags[] = {
    CLI_FLAG_NAMESPACE(struct lookup_options),
    {"output", 'o', FLAG_TEXT, offsetof(struct lookup_options, output), "FORMAT",
     "json or yaml (default: a line each)"},
    {0},
};

const struct verb verb_lookup = {
    .name = "lookup",
    .usage = "NAME [FLAGS]",
    .summary = "Say where a name or a workload can be reached",
    .description =
        "Prints `name node address:port`, a line for each name of the workload NAME, and for the "
        "name NAME\n"
        "itself. Every agent knows all names. Exit code 1 if there is none.\n",
    .examples =
        "  hordelet lookup web\n"
        "  curl http://$(hordelet lookup web | awk '{print $3; exit}')/\n",
    .flags = lookup_flags,
    .options_bytes = sizeof(struct lookup_options),
    .run = run_lookup,
    .arguments = ARGUMENTS_NAMES,
};
