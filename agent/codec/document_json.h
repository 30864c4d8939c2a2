/* Documents on their way in: a request's body or a file -> JSON objects, whatever they were written
 * in.
 *
 *     struct documents documents = {0};
 *     struct workload workload = {0};
 *     if (documents_parse(&documents, content_type, body, &err) == 0)
 *         workload_create(&workload, &documents.items[0], &write, &err);
 *     documents_release(&documents);
 *
 * What comes out of documents_parse is well-formed and bounded (depth, nodes, keys of one object),
 * but not yet validated: that is done by workload_json.h and supervisor_json.h, which turn an
 * object into a value of the core and which hold the whole life of a document (create, update,
 * patch, apply, scale).
 *
 * Codes of errors: ERROR_MALFORMED (400), ERROR_INVALID (422; the text begins with the path of the
 * field, several problems are joined by "; "), ERROR_TOO_LARGE (413), ERROR_CONFLICT (409),
 * ERROR_UNSUPPORTED_MEDIA (415). Nothing here reads a clock, a file or random bytes: they are in
 * struct write. */
#ifndef AGENT_CODEC_DOCUMENT_JSON_H
#define AGENT_CODEC_DOCUMENT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/codec/schema_marks.h"
#include "agent/core/error.h"
#include "agent/core/limits.h"
#include "crdt/bytes.h"

#define DOCUMENT_API_GROUP "hordelet.dev"
#define DOCUMENT_API_VERSION "hordelet.dev/v1"
#define DOCUMENT_DEPTH_MAX 64 /* arrays and objects inside each other, in YAML and JSON */
#define DOCUMENT_NODES_MAX \
    (64 * 1024)                  /* values in one document: what is stored in 64 KiB holds fewer */
#define DOCUMENT_KEYS_MAX 1024   /* keys of one object: keeps every walk over them cheap */
#define DOCUMENT_PROBLEMS_MAX 10 /* told in one answer */

/* One parsed document. */
struct document {
    cJSON *object;      /* owned */
    struct marks marks; /* of object; empty for JSON */
};

struct documents {
    struct document *items; /* owned */
    size_t count;
};

void documents_release(struct documents *documents); /* frees and zeroes */

/* Parses a body. content_type may carry parameters ("; charset=utf-8"); NULL or empty: JSON if the
 * body begins with { or [, else YAML. Known: application/json, application/merge-patch+json,
 * application/json-patch+json (JSON); application/yaml, application/x-yaml, text/yaml, text/x-yaml,
 * application/apply-patch+yaml (YAML, which may hold several documents; empty ones are skipped).
 * Anything else is ERROR_UNSUPPORTED_MEDIA. At least one document on success. Items are objects,
 * but for json-patch+json: one array. ret is overwritten. */
int documents_parse(struct documents *ret_documents, const char *content_type, struct span body,
                    struct error *err);

/* The kind and apiVersion, name and namespace that an object says it is ("" where it says nothing
 * or nonsense). Borrowed from the object. */
const char *document_kind(const cJSON *object);
const char *document_api_version(const cJSON *object);
const char *document_name(const cJSON *object);
const char *document_namespace(const cJSON *object);

enum patch_type { PATCH_MERGE, PATCH_JSON, PATCH_APPLY };

/* ERROR_UNSUPPORTED_MEDIA for all but application/merge-patch+json, application/json-patch+json and
 * application/apply-patch+yaml (strategic merge patches among them, as the API server answers for
 * custom types). */
int patch_type_parse(enum patch_type *ret_type, const char *content_type, struct error *err);

/* Who writes, where and when: the circumstances of one write. Zero what does not apply. Borrowed
 * for the call. */
struct write {
    const char *ns; /* from the URL; NULL: from the body, then "default". Ignored for supervisors */
    const char *name; /* from the URL; NULL (a create): from the body */
    const char
        *manager;    /* ?fieldManager=, else the User-Agent up to "/"; NULL or empty: "unknown" */
    bool force;      /* ?force=true of an apply: take fields from their other managers */
    uint64_t now_ms; /* wall clock: creationTimestamp, managedFields.time */
    const uint8_t *uid_bytes; /* 16 random bytes; needed by a create (also an apply that creates) */
    const char *resource_version; /* of the stored object, NULL: not checked. If the body names
                                     another one: ERROR_CONFLICT. A create ignores it. */
    bool has_children;            /* supervisors only: its strategy may not change */
};

#endif
