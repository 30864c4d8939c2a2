/* Users' writes: changed in the map at once, answered when durable: this agent's log, and the first
 * peer whose `seen` covers the dot. Nobody else alive: the log is enough, and the answer says so. A
 * refusal changes nothing. */
#include "agent/core/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/orphans.h"
#include "agent/core/output.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"
#include "agent/core/stop.h"
#include "agent/core/supervise.h"

void requests_reply(struct node *node, uint64_t id, int status, const char *reason,
                    const char *message)
{
    struct reply reply = {.id = id, .status = status};
    TEXT_SET(reply.reason, reason);
    TEXT_SET(reply.message, message);
    effects_reply(node->effects, &reply);
}

struct pending *requests_add(struct node *node, const struct request *request)
{
    struct requests *requests = &node->requests;
    if (requests->count == requests->capacity) {
        requests->capacity = requests->capacity ? 2 * requests->capacity : 16;
        requests->items = xrealloc(requests->items, requests->capacity * sizeof *requests->items);
    }
    struct pending *pending = &requests->items[requests->count++];
    *pending = (struct pending){.id = request->id,
                                .kind = request->kind,
                                .after = request->after,
                                .child = request->child,
                                .deadline_ms = node->now.mono_ms + REQUEST_TIMEOUT_MS};
    return pending;
}

void requests_drop(struct node *node, struct pending *pending)
{
    gathering_free(pending->gathering);
    output_sink_free(pending->output);
    *pending = node->requests.items[--node->requests.count];
}

/* --- Writes of documents --------------------------------------------------------------------- */

void requests_written(struct node *node, const struct request *request, struct dot dot)
{
    struct pending *pending = requests_add(node, request);
    pending->written = dot;
    pending->sequence = SEQUENCE_NEXT;
    node->user_writes = true;
}

/* What another writer wrote has two members already: that one and us. */
void requests_repeated(struct node *node, const struct request *request, const struct key *key)
{
    struct dot dot = awmap_entry_sibling(awmap_find(node->map, key_span(key)), 0).dot;
    bool asks = node->user_writes;
    if (dot.replica != awmap_writer(node->map)) {
        requests_reply(node, request->id, 200, "", "");
        return;
    }
    requests_written(node, request, dot);
    if (sync_acknowledged(node->sync, dot))
        node->user_writes = asks;
    else
        node->own_writes = true; /* pushed once more, for an acknowledgement */
}

static void request_put(struct node *node, const struct request *request, const struct key *key,
                        struct buffer *value)
{
    if (value->bytes > DOCUMENT_BYTES_MAX + 8192)
        requests_reply(node, request->id, 413, "RequestEntityTooLarge",
                       "the document is larger than 64 KiB");
    else
        requests_written(node, request, node_put(node, key, value));
    buffer_release(value);
}

static void request_put_workload(struct node *node, const struct request *request)
{
    struct buffer value = {0};
    workload_encode(request->workload, &value);
    struct key key = key_workload(request->workload->ns, request->workload->name);
    request_put(node, request, &key, &value);
}

static void request_put_supervisor(struct node *node, const struct request *request)
{
    struct buffer value = {0};
    supervisor_encode(request->supervisor, &value);
    struct key key = key_supervisor(request->supervisor->name);
    request_put(node, request, &key, &value);
}

static void request_delete_workload(struct node *node, const struct request *request)
{
    const struct group *group = store_group(&node->store, request->ns, request->name);
    if (!group || !group->has_workload) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such workload");
        return;
    }
    struct key key = key_workload(request->ns, request->name);
    requests_written(node, request, node_remove(node, &key));
}

static void request_delete_supervisor(struct node *node, const struct request *request)
{
    if (!store_supervisor(&node->store, request->name)) {
        requests_reply(node, request->id, 404, "NotFound", "nobody wrote such a supervisor");
        return;
    }
    const struct store *store = &node->store;
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        if (g->has_workload && strcmp(g->workload.supervisor, request->name) == 0) {
            char message[2 * MESSAGE_BYTES_MAX];
            snprintf(message, sizeof message,
                     "workload %s/%s belongs to it; delete its workloads first", g->ns, g->name);
            requests_reply(node, request->id, 409, "Conflict", message);
            return;
        }
    struct key key = key_supervisor(request->name);
    requests_written(node, request, node_remove(node, &key));
}

/* --- Members --------------------------------------------------------------------------------- */

static void request_cordon(struct node *node, const struct request *request)
{
    const struct member_entry *entry = store_member(&node->store, request->name);
    struct key key = key_member(request->name);
    bool drains = request->kind == REQUEST_DRAIN;
    if (!entry) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such member");
        return;
    }
    if (drains && entry->record->wish == WISH_LEFT) {
        requests_reply(node, request->id, 409, "Conflict",
                       "the member has left: nothing runs there");
        return;
    }
    const struct cordon *cordon = member_cordon(entry);
    if (cordon->drains == drains && cordon->unschedulable == (drains || request->flag)) {
        requests_repeated(node, request, &key);
        return;
    }
    struct member_record record = *entry->record;
    record.cordon = (struct cordon){
        .unschedulable = drains || request->flag, .drains = drains, .version = cordon->version + 1};
    if (strcmp(request->name, node->name) == 0)
        drain_take_cordon(node, &record.cordon);
    struct buffer value = {0};
    member_record_encode(&record, &value);
    requests_written(node, request, node_put(node, &key, &value));
    buffer_release(&value);
}

static void request_join(struct node *node, const struct request *request)
{
    if (request->address_count == 0) {
        requests_reply(node, request->id, 422, "Invalid", "addresses: give at least one host:port");
        return;
    }
    for (size_t i = 0; i < request->address_count; i++)
        if (!membership_add_contact(node, request->addresses[i], true)) {
            requests_reply(node, request->id, 429, "TooManyRequests",
                           "too many addresses to join are known already");
            return;
        }
    struct pending *pending = requests_add(node, request);
    TEXT_SET(pending->name, request->addresses[0]);
}

static void request_leave(struct node *node, const struct request *request)
{
    struct pending *pending = requests_add(node, request);
    pending->deadline_ms = UINT64_MAX; /* ends with the drain, which is bounded */
    node->leaving = true;
    membership_set_wish(node, WISH_DRAINING);
    supervise_drain(node);
}

static void request_wait_quorum(struct node *node, const struct request *request)
{
    struct pending *pending = requests_add(node, request);
    TEXT_SET(pending->name, request->name);
    pending->deadline_ms = node->now.mono_ms + request->wait_ms;
}

static bool quorum_is_there(const struct node *node, const char *name)
{
    struct supervisor supervisor;
    return ranking_supervisor(node, name, &supervisor) &&
           quorum_of(node, &supervisor) == QUORUM_HELD;
}

static void request_detach(struct node *node, const struct request *request)
{
    struct pending *pending = requests_add(node, request);
    pending->deadline_ms = UINT64_MAX; /* ends with the agent, soon */
    stop_detach(node, request->away_ms);
}

static void request_forget(struct node *node, const struct request *request)
{
    if (!store_member(&node->store, request->name)) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such member");
        return;
    }
    enum placement_phase phase = member_phase(node, request->name);
    if (phase != PLACEMENT_DEAD && phase != PLACEMENT_LEFT) {
        requests_reply(
            node, request->id, 409, "Conflict",
            phase == PLACEMENT_ABSENT
                ? "the member has detached; if it is not back in time it is dead, and can "
                  "be forgotten then"
                : "the member is not dead; let it leave instead");
        return;
    }
    struct key key = key_member(request->name);
    requests_written(node, request, node_remove(node, &key));
}

/* --- All kinds ------------------------------------------------------------------------------- */

static bool request_is_write(enum request_kind kind)
{
    return kind != REQUEST_JOIN && kind != REQUEST_LEAVE && kind != REQUEST_DETACH &&
           kind != REQUEST_WAIT && kind != REQUEST_WAIT_QUORUM && kind != REQUEST_EVENTS &&
           kind != REQUEST_OUTPUT && kind != REQUEST_ORPHANS && kind != REQUEST_DELETE_CHILD;
}

static void requests_refuse_room(struct node *node, const struct request *request)
{
    char message[MESSAGE_BYTES_MAX + 1];
    snprintf(message, sizeof message, "%.*s; nothing changed", MESSAGE_BYTES_MAX - 32,
             node->durable.message[0] ? node->durable.message : "the data directory has no room");
    requests_reply(node, request->id, 507, "InsufficientStorage", message);
}

bool requests_refuse_write(struct node *node, const struct request *request)
{
    if (!durable_may_write(node))
        requests_reply(node, request->id, 503, "ServiceUnavailable",
                       "this agent has just started and compares itself with the others; try again "
                       "in a moment");
    else if (!durable_has_room(node))
        requests_refuse_room(node, request);
    else
        return false;
    return true;
}

static bool requests_refuse(struct node *node, const struct request *request)
{
    if (node->requests.count >= PENDING_REQUESTS_MAX)
        requests_reply(node, request->id, 429, "TooManyRequests",
                       "too many writes wait to become durable; try again");
    else if (node_is_stopping(node))
        requests_reply(node, request->id, 503, "ServiceUnavailable",
                       node->detach.away_ms ? "this agent is detaching; ask another one"
                                            : "this agent is draining; ask another one");
    else
        return request_is_write(request->kind) && requests_refuse_write(node, request);
    return true;
}

static void request_wait(struct node *node, const struct request *request)
{
    requests_add(node, request);
}

void requests_step(struct node *node, const struct request *request)
{
    static void (*const steps[])(struct node *, const struct request *) = {
        [REQUEST_PUT_WORKLOAD] = request_put_workload,
        [REQUEST_DELETE_WORKLOAD] = request_delete_workload,
        [REQUEST_PUT_SUPERVISOR] = request_put_supervisor,
        [REQUEST_DELETE_SUPERVISOR] = request_delete_supervisor,
        [REQUEST_PUT_NAME] = outside_put,
        [REQUEST_SET_VALUE] = registry_set_value,
        [REQUEST_DELETE_NAME] = outside_delete,
        [REQUEST_PUT_META] = meta_put,
        [REQUEST_DELETE_META] = meta_delete,
        [REQUEST_PUT_STATE] = state_put,
        [REQUEST_DELETE_STATE] = state_delete,
        [REQUEST_DELETE_CHILD] = request_delete_child,
        [REQUEST_SET_UNSCHEDULABLE] = request_cordon,
        [REQUEST_DRAIN] = request_cordon,
        [REQUEST_REBALANCE] = request_rebalance,
        [REQUEST_JOIN] = request_join,
        [REQUEST_LEAVE] = request_leave,
        [REQUEST_DETACH] = request_detach,
        [REQUEST_FORGET] = request_forget,
        [REQUEST_OUTPUT] = output_begin,
        [REQUEST_ORPHANS] = orphans_request,
        [REQUEST_EVENTS] = gather_begin,
        [REQUEST_FORCE_ELECTORATE] = electorates_force,
        [REQUEST_WAIT_QUORUM] = request_wait_quorum,
        [REQUEST_WAIT] = request_wait,
    };
    if (!requests_refuse(node, request))
        steps[request->kind](node, request);
}

void requests_client(struct node *node, const struct event *event)
{
    for (size_t i = 0; i < node->requests.count; i++) {
        if (node->requests.items[i].id != event->client.id)
            continue;
        if (node->requests.items[i].output)
            output_client(node, &node->requests.items[i], event);
        if (event->client.gone)
            requests_drop(node, &node->requests.items[i]);
        return;
    }
}

void requests_welcomed(struct node *node, const char *address)
{
    for (size_t i = 0; i < node->requests.count; i++)
        if (node->requests.items[i].kind == REQUEST_JOIN) {
            requests_reply(node, node->requests.items[i].id, 200, "", address);
            requests_drop(node, &node->requests.items[i--]);
        }
}

void requests_refused(struct node *node, const char *address, const char *message)
{
    for (size_t i = 0; i < node->requests.count; i++)
        if (node->requests.items[i].kind == REQUEST_JOIN &&
            strcmp(node->requests.items[i].name, address) == 0) {
            requests_reply(node, node->requests.items[i].id, 409, "Conflict", message);
            requests_drop(node, &node->requests.items[i--]);
        }
}

/* The answer to a pending request if there is one by now. */
static bool pending_answer(struct node *node, const struct pending *pending, struct reply *reply)
{
    reply->id = pending->id;
    reply->written = pending->written;
    reply->status = 200;
    bool waits = pending->kind == REQUEST_WAIT || pending->answered;
    if (waits && (pending->after.counter == 0 || awmap_covers(node->map, pending->after)))
        return true;
    if (pending->kind == REQUEST_WAIT_QUORUM && quorum_is_there(node, pending->name))
        return true;
    if (pending->gathering)
        return gather_is_over(node, pending, reply);
    if (pending->written.counter && pending->sequence <= node->durable.synced) {
        reply->alone = !sync_has_alive_peer(node->sync);
        if (reply->alone || sync_acknowledged(node->sync, pending->written))
            return true;
    }
    if (pending->written.counter && node->durable.failed) {
        reply->status = 507;
        TEXT_SET(reply->reason, "InsufficientStorage");
        snprintf(reply->message, sizeof reply->message,
                 "not durable on %s, which knows it and may lose it: %s; repeat it through another "
                 "agent, or when the disk works again (repeating is safe)",
                 node->name, node->durable.message);
        return true;
    }
    if (node->now.mono_ms < pending->deadline_ms)
        return false;
    reply->status = 504;
    TEXT_SET(reply->reason, "Timeout");
    if (pending->written.counter)
        snprintf(reply->message, sizeof reply->message,
                 "stored on %s, not yet on a second member; repeat the request (repeating is safe)",
                 node->name);
    else if (pending->kind == REQUEST_JOIN)
        snprintf(reply->message, sizeof reply->message,
                 "%s has not answered yet; the agent goes on trying. Is the "
                 "address right, and an agent of cluster %s listening there?",
                 pending->name, node->cluster);
    else if (pending->kind == REQUEST_WAIT_QUORUM)
        snprintf(reply->message, sizeof reply->message,
                 "%s does not see a quorum of supervisor %s; ask again, or the agent of another "
                 "member",
                 node->name, pending->name);
    else
        snprintf(reply->message, sizeof reply->message, "no answer within %d ms",
                 REQUEST_TIMEOUT_MS);
    return true;
}

void requests_settle(struct node *node)
{
    for (size_t i = 0; i < node->requests.count; i++) {
        struct reply reply = {0};
        if (node->requests.items[i].sequence == SEQUENCE_NEXT)
            node->requests.items[i].sequence = node->durable.sequence;
        if (node->requests.items[i].kind == REQUEST_LEAVE ||
            node->requests.items[i].kind == REQUEST_DETACH || node->requests.items[i].output ||
            !pending_answer(node, &node->requests.items[i], &reply))
            continue;
        effects_reply(node->effects, &reply);
        requests_drop(node, &node->requests.items[i--]);
    }
}

/* What was written is told apart from what was not: it may be on this disk, or with a peer. */
static void request_end(struct node *node, const struct pending *pending)
{
    if (pending->kind == REQUEST_LEAVE) {
        requests_reply(node, pending->id, 200, "", "");
    } else if (pending->kind == REQUEST_DETACH && node->detach.known) {
        struct reply reply = {
            .id = pending->id, .status = 200, .alone = !sync_has_alive_peer(node->sync)};
        effects_reply(node->effects, &reply);
    } else if (pending->kind == REQUEST_DETACH) {
        requests_reply(
            node, pending->id, 504, "Timeout",
            "the agent ends and its containers run on, but no other member has confirmed "
            "that it knows: they may take this node for dead, and adopt them");
    } else if (pending->written.counter) {
        char message[sizeof((struct reply *)NULL)->message];
        snprintf(message, sizeof message,
                 "%s stops before it knew of a second copy; repeat the request at another agent "
                 "(repeating is safe)",
                 node->name);
        requests_reply(node, pending->id, 504, "Timeout", message);
    } else {
        requests_reply(node, pending->id, 503, "ServiceUnavailable", "the agent stops");
    }
}

void requests_end(struct node *node)
{
    while (node->requests.count > 0) {
        request_end(node, &node->requests.items[0]);
        requests_drop(node, &node->requests.items[0]);
    }
}

uint64_t requests_deadline(const struct node *node)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < node->requests.count; i++)
        if (node->requests.items[i].deadline_ms < deadline)
            deadline = node->requests.items[i].deadline_ms;
    return deadline;
}

void requests_release(struct node *node)
{
    while (node->requests.count > 0)
        requests_drop(node, &node->requests.items[0]);
    free(node->requests.items);
}
