/* JSON merge patch, RFC 7386: members of the patch replace those of the target, null removes,
 * objects merge. */
#ifndef AGENT_CODEC_MERGE_PATCH_H
#define AGENT_CODEC_MERGE_PATCH_H

#include <cjson/cJSON.h>

/* A new tree; both arguments are borrowed. The result is no deeper than the deeper of them. */
cJSON *merge_patch(const cJSON *target, const cJSON *patch);

#endif
