/* hordelet version: of this program, and of the agent if there is one. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/terminal.h"

struct version_options {
    struct cli_options cli;
    bool client;
    const char *output;
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

/* Kubernetes' words: clientVersion, serverVersion. */
static void show_objects(struct invocation *invocation, enum output_format format)
{
    const struct version_options *options = invocation->options;
    cleanup_json cJSON *all = json_new_object();
    cleanup_buffer struct buffer out = {0};
    cJSON *answer = NULL;
    struct error err = {0};
    json_add_text(json_add_object(all, "clientVersion"), "gitVersion", "v" HORDELET_VERSION);
    if (!options->client && api_client_get(invocation->client, "/version", &answer, &err) == 0)
        json_add(all, "serverVersion", answer);
    else if (!options->client)
        json_add_text(all, "serverError", err.text);
    if (!options->client)
        json_add_text(all, "server", api_client_address(invocation->client));
    output_object(&out, format, all);
    output_flush(&out);
}

static int run_version(struct invocation *invocation)
{
    const struct version_options *options = invocation->options;
    enum output_format format;
    struct error err = {0};
    if (invocation->arguments.count > 0)
        return cli_fail_usage(invocation, "takes no arguments");
    if (output_format_parse_objects(&format, options->output, &err) < 0 || format == OUTPUT_NAME)
        return cli_fail_usage(invocation, "--output is json or yaml here");
    if (options->output) {
        show_objects(invocation, format);
        return CLI_DONE;
    }
    printf("hordelet: %s\n", HORDELET_VERSION);
    fflush(stdout);
    if (!options->client)
        show_agent(invocation);
    return CLI_DONE;
}

static const struct flag version_flags[] = {
    {"client", 0, FLAG_BOOL, offsetof(struct version_options, client), NULL,
     "of this program only, ask no agent"},
    {"output", 'o', FLAG_TEXT, offsetof(struct version_options, output), "FORMAT", "yaml or json"},
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
