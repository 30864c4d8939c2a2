/* Failure detection, the public face: life cycle, what arrives, time passing.
 *
 * The parts and their ideas are listed in swim_state.h. Every function that is given a time notes
 * it first; within a step it then is the same for all. Bytes of peers are judged, never asserted.
 */
#include "agent/core/swim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/swim_state.h"

enum { CHANGED_KEPT = 64 }; /* room for so many stays when none are left */

/* --- life cycle ---------------------------------------------------------------------------- */

static void send_plainly(void *context, const char *address, struct span body,
                         struct effects *effects)
{
    (void)context;
    effects_send(effects, address, CHANNEL_GOSSIP, body);
}

static void member_set_name(struct swim_member *member, const char *name)
{
    size_t bytes = strlen(name);
    assert(bytes <= NAME_BYTES_MAX);
    member->name = name;
    member->name_bytes = (uint8_t)bytes;
    member->item.hash = table_hash(span_text(name));
}

struct swim *swim_new(const struct swim_config *config, uint64_t now_ms)
{
    assert(config->boot < UINT32_MAX);
    struct swim *swim = xcalloc(1, sizeof *swim);
    swim->timing = swim_timing_of(config->profile);
    swim->start_grace_ms = config->start_grace_ms;
    swim->started_ms = swim->now_ms = now_ms;
    swim->random = random_of(config->seed);
    swim->send = send_plainly;
    member_set_name(&swim->self, config->self_name);
    swim->self.address = config->self_address;
    swim->self.state = STATE_ALIVE;
    swim->self.incarnation = config->boot << 32 | 1; /* never 0, which is "unknown" */
    swim->gossip_next_ms = SWIM_NEVER;
    swim->dead_next_ms = SWIM_NEVER;
    swim->uninitialized_cursor = (size_t)random_below(&swim->random, UINT32_MAX);
    return swim;
}

void swim_free(struct swim *swim)
{
    if (!swim)
        return;
    for (size_t i = 0; i < swim->member_count; i++) {
        swim_member_release(swim->members[i]);
        free(swim->members[i]);
    }
    swim_member_release(&swim->self);
    free(swim->members);
    table_release(&swim->names);
    free(swim->order);
    free(swim->watched);
    free(swim->changed);
    free(swim->rumours);
    buffer_release(&swim->buffer);
    free(swim);
}

void swim_set_send(struct swim *swim, swim_send_function send, void *context)
{
    swim->send = send;
    swim->send_context = context;
}

void swim_set_payload(struct swim *swim, const uint8_t payload[SWIM_PAYLOAD_BYTES])
{
    memcpy(swim->payload, payload, SWIM_PAYLOAD_BYTES);
}

void swim_set_shutting_down(struct swim *swim, bool shutting_down)
{
    if (swim->self.shutting_down == shutting_down)
        return;
    swim->self.shutting_down = shutting_down;
    swim->self.incarnation++;
    swim_rumour_queue(swim, &swim->self, NULL, true);
}

/* --- who belongs --------------------------------------------------------------------------- */

static void swim_reserve(struct swim *swim)
{
    if (swim->member_count < swim->member_capacity)
        return;
    swim->member_capacity = capacity_grown(swim->member_capacity);
    swim->members = xrealloc(swim->members, swim->member_capacity * sizeof *swim->members);
    swim->order = xrealloc(swim->order, swim->member_capacity * sizeof *swim->order);
}

static void pointers_insert(struct swim_member **pointers, size_t count, size_t index,
                            struct swim_member *member)
{
    memmove(pointers + index + 1, pointers + index, (count - index) * sizeof *pointers);
    pointers[index] = member;
}

static size_t pointers_index(struct swim_member *const *pointers, const struct swim_member *member)
{
    size_t index = 0;
    while (pointers[index] != member)
        index++;
    return index;
}

static void pointers_remove(struct swim_member **pointers, size_t count,
                            const struct swim_member *member)
{
    size_t index = pointers_index(pointers, member);
    assert(index < count);
    memmove(pointers + index, pointers + index + 1, (count - index - 1) * sizeof *pointers);
}

static void swim_add_new(struct swim *swim, const char *name, const char *address)
{
    struct swim_member *member = xcalloc(1, sizeof *member);
    member_set_name(member, name);
    member->address = address;
    swim_reserve(swim);
    size_t index = swim_member_place(swim, span_text(member->name));
    pointers_insert(swim->members, swim->member_count, index, member);
    size_t place = (size_t)random_below(&swim->random, swim->member_count + 1);
    pointers_insert(swim->order, swim->member_count, place, member);
    table_add(&swim->names, &member->item);
    swim->member_count++;
    swim->state_counts[STATE_UNINITIALIZED]++;
    swim->asks = 0;
    if (swim->bursts == SWIM_BURSTS_MAX)
        member->due_ms = swim->now_ms + SWIM_ASK_MS + random_below(&swim->random, SWIM_NEWCOMER_MS);
    else
        swim->uninitialized_next_ms = 0;
}

void swim_add(struct swim *swim, const char *name, const char *address)
{
    if (strcmp(name, swim->self.name) == 0)
        return;
    struct swim_member *member = swim_member_find(swim, span_text(name));
    if (!member) {
        swim_add_new(swim, name, address);
        return;
    }
    bool moved = strcmp(member->address, address) != 0;
    member->address = address;
    if (!moved)
        return;
    swim_past_answered(member);
    member->due_ms = 0;
    swim->uninitialized_next_ms = 0;
}

void swim_remove(struct swim *swim, const char *name)
{
    struct swim_member *member = swim_member_find(swim, span_text(name));
    if (!member)
        return;
    swim_rumour_drop(swim, member);
    swim_relay_forget(swim, member);
    if (swim->stranger == member)
        swim->stranger = NULL;
    if (member->trouble)
        pointers_remove(swim->watched, swim->watched_count--, member);
    if (member->changed)
        pointers_remove(swim->changed, swim->changed_count--, member);
    pointers_remove(swim->order, swim->member_count, member);
    pointers_remove(swim->members, swim->member_count, member);
    table_remove(&swim->names, &member->item);
    swim->member_count--;
    swim->state_counts[member->state]--;
    swim->order_cursor = 0;
    swim_member_release(member);
    free(member);
}

/* --- what arrives -------------------------------------------------------------------------- */

static void swim_note_time(struct swim *swim, uint64_t now_ms)
{
    if (now_ms > swim->now_ms)
        swim->now_ms = now_ms;
}

/* Having been asked is as good as asking, so we ask a little later than it does, and thus never.
 * But our way out may be broken while its is not: now and then we are the earlier one. */
static uint64_t ping_freshness_ms(const struct swim *swim, const struct swim_member *member)
{
    const struct swim_timing *timing = &swim->timing;
    uint64_t lead_ms = timing->fresh_pinged_ms - timing->fresh_ms;
    uint64_t acked_ms = swim_past(member)->acked_ms;
    if (acked_ms == 0)
        return 0;
    bool unasked = swim->now_ms - acked_ms > timing->fresh_unasked_ms;
    return unasked ? timing->fresh_ms - lead_ms : timing->fresh_ms + lead_ms;
}

/* Where it says it is goes before where we believe it is: it may have moved. */
static void receive_ping(struct swim *swim, struct swim_member *member,
                         const struct swim_message *ping, struct effects *effects)
{
    char address[ADDRESS_BYTES_MAX + 1] = "";
    if (ping->address.bytes > 0)
        text_set_span(address, sizeof address, ping->address);
    else if (member)
        TEXT_SET(address, member->address);
    if (address[0] == '\0')
        return;
    struct swim_message ack = {
        .kind = SWIM_ACK, .sequence = ping->sequence, .stranger = member == NULL};
    swim_send_message(swim, address, member, &ack, effects);
    if (!member || member->state != STATE_ALIVE)
        return;
    uint64_t due_ms = swim->now_ms + ping_freshness_ms(swim, member);
    if (member->due_ms < due_ms)
        member->due_ms = due_ms;
}

static void receive_ack(struct swim *swim, struct swim_member *member, uint32_t sequence,
                        bool answers, struct effects *effects)
{
    swim_past_of(member)->acked_ms = swim->now_ms;
    swim_past_answered(member);
    if (member->state == STATE_ALIVE)
        member->due_ms = swim->now_ms + swim->timing.fresh_ms;
    if (answers)
        swim_probe_acked(swim, member);
    swim_relay_acked(swim, member, sequence, effects);
}

static bool probe_waits(const struct swim_member *member, uint32_t sequence)
{
    return swim_member_is_probed(member) && member->trouble->probe.sequence == sequence;
}

static void receive_for_probe(struct swim *swim, const struct swim_message *message)
{
    struct swim_member *subject = swim_member_find(swim, message->subject);
    if (!subject || !probe_waits(subject, message->sequence))
        return;
    if (message->kind == SWIM_NACK) {
        subject->trouble->probe.nacks++;
        return;
    }
    if (!swim_member_speaks(swim, subject, message->subject_incarnation,
                            message->subject_shutting_down, true))
        return;
    subject->due_ms = swim->now_ms + swim->timing.fresh_ms;
    swim_probe_acked(swim, subject);
}

/* One answer, however much of it was out of date; to a ping that is the acknowledgement. */
static void receive_rumours(struct swim *swim, struct swim_member *from,
                            const struct swim_message *message, struct effects *effects)
{
    bool behind = false;
    struct reader reader = reader_of(message->rumours);
    struct swim_rumour_text rumour;
    while (swim_rumour_decode(&reader, &rumour))
        behind = swim_judge(swim, from, &rumour, effects) || behind;
    if (behind && message->kind != SWIM_PING)
        swim_gossip_to(swim, from, effects);
}

static void receive_from_member(struct swim *swim, struct swim_member *member,
                                const struct swim_message *message, struct effects *effects)
{
    bool answers = message->kind == SWIM_ACK && probe_waits(member, message->sequence);
    swim_member_speaks(swim, member, message->incarnation, message->shutting_down, answers);
    receive_rumours(swim, member, message, effects);
    switch (message->kind) {
    case SWIM_PING:
        receive_ping(swim, member, message, effects);
        break;
    case SWIM_ACK:
        if (message->stranger)
            swim->stranger = member;
        receive_ack(swim, member, message->sequence, answers, effects);
        break;
    case SWIM_PING_REQ:
        swim_relay_begin(swim, member, message, effects);
        break;
    case SWIM_RELAY_ACK:
    case SWIM_NACK:
        receive_for_probe(swim, message);
        break;
    case SWIM_ASK:
        swim_tell_all(swim, member, STATE_ALIVE, effects);
        break;
    case SWIM_ASK_DEAD:
        swim_tell_all(swim, member, STATE_DEAD, effects);
        break;
    case SWIM_GOSSIP:
    case SWIM_KIND_COUNT:
        break;
    }
}

bool swim_receive(struct swim *swim, uint64_t now_ms, const char *from, struct span body,
                  struct effects *effects, bool *ret_has_payload,
                  uint8_t ret_payload[SWIM_PAYLOAD_BYTES])
{
    swim_note_time(swim, now_ms);
    *ret_has_payload = false;
    struct swim_message message;
    if (!swim_message_decode(&message, body))
        return false;
    if (strcmp(from, swim->self.name) == 0)
        return true; /* an echo, or one who has taken our name: the caller's concern */
    *ret_has_payload = message.has_payload;
    if (message.has_payload)
        memcpy(ret_payload, message.payload, SWIM_PAYLOAD_BYTES);
    struct swim_member *member = swim_member_find(swim, span_text(from));
    if (member)
        receive_from_member(swim, member, &message, effects);
    else if (message.kind == SWIM_PING)
        receive_ping(swim, NULL, &message, effects);
    return true;
}

void swim_heard(struct swim *swim, uint64_t now_ms, const char *name)
{
    swim_note_time(swim, now_ms);
    struct swim_member *member = swim_member_find(swim, span_text(name));
    if (member)
        swim_member_speaks(swim, member, 0, false, false);
}

/* Those never heard, and the dead, are asked all the time anyway; their refused dials are no news.
 */
static void hint_member(struct swim *swim, struct swim_member *member, struct effects *effects)
{
    const struct swim_trouble *trouble = member->trouble;
    bool known =
        trouble && (trouble->suspicion.hinted || (trouble->probe.active && trouble->probe.hinted));
    if (member->state != STATE_ALIVE || known)
        return;
    swim_past_of(member)->hinted_ms = swim->now_ms;
    swim_probe_start(swim, member, true, effects);
}

void swim_hint_broken(struct swim *swim, uint64_t now_ms, const char *address,
                      struct effects *effects)
{
    swim_note_time(swim, now_ms);
    for (size_t i = 0; i < swim->member_count; i++)
        if (strcmp(swim->members[i]->address, address) == 0)
            hint_member(swim, swim->members[i], effects);
}

/* --- time passing -------------------------------------------------------------------------- */

/* What we have not heard while we were away proves nothing. */
void swim_thaw(struct swim *swim, uint64_t now_ms)
{
    if (now_ms > swim->now_ms)
        swim->started_ms += now_ms - swim->now_ms; /* the grace is of time awake */
    swim_note_time(swim, now_ms);
    for (size_t i = 0; i < swim->watched_count; i++) {
        struct swim_member *member = swim->watched[i];
        struct swim_suspicion *suspicion = &member->trouble->suspicion;
        swim_member_end_probe(member);
        swim_past_unhint(member);
        if (!suspicion->active)
            continue;
        suspicion->started_ms = now_ms;
        suspicion->asked_ms = 0;
        suspicion->hinted = false;
        suspicion->accuser_count = 1;
    }
    for (size_t i = 0; i < swim->member_count; i++)
        swim_past_answered(swim->members[i]);
    swim->relay_count = 0;
    swim_watched_changed(swim, NULL);
    swim_worsen(swim);
}

void swim_tick(struct swim *swim, uint64_t now_ms, struct effects *effects)
{
    swim_note_time(swim, now_ms);
    swim_relay_tick(swim, effects);
    swim_probe_tick(swim, effects);
    swim_ask_tick(swim, effects);
    swim_gossip_tick(swim, effects);
}

uint64_t swim_deadline(struct swim *swim)
{
    uint64_t deadline_ms = swim_probe_deadline(swim), ask_ms = swim_ask_deadline(swim);
    if (ask_ms < deadline_ms)
        deadline_ms = ask_ms;
    uint64_t relay_ms = swim_relay_deadline(swim);
    if (relay_ms < deadline_ms)
        deadline_ms = relay_ms;
    return swim->gossip_next_ms < deadline_ms ? swim->gossip_next_ms : deadline_ms;
}

/* --- verdicts ------------------------------------------------------------------------------ */

enum placement_phase swim_phase(const struct swim *swim, const char *name)
{
    if (strcmp(name, swim->self.name) == 0)
        return swim_member_phase(&swim->self);
    const struct swim_member *member = swim_member_find(swim, span_text(name));
    return member ? swim_member_phase(member) : PLACEMENT_UNINITIALIZED;
}

size_t swim_dead_count(const struct swim *swim)
{
    return swim->state_counts[STATE_DEAD];
}

uint64_t swim_incarnation(const struct swim *swim, const char *name)
{
    if (strcmp(name, swim->self.name) == 0)
        return swim->self.incarnation;
    const struct swim_member *member = swim_member_find(swim, span_text(name));
    return member ? member->incarnation : 0;
}

const char *swim_take_stranger(struct swim *swim)
{
    const char *name = swim->stranger ? swim->stranger->name : NULL;
    swim->stranger = NULL;
    return name;
}

bool swim_has_changes(const struct swim *swim)
{
    return swim->changed_count > 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct swim_member *one = *(struct swim_member *const *)a;
    const struct swim_member *two = *(struct swim_member *const *)b;
    return strcmp(one->name, two->name);
}

size_t swim_changes(struct swim *swim, const char **ret_names, size_t max)
{
    size_t count = swim->changed_count < max ? swim->changed_count : max;
    if (count == 0)
        return 0;
    qsort(swim->changed, swim->changed_count, sizeof *swim->changed, compare_names);
    for (size_t i = 0; i < count; i++) {
        swim->changed[i]->changed = false;
        ret_names[i] = swim->changed[i]->name;
    }
    swim->changed_count -= count;
    memmove(swim->changed, swim->changed + count, swim->changed_count * sizeof *swim->changed);
    if (swim->changed_count == 0 && swim->changed_capacity > CHANGED_KEPT) {
        free(swim->changed); /* most of a large cluster; that is rare */
        swim->changed = NULL;
        swim->changed_capacity = 0;
    }
    return count;
}
