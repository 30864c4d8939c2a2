/* The verb `agent`: flags in, exit status out. It lives here and not in agent/cli, which must not
 * know agent/io. */
#include <stdio.h>
#include <unistd.h>

#include "agent/io/agent.h"

enum { EXIT_USAGE = 2 };

int cmd_agent(int argc, char **argv)
{
    struct agent_options options;
    struct error error = {0};
    int status = 0;
    if (agent_options_parse(&options, argc, argv, environ, &error)) {
        fprintf(stderr, "hordelet agent: %s\nTry 'hordelet agent --help'.\n", error.text);
        status = EXIT_USAGE;
    } else if (options.help) {
        agent_options_print_help(stdout);
    } else {
        status = agent_run(&options);
    }
    agent_options_release(&options);
    return status;
}
