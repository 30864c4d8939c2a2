/* hordelet force-electorate: the way out when a majority of the voters is lost for good. */
#include <stdio.h>

#include "agent/cli/api_path.h"
#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/terminal.h"

struct force_options {
    struct cli_options cli;
    bool accept;
};

static int force(struct invocation *invocation, const char *name, struct error *err)
{
    cleanup_buffer struct buffer path = {0}, shown = {0};
    api_path_object(&path, API_SUPERVISORS, NULL, name, "force-electorate");
    terminal_printf(&path, "?acceptTwoCopies=true");
    struct api_send send = {.method = "POST", .path = terminal_text(&path)};
    if (api_client_send(invocation->client, &send, NULL, NULL, err) < 0)
        return error_wrap(err, "supervisor/%s", name);
    terminal_escape(&shown, name);
    printf("supervisor/%s: its spec.members are the electorate now\n", terminal_text(&shown));
    return 0;
}

static int run_force_electorate(struct invocation *invocation)
{
    const struct force_options *options = invocation->options;
    struct error err = {0};
    if (invocation->arguments.count != 1)
        return cli_fail_usage(invocation, "which supervisor?");
    if (!options->accept)
        return cli_fail_usage(invocation,
                              "only with --i-accept-two-copies: where the voters of "
                              "before are merely cut off, their children run on");
    if (force(invocation, invocation->arguments.items[0], &err) < 0)
        return cli_fail(invocation, &err);
    return CLI_DONE;
}

static const struct flag force_flags[] = {
    {"i-accept-two-copies", 0, FLAG_BOOL, offsetof(struct force_options, accept), NULL,
     "the voters of before are gone, or may run a second copy of each child"},
    {0},
};

const struct verb verb_force_electorate = {
    .name = "force-electorate",
    .usage = "SUPERVISOR --i-accept-two-copies [FLAGS]",
    .summary = "Let a supervisor's members vote although the majority before is lost",
    .description =
        "For UniformQuorum, when more than half of the voters will never come back. First name "
        "the\n"
        "members that are left (hordelet set-members), then ask the agent of one of them; all of\n"
        "them must be alive. Nobody asks the voters of before: if they are only cut off, their\n"
        "children run on until they hear of it.\n",
    .examples =
        "  hordelet set-members quorum a\n"
        "  hordelet force-electorate quorum --i-accept-two-copies\n",
    .flags = force_flags,
    .options_bytes = sizeof(struct force_options),
    .run = run_force_electorate,
    .arguments = ARGUMENTS_SUPERVISORS,
};
