/* Operations asked of the engine: each has an id, a kind, the child it is for, and ends in exactly
 * one event. The table is bounded by the limits per kind; whoever finds no room waits in a queue
 * and is decided about again. */
#include "agent/core/engine.h"

#include <assert.h>
#include <string.h>

#include "agent/core/lease_node.h"
#include "agent/core/local.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/supervise.h"

static size_t *engine_counter(struct node *node, enum runtime_kind kind)
{
    switch (kind) {
    case RUNTIME_START:
        return &node->supervision.starts_in_flight;
    case RUNTIME_PULL:
        return &node->supervision.pulls_in_flight;
    case RUNTIME_PROBE:
        return &node->supervision.probes_in_flight;
    case RUNTIME_STOP:
    case RUNTIME_REMOVE:
        return &node->supervision.stops_in_flight;
    case RUNTIME_OUTPUT:
    case RUNTIME_LIST:
        break;
    }
    return NULL;
}

struct operation *engine_begin(struct node *node, enum runtime_kind kind, const struct child *child)
{
    struct supervision *supervision = &node->supervision;
    assert(supervision->operation_count < OPERATIONS_MAX);
    struct operation *operation = &supervision->operations[supervision->operation_count++];
    *operation = (struct operation){.id = ++supervision->last_operation, .kind = kind};
    if (child)
        operation->child = child_id(child);
    size_t *counter = engine_counter(node, kind);
    if (counter)
        ++*counter;
    return operation;
}

struct operation *engine_find(struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->supervision.operation_count; i++)
        if (node->supervision.operations[i].id == id)
            return &node->supervision.operations[i];
    return NULL;
}

void engine_end(struct node *node, struct operation *operation)
{
    size_t *counter = engine_counter(node, operation->kind);
    if (counter)
        --*counter;
    *operation = node->supervision.operations[--node->supervision.operation_count];
}

static struct runtime_operation *engine_emit(struct node *node, const struct operation *operation,
                                             uint64_t timeout_ms)
{
    struct runtime_operation *asked = effects_runtime(node->effects);
    asked->id = operation->id;
    asked->kind = operation->kind;
    asked->timeout_ms = timeout_ms;
    asked->child = operation->child;
    TEXT_SET(asked->container_id, operation->container_id);
    return asked;
}

void engine_start(struct node *node, struct child *child)
{
    const struct workload *workload = &child->group->workload;
    struct local *local = child->local;
    struct operation *operation = engine_begin(node, RUNTIME_START, child);
    TEXT_SET(operation->image, workload->image);
    struct runtime_operation *asked = engine_emit(node, operation, RUNTIME_START_TIMEOUT_MS);
    TEXT_SET(asked->uid, workload->uid);
    asked->epoch = move_may_start(node, child) ? child->claim->offer->epoch : child->claim->epoch;
    asked->spec_hash = workload->spec_hash;
    asked->replica = node->durable.replica;
    TEXT_SET(asked->supervisor, workload->supervisor);
    asked->document = effects_text(node->effects, workload->document);
    asked->image = effects_text(node->effects, workload->image);
    asked->pull = workload->pull;
    local->start_operation = operation->id;
    local->start_epoch = asked->epoch;
    local->start_hash = workload->spec_hash;
    TEXT_SET(local->start_uid, workload->uid);
    lease_note_start(node, child, asked);
}

void engine_pull(struct node *node, struct child *child)
{
    const struct workload *workload = &child->group->workload;
    struct operation *operation = engine_begin(node, RUNTIME_PULL, child);
    TEXT_SET(operation->image, workload->image);
    struct runtime_operation *asked = engine_emit(node, operation, RUNTIME_PULL_TIMEOUT_MS);
    asked->image = effects_text(node->effects, workload->image);
    asked->pull = workload->pull;
    asked->document = effects_text(node->effects, workload->document);
    child->local->pull_operation = operation->id;
}

void engine_stop(struct node *node, struct child *child, struct local_container *container,
                 uint64_t stop_ms)
{
    struct operation *operation = engine_begin(node, RUNTIME_STOP, child);
    TEXT_SET(operation->container_id, container->container.id);
    uint64_t timeout_ms =
        stop_ms == SHUTDOWN_INFINITY ? UINT64_MAX : stop_ms + RUNTIME_STOP_MARGIN_MS;
    engine_emit(node, operation, timeout_ms)->stop_ms = stop_ms;
    container->operation = operation->id;
    container->stopping = true;
}

void engine_remove(struct node *node, struct child *child, struct local_container *container)
{
    struct operation *operation = engine_begin(node, RUNTIME_REMOVE, child);
    TEXT_SET(operation->container_id, container->container.id);
    engine_emit(node, operation, RUNTIME_REMOVE_TIMEOUT_MS);
    container->operation = operation->id;
}

uint64_t engine_probe(struct node *node, struct child *child,
                      const struct local_container *container, enum probe_kind kind,
                      uint64_t timeout_ms)
{
    struct operation *operation = engine_begin(node, RUNTIME_PROBE, child);
    TEXT_SET(operation->container_id, container->container.id);
    operation->probe = kind;
    struct runtime_operation *asked = engine_emit(node, operation, timeout_ms);
    struct container *where = effects_alloc(node->effects, sizeof *where);
    *where = container->container;
    asked->probe = kind;
    asked->container = where;
    asked->document = effects_text(node->effects, child->group->workload.document);
    return operation->id;
}

uint64_t engine_output(struct node *node, const struct child *child, const char *container_id,
                       const struct output_wish *wish)
{
    struct operation *operation = engine_begin(node, RUNTIME_OUTPUT, child);
    TEXT_SET(operation->container_id, container_id);
    struct runtime_operation *asked = engine_emit(node, operation, UINT64_MAX);
    uint64_t age_ms = wish->since_seconds * UINT64_C(1000);
    asked->output = *wish;
    asked->since_ms = age_ms && age_ms < node->now.wall_ms ? node->now.wall_ms - age_ms : 0;
    return operation->id;
}

uint64_t engine_end_orphan(struct node *node, enum runtime_kind kind, const char *container_id,
                           uint64_t stop_ms)
{
    struct operation *operation = engine_begin(node, kind, NULL);
    TEXT_SET(operation->container_id, container_id);
    uint64_t timeout_ms =
        kind == RUNTIME_STOP ? stop_ms + RUNTIME_STOP_MARGIN_MS : RUNTIME_REMOVE_TIMEOUT_MS;
    engine_emit(node, operation, timeout_ms)->stop_ms = stop_ms;
    return operation->id;
}

void engine_abandon(struct node *node, uint64_t id)
{
    struct operation *operation = engine_find(node, id);
    if (operation)
        operation->child = (struct child_id){.ordinal = 0};
}

void engine_list(struct node *node)
{
    for (size_t i = 0; i < node->supervision.operation_count; i++)
        if (node->supervision.operations[i].kind == RUNTIME_LIST)
            return;
    struct operation *operation = engine_begin(node, RUNTIME_LIST, NULL);
    engine_emit(node, operation, RUNTIME_LIST_TIMEOUT_MS);
}
