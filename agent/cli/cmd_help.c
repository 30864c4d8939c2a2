/* hordelet help [VERB], and the text behind every --help. A newcomer starts here: what it is, what
 * to type first, where to read on. */
#include <stdio.h>
#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/cli.h"
#include "agent/cli/output.h"
#include "agent/cli/suggest.h"
#include "agent/cli/terminal.h"

static void print_overview(struct buffer *buffer)
{
    terminal_printf(buffer, "hordelet " HORDELET_VERSION
                            ": runs containers on many machines, without a control plane.\n\n"
                            "Usage:\n  hordelet VERB [ARGUMENTS] [FLAGS]\n\nVerbs:\n");
    for (size_t i = 0; cli_verbs[i]; i++)
        terminal_printf(buffer, "  %-11s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
    terminal_printf(
        buffer,
        "\nFirst steps, on a machine with Docker or Podman:\n"
        "  sudo hordelet agent --gossip 127.0.0.1:7370\n"
        "                                         start an agent, for this machine alone\n"
        "  hordelet apply -f web.yaml --wait      run what web.yaml describes\n"
        "  hordelet get workloads                 what is wanted, and how much of it is ready\n"
        "  hordelet get children -o wide          which container runs where\n"
        "  hordelet lookup web                    where web can be reached\n\n"
        "Every verb but `agent` asks an agent, any one of the cluster. Flags of all of them:\n");
    flags_print(cli_flags, buffer);
    terminal_printf(buffer,
                    "\n`hordelet help VERB` has the flags of a verb, with examples.\n"
                    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

static void print_verb(const struct verb *verb, struct buffer *buffer)
{
    terminal_printf(buffer, "%s\n\nUsage:\n  hordelet %s %s\n", verb->summary, verb->name,
                    verb->usage);
    if (verb->description)
        terminal_printf(buffer, "\n%s", verb->description);
    if (verb->examples)
        terminal_printf(buffer, "\nExamples:\n%s", verb->examples);
    terminal_printf(buffer, "\nFlags:\n");
    flags_print(verb->flags, buffer);
    flags_print(cli_flags, buffer);
}

void help_print(const struct verb *verb, struct buffer *buffer)
{
    if (verb)
        print_verb(verb, buffer);
    else
        print_overview(buffer);
}

static int help_agent(const struct invocation *invocation)
{
    char name[] = "agent", flag[] = "--help";
    char *argv[] = {name, flag, NULL};
    if (invocation->agent)
        return invocation->agent(2, argv);
    printf("%s\n\nSee `hordelet agent --help`.\n", verb_agent.summary);
    return CLI_DONE;
}

static int run_help(struct invocation *invocation)
{
    cleanup_buffer struct buffer buffer = {0};
    const char *name = invocation->arguments.count > 0 ? invocation->arguments.items[0] : NULL;
    const struct verb *verb = NULL;
    for (size_t i = 0; name && cli_verbs[i]; i++)
        if (strcmp(cli_verbs[i]->name, name) == 0)
            verb = cli_verbs[i];
    if (name && !verb)
        return cli_fail_usage(invocation, "there is no verb \"%s\"", name);
    if (verb == &verb_agent)
        return help_agent(invocation);
    help_print(verb, &buffer);
    output_flush(&buffer);
    return CLI_DONE;
}

const struct verb verb_help = {
    .name = "help",
    .usage = "[VERB]",
    .summary = "Explain a verb",
    .run = run_help,
    .arguments = ARGUMENTS_VERBS,
};

/* It runs in agent/main.c's hands; here it is only named. */
const struct verb verb_agent = {
    .name = "agent",
    .usage = "[FLAGS]",
    .summary = "Run the agent of this machine",
};
