/* Server-side apply: the configuration of one manager merged into the stored object. Follows the
 * API server (structured-merge-diff): fields are owned one by one, keyed lists item by item. */
#ifndef AGENT_CODEC_APPLY_H
#define AGENT_CODEC_APPLY_H

#include "agent/codec/document_json.h"
#include "agent/codec/schema.h"

/* live: the stored, canonical object, NULL if there is none. config: has passed schema_check. The
 * new object in *ret_object has metadata.managedFields brought up to date; it is not validated as a
 * whole, not completed. The caller deletes it. ERROR_CONFLICT: other managers own fields that
 * config would change, and write->force is not set.
 */
int apply_config(cJSON **ret_object, const struct schema_field *root, const cJSON *live,
                 const cJSON *config, const struct write *write, struct error *err);

#endif
