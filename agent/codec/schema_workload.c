/* kind: Workload. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

static const char *const restarts[] = {"permanent", "transient", "temporary", "Always",
                                       "OnFailure", "Never",     NULL};
static const char *const name_conflicts[] = {"keep", "stop", NULL};
static const char *const update_types[] = {"RollingUpdate", "Recreate", NULL};

/* ---- names ---- */

static const struct schema_field name_rows[] = {
    {
        .name = "name",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_REQUIRED,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .description =
            "Name to register, unique in the namespace. Names of replicas get -ORDINAL appended.",
    },
    {
        .name = "port",
        .type = SCHEMA_INT_OR_STRING,
        .description = "The port of the container that the name leads to, by its name or number; "
                       "the first port if "
                       "unset.",
    },
    {
        .name = "value",
        .type = SCHEMA_JSON,
        .max = VALUE_BYTES_MAX,
        .description = "Any value, kept with the name and found by lookups.",
    },
};
static const struct schema_object name = SCHEMA_OBJECT_OF(
    "WorkloadName", name_rows, "A name that a child registers while it is running and ready.");
static const struct schema_field name_item = {.type = SCHEMA_OBJECT, .object = &name};

static const struct schema_field volume_item = {.type = SCHEMA_OBJECT, .object = &schema_volume};

static const struct schema_field update_rows[] = {
    {
        .name = "type",
        .type = SCHEMA_STRING,
        .values = update_types,
        .fallback = "\"RollingUpdate\"",
        .description = "RollingUpdate replaces children a few at a time, Recreate all at once.",
    },
    {
        .name = "maxUnavailable",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = REPLICAS_MAX,
        .fallback = "1",
        .description = "How many children may be down at a time during a rolling update.",
    },
};
static const struct schema_object update_strategy = SCHEMA_OBJECT_OF(
    "UpdateStrategy", update_rows, "How children are replaced when the container changes.");

/* ---- spec ---- */

static const struct schema_field spec_rows[] = {
    {
        .name = "supervisor",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_IMMUTABLE,
        .format = SCHEMA_NAME,
        .max = NAME_BYTES_MAX,
        .fallback = "\"default\"",
        .description = "Name of the Supervisor that places and restarts the children. It need not "
                       "exist yet. Cannot "
                       "be updated.",
    },
    {
        .name = "replicas",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = REPLICAS_MAX,
        .fallback = "1",
        .description = "How many children there are, named NAME-0 to NAME-(replicas - 1).",
    },
    {
        .name = "restart",
        .type = SCHEMA_STRING,
        .values = restarts,
        .fallback = "\"permanent\"",
        .description = "When a child that ended is run again: permanent (Always), transient "
                       "(OnFailure: unless it "
                       "exited with 0) or temporary (Never).",
    },
    {
        .name = "shutdown",
        .type = SCHEMA_DURATION,
        .format = SCHEMA_SHUTDOWN,
        .fallback = "\"5s\"",
        .description =
            "Time between SIGTERM and SIGKILL; infinity: no SIGKILL; brutal_kill: SIGKILL at once.",
    },
    {
        .name = "priority",
        .type = SCHEMA_INTEGER,
        .min = INT32_MIN,
        .max = INT32_MAX,
        .fallback = "0",
        .description =
            "Children of a higher priority start first, and find room where lower ones do not.",
    },
    {
        .name = "names",
        .type = SCHEMA_LIST,
        .item = &name_item,
        .key = {"name"},
        .max = NAMES_PER_WORKLOAD_MAX,
        .description = "Names that the children register. Default: the workload's name, with "
                       "-ORDINAL for replicas.",
    },
    {
        .name = "onNameConflict",
        .type = SCHEMA_STRING,
        .values = name_conflicts,
        .fallback = "\"keep\"",
        .description = "What a child does that lost its name to another owner: keep running "
                       "without it, or stop.",
    },
    {
        .name = "updateStrategy",
        .type = SCHEMA_OBJECT,
        .object = &update_strategy,
        .fallback = "{}",
        .description = "How children are replaced when the container changes.",
    },
    {
        .name = "minReadySeconds",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = INT32_MAX,
        .fallback = "0",
        .description = "How long a new child must have been ready before the next one is replaced.",
    },
    {
        .name = "progressDeadlineSeconds",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = INT32_MAX,
        .fallback = "600",
        .description =
            "A rollout that makes no progress for so long is shown as Progressing=False.",
    },
    {
        .name = "ttlSecondsAfterFinished",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = INT32_MAX,
        .description = "The workload is deleted so long after all of its children have ended for "
                       "good. Unset: never.",
    },
    {
        .name = "nodeSelector",
        .type = SCHEMA_STRING_MAP,
        .format = SCHEMA_LABEL_KEY,
        .value_format = SCHEMA_LABEL_VALUE,
        .max = LABELS_MAX,
        .description = "Only members that carry all of these labels run the children.",
    },
    {
        .name = "hostNetwork",
        .type = SCHEMA_BOOLEAN,
        .fallback = "false",
        .description = "Whether the container uses the node's network instead of its own.",
    },
    {
        .name = "apiAccess",
        .type = SCHEMA_BOOLEAN,
        .description = "Whether the container reaches the API of its agent, at HORDELET_API with "
                       "HORDELET_TOKEN: to read names, and to leave a state to its successor. "
                       "Unset: yes.",
    },
    {
        .name = "volumes",
        .type = SCHEMA_LIST,
        .item = &volume_item,
        .key = {"name"},
        .max = 64,
        .description = "Storage that the container can mount.",
    },
    {
        .name = "container",
        .type = SCHEMA_OBJECT,
        .object = &schema_container,
        .flags = SCHEMA_REQUIRED,
        .description = "The container that each child is.",
    },
    SCHEMA_REFUSED("initContainers"),
    SCHEMA_REFUSED("containers"),
    SCHEMA_REFUSED("sidecars"),
    SCHEMA_REFUSED("ephemeralContainers"),
    SCHEMA_REFUSED("zoneSpread"),
    SCHEMA_REFUSED("topologySpreadConstraints"),
    SCHEMA_REFUSED("affinity"),
    SCHEMA_REFUSED("tolerations"),
    SCHEMA_REFUSED("template"),
    SCHEMA_REFUSED("selector"),
    SCHEMA_REFUSED("restartPolicy"),
    SCHEMA_REFUSED("terminationGracePeriodSeconds"),
    SCHEMA_REFUSED("activeDeadlineSeconds"),
    SCHEMA_REFUSED("securityContext"),
    SCHEMA_REFUSED("serviceAccountName"),
    SCHEMA_REFUSED("imagePullSecrets"),
    SCHEMA_REFUSED("priorityClassName"),
    SCHEMA_REFUSED("hostPID"),
    SCHEMA_REFUSED("hostIPC"),
    SCHEMA_REFUSED("hostUsers"),
    SCHEMA_REFUSED("hostAliases"),
    SCHEMA_REFUSED("hostname"),
    SCHEMA_REFUSED("dnsPolicy"),
    SCHEMA_REFUSED("dnsConfig"),
};

static const struct schema_object spec = SCHEMA_OBJECT_OF(
    "WorkloadSpec", spec_rows, "What to run, how many times, and how it is kept running.");

static const struct schema_field root_rows[] = {
    {.name = "apiVersion",
     .type = SCHEMA_STRING,
     .flags = SCHEMA_REQUIRED,
     .description = "hordelet.dev/v1."},
    {.name = "kind", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED, .description = "Workload."},
    {
        .name = "metadata",
        .type = SCHEMA_OBJECT,
        .object = &schema_metadata_namespaced,
        .flags = SCHEMA_REQUIRED,
        .description = "Name, namespace, labels, annotations.",
    },
    {
        .name = "spec",
        .type = SCHEMA_OBJECT,
        .object = &spec,
        .flags = SCHEMA_REQUIRED,
        .description = "What to run, how many times, and how it is kept running.",
    },
};

static const struct schema_object root_object = SCHEMA_OBJECT_OF(
    "Workload", root_rows,
    "A container to keep running on some member of the cluster, once or several times.");

static const struct schema_field root = {.type = SCHEMA_OBJECT, .object = &root_object};

const struct schema_kind schema_workload = {
    .kind = "Workload",
    .plural = "workloads",
    .namespaced = true,
    .root = &root,
    .status = &schema_workload_status,
    .written = true,
};
