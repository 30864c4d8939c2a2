/* Own writes out at once, others' slices in, acknowledgements.
 *
 * The one idea: per peer we remember up to which of our counters slices were sent; a push is the
 * slice from there to now, so pushes coalesce by themselves. Peers at the same place get the same
 * bytes. Above SYNC_MESH_MAX alive peers a slice goes to a few, who relay what was news to them
 * (sync_relay.c).
 *
 * A slice that begins above our `seen` of its writer is joined at once but claims nothing. It is
 * held until the slices before it have come (relays overtake each other, walks end later than
 * pushes), and applied again then; if they do not come, the one who sent it is asked for a walk.
 *
 * An acknowledgement is a claim of `seen` by the peer itself. While a user waits for one, slices
 * are sent again from what was last claimed.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/core/sync_private.h"

/* --- To whom --------------------------------------------------------------------------------- */

/* In an order that differs from push to push: the first few are asked to acknowledge. */
static struct sync_targets targets_of_push(struct sync *sync)
{
    if (sync->alive_count > SYNC_MESH_MAX)
        return sync_relay_targets(sync);
    struct sync_targets targets = {.count = 0};
    if (sync->alive_count == 0)
        return targets;
    size_t start = (size_t)random_below(&sync->random, sync->peer_count);
    for (size_t i = 0; i < sync->peer_count; i++) {
        struct sync_peer *peer = sync->peers[(start + i) % sync->peer_count];
        if (sync_peer_is_alive(peer))
            targets.items[targets.count++] = peer;
    }
    return targets;
}

/* --- Out ------------------------------------------------------------------------------------- */

/* The message with the slice that begins at `from`. Returns where it ends. */
static uint64_t push_compose(struct sync *sync, uint64_t from)
{
    buffer_clear(&sync->slice);
    uint64_t to =
        awmap_push_cut(sync->map, from, PUSH_BYTES_MAX - SYNC_PUSH_HEAD_BYTES_MAX, &sync->slice);
    struct buffer *message = sync_message_begin(sync, SYNC_PUSH);
    buffer_u8(message, 0);
    buffer_varint(message, from);
    buffer_varint(message, to);
    buffer_append(message, sync->slice.data, sync->slice.bytes);
    return to;
}

static uint64_t targets_behind(const struct sync_targets *targets, uint64_t counter)
{
    uint64_t from = counter;
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->items[i]->pushed < from)
            from = targets->items[i]->pushed;
    }
    return from;
}

/* Slice by slice, the least advanced first, until all have been sent everything. Whoever would get
 * more than SYNC_BACKLOG_BYTES_MAX is told by a digest what there is, and walks. */
static void push_rounds(struct sync_turn *turn, struct sync_targets *targets, unsigned flags,
                        size_t ask_count)
{
    struct sync *sync = turn->sync;
    uint64_t counter = awmap_writer_counter(sync->map), from;
    size_t sent_bytes[SYNC_MESH_MAX] = {0};
    while ((from = targets_behind(targets, counter)) < counter) {
        uint64_t to = push_compose(sync, from);
        for (size_t i = 0; i < targets->count; i++) {
            struct sync_peer *peer = targets->items[i];
            if (peer->pushed != from)
                continue;
            bool ask = i < ask_count && to == counter;
            sync->message.data[SYNC_PUSH_FLAGS_AT] =
                (uint8_t)(flags | (ask ? SYNC_PUSH_WANTS_ACK : 0));
            sync_message_send(turn, peer, CHANNEL_GOSSIP);
            peer->pushed = to;
            sent_bytes[i] += sync->message.bytes;
            if (to == counter || sent_bytes[i] < SYNC_BACKLOG_BYTES_MAX)
                continue;
            peer->pushed = counter;
            sync_need(sync, peer, SYNC_NEED_COMPARE, turn->now_ms);
        }
    }
}

/* By relay everybody gets the same slices: all peers count as told. */
static void push_fan_out(struct sync_turn *turn, struct sync_targets *targets, size_t ask_count)
{
    struct sync *sync = turn->sync;
    uint64_t from = sync->fanned;
    if (!sync->relaying) {
        from = awmap_writer_counter(sync->map);
        for (size_t i = 0; i < sync->peer_count; i++) {
            if (sync->peers[i]->pushed < from)
                from = sync->peers[i]->pushed;
        }
    }
    for (size_t i = 0; i < targets->count; i++)
        targets->items[i]->pushed = from;
    push_rounds(turn, targets, SYNC_PUSH_RELAY, ask_count);
    sync->relaying = true;
    sync->fanned = awmap_writer_counter(sync->map);
}

/* The cluster has shrunk: from now on each peer is told by us. */
static void push_end_relaying(struct sync *sync)
{
    for (size_t i = 0; i < sync->peer_count && sync->relaying; i++) {
        if (sync->peers[i]->pushed < sync->fanned)
            sync->peers[i]->pushed = sync->fanned;
    }
    sync->relaying = false;
}

/* Once more from what is known to have arrived. A peer that walks learns it by that. */
static void push_again(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    struct sync_targets targets = targets_of_push(sync);
    bool relay = sync->alive_count > SYNC_MESH_MAX;
    uint64_t arrived = sync->claimed;
    for (size_t i = 0; i < targets.count; i++) {
        struct sync_peer *peer = targets.items[i];
        uint64_t from = arrived > peer->base ? arrived : peer->base;
        if (sync_has_outlet(sync, peer))
            peer->pushed = relay ? sync->fanned : peer->pushed;
        else if (relay || from < peer->pushed)
            peer->pushed = from;
    }
    push_rounds(turn, &targets, relay ? SYNC_PUSH_RELAY : 0, targets.count);
}

void sync_push(struct sync *sync, uint64_t now_ms, bool ack, struct effects *effects)
{
    struct sync_turn turn = {sync, now_ms, effects};
    sync_follow_writer(sync);
    if (sync->writer == 0)
        return;
    uint64_t counter = awmap_writer_counter(sync->map);
    bool relay = sync->alive_count > SYNC_MESH_MAX;
    if (!relay)
        push_end_relaying(sync);
    struct sync_targets targets = targets_of_push(sync);
    bool sent_before = relay && sync->relaying ? sync->fanned == counter
                                               : targets_behind(&targets, counter) == counter;
    size_t ask_count = 0;
    if (ack && counter > sync->claimed) {
        sync->ack_to = counter;
        sync->ack_tries = 0;
        sync->ack_retry_ms = now_ms + SYNC_ACK_RETRY_MS;
        ask_count = SYNC_FANOUT;
    }
    if (ask_count > 0 && sent_before)
        push_again(&turn);
    else if (relay)
        push_fan_out(&turn, &targets, ask_count);
    else
        push_rounds(&turn, &targets, 0, ask_count);
    awmap_note_pushed(sync->map, counter);
    sync_pursue(&turn);
}

/* The map writes under another id from now on, of which peers know nothing. */
void sync_follow_writer(struct sync *sync)
{
    uint64_t writer = awmap_writer(sync->map);
    if (writer == sync->writer)
        return;
    sync->writer = writer;
    sync->ack_to = 0;
    sync->claimed = 0;
    sync->relaying = false;
    for (size_t i = 0; i < sync->peer_count; i++)
        if (sync_peer_is_alive(sync->peers[i]))
            sync->peers[i]->base = sync->peers[i]->pushed = 0;
}

/* --- Slices that wait ------------------------------------------------------------------------ */

static void held_remove(struct sync *sync, size_t index)
{
    struct sync_held *held = sync->held + index;
    sync->held_bytes -= held->body.bytes;
    buffer_release(&held->body);
    memmove(held, held + 1, (sync->held_count - index - 1) * sizeof *held);
    sync->held_count--;
}

static void held_ask(struct sync *sync, struct sync_held *held, uint64_t now_ms)
{
    held->ask_ms = SYNC_NEVER;
    if (held->peer)
        sync_need_dot(sync, held->peer, (struct dot){held->from.replica, held->to}, now_ms);
}

static bool held_is_there(const struct sync *sync, struct dot from, uint64_t to)
{
    for (size_t i = 0; i < sync->held_count; i++) {
        if (dot_equal(sync->held[i].from, from) && sync->held[i].to == to)
            return true;
    }
    return false;
}

static void held_add(struct sync *sync, const struct sync_held *like, struct span body,
                     uint64_t now_ms)
{
    while (sync->held_count > 0 && (sync->held_count == SYNC_HELD_MAX ||
                                    sync->held_bytes + body.bytes > SYNC_HELD_BYTES_MAX)) {
        held_ask(sync, &sync->held[0], now_ms);
        held_remove(sync, 0);
    }
    struct sync_held *held = &sync->held[sync->held_count++];
    *held = *like;
    buffer_append(&held->body, body.data, body.bytes);
    sync->held_bytes += body.bytes;
}

/* It fits now, and goes: what it claims it has claimed, what it does not must be walked for. */
static void held_apply(struct sync_turn *turn, size_t index)
{
    struct sync *sync = turn->sync;
    struct sync_held *held = &sync->held[index];
    struct awmap_push_result result;
    awmap_push_apply(sync->map, buffer_view(&held->body), &result);
    if (awmap_known(sync->map, held->from.replica) < held->to)
        held_ask(sync, held, turn->now_ms);
    held_remove(sync, index);
}

/* One pass. True: something was applied, so that others may fit now. */
static bool held_pass(struct sync_turn *turn, uint64_t replica)
{
    struct sync *sync = turn->sync;
    bool applied = false;
    for (size_t i = sync->held_count; i-- > 0;) {
        const struct sync_held *held = &sync->held[i];
        if (replica && held->from.replica != replica)
            continue;
        uint64_t seen = awmap_known(sync->map, held->from.replica);
        if (seen >= held->to) {
            held_remove(sync, i);
        } else if (seen >= held->from.counter) {
            held_apply(turn, i);
            applied = true;
        }
    }
    return applied;
}

void sync_held_drain(struct sync_turn *turn, uint64_t replica)
{
    while (turn->sync->held_count > 0 && held_pass(turn, replica))
        ;
}

void sync_held_forget(struct sync *sync, const struct sync_peer *peer)
{
    for (size_t i = sync->held_count; i-- > 0;) {
        if (!peer)
            held_remove(sync, i);
        else if (sync->held[i].peer == peer)
            sync->held[i].peer = NULL;
    }
}

/* --- In -------------------------------------------------------------------------------------- */

/* A slice that begins where we are and still claims nothing will not do so later: ask at once. */
static void push_note_gap(struct sync_turn *turn, const struct sync_held *held, struct span body)
{
    struct sync *sync = turn->sync;
    struct sync_held asked = *held;
    if (awmap_known(sync->map, held->from.replica) >= held->from.counter)
        held_ask(sync, &asked, turn->now_ms);
    else if (!held_is_there(sync, held->from, held->to))
        held_add(sync, held, body, turn->now_ms);
}

void sync_ack_if_owed(struct sync_turn *turn, struct sync_peer *peer)
{
    struct dot owed = peer->pursuit ? peer->pursuit->ack_owed : (struct dot){0};
    if (owed.replica == 0 || !awmap_covers(turn->sync->map, owed))
        return;
    peer->pursuit->ack_owed = (struct dot){0};
    sync_pursuit_tidy(peer, turn->now_ms);
    turn->sync->ack_owed_count--;
    struct buffer *message = sync_message_begin(turn->sync, SYNC_ACK);
    buffer_u64(message, owed.replica);
    buffer_varint(message, awmap_known(turn->sync->map, owed.replica));
    sync_message_send(turn, peer, CHANNEL_GOSSIP);
}

static void push_owe_ack(struct sync_turn *turn, struct sync_peer *peer, struct dot dot)
{
    struct dot *owed = &sync_pursuit_of(peer)->ack_owed;
    if (owed->replica == 0)
        turn->sync->ack_owed_count++;
    if (owed->replica != dot.replica || owed->counter < dot.counter)
        *owed = dot;
    sync_ack_if_owed(turn, peer);
}

bool sync_receive_push(struct sync_turn *turn, struct sync_peer *peer, struct span message,
                       struct reader *reader)
{
    uint8_t flags = reader_u8(reader);
    struct sync_held slice = {.peer = peer};
    slice.from.counter = reader_varint(reader);
    slice.to = reader_varint(reader);
    struct span body = reader_take(reader, reader_left(reader));
    struct awmap_push_result result;
    if (reader->failed || flags > (SYNC_PUSH_WANTS_ACK | SYNC_PUSH_RELAY) ||
        slice.from.counter >= slice.to || !awmap_push_apply(turn->sync->map, body, &result))
        return false;
    slice.from.replica = result.replica;
    bool relayed = flags & SYNC_PUSH_RELAY;
    slice.ask_ms = turn->now_ms + (relayed ? SYNC_RELAY_PATIENCE_MS : SYNC_PATIENCE_MS);
    if (result.gap)
        push_note_gap(turn, &slice, body);
    else if (result.news) /* most of what is relayed comes several times */
        sync_note_integrated(turn, result.replica);
    if (relayed && result.news)
        sync_relay_add(turn, peer, message);
    if (peer && (flags & SYNC_PUSH_WANTS_ACK))
        push_owe_ack(turn, peer, (struct dot){result.replica, slice.to});
    return true;
}

bool sync_receive_ack(struct sync_turn *turn, struct reader *reader)
{
    struct dot dot = {.replica = reader_u64(reader)};
    dot.counter = reader_varint(reader);
    if (!reader_done(reader))
        return false;
    sync_note_claim(turn->sync, dot);
    return true;
}

/* --- Time ------------------------------------------------------------------------------------ */

static void push_retry(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    sync->ack_retry_ms = turn->now_ms + SYNC_ACK_RETRY_MS;
    if (sync->ack_tries++ < SYNC_ACK_TRIES_MAX)
        push_again(turn);
    else
        sync->ack_to = 0;
}

void sync_tick_push(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    if (sync->ack_to > 0 && sync->ack_retry_ms <= turn->now_ms)
        push_retry(turn);
    for (size_t i = 0; i < sync->held_count; i++) {
        if (sync->held[i].ask_ms <= turn->now_ms)
            held_ask(sync, &sync->held[i], turn->now_ms);
    }
}

uint64_t sync_deadline_push(const struct sync *sync)
{
    uint64_t first_ms = sync->ack_to > 0 ? sync->ack_retry_ms : SYNC_NEVER;
    for (size_t i = 0; i < sync->held_count; i++) {
        if (sync->held[i].ask_ms < first_ms)
            first_ms = sync->held[i].ask_ms;
    }
    return first_ms;
}
