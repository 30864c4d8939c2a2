/* Asking for others: an indirect probe, seen from the helper.
 *
 * The helper asks the subject under a sequence of its own, and tells the requester of an answer, or
 * in time that there was none: then the requester knows at least that it is heard itself. */
#include <assert.h>
#include <string.h>

#include "agent/core/swim_state.h"

static void relay_answer(struct swim *swim, struct swim_member *requester, enum swim_kind kind,
                         uint32_t sequence, const struct swim_member *subject,
                         struct effects *effects)
{
    struct swim_message message = {
        .kind = kind,
        .sequence = sequence,
        .subject = span_text(subject->name),
        .subject_incarnation = subject->incarnation,
        .subject_shutting_down = subject->shutting_down,
    };
    swim_send_message(swim, requester->address, requester, &message, effects);
}

static void relay_remove(struct swim *swim, size_t index)
{
    assert(index < swim->relay_count);
    swim->relays[index] = swim->relays[--swim->relay_count];
}

void swim_relay_begin(struct swim *swim, struct swim_member *requester,
                      const struct swim_message *message, struct effects *effects)
{
    if (span_equal(message->subject, span_text(swim->self.name))) {
        relay_answer(swim, requester, SWIM_RELAY_ACK, message->sequence, &swim->self, effects);
        return;
    }
    struct swim_member *subject = swim_member_find(swim, message->subject);
    if (!subject || subject == requester || swim->relay_count == SWIM_RELAYS_MAX)
        return;
    struct swim_relay *relay = &swim->relays[swim->relay_count++];
    *relay = (struct swim_relay){
        .requester = requester,
        .subject = subject,
        .requester_sequence = message->sequence,
        .sequence = swim_next_sequence(swim),
        .deadline_ms = swim->now_ms + message->wait_ms,
    };
    swim_ping(swim, subject, relay->sequence, effects);
}

void swim_relay_acked(struct swim *swim, struct swim_member *subject, uint32_t sequence,
                      struct effects *effects)
{
    for (size_t i = 0; i < swim->relay_count; i++) {
        struct swim_relay relay = swim->relays[i];
        if (relay.subject != subject || relay.sequence != sequence)
            continue;
        relay_remove(swim, i);
        relay_answer(swim, relay.requester, SWIM_RELAY_ACK, relay.requester_sequence, subject,
                     effects);
        return;
    }
}

void swim_relay_forget(struct swim *swim, const struct swim_member *member)
{
    for (size_t i = 0; i < swim->relay_count;) {
        if (swim->relays[i].requester == member || swim->relays[i].subject == member)
            relay_remove(swim, i);
        else
            i++;
    }
}

void swim_relay_tick(struct swim *swim, struct effects *effects)
{
    for (size_t i = 0; i < swim->relay_count;) {
        struct swim_relay relay = swim->relays[i];
        if (swim->now_ms < relay.deadline_ms) {
            i++;
            continue;
        }
        relay_remove(swim, i);
        relay_answer(swim, relay.requester, SWIM_NACK, relay.requester_sequence, relay.subject,
                     effects);
    }
}

uint64_t swim_relay_deadline(const struct swim *swim)
{
    uint64_t deadline_ms = SWIM_NEVER;
    for (size_t i = 0; i < swim->relay_count; i++)
        if (swim->relays[i].deadline_ms < deadline_ms)
            deadline_ms = swim->relays[i].deadline_ms;
    return deadline_ms;
}
