/* DeleteOptions in Kubernetes' protobuf: the one body that kubectl (drain, of 1.33) sends so. All
 * else is JSON or YAML. */
#ifndef AGENT_CODEC_PROTOBUF_OPTIONS_H
#define AGENT_CODEC_PROTOBUF_OPTIONS_H

#include <cjson/cJSON.h>

#include "crdt/bytes.h"

#define PROTOBUF_MEDIA_TYPE "application/vnd.kubernetes.protobuf"

/* The options as JSON would have them: dryRun and preconditions; all else of them means nothing
 * here. NULL: not that. The caller deletes. */
cJSON *protobuf_delete_options(struct span body);

#endif
