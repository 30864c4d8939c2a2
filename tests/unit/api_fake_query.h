/* query.h over plain arrays, and a node that does what a request asks: the API can be tested
 * without the core.
 *
 * Included once by a test program; it defines every function of query.h, so that none is taken from
 * the core. */
#ifndef TESTS_UNIT_API_FAKE_QUERY_H
#define TESTS_UNIT_API_FAKE_QUERY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/journal.h"
#include "agent/core/query.h"
#include "agent/core/request.h"

enum { FAKE_MAX = 4096 };

struct fake_workload {
    struct workload value;
    uint64_t version, status_version;
    uint32_t ready;
};
struct fake_supervisor {
    const struct electorate_record *electorate;
    struct supervisor value;
    uint64_t version;
    uint32_t specs;
};
struct fake_name {
    char ns[64], name[64], value[64];
    struct name_view view;
};

struct fake_meta {
    char ns[64], name[64], value[256];
    uint64_t version;
};

struct node {
    struct buffer state;
    struct child_id state_of;
    uint64_t state_epoch;
    bool state_torn;
    struct fake_meta meta; /* one is enough */
    struct fake_workload workloads[FAKE_MAX];
    struct child_view children[FAKE_MAX];
    struct fake_name names[FAKE_MAX];
    struct fake_supervisor supervisors[8];
    struct member_view members[16];
    size_t workload_count, child_count, name_count, supervisor_count, member_count;
    uint64_t position;
    bool ready, stopping, alone;
    struct span found; /* the answer to REQUEST_EVENTS, and who was silent */
    const char *silent;
    int fail_status;     /* of the next request; 0: works */
    struct request last; /* what was asked last; its pointers are dead */
    size_t requests;
    bool moves; /* supervisor "default" is active, and default/web/0 belongs on b */
};

static inline const char *fake_child_phase(enum child_phase phase)
{
    static const char *const names[] = {"Pending",  "Pulling",   "Starting", "Running",
                                        "Stopping", "Succeeded", "Failed",   "CrashLoopBackOff"};
    return names[phase];
}
const char *child_phase_name(enum child_phase phase)
{
    return fake_child_phase(phase);
}

/* --- Filling ---------------------------------------------------------------------------------- */

static inline int fake_compare(const char *ns_a, const char *a, const char *ns_b, const char *b)
{
    int order = strcmp(ns_a, ns_b);
    return order ? order : strcmp(a, b);
}

static inline int fake_workload_compare(const void *a, const void *b)
{
    const struct fake_workload *x = a, *y = b;
    return fake_compare(x->value.ns, x->value.name, y->value.ns, y->value.name);
}

static inline void fake_workload_copy(struct workload *to, const struct workload *from)
{
    struct buffer buffer = {0};
    workload_encode(from, &buffer);
    if (!workload_decode(to, buffer_view(&buffer)))
        abort();
    buffer_release(&buffer);
}

static inline void fake_supervisor_copy(struct supervisor *to, const struct supervisor *from)
{
    struct buffer buffer = {0};
    supervisor_encode(from, &buffer);
    if (!supervisor_decode(to, buffer_view(&buffer)))
        abort();
    buffer_release(&buffer);
}

static inline struct fake_workload *fake_workload_find(struct node *node, const char *ns,
                                                       const char *name)
{
    for (size_t i = 0; i < node->workload_count; i++)
        if (fake_compare(node->workloads[i].value.ns, node->workloads[i].value.name, ns, name) == 0)
            return &node->workloads[i];
    return NULL;
}

/* Children belong to workloads by pointer: they are made after all workloads. */
static inline void fake_put_workload(struct node *node, const struct workload *value)
{
    struct fake_workload *at = fake_workload_find(node, value->ns, value->name);
    if (!at) {
        if (node->workload_count == FAKE_MAX)
            return;
        at = &node->workloads[node->workload_count++];
        *at = (struct fake_workload){0};
    }
    fake_workload_copy(&at->value, value);
    at->version = at->status_version = ++node->position;
    qsort(node->workloads, node->workload_count, sizeof *node->workloads, fake_workload_compare);
}

static inline void fake_add_workload(struct node *node, const char *ns, const char *name,
                                     uint32_t replicas, const char *labels)
{
    struct workload value = {.replicas = replicas, .generation = 1, .created_ms = 1700000000000};
    char document[2048], image[] = "busybox";
    TEXT_SET(value.ns, ns);
    TEXT_SET(value.name, name);
    TEXT_SET(value.supervisor, "default");
    snprintf(value.uid, sizeof value.uid, "00000000-0000-4000-8000-%012zu",
             node->workload_count % 1000000);
    snprintf(document, sizeof document,
             "{\"apiVersion\":\"hordelet.dev/"
             "v1\",\"kind\":\"Workload\",\"metadata\":{\"creationTimestamp\":"
             "\"2023-11-14T22:13:20Z\",\"generation\":1,\"labels\":%s,\"name\":\"%s\","
             "\"namespace\":\"%s\",\"uid\":"
             "\"%s\"},\"spec\":{\"container\":{\"image\":\"busybox\"},\"replicas\":%u,"
             "\"supervisor\":\"default\"}}",
             labels, name, ns, value.uid, replicas);
    value.document = document;
    value.document_bytes = strlen(document);
    value.image = image;
    fake_put_workload(node, &value);
}

static inline void fake_add_children(struct node *node, const char *on_node)
{
    for (size_t i = 0; i < node->workload_count; i++) {
        struct workload *workload = &node->workloads[i].value;
        for (uint32_t ordinal = 0; ordinal < workload->replicas && node->child_count < FAKE_MAX;
             ordinal++) {
            struct child_view *view = &node->children[node->child_count++];
            *view = (struct child_view){.workload = workload,
                                        .version = ++node->position,
                                        .phase = CHILD_RUNNING,
                                        .epoch = 1,
                                        .ready = true,
                                        .started_ms = 1700000001000};
            TEXT_SET(view->id.ns, workload->ns);
            TEXT_SET(view->id.workload, workload->name);
            view->id.ordinal = ordinal;
            TEXT_SET(view->uid, workload->uid);
            TEXT_SET(view->supervisor, workload->supervisor);
            TEXT_SET(view->node, on_node);
            struct fake_name *name = &node->names[node->name_count++];
            *name = (struct fake_name){
                .view = {
                    .version = node->position, .port = 32768, .epoch = 1, .workload = workload}};
            TEXT_SET(name->ns, workload->ns);
            snprintf(name->name, sizeof name->name, workload->replicas > 1 ? "%.50s-%u" : "%.50s",
                     workload->name, ordinal);
            child_id_print(&view->id, name->view.owner, sizeof name->view.owner);
            name->view.node = on_node;
            name->view.address = "10.0.0.1";
            name->view.ns = name->ns;
            name->view.name = name->name;
        }
    }
}

static inline struct node *fake_node_new(void)
{
    struct node *node = xcalloc(1, sizeof *node);
    static struct label labels[1];
    labels[0] = (struct label){(char *)(uintptr_t) "disk", (char *)(uintptr_t) "ssd"};
    node->ready = true;
    node->position = 1;
    for (size_t i = 0; i < 2; i++) {
        node->supervisors[i].version = ++node->position;
        supervisor_set_defaults(&node->supervisors[i].value,
                                i ? SUPERVISOR_QUORUM : SUPERVISOR_DEFAULT);
        node->members[i] = (struct member_view){.name = i ? "b" : "a",
                                                .version = ++node->position,
                                                .phase = "alive",
                                                .gossip_address = "10.0.0.1:7370",
                                                .api_address = "10.0.0.1:7371",
                                                .labels = labels,
                                                .label_count = 1,
                                                .zone = "",
                                                .weight = 128,
                                                .replica = i + 1,
                                                .runtime_name = "docker",
                                                .runtime_version = "20",
                                                .runtime_healthy = true,
                                                .agent_version = "0.1.0",
                                                .self = i == 0,
                                                .joined_ms = 1700000000000};
    }
    node->supervisor_count = node->member_count = 2;
    return node;
}

static inline void fake_node_free(struct node *node)
{
    for (size_t i = 0; i < node->workload_count; i++)
        workload_release(&node->workloads[i].value);
    for (size_t i = 0; i < node->supervisor_count; i++)
        supervisor_release(&node->supervisors[i].value);
    buffer_release(&node->state);
    free(node);
}

/* --- Doing ------------------------------------------------------------------------------------ */

static inline bool fake_delete_workload(struct node *node, const char *ns, const char *name)
{
    struct fake_workload *at = fake_workload_find(node, ns, name);
    if (!at)
        return false;
    workload_release(&at->value);
    node->workload_count--;
    memmove(at, at + 1, (size_t)(&node->workloads[node->workload_count] - at) * sizeof *at);
    node->position++;
    node->child_count = node->name_count = 0; /* their pointers moved */
    return true;
}

static inline void fake_put_supervisor(struct node *node, const struct supervisor *value)
{
    size_t i = 0;
    while (i < node->supervisor_count && strcmp(node->supervisors[i].value.name, value->name) != 0)
        i++;
    if (i == node->supervisor_count) {
        if (i == sizeof node->supervisors / sizeof *node->supervisors)
            return;
        node->supervisors[node->supervisor_count++] = (struct fake_supervisor){0};
    }
    fake_supervisor_copy(&node->supervisors[i].value, value);
    node->supervisors[i].version = ++node->position;
}

static inline void fake_put_name(struct node *node, const struct request *request)
{
    const struct registration *from = request->registration;
    static char address[128];
    struct fake_name *name = &node->names[node->name_count++];
    *name = (struct fake_name){
        .view = {.version = ++node->position, .port = from->port, .epoch = 1, .outside = true}};
    TEXT_SET(name->ns, request->ns);
    TEXT_SET(name->name, request->name);
    TEXT_SET(name->value, from->value ? from->value : "null");
    TEXT_SET(address, from->address);
    snprintf(name->view.owner, sizeof name->view.owner, "token/%02x", from->owner[0]);
    name->view.ns = name->ns;
    name->view.name = name->name;
    name->view.node = "a";
    name->view.address = address;
    name->view.value = name->value;
    name->view.ttl_ms = from->ttl_ms;
}

static inline void fake_put_meta(struct node *node, const struct request *request)
{
    node->meta.version = ++node->position;
    TEXT_SET(node->meta.ns, request->ns);
    TEXT_SET(node->meta.name, request->name);
    TEXT_SET(node->meta.value, request->value);
}

static inline void fake_do(struct node *node, const struct request *request)
{
    if (request->kind == REQUEST_PUT_WORKLOAD)
        fake_put_workload(node, request->workload);
    else if (request->kind == REQUEST_DELETE_WORKLOAD)
        fake_delete_workload(node, request->ns, request->name);
    else if (request->kind == REQUEST_PUT_SUPERVISOR)
        fake_put_supervisor(node, request->supervisor);
    else if (request->kind == REQUEST_PUT_NAME)
        fake_put_name(node, request);
    else if (request->kind == REQUEST_PUT_STATE) {
        buffer_clear(&node->state);
        buffer_append(&node->state, request->state.data, request->state.bytes);
        node->state_of = request->child;
        node->state_epoch = request->epoch;
    } else if (request->kind == REQUEST_PUT_META)
        fake_put_meta(node, request);
    else if (request->kind == REQUEST_SET_UNSCHEDULABLE)
        for (size_t i = 0; i < node->member_count; i++)
            if (strcmp(node->members[i].name, request->name) == 0)
                node->members[i].unschedulable = request->flag;
}

static inline struct reply fake_step(struct node *node, const struct request *request)
{
    struct reply reply = {.id = request->id, .status = 200, .alone = node->alone};
    node->last = *request;
    node->requests++;
    if (node->fail_status) {
        reply.status = node->fail_status;
        TEXT_SET(reply.reason, "Timeout");
        TEXT_SET(reply.message, "stored on a, not yet on a second member; repeat the request");
        node->fail_status = 0;
        return reply;
    }
    fake_do(node, request);
    if (request->kind == REQUEST_EVENTS) {
        reply.found = node->found;
        TEXT_SET(reply.message, node->silent ? node->silent : "");
        return reply;
    }
    if (request->kind != REQUEST_WAIT)
        reply.written = (struct dot){77, node->position};
    return reply;
}

/* --- query.h ---------------------------------------------------------------------------------- */

static inline struct workload_view fake_workload_view(const struct fake_workload *at)
{
    return (struct workload_view){.workload = &at->value,
                                  .version = at->version,
                                  .status_version = at->status_version,
                                  .running = at->ready,
                                  .ready = at->ready,
                                  .updated = at->ready};
}

bool query_workload(const struct node *node, const char *ns, const char *name,
                    struct workload_view *ret)
{
    for (size_t i = 0; i < node->workload_count; i++) {
        const struct fake_workload *at = &node->workloads[i];
        if (fake_compare(at->value.ns, at->value.name, ns, name) == 0) {
            *ret = fake_workload_view(at);
            return true;
        }
    }
    return false;
}

bool query_workload_next(const struct node *node, const char *ns, const char *after_ns,
                         const char *after_name, struct workload_view *ret)
{
    for (size_t i = 0; i < node->workload_count; i++) {
        const struct fake_workload *at = &node->workloads[i];
        if (ns && strcmp(at->value.ns, ns) != 0)
            continue;
        if (fake_compare(at->value.ns, at->value.name, after_ns, after_name) > 0) {
            *ret = fake_workload_view(at);
            return true;
        }
    }
    return false;
}

bool query_child(const struct node *node, const struct child_id *id, struct child_view *ret)
{
    for (size_t i = 0; i < node->child_count; i++) {
        if (child_id_compare(&node->children[i].id, id) == 0) {
            *ret = node->children[i];
            return true;
        }
    }
    return false;
}

bool query_child_next(const struct node *node, const char *ns, const struct child_id *after,
                      struct child_view *ret)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct child_view *at = &node->children[i];
        if ((!ns || strcmp(at->id.ns, ns) == 0) &&
            (!after || child_id_compare(&at->id, after) > 0)) {
            *ret = *at;
            return true;
        }
    }
    return false;
}

bool query_name(const struct node *node, const char *ns, const char *name, struct name_view *ret)
{
    for (size_t i = 0; i < node->name_count; i++) {
        if (fake_compare(node->names[i].ns, node->names[i].name, ns, name) == 0) {
            *ret = node->names[i].view;
            return true;
        }
    }
    return false;
}

bool query_name_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct name_view *ret)
{
    const struct fake_name *best = NULL;
    for (size_t i = 0; i < node->name_count; i++) {
        const struct fake_name *at = &node->names[i];
        if ((ns && strcmp(at->ns, ns) != 0) ||
            fake_compare(at->ns, at->name, after_ns, after_name) <= 0)
            continue;
        if (!best || fake_compare(at->ns, at->name, best->ns, best->name) < 0)
            best = at;
    }
    if (best)
        *ret = best->view;
    return best != NULL;
}

bool query_state(const struct node *node, const struct child_id *id, struct state_view *ret)
{
    bool found = node->state.bytes && child_id_compare(id, &node->state_of) == 0;
    if (found)
        *ret = (struct state_view){
            .epoch = node->state_epoch, .bytes = node->state.bytes, .complete = !node->state_torn};
    return found;
}

bool query_state_read(const struct node *node, const struct child_id *id, struct buffer *ret_bytes)
{
    (void)id;
    buffer_append(ret_bytes, node->state.data, node->state.bytes);
    return true;
}

bool query_ring(const struct node *node, const struct child_id *id, struct ring_view *ret)
{
    static struct ring_entry entries[] = {
        {"b", true, false, "", ""},
        {"a", true, true, "", ""},
        {"c", false, false, "Unschedulable", "cordoned"},
    };
    (void)node;
    *ret = (struct ring_view){.id = *id,
                              .supervisor = "default",
                              .strategy = "Uniform",
                              .holder = "a",
                              .state = "claimed",
                              .offered_to = "b",
                              .epoch = 3,
                              .reason = "",
                              .message = "",
                              .entries = entries,
                              .count = 3};
    return strcmp(id->workload, "web") == 0;
}

void ring_view_release(struct ring_view *view)
{
    view->entries = NULL;
}

bool query_moves_any(const struct node *node, const char *supervisor)
{
    return node->moves && strcmp(supervisor, "default") == 0;
}

bool query_rebalance(const struct node *node, const char *supervisor, struct rebalance_view *ret)
{
    *ret = (struct rebalance_view){.active = query_moves_any(node, supervisor),
                                   .asked = node->moves,
                                   .node = "a",
                                   .asked_ms = 1700000000000,
                                   .wanted = 1,
                                   .under_way = 2};
    return strcmp(supervisor, "none") != 0;
}

bool query_move_next(const struct node *node, const char *supervisor, const struct child_id *after,
                     struct move_view *ret)
{
    *ret = (struct move_view){.id = {.ns = "default", .workload = "web"},
                              .from = "a",
                              .to = "b",
                              .under_way = true,
                              .reason = "because"};
    return query_moves_any(node, supervisor) && !after;
}

bool query_meta(const struct node *node, const char *ns, const char *name, struct meta_view *ret)
{
    const struct fake_meta *at = &node->meta;
    bool found = at->value[0] && fake_compare(at->ns, at->name, ns, name) == 0;
    if (found)
        *ret = (struct meta_view){at->ns, at->name, at->version, at->value};
    return found;
}

bool query_meta_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct meta_view *ret)
{
    const struct fake_meta *at = &node->meta;
    if ((ns && strcmp(at->ns, ns) != 0) ||
        fake_compare(at->ns, at->name, after_ns, after_name) <= 0)
        return false;
    return query_meta(node, at->ns, at->name, ret);
}

bool query_member(const struct node *node, const char *name, struct member_view *ret)
{
    for (size_t i = 0; i < node->member_count; i++) {
        if (strcmp(node->members[i].name, name) == 0) {
            *ret = node->members[i];
            return true;
        }
    }
    return false;
}

bool query_member_next(const struct node *node, const char *after, struct member_view *ret)
{
    for (size_t i = 0; i < node->member_count; i++) {
        if (strcmp(node->members[i].name, after) > 0) {
            *ret = node->members[i];
            return true;
        }
    }
    return false;
}

bool query_supervisor(const struct node *node, const char *name, struct supervisor_view *ret)
{
    for (size_t i = 0; i < node->supervisor_count; i++) {
        const struct fake_supervisor *at = &node->supervisors[i];
        if (strcmp(at->value.name, name) == 0) {
            *ret = (struct supervisor_view){.supervisor = &at->value,
                                            .version = at->version,
                                            .quorum = true,
                                            .votes = strcmp(name, SUPERVISOR_QUORUM) == 0,
                                            .electorate = at->electorate,
                                            .specs = at->specs,
                                            .workers = at->specs};
            return true;
        }
    }
    return false;
}

bool query_supervisor_next(const struct node *node, const char *after, struct supervisor_view *ret)
{
    const char *best = NULL;
    for (size_t i = 0; i < node->supervisor_count; i++) {
        const char *name = node->supervisors[i].value.name;
        if (strcmp(name, after) > 0 && (!best || strcmp(name, best) < 0))
            best = name;
    }
    return best && query_supervisor(node, best, ret);
}

bool query_supervisor_member_next(const struct node *node, const char *supervisor,
                                  const char *after, const char **ret_name, const char **ret_phase)
{
    (void)supervisor;
    struct member_view view;
    if (!query_member_next(node, after, &view))
        return false;
    *ret_name = view.name;
    *ret_phase = view.phase;
    return true;
}

/* Nothing ever changes for whoever watches: watches are tested with a real node. */
size_t query_changes(const struct node *node, enum feed_resource resource, uint64_t position,
                     const struct feed_item **ret_items, size_t max)
{
    (void)node, (void)resource, (void)position, (void)ret_items, (void)max;
    return 0;
}

uint64_t query_compacted(const struct node *node, enum feed_resource resource)
{
    (void)node, (void)resource;
    return 0;
}

const struct journal *query_journal(const struct node *node)
{
    static const struct journal none;
    (void)node;
    return &none;
}

uint64_t query_position(const struct node *node)
{
    return node->position;
}

bool query_ready(const struct node *node)
{
    return node->ready;
}

bool query_stopping(const struct node *node)
{
    return node->stopping;
}

bool query_event_count(const struct node *node, size_t index, const char **ret_reason,
                       uint64_t *ret_count)
{
    (void)node;
    *ret_reason = "Started";
    *ret_count = 3;
    return index == 0;
}

struct query_phases query_phases(const struct node *node)
{
    struct query_phases phases = {{0}};
    for (size_t i = 0; i < node->child_count; i++)
        phases.children[node->children[i].phase]++;
    return phases;
}

struct query_supervised query_supervised(const struct node *node, const char *supervisor)
{
    struct query_supervised counts = {0};
    for (size_t i = 0; i < node->child_count; i++)
        counts.global += strcmp(node->children[i].supervisor, supervisor) == 0;
    return counts;
}

struct lease_counts query_leases(const struct node *node, const char *supervisor)
{
    (void)node, (void)supervisor;
    return (struct lease_counts){0};
}

size_t query_grants(const struct node *node)
{
    (void)node;
    return 0;
}

bool query_member_phase_next(const struct node *node, const char *after, const char **ret_name,
                             const char **ret_phase)
{
    struct member_view view;
    if (!query_member_next(node, after, &view))
        return false;
    *ret_name = view.name;
    *ret_phase = view.phase;
    return true;
}

struct query_counts query_counts(const struct node *node)
{
    return (struct query_counts){.workloads = node->workload_count};
}

uint64_t query_digest(const struct node *node)
{
    return node->workload_count;
}

#endif
