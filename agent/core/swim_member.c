/* What we hold of each member, and how that changes: evidence, accusations, verdicts.
 *
 * The idea: only a member itself raises its incarnation, so of two statements about it the one with
 * the greater incarnation is the newer; at equal ones the worse is believed (dead over suspect over
 * alive), and the member, who hears it, contradicts with a greater one. Beyond SWIM: what we hear
 * with our own ears ends a suspicion here (not the rumour), and a death that no suspicion announced
 * is checked first: a minority that comes back from a split tells many such.
 *
 * Invariants: state_counts adds up to member_count; a dead member has neither probe nor suspicion;
 * members that may have one are in `watched`. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/swim_state.h"
#include "placement/hash.h"

static const uint8_t state_allowed[STATE_COUNT] = {
    [STATE_UNINITIALIZED] = 1u << STATE_ALIVE | 1u << STATE_DEAD,
    [STATE_ALIVE] = 1u << STATE_DEAD,
    [STATE_DEAD] = 1u << STATE_ALIVE,
};

static void member_note_change(struct swim *swim, struct swim_member *member)
{
    if (member->changed)
        return;
    member->changed = true;
    if (swim->changed_count == swim->changed_capacity) {
        swim->changed_capacity = swim->changed_capacity ? 2 * swim->changed_capacity : 8;
        swim->changed = xrealloc(swim->changed, swim->changed_capacity * sizeof *swim->changed);
    }
    swim->changed[swim->changed_count++] = member;
}

static void member_move(struct swim *swim, struct swim_member *member, enum swim_state state)
{
    assert(state_allowed[member->state] & 1u << state);
    assert(swim->state_counts[member->state] > 0);
    swim->state_counts[member->state]--;
    swim->state_counts[state]++;
    member->state = (uint8_t)state;
    swim_watched_changed(swim, NULL); /* patience is of the number of the living */
    member_note_change(swim, member);
}

struct span swim_member_name(const struct swim_member *member)
{
    return span_of(member->name, member->name_bytes);
}

size_t swim_member_place(const struct swim *swim, struct span name)
{
    size_t low = 0, high = swim->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_compare(swim_member_name(swim->members[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct span item_name(const struct table_item *item)
{
    return swim_member_name((const struct swim_member *)item);
}

struct swim_member *swim_member_find(const struct swim *swim, struct span name)
{
    return (struct swim_member *)table_find(&swim->names, table_hash(name), name, item_name);
}

bool swim_member_is_probed(const struct swim_member *member)
{
    return member->trouble && member->trouble->probe.active;
}

bool swim_member_is_suspected(const struct swim_member *member)
{
    return member->trouble && member->trouble->suspicion.active;
}

bool swim_member_reachable(const struct swim_member *member)
{
    return member->state == STATE_ALIVE && !swim_member_is_suspected(member);
}

/* Who was never heard is not presented as a suspect, since suspects keep their work; neither is who
 * is shutting down. */
enum placement_phase swim_member_phase(const struct swim_member *member)
{
    if (member->state == STATE_UNINITIALIZED)
        return PLACEMENT_UNINITIALIZED;
    if (member->state == STATE_DEAD)
        return PLACEMENT_DEAD;
    if (member->shutting_down)
        return PLACEMENT_SHUTTING_DOWN;
    return swim_member_is_suspected(member) ? PLACEMENT_SUSPECT : PLACEMENT_ALIVE;
}

size_t swim_live_count(const struct swim *swim)
{
    return swim->state_counts[STATE_ALIVE] + 1;
}

bool swim_in_grace(const struct swim *swim)
{
    return swim->now_ms - swim->started_ms < swim->start_grace_ms;
}

void swim_member_release(struct swim_member *member)
{
    free(member->trouble);
    swim_past_free(member);
}

void swim_member_watch(struct swim *swim, struct swim_member *member)
{
    if (member->trouble)
        return;
    assert(swim->watched_count < swim->member_count);
    if (swim->watched_count == swim->watched_capacity) {
        swim->watched_capacity = swim->watched_capacity ? 2 * swim->watched_capacity : 8;
        swim->watched = xrealloc(swim->watched, swim->watched_capacity * sizeof *swim->watched);
    }
    member->trouble = xcalloc(1, sizeof *member->trouble);
    swim->watched[swim->watched_count++] = member;
}

void swim_member_end_probe(struct swim_member *member)
{
    if (member->trouble)
        member->trouble->probe.active = false;
}

void swim_worsen(struct swim *swim)
{
    if (swim->health < SWIM_HEALTH_MAX)
        swim->health++;
}

void swim_improve(struct swim *swim)
{
    if (swim->health > 0)
        swim->health--;
}

/* Another boot is a change that the caller hears of, though the phase may stay. */
static void member_raise(struct swim *swim, struct swim_member *member, uint64_t incarnation)
{
    assert(incarnation > member->incarnation);
    if (member->incarnation > 0 && member->incarnation >> 32 != incarnation >> 32)
        member_note_change(swim, member);
    member->incarnation = incarnation;
    member->accused = false;
}

static void member_end_suspicion(struct swim *swim, struct swim_member *member)
{
    if (!swim_member_is_suspected(member))
        return;
    member_note_change(swim, member);
    member->trouble->suspicion = (struct swim_suspicion){0};
}

/* --- evidence ------------------------------------------------------------------------------ */

/* What a killed process sent last may arrive after the news of its broken connection. */
static bool member_hint_unsettled(const struct swim *swim, const struct swim_member *member)
{
    uint64_t hinted_ms = swim_past(member)->hinted_ms;
    return hinted_ms > 0 && swim->now_ms - hinted_ms < swim->timing.hint_settle_ms;
}

static void member_set_shutting_down(struct swim *swim, struct swim_member *member,
                                     bool shutting_down)
{
    if (member->shutting_down == shutting_down)
        return;
    member_note_change(swim, member);
    member->shutting_down = shutting_down;
    swim_watched_changed(swim, NULL);
}

static bool member_speaks_dead(struct swim *swim, struct swim_member *member)
{
    uint64_t soon_ms = swim_past(member)->told_ms + SWIM_TELL_MS;
    member->spoke = swim->dead_spoke = true;
    if (soon_ms < swim->dead_next_ms)
        swim->dead_next_ms = soon_ms;
    return false;
}

bool swim_member_speaks(struct swim *swim, struct swim_member *member, uint64_t incarnation,
                        bool shutting_down, bool answers)
{
    bool newer = incarnation > member->incarnation;
    if (member->state == STATE_DEAD && !newer)
        return member_speaks_dead(swim, member);
    if (!newer && !answers && member_hint_unsettled(swim, member))
        return true;
    bool unknown = member->state == STATE_UNINITIALIZED;
    if (newer)
        member_raise(swim, member, incarnation);
    /* An earlier run of its, that it knows nothing of any more, was further: what was told of that
     * run stands until it hears so, and says something newer. */
    if (incarnation > 0)
        member->outdated = incarnation < member->incarnation;
    if (incarnation == member->incarnation)
        member_set_shutting_down(swim, member, shutting_down);
    member->heard_ms = swim->now_ms;
    swim_past_unhint(member);
    swim_member_end_probe(member);
    member_end_suspicion(swim, member);
    if (member->state != STATE_ALIVE)
        member_move(swim, member, STATE_ALIVE);
    swim_past_tidy(swim, member);
    if (newer || unknown)
        swim_rumour_queue(swim, member, NULL, !unknown);
    return true;
}

/* --- accusations --------------------------------------------------------------------------- */

static uint64_t accuser_hash(const char *name)
{
    return placement_hash(name, strlen(name));
}

static void suspicion_start(struct swim *swim, struct swim_member *member, const char *accuser,
                            bool hinted)
{
    assert(member->state != STATE_DEAD && !swim_member_is_suspected(member));
    swim_member_watch(swim, member);
    member->trouble->suspicion = (struct swim_suspicion){
        .active = true,
        .hinted = hinted,
        .started_ms = swim->now_ms,
        .accusers = {accuser_hash(accuser)},
        .accuser_count = 1,
    };
    member->accused = true;
    member_note_change(swim, member);
    swim_watched_changed(swim, member);
    swim_rumour_queue(swim, member, accuser, true);
}

static bool suspicion_has_enough(const struct swim *swim, const struct swim_suspicion *suspicion)
{
    unsigned hoped = 1 + swim_confirmations_hoped(swim_live_count(swim));
    assert(hoped <= SWIM_ACCUSERS_MAX);
    return suspicion->accuser_count >= hoped;
}

/* One more who says so, if that still shortens anything. */
static void suspicion_confirm(struct swim *swim, struct swim_member *member, const char *accuser)
{
    struct swim_suspicion *suspicion = &member->trouble->suspicion;
    if (suspicion_has_enough(swim, suspicion))
        return;
    uint64_t hash = accuser_hash(accuser);
    for (unsigned i = 0; i < suspicion->accuser_count; i++)
        if (suspicion->accusers[i] == hash)
            return;
    suspicion->accusers[suspicion->accuser_count++] = hash;
    swim_watched_changed(swim, member);
    swim_rumour_queue(swim, member, accuser, true);
}

void swim_member_accuse(struct swim *swim, struct swim_member *member, bool hinted)
{
    if (!swim_member_is_suspected(member)) {
        suspicion_start(swim, member, swim->self.name, hinted);
        return;
    }
    suspicion_confirm(swim, member, swim->self.name);
    struct swim_suspicion *suspicion = &member->trouble->suspicion;
    if (hinted && !suspicion->hinted) {
        suspicion->hinted = true;
        suspicion->started_ms = swim->now_ms;
        swim_watched_changed(swim, member);
    }
}

static uint64_t suspicion_patience_ms(const struct swim *swim, bool hinted, bool shutting_down,
                                      unsigned accusers)
{
    const struct swim_timing *timing = &swim->timing;
    size_t live = swim_live_count(swim);
    uint64_t min_ms = swim_suspicion_ms_min(timing, live);
    uint64_t max_ms = min_ms * SWIM_SUSPICION_STRETCH;
    if (hinted) {
        min_ms = timing->hint_suspicion_ms_min;
        max_ms = timing->hint_suspicion_ms_max;
    }
    uint64_t stretch = shutting_down ? SWIM_SHUTTING_DOWN_STRETCH : 1;
    return suspicion_remaining_ms(accusers - 1, swim_confirmations_hoped(live), 0, min_ms * stretch,
                                  max_ms * stretch);
}

/* When the verdict is due: a suspect must have been asked by us, and have had the time to answer.
 * Of many suspects it is asked at each step: logarithms are taken once. */
uint64_t swim_suspicion_deadline_ms(struct swim *swim, const struct swim_member *member)
{
    const struct swim_suspicion *suspicion = &member->trouble->suspicion;
    if (swim->patience_live != swim_live_count(swim)) {
        memset(swim->patience_ms, 0, sizeof swim->patience_ms);
        swim->patience_live = swim_live_count(swim);
    }
    uint64_t *patience_ms =
        &swim->patience_ms[suspicion->hinted][member->shutting_down][suspicion->accuser_count - 1];
    if (*patience_ms == 0)
        *patience_ms = suspicion_patience_ms(swim, suspicion->hinted, member->shutting_down,
                                             suspicion->accuser_count);
    return suspicion->started_ms + *patience_ms;
}

void swim_member_die(struct swim *swim, struct swim_member *member, const char *accuser)
{
    if (member->trouble)
        *member->trouble = (struct swim_trouble){0};
    swim_past_unhint(member);
    member->spoke = false;
    member->accused = true;
    if (swim->state_counts[STATE_DEAD] == 0)
        swim->dead_next_ms = swim->now_ms + SWIM_ASK_MS;
    member_move(swim, member, STATE_DEAD);
    swim_ask_dead_soon(swim);
    swim_rumour_queue(swim, member, accuser, true);
}

/* --- rumours ------------------------------------------------------------------------------- */

/* The accuser should hear the contradiction before anybody else. */
static bool judge_self(struct swim *swim, struct swim_member *from,
                       const struct swim_rumour_text *rumour, struct effects *effects)
{
    struct swim_member *self = &swim->self;
    bool accusation = rumour->kind == RUMOUR_SUSPECT || rumour->kind == RUMOUR_DEAD;
    if (rumour->incarnation + (accusation ? 1 : 0) <= self->incarnation)
        return false;
    self->incarnation = rumour->incarnation + 1;
    swim_rumour_queue(swim, self, NULL, true);
    if (!accusation)
        return false; /* an earlier run of ours, whose boot we have lost, was further */
    swim_worsen(swim);
    struct swim_member *accuser = swim_member_find(swim, rumour->accuser);
    if (accuser && accuser != from)
        swim_gossip_to(swim, accuser, effects);
    return true;
}

static void judge_alive(struct swim *swim, struct swim_member *member,
                        const struct swim_rumour_text *rumour)
{
    if (rumour->incarnation <= member->incarnation)
        return;
    bool unknown = member->state == STATE_UNINITIALIZED;
    member_raise(swim, member, rumour->incarnation);
    member_set_shutting_down(swim, member, rumour->kind == RUMOUR_SHUTTING_DOWN);
    member_end_suspicion(swim, member);
    if (member->state != STATE_ALIVE)
        member_move(swim, member, STATE_ALIVE);
    swim_past_tidy(swim, member);
    swim_rumour_queue(swim, member, NULL, !unknown);
    if (unknown && swim->member_count > SWIM_MESH_MAX)
        swim_rumour_is_hearsay(swim, member);
}

static bool member_just_heard(const struct swim *swim, const struct swim_member *member)
{
    return member->heard_ms > swim_past(member)->hinted_ms &&
           swim->now_ms - member->heard_ms < swim->timing.direct_ms;
}

static void judge_suspect(struct swim *swim, struct swim_member *member,
                          const struct swim_rumour_text *rumour, struct effects *effects)
{
    if (swim_member_is_suspected(member) && suspicion_has_enough(swim, &member->trouble->suspicion))
        return;
    struct swim_member *accuser = swim_member_find(swim, rumour->accuser);
    if (!accuser || accuser == member)
        return; /* our own accusation coming back, or one that we cannot attribute */
    if (swim_member_is_suspected(member)) {
        suspicion_confirm(swim, member, accuser->name);
        return;
    }
    if (member_just_heard(swim, member)) {
        swim_gossip_accusation(swim, member, rumour, effects);
        return;
    }
    suspicion_start(swim, member, accuser->name, false);
    if (random_below(&swim->random, swim_live_count(swim)) < SWIM_CONFIRMERS)
        swim_probe_start(swim, member, false, effects);
}

static void judge_dead(struct swim *swim, struct swim_member *member,
                       const struct swim_rumour_text *rumour, struct effects *effects)
{
    struct swim_member *accuser = swim_member_find(swim, rumour->accuser);
    if (member->state == STATE_UNINITIALIZED || swim_member_is_suspected(member)) {
        swim_member_die(swim, member, accuser ? accuser->name : swim->self.name);
        return;
    }
    swim_gossip_accusation(swim, member, rumour, effects);
    if (!member_just_heard(swim, member))
        swim_probe_start(swim, member, true, effects);
}

static bool judge_accusation(struct swim *swim, const struct swim_member *from,
                             struct swim_member *member, const struct swim_rumour_text *rumour,
                             struct effects *effects)
{
    if (from->state == STATE_DEAD)
        return false; /* it was cut off, and first has to hear what became of itself */
    if (rumour->incarnation < member->incarnation) {
        bool newer = swim_member_reachable(member);
        if (newer)
            swim_rumour_queue(swim, member, NULL, false);
        return newer;
    }
    if (member->state == STATE_UNINITIALIZED && swim_in_grace(swim))
        return false;
    if (rumour->incarnation > member->incarnation)
        member_raise(swim, member, rumour->incarnation);
    if (member->state == STATE_DEAD)
        member->accused = true;
    else if (rumour->kind == RUMOUR_DEAD)
        judge_dead(swim, member, rumour, effects);
    else
        judge_suspect(swim, member, rumour, effects);
    return false;
}

bool swim_judge(struct swim *swim, struct swim_member *from, const struct swim_rumour_text *rumour,
                struct effects *effects)
{
    if (span_equal(rumour->name, span_text(swim->self.name)))
        return judge_self(swim, from, rumour, effects);
    struct swim_member *member = swim_member_find(swim, rumour->name);
    if (!member || member == from)
        return false; /* of itself the sender's own header speaks */
    if (rumour->kind == RUMOUR_SUSPECT || rumour->kind == RUMOUR_DEAD)
        return judge_accusation(swim, from, member, rumour, effects);
    judge_alive(swim, member, rumour);
    return false;
}
