/* hordelet version: of this program, and of the agent if there is one. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/terminal.h"

struct version_options {
    struct cli_options cli;
    bool client;
};

/* An agent that is not there is no failure: one asks for versions also to find out why. */
static void show_agent(struct invocation *invocation)
{
    cleanup_json cJSON *answer = NULL;
    cleanup_buffer struct buffer text = {0};
    struct error err = {0};
    if (api_client_get(invocation->client, "/version", &answer, &err) < 0) {
        terminal_escape_lines(&text, err.text);
        printf("agent:    unknown: %s\n", terminal_text(&text));
        return;
    }
    const char *version = json_get_text(answer, "gitVersion"); /* as Kubernetes calls it */
    if (version && *version == 'v')
        version++;
    terminal_escape(&text, version ? version : "unknown");
    printf("agent:    %s at %s\n", terminal_text(&text), api_client_address(invocation->client));
}

static int run_version(struct invocation *invocation)
{
    const struct version_options *options = invocation->options;
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "takes no arguments");
    printf("hordelet: %s\n", HORDELET_VERSION);
    fflush(stdout);
    if (!options->client)
        show_agent(invocation);
    return CLI_DONE;
}

static const struct flag version_flags[] = {
    {"client", 0, FLAG_BOOL, offsetof(struct version_options, client), NULL,
     "of this program only, ask no agent"},
    {0},
};

const struct verb verb_version = {
    .name = "version",
    .usage = "[FLAGS]",
    .summary = "Print the versions of this program and of the agent",
    .flags = version_flags,
    .options_bytes = sizeof(struct version_options),
    .run = run_version,
};
