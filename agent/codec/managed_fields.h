/* Who owns which fields: sets of fields and metadata.managedFields, in the format of the Kubernetes
 * API server.
 *
 * A set is a tree in FieldsV1 form: {"f:spec":{"f:replicas":{}}}. A step is "f:NAME" (member of an
 * object or map) or "k:{...}" (item of a keyed list, by its keys); {} is a field that belongs to
 * the set, "." says that the container itself belongs to it too. Lists without keys and free JSON
 * values are single fields. NULL is the empty set. */
#ifndef AGENT_CODEC_MANAGED_FIELDS_H
#define AGENT_CODEC_MANAGED_FIELDS_H

#include "agent/codec/document_json.h"
#include "agent/codec/schema.h"

#define MANAGERS_MAX \
    16 /* entries of metadata.managedFields; the oldest updates are merged beyond */

/* All fields of an object under `root` (a kind's root row): spec, labels, annotations. The caller
 * deletes sets. */
cJSON *field_set_of(const struct schema_field *root, const cJSON *object);
/* The fields of `new` that are not in `old` or have another value there. */
cJSON *field_set_changed(const struct schema_field *root, const cJSON *old, const cJSON *new);
cJSON *field_set_union(const cJSON *a, const cJSON *b);
cJSON *field_set_subtract(const cJSON *a, const cJSON *b);
cJSON *field_set_intersect(const cJSON *a, const cJSON *b);

/* The steps "k:{...}" of the items of a list in its order, or NULL if it is no keyed list, or an
 * item lacks a key, or two are equal. keys_free frees. */
char **list_keys(const struct schema_field *list, const cJSON *items);
void keys_free(char **keys, const cJSON *items);

enum manager_operation { MANAGER_APPLY, MANAGER_UPDATE };

/* The entry of a manager in a managedFields list, and its set; NULL: none. */
const cJSON *managed_find(const cJSON *list, const char *manager, enum manager_operation operation);
const cJSON *managed_fields_of(const cJSON *entry);
/* Replaces or adds (or, for an empty set, removes) an entry; takes fields. The time stays if the
 * set did. */
void managed_put(cJSON *list, const char *manager, enum manager_operation operation, cJSON *fields,
                 uint64_t now_ms);
void managed_touch(cJSON *list, const char *manager, enum manager_operation operation,
                   uint64_t now_ms);
/* Takes `lost` away from every entry but `except` (may be NULL). */
void managed_take_from_others(cJSON *list, const cJSON *lost, const cJSON *except);

/* The list after a write that is no apply: what it changed is the manager's, what it removed
 * nobody's. old is NULL for a create. Returns a new list. */
cJSON *managed_after_update(const struct schema_field *root, const cJSON *old, const cJSON *new,
                            const char *manager, uint64_t now_ms);

#endif
