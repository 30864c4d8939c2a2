/* The holder of leases: what it has asked of whom, what a majority of them has granted, and when it
 * asks again. One holder per supervisor; machine and argument: lease.h.
 *
 * An acceptor is a bit. A lease's `granted` bits say in whose session it is, as confirmed; the
 * session's time is that of the last request that this acceptor has answered with yes, counted from
 * when it was sent. So one number per acceptor renews any number of leases. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/lease.h"
#include "placement/strategy.h"

enum {
    ACCEPTORS_MAX = 64,
    SENT_MAX = 8,        /* of one acceptor: answers to older requests come too late to be of use */
    ASK_AGAIN_PARTS = 6, /* of a lease: without an answer for so long it is asked again */
    RENEW_PARTS = 3,
    AGAIN_MS_FIRST = 100, /* ... doubling up to that: a message was lost, or nobody is there */
    NOT_YET_MS = 50,
    RETRY_MS_MIN = 20,
    LOOK_MS_FIRST = 50, /* who is refused for another's sake looks again, ever more seldom */
    LOOK_TRIES = 3,
    DROPS_MAX = 4096, /* still to be told; beyond, leases run out by themselves */
};

struct acceptor { /* as this holder sees it */
    struct elector elector;
    uint64_t sent_numbers[SENT_MAX], sent_at_ms[SENT_MAX]; /* the last ones, by number */
    uint64_t number, sent_ms;                              /* of the last request; 0: none yet */
    uint64_t answered,
        since_ms; /* the last number that was answered with yes, and when it was sent */
    uint64_t generation, session; /* of its session of ours; 0: say all */
    uint32_t sent_count;
    uint32_t misses, not_yets; /* requests without an answer, in a row; or with that one */
    uint64_t not_yet_ms;       /* it has asked us to wait until then; 0: not */
    bool waits;                /* the last request is not answered */
    bool urgent;               /* there is something to say before the next third of a lease */
};

struct drop { /* one that is given up, and who is still to be told */
    struct lease_item item;
    uint64_t untold, telling; /* telling: by the last request */
    uint64_t until_ms;        /* nobody holds it by then anyway */
};

struct quorum_bits { /* the voters of one electorate */
    uint64_t voters;
    size_t majority;
};

struct lease_holder {
    char supervisor[NAME_BYTES_MAX + 1];
    uint64_t replica, boot, session;
    uint64_t number; /* of the last request to anybody */
    bool has_electorate, paused;
    struct electorate_record record;
    uint64_t lease_ms; /* the shortest of all its electorates */
    struct quorum_bits quorums[ELECTORATE_OLD_MAX + 1];
    size_t quorum_count;
    struct acceptor acceptors[ACCEPTORS_MAX];
    size_t acceptor_count;
    struct index leases; /* child in text -> struct held */
    struct drop *drops;
    size_t drop_count, drop_capacity;
    bool news;               /* some lease has some */
    uint64_t alarm_ms;       /* when the next lease is late, or to be killed, or asked for again */
    uint64_t renewals, lost; /* for lease_counts */
};

struct held {
    struct lease lease; /* first */
    bool changed, renewed;
    char key[CHILD_ID_TEXT_BYTES_MAX];
};

static struct held *held_after(const struct lease_holder *holder, const struct held *held)
{
    return index_after(&holder->leases, span_text(held ? held->key : ""));
}

struct lease_holder *lease_holder_new(const char *supervisor, uint64_t replica, uint64_t boot,
                                      uint64_t session)
{
    struct lease_holder *holder = xcalloc(1, sizeof *holder);
    TEXT_SET(holder->supervisor, supervisor);
    holder->replica = replica;
    holder->boot = boot;
    holder->session = session ? session : 1;
    holder->alarm_ms = UINT64_MAX;
    return holder;
}

void lease_holder_free(struct lease_holder *holder)
{
    if (!holder)
        return;
    index_release(&holder->leases, free);
    free(holder->drops);
    free(holder);
}

const char *lease_holder_supervisor(const struct lease_holder *holder)
{
    return holder->supervisor;
}

size_t lease_holder_count(const struct lease_holder *holder)
{
    return holder->leases.count;
}

const struct electorate_record *lease_holder_electorate(const struct lease_holder *holder)
{
    return holder->has_electorate ? &holder->record : NULL;
}

/* --- Whose votes count ----------------------------------------------------------------------- */

static size_t acceptor_find(const struct lease_holder *holder, const char *node)
{
    for (size_t i = 0; i < holder->acceptor_count; i++)
        if (strcmp(holder->acceptors[i].elector.node, node) == 0)
            return i;
    return SIZE_MAX;
}

/* The bit of a voter. One name with two replica ids, an old life and the present one, is asked
 * under the later electorate's: the old one will not answer any more. */
static uint64_t acceptor_bit(struct lease_holder *holder, const struct elector *elector)
{
    size_t at = acceptor_find(holder, elector->node);
    if (at == SIZE_MAX && holder->acceptor_count < ACCEPTORS_MAX) {
        at = holder->acceptor_count++;
        holder->acceptors[at] = (struct acceptor){.elector = *elector, .urgent = true};
    }
    return at != SIZE_MAX && holder->acceptors[at].elector.replica == elector->replica
               ? UINT64_C(1) << at
               : 0;
}

static void holder_add_quorum(struct lease_holder *holder, const struct electorate *electorate)
{
    struct quorum_bits *quorum = &holder->quorums[holder->quorum_count++];
    *quorum = (struct quorum_bits){.majority = electorate_voter_count(electorate) / 2 + 1};
    for (size_t i = placement_first_voter(electorate->count); i < electorate->count; i++)
        quorum->voters |= acceptor_bit(holder, &electorate->members[i]);
}

void lease_holder_set_electorate(struct lease_holder *holder,
                                 const struct electorate_record *record)
{
    bool same = record
                    ? holder->has_electorate && term_equal(&record->term, &holder->record.term) &&
                          record->old_count == holder->record.old_count
                    : !holder->has_electorate;
    if (same)
        return;
    holder->acceptor_count = holder->quorum_count = 0;
    holder->has_electorate = record != NULL;
    if (record) {
        holder->record = *record;
        holder->lease_ms = electorate_lease_ms_min(record);
        holder_add_quorum(holder, &record->now);
        for (size_t i = 0; i < record->old_count; i++)
            holder_add_quorum(holder, &record->olds[i]);
    }
    for (struct held *at = held_after(holder, NULL); at; at = held_after(holder, at))
        at->lease.asked = at->lease.granted = at->lease.refused = 0;
    holder->drop_count = 0; /* their bits mean others now; those leases run out */
    holder->alarm_ms = 0;
}

/* --- Wanting and giving up ------------------------------------------------------------------- */

static struct held *held_find(const struct lease_holder *holder, const struct child_id *child)
{
    char key[CHILD_ID_TEXT_BYTES_MAX];
    child_id_print(child, key, sizeof key);
    return index_find(&holder->leases, span_text(key));
}

struct lease *lease_holder_find(const struct lease_holder *holder, const struct child_id *child)
{
    struct held *held = held_find(holder, child);
    return held ? &held->lease : NULL;
}

static void holder_hurry(struct lease_holder *holder)
{
    for (size_t i = 0; i < holder->acceptor_count; i++)
        holder->acceptors[i].urgent = true;
}

/* It is asked for after all: nobody is to be told that it was given up. */
static void drop_forget(struct lease_holder *holder, const struct child_id *child)
{
    size_t kept = 0;
    for (size_t i = 0; i < holder->drop_count; i++)
        if (child_id_compare(&holder->drops[i].item.child, child) != 0)
            holder->drops[kept++] = holder->drops[i];
    holder->drop_count = kept;
}

/* What may still come true of the epoch before keeps the next one waiting: its page is not moved
 * any more, so when the lease has run out its guard refuses it. */
static uint64_t lease_blocks_until_ms(const struct lease *lease)
{
    uint64_t last_ms = lease->since_ms > lease->born_ms ? lease->since_ms : lease->born_ms;
    uint64_t until_ms = lease->uncertain ? last_ms + lease->lease_ms : 0;
    return until_ms > lease->blocked_until_ms ? until_ms : lease->blocked_until_ms;
}

struct lease *lease_holder_want(struct lease_holder *holder, const struct child_id *child,
                                uint64_t epoch, uint64_t now_ms)
{
    struct held *held = held_find(holder, child);
    if (held && held->lease.epoch == epoch && !held->lease.ending)
        return &held->lease;
    uint64_t blocked_until_ms = 0;
    if (!held) {
        held = xcalloc(1, sizeof *held);
        child_id_print(child, held->key, sizeof held->key);
        index_insert(&holder->leases, span_text(held->key), held);
    } else if (held->lease.epoch != epoch) {
        blocked_until_ms = lease_blocks_until_ms(&held->lease);
    }
    drop_forget(holder, child);
    const struct lease before = held->lease;
    held->lease = (struct lease){
        .child = *child,
        .epoch = epoch,
        .retry_ms = now_ms,
        .born_ms = now_ms,
        .lease_ms = holder->lease_ms ? holder->lease_ms : LEASE_SECONDS_MAX * UINT64_C(1000),
        .blocked_until_ms = blocked_until_ms};
    if (before.epoch ==
        epoch) { /* it was given up and not released: its containers are as before */
        held->lease.uncertain = before.uncertain;
        held->lease.inherited = before.inherited;
        held->lease.lost_start = before.lost_start;
        TEXT_SET(held->lease.container_id, before.container_id);
    }
    held->changed = held->renewed = false;
    holder_hurry(holder);
    return &held->lease;
}

static void drop_tell(struct lease_holder *holder, const struct lease *lease, bool released,
                      uint64_t now_ms)
{
    uint64_t untold = lease->asked | lease->granted;
    if (!untold || holder->drop_count == DROPS_MAX)
        return;
    if (holder->drop_count == holder->drop_capacity) {
        holder->drop_capacity = holder->drop_capacity ? 2 * holder->drop_capacity : 16;
        holder->drops = xrealloc(holder->drops, holder->drop_capacity * sizeof *holder->drops);
    }
    holder->drops[holder->drop_count++] =
        (struct drop){.item = {.child = lease->child, .epoch = lease->epoch, .released = released},
                      .untold = untold,
                      .until_ms = now_ms + lease_span_ms(lease->lease_ms)};
    for (size_t i = 0; i < holder->acceptor_count; i++)
        holder->acceptors[i].urgent |= untold >> i & 1;
}

static void held_free(struct lease_holder *holder, struct held *held)
{
    index_remove(&holder->leases, span_text(held->key));
    free(held);
}

void lease_holder_drop(struct lease_holder *holder, struct lease *lease, uint64_t now_ms)
{
    if (lease->ending)
        return;
    drop_tell(holder, lease, !lease->uncertain, now_ms);
    if (!lease->uncertain && now_ms >= lease->blocked_until_ms) {
        held_free(holder, (struct held *)lease);
        return;
    }
    lease->ending = true;
    lease->asked = lease->granted = lease->refused = 0;
    uint64_t until_ms = lease_blocks_until_ms(lease);
    holder->alarm_ms = until_ms < holder->alarm_ms ? until_ms : holder->alarm_ms;
}

void lease_holder_pause(struct lease_holder *holder, bool paused)
{
    holder->paused = paused;
}

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

/* A drop does not wait for an answer to what was asked before. */
static bool acceptor_has_drops(const struct lease_holder *holder, size_t index)
{
    for (size_t i = 0; i < holder->drop_count; i++)
        if (holder->drops[i].untold >> index & 1)
            return true;
    return false;
}

static bool holder_is_silent(const struct lease_holder *holder)
{
    return !holder->has_electorate || holder->paused ||
           (holder->leases.count == 0 && holder->drop_count == 0);
}

static void ask_fill(struct lease_holder *holder, uint64_t bit, struct lease_ask *ask)
{
    bool all = ask->generation == 0;
    ask->adds = xcalloc(holder->leases.count + 1, sizeof *ask->adds);
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

static void holder_forget_drops(struct lease_holder *holder, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < holder->drop_count; i++)
        if (holder->drops[i].untold && now_ms < holder->drops[i].until_ms)
            holder->drops[kept++] = holder->drops[i];
    holder->drop_count = kept;
}

bool lease_holder_send(struct lease_holder *holder, uint64_t now_ms, struct lease_ask *ret_ask,
                       char ret_acceptor[NAME_BYTES_MAX + 1])
{
    memset(ret_ask, 0, sizeof *ret_ask);
    holder_forget_drops(holder, now_ms);
    if (holder_is_silent(holder))
        return false;
    for (size_t i = 0; i < holder->acceptor_count; i++) {
        struct acceptor *acceptor = &holder->acceptors[i];
        bool drops = acceptor->urgent && acceptor_has_drops(holder, i);
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

static void lease_move(struct lease_holder *holder, struct held *held, enum lease_state state)
{
    static const uint8_t allowed[] = {
        [LEASE_STATE_ASKED] = 1u << LEASE_STATE_HELD,
        [LEASE_STATE_HELD] = 1u << LEASE_STATE_LATE,
        [LEASE_STATE_LATE] = 1u << LEASE_STATE_HELD,
    };
    if (held->lease.state == state)
        return;
    assert(allowed[held->lease.state] & 1u << state);
    held->lease.state = state;
    holder->lost += state == LEASE_STATE_LATE;
    held->changed = holder->news = true;
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

static void drops_told(struct lease_holder *holder, uint64_t bit)
{
    for (size_t i = 0; i < holder->drop_count; i++) {
        holder->drops[i].untold &= ~(holder->drops[i].telling & bit);
        holder->drops[i].telling &= ~bit;
    }
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

/* --- Time ------------------------------------------------------------------------------------ */

/* The lease's own next moment, having come to this one. */
static uint64_t held_tick(struct lease_holder *holder, struct held *held, uint64_t now_ms)
{
    struct lease *lease = &held->lease;
    uint64_t next_ms = UINT64_MAX;
    uint64_t late_ms = lease->since_ms + lease_term_ms(lease->lease_ms);
    uint64_t kill_ms = lease->since_ms + lease_kill_ms(lease->lease_ms);
    if (lease->refused && now_ms >= lease->retry_ms) {
        lease->refused = 0;
        holder_hurry(holder);
    } else if (lease->refused) {
        next_ms = lease->retry_ms;
    }
    if (lease->state == LEASE_STATE_HELD && now_ms >= late_ms)
        lease_move(holder, held, LEASE_STATE_LATE);
    else if (lease->state == LEASE_STATE_HELD && late_ms < next_ms)
        next_ms = late_ms;
    if (lease->state == LEASE_STATE_LATE && !lease->killing) {
        lease->killing = now_ms >= kill_ms;
        if (lease->killing)
            held->changed = holder->news = true;
        else if (kill_ms < next_ms)
            next_ms = kill_ms;
    }
    if (lease->blocked_until_ms > 0 && now_ms >= lease->blocked_until_ms) {
        lease->blocked_until_ms = 0;
        held->changed = holder->news = true;
    } else if (lease->blocked_until_ms > 0 && lease->blocked_until_ms < next_ms) {
        next_ms = lease->blocked_until_ms;
    }
    return next_ms;
}

void lease_holder_tick(struct lease_holder *holder, uint64_t now_ms)
{
    if (now_ms < holder->alarm_ms)
        return;
    uint64_t alarm_ms = UINT64_MAX;
    for (struct held *at = held_after(holder, NULL), *next; at; at = next) {
        next = held_after(holder, at);
        uint64_t next_ms = held_tick(holder, at, now_ms);
        if (at->lease.ending) {
            next_ms = lease_blocks_until_ms(&at->lease);
            if (now_ms >= next_ms) {
                held_free(holder, at);
                continue;
            }
        }
        alarm_ms = next_ms < alarm_ms ? next_ms : alarm_ms;
    }
    holder->alarm_ms = alarm_ms;
}

struct lease *lease_holder_news(struct lease_holder *holder, const struct lease *after,
                                bool *ret_state)
{
    if (!holder->news)
        return NULL;
    for (struct held *at = held_after(holder, (const struct held *)after); at;
         at = held_after(holder, at)) {
        if (!at->changed && !at->renewed)
            continue;
        *ret_state = at->changed;
        at->changed = at->renewed = false;
        return &at->lease;
    }
    holder->news = false;
    return NULL;
}

uint64_t lease_holder_deadline(const struct lease_holder *holder)
{
    uint64_t deadline_ms = holder->alarm_ms;
    for (size_t i = 0; i < holder->acceptor_count && !holder_is_silent(holder); i++) {
        uint64_t due_ms = acceptor_due_ms(holder, &holder->acceptors[i]);
        if (holder->acceptors[i].urgent && acceptor_has_drops(holder, i))
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

bool lease_is_good_for_start(const struct lease *lease, uint64_t now_ms)
{
    return lease && lease->state == LEASE_STATE_HELD && !lease->ending &&
           now_ms < lease->since_ms + lease_term_ms(lease->lease_ms) &&
           now_ms >= lease->blocked_until_ms;
}

struct lease_counts lease_holder_counts(const struct lease_holder *holder, uint64_t now_ms)
{
    struct lease_counts counts = {
        .renewals = holder->renewals, .lost = holder->lost, .left_ms = UINT64_MAX};
    for (const struct held *at = held_after(holder, NULL); at; at = held_after(holder, at)) {
        uint64_t end_ms = at->lease.since_ms + lease_guard_ms(at->lease.lease_ms);
        uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
        bool held = at->lease.state != LEASE_STATE_ASKED && !at->lease.ending;
        counts.held += held;
        counts.asked += at->lease.state == LEASE_STATE_ASKED && !at->lease.ending;
        if (held && left_ms < counts.left_ms)
            counts.left_ms = left_ms;
    }
    return counts;
}

void lease_holder_check(const struct lease_holder *holder)
{
    for (const struct held *at = held_after(holder, NULL); at; at = held_after(holder, at)) {
        const struct lease *lease = &at->lease;
        assert(lease->epoch > 0 && !(lease->asked & lease->granted));
        assert(lease->state == LEASE_STATE_ASKED || lease->since_ms > 0);
        assert(!lease->ending || !(lease->asked | lease->granted | lease->refused));
    }
}
