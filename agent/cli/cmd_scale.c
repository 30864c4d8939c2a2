/* hordelet scale: how many replicas a workload has. */
#include <inttypes.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/rollout.h"
#include "agent/cli/target.h"
#include "agent/cli/terminal.h"
#include "agent/core/limits.h"

struct scale_options {
    struct cli_options cli;
    const char *ns, *output;
    struct flag_count replicas;
    bool wait;
};

static const char *scale_namespace(const struct scale_options *options)
{
    return options->ns ? options->ns : API_NAMESPACE_DEFAULT;
}

static int scale_one(struct invocation *invocation, const char *name, struct output_done *done,
                     struct error *err)
{
    const struct scale_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0}, body = {0};
    cJSON *answer = NULL;
    api_path_object(&path, API_WORKLOADS, scale_namespace(options), name, "scale");
    terminal_printf(&body, "{\"spec\":{\"replicas\":%" PRIu32 "}}", options->replicas.value);
    struct api_send send = {
        .method = "PATCH",
        .path = terminal_text(&path),
        .content_type = "application/merge-patch+json",
        .body = buffer_view(&body),
    };
    if (api_client_send(invocation->client, &send, NULL, &answer, err) < 0)
        return error_wrap(err, "workload/%s", name);
    output_done_add(done, API_WORKLOADS, name, "scaled", answer);
    return 0;
}

static int scale_check(const struct scale_options *options, const struct targets *targets,
                       struct error *err)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->items[i].resource != API_WORKLOADS)
            return error_set(err, ERROR_INVALID, "only workloads have replicas");
        if (!targets->items[i].name)
            return error_set(err, ERROR_INVALID, "which workload? Say its name");
    }
    if (!options->replicas.given)
        return error_set(err, ERROR_INVALID, "how many? --replicas N");
    if (options->replicas.value > REPLICAS_MAX)
        return error_set(err, ERROR_INVALID, "--replicas: at most %d", REPLICAS_MAX);
    return 0;
}

static int scale_all(struct invocation *invocation, const struct targets *targets)
{
    const struct scale_options *options = invocation->options;
    struct rollout_clock clock;
    cleanup_output_done struct output_done done = {0};
    struct error err = {0};
    int code = CLI_DONE;
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    for (size_t i = 0; i < targets->count; i++)
        if (scale_one(invocation, targets->items[i].name, &done, &err) < 0)
            code = cli_fail(invocation, &err);
    output_done_end(&done);
    if (!options->wait || code != CLI_DONE)
        return code;
    rollout_clock_start(&clock,
                        options->cli.timeout.given ? options->cli.timeout.ms : ROLLOUT_TIMEOUT_MS);
    clock.quiet = options->output != NULL;
    for (size_t i = 0; i < targets->count; i++)
        if (rollout_wait_ready(invocation->client, scale_namespace(options), targets->items[i].name,
                               &clock, &err) < 0)
            code = cli_fail(invocation, &err);
    return code;
}

static int run_scale(struct invocation *invocation)
{
    struct targets targets = {0};
    struct error err = {0};
    int code;
    if (targets_parse(&targets, &invocation->arguments, &err) < 0 ||
        scale_check(invocation->options, &targets, &err) < 0)
        code = cli_fail_usage(invocation, "%s", err.text);
    else
        code = scale_all(invocation, &targets);
    targets_release(&targets);
    return code;
}

static const struct flag scale_flags[] = {
    {"replicas", 0, FLAG_COUNT, offsetof(struct scale_options, replicas), "N",
     "how many there should be; 0 stops all"},
    CLI_FLAG_NAMESPACE(struct scale_options),
    CLI_FLAG_OUTPUT_DONE(struct scale_options),
    {"wait", 0, FLAG_BOOL, offsetof(struct scale_options, wait), NULL,
     "wait until that many are ready, at most --timeout"},
    {0},
};

const struct verb verb_scale = {
    .name = "scale",
    .usage = "workload NAME... --replicas N [FLAGS]",
    .summary = "Change how many replicas a workload has",
    .description =
        "The number goes into the workload's document. A later apply of a file that has another "
        "number\n"
        "sets it back.\n",
    .examples =
        "  hordelet scale workload web --replicas 3\n"
        "  hordelet scale workload/web --replicas 0 --wait\n",
    .flags = scale_flags,
    .options_bytes = sizeof(struct scale_options),
    .run = run_scale,
    .arguments = ARGUMENTS_OBJECTS,
};
