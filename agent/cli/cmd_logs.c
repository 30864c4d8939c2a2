/* hordelet logs: what containers have printed, wherever they run.
 *
 * Lines are printed as they come, whole ones if there are several children. An answer that the
 * agent had to cut off ends with a line of its own, "hordelet: WHY": it is told apart, and goes to
 * standard error. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/api_stream.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"
#include "agent/codec/api_objects.h"

#define CUT_PREFIX "hordelet: "

enum { LOGS_AT_ONCE_MAX = 64, LINE_BYTES_MAX = 64 * 1024 };

struct logs_options {
    struct cli_options cli;
    const char *ns;
    bool follow, timestamps;
    struct flag_count tail;
    struct flag_duration since;
};

struct log_child {
    char *name; /* owned */
    struct buffer path;
    struct buffer line; /* the beginning of one that has not come whole */
    struct buffer held; /* what may turn out to be the agent's last word */
    bool prefixed;      /* the name stands before each line */
    struct api_stream stream;
};

struct logs {
    struct invocation *invocation;
    const char *ns;
    struct log_child *children; /* owned */
    size_t count;
};

/* --- Lines ------------------------------------------------------------------------------------ */

static void line_print(const struct log_child *child, struct span line)
{
    if (child->prefixed)
        printf("[%s] ", child->name);
    fwrite(line.data, 1, line.bytes, stdout);
}

static void held_print(struct log_child *child)
{
    if (child->held.bytes > 0)
        line_print(child, buffer_view(&child->held));
    buffer_clear(&child->held);
}

/* An empty line may be the one before the agent's last word: it is printed with the next one. */
static void line_take(struct log_child *child, struct span line)
{
    bool cut =
        line.bytes > strlen(CUT_PREFIX) && memcmp(line.data, CUT_PREFIX, strlen(CUT_PREFIX)) == 0;
    bool empty = line.bytes == 1;
    if (!cut || child->held.bytes > 1)
        held_print(child);
    if (cut || empty)
        buffer_append(&child->held, line.data, line.bytes);
    else
        line_print(child, line);
}

static bool logs_piece(struct api_stream *stream, struct span bytes)
{
    struct log_child *child = stream->context;
    for (size_t at = 0; at < bytes.bytes;) {
        const uint8_t *end = memchr(bytes.data + at, '\n', bytes.bytes - at);
        size_t here = end ? (size_t)(end - bytes.data) + 1 - at : bytes.bytes - at;
        buffer_append(&child->line, bytes.data + at, here);
        at += here;
        if (!end && child->line.bytes < LINE_BYTES_MAX)
            break;
        line_take(child, buffer_view(&child->line));
        buffer_clear(&child->line);
    }
    fflush(stdout);
    return !ferror(stdout);
}

/* True: it ended with what the agent had to say, which is in err then. */
static bool logs_end(struct log_child *child, struct error *err)
{
    struct span held = buffer_view(&child->held);
    const uint8_t *cut =
        held.bytes ? memmem(held.data, held.bytes, CUT_PREFIX, strlen(CUT_PREFIX)) : NULL;
    if (cut && child->line.bytes == 0) {
        size_t bytes = held.bytes - (size_t)(cut - held.data) - strlen(CUT_PREFIX);
        error_set(err, ERROR_IO, "%.*s", (int)bytes - 1, (const char *)cut + strlen(CUT_PREFIX));
        return true;
    }
    held_print(child);
    if (child->line.bytes > 0)
        line_print(child, buffer_view(&child->line));
    if (child->line.bytes > 0 && child->prefixed)
        printf("\n");
    return false;
}

/* --- Which children --------------------------------------------------------------------------- */

static void logs_add(struct logs *logs, const char *name)
{
    const struct logs_options *options = logs->invocation->options;
    logs->children = xrealloc(logs->children, (logs->count + 1) * sizeof *logs->children);
    struct log_child *child = &logs->children[logs->count++];
    char number[24];
    *child = (struct log_child){.name = xstrdup(name)};
    api_path_object(&child->path, API_CHILDREN, logs->ns, name, "log");
    api_path_query(&child->path, "follow", options->follow ? "true" : NULL);
    api_path_query(&child->path, "timestamps", options->timestamps ? "true" : NULL);
    snprintf(number, sizeof number, "%" PRIu32, options->tail.value);
    api_path_query(&child->path, "tailLines", options->tail.given ? number : NULL);
    snprintf(number, sizeof number, "%" PRIu64, (options->since.ms + 999) / 1000);
    api_path_query(&child->path, "sinceSeconds", options->since.given ? number : NULL);
}

static int logs_add_workload(struct logs *logs, const char *name, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, selector = {0};
    cleanup_json cJSON *items = NULL;
    api_path_object(&path, API_CHILDREN, logs->ns, NULL, NULL);
    terminal_printf(&selector, "%s=%s", API_WORKLOAD_LABEL, name);
    api_path_query(&path, "labelSelector", terminal_text(&selector));
    if (api_client_list(logs->invocation->client, terminal_text(&path), &items, NULL, err) < 0)
        return -1;
    const cJSON *item;
    cJSON_ArrayForEach(item, items)
        logs_add(logs, json_get_text(json_get_object(item, "metadata"), "name"));
    if (cJSON_GetArraySize(items) == 0)
        return error_set(err, ERROR_NOT_FOUND,
                         "there is neither a child nor a workload with children called %s in "
                         "namespace %s; `hordelet get children` names them",
                         name, logs->ns);
    return 0;
}

/* A child, or a workload. */
static int logs_add_name(struct logs *logs, const char *name, struct error *err)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_json cJSON *child = NULL;
    struct error missing = {0};
    api_path_object(&path, API_CHILDREN, logs->ns, name, NULL);
    if (api_client_get(logs->invocation->client, terminal_text(&path), &child, &missing) == 0) {
        logs_add(logs, name);
        return 0;
    }
    if (missing.code == ERROR_NOT_FOUND)
        return logs_add_workload(logs, name, err);
    *err = missing;
    return -1;
}

static int logs_add_word(struct logs *logs, const char *word, struct error *err)
{
    const char *slash = strchr(word, '/');
    enum api_resource resource;
    if (!slash)
        return logs_add_name(logs, word, err);
    if (target_resource(&resource, word, (size_t)(slash - word), err) < 0)
        return -1;
    if (resource == API_WORKLOADS)
        return logs_add_workload(logs, slash + 1, err);
    if (resource != API_CHILDREN)
        return error_set(err, ERROR_INVALID, "logs are of children and workloads, not of %s",
                         api_resources[resource].plural);
    logs_add(logs, slash + 1);
    return 0;
}

/* --- The verb --------------------------------------------------------------------------------- */

static void logs_release(struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        free(logs->children[i].name);
        buffer_release(&logs->children[i].path);
        buffer_release(&logs->children[i].line);
        buffer_release(&logs->children[i].held);
    }
    free(logs->children);
}

static void logs_run(struct logs *logs, struct api_stream *streams, size_t first, size_t count)
{
    const struct logs_options *options = logs->invocation->options;
    uint64_t quiet_ms = options->cli.timeout.given ? options->cli.timeout.ms : API_TIMEOUT_MS;
    api_streams_run(logs->invocation->client, streams + first, count,
                    options->follow ? 0 : quiet_ms);
}

/* Followed all at once, else one after the other. */
static int logs_show(struct logs *logs)
{
    const struct logs_options *options = logs->invocation->options;
    cleanup_free struct api_stream *streams = xcalloc(logs->count + 1, sizeof *streams);
    int code = CLI_DONE;
    for (size_t i = 0; i < logs->count; i++) {
        logs->children[i].prefixed = logs->count > 1;
        streams[i] = (struct api_stream){.path = terminal_text(&logs->children[i].path),
                                         .piece = logs_piece,
                                         .context = &logs->children[i]};
    }
    if (options->follow)
        logs_run(logs, streams, 0, logs->count);
    for (size_t i = 0; i < logs->count && !ferror(stdout); i++) {
        struct error err = {0};
        if (!options->follow)
            logs_run(logs, streams, i, 1);
        if (!logs_end(&logs->children[i], &err) && !streams[i].failed)
            continue;
        if (streams[i].failed)
            err = streams[i].err;
        error_wrap(&err, "child/%s", logs->children[i].name);
        code = cli_fail(logs->invocation, &err);
    }
    return code;
}

static int run_logs(struct invocation *invocation)
{
    const struct logs_options *options = invocation->options;
    struct logs logs = {.invocation = invocation,
                        .ns = options->ns ? options->ns : API_NAMESPACE_DEFAULT};
    struct error err = {0};
    int code = CLI_DONE;
    if (invocation->arguments.count == 0)
        return cli_fail_usage(invocation, "of which child or workload?");
    for (size_t i = 0; i < invocation->arguments.count && code == CLI_DONE; i++)
        if (logs_add_word(&logs, invocation->arguments.items[i], &err) < 0)
            code = err.code == ERROR_INVALID ? cli_fail_usage(invocation, "%s", err.text)
                                             : cli_fail(invocation, &err);
    if (code == CLI_DONE && options->follow && logs.count > LOGS_AT_ONCE_MAX)
        code = cli_fail_usage(invocation, "%zu logs are too many to follow at once: at most %d",
                              logs.count, LOGS_AT_ONCE_MAX);
    if (code == CLI_DONE)
        code = logs_show(&logs);
    logs_release(&logs);
    return code;
}

static const struct flag logs_flags[] = {
    {"follow", 'f', FLAG_BOOL, offsetof(struct logs_options, follow), NULL,
     "go on with what is printed from now on, until the container ends"},
    {"tail", 0, FLAG_COUNT, offsetof(struct logs_options, tail), "N",
     "only the last N lines of what there is (default: all)"},
    {"since", 0, FLAG_DURATION, offsetof(struct logs_options, since), "DURATION",
     "only what is no older than that: 30s, 5m, 2h"},
    {"timestamps", 0, FLAG_BOOL, offsetof(struct logs_options, timestamps), NULL,
     "the time before each line"},
    CLI_FLAG_NAMESPACE(struct logs_options),
    {0},
};

const struct verb verb_logs = {
    .name = "logs",
    .usage = "CHILD|WORKLOAD... [FLAGS]",
    .summary = "Show what containers have printed",
    .description =
        "Of a child's present container, wherever it runs: any agent gets it. Of a workload, of "
        "all "
        "its\n"
        "children, one after the other (with -f all at once, at most 64), each line behind its "
        "child's name.\n"
        "If the child's node dies, or cannot be reached, the log ends with a message, and the exit "
        "code is 1.\n"
        "--timeout is for how long nothing may come; with -f that may be for ever.\n",
    .examples =
        "  hordelet logs web-0 --tail 20\n"
        "  hordelet logs web -f\n"
        "  hordelet logs child/web-0 --since 10m --timestamps\n",
    .flags = logs_flags,
    .options_bytes = sizeof(struct logs_options),
    .run = run_logs,
    .arguments = ARGUMENTS_CHILDREN,
};
