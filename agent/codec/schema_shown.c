/* What only the agents write: the status of each kind, and the kinds Child and Member. No document
 * is validated by these rows; explain, OpenAPI and the reference are printed from them, and a test
 * holds every object that the API shows against them. */
#include "agent/codec/schema.h"

#define TEXT(name, text) SCHEMA_SHOWN(name, SCHEMA_STRING, text)
#define NUMBER(name, text) SCHEMA_SHOWN(name, SCHEMA_INTEGER, text)
#define FLAG(name, text) SCHEMA_SHOWN(name, SCHEMA_BOOLEAN, text)
#define API_VERSION_ROW TEXT("apiVersion", "hordelet.dev/v1.")

/* ---- what several have ---- */

static const struct schema_field condition_rows[] = {
    TEXT("type", "What it is about: Available, Progressing, NameConflict, Fenced."),
    TEXT("status", "True or False."),
    TEXT("reason", "One word for programs."),
    TEXT("message", "A sentence for people."),
    NUMBER("observedGeneration", "Of which metadata.generation this was found."),
};
static const struct schema_object condition =
    SCHEMA_OBJECT_OF("Condition", condition_rows, "Whether something holds, and why.");
static const struct schema_field condition_item = {.type = SCHEMA_OBJECT, .object = &condition};

/* ---- Workload ---- */

static const struct schema_field workload_rows[] = {
    NUMBER("replicas", "How many children there are to be."),
    NUMBER("runningReplicas", "Children whose container runs."),
    NUMBER("readyReplicas", "Children that run and are ready: they have their names."),
    NUMBER("updatedReplicas", "Children that are ready, or have succeeded, with the present spec."),
    NUMBER("observedGeneration", "Of which metadata.generation this status is."),
    SCHEMA_SHOWN_LIST("conditions", condition_item,
                      "Available: all replicas are ready. Progressing: the update goes on or is "
                      "complete. NameConflict: somebody else has a name of a child."),
};
static const struct schema_object workload_status =
    SCHEMA_OBJECT_OF("WorkloadStatus", workload_rows,
                     "How it is with the children, as the agent that is asked knows it.");
const struct schema_field schema_workload_status = SCHEMA_SHOWN_OBJECT(
    "status", workload_status, "How it is with the children. Set by the agents.");

/* ---- Supervisor ---- */

static const struct schema_field electorate_member_rows[] = {
    TEXT("node", "Its node name."),
    TEXT("replica", "Its replica id: a node that comes back without data is another voter."),
};
static const struct schema_object electorate_member = SCHEMA_OBJECT_OF(
    "ElectorateMember", electorate_member_rows, "A member of the electorate in effect.");
static const struct schema_field electorate_member_item = {.type = SCHEMA_OBJECT,
                                                           .object = &electorate_member};
static const struct schema_field voter_item = {.type = SCHEMA_STRING};

static const struct schema_field electorate_rows[] = {
    NUMBER("version", "Grows by one with each change."),
    NUMBER("leaseSeconds", "How long a lease is."),
    FLAG("settled", "False while the electorate before this one is asked, too."),
    SCHEMA_SHOWN_LIST("members", electorate_member_item, "All members, in order of name."),
    SCHEMA_SHOWN_LIST("voters", voter_item,
                      "Those who vote: all, or without the first if their number is even."),
};
static const struct schema_object electorate = SCHEMA_OBJECT_OF(
    "Electorate", electorate_rows, "Who grants the leases of a UniformQuorum supervisor.");

static const struct schema_field redistribution_rows[] = {
    FLAG("asked", "Somebody asked for it (hordelet rebalance)."),
    NUMBER("wanted", "Children that belong on another member."),
    NUMBER("underWay", "Children that are on their way."),
};
static const struct schema_object redistribution = SCHEMA_OBJECT_OF(
    "Redistribution", redistribution_rows, "Children that move although nobody is lost.");

static const struct schema_field supervisor_rows[] = {
    FLAG("quorum",
         "More than half of the voters are alive, as the agent that is asked sees it. "
         "Always true for strategies without votes."),
    {
        .name = "electorate",
        .type = SCHEMA_OBJECT,
        .object = &electorate,
        .flags = SCHEMA_SERVER | SCHEMA_NULLABLE,
        .description = "Who votes; null while none is in effect, or nobody has to.",
    },
    SCHEMA_SHOWN("members", SCHEMA_STRING_MAP, "Node names of its members, each with its phase."),
    NUMBER("specs", "Children that are to be."),
    NUMBER("active", "Children that run, in the whole cluster."),
    NUMBER("workers", "The same as active: Horde's word for it."),
    NUMBER("observedGeneration", "Of which metadata.generation this status is."),
    SCHEMA_SHOWN_OBJECT("redistribution", redistribution,
                        "What moves; absent if nothing may move."),
    SCHEMA_SHOWN_LIST("conditions", condition_item,
                      "Fenced: an electorate is in effect, so that guarded children can run."),
};
static const struct schema_object supervisor_status =
    SCHEMA_OBJECT_OF("SupervisorStatus", supervisor_rows,
                     "Members and children, as the agent that is asked knows them.");
const struct schema_field schema_supervisor_status =
    SCHEMA_SHOWN_OBJECT("status", supervisor_status, "Members and children. Set by the agents.");

/* ---- Name ---- */

static const struct schema_field name_rows[] = {
    TEXT("owner",
         "Who has it: the child NAMESPACE/WORKLOAD/ORDINAL, or token/ and the beginning "
         "of the hash of an outside owner's token."),
    TEXT("node", "Where the owner is, or which agent looks after an outside name."),
    TEXT("address", "Where the owner is reached: a host name or IP address."),
    NUMBER("port", "The port there; absent if it has none."),
    NUMBER("epoch", "Grows each time the name is registered."),
    NUMBER("ownerEpoch", "Epoch of the child that has it: a fencing token for guarded children."),
};
static const struct schema_object name_status =
    SCHEMA_OBJECT_OF("NameStatus", name_rows, "Who has the name, and where.");
const struct schema_field schema_name_status =
    SCHEMA_SHOWN_OBJECT("status", name_status, "Who has the name, and where. Set by the agents.");

/* ---- Child ---- */

static const struct schema_field child_spec_rows[] = {
    TEXT("workload", "Name of its workload."),
    NUMBER("ordinal", "Which one of the workload's children it is, from 0."),
    TEXT("supervisor", "Name of the supervisor that places it."),
};
static const struct schema_object child_spec =
    SCHEMA_OBJECT_OF("ChildSpec", child_spec_rows, "Of what it is a child.");

static const struct schema_field child_status_rows[] = {
    TEXT("phase",
         "Pending, Pulling, Starting, Running, Stopping, Succeeded, Failed or "
         "CrashLoopBackOff."),
    TEXT("node", "The member that has claimed it; absent while nobody has."),
    NUMBER("epoch", "Grows each time it is placed; a fencing token for guarded children."),
    TEXT("containerID", "Id of its container in the engine of that node."),
    NUMBER("restarts", "How often it was run again since its spec changed."),
    FLAG("ready", "It can be used, and has its names."),
    TEXT("startedAt", "When its container was started."),
    TEXT("reason", "Why it is in that phase, as one word."),
    TEXT("message", "The same for people."),
    NUMBER("exitCode", "What its container ended with last."),
    SCHEMA_SHOWN_LIST("conditions", condition_item, "NameConflict: somebody else has its name."),
};
static const struct schema_object child_status = SCHEMA_OBJECT_OF(
    "ChildStatus", child_status_rows, "Where it is, and how it is with its container.");

static const struct schema_field child_root_rows[] = {
    API_VERSION_ROW,
    TEXT("kind", "Child."),
    SCHEMA_SHOWN_OBJECT("metadata", schema_metadata_namespaced,
                        "Name (WORKLOAD-ORDINAL), namespace, the workload's labels."),
    SCHEMA_SHOWN_OBJECT("spec", child_spec, "Of what it is a child."),
};
static const struct schema_object child = SCHEMA_OBJECT_OF(
    "Child", child_root_rows,
    "One container of a workload. Nobody writes it; it can be deleted, and is placed again.");
static const struct schema_field child_root = {.type = SCHEMA_OBJECT, .object = &child};
static const struct schema_field child_status_row =
    SCHEMA_SHOWN_OBJECT("status", child_status, "Where it is, and how it is with its container.");
const struct schema_kind schema_child = {.kind = "Child",
                                         .plural = "children",
                                         .namespaced = true,
                                         .root = &child_root,
                                         .status = &child_status_row};

/* ---- Member ---- */

static const struct schema_field member_spec_rows[] = {
    SCHEMA_SHOWN("labels", SCHEMA_STRING_MAP, "Its labels, as nodeSelector sees them."),
    TEXT("zone", "Its zone; empty if it has none."),
    NUMBER("weight", "Its share of the ring beside other members."),
    {.name = "unschedulable",
     .type = SCHEMA_BOOLEAN,
     .description = "No child is placed there while this is true. The one field that a patch "
                    "changes: kubectl cordon, hordelet drain, hordelet uncordon."},
};
static const struct schema_object member_spec =
    SCHEMA_OBJECT_OF("MemberSpec", member_spec_rows, "What the member says of itself.");

static const struct schema_field capacity_rows[] = {
    TEXT("cpu", "Processor time for children, as 4000m."),
    NUMBER("memory", "Memory for children, in bytes."),
};
static const struct schema_object capacity =
    SCHEMA_OBJECT_OF("Capacity", capacity_rows, "What it has for children.");

static const struct schema_field full_rows[] = {
    TEXT("supervisor", "Whose children it takes no more of; empty: any."),
    TEXT("reason", "Why."),
};
static const struct schema_object full =
    SCHEMA_OBJECT_OF("Full", full_rows, "Whose children it has no room for.");
static const struct schema_field full_item = {.type = SCHEMA_OBJECT, .object = &full};

static const struct schema_field runtime_rows[] = {
    TEXT("name", "Name of the engine."),
    TEXT("version", "Its version."),
    FLAG("healthy", "It answers."),
};
static const struct schema_object runtime =
    SCHEMA_OBJECT_OF("Runtime", runtime_rows, "The container engine of the node.");

static const struct schema_field member_status_rows[] = {
    TEXT("phase",
         "As the agent that is asked sees it: uninitialized, alive, suspect, dead, "
         "shutting_down, absent or left."),
    FLAG("draining", "It hands over the children that it holds."),
    TEXT("gossipAddress", "Where other agents reach it."),
    TEXT("apiAddress", "Where its API listens."),
    NUMBER("incarnation", "Grows each time it refutes a suspicion."),
    SCHEMA_SHOWN_OBJECT("capacity", capacity, "What it has for children; absent if not known."),
    NUMBER("children", "Children that it has claimed."),
    SCHEMA_SHOWN_LIST("full", full_item, "What it has no room for, as it says."),
    SCHEMA_SHOWN_OBJECT("runtime", runtime, "The container engine of the node."),
    TEXT("version", "Version of the agent."),
};
static const struct schema_object member_status =
    SCHEMA_OBJECT_OF("MemberStatus", member_status_rows, "How it is, and what it has.");

static const struct schema_field member_root_rows[] = {
    API_VERSION_ROW,
    TEXT("kind", "Member."),
    SCHEMA_SHOWN_OBJECT("metadata", schema_metadata_cluster, "Name (the node name), labels."),
    SCHEMA_SHOWN_OBJECT("spec", member_spec, "What the member says of itself."),
};
static const struct schema_object member = SCHEMA_OBJECT_OF(
    "Member", member_root_rows, "An agent and its node: who belongs to the cluster.");
static const struct schema_field member_root = {.type = SCHEMA_OBJECT, .object = &member};
static const struct schema_field member_status_row =
    SCHEMA_SHOWN_OBJECT("status", member_status, "How it is, and what it has.");
const struct schema_kind schema_member = {.kind = "Member",
                                          .plural = "members",
                                          .namespaced = false,
                                          .root = &member_root,
                                          .status = &member_status_row};
