/* Operations of the engine that ended: what they tell goes into the child's local state; what is to
 * follow is decided later. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/engine.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/orphans.h"
#include "agent/core/output.h"
#include "agent/core/ranking.h"
#include "agent/core/supervise.h"

enum {
    RELIST_MS = 1000,
    REFUSED_AGAIN_MS = 60000, /* our policy stays; but somebody else may be there by then */
};

static void pull_known(struct node *node, const struct operation *operation)
{
    if (index_find(&node->supervision.images, span_text(operation->image)))
        return;
    if (index_count(&node->supervision.images) == IMAGES_MAX)
        index_release(&node->supervision.images, NULL);
    index_insert(&node->supervision.images, span_text(operation->image), node);
}

static void done_pull(struct node *node, struct child *child, const struct operation *operation,
                      const struct event *event)
{
    struct local *local = child->local;
    const struct workload *workload = &child->group->workload;
    local->pull_operation = 0;
    if (!workload->image || strcmp(workload->image, operation->image) != 0)
        return; /* the spec has changed meanwhile */
    if (event->done.result == RUNTIME_OK) {
        local->image_ready = true;
        local->pull_failing_ms = 0;
        local->pull_failures = 0;
        local_forget_why(local);
        note_child(node, child, false, "Pulled", "%s", operation->image);
        return;
    }
    if (local->pull_failing_ms == 0)
        local->pull_failing_ms = node->now.mono_ms;
    local->pull_failures++;
    local->retry_ms = node->now.mono_ms + backoff_ms(local->pull_failures + 3);
    TEXT_SET(local->reason, local->pull_failures > 1 ? "ImagePullBackOff" : "ErrImagePull");
    local_say(&local->message,
              event->done.message ? event->done.message : "the image cannot be pulled");
    note_child(node, child, true, local->reason, "%s: %s", operation->image,
               local_said(local->message));
}

/* The engine has removed the ended container whose name the new one took. */
static void child_started(struct local *local, const struct container *started)
{
    /* A short life may have ended, and been judged, before its start was reported. */
    const struct local_container *known = started ? local_find(local, started->id) : NULL;
    if (!known || known->container.state == CONTAINER_RUNNING)
        local_forget_why(local);
    for (size_t i = 0; started && i < local->container_count; i++) {
        struct container *at = &local->containers[i].container;
        if (at->epoch == started->epoch && at->state != CONTAINER_RUNNING &&
            strcmp(at->id, started->id) != 0)
            local_drop(local, &local->containers[i--]);
    }
}

/* Another member may allow what this one does not. If there is none it waits here, and says why. */
static void child_refused(struct node *node, struct child *child)
{
    struct local *local = child->local;
    bool ours = child->claim && claim_is_ours(node, child->claim);
    local->retry_ms = node->now.mono_ms + REFUSED_AGAIN_MS;
    if (ours && !ranking_has_other(node, child))
        return;
    effects_trace(node->effects, "declines %s/%s/%u: %s", child->group->ns, child->group->name,
                  child->ordinal, local_said(local->message));
    membership_decline(node, child, local->start_epoch, local->reason);
    if (ours)
        local->stop = STOP_RELEASE;
}

static void done_start(struct node *node, struct child *child, const struct operation *operation,
                       const struct event *event)
{
    struct local *local = child->local;
    bool pulled = local->image_ready;
    local->start_operation = 0;
    if (event->done.container)
        local_observe(local, event->done.container, node->now.mono_ms);
    lease_note_started(
        node, child, event->done.result == RUNTIME_OK ? event->done.container : NULL,
        event->done.result == RUNTIME_TIMED_OUT || event->done.result == RUNTIME_FAILED);
    local->image_ready = false;
    if (event->done.result == RUNTIME_OK) {
        if (child->unknown_epoch == local->start_epoch)
            child->unknown_epoch = 0;
        child_started(local, event->done.container);
        note_child(node, child, false, local->restarts > 0 ? "Restarted" : "Started",
                   "container %.12s", event->done.container ? event->done.container->id : "");
        return;
    }
    if (event->done.result == RUNTIME_IMAGE_MISSING) {
        index_remove(&node->supervision.images, span_text(operation->image));
        if (!pulled)
            return; /* at once; but an image that is missing right after its pull waits */
    }
    if (event->done.result == RUNTIME_TIMED_OUT || event->done.result == RUNTIME_FAILED) {
        node->supervision.relist = true;
        child_remember(node, child);
        child->unknown_epoch = local->start_epoch;
    }
    bool refused = event->done.result == RUNTIME_REFUSED;
    if (!refused)
        child_back_off(node, child);
    TEXT_SET(local->reason, refused                                 ? DECLINED_NOT_ALLOWED
                            : event->done.result == RUNTIME_INVALID ? "CreateContainerError"
                                                                    : "StartError");
    local_say(&local->message,
              event->done.message ? event->done.message : "the engine did not start it");
    note_child(node, child, true, local->reason, "%s", local_said(local->message));
    if (refused)
        child_refused(node, child);
}

static void done_stop(struct node *node, struct child *child, const struct operation *operation,
                      const struct event *event)
{
    struct local_container *container = local_find(child->local, operation->container_id);
    if (!container || container->operation != operation->id)
        return;
    container->operation = 0;
    if (event->done.container) {
        local_observe(child->local, event->done.container, node->now.mono_ms);
        lease_observe(node, child, event->done.container);
    }
    container = local_find(child->local, operation->container_id);
    if (!container)
        return;
    bool removed = operation->kind == RUNTIME_REMOVE && event->done.result == RUNTIME_OK;
    if (removed || container->container.state == CONTAINER_GONE) {
        local_drop(child->local, container);
        return;
    }
    if (event->done.result == RUNTIME_OK && container->container.state != CONTAINER_RUNNING) {
        note_child(node, child, false, "Stopped", "epoch %llu, exit code %d",
                   (unsigned long long)container->container.epoch, container->container.exit_code);
        return;
    }
    container->retry_ms = node->now.mono_ms + backoff_ms(4);
    node->supervision.relist = true;
    local_say(&child->local->message,
              event->done.message ? event->done.message : "the engine did not end it");
}

void supervise_done(struct node *node, const struct event *event)
{
    struct operation *found = engine_find(node, event->done.id);
    if (!found)
        return;
    struct operation operation = *found;
    engine_end(node, found);
    node->dirty = true;
    if (operation.kind == RUNTIME_LIST) {
        if (event->done.result != RUNTIME_OK) {
            node->supervision.relist = true;
            node->supervision.relist_ms = node->now.mono_ms + RELIST_MS;
        }
        return;
    }
    if (orphan_done(node, &operation, event))
        return;
    if (operation.kind == RUNTIME_OUTPUT) {
        output_done(node, &operation, event);
        return;
    }
    if (operation.kind == RUNTIME_PULL && event->done.result == RUNTIME_OK)
        pull_known(node, &operation);
    /* Of an abandoned pull, or of the first of two stops, the child may be gone by now. */
    struct child *child = store_child(&node->store, &operation.child);
    if (!child || !child->local)
        return;
    if (operation.kind == RUNTIME_PROBE) {
        probe_done(node, child, &operation, event);
        store_mark(&node->store, child); /* its status says what has come of it */
        return;
    }
    if (operation.kind == RUNTIME_PULL && child->local->pull_operation == operation.id)
        done_pull(node, child, &operation, event);
    else if (operation.kind == RUNTIME_START && child->local->start_operation == operation.id)
        done_start(node, child, &operation, event);
    else if (operation.kind == RUNTIME_STOP || operation.kind == RUNTIME_REMOVE)
        done_stop(node, child, &operation, event);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
}
