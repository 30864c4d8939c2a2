/* kind: Name, as outside processes register one, and kind: Meta. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

#define REGISTRY_ROOT(kind_text, spec_object)                                              \
    {.name = "apiVersion",                                                                 \
     .type = SCHEMA_STRING,                                                                \
     .flags = SCHEMA_REQUIRED,                                                             \
     .description = "hordelet.dev/v1."},                                                   \
        {.name = "kind",                                                                   \
         .type = SCHEMA_STRING,                                                            \
         .flags = SCHEMA_REQUIRED,                                                         \
         .description = kind_text "."},                                                    \
        {.name = "metadata",                                                               \
         .type = SCHEMA_OBJECT,                                                            \
         .object = &schema_metadata_namespaced,                                            \
         .flags = SCHEMA_REQUIRED,                                                         \
         .description = "Name, namespace, labels."},                                       \
    {                                                                                      \
        .name = "spec", .type = SCHEMA_OBJECT, .object = &(spec_object), .fallback = "{}", \
        .description = "What it says."                                                     \
    }

static const struct schema_field name_spec_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_SERVER,
        .description = "The name again. Set by the agent.",
    },
    {
        .name = "address",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_NOT_EMPTY,
        .max = ADDRESS_BYTES_MAX,
        .description = "Where the owner is reached: a host name or IP address. Unset: the address "
                       "of the agent that is asked.",
    },
    {
        .name = "port",
        .type = SCHEMA_INT_OR_STRING,
        .description =
            "The port there, if there is one: a number, 1 to 65535. Of a child's name it "
            "may be the name of a port in the workload's ports; status.port is the number.",
    },
    {
        .name = "value",
        .type = SCHEMA_JSON,
        .max = VALUE_BYTES_MAX,
        .description = "Anything that the owner wants to be known, up to 4 KiB.",
    },
    {
        .name = "ttlSeconds",
        .type = SCHEMA_INTEGER,
        .min = OUTSIDE_TTL_MS_MIN / 1000,
        .max = OUTSIDE_TTL_MS_MAX / 1000,
        .fallback = "30",
        .description = "The name goes when it has not been renewed for so long.",
    },
};
static const struct schema_object name_spec =
    SCHEMA_OBJECT_OF("NameSpec", name_spec_rows, "Where the owner is, and what it says of itself.");

static const struct schema_field meta_spec_rows[] = {{
    .name = "value",
    .type = SCHEMA_JSON,
    .flags = SCHEMA_REQUIRED,
    .max = VALUE_BYTES_MAX,
    .description = "The value, up to 4 KiB.",
}};
static const struct schema_object meta_spec =
    SCHEMA_OBJECT_OF("MetaSpec", meta_spec_rows, "A value for all.");

static const struct schema_field name_root_rows[] = {REGISTRY_ROOT("Name", name_spec)};
static const struct schema_object name_object =
    SCHEMA_OBJECT_OF("Name", name_root_rows, "A name, unique in its namespace, and who has it.");
static const struct schema_field name_root = {.type = SCHEMA_OBJECT, .object = &name_object};

static const struct schema_field meta_root_rows[] = {REGISTRY_ROOT("Meta", meta_spec)};
static const struct schema_object meta_object =
    SCHEMA_OBJECT_OF("Meta", meta_root_rows, "A value under a key that nobody owns.");
static const struct schema_field meta_root = {.type = SCHEMA_OBJECT, .object = &meta_object};

const struct schema_kind schema_name = {
    .kind = "Name",
    .plural = "names",
    .namespaced = true,
    .root = &name_root,
    .status = &schema_name_status,
    .written = true,
};
const struct schema_kind schema_meta = {
    .kind = "Meta",
    .plural = "metas",
    .namespaced = true,
    .root = &meta_root,
    .written = true,
};
