/* Large clusters: whom one deals with above SWIM_MESH_MAX members.
 *
 * Members stand in a circle by name; each asks only those at the distances 1, 2, 4, ... among the
 * living (its fingers, as in Stoica et al., "Chord", 2001), so that log2(n) connections each way
 * stand, not n. Everybody is asked by log2(n) others, and four times a second as in a small
 * cluster. Nobody is left out for good: the dead leave the circle, so whoever is alive always has a
 * living predecessor at distance 1. sync_relay.c goes along the same fingers.
 *
 * Who has just started does not ask thousands one by one whether they live: it asks one whom it has
 * found (SWIM_ASK), and is told of all whom that one holds alive.
 *
 * Rumours end, and where many die at once some of them never come to all: news go by way of the
 * dead. Who asks only a few would take one that it has not heard of for alive for ever. So each
 * asks one whom that one holds for dead (SWIM_ASK_DEAD): soon after it has lost somebody itself,
 * and now and then. */
#include <assert.h>
#include <string.h>

#include "agent/core/swim_state.h"

enum {
    CIRCLE_TELL_BYTES = 32 * 1024, /* of rumours in one message of an answer */
    CIRCLE_ASKS_DOUBLINGS = 5,
    CIRCLE_FIRST_ASK_MS = 100,
    CIRCLE_ASK_DEAD_SOON_MS = 3000, /* most has been told by then; then in twice that, and so on */
    CIRCLE_ASK_DEAD_MS = 10000,     /* ... up to this, and more for each dead: */
    CIRCLE_ASK_DEAD_EACH_MS = 400,  /* some 20 bytes of the answer, 50 a second */
};

bool swim_is_large(const struct swim *swim)
{
    return swim_live_count(swim) > SWIM_MESH_MAX;
}

size_t swim_fingers(const struct swim *swim, struct swim_member *ret_fingers[SWIM_FINGERS_MAX])
{
    size_t count = 0, place = swim_member_place(swim, span_text(swim->self.name));
    if (swim->state_counts[STATE_ALIVE] == 0)
        return 0;
    for (size_t distance = 1; distance <= swim->member_count && count < SWIM_FINGERS_MAX;
         distance *= 2) {
        size_t at = place + distance - 1;
        while (swim->members[at % swim->member_count]->state != STATE_ALIVE)
            at++;
        struct swim_member *finger = swim->members[at % swim->member_count];
        if (!swim_is_among(finger, ret_fingers, count))
            ret_fingers[count++] = finger;
    }
    return count;
}

struct swim_member *swim_finger_due(struct swim *swim, uint64_t *ret_next_ms)
{
    struct swim_member *fingers[SWIM_FINGERS_MAX];
    size_t count = swim_fingers(swim, fingers);
    *ret_next_ms = SWIM_NEVER;
    for (size_t i = 0; i < count; i++) {
        struct swim_member *member = fingers[swim->finger_cursor++ % count];
        if (swim_member_is_probed(member))
            continue;
        if (member->due_ms <= swim->now_ms)
            return member;
        if (member->due_ms < *ret_next_ms)
            *ret_next_ms = member->due_ms;
    }
    return NULL;
}

size_t swim_pick_fingers(struct swim *swim, const struct swim_member *except,
                         struct swim_member **ret_members, size_t max)
{
    struct swim_member *fingers[SWIM_FINGERS_MAX];
    size_t count = swim_fingers(swim, fingers), picked = 0;
    for (size_t i = 0; i < count && picked < max; i++) {
        size_t k = i + (size_t)random_below(&swim->random, count - i);
        struct swim_member *finger = fingers[k];
        fingers[k] = fingers[i];
        if (finger != except && swim_member_reachable(finger))
            ret_members[picked++] = finger;
    }
    return picked;
}

/* --- Who lives, and who has died? ------------------------------------------------------------ */

/* By the members, not by the living: who is behind takes the dead for alive. */
static bool circle_asks(const struct swim *swim)
{
    return swim->member_count > SWIM_MESH_MAX;
}

static void circle_ask(struct swim *swim, struct swim_member *asked, enum swim_kind kind,
                       struct effects *effects)
{
    struct swim_message message = {.kind = kind, .sequence = swim_next_sequence(swim)};
    swim_send_message(swim, asked->address, asked, &message, effects);
}

static void ask_alive_tick(struct swim *swim, struct effects *effects)
{
    struct swim_member *asked;
    uint64_t wait_ms = CIRCLE_FIRST_ASK_MS;
    if (swim_pick_any(swim, NULL, &asked, 1) == 1) {
        circle_ask(swim, asked, SWIM_ASK, effects);
        wait_ms = (uint64_t)SWIM_ASK_MS << swim->asks;
        swim->asks += swim->asks < CIRCLE_ASKS_DOUBLINGS;
    }
    swim->ask_next_ms = swim->now_ms + wait_ms;
}

static void ask_dead_tick(struct swim *swim, struct effects *effects)
{
    struct swim_member *asked;
    if (swim_pick(swim, NULL, &asked, 1) == 1)
        circle_ask(swim, asked, SWIM_ASK_DEAD, effects);
    uint64_t max_ms = CIRCLE_ASK_DEAD_MS + CIRCLE_ASK_DEAD_EACH_MS * swim->state_counts[STATE_DEAD];
    uint64_t wait_ms = (uint64_t)CIRCLE_ASK_DEAD_SOON_MS << swim->dead_asks;
    if (wait_ms < max_ms)
        swim->dead_asks++;
    else
        wait_ms = max_ms;
    swim->ask_dead_next_ms = swim->now_ms + wait_ms;
}

void swim_ask_dead_soon(struct swim *swim)
{
    if (!circle_asks(swim))
        return;
    swim->dead_asks = 1; /* the one that comes now */
    uint64_t next_ms = swim->now_ms + CIRCLE_ASK_DEAD_SOON_MS +
                       random_below(&swim->random, CIRCLE_ASK_DEAD_SOON_MS);
    if (next_ms < swim->ask_dead_next_ms)
        swim->ask_dead_next_ms = next_ms;
}

void swim_ask_tick(struct swim *swim, struct effects *effects)
{
    if (!circle_asks(swim))
        return;
    if (swim->state_counts[STATE_UNINITIALIZED] > 0 && swim->now_ms >= swim->ask_next_ms)
        ask_alive_tick(swim, effects);
    if (swim->now_ms >= swim->ask_dead_next_ms)
        ask_dead_tick(swim, effects);
}

uint64_t swim_ask_deadline(const struct swim *swim)
{
    if (!circle_asks(swim))
        return SWIM_NEVER;
    bool unknown = swim->state_counts[STATE_UNINITIALIZED] > 0;
    return unknown && swim->ask_next_ms < swim->ask_dead_next_ms ? swim->ask_next_ms
                                                                 : swim->ask_dead_next_ms;
}

static void circle_tell_begin(struct swim *swim)
{
    struct swim_message message = {.kind = SWIM_GOSSIP,
                                   .shutting_down = swim->self.shutting_down,
                                   .incarnation = swim->self.incarnation};
    buffer_clear(&swim->buffer);
    swim_message_encode(&swim->buffer, &message);
}

static bool is_told(const struct swim_member *member, enum swim_state state)
{
    return member->state == state && !swim_member_is_suspected(member);
}

void swim_tell_all(struct swim *swim, const struct swim_member *to, enum swim_state state,
                   struct effects *effects)
{
    if (swim->state_counts[state] == 0)
        return;
    circle_tell_begin(swim);
    for (size_t i = 0; i < swim->member_count; i++) {
        const struct swim_member *member = swim->members[i];
        if (member == to || !is_told(member, state))
            continue;
        struct swim_rumour_text text = swim_rumour_text(member);
        swim_rumour_encode(&swim->buffer, &text);
        if (swim->buffer.bytes < CIRCLE_TELL_BYTES)
            continue;
        swim->send(swim->send_context, to->address, buffer_view(&swim->buffer), effects);
        circle_tell_begin(swim);
    }
    swim->send(swim->send_context, to->address, buffer_view(&swim->buffer), effects);
}
