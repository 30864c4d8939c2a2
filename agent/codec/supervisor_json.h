/* Supervisor documents: JSON <-> struct supervisor. The same life as a workload's, see
 * workload_json.h for what the functions promise; differences: no namespace, and
 * distributionStrategy may not change while write->has_children.
 *
 * A supervisor that exists from the start and was never written (`default`, `quorum`) has document
 * NULL: pass it as `old` like any other (its uid is empty: the first write gives it one from
 * write->uid_bytes, so always set that). */
#ifndef AGENT_CODEC_SUPERVISOR_JSON_H
#define AGENT_CODEC_SUPERVISOR_JSON_H

#include "agent/codec/document_json.h"
#include "agent/core/document.h"

int supervisor_create(struct supervisor *ret_supervisor, const struct document *document,
                      const struct write *write, struct error *err);
int supervisor_update(struct supervisor *ret_supervisor, const struct supervisor *old,
                      const struct document *document, const struct write *write, bool *ret_changed,
                      struct error *err);
int supervisor_patch(struct supervisor *ret_supervisor, const struct supervisor *old,
                     enum patch_type type, const struct document *patch, const struct write *write,
                     bool *ret_changed, struct error *err);
int supervisor_apply(struct supervisor *ret_supervisor, const struct supervisor *old,
                     const struct document *document, const struct write *write, bool *ret_changed,
                     struct error *err);

/* The stored document, or for one never written the document it would have (no uid, no
 * creationTimestamp). */
cJSON *supervisor_to_json(const struct supervisor *supervisor);
int supervisor_from_json(struct supervisor *ret_supervisor, const cJSON *object,
                         const struct marks *marks, struct error *err);

#endif
