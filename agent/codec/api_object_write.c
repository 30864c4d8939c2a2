/* The JSON of objects (see api_objects.h). Documents are copied as they are stored, with
 * resourceVersion put into their metadata and a status behind; all else is written field by field.
 */
#include "agent/codec/api_objects.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_core.h"
#include "agent/codec/api_scan.h"
#include "agent/codec/supervisor_json.h"
#include "agent/core/electorate.h"
#include "agent/core/record.h"
#include "placement/strategy.h"

/* --- Pieces ----------------------------------------------------------------------------------- */

static void write_version(struct api_writer *writer, uint64_t version, uint32_t run_tag)
{
    char text[API_RESOURCE_VERSION_BYTES];
    api_resource_version_print(version, run_tag, text);
    api_writer_text(writer, "resourceVersion", text);
}

static void write_head(struct api_writer *writer, const char *key, const char *api_version,
                       const char *kind)
{
    api_writer_open(writer, key, '{');
    api_writer_text(writer, "apiVersion", api_version);
    api_writer_text(writer, "kind", kind);
}

static void write_labels(struct api_writer *writer, const char *key,
                         const struct api_labels *labels)
{
    char name[512];
    api_writer_open(writer, key, '{');
    for (size_t i = 0; i < labels->count; i++) {
        text_set_span(name, sizeof name, labels->items[i].key);
        api_writer_text_span(writer, name, labels->items[i].value);
    }
    api_writer_close(writer, '}');
}

static void write_owner(struct api_writer *writer, const struct workload *workload)
{
    api_writer_open(writer, "ownerReferences", '[');
    write_head(writer, NULL, API_GROUP_VERSION, "Workload");
    api_writer_text(writer, "name", workload->name);
    api_writer_text(writer, "uid", workload->uid);
    api_writer_bool(writer, "controller", true);
    api_writer_close(writer, '}');
    api_writer_close(writer, ']');
}

/* Of an object that has no document. created_ms 0: not known. */
static void write_metadata(struct api_writer *writer, const struct api_item *item,
                           const struct api_context *context, uint64_t created_ms)
{
    struct api_labels labels;
    char uid[UID_BYTES + 1];
    api_item_labels(item, &labels);
    if (item->shown == API_NODES)
        api_labels_add(&labels, span_text("kubernetes.io/hostname"), span_text(item->name));
    api_item_uid(item, uid);
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "name", item->name);
    api_writer_text_unless_empty(writer, "namespace", item->key.ns);
    api_writer_text(writer, "uid", uid);
    write_version(writer, item->version, context->run_tag);
    api_writer_unsigned(writer, "generation", 1); /* nobody edits these */
    if (created_ms)
        api_writer_time(writer, "creationTimestamp", created_ms);
    if (labels.count > 0)
        write_labels(writer, "labels", &labels);
    if (item->shown == API_PODS && item->child.workload)
        write_owner(writer, item->child.workload);
    api_writer_close(writer, '}');
}

/* --- Status of documents ---------------------------------------------------------------------- */

static void write_condition(struct api_writer *writer, const char *type, bool holds,
                            const char *reason, const char *message, uint64_t generation)
{
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "type", type);
    api_writer_text(writer, "status", holds ? "True" : "False");
    api_writer_text(writer, "reason", reason);
    api_writer_text(writer, "message", message);
    api_writer_unsigned(writer, "observedGeneration", generation);
    api_writer_close(writer, '}');
}

static void write_progressing(struct api_writer *writer, const struct workload_view *view)
{
    const struct workload *workload = view->workload;
    char message[128];
    if (view->late)
        snprintf(message, sizeof message,
                 "%u of %u replicas are updated; no further one was for %u seconds", view->updated,
                 workload->replicas, workload->progress_deadline_seconds);
    else
        snprintf(message, sizeof message, "%u of %u replicas are updated", view->updated,
                 workload->replicas);
    write_condition(writer, "Progressing", !view->late,
                    view->late       ? "ProgressDeadlineExceeded"
                    : view->complete ? "UpdateComplete"
                                     : "Updating",
                    message, workload->generation);
}

static void write_workload_status(struct api_writer *writer, const struct workload_view *view)
{
    const struct workload *workload = view->workload;
    bool available = view->ready >= workload->replicas;
    char message[64];
    snprintf(message, sizeof message, "%u of %u replicas are ready", view->ready,
             workload->replicas);
    api_writer_open(writer, "status", '{');
    api_writer_unsigned(writer, "replicas", workload->replicas);
    api_writer_unsigned(writer, "runningReplicas", view->running);
    api_writer_unsigned(writer, "readyReplicas", view->ready);
    api_writer_unsigned(writer, "updatedReplicas", view->updated);
    api_writer_unsigned(writer, "observedGeneration", workload->generation);
    api_writer_open(writer, "conditions", '[');
    write_condition(writer, "Available", available,
                    available ? "ReplicasReady" : "ReplicasNotReady", message,
                    workload->generation);
    write_progressing(writer, view);
    if (view->conflicts > 0) {
        snprintf(message, sizeof message, "%u without a name that somebody else has",
                 view->conflicts);
        write_condition(writer, "NameConflict", true, "NameHeld", message, workload->generation);
    }
    api_writer_close(writer, ']');
    api_writer_close(writer, '}');
}

static void write_members(struct api_writer *writer, const char *key,
                          const struct electorate *electorate)
{
    api_writer_open(writer, key, '[');
    for (size_t i = 0; i < electorate->count; i++) {
        char replica[17];
        snprintf(replica, sizeof replica, "%016llx",
                 (unsigned long long)electorate->members[i].replica);
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "node", electorate->members[i].node);
        api_writer_text(writer, "replica", replica);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

/* Who votes, in order of name; null as long as none is in effect. While it is not settled, those
 * before it are asked, too. */
static void write_electorate(struct api_writer *writer, const struct supervisor_view *view)
{
    const struct electorate_record *record = view->electorate;
    if (!record) {
        api_writer_raw(writer, "electorate", span_text("null"));
        return;
    }
    api_writer_open(writer, "electorate", '{');
    api_writer_unsigned(writer, "version", record->term.version);
    api_writer_unsigned(writer, "leaseSeconds", record->now.lease_seconds);
    api_writer_bool(writer, "settled", record->old_count == 0);
    write_members(writer, "members", &record->now);
    api_writer_open(writer, "voters", '[');
    for (size_t i = placement_first_voter(record->now.count); i < record->now.count; i++)
        api_writer_text(writer, NULL, record->now.members[i].node);
    api_writer_close(writer, ']');
    api_writer_close(writer, '}');
}

static void write_fenced(struct api_writer *writer, const struct supervisor_view *view)
{
    const char *message = view->electorate
                              ? "a child runs only under a lease from a majority of the voters"
                              : view->electorate_message;
    write_condition(writer, "Fenced", view->electorate != NULL,
                    view->electorate ? "Leases"
                    : view->conflict ? "ElectorateConflict"
                                     : "NoElectorate",
                    message, view->supervisor->generation);
}

/* Only of those that move anything: it costs a look at each child. */
static void write_redistribution(struct api_writer *writer, const char *name,
                                 const struct node *node)
{
    struct rebalance_view view;
    if (!query_moves_any(node, name) || !query_rebalance(node, name, &view))
        return;
    api_writer_open(writer, "redistribution", '{');
    api_writer_bool(writer, "asked", view.asked);
    api_writer_unsigned(writer, "wanted", view.wanted);
    api_writer_unsigned(writer, "underWay", view.under_way);
    api_writer_close(writer, '}');
}

static void write_supervisor_status(struct api_writer *writer, const struct supervisor_view *view,
                                    const struct node *node)
{
    const char *name = "", *phase;
    api_writer_open(writer, "status", '{');
    api_writer_bool(writer, "quorum", view->quorum);
    if (view->votes)
        write_electorate(writer, view);
    else
        api_writer_raw(writer, "electorate", span_text("null"));
    api_writer_open(writer, "members", '{');
    while (query_supervisor_member_next(node, view->supervisor->name, name, &name, &phase))
        api_writer_text(writer, name, phase);
    api_writer_close(writer, '}');
    api_writer_unsigned(writer, "specs", view->specs);
    api_writer_unsigned(writer, "active", view->active);
    api_writer_unsigned(writer, "workers", view->workers);
    api_writer_unsigned(writer, "observedGeneration", view->supervisor->generation);
    write_redistribution(writer, view->supervisor->name, node);
    if (view->votes) {
        api_writer_open(writer, "conditions", '[');
        write_fenced(writer, view);
        api_writer_close(writer, ']');
    }
    api_writer_close(writer, '}');
}

static void write_document_metadata(struct api_writer *writer, struct span metadata,
                                    uint64_t version, uint32_t run_tag)
{
    struct span key, value;
    char name[NAME_BYTES_MAX + 1];
    api_writer_open(writer, "metadata", '{');
    for (size_t at = 0; api_scan_next(metadata, &at, &key, &value);) {
        text_set_span(name, sizeof name, key);
        api_writer_raw(writer, name, value);
    }
    if (version)
        write_version(writer, version, run_tag);
    api_writer_close(writer, '}');
}

static void write_document(const char *document, uint64_t version, uint32_t run_tag,
                           struct api_writer *writer, const char *outer_key,
                           const struct api_item *status_of, const struct node *node)
{
    struct span key, value;
    char name[NAME_BYTES_MAX + 1];
    api_writer_open(writer, outer_key, '{');
    for (size_t at = 0; api_scan_next(span_text(document), &at, &key, &value);) {
        text_set_span(name, sizeof name, key);
        if (strcmp(name, "metadata") == 0)
            write_document_metadata(writer, value, version, run_tag);
        else
            api_writer_raw(writer, name, value);
    }
    if (status_of && status_of->resource == API_WORKLOADS)
        write_workload_status(writer, &status_of->workload);
    if (status_of && status_of->resource == API_SUPERVISORS)
        write_supervisor_status(writer, &status_of->supervisor, node);
    api_writer_close(writer, '}');
}

void api_document_write(const char *document, uint64_t version, uint32_t run_tag,
                        struct api_writer *writer, const struct api_item *status_of,
                        const struct node *node)
{
    write_document(document, version, run_tag, writer, NULL, status_of, node);
}

/* Of a workload or supervisor. *ret_made is to be given to cJSON_free: the document of a supervisor
 * that nobody wrote; there are two at most. */
static const char *item_document(const struct api_item *item, char **ret_made)
{
    const char *document = item->resource == API_WORKLOADS ? item->workload.workload->document
                                                           : item->supervisor.supervisor->document;
    *ret_made = NULL;
    if (document || item->resource == API_WORKLOADS)
        return document ? document : "{}";
    cJSON *object = supervisor_to_json(item->supervisor.supervisor);
    *ret_made = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return *ret_made ? *ret_made : "{}";
}

static void write_item_document(const struct api_item *item, const struct api_context *context,
                                struct api_writer *writer, const char *key)
{
    char *made;
    const char *document = item_document(item, &made);
    write_document(document, item->version, context->run_tag, writer, key, item, context->node);
    cJSON_free(made);
}

static void write_item_document_metadata(const struct api_item *item,
                                         const struct api_context *context,
                                         struct api_writer *writer)
{
    char *made;
    struct span metadata;
    api_scan_member(span_text(item_document(item, &made)), "metadata", &metadata);
    write_document_metadata(writer, metadata, item->version, context->run_tag);
    cJSON_free(made);
}

void api_item_metadata_write(const struct api_item *item, const struct api_context *context,
                             struct api_writer *writer)
{
    uint64_t created_ms = 0;
    const struct workload *workload = NULL;
    switch (item->resource) {
    case API_WORKLOADS:
    case API_SUPERVISORS:
        write_item_document_metadata(item, context, writer);
        return;
    case API_CHILDREN:
        workload = item->child.workload;
        created_ms = item->child.started_ms;
        break;
    case API_NAMES:
        workload = item->registered.workload;
        break;
    case API_MEMBERS:
        created_ms = item->member.joined_ms;
        break;
    default:
        break;
    }
    write_metadata(writer, item, context, workload ? workload->created_ms : created_ms);
}

/* --- Children, names, members ----------------------------------------------------------------- */

static void write_child_status(struct api_writer *writer, const struct child_view *view)
{
    api_writer_open(writer, "status", '{');
    api_writer_text(writer, "phase", child_phase_name(view->phase));
    api_writer_text_unless_empty(writer, "node", view->node);
    api_writer_unsigned(writer, "epoch", view->epoch);
    api_writer_text_unless_empty(writer, "containerID", view->container_id);
    api_writer_unsigned(writer, "restarts", view->restarts);
    api_writer_bool(writer, "ready", view->ready);
    if (view->started_ms)
        api_writer_time(writer, "startedAt", view->started_ms);
    api_writer_text_unless_empty(writer, "reason", view->reason);
    api_writer_text_unless_empty(writer, "message", view->message);
    if (view->has_exit_code)
        api_writer_signed(writer, "exitCode", view->exit_code);
    if (strcmp(view->reason, "NameConflict") == 0 || strcmp(view->reason, "name_conflict") == 0) {
        api_writer_open(writer, "conditions", '[');
        write_condition(writer, "NameConflict", true, "NameHeld", view->message, 1);
        api_writer_close(writer, ']');
    }
    api_writer_close(writer, '}');
}

static void write_child(const struct api_item *item, const struct api_context *context,
                        struct api_writer *writer, const char *key)
{
    const struct child_view *view = &item->child;
    write_head(writer, key, API_GROUP_VERSION, "Child");
    api_item_metadata_write(item, context, writer);
    api_writer_open(writer, "spec", '{');
    api_writer_text(writer, "workload", view->id.workload);
    api_writer_unsigned(writer, "ordinal", view->id.ordinal);
    api_writer_text(writer, "supervisor", view->supervisor);
    api_writer_close(writer, '}');
    write_child_status(writer, view);
    api_writer_close(writer, '}');
}

/* Which port the workload asked to have published under this name: replicas have "-ordinal" behind
 * an explicit one. */
static const char *name_wanted_port(const struct name_view *view)
{
    for (size_t i = 0; view->workload && i < view->workload->name_count; i++) {
        const struct workload_name *wanted = &view->workload->names[i];
        size_t bytes = strlen(wanted->name);
        bool same = strncmp(view->name, wanted->name, bytes) == 0;
        if (same && (view->name[bytes] == '\0' ||
                     (view->name[bytes] == '-' && view->workload->replicas > 1)))
            return wanted->port;
    }
    return "";
}

/* What an outside owner has said; what it sends again to renew. */
static void write_registration(struct api_writer *writer, const struct name_view *view)
{
    api_writer_text(writer, "address", view->address);
    if (view->port)
        api_writer_unsigned(writer, "port", view->port);
    api_writer_unsigned(writer, "ttlSeconds", view->ttl_ms / 1000);
}

static void write_name(const struct api_item *item, const struct api_context *context,
                       struct api_writer *writer, const char *key)
{
    const struct name_view *view = &item->registered;
    write_head(writer, key, API_GROUP_VERSION, "Name");
    api_item_metadata_write(item, context, writer);
    api_writer_open(writer, "spec", '{');
    api_writer_text(writer, "name", view->name);
    if (view->value)
        api_writer_raw(writer, "value", span_text(view->value));
    if (view->outside)
        write_registration(writer, view);
    else
        api_writer_text_unless_empty(writer, "port", name_wanted_port(view));
    api_writer_close(writer, '}');
    api_writer_open(writer, "status", '{');
    api_writer_text(writer, "owner", view->owner);
    api_writer_text(writer, "node", view->node);
    api_writer_text(writer, "address", view->address);
    if (view->port)
        api_writer_unsigned(writer, "port", view->port);
    api_writer_unsigned(writer, "epoch", view->epoch);
    if (view->owner_epoch)
        api_writer_unsigned(writer, "ownerEpoch", view->owner_epoch);
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
}

static void write_meta(const struct api_item *item, const struct api_context *context,
                       struct api_writer *writer, const char *key)
{
    write_head(writer, key, API_GROUP_VERSION, "Meta");
    api_item_metadata_write(item, context, writer);
    api_writer_open(writer, "spec", '{');
    api_writer_raw(writer, "value", span_text(item->meta.value));
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
}

/* Which supervisors' children it takes no more of; "" is all. */
static void write_full(struct api_writer *writer, const struct member_view *view)
{
    api_writer_open(writer, "full", '[');
    for (size_t i = 0; i < view->full_count; i++) {
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "supervisor", view->full[i].supervisor);
        api_writer_text(writer, "reason", view->full[i].reason);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

static void write_capacity(struct api_writer *writer, const struct member_view *view)
{
    char cpu[32];
    if (view->cpu_milli == 0 && view->memory_bytes == 0)
        return;
    snprintf(cpu, sizeof cpu, "%" PRIu64 "m", view->cpu_milli);
    api_writer_open(writer, "capacity", '{');
    api_writer_text(writer, "cpu", cpu);
    api_writer_unsigned(writer, "memory", view->memory_bytes);
    api_writer_close(writer, '}');
}

static void write_member_status(struct api_writer *writer, const struct member_view *view)
{
    api_writer_open(writer, "status", '{');
    api_writer_text(writer, "phase", view->phase);
    if (view->draining)
        api_writer_bool(writer, "draining", true);
    api_writer_text(writer, "gossipAddress", view->gossip_address);
    api_writer_text(writer, "apiAddress", view->api_address);
    api_writer_unsigned(writer, "incarnation", view->incarnation);
    write_capacity(writer, view);
    api_writer_unsigned(writer, "children", view->children);
    if (view->full_count > 0)
        write_full(writer, view);
    api_writer_open(writer, "runtime", '{');
    api_writer_text_unless_empty(writer, "name", view->runtime_name);
    api_writer_text_unless_empty(writer, "version", view->runtime_version);
    api_writer_bool(writer, "healthy", view->runtime_healthy);
    api_writer_close(writer, '}');
    api_writer_text_unless_empty(writer, "version", view->agent_version);
    api_writer_close(writer, '}');
}

static void write_member(const struct api_item *item, const struct api_context *context,
                         struct api_writer *writer, const char *key)
{
    const struct member_view *view = &item->member;
    struct api_labels labels;
    api_item_labels(item, &labels);
    write_head(writer, key, API_GROUP_VERSION, "Member");
    api_item_metadata_write(item, context, writer);
    api_writer_open(writer, "spec", '{');
    write_labels(writer, "labels", &labels);
    api_writer_text(writer, "zone", view->zone ? view->zone : "");
    api_writer_unsigned(writer, "weight", view->weight);
    api_writer_bool(writer, "unschedulable", view->unschedulable);
    api_writer_close(writer, '}');
    write_member_status(writer, view);
    api_writer_close(writer, '}');
}

void api_item_write(const struct api_item *item, const struct api_context *context,
                    struct api_writer *writer, const char *key)
{
    switch (item->shown) {
    case API_WORKLOADS:
    case API_SUPERVISORS:
        write_item_document(item, context, writer, key);
        break;
    case API_CHILDREN:
        write_child(item, context, writer, key);
        break;
    case API_NAMES:
        write_name(item, context, writer, key);
        break;
    case API_METAS:
        write_meta(item, context, writer, key);
        break;
    case API_MEMBERS:
        write_member(item, context, writer, key);
        break;
    case API_PODS:
        api_pod_write(item, context, writer, key);
        break;
    case API_NODES:
        api_node_write(item, context, writer, key);
        break;
    case API_SHOWN_COUNT:
        break;
    }
}

void api_scale_write(const struct api_item *item, uint32_t replicas,
                     const struct api_context *context, struct api_writer *writer)
{
    const struct workload *workload = item->workload.workload;
    char selector[sizeof API_WORKLOAD_LABEL + NAME_BYTES_MAX + 2];
    snprintf(selector, sizeof selector, API_WORKLOAD_LABEL "=%s", workload->name);
    write_head(writer, NULL, "autoscaling/v1", "Scale");
    api_writer_open(writer, "metadata", '{');
    api_writer_text(writer, "name", workload->name);
    api_writer_text(writer, "namespace", workload->ns);
    api_writer_text(writer, "uid", workload->uid);
    write_version(writer, item->version, context->run_tag);
    api_writer_time(writer, "creationTimestamp", workload->created_ms);
    api_writer_close(writer, '}');
    api_writer_open(writer, "spec", '{');
    api_writer_unsigned(writer, "replicas", replicas);
    api_writer_close(writer, '}');
    api_writer_open(writer, "status", '{');
    api_writer_unsigned(writer, "replicas", item->workload.running);
    api_writer_text(writer, "selector", selector);
    api_writer_close(writer, '}');
    api_writer_close(writer, '}');
}
