/* What could follow on a command line: the one engine behind all shells' completion. */
#ifndef AGENT_CLI_COMPLETE_H
#define AGENT_CLI_COMPLETE_H

#include "agent/cli/cli.h"

/* As a candidate: the shell completes a file name. */
#define COMPLETE_FILES ":files"

/* line: from the program's name up to the cursor; its last word, which may be empty, is the one to
 * complete. Appends candidates, a line each: the word, a tabulator, what it is. Names of objects
 * are asked of the agent (the one of --api on the line, if there is one); no answer: no names. */
void complete(struct invocation *invocation, const char *line, struct buffer *out);

#endif
