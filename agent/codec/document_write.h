/* The life of a document of any kind, on JSON objects: what workload_json.c and supervisor_json.c
 * share. Results are canonical: validated, completed, keys sorted, server fields set, no status and
 * no resourceVersion. */
#ifndef AGENT_CODEC_DOCUMENT_WRITE_H
#define AGENT_CODEC_DOCUMENT_WRITE_H

#include "agent/codec/document_json.h"
#include "agent/codec/schema.h"
#include "agent/codec/schema_problems.h"

struct document_kind {
    const struct schema_kind *schema;
    /* Rules between fields. The object may have any other fault: look with json_get only. */
    void (*check)(struct problems *problems, const cJSON *object);
    /* Defaults that depend on other fields; NULL: none. Before the schema's. */
    void (*complete)(cJSON *object);
};

/* All return 0 or -1; *ret_object (owned by the caller) is set on success only. `old` is canonical.
 */
int document_create(cJSON **ret_object, const struct document_kind *kind,
                    const struct document *document, const struct write *write, struct error *err);
int document_update(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                    const cJSON *object, const struct marks *marks, const struct write *write,
                    bool *ret_changed, struct error *err);
int document_patch(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                   enum patch_type type, const struct document *patch, const struct write *write,
                   bool *ret_changed, struct error *err);
int document_apply(cJSON **ret_object, const struct document_kind *kind, const cJSON *old,
                   const struct document *document, const struct write *write, bool *ret_changed,
                   struct error *err);
/* The object as it stands: validated and made canonical. */
int document_canonical(cJSON **ret_object, const struct document_kind *kind, const cJSON *object,
                       const struct marks *marks, struct error *err);

/* The text of a canonical object, at most DOCUMENT_BYTES_MAX; the caller frees. NULL:
 * ERROR_TOO_LARGE. Read the object before: numbers that cJSON would round are raw text in it
 * afterwards. */
char *document_print(cJSON *object, struct error *err);
/* Reads what was stored; an object without anything if that is damaged. */
cJSON *document_read(const char *text, size_t bytes);

/* Fields of canonical objects. */
uint64_t document_created_ms(const cJSON *object);
uint64_t document_generation(const cJSON *object);

#endif
