/* hordelet rebalance: children move to where they would be placed today, once. The wish is durable,
 * the agents carry it out; what happens here is asking, and with --wait watching. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"

struct rebalance_options {
    struct cli_options cli;
    const char *output;
    bool dry_run, wait, cancel;
};

struct rebalance {
    struct api_client *client;
    const struct rebalance_options *options;
    const char *supervisor;
    struct output_done done; /* of a dry run with -o */
    cJSON *seen;             /* owned: child -> the moves that were told of and are not over */
};

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = json_get_text(object, key);
    return text ? text : "";
}

static void tell(const char *kind, const char *name, const char *what)
{
    cleanup_buffer struct buffer line = {0};
    terminal_printf(&line, "%s/", kind);
    terminal_escape(&line, name);
    terminal_printf(&line, ": ");
    terminal_escape(&line, what);
    terminal_printf(&line, "\n");
    output_flush(&line);
}

static int ask(const struct rebalance *rebalance, const char *method, cJSON **ret_answer,
               struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    api_path_object(&path, API_SUPERVISORS, NULL, rebalance->supervisor, "rebalance");
    struct api_send send = {.method = method, .path = terminal_text(&path)};
    if (api_client_send(rebalance->client, &send, NULL, ret_answer, err) < 0)
        return error_wrap(err, "supervisor/%s", rebalance->supervisor);
    return 0;
}

/* --- Dry run ---------------------------------------------------------------------------------- */

static void child_title(struct buffer *ret_name, const cJSON *move)
{
    terminal_printf(ret_name, "%s/%s", text_of(move, "namespace"), text_of(move, "child"));
}

static void add_move(struct text_table *table, const char *supervisor, const cJSON *move)
{
    cleanup_buffer struct buffer name = {0};
    child_title(&name, move);
    text_table_add(table, supervisor);
    text_table_add(table, terminal_text(&name));
    text_table_add(table, text_of(move, "from"));
    text_table_add(table, text_of(move, "to"));
    text_table_add(table, strcmp(text_of(move, "state"), "UnderWay") == 0
                              ? "is on its way"
                              : text_of(move, "reason"));
}

static int show(struct rebalance *rebalance, struct text_table *table, struct error *err)
{
    cleanup_json cJSON *answer = NULL;
    const cJSON *move;
    if (ask(rebalance, "GET", &answer, err) < 0)
        return -1;
    cJSON_ArrayForEach(move, json_get_array(json_get_object(answer, "status"), "moves"))
        add_move(table, rebalance->supervisor, move);
    if (rebalance->options->output) {
        output_done_add(&rebalance->done, API_SUPERVISORS, rebalance->supervisor, "", answer);
        answer = NULL;
    }
    return 0;
}

/* --- Watching --------------------------------------------------------------------------------- */

static void look_move(struct rebalance *rebalance, cJSON *present, const cJSON *move)
{
    cleanup_buffer struct buffer name = {0}, text = {0};
    child_title(&name, move);
    if (strcmp(text_of(move, "state"), "UnderWay") != 0)
        return;
    json_add_text(present, terminal_text(&name), text_of(move, "to"));
    if (json_get_text(rebalance->seen, terminal_text(&name)))
        return;
    if (text_of(move, "from")[0])
        terminal_printf(&text, "moves from %s to %s", text_of(move, "from"), text_of(move, "to"));
    else
        terminal_printf(&text, "moves to %s", text_of(move, "to"));
    tell("child", terminal_text(&name), terminal_text(&text));
}

/* 1: it is over. */
static int look(struct rebalance *rebalance, size_t *ret_left, struct error *err)
{
    cleanup_json cJSON *answer = NULL;
    cJSON *present = json_new_object();
    const cJSON *move;
    if (ask(rebalance, "GET", &answer, err) < 0) {
        cJSON_Delete(present);
        return -1;
    }
    const cJSON *status = json_get_object(answer, "status");
    *ret_left = (size_t)cJSON_GetArraySize(json_get_array(status, "moves"));
    cJSON_ArrayForEach(move, json_get_array(status, "moves")) look_move(rebalance, present, move);
    cJSON_Delete(rebalance->seen);
    rebalance->seen = present;
    return !json_get_bool(status, "asked", false);
}

static int watch(struct rebalance *rebalance, struct rollout_clock *clock, struct error *err)
{
    size_t left = 0;
    do {
        struct error last = {0};
        int result = look(rebalance, &left, &last);
        if (result > 0)
            return 0;
        if (result < 0 && last.code != ERROR_IO) {
            *err = last;
            return -1;
        }
    } while (rollout_clock_wait(clock, rebalance->client));
    return error_set(err, ERROR_IO,
                     "supervisor/%s: timed out: %zu children are still to move. It goes on; "
                     "`hordelet rebalance %s --cancel` calls it off",
                     rebalance->supervisor, left, rebalance->supervisor);
}

/* --- One supervisor --------------------------------------------------------------------------- */

static int begin(struct rebalance *rebalance, struct rollout_clock *clock, struct error *err)
{
    cleanup_json cJSON *answer = NULL;
    char text[64];
    if (ask(rebalance, "GET", &answer, err) < 0 || ask(rebalance, "POST", NULL, err) < 0)
        return -1;
    int count = cJSON_GetArraySize(json_get_array(json_get_object(answer, "status"), "moves"));
    snprintf(text, sizeof text, count == 1 ? "%d child to move" : "%d children to move", count);
    tell("supervisor", rebalance->supervisor, text);
    if (!rebalance->options->wait)
        return 0;
    rollout_clock_reset(clock);
    if (watch(rebalance, clock, err) < 0)
        return -1;
    tell("supervisor", rebalance->supervisor, "rebalanced");
    return 0;
}

static int cancel(const struct rebalance *rebalance, struct error *err)
{
    if (ask(rebalance, "DELETE", NULL, err) < 0)
        return -1;
    tell("supervisor", rebalance->supervisor, "rebalance called off; what is on its way may end");
    return 0;
}

static int rebalance_one(struct rebalance *rebalance, struct text_table *table,
                         struct rollout_clock *clock, struct error *err)
{
    if (rebalance->options->dry_run)
        return show(rebalance, table, err);
    if (rebalance->options->cancel)
        return cancel(rebalance, err);
    int result = begin(rebalance, clock, err);
    cJSON_Delete(rebalance->seen);
    rebalance->seen = NULL;
    return result;
}

/* --- All -------------------------------------------------------------------------------------- */

static int rebalance_all(struct rebalance *rebalance, struct text_table *table,
                         struct rollout_clock *clock, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *supervisors = NULL;
    const cJSON *supervisor;
    api_path_object(&path, API_SUPERVISORS, NULL, NULL, NULL);
    if (api_client_list(rebalance->client, terminal_text(&path), &supervisors, NULL, err) < 0)
        return -1;
    cJSON_ArrayForEach(supervisor, supervisors)
    {
        rebalance->supervisor = text_of(json_get_object(supervisor, "metadata"), "name");
        if (rebalance_one(rebalance, table, clock, err) < 0)
            return -1;
    }
    return 0;
}

static void print_plan(const struct text_table *table)
{
    cleanup_buffer struct buffer text = {0};
    if (table->count > table->column_count)
        text_table_print(table, &text);
    else
        terminal_printf(&text, "nothing to move\n");
    output_flush(&text);
}

static int run_rebalance(struct invocation *invocation)
{
    static const char *const titles[] = {"SUPERVISOR", "CHILD", "FROM", "TO", "WHY"};
    const struct rebalance_options *options = invocation->options;
    struct rebalance rebalance = {.client = invocation->client, .options = options};
    struct text_table table = {.column_count = sizeof titles / sizeof *titles};
    struct rollout_clock clock;
    struct error err = {0};
    if (invocation->arguments.count > 1)
        return cli_fail_usage(invocation, "one supervisor, or none for all");
    if (options->dry_run + options->cancel + options->wait > 1)
        return cli_fail_usage(invocation, "one of --dry-run, --wait and --cancel");
    if (options->cancel && invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "--cancel: of which supervisor?");
    if (options->output && !options->dry_run)
        return cli_fail_usage(invocation, "--output is for what would move: --dry-run");
    if (output_done_begin(&rebalance.done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    rollout_clock_start(&clock,
                        options->cli.timeout.given ? options->cli.timeout.ms : ROLLOUT_TIMEOUT_MS);
    for (size_t i = 0; i < table.column_count; i++)
        text_table_add(&table, titles[i]);
    if (invocation->arguments.count == 1)
        rebalance.supervisor = invocation->arguments.items[0];
    int result = rebalance.supervisor ? rebalance_one(&rebalance, &table, &clock, &err)
                                      : rebalance_all(&rebalance, &table, &clock, &err);
    output_done_end(&rebalance.done);
    if (result == 0 && options->dry_run && !options->output)
        print_plan(&table);
    text_table_release(&table);
    return result < 0 ? cli_fail(invocation, &err) : CLI_DONE;
}

#define OPTION(field) offsetof(struct rebalance_options, field)
static const struct flag rebalance_flags[] = {
    {"dry-run", 0, FLAG_BOOL, OPTION(dry_run), NULL, "show what would move, and move nothing"},
    {"wait", 0, FLAG_BOOL, OPTION(wait), NULL, "show what moves, until all have"},
    {"output", 'o', FLAG_TEXT, OPTION(output), "FORMAT",
     "json, yaml or name: of a dry run, what the agent has answered"},
    {"cancel", 0, FLAG_BOOL, OPTION(cancel), NULL, "call off the rebalance that is under way"},
    {0},
};

const struct verb verb_rebalance = {
    .name = "rebalance",
    .usage = "[SUPERVISOR] [FLAGS]",
    .summary = "Move children to where they would be placed today",
    .description =
        "Once, of one supervisor or of all, at the supervisor's pace (maxConcurrentMoves, order).\n"
        "The agents go on with it whoever asked; if members come or go meanwhile, they move to "
        "where\n"
        "children belong then. It ends when nothing is left that can be moved.\n",
    .examples =
        "  hordelet rebalance --dry-run\n"
        "  hordelet rebalance default --wait\n",
    .flags = rebalance_flags,
    .options_bytes = sizeof(struct rebalance_options),
    .run = run_rebalance,
    .arguments = ARGUMENTS_SUPERVISORS,
};
