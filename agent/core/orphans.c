/* Orphans: containers on this node's engine that carry this cluster's and this node's labels, of
 * another data directory than ours, whose child nobody knows. They are left alone, whatever
 * happens, until a user asks for their end: hordelet gc --orphans.
 *
 * A child may become known later, when peers have told of it: then nothing is decided about it
 * before a fresh list. What a user has condemned is looked at again before each step towards its
 * end, and an agent that has not compared itself with the others yet condemns nothing. */
#include "agent/core/orphans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/engine.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/requests.h"
#include "agent/core/supervise.h"

enum {
    ORPHANS_TIMEOUT_MS = 2000,
    ORPHANS_BYTES_MAX = 128 * 1024, /* of an answer: within a bulk chunk */
    ORPHAN_STOP_MS = 5000,          /* its document, with its shutdown time, is lost */
};

/* --- What is there ---------------------------------------------------------------------------- */

static struct orphan *orphan_find(struct node *node, const char *id)
{
    struct orphans *orphans = &node->supervision.orphans;
    for (size_t i = 0; i < orphans->count; i++)
        if (strcmp(orphans->items[i].id, id) == 0)
            return &orphans->items[i];
    return NULL;
}

static void orphan_drop(struct node *node, struct orphan *orphan)
{
    struct orphans *orphans = &node->supervision.orphans;
    *orphan = orphans->items[--orphans->count];
}

void orphan_observe(struct node *node, const struct container *container)
{
    struct orphans *orphans = &node->supervision.orphans;
    if (!container->child.ns[0] || strcmp(container->node, node->name) != 0)
        return;
    struct orphan *orphan = orphan_find(node, container->id);
    if (container->state == CONTAINER_GONE) {
        if (orphan)
            orphan_drop(node, orphan);
        return;
    }
    if (!orphan && orphans->count == ORPHANS_MAX)
        return;
    if (!orphans->items)
        orphans->items = xcalloc(ORPHANS_MAX, sizeof *orphans->items);
    if (!orphan) {
        orphan = &orphans->items[orphans->count++];
        *orphan = (struct orphan){.replica = container->replica, .epoch = container->epoch};
        TEXT_SET(orphan->id, container->id);
        TEXT_SET(orphan->uid, container->uid);
        orphan->child = container->child;
    }
    orphan->state = container->state;
    orphan->seen_ms = node->now.mono_ms;
}

void orphans_listed(struct node *node)
{
    struct orphans *orphans = &node->supervision.orphans;
    for (size_t i = orphans->count; i-- > 0;)
        if (orphans->items[i].seen_ms != node->now.mono_ms)
            orphan_drop(node, &orphans->items[i]);
    if (!node->supervision.settled || orphans->count == orphans->reported)
        return;
    orphans->reported = orphans->count;
    effects_trace(
        node->effects,
        "orphans: %zu containers have our labels but belong to nothing that is known here; "
        "they are left alone (hordelet gc --orphans)",
        orphans->count);
}

bool orphans_became_known(struct node *node)
{
    const struct orphans *orphans = &node->supervision.orphans;
    for (size_t i = 0; i < orphans->count; i++)
        if (store_child(&node->store, &orphans->items[i].child))
            return true;
    return false;
}

/* --- Their end -------------------------------------------------------------------------------- */

/* Nobody knows of anything of it, as far as can be known. */
static bool orphans_may_end(const struct node *node)
{
    return supervise_is_open(node) && node->supervision.engine_listed &&
           (membership_is_alone(node) || sync_compared(node->sync));
}

void orphans_run(struct node *node)
{
    struct supervision *supervision = &node->supervision;
    if (!orphans_may_end(node) || !supervision->engine_healthy)
        return;
    for (size_t i = 0; i < supervision->orphans.count; i++) {
        struct orphan *orphan = &supervision->orphans.items[i];
        if (!orphan->condemned || orphan->operation ||
            supervision->stops_in_flight >= RUNTIME_STOPS_IN_FLIGHT_MAX)
            continue;
        if (store_child(&node->store, &orphan->child)) {
            orphan->condemned = false;
            continue;
        }
        bool running = orphan->state == CONTAINER_RUNNING;
        effects_trace(node->effects, "%s the orphan %.12s of %s/%s/%u: a user asked for it",
                      running ? "stops" : "removes", orphan->id, orphan->child.ns,
                      orphan->child.workload, orphan->child.ordinal);
        orphan->operation = engine_end_orphan(node, running ? RUNTIME_STOP : RUNTIME_REMOVE,
                                              orphan->id, ORPHAN_STOP_MS);
    }
}

bool orphan_done(struct node *node, const struct operation *operation, const struct event *event)
{
    struct orphan *orphan = orphan_find(node, operation->container_id);
    if (!orphan || orphan->operation != operation->id)
        return false;
    orphan->operation = 0;
    if (event->done.result != RUNTIME_OK) {
        orphan->condemned = false; /* a user may ask again, and sees why */
        TEXT_SET(orphan->message, event->done.message ? event->done.message : "it did not work");
    } else if (operation->kind == RUNTIME_REMOVE ||
               (event->done.container && event->done.container->state == CONTAINER_GONE)) {
        note_member(node, node->name, false, "OrphanRemoved", "container %.12s of %s/%s/%u",
                    orphan->id, orphan->child.ns, orphan->child.workload, orphan->child.ordinal);
        orphan_drop(node, orphan);
    } else if (event->done.container) {
        orphan->state = event->done.container->state;
    }
    return true;
}

/* --- Questions -------------------------------------------------------------------------------- */

/* The number of all, then those that there is room for. */
static void orphans_encode(const struct node *node, struct buffer *body)
{
    const struct orphans *orphans = &node->supervision.orphans;
    buffer_varint(body, orphans->count);
    for (size_t i = 0; i < orphans->count && body->bytes < ORPHANS_BYTES_MAX; i++) {
        const struct orphan *orphan = &orphans->items[i];
        buffer_text(body, orphan->id);
        buffer_text(body, orphan->child.ns);
        buffer_text(body, orphan->child.workload);
        buffer_varint(body, orphan->child.ordinal);
        buffer_text(body, orphan->uid);
        buffer_varint(body, orphan->epoch);
        buffer_u8(body, orphan->state == CONTAINER_RUNNING);
        buffer_u8(body, orphan->condemned);
        buffer_text(body, orphan->message);
    }
}

/* The status of the answer: 503 if nothing can be condemned yet. */
static int orphans_ask_here(struct node *node, bool remove, struct buffer *body)
{
    struct orphans *orphans = &node->supervision.orphans;
    if (remove && !orphans_may_end(node))
        return 503;
    for (size_t i = 0; remove && i < orphans->count; i++) {
        orphans->items[i].condemned = true;
        orphans->items[i].message[0] = '\0';
    }
    node->dirty |= remove;
    orphans_encode(node, body);
    return 200;
}

static void orphans_reply(struct node *node, uint64_t id, int status, struct span found)
{
    struct reply reply = {.id = id, .status = status};
    if (status != 200) {
        requests_reply(node, id, status, "ServiceUnavailable",
                       "that agent has not compared itself with the others yet: it cannot know "
                       "what is an orphan; try again in a moment");
        return;
    }
    uint8_t *bytes = effects_alloc(node->effects, found.bytes + 1);
    if (found.bytes > 0)
        memcpy(bytes, found.data, found.bytes);
    reply.found = span_of(bytes, found.bytes);
    effects_reply(node->effects, &reply);
}

void orphans_request(struct node *node, const struct request *request)
{
    const struct member *member = member_find(node, request->name);
    struct buffer body = {0};
    if (strcmp(request->name, node->name) == 0) {
        int status = orphans_ask_here(node, request->flag, &body);
        orphans_reply(node, request->id, status, buffer_view(&body));
    } else if (!member || !member_phase_is_reachable(member_phase(node, request->name))) {
        requests_reply(node, request->id, 503, "ServiceUnavailable",
                       "the member cannot be reached");
    } else {
        struct pending *pending = requests_add(node, request);
        TEXT_SET(pending->name, request->name);
        pending->deadline_ms = node->now.mono_ms + ORPHANS_TIMEOUT_MS;
        buffer_varint(&body, request->id);
        buffer_u8(&body, request->flag);
        node_send(node, member->address, MESSAGE_ORPHANS_ASK, &body);
    }
    buffer_release(&body);
}

static void orphans_answer(struct node *node, const struct envelope *envelope, uint64_t id,
                           bool remove)
{
    const struct member *asker = member_find(node, envelope->from);
    struct buffer body = {0}, found = {0};
    if (!asker || !asker->address[0])
        return;
    int status = orphans_ask_here(node, remove, &found);
    buffer_varint(&body, id);
    buffer_varint(&body, (uint64_t)status);
    buffer_append(&body, found.data, found.bytes);
    node_send_bulk(node, asker->address, MESSAGE_ORPHANS, &body);
    buffer_release(&body);
    buffer_release(&found);
}

void orphans_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    uint64_t id = reader_varint(&reader);
    if (envelope->type == MESSAGE_ORPHANS_ASK) {
        bool remove = reader_u8(&reader);
        if (reader_done(&reader))
            orphans_answer(node, envelope, id, remove);
        return;
    }
    int status = (int)reader_count(&reader, 599);
    struct span found = reader_take(&reader, reader_left(&reader));
    for (size_t i = 0; i < node->requests.count && !reader.failed; i++) {
        struct pending *pending = &node->requests.items[i];
        if (pending->id != id || pending->kind != REQUEST_ORPHANS ||
            strcmp(pending->name, envelope->from) != 0)
            continue;
        orphans_reply(node, id, status == 200 ? 200 : 503, found);
        requests_drop(node, pending);
        return;
    }
}
