/* JSON patch, RFC 6902: add, remove, replace, move, copy, test on JSON pointers (RFC 6901). */
#ifndef AGENT_CODEC_JSON_PATCH_H
#define AGENT_CODEC_JSON_PATCH_H

#include <cjson/cJSON.h>

#include "agent/core/error.h"

#define JSON_PATCH_OPERATIONS_MAX 1000

/* A new tree in *ret_object (untouched on failure); both arguments are borrowed. All operations or
 * none. ERROR_MALFORMED: the patch itself is no patch. ERROR_INVALID: it does not fit the target (a
 * path that is not there, a test that fails). ERROR_TOO_LARGE: the result would be, copies of
 * copies included. */
int json_patch(cJSON **ret_object, const cJSON *target, const cJSON *patch, struct error *err);

#endif
