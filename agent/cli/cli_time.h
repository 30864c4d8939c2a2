/* The clocks of this machine, for the command line client, which must not include those of
 * agent/io. */
#ifndef AGENT_CLI_CLI_TIME_H
#define AGENT_CLI_CLI_TIME_H

#include <stdint.h>

uint64_t cli_mono_ms(void); /* for deadlines */
uint64_t cli_wall_ms(void); /* since 1970, for ages */
void cli_pause(uint64_t pause_ms);

#endif
