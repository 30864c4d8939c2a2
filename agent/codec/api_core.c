/* See api_core.h. The container of a Pod is copied from the workload's stored document. */
#include "agent/codec/api_core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/api_scan.h"

const char *api_pod_phase(enum child_phase phase)
{
    switch (phase) {
    case CHILD_RUNNING:
    case CHILD_STOPPING:
    case CHILD_CRASH_LOOP_BACK_OFF:
        return "Running";
    case CHILD_SUCCEEDED:
        return "Succeeded";
    case CHILD_FAILED:
        return "Failed";
    case CHILD_PENDING:
    case CHILD_PULLING:
    case CHILD_STARTING:
    case CHILD_PHASE_COUNT:
        break;
    }
    return "Pending";
}

void api_address_host(const char *address, char *ret_host, size_t bytes)
{
    const char *colon = strrchr(address, ':');
    struct span host = span_of(address, colon ? (size_t)(colon - address) : strlen(address));
    if (host.bytes >= 2 && host.data[0] == '[' && host.data[host.bytes - 1] == ']')
        host = span_of(host.data + 1, host.bytes - 2);
    text_set_span(ret_host, bytes, host);
}

void api_pod_host(const struct api_item *item, const struct api_context *context, char *ret_host,
                  size_t bytes)
{
    struct member_view member;
    *ret_host = '\0';
    if (item->child.node[0] && query_member(context->node, item->child.node, &member))
        api_address_host(member.gossip_address, ret_host, bytes);
}

static void write_condition(struct api_writer *writer, const char *type, const char *status,
                            const char *reason, const char *message)
{
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "type", type);
    api_writer_text(writer, "status", status);
    api_writer_text_unless_empty(writer, "reason", reason);
    api_writer_text_unless_empty(writer, "message", message);
    api_writer_close(writer, '}');
}

/* --- Pods: spec ------------------------------------------------------------------------------- */

/* What is looked up in the stored document, once. */
struct pod {
    const struct api_item *item;
    struct span spec, container; /* empty: none */
    char container_name[NAME_BYTES_MAX + 1];
};

static struct pod pod_of(const struct api_item *item)
{
    const struct workload *workload = item->child.workload;
    struct pod pod = {.item = item};
    struct span name;
    if (workload && workload->document)
        api_scan_member(span_text(workload->document), "spec", &pod.spec);
    if (pod.spec.bytes > 0)
        api_scan_member(pod.spec, "container", &pod.container);
    if (pod.container.bytes > 0 && api_scan_member(pod.container, "name", &name))
        text_set_span(pod.container_name, sizeof pod.container_name, api_scan_string(name));
    else
        TEXT_SET(pod.container_name, item->child.id.workload);
    return pod;
}

void api_pod_container_name(const struct api_item *item, char ret_name[NAME_BYTES_MAX + 1])
{
    struct pod pod = pod_of(item);
    text_set(ret_name, NAME_BYTES_MAX + 1, pod.container_name);
}

static void write_containers(struct api_writer *writer, const struct pod *pod)
{
    char member[NAME_BYTES_MAX + 1];
    struct span key, value;
    api_writer_open(writer, "containers", '[');
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "name", pod->container_name);
    for (size_t at = 0; api_scan_next(pod->container, &at, &key, &value);) {
        text_set_span(member, sizeof member, key);
        if (strcmp(member, "name") != 0)
            api_writer_raw(writer, member, value);
    }
    api_writer_close(writer, '}');
    api_writer_close(writer, ']');
}

static void write_pod_spec(struct api_writer *writer, const struct pod *pod)
{
    static const char *const restarts[] = {[RESTART_PERMANENT] = "Always",
                                           [RESTART_TRANSIENT] = "OnFailure",
                                           [RESTART_TEMPORARY] = "Never"};
    const struct workload *workload = pod->item->child.workload;
    struct span key, value;
    api_writer_open(writer, "spec", '{');
    api_writer_text_unless_empty(writer, "nodeName", pod->item->child.node);
    write_containers(writer, pod);
    if (workload) {
        api_writer_text(writer, "restartPolicy", restarts[workload->restart]);
        api_writer_signed(writer, "priority", workload->priority);
        api_writer_bool(writer, "hostNetwork", workload->host_network);
    }
    for (size_t at = 0; api_scan_next(pod->spec, &at, &key, &value);) {
        if (span_equal(key, span_text("nodeSelector")))
            api_writer_raw(writer, "nodeSelector", value);
        if (span_equal(key, span_text("volumes")))
            api_writer_raw(writer, "volumes", value);
    }
    api_writer_close(writer, '}');
}

/* --- Pods: status ----------------------------------------------------------------------------- */

static void write_waiting(struct api_writer *writer, const struct child_view *view)
{
    bool loops = view->phase == CHILD_CRASH_LOOP_BACK_OFF;
    const char *phase = child_phase_name(view->phase);
    api_writer_open(writer, "waiting", '{');
    api_writer_text(writer, "reason", loops || !view->reason[0] ? phase : view->reason);
    api_writer_text_unless_empty(writer, "message", view->message);
    api_writer_close(writer, '}');
}

static void write_ended(struct api_writer *writer, const struct child_view *view)
{
    bool good = view->phase == CHILD_SUCCEEDED;
    api_writer_open(writer, "terminated", '{');
    api_writer_signed(writer, "exitCode", view->has_exit_code ? view->exit_code : good ? 0 : 1);
    api_writer_text(writer, "reason",
                    view->reason[0] ? view->reason
                    : good          ? "Completed"
                                    : "Error");
    api_writer_text_unless_empty(writer, "message", view->message);
    if (view->started_ms)
        api_writer_time(writer, "startedAt", view->started_ms);
    api_writer_close(writer, '}');
}

static void write_state(struct api_writer *writer, const struct child_view *view)
{
    api_writer_open(writer, "state", '{');
    if (view->phase == CHILD_RUNNING || view->phase == CHILD_STOPPING) {
        api_writer_open(writer, "running", '{');
        if (view->started_ms)
            api_writer_time(writer, "startedAt", view->started_ms);
        api_writer_close(writer, '}');
    } else if (view->phase == CHILD_SUCCEEDED || view->phase == CHILD_FAILED) {
        write_ended(writer, view);
    } else {
        write_waiting(writer, view);
    }
    api_writer_close(writer, '}');
}

static void write_container_status(struct api_writer *writer, const struct pod *pod)
{
    const struct child_view *view = &pod->item->child;
    char id[CONTAINER_ID_BYTES_MAX + sizeof "docker://"];
    api_writer_open(writer, "containerStatuses", '[');
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "name", pod->container_name);
    api_writer_text(writer, "image", view->workload ? view->workload->image : "");
    api_writer_text(writer, "imageID", "");
    if (view->container_id[0]) {
        snprintf(id, sizeof id, "docker://%s", view->container_id);
        api_writer_text(writer, "containerID", id);
    }
    api_writer_bool(writer, "ready", view->ready);
    api_writer_bool(writer, "started", view->phase == CHILD_RUNNING);
    api_writer_unsigned(writer, "restartCount", view->restarts);
    write_state(writer, view);
    api_writer_close(writer, '}');
    api_writer_close(writer, ']');
}

static void write_pod_conditions(struct api_writer *writer, const struct child_view *view)
{
    const char *ready = view->ready ? "True" : "False";
    const char *phase = child_phase_name(view->phase);
    api_writer_open(writer, "conditions", '[');
    if (view->node[0])
        write_condition(writer, "PodScheduled", "True", "", "");
    else
        write_condition(writer, "PodScheduled", "False", view->reason, view->message);
    write_condition(writer, "ContainersReady", ready, view->ready ? "" : phase, "");
    write_condition(writer, "Ready", ready, view->ready ? "" : phase,
                    view->ready ? "" : view->message);
    api_writer_close(writer, ']');
}

static void write_pod_status(struct api_writer *writer, const struct pod *pod,
                             const struct api_context *context)
{
    const struct child_view *view = &pod->item->child;
    char host[ADDRESS_BYTES_MAX + 1];
    api_pod_host(pod->item, context, host, sizeof host);
    api_writer_open(writer, "status", '{');
    api_writer_text(writer, "phase", api_pod_phase(view->phase));
    api_writer_text_unless_empty(writer, "reason", view->reason);
    api_writer_text_unless_empty(writer, "message", view->message);
    write_pod_conditions(writer, view);
    api_writer_text_unless_empty(writer, "hostIP", host);
    if (host[0] && view->workload && view->workload->host_network) {
        api_writer_text(writer, "podIP", host);
        api_writer_open(writer, "podIPs", '[');
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "ip", host);
        api_writer_close(writer, '}');
        api_writer_close(writer, ']');
    }
    if (view->started_ms)
        api_writer_time(writer, "startTime", view->started_ms);
    if (view->node[0])
        write_container_status(writer, pod);
    api_writer_close(writer, '}');
}

void api_pod_write(const struct api_item *item, const struct api_context *context,
                   struct api_writer *writer, const char *key)
{
    struct pod pod = pod_of(item);
    api_writer_open(writer, key, '{');
    api_writer_text(writer, "apiVersion", API_CORE_VERSION);
    api_writer_text(writer, "kind", "Pod");
    api_item_metadata_write(item, context, writer);
    write_pod_spec(writer, &pod);
    write_pod_status(writer, &pod, context);
    api_writer_close(writer, '}');
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static void write_node_spec(struct api_writer *writer, const struct member_view *view)
{
    api_writer_open(writer, "spec", '{');
    if (view->unschedulable) {
        api_writer_bool(writer, "unschedulable", true);
        api_writer_open(writer, "taints", '[');
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "key", "node.kubernetes.io/unschedulable");
        api_writer_text(writer, "effect", "NoSchedule");
        api_writer_close(writer, '}');
        api_writer_close(writer, ']');
    }
    api_writer_close(writer, '}');
}

static void write_resources(struct api_writer *writer, const char *key,
                            const struct member_view *view)
{
    char text[32];
    api_writer_open(writer, key, '{');
    if (view->cpu_milli || view->memory_bytes) {
        snprintf(text, sizeof text, "%" PRIu64 "m", view->cpu_milli);
        api_writer_text(writer, "cpu", text);
        snprintf(text, sizeof text, "%" PRIu64, view->memory_bytes);
        api_writer_text(writer, "memory", text);
    }
    api_writer_close(writer, '}');
}

static void write_node_addresses(struct api_writer *writer, const struct member_view *view)
{
    char host[ADDRESS_BYTES_MAX + 1];
    const struct {
        const char *type, *address;
    } addresses[] = {{"InternalIP", host}, {"Hostname", view->name}};
    api_address_host(view->gossip_address, host, sizeof host);
    api_writer_open(writer, "addresses", '[');
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "type", addresses[i].type);
        api_writer_text(writer, "address", addresses[i].address);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

/* A client reads these without asking whether they are there. */
static void write_node_info(struct api_writer *writer, const struct member_view *view)
{
    static const char *const unknown[] = {
        "architecture", "osImage",    "kernelVersion", "kubeProxyVersion",
        "machineID",    "systemUUID", "bootID"};
    char runtime[192] = "", version[64] = "";
    if (view->runtime_name && view->runtime_name[0])
        snprintf(runtime, sizeof runtime, "%s://%s", view->runtime_name,
                 view->runtime_version ? view->runtime_version : "");
    if (view->agent_version && view->agent_version[0])
        snprintf(version, sizeof version, "v%s", view->agent_version);
    api_writer_open(writer, "nodeInfo", '{');
    api_writer_text(writer, "kubeletVersion", version);
    api_writer_text(writer, "containerRuntimeVersion", runtime);
    api_writer_text(writer, "operatingSystem", "linux");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        api_writer_text(writer, unknown[i], "");
    api_writer_close(writer, '}');
}

void api_node_write(const struct api_item *item, const struct api_context *context,
                    struct api_writer *writer, const char *key)
{
    const struct member_view *view = &item->member;
    bool alive = strcmp(view->phase, "alive") == 0;
    bool unknown = strcmp(view->phase, "suspect") == 0 || strcmp(view->phase, "uninitialized") == 0;
    api_writer_open(writer, key, '{');
    api_writer_text(writer, "apiVersion", API_CORE_VERSION);
    api_writer_text(writer, "kind", "Node");
    api_item_metadata_write(item, context, writer);
    write_node_spec(writer, view);
    api_writer_open(writer, "status", '{');
    api_writer_open(writer, "conditions", '[');
    write_condition(writer, "Ready",
                    alive     ? "True"
                    : unknown ? "Unknown"
                              : "False",
                    view->phase, "the phase of the member, as the agent that was asked sees it");
    api_writer_close(writer, ']');
    write_node_addresses(writer, view);
    write_resources(writer, "capacity", view);
    write_resources(writer, "allocatable", view);
    write_node_info(writer, view);
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
}
