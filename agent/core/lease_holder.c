/* The holder of leases: what it has asked of whom, what a majority of them has granted, and when it
 * asks again. One holder per supervisor; machine and argument: lease.h.
 *
 * An acceptor is a bit. A lease's `granted` bits say in whose session it is, as confirmed; the
 * session's time is that of the last request that this acceptor has answered with yes, counted from
 * when it was sent. So one number per acceptor renews any number of leases. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/lease_holder_private.h"
#include "placement/strategy.h"

struct held *held_after(const struct lease_holder *holder, const struct held *held)
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
    return index_count(&holder->leases);
}

const struct electorate_record *lease_holder_electorate(const struct lease_holder *holder)
{
    return holder->has_electorate ? &holder->record : NULL;
}

/* --- Whose votes count ----------------------------------------------------------------------- */

size_t acceptor_find(const struct lease_holder *holder, const char *node)
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

void holder_hurry(struct lease_holder *holder)
{
    for (size_t i = 0; i < holder->acceptor_count; i++)
        holder->acceptors[i].urgent = true;
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
    drop_take_back(holder, child, epoch);
    if (!held) {
        held = xcalloc(1, sizeof *held);
        child_id_print(child, held->key, sizeof held->key);
        index_insert(&holder->leases, span_text(held->key), held);
    } else { /* what may come true of its own epoch keeps nobody waiting */
        blocked_until_ms = held->lease.epoch != epoch ? lease_blocks_until_ms(&held->lease)
                                                      : held->lease.blocked_until_ms;
        if (!held->lease.ending)
            drop_tell(holder, &held->lease, false, now_ms);
    }
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

static void held_free(struct lease_holder *holder, struct held *held)
{
    index_remove(&holder->leases, span_text(held->key));
    free(held);
}

void lease_holder_drop(struct lease_holder *holder, struct lease *lease, uint64_t now_ms)
{
    if (lease->ending)
        return;
    bool over = !lease->uncertain && now_ms >= lease->blocked_until_ms;
    drop_tell(holder, lease, over, now_ms);
    if (over) {
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

/* --- Time ------------------------------------------------------------------------------------ */

void lease_move(struct lease_holder *holder, struct held *held, enum lease_state state)
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
