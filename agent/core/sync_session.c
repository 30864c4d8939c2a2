/* Walks and full comparisons in chunks: both ends of a session.
 *
 *     we, who lack something                    the peer
 *     intake:  WALK_REQUEST or FULL_REQUEST  ->  outlet: cuts up to SYNC_CREDIT_CHUNKS chunks ahead
 *              WALK or FULL chunks           <-
 *              CREDIT for each               ->  cuts the next; the last credit ends it
 *
 * The one idea: chunks are numbered and applied in order, because what a walk claims rests on every
 * chunk before. The outlet keeps what is not confirmed (a window), so a lost chunk is sent again
 * and not the whole session. Only the intake has a clock that acts: without progress it asks again,
 * and after SYNC_SESSION_IDLE_MS it gives up and the need for it is pursued anew (sync_digest.c).
 *
 * Invariants: an intake's `next` never falls; a peer has at most one intake and one outlet here;
 * an outlet's window holds exactly the messages [confirmed, cut).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/sync_private.h"

/* --- The asking end: intakes ----------------------------------------------------------------- */

struct sync_intake *sync_intake_of(struct sync *sync, const struct sync_peer *peer)
{
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++) {
        if (sync->intakes[i].peer == peer)
            return &sync->intakes[i];
    }
    return NULL;
}

size_t sync_intake_count(const struct sync *sync)
{
    size_t count = 0;
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++)
        count += sync->intakes[i].peer != NULL;
    return count;
}

static void intake_request(struct sync_turn *turn, const struct sync_intake *intake)
{
    struct sync *sync = turn->sync;
    struct buffer *message =
        sync_message_begin(sync, intake->buckets ? SYNC_FULL_REQUEST : SYNC_WALK_REQUEST);
    buffer_u64(message, intake->serial);
    if (intake->buckets)
        buffer_u32(message, intake->buckets);
    else
        awmap_position_encode(sync->map, NULL, message);
    sync_message_send(turn, intake->peer, CHANNEL_GOSSIP);
}

static bool intake_has_hole(const struct sync_intake *intake)
{
    for (size_t i = 0; i < SYNC_CREDIT_CHUNKS; i++) {
        if (intake->ahead[i].bytes > 0)
            return true;
    }
    return false;
}

static void intake_credit(struct sync_turn *turn, const struct sync_intake *intake)
{
    struct buffer *message = sync_message_begin(turn->sync, SYNC_CREDIT);
    buffer_u64(message, intake->serial);
    buffer_u8(message, intake_has_hole(intake) ? SYNC_CREDIT_HOLE : 0);
    buffer_varint(message, intake->next);
    sync_message_send(turn, intake->peer, CHANNEL_GOSSIP);
}

void sync_intake_begin(struct sync_turn *turn, struct sync_peer *peer, uint32_t buckets)
{
    struct sync_intake *intake = sync_intake_of(turn->sync, NULL);
    assert(intake && !sync_intake_of(turn->sync, peer));
    *intake = (struct sync_intake){
        .peer = peer,
        .serial = sync_serial_next(turn->sync),
        .buckets = buckets,
        .progress_ms = turn->now_ms,
        .nudge_ms = turn->now_ms + SYNC_NUDGE_MS,
    };
    if (!buckets)
        vector_copy(&intake->target, &peer->pursuit->target);
    intake_request(turn, intake);
}

static void intake_release(struct sync_intake *intake)
{
    for (size_t i = 0; i < SYNC_CREDIT_CHUNKS; i++)
        buffer_release(&intake->ahead[i]);
    vector_release(&intake->target);
    awmap_full_intake_release(&intake->full);
    *intake = (struct sync_intake){0};
}

static void intake_end(struct sync_turn *turn, struct sync_intake *intake, bool completed)
{
    struct sync_peer *peer = intake->peer;
    uint64_t serial = intake->serial;
    uint32_t buckets = intake->buckets;
    intake_release(intake);
    sync_note_integrated(turn, 0);
    sync_session_ended(turn, peer, serial, buckets, completed);
}

static bool intake_apply(struct sync *sync, struct sync_intake *intake, struct span body,
                         bool *ret_last)
{
    *ret_last = false;
    if (intake->kind == SYNC_WALK)
        return awmap_walk_apply(sync->map, &intake->walk, body, ret_last);
    return awmap_full_apply(sync->map, &intake->full, body, ret_last);
}

/* A walk that met a new horizon at the sender comes to an end, but not to its claims. */
static bool intake_is_complete(const struct sync *sync, const struct sync_intake *intake)
{
    return !intake->walk.broken && sync_covers_all(sync, &intake->target);
}

/* This chunk, and those after it that are here already. False: garbage, and the session is over. */
static bool intake_advance(struct sync_turn *turn, struct sync_intake *intake, struct span body)
{
    bool last = false;
    for (;;) {
        struct buffer *own = &intake->ahead[intake->next % SYNC_CREDIT_CHUNKS];
        bool good = intake_apply(turn->sync, intake, body, &last);
        buffer_release(own);
        if (!good) {
            intake_end(turn, intake, false);
            return false;
        }
        intake->next++;
        own = &intake->ahead[intake->next % SYNC_CREDIT_CHUNKS];
        if (last || own->bytes == 0)
            break;
        body = buffer_view(own);
    }
    intake->progress_ms = turn->now_ms;
    intake->nudges = 0;
    intake->nudge_ms = turn->now_ms + SYNC_NUDGE_MS;
    intake_credit(turn, intake);
    if (last)
        intake_end(turn, intake, intake_is_complete(turn->sync, intake));
    else
        sync_note_integrated(turn, 0);
    return true;
}

static void session_gone(struct sync_turn *turn, const struct sync_peer *peer, uint64_t serial,
                         bool busy)
{
    struct buffer *message = sync_message_begin(turn->sync, SYNC_GONE);
    buffer_u64(message, serial);
    buffer_u8(message, busy);
    sync_message_send(turn, peer, CHANNEL_GOSSIP);
}

/* A walk that is asked for may be answered by a full comparison: we were behind a horizon. */
static bool intake_takes(struct sync_intake *intake, enum sync_message kind)
{
    if (intake->kind == 0 && !(intake->buckets && kind == SYNC_WALK))
        intake->kind = kind;
    return intake->kind == kind;
}

bool sync_receive_chunk(struct sync_turn *turn, struct sync_peer *peer, enum sync_message type,
                        struct reader *reader)
{
    uint64_t serial = reader_u64(reader);
    size_t index = reader_count(reader, UINT32_MAX - SYNC_CREDIT_CHUNKS);
    struct span body = reader_take(reader, reader_left(reader));
    if (reader->failed || body.bytes == 0)
        return false;
    struct sync_intake *intake = sync_intake_of(turn->sync, peer);
    if (!intake || intake->serial != serial) {
        session_gone(turn, peer, serial, false);
        return true;
    }
    if (!intake_takes(intake, type) || index >= (size_t)intake->next + SYNC_CREDIT_CHUNKS)
        return false;
    if (index == intake->next)
        return intake_advance(turn, intake, body);
    struct buffer *ahead = &intake->ahead[index % SYNC_CREDIT_CHUNKS];
    if (index > intake->next && ahead->bytes == 0)
        buffer_append(ahead, body.data, body.bytes);
    intake_credit(turn, intake);
    return true;
}

/* --- The answering end: outlets -------------------------------------------------------------- */

static void outlet_free(struct sync_outlet *outlet)
{
    for (size_t i = 0; i < SYNC_CREDIT_CHUNKS; i++)
        buffer_release(&outlet->window[i]);
    awmap_walk_release(&outlet->walk);
    awmap_full_release(&outlet->full);
    free(outlet);
}

static void outlet_remove(struct sync *sync, size_t index)
{
    outlet_free(sync->outlets[index]);
    struct sync_outlet **at = sync->outlets + index;
    memmove(at, at + 1, (sync->outlet_count - index - 1) * sizeof(struct sync_outlet *));
    sync->outlet_count--;
}

/* The place of the peer's outlet, or outlet_count. */
static size_t outlet_place(const struct sync *sync, const struct sync_peer *peer)
{
    size_t place = 0;
    while (place < sync->outlet_count && sync->outlets[place]->peer != peer)
        place++;
    return place;
}

bool sync_has_outlet(const struct sync *sync, const struct sync_peer *peer)
{
    return outlet_place(sync, peer) < sync->outlet_count;
}

static void outlet_cut(struct sync_turn *turn, struct sync_outlet *outlet)
{
    size_t slot = outlet->cut % SYNC_CREDIT_CHUNKS;
    struct buffer *chunk = &outlet->window[slot];
    buffer_clear(chunk);
    buffer_u8(chunk, SYNC_VERSION);
    buffer_u8(chunk, (uint8_t)outlet->kind);
    buffer_u64(chunk, outlet->serial);
    buffer_varint(chunk, outlet->cut);
    size_t bytes_max = SYNC_CHUNK_BYTES_MAX - chunk->bytes;
    if (outlet->kind == SYNC_WALK)
        awmap_walk_cut(&outlet->walk, turn->sync->map, bytes_max, chunk);
    else
        awmap_full_cut(&outlet->full, turn->sync->map, bytes_max, chunk);
    outlet->done = outlet->kind == SYNC_WALK ? outlet->walk.done : outlet->full.done;
    outlet->cut++;
    outlet->sent_ms[slot] = turn->now_ms;
    sync_send_bytes(turn, outlet->peer, CHANNEL_BULK, buffer_view(chunk));
}

static void outlet_fill(struct sync_turn *turn, struct sync_outlet *outlet)
{
    while (!outlet->done && outlet->cut - outlet->confirmed < SYNC_CREDIT_CHUNKS)
        outlet_cut(turn, outlet);
}

/* The chunk that is missing over there, unless it was sent just now. */
static void outlet_resend(struct sync_turn *turn, struct sync_outlet *outlet)
{
    size_t slot = outlet->confirmed % SYNC_CREDIT_CHUNKS;
    if (outlet->confirmed == outlet->cut || turn->now_ms - outlet->sent_ms[slot] < SYNC_RESEND_MS)
        return;
    outlet->sent_ms[slot] = turn->now_ms;
    sync_send_bytes(turn, outlet->peer, CHANNEL_BULK, buffer_view(&outlet->window[slot]));
}

/* Decides between walk and full comparison. NULL: the position is garbage. */
static struct sync_outlet *outlet_new(struct sync *sync, struct sync_peer *peer, uint64_t serial,
                                      uint32_t buckets, struct span position)
{
    struct sync_outlet *outlet = xcalloc(1, sizeof *outlet);
    outlet->peer = peer;
    outlet->serial = serial;
    outlet->kind = buckets ? SYNC_FULL : SYNC_WALK;
    bool behind = false;
    if (!buckets && !awmap_walk_begin(&outlet->walk, sync->map, position, &behind)) {
        outlet_free(outlet);
        return NULL;
    }
    if (buckets || behind) {
        outlet->kind = SYNC_FULL;
        awmap_full_begin(&outlet->full, sync->map, behind ? UINT32_MAX : buckets);
    } else {
        sync_note_claims(sync, &outlet->walk.peer);
    }
    return outlet;
}

static void outlet_begin(struct sync_turn *turn, struct sync_outlet *outlet)
{
    struct sync *sync = turn->sync;
    outlet->progress_ms = turn->now_ms;
    sync->outlets[sync->outlet_count++] = outlet;
    outlet_fill(turn, outlet);
}

bool sync_receive_request(struct sync_turn *turn, struct sync_peer *peer, enum sync_message type,
                          struct reader *reader)
{
    struct sync *sync = turn->sync;
    uint64_t serial = reader_u64(reader);
    uint32_t buckets = type == SYNC_FULL_REQUEST ? reader_u32(reader) : 0;
    struct span position = reader_take(reader, reader_left(reader));
    bool full = type == SYNC_FULL_REQUEST;
    if (reader->failed || (full && (buckets == 0 || position.bytes > 0)))
        return false;
    size_t place = outlet_place(sync, peer);
    if (place < sync->outlet_count && sync->outlets[place]->serial == serial) {
        outlet_resend(turn,
                      sync->outlets[place]); /* it has not heard of us: the request came twice */
        return true;
    }
    struct sync_outlet *outlet = outlet_new(sync, peer, serial, buckets, position);
    if (!outlet)
        return false;
    if (place < sync->outlet_count)
        outlet_remove(sync, place); /* it gave that one up */
    if (sync->outlet_count < SYNC_SESSIONS_MAX) {
        outlet_begin(turn, outlet);
        return true;
    }
    outlet_free(outlet);
    session_gone(turn, peer, serial, true);
    return true;
}

bool sync_receive_credit(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader)
{
    struct sync *sync = turn->sync;
    uint64_t serial = reader_u64(reader);
    uint8_t flags = reader_u8(reader);
    size_t next = reader_count(reader, UINT32_MAX);
    if (!reader_done(reader) || flags > SYNC_CREDIT_HOLE)
        return false;
    size_t place = outlet_place(sync, peer);
    struct sync_outlet *outlet = place < sync->outlet_count ? sync->outlets[place] : NULL;
    if (!outlet || outlet->serial != serial) {
        session_gone(turn, peer, serial, false);
        return true;
    }
    if (next > outlet->cut)
        return false;
    if (next < outlet->confirmed)
        return true; /* overtaken */
    bool moved = next > outlet->confirmed;
    outlet->confirmed = (uint32_t)next;
    if (moved)
        outlet->progress_ms = turn->now_ms;
    if (!moved || flags == SYNC_CREDIT_HOLE)
        outlet_resend(turn, outlet);
    outlet_fill(turn, outlet);
    if (outlet->done && outlet->confirmed == outlet->cut)
        outlet_remove(sync, place);
    return true;
}

/* --- Both ends ------------------------------------------------------------------------------- */

bool sync_receive_gone(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader)
{
    struct sync *sync = turn->sync;
    uint64_t serial = reader_u64(reader);
    uint8_t busy = reader_u8(reader);
    if (!reader_done(reader) || busy > 1)
        return false;
    struct sync_intake *intake = sync_intake_of(sync, peer);
    if (intake && intake->serial == serial)
        intake_end(turn, intake, false);
    size_t place = outlet_place(sync, peer);
    if (!busy && place < sync->outlet_count && sync->outlets[place]->serial == serial)
        outlet_remove(sync, place);
    return true;
}

static void intake_tick(struct sync_turn *turn, struct sync_intake *intake)
{
    if (turn->now_ms - intake->progress_ms >= SYNC_SESSION_IDLE_MS) {
        intake_end(turn, intake, false);
        return;
    }
    if (intake->nudge_ms > turn->now_ms)
        return;
    intake->nudge_ms = turn->now_ms + ((uint64_t)SYNC_NUDGE_MS << ++intake->nudges);
    if (intake->kind == 0)
        intake_request(turn, intake);
    else
        intake_credit(turn, intake);
}

void sync_tick_sessions(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++) {
        if (sync->intakes[i].peer)
            intake_tick(turn, &sync->intakes[i]);
    }
    for (size_t i = sync->outlet_count; i-- > 0;) {
        if (turn->now_ms - sync->outlets[i]->progress_ms >= SYNC_SESSION_IDLE_MS)
            outlet_remove(sync, i);
    }
}

uint64_t sync_deadline_sessions(const struct sync *sync)
{
    uint64_t first_ms = SYNC_NEVER;
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++) {
        const struct sync_intake *intake = &sync->intakes[i];
        if (intake->peer && intake->nudge_ms < first_ms)
            first_ms = intake->nudge_ms;
        if (intake->peer && intake->progress_ms + SYNC_SESSION_IDLE_MS < first_ms)
            first_ms = intake->progress_ms + SYNC_SESSION_IDLE_MS;
    }
    for (size_t i = 0; i < sync->outlet_count; i++) {
        if (sync->outlets[i]->progress_ms + SYNC_SESSION_IDLE_MS < first_ms)
            first_ms = sync->outlets[i]->progress_ms + SYNC_SESSION_IDLE_MS;
    }
    return first_ms;
}

void sync_thaw_sessions(struct sync *sync, uint64_t now_ms)
{
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++) {
        sync->intakes[i].progress_ms = now_ms;
        sync->intakes[i].nudge_ms = now_ms + SYNC_NUDGE_MS;
    }
    for (size_t i = 0; i < sync->outlet_count; i++)
        sync->outlets[i]->progress_ms = now_ms;
}

void sync_sessions_forget(struct sync *sync, const struct sync_peer *peer)
{
    for (size_t i = 0; i < SYNC_INTAKES_MAX; i++) {
        if (sync->intakes[i].peer && (!peer || sync->intakes[i].peer == peer))
            intake_release(&sync->intakes[i]);
    }
    for (size_t i = sync->outlet_count; i-- > 0;) {
        if (!peer || sync->outlets[i]->peer == peer)
            outlet_remove(sync, i);
    }
}
