/* hordelet: one program. `hordelet agent` is the agent, all else are verbs that talk to one. */
#include "agent/cli/cli.h"
#include "agent/io/agent.h"

int main(int argc, char **argv)
{
    return cli_main_with_agent(argc, argv, cmd_agent);
}
