/* metadata of every kind. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

static const struct schema_field managed_fields_item = {
    .type = SCHEMA_JSON,
    .description = "Which fields one manager owns, as the API server writes it.",
};

#define METADATA_NAME                                                                           \
    {                                                                                           \
        .name = "name", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED | SCHEMA_IMMUTABLE,     \
        .format = SCHEMA_NAME, .max = NAME_BYTES_MAX,                                           \
        .description =                                                                          \
            "Name of the object, unique among objects of its kind (and namespace): lower case " \
            "letters, "                                                                         \
            "digits and -, at most 63, beginning and ending with a letter or digit. Cannot be " \
            "updated.",                                                                         \
    }

#define METADATA_COMMON                                                                          \
    {                                                                                            \
        .name = "labels",                                                                        \
        .type = SCHEMA_STRING_MAP,                                                               \
        .format = SCHEMA_LABEL_KEY,                                                              \
        .value_format = SCHEMA_LABEL_VALUE,                                                      \
        .max = LABELS_MAX,                                                                       \
        .description = "Keys and values to select objects by.",                                  \
    },                                                                                           \
        {                                                                                        \
            .name = "annotations",                                                               \
            .type = SCHEMA_STRING_MAP,                                                           \
            .format = SCHEMA_LABEL_KEY,                                                          \
            .description =                                                                       \
                "Keys and values that tools and people attach; not used to select, and never "   \
                "interpreted.",                                                                  \
        },                                                                                       \
        {                                                                                        \
            .name = "uid",                                                                       \
            .type = SCHEMA_STRING,                                                               \
            .flags = SCHEMA_SERVER,                                                              \
            .format = SCHEMA_UUID,                                                               \
            .description =                                                                       \
                "Tells this object from another one of the same name earlier or later. Set by "  \
                "the agent; in an "                                                              \
                "update a precondition.",                                                        \
        },                                                                                       \
        {                                                                                        \
            .name = "resourceVersion",                                                           \
            .type = SCHEMA_STRING,                                                               \
            .flags = SCHEMA_SERVER,                                                              \
            .max = 64,                                                                           \
            .description =                                                                       \
                "Opaque version of the object as one agent holds it. In an update a "            \
                "precondition.",                                                                 \
        },                                                                                       \
        {                                                                                        \
            .name = "generation",                                                                \
            .type = SCHEMA_INTEGER,                                                              \
            .flags = SCHEMA_SERVER,                                                              \
            .max = INT64_MAX,                                                                    \
            .description = "Grows by one with each change of the spec. Set by the agent.",       \
        },                                                                                       \
        {                                                                                        \
            .name = "creationTimestamp",                                                         \
            .type = SCHEMA_STRING,                                                               \
            .flags = SCHEMA_SERVER,                                                              \
            .format = SCHEMA_TIMESTAMP,                                                          \
            .description =                                                                       \
                "When the object was created, by the clock of the agent that took the request.", \
        },                                                                                       \
        {                                                                                        \
            .name = "managedFields",                                                             \
            .type = SCHEMA_LIST,                                                                 \
            .flags = SCHEMA_SERVER,                                                              \
            .item = &managed_fields_item,                                                        \
            .description = "Who wrote which fields, for server-side apply. Set by the agent.",   \
        },                                                                                       \
        SCHEMA_REFUSED("generateName"), SCHEMA_REFUSED("ownerReferences"),                       \
        SCHEMA_REFUSED("finalizers"), SCHEMA_REFUSED("deletionTimestamp"),                       \
        SCHEMA_REFUSED("deletionGracePeriodSeconds"), SCHEMA_REFUSED("selfLink")

static const struct schema_field namespaced_rows[] = {
    METADATA_NAME,
    {
        .name = "namespace",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_IMMUTABLE,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .fallback = "\"default\"",
        .description =
            "Namespace of the object. Namespaces need not be created. Cannot be updated.",
    },
    METADATA_COMMON,
};

static const struct schema_field cluster_rows[] = {METADATA_NAME, METADATA_COMMON,
                                                   SCHEMA_REFUSED("namespace")};

const struct schema_object schema_metadata_namespaced = SCHEMA_OBJECT_OF(
    "ObjectMeta", namespaced_rows, "What all objects have: name, labels, versions.");
const struct schema_object schema_metadata_cluster = SCHEMA_OBJECT_OF(
    "ClusterObjectMeta", cluster_rows, "What all objects have: name, labels, versions.");
