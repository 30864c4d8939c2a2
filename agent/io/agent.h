/* The agent: a node, its loop and its drivers, from start to orderly end. */
#ifndef AGENT_IO_AGENT_H
#define AGENT_IO_AGENT_H

#include "agent/io/agent_options.h"

/* Runs until the node asks for its end; returns the exit status. 1 with a line on standard error
 * when it cannot start. One line on standard output says that it serves. */
int agent_run(const struct agent_options *options);

/* `hordelet agent FLAGS`; argv[0] is "agent". Returns the exit status: 0 done, 1 failed, 2 usage.
 */
int cmd_agent(int argc, char **argv);

#endif
