/* What an apply has done, in a word. */
#ifndef AGENT_CLI_APPLY_CHANGE_H
#define AGENT_CLI_APPLY_CHANGE_H

#include "agent/codec/json.h"

/* "created" if there was nothing before (NULL) or status is 201, else "unchanged" or "configured".
 */
const char *apply_change(int status, const cJSON *before, const cJSON *after);

#endif
