/* What is told to whom, and how often.
 *
 * The idea: a rumour is "look at this member again"; what is said is what we hold when we say it.
 * Rumours ride on every message until each was told 3 log2(n + 1) times, the least told and newest
 * first. News (an accusation, a verdict, a refutation) moreover goes at once to a few, who do the
 * same: it reaches nearly everybody within some round trips, and the riders reach the rest.
 *
 * Invariant: `rumours` is sorted by transmits, then newest first; a member is in it once at most.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/swim_state.h"

enum {
    RUMOURS_MAX = SWIM_RUMOUR_BYTES / 4 + 2, /* in one message; the two are not written */
    RUMOURS_KEPT = 64,                       /* room for so many stays when none are left */
};

static bool rumour_before(const struct swim_member *a, const struct swim_member *b)
{
    return a->rumour_transmits != b->rumour_transmits ? a->rumour_transmits < b->rumour_transmits
                                                      : a->rumour_order > b->rumour_order;
}

/* The first from `low` on that is not before the subject's. */
static size_t rumour_place(const struct swim *swim, size_t low, const struct swim_member *subject)
{
    size_t high = swim->rumour_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rumour_before(swim->rumours[middle], subject))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void rumours_move(struct swim *swim, size_t to, size_t from, size_t count)
{
    memmove(swim->rumours + to, swim->rumours + from, count * sizeof *swim->rumours);
}

void swim_rumour_drop(struct swim *swim, struct swim_member *subject)
{
    if (!subject->rumour_queued)
        return;
    size_t place = rumour_place(swim, 0, subject);
    assert(place < swim->rumour_count && swim->rumours[place] == subject);
    swim->rumour_count--;
    rumours_move(swim, place, place + 1, swim->rumour_count - place);
    subject->rumour_queued = false;
}

static void rumours_reserve(struct swim *swim)
{
    if (swim->rumour_count < swim->rumour_capacity)
        return;
    swim->rumour_capacity = capacity_grown(swim->rumour_capacity);
    swim->rumours = xrealloc(swim->rumours, swim->rumour_capacity * sizeof *swim->rumours);
}

/* All of a large cluster are rumours when it starts, and rarely again. */
static void rumours_tidy(struct swim *swim)
{
    if (swim->rumour_count > 0 || swim->rumour_capacity <= RUMOURS_KEPT)
        return;
    free(swim->rumours);
    swim->rumours = NULL;
    swim->rumour_capacity = 0;
}

void swim_rumour_queue(struct swim *swim, struct swim_member *subject, const char *accuser,
                       bool urgent)
{
    swim_rumour_drop(swim, subject);
    rumours_reserve(swim);
    rumours_move(swim, 1, 0, swim->rumour_count);
    swim->rumours[0] = subject; /* never told and newest: the first */
    swim->rumour_count++;
    assert(swim->rumour_count <= swim->member_count + 1);
    subject->rumour_queued = true;
    subject->rumour_transmits = 0;
    subject->rumour_order = ++swim->rumour_order;
    if (accuser)
        text_replace(&swim_past_of(subject)->accuser, accuser);
    if (urgent) {
        swim->gossip_waves = SWIM_WAVES;
        swim->gossip_next_ms = 0;
    }
}

/* Those who meet it themselves say so, too: most have heard of it already. */
void swim_rumour_is_hearsay(struct swim *swim, struct swim_member *subject)
{
    unsigned max = swim_rumour_transmits_max(swim);
    if (!subject->rumour_queued || max <= SWIM_HEARSAY_TELLS)
        return;
    assert(swim->rumours[0] == subject);
    subject->rumour_transmits = (uint8_t)(max - SWIM_HEARSAY_TELLS);
    size_t place = rumour_place(swim, 1, subject) - 1;
    rumours_move(swim, 0, 1, place);
    swim->rumours[place] = subject;
}

unsigned swim_rumour_transmits_max(const struct swim *swim)
{
    uint32_t log2 = (log2_1024(swim_live_count(swim) + 1) + 1023) / 1024;
    return 3 * log2;
}

struct swim_rumour_text swim_rumour_text(const struct swim_member *subject)
{
    const char *accuser = swim_past(subject)->accuser;
    struct swim_rumour_text text = {
        .kind = subject->shutting_down ? RUMOUR_SHUTTING_DOWN : RUMOUR_ALIVE,
        .name = swim_member_name(subject),
        .incarnation = subject->incarnation,
        .accuser = span_text(accuser ? accuser : ""),
    };
    if (subject->state == STATE_DEAD)
        text.kind = RUMOUR_DEAD;
    else if (swim_member_is_suspected(subject))
        text.kind = RUMOUR_SUSPECT;
    return text;
}

/* The first `told` rumours were told once more. They stay in order among themselves, and each goes
 * behind those that now come before it; those told often enough go. */
static void rumours_count(struct swim *swim, size_t told)
{
    struct swim_member *subjects[RUMOURS_MAX];
    assert(told <= RUMOURS_MAX);
    memcpy(subjects, swim->rumours, told * sizeof *subjects);
    size_t end = 0, rest = told; /* what is in its new place, and what waits for that */
    for (size_t i = 0; i < told; i++) {
        subjects[i]->rumour_transmits++;
        size_t place = rumour_place(swim, rest, subjects[i]);
        rumours_move(swim, end, rest, place - rest);
        end += place - rest;
        rest = place;
        swim->rumours[end++] = subjects[i];
    }
    unsigned transmits_max = swim_rumour_transmits_max(swim);
    while (swim->rumour_count > 0) {
        struct swim_member *last = swim->rumours[swim->rumour_count - 1];
        if (last->rumour_transmits < transmits_max)
            break;
        last->rumour_queued = false;
        swim->rumour_count--;
    }
    rumours_tidy(swim);
}

void swim_rumour_append(struct swim *swim, const struct swim_member *to)
{
    if (!to)
        return;
    if (to->accused || to->outdated) {
        struct swim_rumour_text text = swim_rumour_text(to);
        if (to->accused)
            text.kind = to->state == STATE_DEAD ? RUMOUR_DEAD : RUMOUR_SUSPECT;
        swim_rumour_encode(&swim->buffer, &text);
    }
    size_t begin = swim->buffer.bytes, told = 0;
    while (told < swim->rumour_count && swim->buffer.bytes - begin < SWIM_RUMOUR_BYTES) {
        const struct swim_member *subject = swim->rumours[told++];
        if (subject == to || subject == &swim->self)
            continue; /* it knows; and of us the header speaks */
        struct swim_rumour_text text = swim_rumour_text(subject);
        swim_rumour_encode(&swim->buffer, &text);
    }
    if (told > 0)
        rumours_count(swim, told);
}

void swim_gossip_to(struct swim *swim, struct swim_member *to, struct effects *effects)
{
    struct swim_message message = {.kind = SWIM_GOSSIP};
    swim_send_message(swim, to->address, to, &message, effects);
}

void swim_gossip_accusation(struct swim *swim, struct swim_member *to,
                            const struct swim_rumour_text *accusation, struct effects *effects)
{
    if (swim->now_ms - swim_past(to)->told_ms < SWIM_TELL_MS)
        return;
    swim_past_of(to)->told_ms = swim->now_ms;
    struct swim_message message = {.kind = SWIM_GOSSIP,
                                   .shutting_down = swim->self.shutting_down,
                                   .incarnation = swim->self.incarnation};
    buffer_clear(&swim->buffer);
    swim_message_encode(&swim->buffer, &message);
    swim_rumour_encode(&swim->buffer, accusation);
    swim->send(swim->send_context, to->address, buffer_view(&swim->buffer), effects);
}

/* A random place in a shuffled list, and those that follow. */
size_t swim_pick_any(struct swim *swim, const struct swim_member *except,
                     struct swim_member **ret_members, size_t max)
{
    if (swim->member_count == 0)
        return 0;
    size_t start = (size_t)random_below(&swim->random, swim->member_count);
    size_t count = 0;
    for (size_t i = 0; i < swim->member_count && count < max; i++) {
        struct swim_member *member = swim->order[(start + i) % swim->member_count];
        if (member != except && swim_member_reachable(member))
            ret_members[count++] = member;
    }
    return count;
}

bool swim_is_among(const struct swim_member *member, struct swim_member *const *members,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (members[i] == member)
            return true;
    return false;
}

size_t swim_pick(struct swim *swim, const struct swim_member *except,
                 struct swim_member **ret_members, size_t max)
{
    size_t count = 0;
    if (swim_is_large(swim))
        count = swim_pick_fingers(swim, except, ret_members, max);
    if (count == max)
        return count;
    struct swim_member *others[2 * SWIM_FANOUT];
    assert(count + max <= 2 * SWIM_FANOUT);
    size_t other_count = swim_pick_any(swim, except, others, count + max);
    for (size_t i = 0; i < other_count && count < max; i++)
        if (!swim_is_among(others[i], ret_members, count))
            ret_members[count++] = others[i];
    return count;
}

void swim_gossip_tick(struct swim *swim, struct effects *effects)
{
    if (swim->now_ms < swim->gossip_next_ms)
        return;
    struct swim_member *told[SWIM_FANOUT];
    size_t count = swim->rumour_count > 0 ? swim_pick(swim, NULL, told, SWIM_FANOUT) : 0;
    for (size_t i = 0; i < count; i++)
        swim_gossip_to(swim, told[i], effects);
    swim->gossip_waves = swim->gossip_waves > 0 ? swim->gossip_waves - 1 : 0;
    bool again = swim->gossip_waves > 0 && swim->rumour_count > 0;
    swim->gossip_next_ms = again ? swim->now_ms + SWIM_WAVE_MS : SWIM_NEVER;
}
