/* Above SYNC_MESH_MAX alive peers: to whom a slice goes, and passing on what was news.
 *
 * Members stand in a circle by name, and each talks only to those at the distances 1, 2, 4, ...
 * from itself (its fingers, as in Stoica et al., "Chord", 2001): log2(n) standing connections each
 * way, and everybody is log2(n) steps from everybody. The failure detector asks the same ones
 * (swim_probe.c). A slice goes to the next one, which leaves nobody out, and to some of the other
 * fingers by chance, which is fast.
 *
 * What is to be passed on is collected for the turn, and for SYNC_RELAY_PACE_MS when there is much
 * of it: a lone write is not delayed, and thousands do not become thousands of messages times four.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/core/sync_private.h"

/* --- To whom --------------------------------------------------------------------------------- */

static bool targets_have(const struct sync_targets *targets, const struct sync_peer *peer)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->items[i] == peer)
            return true;
    }
    return false;
}

/* The first alive peer from this place on; somebody is alive. */
static struct sync_peer *relay_alive_from(const struct sync *sync, size_t place)
{
    while (!sync_peer_is_alive(sync->peers[place % sync->peer_count]))
        place++;
    return sync->peers[place % sync->peer_count];
}

static void relay_fingers(const struct sync *sync, struct sync_targets *ret_fingers)
{
    size_t place = sync_peer_place(sync, sync->self);
    ret_fingers->count = 0;
    for (size_t distance = 1; distance <= sync->peer_count; distance *= 2) {
        struct sync_peer *peer = relay_alive_from(sync, place + distance - 1);
        if (!targets_have(ret_fingers, peer))
            ret_fingers->items[ret_fingers->count++] = peer;
    }
}

bool sync_is_near(const struct sync *sync, const char *name)
{
    const struct sync_peer *peer = sync_peer_find(sync, name);
    if (!peer || !sync_peer_is_alive(peer))
        return false;
    if (sync->alive_count <= SYNC_MESH_MAX || !sync->self)
        return true;
    struct sync_targets fingers;
    relay_fingers(sync, &fingers);
    return targets_have(&fingers, peer);
}

/* Who does not know its place chooses among all. */
static void relay_candidates(struct sync *sync, struct sync_targets *ret_candidates)
{
    if (sync->self) {
        relay_fingers(sync, ret_candidates);
        return;
    }
    ret_candidates->count = 0;
    for (size_t i = 0; i < 2 * SYNC_FANOUT; i++) {
        size_t place = (size_t)random_below(&sync->random, sync->peer_count);
        struct sync_peer *peer = relay_alive_from(sync, place);
        if (!targets_have(ret_candidates, peer))
            ret_candidates->items[ret_candidates->count++] = peer;
    }
}

struct sync_targets sync_relay_targets(struct sync *sync)
{
    struct sync_targets candidates;
    relay_candidates(sync, &candidates);
    for (size_t i = 1; i < candidates.count && i < SYNC_FANOUT; i++) {
        size_t k = i + (size_t)random_below(&sync->random, candidates.count - i);
        struct sync_peer *peer = candidates.items[i];
        candidates.items[i] = candidates.items[k];
        candidates.items[k] = peer;
    }
    if (candidates.count > SYNC_FANOUT)
        candidates.count = SYNC_FANOUT;
    return candidates;
}

/* --- Passing on ------------------------------------------------------------------------------ */

/* The collected slices that did not come from this peer: one as it is, several as a batch. */
static void relay_send(struct sync_turn *turn, const struct sync_peer *to)
{
    struct sync *sync = turn->sync;
    struct buffer *message = sync_message_begin(sync, SYNC_BATCH);
    size_t head_bytes = message->bytes, count = 0, last = 0;
    for (size_t i = 0; i < sync->relay_count; i++) {
        const struct sync_relayed *item = &sync->relay[i];
        if (item->from == to)
            continue;
        buffer_span(message, span_of(sync->relay_bytes.data + item->at, item->bytes));
        last = i;
        count++;
    }
    if (count == 1) {
        message->bytes = 0;
        buffer_append(message, sync->relay_bytes.data + sync->relay[last].at,
                      sync->relay[last].bytes);
    }
    if (message->bytes > head_bytes)
        sync_message_send(turn, to, CHANNEL_GOSSIP);
}

static void relay_flush(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    sync->relay_flushed_ms = turn->now_ms;
    if (sync->alive_count > 0) {
        struct sync_targets targets = sync_relay_targets(sync);
        for (size_t i = 0; i < targets.count; i++)
            relay_send(turn, targets.items[i]);
    }
    sync->relay_count = 0;
    buffer_clear(&sync->relay_bytes);
}

void sync_relay_add(struct sync_turn *turn, const struct sync_peer *from, struct span message)
{
    struct sync *sync = turn->sync;
    enum { ITEM_HEAD_BYTES = 4 };
    if (sync->relay_count == SYNC_RELAYED_MAX ||
        sync->relay_bytes.bytes + message.bytes + (sync->relay_count + 1) * ITEM_HEAD_BYTES >
            PUSH_BYTES_MAX)
        relay_flush(turn);
    sync->relay[sync->relay_count++] =
        (struct sync_relayed){.from = from, .at = sync->relay_bytes.bytes, .bytes = message.bytes};
    buffer_append(&sync->relay_bytes, message.data, message.bytes);
    sync->relay_bytes.data[sync->relay_bytes.bytes - message.bytes + SYNC_PUSH_FLAGS_AT] =
        SYNC_PUSH_RELAY;
}

void sync_relay_forget(struct sync *sync, const struct sync_peer *peer)
{
    for (size_t i = 0; i < sync->relay_count; i++) {
        if (sync->relay[i].from == peer)
            sync->relay[i].from = NULL;
    }
}

/* Slices in one message. */
bool sync_receive_batch(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader)
{
    while (reader_left(reader) > 0) {
        struct span message = reader_span(reader, PUSH_BYTES_MAX);
        struct reader inner = reader_of(message);
        uint8_t version = reader_u8(&inner), type = reader_u8(&inner);
        if (reader->failed || inner.failed || version != SYNC_VERSION || type != SYNC_PUSH ||
            !sync_receive_push(turn, peer, message, &inner))
            return false;
    }
    return true;
}

uint64_t sync_deadline_relay(const struct sync *sync)
{
    return sync->relay_count > 0 ? sync->relay_flushed_ms + SYNC_RELAY_PACE_MS : SYNC_NEVER;
}

void sync_tick_relay(struct sync_turn *turn)
{
    if (sync_deadline_relay(turn->sync) <= turn->now_ms)
        relay_flush(turn);
}
