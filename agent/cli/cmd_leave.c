/* hordelet leave: an agent hands its children over, leaves the cluster and ends. */
#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

/* The answer comes when the last child is handed over, which takes the agent's --drain-timeout
 * (25s) at most. */
#define LEAVE_TIMEOUT_MS 60000

struct leave_options {
    struct cli_options cli;
    const char *output;
};

static int run_leave(struct invocation *invocation)
{
    const struct leave_options *options = invocation->options;
    cleanup_buffer struct buffer path = {0}, line = {0};
    struct error err = {0};
    cleanup_output_done struct output_done done = {0};
    cJSON *answer = NULL;
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation,
                              "it is the agent that is asked which leaves: choose it with --api");
    if (output_done_begin(&done, options->output, &err) < 0)
        return cli_fail_usage(invocation, "%s", err.text);
    api_path_object(&path, API_MEMBERS, NULL, API_SELF, "leave");
    if (!options->cli.timeout.given)
        api_client_set_timeout(invocation->client, LEAVE_TIMEOUT_MS);
    struct api_send send = {.method = "POST", .path = terminal_text(&path)};
    if (api_client_send(invocation->client, &send, NULL, &answer, &err) < 0)
        return cli_fail(invocation, &err);
    terminal_printf(&line, "the agent at %s has left the cluster",
                    api_client_address(invocation->client));
    output_done_line(&done, API_MEMBERS, API_SELF, terminal_text(&line), answer);
    output_done_end(&done);
    return CLI_DONE;
}

static const struct flag leave_flags[] = {
    CLI_FLAG_OUTPUT_DONE(struct leave_options),
    {0},
};

const struct verb verb_leave = {
    .name = "leave",
    .usage = "[FLAGS]",
    .summary = "Take this machine's agent out of the cluster",
    .description =
        "Its children are stopped and placed on other members, then the agent ends. Waits for "
        "that, --timeout at\n"
        "most (default here: 60s); the agent goes on leaving even if nobody waits.\n",
    .examples =
        "  hordelet leave\n"
        "  hordelet leave --api http://10.0.0.7:7371 --timeout 5m\n",
    .flags = leave_flags,
    .options_bytes = sizeof(struct leave_options),
    .run = run_leave,
};
