/* The machine that keeps the maps of all members equal: its peers, its messages, its time.
 *
 * The one idea: knowledge only grows, so every message is harmless, whenever and however often it
 * comes, and none is needed: what a lost one would have told shows as a difference later. So there
 * are no connections and no states of peers, only needs (sync_digest.c) that are pursued with
 * growing patience until they are met or the peer is given up.
 *
 * Invariants: peers are sorted by name, sessions and held slices point only to peers that are
 * there; all tables are bounded (sync_private.h); without new writes, and while all summaries are
 * equal, nothing is sent and there is no deadline.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/core/sync_private.h"

/* --- Life ------------------------------------------------------------------------------------ */

struct sync *sync_new(struct awmap *map, uint64_t seed)
{
    struct sync *sync = xcalloc(1, sizeof *sync);
    sync->map = map;
    sync->random = random_of(seed);
    sync->serial = 1 + random_below(&sync->random, UINT64_C(1) << 48);
    sync_follow_writer(sync);
    return sync;
}

static void sync_peer_free(struct sync_peer *peer)
{
    sync_pursuit_free(peer);
    free(peer);
}

void sync_free(struct sync *sync)
{
    if (!sync)
        return;
    sync_sessions_forget(sync, NULL);
    sync_held_forget(sync, NULL);
    for (size_t i = 0; i < sync->peer_count; i++)
        sync_peer_free(sync->peers[i]);
    free(sync->peers);
    free(sync->self);
    buffer_release(&sync->message);
    buffer_release(&sync->slice);
    buffer_release(&sync->relay_bytes);
    free(sync->needy);
    free(sync);
}

void sync_set_send(struct sync *sync, sync_send_function send, void *context)
{
    sync->send = send;
    sync->send_context = context;
}

void sync_set_self(struct sync *sync, const char *name)
{
    free(sync->self);
    sync->self = xstrdup(name);
}

uint64_t sync_serial_next(struct sync *sync)
{
    return ++sync->serial;
}

/* --- Peers ----------------------------------------------------------------------------------- */

size_t sync_peer_place(const struct sync *sync, const char *name)
{
    size_t low = 0, high = sync->peer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sync->peers[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sync_peer *sync_peer_find(const struct sync *sync, const char *name)
{
    size_t place = sync_peer_place(sync, name);
    bool found = place < sync->peer_count && strcmp(sync->peers[place]->name, name) == 0;
    return found ? sync->peers[place] : NULL;
}

static struct sync_peer *sync_peer_insert(struct sync *sync, const char *name)
{
    if (sync->peer_count == sync->peer_capacity) {
        sync->peer_capacity = capacity_grown(sync->peer_capacity);
        sync->peers = xrealloc(sync->peers, sync->peer_capacity * sizeof(struct sync_peer *));
    }
    size_t place = sync_peer_place(sync, name);
    struct sync_peer **at = sync->peers + place;
    memmove(at + 1, at, (sync->peer_count - place) * sizeof(struct sync_peer *));
    *at = xcalloc(1, sizeof **at);
    (*at)->name = name;
    (*at)->pushed = SYNC_NEVER;
    sync->peer_count++;
    return *at;
}

bool sync_peer_is_alive(const struct sync_peer *peer)
{
    return peer->pushed != SYNC_NEVER;
}

/* A peer that becomes alive is pushed to from here on: what it missed is found by comparing. */
static void sync_peer_set_alive(struct sync *sync, struct sync_peer *peer, bool alive)
{
    if (sync_peer_is_alive(peer) == alive)
        return;
    if (peer->pursuit)
        peer->pursuit->tries = 0;
    sync->alive_count += alive ? 1 : (size_t)-1;
    peer->base = awmap_writer_counter(sync->map);
    peer->pushed = alive ? peer->base : SYNC_NEVER;
}

void sync_set_peer(struct sync *sync, const char *name, const char *address, bool alive)
{
    sync_follow_writer(sync);
    struct sync_peer *peer = sync_peer_find(sync, name);
    if (!peer && sync->peer_count >= SYNC_PEERS_MAX)
        return;
    if (!peer)
        peer = sync_peer_insert(sync, name);
    peer->address = address;
    sync_peer_set_alive(sync, peer, alive);
}

void sync_move_peer(struct sync *sync, const char *name, const char *address)
{
    struct sync_peer *peer = sync_peer_find(sync, name);
    if (peer)
        peer->address = address;
}

void sync_remove_peer(struct sync *sync, const char *name)
{
    struct sync_peer *peer = sync_peer_find(sync, name);
    if (!peer)
        return;
    sync_sessions_forget(sync, peer);
    sync_held_forget(sync, peer);
    sync_relay_forget(sync, peer);
    sync_needs_forget(sync, peer);
    sync_peer_set_alive(sync, peer, false);
    if (peer->pursuit && peer->pursuit->ack_owed.replica)
        sync->ack_owed_count--;
    size_t place = sync_peer_place(sync, name);
    struct sync_peer **at = sync->peers + place;
    memmove(at, at + 1, (sync->peer_count - place - 1) * sizeof(struct sync_peer *));
    sync->peer_count--;
    sync_peer_free(peer);
}

bool sync_has_alive_peer(const struct sync *sync)
{
    return sync->alive_count > 0;
}

/* --- What peers claim ------------------------------------------------------------------------ */

void sync_note_claim(struct sync *sync, struct dot dot)
{
    if (dot.replica != sync->writer)
        return;
    if (dot.counter > sync->claimed)
        sync->claimed = dot.counter;
    if (sync->ack_to <= dot.counter)
        sync->ack_to = 0;
}

void sync_note_claims(struct sync *sync, const struct vector *seen)
{
    for (uint32_t i = 0; i < seen->count; i++)
        sync_note_claim(sync, seen->items[i]);
}

bool sync_acknowledged(const struct sync *sync, struct dot dot)
{
    return dot.replica == sync->writer && dot.counter <= sync->claimed;
}

uint64_t sync_peer_seen_max(const struct sync *sync, uint64_t replica)
{
    return replica == sync->writer ? sync->claimed : 0;
}

/* A comparison that was begun before the restart tells of a time before it. */
void sync_note_compared(struct sync *sync, uint64_t serial)
{
    if (serial >= sync->compared_from)
        sync->compared = true;
}

bool sync_compared(const struct sync *sync)
{
    return sync->compared;
}

void sync_restart_compared(struct sync *sync)
{
    sync->compared = false;
    sync->compared_from = sync->serial + 1;
}

void sync_note_integrated(struct sync_turn *turn, uint64_t replica)
{
    struct sync *sync = turn->sync;
    sync_held_drain(turn, replica);
    for (size_t i = 0; i < sync->peer_count && sync->ack_owed_count > 0; i++)
        sync_ack_if_owed(turn, sync->peers[i]);
}

/* --- Messages -------------------------------------------------------------------------------- */

struct buffer *sync_message_begin(struct sync *sync, enum sync_message type)
{
    buffer_clear(&sync->message);
    buffer_u8(&sync->message, SYNC_VERSION);
    buffer_u8(&sync->message, (uint8_t)type);
    return &sync->message;
}

void sync_send_bytes(struct sync_turn *turn, const struct sync_peer *peer, enum channel channel,
                     struct span bytes)
{
    struct sync *sync = turn->sync;
    if (sync->send)
        sync->send(sync->send_context, peer->address, channel, bytes, turn->effects);
    else
        effects_send(turn->effects, peer->address, channel, bytes);
}

void sync_message_send(struct sync_turn *turn, const struct sync_peer *peer, enum channel channel)
{
    sync_send_bytes(turn, peer, channel, buffer_view(&turn->sync->message));
}

/* All but pushes ask for something or answer it: they need a peer with an address. */
static bool sync_receive_from_peer(struct sync_turn *turn, struct sync_peer *peer,
                                   enum sync_message type, struct reader *reader)
{
    switch (type) {
    case SYNC_ACK:
        return sync_receive_ack(turn, reader);
    case SYNC_DIGEST:
        return sync_receive_digest(turn, peer, reader);
    case SYNC_WALK_REQUEST:
    case SYNC_FULL_REQUEST:
        return sync_receive_request(turn, peer, type, reader);
    case SYNC_WALK:
    case SYNC_FULL:
        return sync_receive_chunk(turn, peer, type, reader);
    case SYNC_CREDIT:
        return sync_receive_credit(turn, peer, reader);
    case SYNC_GONE:
        return sync_receive_gone(turn, peer, reader);
    case SYNC_PUSH:
    case SYNC_BATCH:
        break;
    }
    return false;
}

/* A push of somebody unknown is taken: it may bring the very record that makes them known. */
bool sync_receive(struct sync *sync, uint64_t now_ms, const char *from, struct span body,
                  struct effects *effects)
{
    struct sync_turn turn = {sync, now_ms, effects};
    struct reader reader = reader_of(body);
    uint8_t version = reader_u8(&reader);
    uint8_t type = reader_u8(&reader);
    if (reader.failed || version != SYNC_VERSION || type < SYNC_PUSH || type > SYNC_BATCH)
        return false;
    sync_follow_writer(sync);
    struct sync_peer *peer = sync_peer_find(sync, from);
    bool good = true;
    if (type == SYNC_PUSH)
        good = sync_receive_push(&turn, peer, body, &reader);
    else if (type == SYNC_BATCH)
        good = sync_receive_batch(&turn, peer, &reader);
    else if (peer)
        good = sync_receive_from_peer(&turn, peer, (enum sync_message)type, &reader);
    sync_pursue(&turn);
    return good;
}

/* --- Time ------------------------------------------------------------------------------------ */

void sync_tick(struct sync *sync, uint64_t now_ms, struct effects *effects)
{
    struct sync_turn turn = {sync, now_ms, effects};
    sync_follow_writer(sync);
    sync_tick_push(&turn);
    sync_tick_relay(&turn);
    sync_tick_sessions(&turn);
    sync_pursue(&turn);
}

uint64_t sync_deadline(const struct sync *sync)
{
    uint64_t push_ms = sync_deadline_push(sync);
    uint64_t needs_ms = sync_deadline_needs(sync);
    uint64_t sessions_ms = sync_deadline_sessions(sync);
    uint64_t relay_ms = sync_deadline_relay(sync);
    uint64_t first_ms = push_ms < needs_ms ? push_ms : needs_ms;
    first_ms = relay_ms < first_ms ? relay_ms : first_ms;
    return first_ms < sessions_ms ? first_ms : sessions_ms;
}

void sync_thaw(struct sync *sync, uint64_t now_ms)
{
    sync_thaw_sessions(sync, now_ms);
}
