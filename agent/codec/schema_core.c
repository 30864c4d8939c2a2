/* Kubernetes' own kinds, as far as children, members and events are shown as such: what a client
 * may find in them, for explain and OpenAPI. Their fields mean what Kubernetes says;
 * docs/kubectl.md has what differs. */
#include "agent/codec/schema.h"

#define TEXT(name, text) SCHEMA_SHOWN(name, SCHEMA_STRING, text)
#define NUMBER(name, text) SCHEMA_SHOWN(name, SCHEMA_INTEGER, text)
#define FLAG(name, text) SCHEMA_SHOWN(name, SCHEMA_BOOLEAN, text)
#define OBJECT(name, object, text) SCHEMA_SHOWN_OBJECT(name, object, text)
#define LIST(name, item, text) SCHEMA_SHOWN_LIST(name, item, text)
#define API_VERSION_ROW TEXT("apiVersion", "v1.")

static const struct schema_field condition_rows[] = {
    TEXT("type", "What it is about: PodScheduled, ContainersReady, Ready."),
    TEXT("status", "True, False or Unknown."),
    TEXT("reason", "One word for programs."),
    TEXT("message", "A sentence for people."),
};
static const struct schema_object condition =
    SCHEMA_OBJECT_OF("CoreCondition", condition_rows, "Whether something holds, and why.");
static const struct schema_field condition_item = {.type = SCHEMA_OBJECT, .object = &condition};

/* ---- Pod ---- */

static const struct schema_field owner_rows[] = {
    TEXT("apiVersion", "hordelet.dev/v1."), TEXT("kind", "Workload."),
    TEXT("name", "Name of the workload."),  TEXT("uid", "Its uid."),
    FLAG("controller", "Always true."),
};
static const struct schema_object owner =
    SCHEMA_OBJECT_OF("OwnerReference", owner_rows, "The workload that a child is of.");
static const struct schema_field owner_item = {.type = SCHEMA_OBJECT, .object = &owner};

static const struct schema_field pod_metadata_rows[] = {
    TEXT("name", "Name of the child: WORKLOAD-ORDINAL."),
    TEXT("namespace", "Namespace of the workload."),
    TEXT("uid", "Another one each time that the child is placed."),
    TEXT("resourceVersion", "Opaque version of the child as one agent holds it."),
    NUMBER("generation", "Always 1."),
    TEXT("creationTimestamp", "When the workload was created."),
    SCHEMA_SHOWN("labels", SCHEMA_STRING_MAP,
                 "The labels of the workload, and hordelet.dev/workload."),
    LIST("ownerReferences", owner_item, "The workload."),
};
static const struct schema_object pod_metadata =
    SCHEMA_OBJECT_OF("PodMeta", pod_metadata_rows, "Name, labels, and the workload.");

static const struct schema_field container_item = {.type = SCHEMA_OBJECT,
                                                   .object = &schema_container};
static const struct schema_field volume_item = {.type = SCHEMA_OBJECT, .object = &schema_volume};

static const struct schema_field pod_spec_rows[] = {
    TEXT("nodeName", "The member that has claimed the child; absent while nobody has."),
    TEXT("restartPolicy", "The workload's restart: Always, OnFailure or Never."),
    NUMBER("priority", "The workload's priority."),
    FLAG("hostNetwork", "Whether the container uses the network of the node."),
    SCHEMA_SHOWN("nodeSelector", SCHEMA_STRING_MAP, "The workload's nodeSelector."),
    LIST("containers", container_item, "The one container of the workload."),
    LIST("volumes", volume_item, "The workload's volumes."),
};
static const struct schema_object pod_spec =
    SCHEMA_OBJECT_OF("PodSpec", pod_spec_rows, "What of the workload's spec a Pod can show.");

static const struct schema_field running_rows[] = {TEXT("startedAt", "When it was started.")};
static const struct schema_object running =
    SCHEMA_OBJECT_OF("ContainerStateRunning", running_rows, "The container runs.");
static const struct schema_field waiting_rows[] = {
    TEXT("reason", "The child's reason, or its phase."),
    TEXT("message", "The child's message."),
};
static const struct schema_object waiting =
    SCHEMA_OBJECT_OF("ContainerStateWaiting", waiting_rows, "The container does not run yet.");
static const struct schema_field terminated_rows[] = {
    NUMBER("exitCode", "What it ended with."),
    TEXT("reason", "The child's reason; Completed or Error."),
    TEXT("message", "The child's message."),
    TEXT("startedAt", "When it was started."),
};
static const struct schema_object terminated =
    SCHEMA_OBJECT_OF("ContainerStateTerminated", terminated_rows, "The container has ended.");
static const struct schema_field state_rows[] = {
    OBJECT("running", running, "It runs."),
    OBJECT("waiting", waiting, "It does not run yet."),
    OBJECT("terminated", terminated, "It has ended for good."),
};
static const struct schema_object state =
    SCHEMA_OBJECT_OF("ContainerState", state_rows, "One of running, waiting, terminated.");

static const struct schema_field container_status_rows[] = {
    TEXT("name", "Name of the container."),
    TEXT("image", "Image that it runs."),
    TEXT("imageID", "Always empty: the engine of the node knows it."),
    TEXT("containerID", "Id in the engine, as docker://ID."),
    FLAG("ready", "The child is ready."),
    FLAG("started", "The container runs."),
    NUMBER("restartCount", "How often it was run again."),
    OBJECT("state", state, "How it is."),
};
static const struct schema_object container_status =
    SCHEMA_OBJECT_OF("ContainerStatus", container_status_rows, "How it is with the container.");
static const struct schema_field container_status_item = {.type = SCHEMA_OBJECT,
                                                          .object = &container_status};
static const struct schema_field address_rows[] = {TEXT("ip", "The address.")};
static const struct schema_object address = SCHEMA_OBJECT_OF("PodIP", address_rows, "An address.");
static const struct schema_field address_item = {.type = SCHEMA_OBJECT, .object = &address};

static const struct schema_field pod_status_rows[] = {
    TEXT("phase", "Pending, Running, Succeeded or Failed."),
    TEXT("reason", "The child's reason."),
    TEXT("message", "The child's message."),
    LIST("conditions", condition_item, "PodScheduled, ContainersReady, Ready."),
    TEXT("hostIP", "Address of the node."),
    TEXT("podIP",
         "Address of the node, if the container uses its network. Otherwise absent: "
         "names say where a child is reached."),
    LIST("podIPs", address_item, "The same as a list."),
    TEXT("startTime", "When its container was started."),
    LIST("containerStatuses", container_status_item, "Of the one container."),
};
static const struct schema_object pod_status = SCHEMA_OBJECT_OF(
    "PodStatus", pod_status_rows, "The child's status in the words of Kubernetes.");

static const struct schema_field pod_rows[] = {
    API_VERSION_ROW,
    TEXT("kind", "Pod."),
    OBJECT("metadata", pod_metadata, "Name, labels, and the workload."),
    OBJECT("spec", pod_spec, "What of the workload's spec a Pod can show."),
};
static const struct schema_object pod = SCHEMA_OBJECT_OF(
    "Pod", pod_rows,
    "A child, shown as a Pod: it can be read, its logs too, and deleted; the workload is what is "
    "written.");
static const struct schema_field pod_root = {.type = SCHEMA_OBJECT, .object = &pod};
static const struct schema_field pod_status_row =
    OBJECT("status", pod_status, "The child's status in the words of Kubernetes.");
const struct schema_kind schema_pod = {.kind = "Pod",
                                       .plural = "pods",
                                       .namespaced = true,
                                       .root = &pod_root,
                                       .status = &pod_status_row};

/* ---- Node ---- */

static const struct schema_field node_metadata_rows[] = {
    TEXT("name", "The node name."),
    TEXT("uid", "Of the member: another one if it comes back without data."),
    TEXT("resourceVersion", "Opaque version of the member as one agent holds it."),
    NUMBER("generation", "Always 1."),
    TEXT("creationTimestamp", "When its record was written."),
    SCHEMA_SHOWN("labels", SCHEMA_STRING_MAP, "The member's labels, and kubernetes.io/hostname."),
};
static const struct schema_object node_metadata =
    SCHEMA_OBJECT_OF("NodeMeta", node_metadata_rows, "Name and labels.");

static const struct schema_field taint_rows[] = {
    TEXT("key", "node.kubernetes.io/unschedulable."),
    TEXT("effect", "NoSchedule."),
};
static const struct schema_object taint =
    SCHEMA_OBJECT_OF("Taint", taint_rows, "Why nothing is placed there.");
static const struct schema_field taint_item = {.type = SCHEMA_OBJECT, .object = &taint};

static const struct schema_field node_spec_rows[] = {
    {.name = "unschedulable",
     .type = SCHEMA_BOOLEAN,
     .description = "No child is placed there while this is true. The one field that a patch "
                    "changes (kubectl cordon, uncordon, drain)."},
    LIST("taints", taint_item, "One if the member is unschedulable."),
};
static const struct schema_object node_spec =
    SCHEMA_OBJECT_OF("NodeSpec", node_spec_rows, "Whether children are placed there.");

static const struct schema_field resources_rows[] = {
    TEXT("cpu", "Processor time for children."),
    TEXT("memory", "Memory for children, in bytes."),
};
static const struct schema_object resources =
    SCHEMA_OBJECT_OF("NodeResources", resources_rows, "What it has for children.");

static const struct schema_field node_address_rows[] = {
    TEXT("type", "InternalIP or Hostname."),
    TEXT("address", "The host of the gossip address, or the node name."),
};
static const struct schema_object node_address =
    SCHEMA_OBJECT_OF("NodeAddress", node_address_rows, "Where it is.");
static const struct schema_field node_address_item = {.type = SCHEMA_OBJECT,
                                                      .object = &node_address};

static const struct schema_field node_info_rows[] = {
    TEXT("kubeletVersion", "Version of the agent."),
    TEXT("containerRuntimeVersion", "Name and version of the engine, as docker://20.10.24."),
    TEXT("operatingSystem", "linux."),
    TEXT("architecture", "Always empty."),
    TEXT("osImage", "Always empty."),
    TEXT("kernelVersion", "Always empty."),
    TEXT("kubeProxyVersion", "Always empty."),
    TEXT("machineID", "Always empty."),
    TEXT("systemUUID", "Always empty."),
    TEXT("bootID", "Always empty."),
};
static const struct schema_object node_info =
    SCHEMA_OBJECT_OF("NodeSystemInfo", node_info_rows, "Of the agent and its engine.");

static const struct schema_field node_status_rows[] = {
    LIST("conditions", condition_item,
         "Ready: True if the agent that is asked sees it alive; the reason is the member's phase."),
    LIST("addresses", node_address_item, "Where it is."),
    OBJECT("capacity", resources, "What it has for children."),
    OBJECT("allocatable", resources, "The same."),
    OBJECT("nodeInfo", node_info, "Of the agent and its engine."),
};
static const struct schema_object node_status = SCHEMA_OBJECT_OF(
    "NodeStatus", node_status_rows, "The member's status in the words of Kubernetes.");

static const struct schema_field node_rows[] = {
    API_VERSION_ROW,
    TEXT("kind", "Node."),
    OBJECT("metadata", node_metadata, "Name and labels."),
    OBJECT("spec", node_spec, "Whether children are placed there."),
};
static const struct schema_object node =
    SCHEMA_OBJECT_OF("Node", node_rows, "A member of the cluster, shown as a Node.");
static const struct schema_field node_root = {.type = SCHEMA_OBJECT, .object = &node};
static const struct schema_field node_status_row =
    OBJECT("status", node_status, "The member's status in the words of Kubernetes.");
const struct schema_kind schema_node = {.kind = "Node",
                                        .plural = "nodes",
                                        .namespaced = false,
                                        .root = &node_root,
                                        .status = &node_status_row};

/* ---- Event ---- */

static const struct schema_field event_metadata_rows[] = {
    TEXT("name", "Name of what it is about, of who noted it, and a number."),
    TEXT("namespace", "Namespace of what it is about; default for members and supervisors."),
    TEXT("resourceVersion", "Where it stands in the journal of the agent that is asked."),
    TEXT("creationTimestamp", "When it was noted first."),
};
static const struct schema_object event_metadata =
    SCHEMA_OBJECT_OF("EventMeta", event_metadata_rows, "Name and namespace.");
static const struct schema_field involved_rows[] = {
    TEXT("kind", "Child, Member, Workload or Supervisor."),
    TEXT("apiVersion", "hordelet.dev/v1."),
    TEXT("namespace", "Its namespace."),
    TEXT("name", "Its name."),
    TEXT("uid", "The uid that it has now; absent if it is gone."),
};
static const struct schema_object involved =
    SCHEMA_OBJECT_OF("ObjectReference", involved_rows, "What it is about.");
static const struct schema_field source_rows[] = {
    TEXT("component", "hordelet."),
    TEXT("host", "The member that noted it."),
};
static const struct schema_object source =
    SCHEMA_OBJECT_OF("EventSource", source_rows, "Who noted it.");

static const struct schema_field event_rows[] = {
    API_VERSION_ROW,
    TEXT("kind", "Event."),
    OBJECT("metadata", event_metadata, "Name and namespace."),
    OBJECT("involvedObject", involved, "What it is about."),
    TEXT("reason", "What has happened, as one word: Started, Moved, BackOff."),
    TEXT("message", "The same for people."),
    TEXT("type", "Normal or Warning."),
    NUMBER("count", "How often it has happened."),
    TEXT("firstTimestamp", "When it was noted first."),
    TEXT("lastTimestamp", "When it was noted last."),
    OBJECT("source", source, "Who noted it."),
    TEXT("reportingComponent", "hordelet."),
    TEXT("reportingInstance", "The member that noted it."),
};
static const struct schema_object event = SCHEMA_OBJECT_OF(
    "Event", event_rows,
    "Something that a member has noted. Each keeps its latest 1,000 for an hour, in memory.");
static const struct schema_field event_root = {.type = SCHEMA_OBJECT, .object = &event};
const struct schema_kind schema_event = {
    .kind = "Event", .plural = "events", .namespaced = true, .root = &event_root};
