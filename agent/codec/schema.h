/* The schema: one static table per object, one row per field. The single source of what a document
 * may contain: validation and defaults read it (schema_check.h), server-side apply takes from it
 * which lists are keyed (managed_fields.h), and OpenAPI, explain and the reference pages are to be
 * printed from it.
 *
 * Adding a field is adding a row. A field that this release does not carry out has a row too,
 * marked SCHEMA_UNSUPPORTED: it is refused by name, never silently ignored. */
#ifndef AGENT_CODEC_SCHEMA_H
#define AGENT_CODEC_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
    SCHEMA_STRING,  /* min, max: bytes; format; values: an enumeration */
    SCHEMA_INTEGER, /* min, max: the value */
    SCHEMA_BOOLEAN,
    SCHEMA_DURATION,      /* a string: "10s"; with SCHEMA_SHUTDOWN also infinity and brutal_kill */
    SCHEMA_QUANTITY,      /* a string or number: "500m", "64Mi", 2 */
    SCHEMA_INT_OR_STRING, /* a port: number or name */
    SCHEMA_OBJECT,        /* object: its fields */
    SCHEMA_LIST,          /* item; min, max: how many; key: which members tell items apart */
    SCHEMA_STRING_MAP,    /* format: of keys; value_format; max: how many */
    SCHEMA_QUANTITY_MAP,  /* values: the keys that are known */
    SCHEMA_AUTO_OR_LIST,  /* the word "auto" or a list; otherwise like SCHEMA_LIST */
    SCHEMA_JSON,          /* anything; max: bytes of its compact text */
};

enum schema_format {
    SCHEMA_ANY_FORMAT,
    SCHEMA_NAME,        /* DNS-1123 label */
    SCHEMA_MEMBER_NAME, /* DNS-1123 subdomain: node names may have dots */
    SCHEMA_PORT_NAME,   /* IANA service name: at most 15, a letter among them */
    SCHEMA_ENV_NAME,    /* any printable ASCII but = */
    SCHEMA_LABEL_KEY,   /* [prefix/]name */
    SCHEMA_LABEL_VALUE,
    SCHEMA_ABSOLUTE_PATH,
    SCHEMA_RELATIVE_PATH, /* without .. */
    SCHEMA_IMAGE,         /* an image reference without white space */
    SCHEMA_IP,
    SCHEMA_CAPABILITY, /* NET_ADMIN, ALL */
    SCHEMA_TIMESTAMP,  /* RFC 3339 */
    SCHEMA_UUID,
    SCHEMA_SHUTDOWN,
};

enum schema_flags {
    SCHEMA_REQUIRED = 1u << 0,
    SCHEMA_IMMUTABLE = 1u << 1, /* an update may not change it */
    SCHEMA_SERVER =
        1u << 2, /* set by the agent; accepted and ignored, or a precondition, on the way in */
    SCHEMA_UNSUPPORTED = 1u << 3, /* "not supported in this release" */
    SCHEMA_NOT_EMPTY = 1u << 4,   /* strings */
    SCHEMA_IMMUTABLE_IN_USE =
        1u << 5,               /* an update may not change it while the object has children */
    SCHEMA_NULLABLE = 1u << 6, /* shown as null where there is nothing to show */
};

enum { SCHEMA_KEYS_MAX = 2 };

struct schema_object;

struct schema_field {
    const char *name; /* NULL in rows that describe the items of a list */
    enum schema_type type;
    const char *description; /* one sentence or two, for explain and OpenAPI */
    unsigned flags;
    enum schema_format format;
    enum schema_format value_format;
    int64_t min, max;     /* both 0: no limit of its own */
    const char *fallback; /* the default, as JSON text; NULL: none */
    const char *const
        *values; /* NULL-terminated; an enumeration (strings) or the keys known (quantity maps) */
    const char *const
        *unsupported; /* NULL-terminated; values that are known and not carried out yet */
    const struct schema_object *object;
    const struct schema_field *item;
    const char
        *key[SCHEMA_KEYS_MAX]; /* of a keyed list ("map list" in Kubernetes' words); NULL: atomic */
    const char *key_fallback[SCHEMA_KEYS_MAX]; /* what an item without that key means */
};

struct schema_object {
    const char *name; /* of the type, in OpenAPI: dev.hordelet.v1.NAME */
    const char *description;
    const struct schema_field *fields;
    size_t count;
};

/* One row per kind. */
struct schema_kind {
    const char *kind;   /* "Workload" */
    const char *plural; /* "workloads" */
    bool namespaced;
    const struct schema_field
        *root; /* a row of type SCHEMA_OBJECT: apiVersion, kind, metadata, spec */
    const struct schema_field *status; /* what the agents add to it; NULL: nothing */
    bool written; /* users write it: its root validates. Otherwise it is only shown */
};

extern const struct schema_kind schema_workload;
extern const struct schema_kind schema_supervisor;
extern const struct schema_kind schema_name, schema_meta;    /* schema_registry.c */
extern const struct schema_kind schema_child, schema_member; /* schema_shown.c */

/* Parts of the tables, each in its file. */
extern const struct schema_object schema_container;
extern const struct schema_object schema_volume;
extern const struct schema_object schema_probe;
extern const struct schema_object schema_metadata_namespaced, schema_metadata_cluster;
/* schema_shown.c: what only the agents write. */
extern const struct schema_field schema_workload_status, schema_supervisor_status,
    schema_name_status;
/* schema_core.c: Kubernetes' own kinds, as far as they are shown. */
extern const struct schema_kind schema_pod, schema_node, schema_event;

const struct schema_field *schema_find(const struct schema_object *object,
                                       const char *name); /* NULL: unknown */
/* The field whose name is one edit (or only upper and lower case) away from name; NULL: none. */
const struct schema_field *schema_suggest(const struct schema_object *object, const char *name);

#define SCHEMA_COUNT(array) (sizeof(array) / sizeof *(array))
#define SCHEMA_OBJECT_OF(type_name, rows, text)                                                   \
    {                                                                                             \
        .name = (type_name), .description = (text), .fields = (rows), .count = SCHEMA_COUNT(rows) \
    }
/* Rows of what is only shown. */
#define SCHEMA_SHOWN(field_name, field_type, text)                                                \
    {                                                                                             \
        .name = (field_name), .type = (field_type), .description = (text), .flags = SCHEMA_SERVER \
    }
#define SCHEMA_SHOWN_OBJECT(field_name, type_object, text)                     \
    {                                                                          \
        .name = (field_name), .type = SCHEMA_OBJECT, .object = &(type_object), \
        .description = (text), .flags = SCHEMA_SERVER                          \
    }
#define SCHEMA_SHOWN_LIST(field_name, list_item, text)                                          \
    {                                                                                           \
        .name = (field_name), .type = SCHEMA_LIST, .item = &(list_item), .description = (text), \
        .flags = SCHEMA_SERVER                                                                  \
    }
#define SCHEMA_REFUSED(field_name)                                             \
    {                                                                          \
        .name = (field_name), .type = SCHEMA_JSON, .flags = SCHEMA_UNSUPPORTED \
    }

#endif
