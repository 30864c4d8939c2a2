/* The node: one switch over events, one list of what a tick does, one deadline. The parts do the
 * work.
 *
 * A step: 1 note the time, and whether we were away; 2 take in the event; 3 on a tick: probes,
 * exchanges, membership, decisions; 4 settle: changes of the map go to the store and the log; on a
 * tick, the writes of all steps since the last one go to the peers together; 5 answer what has
 * become durable. */
#include "agent/core/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/engine.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/newer.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/orphans.h"
#include "agent/core/output.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"
#include "agent/core/requests.h"
#include "agent/core/retirement.h"
#include "agent/core/shown.h"
#include "agent/core/stop.h"
#include "agent/core/supervise.h"

enum {
    MUST_SYNC_MS = 5000, /* after a thaw, the longest wait for a peer's answer */
};

/* --- Life ------------------------------------------------------------------------------------ */

static void node_copy_labels(struct node *node, const struct node_config *config)
{
    node->labels = xcalloc(config->label_count + 1, sizeof *node->labels);
    node->label_count = config->label_count;
    for (size_t i = 0; i < config->label_count; i++) {
        node->labels[i].key = xstrdup(config->labels[i].key);
        node->labels[i].value = xstrdup(config->labels[i].value);
    }
}

struct node *node_new(const struct node_config *config)
{
    struct node *node = xcalloc(1, sizeof *node);
    node->turn = 1;
    TEXT_SET(node->cluster, config->cluster);
    TEXT_SET(node->name, config->node_name);
    TEXT_SET(node->version, config->version);
    TEXT_SET(node->gossip_address, config->gossip_address);
    TEXT_SET(node->api_address, config->api_address);
    TEXT_SET(node->advertise_host, config->advertise_host);
    TEXT_SET(node->zone, config->zone ? config->zone : "");
    node->cluster_hash = envelope_cluster(config->cluster);
    node->cpu_milli = config->cpu_milli < CPU_MILLI_MAX ? config->cpu_milli : CPU_MILLI_MAX;
    node->memory_bytes =
        config->memory_bytes < MEMORY_BYTES_MAX ? config->memory_bytes : MEMORY_BYTES_MAX;
    node->weight = config->weight ? config->weight : RING_WEIGHT_DEFAULT;
    node->profile = config->profile;
    node->drain_timeout_ms = config->drain_timeout_ms;
    node->engine_grace_ms = config->engine_grace_ms;
    node->forget_after_ms = config->forget_after_ms;
    node->start_grace_ms = config->start_grace_ms;
    node->fresh_replica = config->fresh_replica;
    node->detach_on_stop = config->detach_on_stop;
    node->pacing_off = config->pacing_off;
    node->discovers = config->discovers;
    node->random = random_of(config->random_seed);
    node_copy_labels(node, config);
    node->membership.absence_ms = UINT64_MAX;
    node->shown.members_ms = node->shown.supervisors_ms = UINT64_MAX;
    leases_init(node, config->random_seed);
    node->map = awmap_new();
    node->store.listener = membership_listener(node);
    for (size_t i = 0; i < config->seed_count; i++)
        membership_add_contact(node, config->seeds[i], true);
    return node;
}

void node_free(struct node *node)
{
    if (!node)
        return;
    supervise_release(node);
    leases_release(node);
    ranking_release(node);
    membership_release(node);
    retirement_release(node);
    requests_release(node);
    output_release(node);
    journal_release(&node->journal);
    shown_release(node);
    store_release(&node->store);
    swim_free(node->swim);
    sync_free(node->sync);
    awmap_free(node->map);
    for (size_t i = 0; i < node->label_count; i++) {
        free(node->labels[i].key);
        free(node->labels[i].value);
    }
    free(node->labels);
    free(node);
}

/* --- Start ----------------------------------------------------------------------------------- */

static void node_send_swim(void *context, const char *address, struct span body,
                           struct effects *effects)
{
    struct node *node = context;
    struct envelope envelope = {.type = MESSAGE_SWIM, .cluster = node->cluster_hash, .body = body};
    TEXT_SET(envelope.from, node->name);
    struct buffer bytes = {0};
    envelope_encode(&envelope, &bytes);
    effects_send(effects, address, CHANNEL_GOSSIP, buffer_view(&bytes));
    buffer_release(&bytes);
}

static void node_send_sync(void *context, const char *address, enum channel channel,
                           struct span body, struct effects *effects)
{
    struct node *node = context;
    struct envelope envelope = {.type = MESSAGE_SYNC, .cluster = node->cluster_hash, .body = body};
    TEXT_SET(envelope.from, node->name);
    struct buffer bytes = {0};
    envelope_encode(&envelope, &bytes);
    effects_send(effects, address, channel, buffer_view(&bytes));
    buffer_release(&bytes);
}

static void node_start(struct node *node)
{
    uint64_t now_ms = node->now.mono_ms;
    durable_start(node);
    struct swim_config swim = {.self_name = node->name,
                               .self_address = node->gossip_address,
                               .boot = node->durable.boot,
                               .profile = node->profile,
                               .start_grace_ms = node->start_grace_ms,
                               .seed = random_next(&node->random)};
    node->swim = swim_new(&swim, now_ms);
    swim_set_send(node->swim, node_send_swim, node);
    node->sync = sync_new(node->map, random_next(&node->random));
    sync_set_send(node->sync, node_send_sync, node);
    sync_set_self(node->sync, node->name);
    for (const struct awmap_entry *e = awmap_next(node->map, NULL); e; e = awmap_next(node->map, e))
        store_apply(&node->store, e);
    awmap_changed_clear(node->map);
    supervise_start_held(node);
    leases_start(node);
    membership_start(node);
    node->started = true;
    node->supervision.sweep_ms = now_ms;
    effects_trace(node->effects,
                  "node %s of cluster %s: replica %016llx, run %llu, %zu keys from disk",
                  node->name, node->cluster, (unsigned long long)node->durable.replica,
                  (unsigned long long)node->durable.boot, awmap_count(node->map));
    note_member(node, node->name, false, "AgentStarted", "run %llu, %zu keys from disk",
                (unsigned long long)node->durable.boot, awmap_count(node->map));
}

/* --- Messages -------------------------------------------------------------------------------- */

static void node_on_swim(struct node *node, const struct envelope *envelope)
{
    bool has_payload = false;
    uint8_t payload[SWIM_PAYLOAD_BYTES];
    if (swim_receive(node->swim, node->now.mono_ms, envelope->from, envelope->body, node->effects,
                     &has_payload, payload) &&
        has_payload)
        sync_note_summary(node->sync, node->now.mono_ms, envelope->from, payload, node->effects);
}

static void node_on_message(struct node *node, const struct event *event)
{
    struct envelope envelope;
    if (newer_message(node, event) || !envelope_decode(&envelope, event->message.bytes))
        return;
    if (envelope.type == MESSAGE_JOIN || envelope.type == MESSAGE_WELCOME ||
        envelope.type == MESSAGE_REFUSED) {
        membership_message(node, &envelope);
        return;
    }
    if (envelope.cluster != node->cluster_hash || strcmp(envelope.from, node->name) == 0)
        return;
    switch (envelope.type) {
    case MESSAGE_SWIM:
        node_on_swim(node, &envelope);
        break;
    case MESSAGE_SYNC:
        if (sync_receive(node->sync, node->now.mono_ms, envelope.from, envelope.body,
                         node->effects))
            swim_heard(node->swim, node->now.mono_ms, envelope.from);
        break;
    case MESSAGE_CHILD_STOP:
    case MESSAGE_CHILD_STOPPED:
        requests_message(node, &envelope);
        break;
    case MESSAGE_PREPARE:
        move_message(node, &envelope);
        break;
    case MESSAGE_LEASE_ASK:
    case MESSAGE_LEASE_GRANT:
    case MESSAGE_ELECTORATE:
        leases_message(node, &envelope);
        break;
    case MESSAGE_EVENTS_ASK:
    case MESSAGE_EVENTS:
        gather_message(node, &envelope);
        break;
    case MESSAGE_OUTPUT_ASK:
    case MESSAGE_OUTPUT_TAKEN:
        output_source_message(node, &envelope);
        break;
    case MESSAGE_ORPHANS_ASK:
    case MESSAGE_ORPHANS:
        orphans_message(node, &envelope);
        break;
    case MESSAGE_OUTPUT:
        output_sink_message(node, &envelope);
        break;
    default:
        break;
    }
}

/* --- Stepping -------------------------------------------------------------------------------- */

static void node_tick(struct node *node)
{
    node->dirty = false;
    node->turn++;
    swim_tick(node->swim, node->now.mono_ms, node->effects);
    sync_tick(node->sync, node->now.mono_ms, node->effects);
    membership_tick(node);
    durable_settle(node);
    newer_tick(node);
    retirement_tick(node);
    outside_tick(node);
    output_tick(node);
    supervise_tick(node);
    leases_tick(node);
    stop_tick(node);
}

/* We, not the peers, were away: verdicts from before the gap mean nothing, and nothing starts
 * before one comparison. */
static void node_thaw(struct node *node)
{
    effects_trace(node->effects,
                  "this agent was away for %llu ms: drops its verdicts and compares first",
                  (unsigned long long)(node->now.mono_ms - node->deadline_ms));
    swim_thaw(node->swim, node->now.mono_ms);
    sync_thaw(node->sync, node->now.mono_ms);
    absence_thaw(node);
    probe_thaw(node);
    outside_thaw(node);
    if (!sync_has_alive_peer(node->sync))
        return;
    membership_thaw(node);
    node->must_sync = true;
    node->must_sync_until_ms = node->now.mono_ms + MUST_SYNC_MS;
}

static void node_dispatch(struct node *node, const struct event *event)
{
    switch (event->type) {
    case EVENT_START:
        node_start(node);
        break;
    case EVENT_TICK:
        node_tick(node);
        break;
    case EVENT_MESSAGE:
        node_on_message(node, event);
        break;
    case EVENT_PEER_BROKEN:
        swim_hint_broken(node->swim, node->now.mono_ms, event->peer.address, node->effects);
        break;
    case EVENT_SUGGESTED:
        membership_suggest(node, event->suggested.addresses, event->suggested.count);
        break;
    case EVENT_LOG_SYNCED:
        durable_synced(node, event->log_synced.sequence);
        leases_synced(node);
        supervise_log_synced(node);
        break;
    case EVENT_DISK_STATE:
        if (event->disk.failed != node->durable.failed)
            effects_trace(
                node->effects, "%s",
                event->disk.failed ? event->disk.message : "the log can be written again");
        node->durable.failed = event->disk.failed;
        node->durable.room_bytes = event->disk.room_bytes;
        TEXT_SET(node->durable.message, event->disk.message ? event->disk.message : "");
        break;
    case EVENT_REQUEST:
        requests_step(node, event->request);
        break;
    case EVENT_LOOK:
        shown_begin(node);
        break;
    case EVENT_CLIENT:
        requests_client(node, event);
        break;
    case EVENT_STOP:
        stop_begin(node);
        break;
    case EVENT_RUNTIME_OUTPUT:
        output_from_engine(node, event);
        break;
    case EVENT_RUNTIME_STATE:
    case EVENT_RUNTIME_LIST:
    case EVENT_RUNTIME_CONTAINER:
    case EVENT_RUNTIME_PROGRESS:
    case EVENT_RUNTIME_DONE:
        supervise_event(node, event);
        break;
    }
}

static uint64_t node_next_deadline(const struct node *node)
{
    uint64_t now_ms = node->now.mono_ms;
    if (node->dirty || node->own_writes || (node->store.dirty_count > 0 && supervise_is_open(node)))
        return now_ms;
    const uint64_t candidates[] = {
        swim_deadline(node->swim), sync_deadline(node->sync), membership_deadline(node),
        supervise_deadline(node),  requests_deadline(node),   outside_deadline(node),
        shown_deadline(node),      output_deadline(node),     leases_deadline(node)};
    uint64_t deadline_ms = now_ms + 60000;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (candidates[i] < deadline_ms)
            deadline_ms = candidates[i];
    if (node_is_stopping(node) && deadline_ms > now_ms + 50)
        deadline_ms = now_ms + 50;
    return deadline_ms > now_ms ? deadline_ms : now_ms;
}

void node_step(struct node *node, const struct event *event, struct effects *effects)
{
    assert(!node->stepping && (node->started || event->type == EVENT_START));
    if (node->stopped)
        return;
    node->stepping = true;
    node->now = event->now;
    node->effects = effects;
    if (node->started && event->now.mono_ms > node->deadline_ms + FROZEN_AFTER_MS)
        node_thaw(node);
    node_dispatch(node, event);
    durable_settle(node);
    if (event->type == EVENT_TICK)
        durable_push(node);
    requests_settle(node);
    shown_settle(node);
    node->deadline_ms = node_next_deadline(node);
    node->effects = NULL;
    node->stepping = false;
}

uint64_t node_deadline(const struct node *node)
{
    return node->stopped ? UINT64_MAX : node->deadline_ms;
}

void node_check(const struct node *node)
{
    awmap_check(node->map);
    size_t children = 0;
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name)) {
        children += g->child_count;
        for (size_t i = 0; i < g->child_count; i++) {
            const struct child *child = g->children[i];
            assert(i == 0 || g->children[i - 1]->ordinal < child->ordinal);
            assert((child->holder != NULL) == (child->claim != NULL));
            assert(!child->holder || strcmp(child->holder->name, child->claim->node) == 0);
        }
    }
    assert(children == node->store.child_count);
    leases_check(node);
    ranking_check(node);
    assert(node->supervision.starts_in_flight <= OPERATIONS_MAX);
}
