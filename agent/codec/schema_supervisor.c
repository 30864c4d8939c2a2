/* kind: Supervisor. */
#include "agent/codec/schema.h"

#include "agent/core/limits.h"

static const char *const strategies[] = {"Uniform", "UniformQuorum", "UniformRandom",
                                         "LeastRequested", NULL};
static const char *const redistributions[] = {"passive", "active", NULL};
static const char *const orders[] = {"stop-first", "start-first", NULL};
static const char *const intensity_actions[] = {"backoff", "escalate", NULL};

static const struct schema_field member_item = {
    .type = SCHEMA_STRING,
    .format = SCHEMA_MEMBER_NAME,
    .max = NAME_BYTES_MAX,
    .description = "Node name of a member.",
};

static const struct schema_field spec_rows[] = {
    {
        .name = "distributionStrategy",
        .type = SCHEMA_STRING,
        .flags = SCHEMA_IMMUTABLE_IN_USE,
        .values = strategies,
        .fallback = "\"Uniform\"",
        .description =
            "Which member runs a child: Uniform (hash ring over the members that are alive), "
            "UniformQuorum (the same, and only where more than half of the members are alive; "
            "a child runs only under a lease from a majority of them) or "
            "UniformRandom (another member for each epoch) or LeastRequested (the one with most "
            "cpu "
            "and memory left, by what children's resources ask for; who has not enough takes "
            "none). Cannot be updated while the supervisor "
            "has "
            "children.",
    },
    {
        .name = "members",
        .type = SCHEMA_AUTO_OR_LIST,
        .max = SUPERVISOR_MEMBERS_MAX,
        .item = &member_item,
        .fallback = "\"auto\"",
        .description = "Node names that run the children of this supervisor and, for "
                       "UniformQuorum, vote; or auto: "
                       "everyone who joined the cluster. Names that never joined are accepted.",
    },
    {
        .name = "leaseSeconds",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = 60,
        .fallback = "5",
        .description = "UniformQuorum: how long a lease is. What was lost with a member runs "
                       "elsewhere after this long; who cannot reach a majority stops its "
                       "children at half of it, and has killed them before its end.",
    },
    {
        .name = "processRedistribution",
        .type = SCHEMA_STRING,
        .values = redistributions,
        .fallback = "\"passive\"",
        .description =
            "passive: children move only when their node dies, leaves or drains, or when somebody "
            "asks for it (hordelet rebalance). active: also when another member has come to be "
            "preferred for them, once membership has been quiet for settleSeconds.",
    },
    {
        .name = "maxConcurrentMoves",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = REPLICAS_MAX,
        .fallback = "1",
        .description = "How many children active redistribution and rebalance move at a time, in "
                       "the whole cluster; more than 64 count as 64.",
    },
    {
        .name = "settleSeconds",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = 86400,
        .fallback = "30",
        .description =
            "How long membership must have been quiet before active redistribution begins.",
    },
    {
        .name = "order",
        .type = SCHEMA_STRING,
        .values = orders,
        .fallback = "\"stop-first\"",
        .description =
            "A child that redistribution moves is stopped before its successor starts "
            "(stop-first), or after that is ready (start-first: two copies run for a moment; not "
            "for UniformQuorum). Either way the image is pulled first.",
    },
    {
        .name = "maxRestarts",
        .type = SCHEMA_INTEGER,
        .min = 0,
        .max = INT32_MAX,
        .fallback = "3",
        .description =
            "After more restarts than this within maxSeconds a child is shown as CrashLoopBackOff.",
    },
    {
        .name = "maxSeconds",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = INT32_MAX,
        .fallback = "5",
        .description = "The time in which maxRestarts are counted.",
    },
    {
        .name = "onIntensityExceeded",
        .type = SCHEMA_STRING,
        .values = intensity_actions,
        .fallback = "\"backoff\"",
        .description =
            "What happens after too many restarts: the child is restarted ever more slowly "
            "(backoff), or "
            "all children of the supervisor on that node stop and are placed again (escalate).",
    },
    {
        .name = "maxChildren",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = REPLICAS_MAX,
        .description =
            "How many children of this supervisor one node runs at most. Unset: no limit.",
    },
    {
        .name = "proxyMessageTTL",
        .type = SCHEMA_INTEGER,
        .min = 1,
        .max = 255,
        .fallback = "8",
        .description = "How many members a request for something that another node has may pass.",
    },
};

static const struct schema_object spec = SCHEMA_OBJECT_OF(
    "SupervisorSpec", spec_rows, "How a supervisor places and restarts its children.");

static const struct schema_field root_rows[] = {
    {.name = "apiVersion",
     .type = SCHEMA_STRING,
     .flags = SCHEMA_REQUIRED,
     .description = "hordelet.dev/v1."},
    {.name = "kind", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED, .description = "Supervisor."},
    {
        .name = "metadata",
        .type = SCHEMA_OBJECT,
        .object = &schema_metadata_cluster,
        .flags = SCHEMA_REQUIRED,
        .description = "Name, labels, annotations.",
    },
    {
        .name = "spec",
        .type = SCHEMA_OBJECT,
        .object = &spec,
        .fallback = "{}",
        .description = "How the supervisor places and restarts its children.",
    },
};

static const struct schema_object root_object =
    SCHEMA_OBJECT_OF("Supervisor", root_rows,
                     "A set of members and the rules by which workloads that name it are placed "
                     "among them and restarted.");

static const struct schema_field root = {.type = SCHEMA_OBJECT, .object = &root_object};

const struct schema_kind schema_supervisor = {
    .kind = "Supervisor",
    .plural = "supervisors",
    .namespaced = false,
    .root = &root,
    .status = &schema_supervisor_status,
    .written = true,
};
