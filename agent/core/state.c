/* State hand-off: what a child leaves to its successor, a few hundred KiB at most.
 *
 * In the map it is a record that says which state counts, and pieces that are written once, under
 * the state's own id, and never changed: a key has one writer, so no two versions mix. A new state
 * is written beside the old one, pieces first, the record last; the old pieces go when the new
 * record is acknowledged. Whoever has the record acknowledged has all pieces (`seen` has no gaps);
 * who has met it by chance sees that pieces are missing, and says so.
 *
 * Only the holder of the child's claim takes a state, of the claim's own epoch: a predecessor that
 * still runs is refused and told of its successor. Where nobody can know (a split), both sides take
 * theirs, and afterwards the greater epoch counts: state_record_compare. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/node_private.h"
#include "agent/core/requests.h"
#include "placement/hash.h"

enum { ACKNOWLEDGED_LOOK_MS = 1000 };

static uint32_t state_pieces(uint32_t bytes)
{
    return (bytes + STATE_PIECE_BYTES_MAX - 1) / STATE_PIECE_BYTES_MAX;
}

/* --- Taking ---------------------------------------------------------------------------------- */

/* True: refused. */
static bool state_refuse(struct node *node, const struct request *request,
                         const struct child *child)
{
    char message[256];
    if (claim_is_askers(node, child, request))
        return false;
    if (child && child->claim && child->claim->epoch > request->epoch)
        snprintf(message, sizeof message,
                 "epoch %" PRIu64 " of this child is over: epoch %" PRIu64 " is on %s",
                 request->epoch, child->claim->epoch, child->claim->node);
    else
        snprintf(message, sizeof message, "epoch %" PRIu64 " of this child is over",
                 request->epoch);
    requests_reply(node, request->id, 409, "Conflict", message);
    return true;
}

static bool state_is_pending(const struct node *node, const struct child_id *id)
{
    for (size_t i = 0; i < node->requests.count; i++) {
        const struct pending *pending = &node->requests.items[i];
        if (pending->kind == REQUEST_PUT_STATE && child_id_compare(&pending->child, id) == 0)
            return true;
    }
    return false;
}

static struct key state_key(const struct child *child)
{
    const struct child_id id = child_id(child);
    return key_state(&id);
}

static struct dot state_write(struct node *node, const struct child *child,
                              const struct state_record *record)
{
    struct buffer value = {0};
    struct key key = state_key(child);
    state_record_encode(record, &value);
    struct dot dot = node_put(node, &key, &value);
    buffer_release(&value);
    return dot;
}

static struct dot state_write_all(struct node *node, const struct child *child,
                                  const struct request *request)
{
    struct span state = request->state;
    struct state_record record = {.id = {.epoch = child->claim->epoch,
                                         .replica = node->durable.replica,
                                         .stamp = hlc_next(&node->hlc, node->now.wall_ms)},
                                  .bytes = (uint32_t)state.bytes,
                                  .hash = placement_hash(state.data, state.bytes)};
    TEXT_SET(record.node, node->name);
    TEXT_SET(record.uid, child->claim->uid);
    for (uint32_t i = 0; i < state_pieces(record.bytes); i++) {
        size_t from = (size_t)i * STATE_PIECE_BYTES_MAX, left = state.bytes - from;
        struct buffer piece = {0};
        struct key key = key_piece(&request->child, &record.id, i);
        buffer_append(&piece, state.data + from,
                      left < STATE_PIECE_BYTES_MAX ? left : STATE_PIECE_BYTES_MAX);
        node_put(node, &key, &piece);
        buffer_release(&piece);
    }
    return state_write(node, child, &record);
}

void state_put(struct node *node, const struct request *request)
{
    const struct child *child = store_child(&node->store, &request->child);
    if (state_refuse(node, request, child))
        return;
    if (request->state.bytes > STATE_BYTES_MAX)
        requests_reply(node, request->id, 413, "RequestEntityTooLarge",
                       "a state has at most 256 KiB");
    else if (state_is_pending(node, &request->child))
        requests_reply(node, request->id, 429, "TooManyRequests",
                       "the state before this one is not yet on a second member");
    else if (node->store.state_bytes + request->state.bytes > STATE_TOTAL_BYTES_MAX)
        requests_reply(node, request->id, 507, "InsufficientStorage",
                       "the states of all children have 64 MiB already");
    else if (!durable_has_room_for(node, 2 * STATE_BYTES_MAX))
        requests_reply(node, request->id, 507, "InsufficientStorage",
                       "the data directory has no room; nothing changed");
    else
        requests_written(node, request, state_write_all(node, child, request));
}

/* --- Removing -------------------------------------------------------------------------------- */

static void state_remove_record(struct node *node, const struct child *child)
{
    struct key key = state_key(child);
    node_remove(node, &key);
}

static void piece_remove(struct node *node, const struct child *child, const struct piece *piece)
{
    const struct child_id id = child_id(child);
    struct key key = key_piece(&id, &piece->id, piece->index);
    node_remove(node, &key);
}

void state_remove_all(struct node *node, const struct child *child)
{
    const struct left_state *state = child->state;
    for (size_t i = 0; state && i < state->piece_count; i++)
        piece_remove(node, child, &state->pieces[i]);
    if (state && state->siblings > 0)
        state_remove_record(node, child);
}

void state_delete(struct node *node, const struct request *request)
{
    const struct child *child = store_child(&node->store, &request->child);
    if (state_refuse(node, request, child))
        return;
    if (!child->state || child->state->siblings == 0) {
        requests_reply(node, request->id, 404, "NotFound", "this child has no state");
        return;
    }
    struct key key = state_key(child);
    struct dot dot = node_remove(node, &key);
    for (size_t i = 0; i < child->state->piece_count; i++)
        piece_remove(node, child, &child->state->pieces[i]);
    requests_written(node, request, dot);
}

static bool piece_is_of(const struct piece *piece, const struct state_record *record)
{
    return memcmp(&piece->id, &record->id, sizeof record->id) == 0;
}

/* All pieces are here. */
static bool state_is_complete(const struct left_state *state)
{
    uint32_t count = 0;
    for (size_t i = 0; i < state->piece_count; i++)
        count += piece_is_of(&state->pieces[i], &state->record);
    return count == state_pieces(state->record.bytes);
}

/* The record that counts will not be lost: what came before it is of no use any more. */
static bool state_is_safe(const struct node *node, const struct child *child)
{
    struct key key = state_key(child);
    const struct awmap_entry *entry = awmap_find(node->map, key_span(&key));
    struct dot dot = entry ? awmap_entry_sibling(entry, 0).dot : (struct dot){0};
    return dot.replica != awmap_writer(node->map) || !sync_has_alive_peer(node->sync) ||
           sync_acknowledged(node->sync, dot);
}

/* Of an epoch before, or of the same claim and earlier. What another member took under the same
 * epoch is left until the next epoch: its record may still be on its way, and count. */
static bool piece_is_over(const struct piece *piece, const struct state_record *record)
{
    return piece->id.epoch < record->id.epoch ||
           (piece->id.epoch == record->id.epoch && piece->id.replica == record->id.replica &&
            piece->id.stamp < record->id.stamp);
}

static bool state_has_rest(const struct left_state *state)
{
    for (size_t i = 0; i < state->piece_count; i++)
        if (piece_is_over(&state->pieces[i], &state->record))
            return true;
    return false;
}

/* Of another workload of that name: the one before this, or the next, whose claim and document are
 * still on their way. */
static void state_is_anothers(struct node *node, struct child *child)
{
    struct left_state *state = child->state;
    if (state->ahead_ms == 0)
        state->ahead_ms = node->now.mono_ms;
    uint64_t due_ms = state->ahead_ms + WHOLE_MAP_MS;
    if (state->record.id.epoch < child->claim->epoch || node->now.mono_ms >= due_ms)
        state_remove_all(node, child);
    else
        child_wake(child, due_ms);
}

void state_update(struct node *node, struct child *child)
{
    const struct left_state *state = child->state;
    bool holds = state && state->has_record && child->claim && claim_is_ours(node, child->claim) &&
                 child->claim->state == CLAIM_CLAIMED && child_is_wanted(child);
    if (!holds)
        return;
    if (strcmp(state->record.uid, child->claim->uid) != 0) {
        state_is_anothers(node, child);
        return;
    }
    if (!state_is_complete(state))
        return;
    if (state->siblings > 1) { /* the winner once more, so that one remains */
        state_write(node, child, &state->record);
        return;
    }
    if (!state_has_rest(state))
        return;
    if (!state_is_safe(node, child)) {
        child_wake(child, node->now.mono_ms + ACKNOWLEDGED_LOOK_MS);
        return;
    }
    for (size_t i = 0; i < state->piece_count; i++)
        if (piece_is_over(&state->pieces[i], &state->record))
            piece_remove(node, child, &state->pieces[i]);
}

/* --- Reading --------------------------------------------------------------------------------- */

static const struct child *state_child(const struct node *node, const struct child_id *id)
{
    const struct child *child = store_child(&node->store, id);
    bool there = child && child->state && child->state->has_record && child_is_wanted(child) &&
                 strcmp(child->state->record.uid, child->group->workload.uid) == 0;
    return there ? child : NULL;
}

bool query_state(const struct node *node, const struct child_id *id, struct state_view *ret)
{
    const struct child *child = state_child(node, id);
    if (!child)
        return false;
    const struct state_record *record = &child->state->record;
    *ret = (struct state_view){.epoch = record->id.epoch,
                               .stamp = record->id.stamp,
                               .bytes = record->bytes,
                               .complete = state_is_complete(child->state)};
    return true;
}

bool query_state_read(const struct node *node, const struct child_id *id, struct buffer *ret_bytes)
{
    const struct child *child = state_child(node, id);
    if (!child)
        return false;
    const struct state_record *record = &child->state->record;
    size_t begin = ret_bytes->bytes;
    for (uint32_t i = 0; i < state_pieces(record->bytes); i++) {
        struct key key = key_piece(id, &record->id, i);
        const struct awmap_entry *entry = awmap_find(node->map, key_span(&key));
        if (!entry)
            return false;
        struct span piece = awmap_entry_sibling(entry, 0).value;
        buffer_append(ret_bytes, piece.data, piece.bytes);
    }
    size_t bytes = ret_bytes->bytes - begin;
    return bytes == record->bytes &&
           placement_hash(ret_bytes->data ? ret_bytes->data + begin : NULL, bytes) == record->hash;
}
