/* Supervision, from outside: what the engine reports goes into the children's local state, and
 * every tick decides anew about the children that something happened to. Decisions themselves are
 * in child_decide.c and child_run.c.
 *
 * Invariants: an operation in flight belongs to a child whose `local` exists; a child stands in a
 * queue at most once; nothing is decided before the node has settled (own list from the engine, one
 * comparison with a peer). */
#include "agent/core/supervise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/engine.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/orphans.h"
#include "agent/core/ranking.h"
#include "agent/core/stop.h"

enum {
    RELIST_EVERY_MS = 60000, /* the engine's hints may be lost */
    /* All children are looked at again, round and round, so many at a time: no lost edge can hurt
     * for longer than a round, and no look at all of them can hold up a turn. */
    SWEEP_MS = 1000,
    SWEEP_CHILDREN = 256,
};

bool supervise_is_open(const struct node *node)
{
    return node->supervision.settled && durable_may_write(node) && !node->must_sync &&
           !node->detach.away_ms;
}

void supervise_start_held(struct node *node)
{
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++)
            if (g->children[i]->claim && strcmp(g->children[i]->claim->node, node->name) == 0)
                child_remember(node, g->children[i]);
}

/* --- The engine's reports -------------------------------------------------------------------- */

/* A labelled container belongs to a child that we know, or it is an orphan and left alone.
 *
 * One that carries our own replica id was started by this very data directory, under a claim that
 * it held. If neither we nor a peer that we have compared with know its child, the child was
 * deleted while this agent, or its engine, was away: it is ours to end. (A data directory that was
 * lost, or put back from an old image, has another replica id by then.) */
static struct child *supervise_owner(struct node *node, const struct container *container)
{
    if (!container->child.ns[0] || strcmp(container->node, node->name) != 0)
        return NULL;
    struct child *child = store_child(&node->store, &container->child);
    bool ours = container->replica == node->durable.replica && node->supervision.settled &&
                sync_compared(node->sync) && container->state != CONTAINER_GONE;
    return child || !ours ? child : store_child_make(&node->store, &container->child);
}

static void supervise_observe(struct node *node, const struct container *container)
{
    struct child *child = supervise_owner(node, container);
    if (!child) {
        orphan_observe(node, container);
        return;
    }
    struct local *local = local_make(child);
    if (container->epoch > child->epoch_max)
        child->epoch_max = container->epoch;
    local_observe(local, container, node->now.mono_ms);
    lease_observe(node, child, container);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
    node->dirty = true;
}

/* Whatever of this child the list has not shown is gone. Returns how many are left. */
static size_t supervise_list_child(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (child->unknown_epoch) {
        child->unknown_epoch = 0;
        store_mark(&node->store, child);
    }
    for (size_t i = local ? local->container_count : 0; i-- > 0;) {
        struct container gone = local->containers[i].container;
        if (local->containers[i].seen_ms == node->now.mono_ms)
            continue;
        gone.state = CONTAINER_GONE;
        local_observe(local, &gone, node->now.mono_ms);
        store_mark(&node->store, child);
    }
    return local ? local->container_count : 0;
}

/* A list is the truth as of now (the driver lays over it what it told meanwhile): what it lacks is
 * gone. */
static void supervise_list(struct node *node, const struct event *event)
{
    struct store *store = &node->store;
    node->supervision.children_made = store->children_made;
    for (size_t i = 0; i < event->list.count; i++)
        supervise_observe(node, &event->list.containers[i]);
    size_t known = 0;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++)
            known += supervise_list_child(node, g->children[i]);
    node->supervision.containers = known;
    node->supervision.engine_listed = true;
    node->supervision.listed_ms = node->now.mono_ms;
    node->supervision.relist = false;
    node->dirty = true;
    orphans_listed(node);
}

/* A child has become known of which a container was listed before: nothing is decided about it
 * before a fresh list. */
static void supervise_look_for_strangers(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (supervision->children_made == node->store.children_made)
        return;
    supervision->children_made = node->store.children_made;
    if (!orphans_became_known(node))
        return;
    supervision->engine_listed = false;
    supervision->relist = true;
}

static void supervise_engine(struct node *node, const struct event *event)
{
    struct supervision *supervision = &node->supervision;
    bool was = supervision->engine_healthy;
    supervision->engine_told = true;
    supervision->engine_healthy = event->runtime.healthy;
    if (event->runtime.name)
        TEXT_SET(supervision->engine_name, event->runtime.name);
    if (event->runtime.version)
        TEXT_SET(supervision->engine_version, event->runtime.version);
    TEXT_SET(supervision->engine_message, event->runtime.message ? event->runtime.message : "");
    if (event->runtime.healthy) {
        supervision->relist = supervision->relist || !was; /* what happened meanwhile? */
        supervision->engine_lost_ms = 0;
        supervision->engine_declared = true;
        membership_record_changed(node);
    } else if (was || supervision->engine_lost_ms == 0) {
        supervision->engine_lost_ms = node->now.mono_ms ? node->now.mono_ms : 1;
    }
    if (was != event->runtime.healthy)
        effects_trace(node->effects, "the engine %s%s%s",
                      event->runtime.healthy ? "answers" : "does not answer",
                      supervision->engine_message[0] ? ": " : "", supervision->engine_message);
    if (was != event->runtime.healthy)
        note_member(node, node->name, !event->runtime.healthy,
                    event->runtime.healthy ? "EngineAnswers" : "EngineSilent", "%s%s%s",
                    supervision->engine_name, supervision->engine_message[0] ? ": " : "",
                    supervision->engine_message);
    store_mark_all(&node->store);
    node->dirty = true;
}

/* --- Events ---------------------------------------------------------------------------------- */

static void supervise_progress(struct node *node, const struct event *event)
{
    struct operation *operation = engine_find(node, event->progress.id);
    struct child *child = operation ? store_child(&node->store, &operation->child) : NULL;
    if (!child || !child->local)
        return;
    TEXT_SET(child->local->reason, "Pulling");
    local_say(&child->local->message, event->progress.text);
    store_mark(&node->store, child);
    store_touch(&node->store, child);
    node->dirty = true;
}

void supervise_event(struct node *node, const struct event *event)
{
    switch (event->type) {
    case EVENT_RUNTIME_STATE:
        supervise_engine(node, event);
        break;
    case EVENT_RUNTIME_LIST:
        supervise_list(node, event);
        break;
    case EVENT_RUNTIME_CONTAINER:
        supervise_observe(node, event->container);
        break;
    case EVENT_RUNTIME_PROGRESS:
        supervise_progress(node, event);
        break;
    case EVENT_RUNTIME_DONE:
        supervise_done(node, event);
        break;
    default:
        break;
    }
}

/* --- Time ------------------------------------------------------------------------------------ */

static void supervise_settle(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (node->must_sync && (sync_compared(node->sync) || !sync_has_alive_peer(node->sync) ||
                            node->now.mono_ms >= node->must_sync_until_ms)) {
        node->must_sync = false;
        store_mark_all(&node->store);
    }
    if (!supervision->settled && membership_is_settled(node) && durable_may_write(node)) {
        supervision->settled = true;
        supervision->relist =
            true; /* children that were unknown at the first list may be known by now */
        store_mark_all(&node->store);
    }
    bool overdue = supervision->engine_declared && !supervision->engine_healthy &&
                   node->now.mono_ms >= supervision->engine_lost_ms + node->engine_grace_ms;
    if (overdue && supervision->settled) {
        supervision->engine_declared = false;
        membership_record_changed(node);
        store_mark_all(&node->store);
    }
    if (supervision->draining && !supervision->killing &&
        node->now.mono_ms >= supervision->drain_ms + node->drain_timeout_ms) {
        supervision->killing = true;
        effects_trace(node->effects, "the drain timeout has passed: killing what still runs");
        store_mark_all(&node->store);
    }
}

static void supervise_wake(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (node->now.mono_ms >= supervision->sweep_ms) {
        supervision->sweep_ms = node->now.mono_ms + SWEEP_MS;
        store_mark_some(&node->store, &supervision->sweep_cursor, SWEEP_CHILDREN);
    }
    for (struct child *child;
         (child = wake_first(supervision)) != NULL && child->wake_ms <= node->now.mono_ms;) {
        child->wake_ms = UINT64_MAX;
        wake_update(supervision, child);
        store_mark(&node->store, child);
    }
}

static void supervise_decide(struct node *node)
{
    size_t count;
    struct child **dirty = store_take_dirty(&node->store, &count);
    room_order(dirty, count);
    for (size_t i = 0; i < count; i++) {
        child_decide(node, dirty[i]);
        wake_update(&node->supervision, dirty[i]);
    }
    durable_settle(node); /* claims get their log records */
    for (size_t i = 0; i < count; i++) {
        struct local *local = dirty[i]->local;
        if (local && local->claim_sequence == SEQUENCE_NEXT)
            local->claim_sequence = node->durable.sequence;
        store_child_tidy(&node->store, dirty[i]);
    }
    free(dirty);
}

static void supervise_relist(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    bool due = supervision->relist || node->now.mono_ms >= supervision->listed_ms + RELIST_EVERY_MS;
    if (!due || !supervision->engine_healthy || node->now.mono_ms < supervision->relist_ms)
        return;
    supervision->relist = false;
    supervision->listed_ms = node->now.mono_ms;
    engine_list(node);
}

void supervise_tick(struct node *node)
{
    supervise_settle(node);
    if (!supervise_is_open(node))
        return;
    supervise_look_for_strangers(node);
    supervise_run_stops(node);
    orphans_run(node);
    supervise_run_probes(node);
    supervise_wake(node);
    quorum_tick(node);
    room_tick(node);
    redistribute_tick(node);
    supervise_decide(node);
    drain_tick(node);
    room_tell(node);
    supervise_run_starts(node);
    supervise_relist(node);
}

void supervise_log_synced(struct node *node)
{
    if (node->supervision.queue_count > 0 || !node->supervision.settled ||
        node->membership.record_dirty)
        node->dirty = true;
}

uint64_t supervise_deadline(const struct node *node)
{
    const struct supervision *supervision = &node->supervision;
    uint64_t deadline = supervision->sweep_ms;
    if (node->must_sync && node->must_sync_until_ms < deadline)
        deadline = node->must_sync_until_ms;
    if (!supervise_is_open(node))
        return deadline > node->now.mono_ms ? deadline : node->now.mono_ms + 100;
    if (redistribute_deadline(node) < deadline)
        deadline = redistribute_deadline(node);
    const struct child *first = wake_first(supervision);
    if (first && first->wake_ms < deadline)
        deadline = first->wake_ms;
    uint64_t list_ms =
        supervision->relist ? supervision->relist_ms : supervision->listed_ms + RELIST_EVERY_MS;
    if (supervision->engine_healthy && list_ms < deadline)
        deadline = list_ms > supervision->relist_ms ? list_ms : supervision->relist_ms;
    if (supervision->draining && !supervision->killing &&
        supervision->drain_ms + node->drain_timeout_ms < deadline)
        deadline = supervision->drain_ms + node->drain_timeout_ms;
    if (supervision->engine_declared && !supervision->engine_healthy &&
        supervision->engine_lost_ms + node->engine_grace_ms < deadline)
        deadline = supervision->engine_lost_ms + node->engine_grace_ms;
    return deadline;
}

void supervise_drain(struct node *node)
{
    if (node->supervision.draining)
        return;
    node->supervision.draining = true;
    node->supervision.drain_ms = node->now.mono_ms;
    store_mark_all(&node->store);
    node->dirty = true;
}

bool supervise_is_drained(const struct node *node)
{
    const struct store *store = &node->store;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            const struct child *child = g->children[i];
            if (child->claim && claim_is_ours(node, child->claim) &&
                child->claim->state <= CLAIM_CLAIMED)
                return false;
            for (size_t j = 0; child->local && j < child->local->container_count; j++)
                if (child->local->containers[j].container.state == CONTAINER_RUNNING)
                    return false;
            if (child->local && child->local->start_operation)
                return false;
        }
    return true;
}

void supervise_release(struct node *node)
{
    struct store *store = &node->store;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            local_free(g->children[i]->local);
            g->children[i]->local = NULL;
        }
    index_release(&node->supervision.images, NULL);
    index_release(&node->supervision.intensities, free);
    free(node->supervision.orphans.items);
    free(node->supervision.wakes);
    free(node->supervision.queue);
    free(node->supervision.stop_queue);
    free(node->supervision.probe_queue);
}
