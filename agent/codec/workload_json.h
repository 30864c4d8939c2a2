/* Workload documents: JSON <-> struct workload, and every way in which one may be written.
 *
 * All functions that make a workload overwrite *ret (it need not be initialised); on failure it is
 * empty. Release it with workload_release. `old` is the stored workload, borrowed. *ret_changed
 * (may be NULL) is false when the write changes nothing that is stored: answer with `old`, write
 * nothing. Then *ret is a copy of old, generation included.
 *
 * Each result is complete: validated, defaults filled in, canonical document (sorted keys, no
 * whitespace) with apiVersion, kind, metadata {name, namespace, labels, annotations, uid,
 * generation, creationTimestamp, managedFields} and spec, never status or resourceVersion; typed
 * fields and spec_hash agree with it. uid and creationTimestamp are those of old for ever;
 * generation grows by one when the spec changed. */
#ifndef AGENT_CODEC_WORKLOAD_JSON_H
#define AGENT_CODEC_WORKLOAD_JSON_H

#include "agent/codec/document_json.h"
#include "agent/core/document.h"

/* POST. A uid, resourceVersion, generation, creationTimestamp, managedFields or status in the body
 * is dropped. */
int workload_create(struct workload *ret_workload, const struct document *document,
                    const struct write *write, struct error *err);
/* PUT: replaces the whole. metadata.uid or resourceVersion in the body that are not old's:
 * ERROR_CONFLICT. */
int workload_update(struct workload *ret_workload, const struct workload *old,
                    const struct document *document, const struct write *write, bool *ret_changed,
                    struct error *err);
/* PATCH with a merge patch (an object) or a JSON patch (an array). For PATCH_APPLY see
 * workload_apply. */
int workload_patch(struct workload *ret_workload, const struct workload *old, enum patch_type type,
                   const struct document *patch, const struct write *write, bool *ret_changed,
                   struct error *err);
/* PATCH with server-side apply. old NULL: there is none, it is created. ERROR_CONFLICT names the
 * managers and fields; without a manager: ERROR_MALFORMED. */
int workload_apply(struct workload *ret_workload, const struct workload *old,
                   const struct document *document, const struct write *write, bool *ret_changed,
                   struct error *err);
/* PUT or PATCH of /scale. */
int workload_scale(struct workload *ret_workload, const struct workload *old, uint32_t replicas,
                   const struct write *write, bool *ret_changed, struct error *err);

/* The stored document as JSON (caller deletes). The API adds resourceVersion and status. For
 * printing: numbers that cJSON would round when it prints (only in names[].value) are raw text
 * here. */
cJSON *workload_to_json(const struct workload *workload);

/* Validates and reads an object as it stands: what the functions above end in, `hordelet apply
 * --dry-run=client`, and `restore` (which keeps uid, generation and timestamps as they are in the
 * object). */
int workload_from_json(struct workload *ret_workload, const cJSON *object,
                       const struct marks *marks, struct error *err);

#endif
