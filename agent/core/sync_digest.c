/* Who lacks what: summaries, digests, and the needs that come of them.
 *
 * The one idea: a digest carries `seen` and the sums of 32 buckets. With both sides' `seen` each
 * side knows by itself what it lacks, and asks for it; nobody is told to take anything. A need
 * stays until it is met, by whomever: `target` is what the peer had, and once we cover that, there
 * is nothing left to ask it for. Tries back off, and end: then differing summaries begin anew.
 *
 * While a map changes, summaries differ all the time without anything being wrong. They count when
 * they stay as they are for SYNC_DIFFER_MS (then something was lost), or differ for SYNC_FLUX_MS.
 * In a large cluster one rarely hears the same peer twice; so our own summary, differing from
 * whoever speaks, counts as well. Exchanges that change nothing become rare.
 *
 * What is known of replicas that were retired long ago is compared as one sum. If that differs and
 * goes on to, it is treated as all content being unequal.
 *
 * Equal `seen` and unequal content, twice running, can only be healed by comparing the content of
 * those buckets (rule NOCONTENT).
 */
#include <stdlib.h>
#include <string.h>

#include "agent/core/sync_private.h"

/* --- Pursuits -------------------------------------------------------------------------------- */

struct sync_pursuit *sync_pursuit_of(struct sync_peer *peer)
{
    if (!peer->pursuit)
        peer->pursuit = xcalloc(1, sizeof *peer->pursuit);
    return peer->pursuit;
}

void sync_pursuit_free(struct sync_peer *peer)
{
    if (peer->pursuit)
        vector_release(&peer->pursuit->target);
    free(peer->pursuit);
    peer->pursuit = NULL;
}

void sync_pursuit_tidy(struct sync_peer *peer, uint64_t now_ms)
{
    const struct sync_pursuit *pursuit = peer->pursuit;
    if (!pursuit->needs && !pursuit->needy && !pursuit->tries && !pursuit->nonce &&
        !pursuit->unequal && !pursuit->watch.running && !pursuit->futile &&
        !pursuit->ack_owed.replica && pursuit->exchange_ms <= now_ms)
        sync_pursuit_free(peer);
}

/* --- Needs ----------------------------------------------------------------------------------- */

/* A need that is there already keeps its time: asking more often is what backing off prevents. */
void sync_need(struct sync *sync, struct sync_peer *peer, unsigned need, uint64_t try_ms)
{
    struct sync_pursuit *pursuit = sync_pursuit_of(peer);
    bool compares = pursuit->needs & SYNC_NEED_COMPARE;
    bool walks = pursuit->needs & (SYNC_NEED_WALK | SYNC_NEED_FULL);
    if (need == SYNC_NEED_COMPARE && !compares)
        pursuit->compare_ms = try_ms;
    if (need != SYNC_NEED_COMPARE && !walks)
        pursuit->session_ms = try_ms;
    pursuit->needs |= need;
    if (pursuit->needy)
        return;
    if (sync->needy_count == sync->needy_capacity) {
        sync->needy_capacity = sync->needy_capacity ? 2 * sync->needy_capacity : 8;
        sync->needy = xrealloc(sync->needy, sync->needy_capacity * sizeof(struct sync_peer *));
    }
    pursuit->needy = true;
    sync->needy[sync->needy_count++] = peer;
}

void sync_needs_forget(struct sync *sync, struct sync_peer *peer)
{
    size_t kept = 0;
    for (size_t i = 0; i < sync->needy_count; i++) {
        if (sync->needy[i] != peer)
            sync->needy[kept++] = sync->needy[i];
    }
    sync->needy_count = kept;
}

void sync_need_dot(struct sync *sync, struct sync_peer *peer, struct dot dot, uint64_t now_ms)
{
    vector_raise(&sync_pursuit_of(peer)->target, dot.replica, dot.counter);
    peer->pursuit->urgent = true;
    sync_need(sync, peer, SYNC_NEED_WALK, now_ms);
}

/* Half of the delay is chance, so that peers which failed together do not return together. */
static uint64_t retry_ms(struct sync_turn *turn, uint64_t base_ms, unsigned tries)
{
    uint64_t delay_ms = base_ms << (tries < 5 ? tries : 5);
    if (delay_ms > SYNC_RETRY_MS_MAX)
        delay_ms = SYNC_RETRY_MS_MAX;
    return turn->now_ms + delay_ms / 2 + random_below(&turn->sync->random, delay_ms / 2 + 1);
}

static void need_end(struct sync_pursuit *pursuit, unsigned need)
{
    pursuit->needs &= ~need;
    if (!(pursuit->needs & SYNC_NEED_WALK)) {
        vector_release(&pursuit->target);
        pursuit->urgent = false;
    }
    if (!(pursuit->needs & SYNC_NEED_FULL))
        pursuit->full_buckets = 0;
    if (!(pursuit->needs & SYNC_NEED_COMPARE))
        pursuit->nonce = 0;
    if (!pursuit->needs)
        pursuit->tries = 0;
}

/* An answer names what we know of all that the question (NULL: this is one) names. */
static void digest_send(struct sync_turn *turn, const struct sync_peer *peer, uint64_t nonce,
                        const struct vector *about)
{
    struct sync *sync = turn->sync;
    struct awmap_digest digest = awmap_digest(sync->map);
    struct buffer *message = sync_message_begin(sync, SYNC_DIGEST);
    buffer_u8(message, about ? 0 : SYNC_DIGEST_QUESTION);
    buffer_u64(message, nonce);
    for (size_t i = 0; i < AWMAP_BUCKETS; i++)
        buffer_u64(message, digest.buckets[i]);
    awmap_position_encode(sync->map, about, message);
    sync_message_send(turn, peer, CHANNEL_GOSSIP);
}

/* One session at a time, since it may bring what the others would. Only slices that wait for what
 * is before them do not wait for that. */
static bool need_may_begin(const struct sync *sync, const struct sync_peer *peer)
{
    size_t count = sync_intake_count(sync);
    return count == 0 || (peer->pursuit->urgent && count < SYNC_INTAKES_MAX);
}

/* The end of that session, or of another one, sets the time again. */
static void need_begin_session(struct sync_turn *turn, struct sync_peer *peer)
{
    struct sync_pursuit *pursuit = peer->pursuit;
    pursuit->session_ms = SYNC_NEVER;
    if (sync_intake_of(turn->sync, peer) || !need_may_begin(turn->sync, peer))
        return;
    bool walk = pursuit->needs & SYNC_NEED_WALK;
    sync_intake_begin(turn, peer, walk ? 0 : pursuit->full_buckets);
}

static void need_compare(struct sync_turn *turn, struct sync_peer *peer)
{
    struct sync_pursuit *pursuit = peer->pursuit;
    if (pursuit->nonce == 0)
        pursuit->nonce = sync_serial_next(turn->sync);
    pursuit->compare_ms = retry_ms(turn, SYNC_COMPARE_RETRY_MS, pursuit->tries++);
    digest_send(turn, peer, pursuit->nonce, NULL);
}

/* When something is to be done about the peer's needs. */
static uint64_t needs_ms(const struct sync_pursuit *pursuit)
{
    uint64_t first_ms = pursuit->needs & SYNC_NEED_COMPARE ? pursuit->compare_ms : SYNC_NEVER;
    bool session = pursuit->needs & (SYNC_NEED_WALK | SYNC_NEED_FULL);
    return session && pursuit->session_ms < first_ms ? pursuit->session_ms : first_ms;
}

static void needs_pursue(struct sync_turn *turn, struct sync_peer *peer)
{
    struct sync *sync = turn->sync;
    struct sync_pursuit *pursuit = peer->pursuit;
    if (sync_covers_all(sync, &pursuit->target))
        need_end(pursuit, SYNC_NEED_WALK);
    if (pursuit->tries >= (sync_peer_is_alive(peer) ? SYNC_TRIES_MAX : SYNC_TRIES_ABSENT_MAX))
        need_end(pursuit, pursuit->needs);
    if ((pursuit->needs & SYNC_NEED_COMPARE) && pursuit->compare_ms <= turn->now_ms)
        need_compare(turn, peer);
    if ((pursuit->needs & ~SYNC_NEED_COMPARE) && pursuit->session_ms <= turn->now_ms)
        need_begin_session(turn, peer);
}

void sync_pursue(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    size_t kept = 0;
    for (size_t i = 0; i < sync->needy_count; i++) {
        struct sync_peer *peer = sync->needy[i];
        struct sync_pursuit *pursuit = peer->pursuit;
        if (needs_ms(pursuit) <= turn->now_ms)
            needs_pursue(turn, peer);
        pursuit->needy = pursuit->needs != 0;
        if (pursuit->needy)
            sync->needy[kept++] = peer;
        else
            sync_pursuit_tidy(peer, turn->now_ms);
    }
    sync->needy_count = kept;
}

uint64_t sync_deadline_needs(const struct sync *sync)
{
    uint64_t first_ms = SYNC_NEVER;
    for (size_t i = 0; i < sync->needy_count; i++) {
        uint64_t peer_ms = needs_ms(sync->needy[i]->pursuit);
        if (peer_ms < first_ms)
            first_ms = peer_ms;
    }
    return first_ms;
}

static void needs_wake(struct sync_turn *turn)
{
    struct sync *sync = turn->sync;
    for (size_t i = 0; i < sync->needy_count; i++) {
        struct sync_pursuit *pursuit = sync->needy[i]->pursuit;
        if (pursuit->session_ms == SYNC_NEVER)
            pursuit->session_ms = turn->now_ms;
    }
}

/* A session may have brought all it could, and yet not all that is wanted by now. */
void sync_session_ended(struct sync_turn *turn, struct sync_peer *peer, uint64_t serial,
                        uint32_t buckets, bool completed)
{
    struct sync *sync = turn->sync;
    struct sync_pursuit *pursuit = sync_pursuit_of(peer);
    if (completed) {
        sync_note_compared(sync, serial);
        pursuit->tries = 0;
    }
    if (completed && buckets)
        need_end(pursuit, SYNC_NEED_FULL);
    if (sync_covers_all(sync, &pursuit->target))
        need_end(pursuit, SYNC_NEED_WALK);
    pursuit->session_ms = retry_ms(turn, SYNC_SESSION_RETRY_MS, completed ? 0 : pursuit->tries++);
    needs_wake(turn);
}

bool sync_covers_all(const struct sync *sync, const struct vector *target)
{
    for (uint32_t i = 0; i < target->count; i++) {
        if (!awmap_covers(sync->map, target->items[i]))
            return false;
    }
    return true;
}

/* --- Digests --------------------------------------------------------------------------------- */

struct digest {
    bool question;
    uint64_t nonce;
    uint64_t buckets[AWMAP_BUCKETS];
    struct awmap_position position;
};

static bool digest_decode(struct digest *ret_digest, struct reader *reader)
{
    uint8_t flags = reader_u8(reader);
    ret_digest->question = flags & SYNC_DIGEST_QUESTION;
    ret_digest->nonce = reader_u64(reader);
    for (size_t i = 0; i < AWMAP_BUCKETS; i++)
        ret_digest->buckets[i] = reader_u64(reader);
    struct span position = reader_take(reader, reader_left(reader));
    return flags <= SYNC_DIGEST_QUESTION && !reader->failed &&
           awmap_position_decode(&ret_digest->position, position);
}

/* The buckets whose content differs although both have seen the same. All, if what is known of the
 * retired differs: then only a whole comparison helps. 0 in all other cases. */
static uint32_t digest_unequal(const struct sync *sync, const struct digest *theirs)
{
    const struct awmap_position *position = &theirs->position;
    if (!awmap_position_equals(sync->map, position) &&
        !awmap_position_rest_equals(sync->map, position))
        return UINT32_MAX;
    if (!awmap_position_covers(sync->map, position))
        return 0;
    struct awmap_digest ours = awmap_digest(sync->map);
    uint32_t unequal = 0;
    for (uint32_t i = 0; i < AWMAP_BUCKETS; i++) {
        if (ours.buckets[i] != theirs->buckets[i])
            unequal |= UINT32_C(1) << i;
    }
    return unequal;
}

/* NOCONTENT. Once may be a slice that was joined and waits for its claim; so look again. */
static void digest_judge_content(struct sync_turn *turn, struct sync_peer *peer, uint32_t unequal)
{
    if (!peer->pursuit && !unequal)
        return;
    struct sync_pursuit *pursuit = sync_pursuit_of(peer);
    uint32_t twice = pursuit->unequal & unequal;
    bool later = turn->now_ms - pursuit->unequal_ms >= SYNC_DIFFER_MS;
    if (twice && later) {
        pursuit->full_buckets |= twice;
        pursuit->unequal = 0;
        sync_need(turn->sync, peer, SYNC_NEED_FULL, turn->now_ms);
        return;
    }
    if (!twice)
        pursuit->unequal_ms = turn->now_ms;
    pursuit->unequal = twice ? twice : unequal;
    if (unequal)
        sync_need(turn->sync, peer, SYNC_NEED_COMPARE, pursuit->unequal_ms + SYNC_DIFFER_MS);
}

static void digest_judge(struct sync_turn *turn, struct sync_peer *peer,
                         const struct digest *theirs)
{
    struct sync *sync = turn->sync;
    const struct vector *known = &theirs->position.known;
    bool lacking = !awmap_position_is_covered(sync->map, &theirs->position);
    uint32_t unequal = lacking ? 0 : digest_unequal(sync, theirs);
    struct sync_pursuit *pursuit = peer->pursuit;
    if (!theirs->question && pursuit && pursuit->nonce && theirs->nonce == pursuit->nonce) {
        need_end(pursuit, SYNC_NEED_COMPARE);
        pursuit->tries = 0;
        if (!lacking && !unequal)
            sync_note_compared(sync, theirs->nonce);
    }
    digest_judge_content(turn, peer, unequal);
    if (!lacking)
        return;
    for (uint32_t i = 0; i < known->count; i++) {
        struct dot dot = known->items[i];
        if (!awmap_covers(sync->map, dot))
            vector_raise(&sync_pursuit_of(peer)->target, dot.replica, dot.counter);
    }
    sync_need(sync, peer, SYNC_NEED_WALK, turn->now_ms);
}

bool sync_receive_digest(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader)
{
    struct digest theirs = {0};
    bool good = digest_decode(&theirs, reader);
    if (good) {
        sync_note_claims(turn->sync, &theirs.position.known);
        if (theirs.question)
            digest_send(turn, peer, theirs.nonce, &theirs.position.known);
        digest_judge(turn, peer, &theirs);
    }
    awmap_position_release(&theirs.position);
    return good;
}

void sync_compare(struct sync *sync, uint64_t now_ms, const char *name, struct effects *effects)
{
    struct sync_turn turn = {sync, now_ms, effects};
    sync_follow_writer(sync);
    struct sync_peer *peer = sync_peer_find(sync, name);
    if (!peer)
        return;
    struct sync_pursuit *pursuit = sync_pursuit_of(peer);
    pursuit->tries = 0;
    pursuit->nonce = 0; /* an answer that is under way tells of a time before this */
    sync_need(sync, peer, SYNC_NEED_COMPARE, now_ms);
    pursuit->compare_ms = now_ms;
    sync_pursue(&turn);
}

/* --- Summaries ------------------------------------------------------------------------------- */

/* True: it is time to compare. The watch begins anew then. */
static bool watch_differs(struct sync_watch *watch, uint64_t now_ms, uint64_t ours, uint64_t theirs,
                          bool moving_counts)
{
    if (!watch->running)
        *watch = (struct sync_watch){true, now_ms, now_ms, ours, theirs};
    if (watch->ours != ours || watch->theirs != theirs) {
        watch->ours = ours;
        watch->theirs = theirs;
        watch->still_ms = now_ms;
    }
    if (now_ms - watch->still_ms < SYNC_DIFFER_MS &&
        !(moving_counts && now_ms - watch->since_ms >= SYNC_FLUX_MS))
        return false;
    watch->running = false;
    return true;
}

static void summary_exchange(struct sync_turn *turn, struct sync_peer *peer, uint64_t ours,
                             uint64_t theirs)
{
    struct sync_pursuit *pursuit = peer->pursuit;
    bool same = pursuit->exchange_ours == ours && pursuit->exchange_theirs == theirs;
    if (!same)
        pursuit->futile = 0;
    else if (pursuit->futile < SYNC_EXCHANGE_DOUBLINGS)
        pursuit->futile++;
    pursuit->exchange_ours = ours;
    pursuit->exchange_theirs = theirs;
    pursuit->exchange_ms = turn->now_ms + ((uint64_t)SYNC_EXCHANGE_MS << pursuit->futile);
    turn->sync->flux_ms = turn->now_ms + SYNC_FLUX_MS;
    sync_need(turn->sync, peer, SYNC_NEED_COMPARE, turn->now_ms);
}

static void summary_equal(struct sync *sync, struct sync_peer *peer, uint64_t now_ms)
{
    sync->watch.running = false;
    struct sync_pursuit *pursuit = peer->pursuit;
    if (!pursuit)
        return;
    pursuit->watch.running = false;
    pursuit->futile = 0;
    pursuit->unequal = 0;
    sync_pursuit_tidy(peer, now_ms);
}

static uint64_t summary_folded(const uint8_t summary[16])
{
    uint64_t halves[2];
    memcpy(halves, summary, sizeof halves);
    return halves[0] ^ halves[1];
}

void sync_note_summary(struct sync *sync, uint64_t now_ms, const char *name,
                       const uint8_t summary[16], struct effects *effects)
{
    struct sync_turn turn = {sync, now_ms, effects};
    struct sync_peer *peer = sync_peer_find(sync, name);
    if (!peer)
        return;
    struct awmap_digest digest = awmap_digest(sync->map);
    uint8_t own[16];
    awmap_digest_summary(&digest, own);
    if (memcmp(own, summary, sizeof own) == 0) {
        summary_equal(sync, peer, now_ms);
        return;
    }
    uint64_t ours = summary_folded(own), theirs = summary_folded(summary);
    bool moving_counts = now_ms >= sync->flux_ms;
    struct sync_pursuit *pursuit = sync_pursuit_of(peer);
    bool due = watch_differs(&pursuit->watch, now_ms, ours, theirs, moving_counts);
    due |= watch_differs(&sync->watch, now_ms, ours, 0, moving_counts);
    bool busy = sync_intake_count(sync) > 0 || sync_has_outlet(sync, peer);
    if (due && !busy && now_ms >= pursuit->exchange_ms)
        summary_exchange(&turn, peer, ours, theirs);
    sync_pursue(&turn);
}
