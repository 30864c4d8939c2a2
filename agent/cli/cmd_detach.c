/* hordelet detach: an agent ends and leaves its containers running. */
#include <inttypes.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"
#include "agent/codec/duration.h"
#include "agent/core/limits.h"

struct detach_options {
    struct cli_options cli;
    struct flag_duration away;
    const char *output;
};

static int run_detach(struct invocation *invocation)
{
    const struct detach_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0}, line = {0};
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    cJSON *answer = NULL;
    char away[DURATION_TEXT_BYTES];
    uint64_t away_ms = options->away.given ? options->away.ms : DETACH_MS_DEFAULT;
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation,
                              "it is the agent that is asked which detaches: choose it with --api");
    if (away_ms < DETACH_MS_MIN || away_ms > DETACH_MS_MAX)
        return cli_fail_usage(invocation, "--for: 1s to 1h");
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    api_path_object(&path, API_MEMBERS, NULL, API_SELF, "detach");
    terminal_printf(&path, "?for=%" PRIu64 "ms", away_ms);
    struct api_send send = {.method = "POST", .path = terminal_text(&path)};
    if (api_client_send(invocation->client, &send, NULL, &answer, &err) < 0)
        return cli_fail(invocation, &err);
    terminal_printf(&line, "the agent at %s has detached; start it again within %s",
                    api_client_address(invocation->client), duration_print(away_ms, away));
    output_done_line(&done, API_MEMBERS, API_SELF, terminal_text(&line), answer);
    output_done_end(&done);
    return CLI_DONE;
}

static const struct flag detach_flags[] = {
    {"for", 0, FLAG_DURATION, offsetof(struct detach_options, away), "DURATION",
     "how long the others leave the containers to it: 1s to 1h (default: 60s)"},
    CLI_FLAG_OUTPUT_DONE(struct detach_options),
    {0},
};

const struct verb verb_detach = {
    .name = "detach",
    .usage = "[--for DURATION] [FLAGS]",
    .summary = "End this machine's agent, but leave its containers running",
    .description =
        "For an upgrade of the agent. The member is absent, and nobody takes over what runs "
        "there,\n"
        "until the agent is started again; it goes on with its containers. If it is not back in\n"
        "time it is dead for the others, and they start what it ran.\n",
    .examples =
        "  hordelet detach\n"
        "  hordelet detach --for 5m --api http://10.0.0.7:7371\n",
    .flags = detach_flags,
    .options_bytes = sizeof(struct detach_options),
    .run = run_detach,
};
