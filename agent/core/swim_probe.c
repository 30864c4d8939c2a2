/* Whom to ask, and when an answer is overdue.
 *
 * The idea: a member is asked by plan only when it was not heard within the last second, in the
 * order of a shuffled round, at most one each probe period. In a small cluster each pair so makes
 * one exchange a second, whoever of the two begins it; in a large one (swim_circle.c) everybody
 * asks four a second.
 * A question unanswered after direct_ms goes to three others too; after total_ms it is a suspicion.
 * Beside the plan: uninitialized members are asked each second, dead ones three a second in turn,
 * and those whose connection broke at once, with short times.
 *
 * Local health (Lifeguard section IV-A): who misses answers that others got, or is accused itself,
 * is probably slow, and gives everybody more time.
 *
 * Invariants: a question by plan goes to living members only; each has at most one probe. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/swim_state.h"

enum { SEQUENCE_END = 1 << 14 }; /* two bytes as a varint; comes round after an hour */

uint32_t swim_next_sequence(struct swim *swim)
{
    swim->sequence = (swim->sequence + 1) % SEQUENCE_END;
    return swim->sequence;
}

void swim_send_message(struct swim *swim, const char *address, const struct swim_member *to,
                       struct swim_message *message, struct effects *effects)
{
    message->shutting_down = swim->self.shutting_down;
    message->incarnation = swim->self.incarnation;
    message->has_payload = message->kind == SWIM_PING || message->kind == SWIM_ACK;
    memcpy(message->payload, swim->payload, sizeof message->payload);
    buffer_clear(&swim->buffer);
    swim_message_encode(&swim->buffer, message);
    swim_rumour_append(swim, to);
    swim->send(swim->send_context, address, buffer_view(&swim->buffer), effects);
}

/* nng and the kernel would wait far longer before they dial again. */
static void ping_reconnect(struct swim *swim, struct swim_member *member, struct effects *effects)
{
    struct swim_past *past = swim_past_of(member);
    if (past->unanswered_ms == 0) {
        past->unanswered_ms = swim->now_ms;
        return;
    }
    if (swim->now_ms - past->unanswered_ms < SWIM_RECONNECT_MS)
        return;
    past->unanswered_ms = swim->now_ms;
    effects_reconnect(effects, member->address);
}

void swim_ping(struct swim *swim, struct swim_member *member, uint32_t sequence,
               struct effects *effects)
{
    bool in_touch = member->state == STATE_ALIVE && swim_past(member)->unanswered_ms == 0;
    ping_reconnect(swim, member, effects);
    struct swim_message message = {.kind = SWIM_PING, .sequence = sequence};
    if (!in_touch) /* it may not know us */
        message.address = span_text(swim->self.address);
    swim_send_message(swim, member->address, member, &message, effects);
}

/* --- a probe ------------------------------------------------------------------------------- */

void swim_probe_start(struct swim *swim, struct swim_member *member, bool hinted,
                      struct effects *effects)
{
    swim_member_watch(swim, member);
    struct swim_probe *probe = &member->trouble->probe;
    if (probe->active && (probe->hinted || !hinted))
        return;
    const struct swim_timing *timing = &swim->timing;
    uint64_t patience = 1 + swim->health;
    *probe = (struct swim_probe){
        .active = true,
        .hinted = hinted,
        .sequence = swim_next_sequence(swim),
        .direct_deadline_ms =
            swim->now_ms + patience * (hinted ? timing->hint_direct_ms : timing->direct_ms),
        .deadline_ms =
            swim->now_ms + patience * (hinted ? timing->hint_total_ms : timing->total_ms),
    };
    swim_watched_changed(swim, member);
    swim_ping(swim, member, probe->sequence, effects);
}

void swim_probe_acked(struct swim *swim, struct swim_member *member)
{
    swim_member_end_probe(member);
    swim_improve(swim);
}

/* The direct question is repeated: it may have been lost, or have gone to a connection that was
 * about to be made anew. */
static void probe_ask_others(struct swim *swim, struct swim_member *member, struct effects *effects)
{
    struct swim_probe *probe = &member->trouble->probe;
    struct swim_member *helpers[SWIM_HELPERS_MAX];
    size_t count = swim_pick(swim, member, helpers, SWIM_HELPERS_MAX);
    probe->asked_others = true;
    probe->helpers = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        struct swim_message message = {
            .kind = SWIM_PING_REQ,
            .sequence = probe->sequence,
            .subject = span_text(member->name),
            .wait_ms = (probe->deadline_ms - swim->now_ms) * 3 / 4, /* a quarter for the way back */
        };
        swim_send_message(swim, helpers[i]->address, helpers[i], &message, effects);
    }
    swim_ping(swim, member, probe->sequence, effects);
}

static void probe_failed(struct swim *swim, struct swim_member *member, struct effects *effects)
{
    struct swim_probe probe = member->trouble->probe;
    swim_member_end_probe(member);
    member->due_ms = swim->now_ms;
    if (swim_member_reachable(member) && (probe.helpers == 0 || probe.nacks < probe.helpers))
        swim_worsen(swim); /* not even the helpers were heard: it may be us */
    bool first = !swim_member_is_suspected(member);
    swim_member_accuse(swim, member, probe.hinted);
    if (!first)
        return;
    effects_trace(effects, "%s does not answer%s, nor does it %u others: suspect", member->name,
                  probe.hinted ? " after its connection broke" : "", probe.helpers);
    swim_ping(swim, member, swim_next_sequence(swim), effects); /* so that it hears of it */
}

/* --- what goes on -------------------------------------------------------------------------- */

/* The verdict is a member's own: shortly before, it asks the suspect itself a last time. All
 * contradictions may have been lost on the way to us. */
static uint64_t suspicion_wake_ms(struct swim *swim, const struct swim_member *member)
{
    const struct swim_suspicion *suspicion = &member->trouble->suspicion;
    uint64_t deadline_ms = swim_suspicion_deadline_ms(swim, member);
    uint64_t wait_ms = suspicion->hinted ? swim->timing.hint_direct_ms : swim->timing.direct_ms;
    if (suspicion->asked_ms == 0)
        return deadline_ms - wait_ms;
    uint64_t answered_ms = suspicion->asked_ms + wait_ms;
    return deadline_ms > answered_ms ? deadline_ms : answered_ms;
}

static void suspicion_tick(struct swim *swim, struct swim_member *member, struct effects *effects)
{
    struct swim_suspicion *suspicion = &member->trouble->suspicion;
    if (swim->now_ms < suspicion_wake_ms(swim, member))
        return;
    if (suspicion->asked_ms == 0) {
        suspicion->asked_ms = swim->now_ms;
        swim_ping(swim, member, swim_next_sequence(swim), effects);
        return;
    }
    effects_trace(effects, "%s has not contradicted %u accusers for %llu ms: dead", member->name,
                  suspicion->accuser_count,
                  (unsigned long long)(swim->now_ms - suspicion->started_ms));
    swim_member_die(swim, member, swim->self.name);
}

static uint64_t watched_wake_ms(struct swim *swim, const struct swim_member *member)
{
    const struct swim_probe *probe = &member->trouble->probe;
    uint64_t probe_ms = SWIM_NEVER, suspicion_ms = SWIM_NEVER;
    if (probe->active)
        probe_ms = probe->asked_others ? probe->deadline_ms : probe->direct_deadline_ms;
    if (swim_member_is_suspected(member))
        suspicion_ms = suspicion_wake_ms(swim, member);
    return probe_ms < suspicion_ms ? probe_ms : suspicion_ms;
}

/* In a large cluster what was found out at the last look holds until something begins or becomes
 * shorter: that it may have ended is no harm. */
void swim_watched_changed(struct swim *swim, const struct swim_member *member)
{
    if (swim->watched_count == 0)
        return;
    uint64_t soon_ms = swim->watched_looked_ms + SWIM_WATCH_PACE_MS;
    uint64_t due_ms = member ? watched_wake_ms(swim, member) : 0;
    if (due_ms < soon_ms)
        due_ms = soon_ms;
    if (due_ms < swim->watched_due_ms)
        swim->watched_due_ms = due_ms;
}

static void watched_look(struct swim *swim, struct effects *effects)
{
    for (size_t i = 0; i < swim->watched_count;) {
        struct swim_member *member = swim->watched[i];
        struct swim_probe *probe = &member->trouble->probe;
        if (probe->active && swim->now_ms >= probe->deadline_ms)
            probe_failed(swim, member, effects);
        else if (probe->active && !probe->asked_others && swim->now_ms >= probe->direct_deadline_ms)
            probe_ask_others(swim, member, effects);
        if (swim_member_is_suspected(member))
            suspicion_tick(swim, member, effects);
        if (probe->active || swim_member_is_suspected(member)) {
            i++;
            continue;
        }
        free(member->trouble);
        member->trouble = NULL;
        swim->watched[i] = swim->watched[--swim->watched_count];
    }
}

static uint64_t watched_earliest(struct swim *swim)
{
    uint64_t deadline_ms = SWIM_NEVER;
    for (size_t i = 0; i < swim->watched_count; i++) {
        uint64_t wake_ms = watched_wake_ms(swim, swim->watched[i]);
        if (wake_ms < deadline_ms)
            deadline_ms = wake_ms;
    }
    return deadline_ms;
}

static void watched_tick(struct swim *swim, struct effects *effects)
{
    if (swim_is_large(swim) && swim->now_ms < swim->watched_due_ms)
        return;
    watched_look(swim, effects);
    swim->watched_looked_ms = swim->now_ms;
    swim->watched_due_ms = SWIM_NEVER;
    uint64_t soon_ms = swim->now_ms + SWIM_WATCH_PACE_MS, due_ms = watched_earliest(swim);
    swim->watched_due_ms = due_ms > soon_ms ? due_ms : soon_ms;
}

static uint64_t watched_deadline(struct swim *swim)
{
    if (swim->watched_count == 0)
        return SWIM_NEVER;
    return swim_is_large(swim) ? swim->watched_due_ms : watched_earliest(swim);
}

/* --- whom to ask by plan ------------------------------------------------------------------- */

static void order_shuffle(struct swim *swim)
{
    for (size_t i = swim->member_count; i > 1; i--) {
        size_t k = (size_t)random_below(&swim->random, i);
        struct swim_member *member = swim->order[i - 1];
        swim->order[i - 1] = swim->order[k];
        swim->order[k] = member;
    }
}

/* The next of the round who is due, or NULL; then *ret_next_ms is when the first will be. Looks at
 * twice as many as there are: a round that ends on the way is shuffled anew, and nobody may be
 * missed. */
static struct swim_member *plan_next(struct swim *swim, uint64_t *ret_next_ms)
{
    *ret_next_ms = SWIM_NEVER;
    for (size_t i = 0; i < 2 * swim->member_count; i++) {
        if (swim->order_cursor >= swim->member_count) {
            swim->order_cursor = 0;
            order_shuffle(swim);
        }
        struct swim_member *member = swim->order[swim->order_cursor++];
        if (member->state != STATE_ALIVE || swim_member_is_probed(member))
            continue;
        if (member->due_ms <= swim->now_ms)
            return member;
        if (member->due_ms < *ret_next_ms)
            *ret_next_ms = member->due_ms;
    }
    return NULL;
}

static void plan_tick(struct swim *swim, struct effects *effects)
{
    if (swim->now_ms < swim->probe_next_ms)
        return;
    uint64_t period_ms = swim->timing.probe_period_ms * (1 + swim->health);
    uint64_t next_ms;
    struct swim_member *member =
        swim_is_large(swim) ? swim_finger_due(swim, &next_ms) : plan_next(swim, &next_ms);
    if (member) {
        swim_probe_start(swim, member, false, effects);
        next_ms = swim->now_ms + period_ms;
    } else if (next_ms == SWIM_NEVER) {
        next_ms = swim->now_ms + period_ms; /* nobody, or all are being asked */
    }
    swim->probe_next_ms = next_ms;
}

/* After the grace the question is a real one, which may end in a verdict. */
static void uninitialized_ask(struct swim *swim, struct swim_member *member,
                              struct effects *effects)
{
    member->due_ms = swim->now_ms + SWIM_ASK_MS;
    if (swim_in_grace(swim) || swim_member_is_suspected(member))
        swim_ping(swim, member, swim_next_sequence(swim), effects);
    else
        swim_probe_start(swim, member, false, effects);
}

static void uninitialized_tick(struct swim *swim, struct effects *effects)
{
    if (swim->state_counts[STATE_UNINITIALIZED] == 0 || swim->now_ms < swim->uninitialized_next_ms)
        return;
    uint64_t next_ms = swim->now_ms + SWIM_ASK_MS;
    uint64_t pace_ms = swim->bursts < SWIM_BURSTS_MAX ? SWIM_BURST_MS : SWIM_ASK_MS;
    unsigned asked = 0;
    for (size_t i = 0; i < swim->member_count; i++) {
        swim->uninitialized_cursor = (swim->uninitialized_cursor + 1) % swim->member_count;
        struct swim_member *member = swim->members[swim->uninitialized_cursor];
        if (member->state != STATE_UNINITIALIZED)
            continue;
        if (member->due_ms <= swim->now_ms) {
            if (asked == SWIM_BURST) {
                swim->uninitialized_cursor--; /* unsigned: from 0 it comes back to 0 by the % */
                next_ms = swim->now_ms + pace_ms;
                swim->bursts += swim->bursts < SWIM_BURSTS_MAX;
                break;
            }
            uninitialized_ask(swim, member, effects);
            asked++;
        }
        if (member->due_ms < next_ms)
            next_ms = member->due_ms;
    }
    swim->uninitialized_next_ms = next_ms;
}

/* The next dead one in turn; one that spoke goes before: then all are looked at. */
static struct swim_member *dead_next(struct swim *swim)
{
    struct swim_member *next = NULL;
    size_t cursor = swim->dead_cursor;
    for (size_t i = 0; i < swim->member_count && (!next || swim->dead_spoke); i++) {
        cursor = (cursor + 1) % swim->member_count;
        struct swim_member *member = swim->members[cursor];
        if (member->state != STATE_DEAD)
            continue;
        if (member->spoke)
            return member;
        if (!next) {
            next = member;
            swim->dead_cursor = cursor;
        }
    }
    swim->dead_spoke = false;
    return next;
}

static void dead_tick(struct swim *swim, struct effects *effects)
{
    size_t dead = swim->state_counts[STATE_DEAD];
    if (dead == 0 || swim->now_ms < swim->dead_next_ms)
        return;
    struct swim_member *member = dead_next(swim);
    assert(member && member->state == STATE_DEAD);
    member->spoke = false;
    swim_past_of(member)->told_ms = swim->now_ms;
    swim_ping(swim, member, swim_next_sequence(swim), effects);
    size_t per_second = dead < SWIM_DEAD_PER_SECOND ? dead : SWIM_DEAD_PER_SECOND;
    swim->dead_next_ms = swim->now_ms + SWIM_ASK_MS / per_second;
}

void swim_probe_tick(struct swim *swim, struct effects *effects)
{
    watched_tick(swim, effects);
    uninitialized_tick(swim, effects);
    dead_tick(swim, effects);
    plan_tick(swim, effects);
}

uint64_t swim_probe_deadline(struct swim *swim)
{
    uint64_t deadline_ms = watched_deadline(swim);
    if (swim->member_count > 0 && swim->probe_next_ms < deadline_ms)
        deadline_ms = swim->probe_next_ms;
    if (swim->state_counts[STATE_UNINITIALIZED] > 0 && swim->uninitialized_next_ms < deadline_ms)
        deadline_ms = swim->uninitialized_next_ms;
    if (swim->state_counts[STATE_DEAD] > 0 && swim->dead_next_ms < deadline_ms)
        deadline_ms = swim->dead_next_ms;
    return deadline_ms;
}
