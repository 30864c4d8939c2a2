/* A holder's half of the conversation (lease.h has the machine and the argument): whom it asks
 * when, and what an answer means for its leases. A lease counts from when its request was sent. */
#include <assert.h>
#include <string.h>

#include "agent/core/lease_holder_private.h"
#include "placement/strategy.h"

/* --- Asking ---------------------------------------------------------------------------------- */

static uint64_t acceptor_due_ms(const struct lease_holder *holder, const struct acceptor *acceptor)
{
    uint64_t most_ms = holder->lease_ms / ASK_AGAIN_PARTS;
    uint64_t again_ms =
        acceptor->misses < 8 ? (uint64_t)AGAIN_MS_FIRST << acceptor->misses : most_ms;
    if (acceptor->waits)
        return acceptor->sent_ms + (again_ms < most_ms ? again_ms : most_ms);
    if (acceptor->not_yet_ms)
        return acceptor->not_yet_ms;
    if (acceptor->urgent || acceptor->sent_ms == 0)
        return 0;
    return acceptor->sent_ms + holder->lease_ms / RENEW_PARTS;
}

static bool holder_is_silent(const struct lease_holder *holder)
{
    return !holder->has_electorate || holder->paused ||
           (index_count(&holder->leases) == 0 && holder->drop_count == 0);
}

static void ask_fill(struct lease_holder *holder, uint64_t bit, struct lease_ask *ask)
{
    bool all = ask->generation == 0;
    ask->adds = xcalloc(index_count(&holder->leases) + 1, sizeof *ask->adds);
    ask->drops = xcalloc(holder->drop_count + 1, sizeof *ask->drops);
    for (struct held *at = held_after(holder, NULL); at; at = held_after(holder, at)) {
        struct lease *lease = &at->lease;
        if (all)
            lease->granted &= ~bit;
        lease->asked &= ~bit;
        if (lease->ending || ((lease->granted | lease->refused) & bit) ||
            ask->add_count == LEASE_ITEMS_MAX)
            continue;
        lease->asked |= bit;
        ask->adds[ask->add_count++] =
            (struct lease_item){.child = lease->child, .epoch = lease->epoch};
    }
    for (size_t i = 0; i < holder->drop_count && ask->drop_count < LEASE_ITEMS_MAX; i++)
        if (holder->drops[i].untold & bit) {
            holder->drops[i].telling |= bit;
            ask->drops[ask->drop_count++] = holder->drops[i].item;
        }
}

bool lease_holder_send(struct lease_holder *holder, uint64_t now_ms, struct lease_ask *ret_ask,
                       char ret_acceptor[NAME_BYTES_MAX + 1])
{
    memset(ret_ask, 0, sizeof *ret_ask);
    drops_expire(holder, now_ms);
    if (holder_is_silent(holder))
        return false;
    for (size_t i = 0; i < holder->acceptor_count; i++) {
        struct acceptor *acceptor = &holder->acceptors[i];
        bool drops = acceptor->urgent && drops_are_untold(holder, i);
        if (now_ms < acceptor_due_ms(holder, acceptor) && !drops)
            continue;
        acceptor->number = ++holder->number;
        acceptor->sent_ms = now_ms;
        acceptor->sent_numbers[acceptor->sent_count % SENT_MAX] = acceptor->number;
        acceptor->sent_at_ms[acceptor->sent_count++ % SENT_MAX] = now_ms;
        acceptor->misses = acceptor->waits ? acceptor->misses + 1 : 0;
        acceptor->not_yet_ms = 0;
        acceptor->waits = true;
        acceptor->urgent = false;
        TEXT_SET(ret_ask->supervisor, holder->supervisor);
        ret_ask->term = holder->record.term;
        ret_ask->replica = holder->replica;
        ret_ask->boot = holder->boot;
        ret_ask->session = holder->session;
        ret_ask->number = acceptor->number;
        ret_ask->generation = acceptor->generation;
        ret_ask->acceptor_session = acceptor->session;
        ask_fill(holder, UINT64_C(1) << i, ret_ask);
        text_set(ret_acceptor, NAME_BYTES_MAX + 1, acceptor->elector.node);
        return true;
    }
    return false;
}

/* --- Answers --------------------------------------------------------------------------------- */

/* The time at which a majority of these voters has been asked that say yes to what has these bits:
 * the k-th latest of their times. 0: there is none. */
static uint64_t quorum_since_ms(const struct lease_holder *holder, const struct quorum_bits *quorum,
                                uint64_t granted)
{
    uint64_t latest[ACCEPTORS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < holder->acceptor_count; i++) {
        if (!(granted & quorum->voters & UINT64_C(1) << i))
            continue;
        uint64_t since_ms = holder->acceptors[i].since_ms;
        size_t at = count++;
        for (; at > 0 && latest[at - 1] < since_ms; at--)
            latest[at] = latest[at - 1];
        latest[at] = since_ms;
    }
    return count >= quorum->majority ? latest[quorum->majority - 1] : 0;
}

static uint64_t holder_since_ms(const struct lease_holder *holder, uint64_t granted)
{
    uint64_t since_ms = UINT64_MAX;
    for (size_t i = 0; i < holder->quorum_count; i++) {
        uint64_t of_one = quorum_since_ms(holder, &holder->quorums[i], granted);
        since_ms = of_one < since_ms ? of_one : since_ms;
    }
    return holder->quorum_count > 0 ? since_ms : 0;
}

static void grant_refused(struct lease_holder *holder, struct lease *lease, uint64_t bit,
                          const struct lease_refusal *refusal, uint64_t now_ms)
{
    struct held *held = (struct held *)lease;
    if (refusal->reason == LEASE_LATER)
        return; /* still asked for */
    lease->asked &= ~bit;
    lease->granted &= ~bit;
    /* Its clock may be the slower one; and nobody is asked in a circle. */
    uint64_t wait_ms = refusal->wait_ms < LEASE_SECONDS_MAX * UINT64_C(2000)
                           ? refusal->wait_ms + refusal->wait_ms / 50
                           : LEASE_SECONDS_MAX * UINT64_C(2000);
    /* It may be released at any moment, and nobody tells us; who has a majority is in no hurry. */
    uint64_t look_ms = holder->lease_ms / RENEW_PARTS;
    if (holder_since_ms(holder, lease->granted) == 0)
        look_ms = (uint64_t)LOOK_MS_FIRST
                  << (lease->tries < LOOK_TRIES ? lease->tries++ : LOOK_TRIES);
    wait_ms = wait_ms < look_ms ? wait_ms : look_ms;
    uint64_t retry_ms = now_ms + (wait_ms > RETRY_MS_MIN ? wait_ms : RETRY_MS_MIN);
    if (refusal->reason == LEASE_STALE) {
        retry_ms = now_ms + holder->lease_ms;
        if (lease->stale_epoch == 0 || refusal->epoch > lease->stale_epoch) {
            lease->stale_epoch = refusal->epoch ? refusal->epoch : lease->epoch;
            lease->stale_ms = now_ms;
            held->changed = holder->news = true;
        }
    }
    if (lease->refused == 0 || retry_ms < lease->retry_ms)
        lease->retry_ms = retry_ms;
    lease->refused |= bit;
    if (lease->state == LEASE_STATE_ASKED)
        held->changed = holder->news = true;
    if (lease->retry_ms < holder->alarm_ms)
        holder->alarm_ms = lease->retry_ms;
}

/* A renewal that is itself too old to be of use moves the time, not the state. */
static void holder_renew(struct lease_holder *holder, uint64_t now_ms)
{
    uint64_t granted = 0, since_ms = holder_since_ms(holder, 0);
    bool renewed = false;
    for (struct held *at = held_after(holder, NULL); at; at = held_after(holder, at)) {
        if (at->lease.granted != granted) { /* mostly they are all alike */
            granted = at->lease.granted;
            since_ms = holder_since_ms(holder, granted);
        }
        if (since_ms <= at->lease.since_ms)
            continue;
        at->lease.since_ms = since_ms;
        at->lease.lease_ms = holder->lease_ms;
        at->renewed = holder->news = renewed = true;
        if (now_ms >= since_ms + lease_term_ms(holder->lease_ms))
            continue;
        at->lease.killing = false;
        lease_move(holder, at, LEASE_STATE_HELD);
        uint64_t alarm_ms = since_ms + lease_term_ms(holder->lease_ms);
        holder->alarm_ms = alarm_ms < holder->alarm_ms ? alarm_ms : holder->alarm_ms;
    }
    holder->renewals += renewed;
}

static const struct lease_refusal *refusal_find(const struct lease_grant *grant,
                                                const struct lease *lease)
{
    for (size_t i = 0; i < grant->refusal_count; i++)
        if (grant->refusals[i].asked_epoch == lease->epoch &&
            child_id_compare(&grant->refusals[i].child, &lease->child) == 0)
            return &grant->refusals[i];
    return NULL;
}

/* It is asked again soon, and ever less soon while that goes on. */
static void acceptor_later(const struct lease_holder *holder, struct acceptor *acceptor,
                           uint64_t now_ms)
{
    uint32_t times = acceptor->not_yets < 8 ? acceptor->not_yets++ : 8;
    uint64_t wait_ms = (uint64_t)NOT_YET_MS << times;
    uint64_t most_ms = holder->lease_ms / RENEW_PARTS;
    acceptor->not_yet_ms = now_ms + (wait_ms < most_ms ? wait_ms : most_ms);
}

static void grant_extended(struct lease_holder *holder, struct acceptor *acceptor,
                           const struct lease_grant *grant, uint64_t now_ms)
{
    uint64_t bit = UINT64_C(1) << (acceptor - holder->acceptors);
    acceptor->answered = acceptor->number;
    acceptor->since_ms = acceptor->sent_ms;
    acceptor->generation = grant->generation;
    acceptor->session = grant->session;
    size_t left = grant->refusal_count;
    bool later = false; /* a confirmation may be lost, or may have come before this answer */
    for (struct held *at = held_after(holder, NULL); at; at = held_after(holder, at)) {
        if (!(at->lease.asked & bit)) {
            acceptor->urgent |=
                !at->lease.ending && !((at->lease.granted | at->lease.refused) & bit);
            continue;
        }
        const struct lease_refusal *refusal = left > 0 ? refusal_find(grant, &at->lease) : NULL;
        if (refusal) {
            later |= refusal->reason == LEASE_LATER;
            grant_refused(holder, &at->lease, bit, refusal, now_ms);
            continue;
        }
        at->lease.asked &= ~bit;
        at->lease.granted |= bit;
    }
    if (later)
        acceptor_later(holder, acceptor, now_ms);
    else
        acceptor->not_yets = 0;
}

static void grant_confirmed(struct lease_holder *holder, struct acceptor *acceptor,
                            const struct lease_grant *grant)
{
    uint64_t bit = UINT64_C(1) << (acceptor - holder->acceptors);
    acceptor->not_yet_ms = 0;
    acceptor->not_yets = 0;
    for (size_t i = 0; i < grant->refusal_count; i++) {
        struct lease *lease = lease_holder_find(holder, &grant->refusals[i].child);
        if (!lease || lease->epoch != grant->refusals[i].asked_epoch || !(lease->asked & bit))
            continue;
        lease->asked &= ~bit;
        lease->granted |= bit;
    }
}

/* An answer to a request that was asked again meanwhile. What was asked for with it is left to the
 * later answer, but all that had been granted before it was extended by it. */
static void grant_overtaken(struct acceptor *acceptor, const struct lease_grant *grant)
{
    if (grant->verdict != LEASE_EXTENDED || grant->number <= acceptor->answered ||
        grant->session != acceptor->session)
        return;
    for (size_t i = 0; i < SENT_MAX; i++)
        if (acceptor->sent_numbers[i] == grant->number &&
            acceptor->sent_at_ms[i] > acceptor->since_ms)
            acceptor->since_ms = acceptor->sent_at_ms[i];
}

bool lease_holder_grant(struct lease_holder *holder, uint64_t now_ms, const char *name,
                        const struct lease_grant *grant)
{
    size_t index = acceptor_find(holder, name);
    struct acceptor *acceptor = index != SIZE_MAX ? &holder->acceptors[index] : NULL;
    if (!acceptor || !holder->has_electorate || grant->holder_session != holder->session ||
        grant->replica != acceptor->elector.replica ||
        !term_equal(&grant->term, &holder->record.term))
        return false;
    if (grant->verdict == LEASE_CONFIRMED) {
        if (grant->number != acceptor->answered || grant->session != acceptor->session)
            return false;
        grant_confirmed(holder, acceptor, grant);
    } else if (grant->number != acceptor->number) {
        grant_overtaken(acceptor, grant);
    } else {
        if (!acceptor->waits)
            return false;
        acceptor->waits = false;
        if (grant->verdict == LEASE_NOT_YET) {
            acceptor_later(holder, acceptor, now_ms);
            return false;
        }
        drops_told(holder, UINT64_C(1) << index);
        if (grant->verdict == LEASE_EXTENDED) {
            grant_extended(holder, acceptor, grant, now_ms);
        } else { /* it has restarted, or something of ours was taken: all is said again */
            acceptor->generation = 0;
            acceptor->urgent = true;
        }
    }
    holder_renew(holder, now_ms);
    return holder->news;
}

uint64_t lease_holder_deadline(const struct lease_holder *holder)
{
    uint64_t deadline_ms = holder->alarm_ms;
    for (size_t i = 0; i < holder->acceptor_count && !holder_is_silent(holder); i++) {
        uint64_t due_ms = acceptor_due_ms(holder, &holder->acceptors[i]);
        if (holder->acceptors[i].urgent && drops_are_untold(holder, i))
            due_ms = 0;
        deadline_ms = due_ms < deadline_ms ? due_ms : deadline_ms;
    }
    return deadline_ms;
}

bool lease_holder_is_hopeless(const struct lease_holder *holder, const struct lease *lease)
{
    for (size_t i = 0; i < holder->quorum_count; i++)
        if ((size_t)__builtin_popcountll(holder->quorums[i].voters & ~lease->refused) <
            holder->quorums[i].majority)
            return true;
    return false;
}
