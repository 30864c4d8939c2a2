/* The one value that a patch of a small object may change: spec.replicas of a Scale,
 * spec.unschedulable of a Member.
 *
 * A merge patch, an apply or a whole object names it as {"spec": {KEY: value}}; a JSON patch as
 * operations on /spec/KEY. metadata, status, kind and apiVersion may be there as well: they are not
 * changed by it. */
#ifndef AGENT_CODEC_API_PATCH_VALUE_H
#define AGENT_CODEC_API_PATCH_VALUE_H

#include "agent/codec/document_json.h"

/* *ret_value is borrowed from the body; NULL: it is not mentioned. Anything else in spec is
 * ERROR_INVALID. */
int api_patch_value(const cJSON **ret_value, const cJSON *body, const char *key, struct error *err);

#endif
