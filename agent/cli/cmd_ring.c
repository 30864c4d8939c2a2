/* hordelet ring: who would run a child, and why not the others. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"

struct ring_options {
    struct cli_options cli;
    const char *ns, *output;
};

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = json_get_text(object, key);
    return text ? text : "";
}

static void add_member(struct text_table *table, const cJSON *member, bool candidate)
{
    cleanup_buffer struct buffer rank = {0}, why = {0};
    if (candidate)
        terminal_printf(&rank, "%" PRId64, json_get_integer(member, "rank", 0));
    terminal_printf(&why, "%s%s%s", text_of(member, "reason"),
                    text_of(member, "message")[0] ? ": " : "", text_of(member, "message"));
    text_table_add(table, terminal_text(&rank));
    text_table_add(table, text_of(member, "node"));
    text_table_add(table, json_get_bool(member, "holder", false) ? "yes" : "");
    text_table_add(table, terminal_text(&why));
}

static void print_head(struct buffer *text, const cJSON *ring)
{
    const cJSON *metadata = json_get_object(ring, "metadata");
    const cJSON *status = json_get_object(ring, "status");
    const char *holder = text_of(status, "holder"), *offered = text_of(status, "offeredTo");
    cleanup_buffer struct buffer line = {0};
    terminal_printf(&line, "child/%s/%s of supervisor %s (%s): ", text_of(metadata, "namespace"),
                    text_of(metadata, "name"), text_of(status, "supervisor"),
                    text_of(status, "strategy")[0] ? text_of(status, "strategy") : "unknown");
    if (*holder)
        terminal_printf(&line, "%s by %s at epoch %" PRId64, text_of(status, "claim"), holder,
                        json_get_integer(status, "epoch", 0));
    else
        terminal_printf(&line, "held by nobody");
    if (*offered)
        terminal_printf(&line, ", offered to %s", offered);
    if (text_of(status, "reason")[0])
        terminal_printf(&line, "; %s %s", text_of(status, "reason"), text_of(status, "message"));
    terminal_escape(text, terminal_text(&line));
    terminal_printf(text, "\n");
}

static void print_ring(const cJSON *ring)
{
    static const char *const titles[] = {"RANK", "NODE", "HOLDS IT", "WHY NOT"};
    const cJSON *status = json_get_object(ring, "status"), *member;
    struct text_table table = {.column_count = sizeof titles / sizeof *titles};
    cleanup_buffer struct buffer text = {0};
    for (size_t i = 0; i < table.column_count; i++)
        text_table_add(&table, titles[i]);
    cJSON_ArrayForEach(member, json_get_array(status, "candidates"))
        add_member(&table, member, true);
    cJSON_ArrayForEach(member, json_get_array(status, "excluded"))
        add_member(&table, member, false);
    print_head(&text, ring);
    text_table_print(&table, &text);
    output_flush(&text);
    text_table_release(&table);
}

/* web-0 and child/web-0 are the same. */
static int ring_get(struct invocation *invocation, const char *name, cJSON **ret_ring,
                    struct error *err)
{
    const struct ring_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0};
    if (strncmp(name, "child/", 6) == 0)
        name += 6;
    api_path_object(&path, API_CHILDREN, options->ns ? options->ns : API_NAMESPACE_DEFAULT, name,
                    "ring");
    if (api_client_get(invocation->client, terminal_text(&path), ret_ring, err) < 0)
        return error_wrap(err, "child/%s", name);
    return 0;
}

static int run_ring(struct invocation *invocation)
{
    const struct ring_options *options = invocation->options;
    enum output_format format;
    struct error err = {0};
    int code = CLI_DONE;
    if (invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "which child? `hordelet get children` names them");
    if (output_format_parse(&format, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    for (size_t i = 0; i < invocation->arguments.count; i++) {
        cleanup_json cJSON *ring = NULL;
        cleanup_buffer struct buffer text = {0};
        struct error failure = {0};
        if (ring_get(invocation, invocation->arguments.items[i], &ring, &failure) < 0) {
            code = cli_fail(invocation, &failure);
        } else if (format == OUTPUT_JSON || format == OUTPUT_YAML) {
            output_object(&text, format, ring);
            output_flush(&text);
        } else {
            print_ring(ring);
        }
    }
    return code;
}

static const struct flag ring_flags[] = {
    CLI_FLAG_NAMESPACE(struct ring_options),
    {"output", 'o', FLAG_TEXT, offsetof(struct ring_options, output), "FORMAT",
     "json or yaml (default: a table)"},
    {0},
};

const struct verb verb_ring = {
    .name = "ring",
    .usage = "CHILD... [FLAGS]",
    .summary = "Explain who would run a child, and why not the others",
    .description =
        "The members of the child's supervisor in the order in which they would claim it if it "
        "were free,\n"
        "as the asked agent sees them, and of the others why they would not.\n",
    .examples =
        "  hordelet ring web-0\n"
        "  hordelet ring web-0 -o json\n",
    .flags = ring_flags,
    .options_bytes = sizeof(struct ring_options),
    .run = run_ring,
    .arguments = ARGUMENTS_CHILDREN,
};
