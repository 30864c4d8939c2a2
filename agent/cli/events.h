/* Events as people see them: what `events` and `describe` share. */
#ifndef AGENT_CLI_EVENTS_H
#define AGENT_CLI_EVENTS_H

#include "agent/codec/json.h"

/* Drops those that are neither of the object called so nor of a child of the workload called so.
 * NULL: keeps all. */
void events_keep(cJSON *items, const char *wanted);
/* A table with titles. now_ms: wall clock, for ages. */
void events_print(struct buffer *out, const cJSON *items, uint64_t now_ms);

#endif
