/* hordelet wait: until objects are as they should be. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/cli_time.h"
#include "agent/cli/follow.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"
#include "agent/cli/wait_for.h"
#include "agent/core/document.h"

struct wait_options {
    struct cli_options cli;
    const char *ns, *until, *output;
};

struct waiting {
    const struct wait_for *wait;
    enum api_resource resource;
    bool was_there;
    cJSON *last;        /* as it was seen last; NULL: it was not there */
    char progress[256]; /* of a workload, for the one who runs out of time */
};

enum { WAIT_HOLDS = 1 };

static int waiting_judge(struct waiting *waiting, const cJSON *object)
{
    cleanup_buffer struct buffer progress = {0};
    waiting->was_there |= object != NULL;
    if (object) {
        cJSON_Delete(waiting->last);
        waiting->last = cJSON_Duplicate(object, true);
    }
    if (object && waiting->resource == API_WORKLOADS) {
        rollout_is_ready(object, &progress);
        TEXT_SET(waiting->progress, terminal_text(&progress));
    }
    return wait_for_holds(waiting->wait, waiting->resource, object) ? WAIT_HOLDS : 0;
}

static int waiting_listed(void *context, const cJSON *items)
{
    return waiting_judge(context, items->child);
}

static int waiting_changed(void *context, const char *type, const cJSON *object)
{
    return waiting_judge(context, strcmp(type, "DELETED") == 0 ? NULL : object);
}

static int wait_one(struct invocation *invocation, const struct target *target,
                    const struct wait_for *wait, uint64_t deadline_ms, struct output_done *done,
                    struct error *err)
{
    const struct wait_options *options = invocation->options;
    struct waiting waiting = {.wait = wait, .resource = target->resource};
    struct follower follower = {&waiting, waiting_listed, waiting_changed, NULL};
    cleanup_buffer struct buffer path = {0}, one = {0};
    api_path_object(&path, target->resource, options->ns ? options->ns : API_NAMESPACE_DEFAULT,
                    NULL, NULL);
    terminal_printf(&one, "metadata.name=%s", target->name);
    api_path_query(&path, "fieldSelector", terminal_text(&one));
    int result = follow(invocation->client, terminal_text(&path), deadline_ms, &follower, err);
    const char *kind = api_resources[target->resource].singular;
    if (result > 0) {
        if (waiting.last)
            output_trim(waiting.last);
        output_done_add(done, target->resource, target->name,
                        wait->type == WAIT_DELETED ? "deleted" : "condition met", waiting.last);
        return 0;
    }
    cJSON_Delete(waiting.last);
    if (result == 0)
        return error_set(err, ERROR_IO, "%s/%s: timed out%s%s", kind, target->name,
                         !waiting.was_there    ? ": it is not there"
                         : waiting.progress[0] ? ": "
                                               : "",
                         waiting.progress);
    return -1;
}

/* "quorum [SUPERVISOR]" is a supervisor that is ready. */
static int wait_targets(struct targets *ret_targets, const struct text_list *arguments,
                        struct error *err)
{
    if (arguments->count == 0 || strcmp(arguments->items[0], "quorum") != 0)
        return targets_parse(ret_targets, arguments, err);
    if (arguments->count > 2)
        return error_set(err, ERROR_INVALID, "wait quorum [SUPERVISOR]: one at a time");
    ret_targets->items = xcalloc(1, sizeof *ret_targets->items);
    ret_targets->count = 1;
    ret_targets->items[0] = (struct target){
        API_SUPERVISORS, arguments->count == 2 ? arguments->items[1] : SUPERVISOR_QUORUM};
    return 0;
}

static int run_wait(struct invocation *invocation)
{
    const struct wait_options *options = invocation->options;
    struct targets targets = {0};
    struct wait_for wait;
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    int code = CLI_DONE;
    bool good = output_done_begin(&done, options->output, &err) == 0 &&
                wait_for_parse(&wait, options->until, &err) == 0 &&
                wait_targets(&targets, &invocation->arguments, &err) == 0;
    for (size_t i = 0; good && i < targets.count; i++)
        if (!targets.items[i].name)
            good = error_set(&err, ERROR_INVALID, "which %s? KIND/NAME",
                             api_resources[targets.items[i].resource].singular) == 0;
    if (!good)
        code = cli_fail_usage(invocation, "%s", err.text);
    uint64_t timeout_ms = options->cli.timeout.given ? options->cli.timeout.ms : API_TIMEOUT_MS;
    uint64_t deadline_ms = cli_mono_ms() + timeout_ms;
    for (size_t i = 0; good && i < targets.count; i++)
        if (wait_one(invocation, &targets.items[i], &wait, deadline_ms, &done, &err) < 0)
            code = cli_fail(invocation, &err);
    if (good)
        output_done_end(&done);
    targets_release(&targets);
    return code;
}

static const struct flag wait_flags[] = {
    CLI_FLAG_NAMESPACE(struct wait_options),
    {"for", 0, FLAG_TEXT, offsetof(struct wait_options, until), "WHAT",
     "ready, deleted, condition=TYPE[=STATUS], jsonpath={.PATH}[=VALUE] (default: ready)"},
    CLI_FLAG_OUTPUT_DONE(struct wait_options),
    {0},
};

const struct verb verb_wait = {
    .name = "wait",
    .usage = "KIND/NAME... | quorum [SUPERVISOR] [FLAGS]",
    .summary = "Wait until objects are ready, gone, or as a field says",
    .description =
        "Follows the objects, over restarts of the agent; what is not there yet is waited for. "
        "Ready "
        "is: a\n"
        "workload whose replicas all run its present spec and are ready, a child that is ready, a "
        "member that\n"
        "is alive, a supervisor with its quorum, a name that somebody has. Out of time is exit "
        "code "
        "1.\n",
    .examples =
        "  hordelet wait workload/web --timeout 2m\n"
        "  hordelet wait child/web-0 --for jsonpath={.status.phase}=Succeeded\n"
        "  hordelet wait workload/web --for deleted\n"
        "  hordelet wait quorum\n",
    .flags = wait_flags,
    .options_bytes = sizeof(struct wait_options),
    .run = run_wait,
    .arguments = ARGUMENTS_OBJECTS,
};
