/* Rules between the fields of a workload: what one row of the schema cannot say. */
#ifndef AGENT_CODEC_WORKLOAD_CHECK_H
#define AGENT_CODEC_WORKLOAD_CHECK_H

#include "agent/codec/schema_problems.h"

/* object may have any other fault: whatever has not the expected type is passed over, the schema
 * has told of it. */
void workload_check(struct problems *problems, const cJSON *object);

#endif
