/* Who belongs, who lives, and how one gets in.
 *
 * Belonging is data: the member records in the map. Living is swim's verdict. Joining is a greeting
 * sent to contacts (seeds, and the members that our own disk remembers) until one welcomes us; then
 * both sides compare their maps, and the record that each agent writes of itself spreads like any
 * other key. A greeting also carries our address, which may have changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

enum {
    JOIN_FIRST_MS = 200,
    JOIN_SLOWEST_MS = 5000,
    REFUSED_RETRY_MS = 30000, /* a contact of another cluster */
    NAME_TAKEN_PATIENCE_MS =
        8000, /* a predecessor under our name may still be on its way to dead */
    COMPARE_RETRY_MS = 500,
    RECORD_DELAY_MS = 1000, /* wait so long for the engine's first answer */
    DECLINED_FOR_MS = 300000,
};

static struct member *member_find(const struct node *node, const char *name)
{
    return index_find(&node->membership.members, span_text(name));
}

/* --- Sending
 * -----------------------------------------------------------------------------------------------
 */

void node_send(struct node *node, const char *address, enum message_type type,
               const struct buffer *body)
{
    struct envelope envelope = {
        .type = type, .cluster = node->cluster_hash, .body = buffer_view(body)};
    TEXT_SET(envelope.from, node->name);
    struct buffer bytes = {0};
    envelope_encode(&envelope, &bytes);
    effects_send(node->effects, address, CHANNEL_GOSSIP, buffer_view(&bytes));
    buffer_release(&bytes);
}

static void membership_greet(struct node *node, const char *address, enum message_type type,
                             struct greeting *greeting)
{
    greeting->replica = node->durable.replica;
    greeting->boot = node->durable.boot;
    TEXT_SET(greeting->address, node->gossip_address);
    struct buffer body = {0};
    greeting_encode(greeting, &body);
    node_send(node, address, type, &body);
    buffer_release(&body);
}

static void membership_refuse(struct node *node, const struct greeting *to, const char *reason,
                              const char *message)
{
    struct greeting greeting = {0};
    TEXT_SET(greeting.contact, to->contact);
    TEXT_SET(greeting.reason, reason);
    TEXT_SET(greeting.message, message);
    membership_greet(node, to->address, MESSAGE_REFUSED, &greeting);
}

/* --- Members as peers
 * -------------------------------------------------------------------------------------- */

static struct member *member_make(struct node *node, const char *name)
{
    struct member *member = member_find(node, name);
    if (member)
        return member;
    member = xcalloc(1, sizeof *member);
    TEXT_SET(member->name, name);
    index_insert(&node->membership.members, span_text(name), member);
    return member;
}

static void member_drop(struct node *node, struct member *member)
{
    swim_remove(node->swim, member->name);
    sync_remove_peer(node->sync, member->name);
    effects_disconnect(node->effects, member->address);
    index_remove(&node->membership.members, span_text(member->name));
    free(member);
}

static bool phase_is_reachable(enum placement_phase phase)
{
    return phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT ||
           phase == PLACEMENT_SHUTTING_DOWN;
}

static void member_address(struct node *node, struct member *member, const char *address)
{
    TEXT_SET(member->address, address);
    swim_add(node->swim, member->name, address);
    sync_set_peer(node->sync, member->name, address,
                  phase_is_reachable(swim_phase(node->swim, member->name)));
}

static void membership_bump(struct node *node)
{
    node->membership.generation++;
    store_mark_all(&node->store);
    node->dirty = true;
}

/* The map's record of a member changed, came or went. */
static void membership_member_changed(void *context, const char *name)
{
    struct node *node = context;
    struct member_entry *entry = store_member(&node->store, name);
    membership_bump(node);
    if (strcmp(name, node->name) == 0) {
        membership_record_changed(node);
        return;
    }
    struct member *member = member_find(node, name);
    if (!entry || entry->record.wish == WISH_LEFT) {
        if (member)
            member_drop(node, member);
        return;
    }
    member = member_make(node, name);
    member->recorded = true;
    /* A greeting of this run tells a later address than a record of the run before. */
    if (!member->greeting.replica || entry->record.join_counter >= member->greeting.boot ||
        entry->record.replica != member->greeting.replica)
        member_address(node, member, entry->record.gossip_address);
}

static void membership_supervisor_changed(void *context, const char *name)
{
    struct node *node = context;
    ranking_supervisor_changed(node, name);
    membership_bump(node);
}

enum placement_phase member_phase(const struct node *node, const char *name)
{
    if (strcmp(name, node->name) == 0)
        return node->membership.wish == WISH_IN ? PLACEMENT_ALIVE : PLACEMENT_SHUTTING_DOWN;
    const struct member_entry *entry = store_member(&node->store, name);
    if (entry && entry->record.wish == WISH_LEFT)
        return PLACEMENT_LEFT;
    enum placement_phase phase = swim_phase(node->swim, name);
    if (entry && entry->record.wish == WISH_DRAINING &&
        (phase == PLACEMENT_ALIVE || phase == PLACEMENT_SUSPECT))
        return PLACEMENT_SHUTTING_DOWN;
    return phase;
}

const char *member_phase_text(const struct node *node, const char *name)
{
    static const char *const texts[] = {
        [PLACEMENT_UNINITIALIZED] = "uninitialized",
        [PLACEMENT_ALIVE] = "alive",
        [PLACEMENT_SUSPECT] = "suspect",
        [PLACEMENT_SHUTTING_DOWN] = "shutting_down",
        [PLACEMENT_ABSENT] = "absent",
        [PLACEMENT_DEAD] = "dead",
        [PLACEMENT_LEFT] = "left",
    };
    enum placement_phase phase = member_phase(node, name);
    const struct member_entry *entry = store_member(&node->store, name);
    /* Who ended in good order has handed over all it had. */
    if (phase == PLACEMENT_DEAD && entry && entry->record.wish == WISH_DRAINING)
        phase = PLACEMENT_ABSENT;
    return texts[phase];
}

/* --- Greetings
 * --------------------------------------------------------------------------------------------- */

static void member_meet(struct node *node, const char *name, const struct greeting *greeting)
{
    struct member *member = member_make(node, name);
    if (member->address[0] && strcmp(member->address, greeting->address) != 0)
        effects_disconnect(node->effects, member->address);
    member->greeting = *greeting;
    member->met_ms = node->now.mono_ms;
    member_address(node, member, greeting->address);
    swim_heard(node->swim, node->now.mono_ms, name);
    sync_set_peer(node->sync, name, greeting->address, true);
    sync_compare(node->sync, node->now.mono_ms, name, node->effects);
}

/* Two live agents must not share a name: the second is refused while the first lives. */
static bool membership_name_is_taken(const struct node *node, const char *name,
                                     const struct greeting *greeting)
{
    const struct member *member = member_find(node, name);
    const struct member_entry *entry = store_member(&node->store, name);
    enum placement_phase phase = member ? swim_phase(node->swim, name) : PLACEMENT_UNINITIALIZED;
    if (!member || !phase_is_reachable(phase) || strcmp(member->address, greeting->address) == 0)
        return false;
    uint64_t replica = member->greeting.replica ? member->greeting.replica
                       : entry                  ? entry->record.replica
                                                : 0;
    uint64_t boot = member->greeting.replica ? member->greeting.boot
                    : entry                  ? entry->record.join_counter
                                             : 0;
    return replica != 0 && (replica != greeting->replica || greeting->boot <= boot);
}

static void membership_on_join(struct node *node, const struct envelope *envelope,
                               const struct greeting *greeting)
{
    bool same_name = strcmp(envelope->from, node->name) == 0;
    if (same_name && greeting->replica == node->durable.replica)
        return; /* our own address stands among our seeds */
    if (envelope->cluster != node->cluster_hash) {
        char message[2 * MESSAGE_BYTES_MAX];
        snprintf(message, sizeof message,
                 "%s belongs to cluster %s; start the agent with --cluster %s",
                 node->gossip_address, node->cluster, node->cluster);
        membership_refuse(node, greeting, "WrongCluster", message);
        return;
    }
    if (same_name || membership_name_is_taken(node, envelope->from, greeting)) {
        char message[2 * MESSAGE_BYTES_MAX];
        snprintf(message, sizeof message,
                 "a live agent at %s has the node name %s; choose another --node-name",
                 same_name ? node->gossip_address : member_find(node, envelope->from)->address,
                 envelope->from);
        membership_refuse(node, greeting, "NodeNameTaken", message);
        return;
    }
    member_meet(node, envelope->from, greeting);
    struct greeting answer = {0};
    TEXT_SET(answer.contact, greeting->contact);
    membership_greet(node, greeting->address, MESSAGE_WELCOME, &answer);
}

static struct contact *membership_contact(struct node *node, const char *address)
{
    for (size_t i = 0; i < node->membership.contact_count; i++)
        if (strcmp(node->membership.contacts[i].address, address) == 0)
            return &node->membership.contacts[i];
    return NULL;
}

static void membership_on_welcome(struct node *node, const struct envelope *envelope,
                                  const struct greeting *greeting)
{
    if (strcmp(envelope->from, node->name) == 0)
        return;
    struct contact *contact = membership_contact(node, greeting->contact);
    if (contact)
        contact->welcomed = true;
    node->membership.refused_ms = 0;
    effects_trace(node->effects, "welcomed by %s at %s", envelope->from, greeting->address);
    member_meet(node, envelope->from, greeting);
    requests_welcomed(node, greeting->contact);
}

static void membership_on_refused(struct node *node, const struct greeting *greeting)
{
    struct membership *membership = &node->membership;
    struct contact *contact = membership_contact(node, greeting->contact);
    if (!contact || contact->welcomed)
        return;
    contact->next_ms = node->now.mono_ms + REFUSED_RETRY_MS;
    if (strcmp(membership->refusal, greeting->message) != 0)
        effects_trace(node->effects, "%s refused us: %s: %s", greeting->contact, greeting->reason,
                      greeting->message);
    TEXT_SET(membership->refusal, greeting->message);
    requests_refused(node, greeting->contact, greeting->message);
    if (strcmp(greeting->reason, "NodeNameTaken") != 0)
        return;
    contact->next_ms = node->now.mono_ms + JOIN_FIRST_MS;
    if (membership->refused_ms == 0)
        membership->refused_ms = node->now.mono_ms;
    if (node->now.mono_ms - membership->refused_ms < NAME_TAKEN_PATIENCE_MS)
        return;
    effects_trace(node->effects, "giving up: %s", greeting->message);
    effects_exit(node->effects, 1);
}

void membership_message(struct node *node, const struct envelope *envelope)
{
    struct greeting greeting;
    if (!greeting_decode(&greeting, envelope->body))
        return;
    if (envelope->type == MESSAGE_JOIN)
        membership_on_join(node, envelope, &greeting);
    else if (envelope->type == MESSAGE_REFUSED)
        membership_on_refused(node, &greeting);
    else if (envelope->cluster == node->cluster_hash)
        membership_on_welcome(node, envelope, &greeting);
}

bool membership_add_contact(struct node *node, const char *address)
{
    struct membership *membership = &node->membership;
    if (strcmp(address, node->gossip_address) == 0)
        return true;
    struct contact *contact = membership_contact(node, address);
    if (!contact) {
        if (membership->contact_count == CONTACTS_MAX)
            return false;
        contact = &membership->contacts[membership->contact_count++];
        *contact = (struct contact){0};
        TEXT_SET(contact->address, address);
    }
    contact->welcomed = false;
    contact->tries = 0;
    contact->next_ms = node->now.mono_ms;
    return true;
}

static void membership_try_contacts(struct node *node)
{
    for (size_t i = 0; i < node->membership.contact_count; i++) {
        struct contact *contact = &node->membership.contacts[i];
        if (contact->welcomed || contact->next_ms > node->now.mono_ms)
            continue;
        uint64_t wait_ms = (uint64_t)JOIN_FIRST_MS << (contact->tries < 5 ? contact->tries : 5);
        contact->next_ms =
            node->now.mono_ms + (wait_ms < JOIN_SLOWEST_MS ? wait_ms : JOIN_SLOWEST_MS);
        contact->tries++;
        if (contact->tries % 4 == 0)
            effects_reconnect(node->effects, contact->address);
        struct greeting greeting = {0};
        TEXT_SET(greeting.contact, contact->address);
        membership_greet(node, contact->address, MESSAGE_JOIN, &greeting);
    }
}

/* --- Our own record
 * ---------------------------------------------------------------------------------------- */

void membership_record_changed(struct node *node)
{
    node->membership.record_dirty = true;
}

void membership_set_wish(struct node *node, enum member_wish wish)
{
    node->membership.wish = wish;
    node->membership.record_due_ms = 0;
    membership_record_changed(node);
    swim_set_shutting_down(node->swim, wish != WISH_IN);
    membership_bump(node);
}

bool membership_declined(const struct node *node, const struct member_record *record,
                         const struct child_id *child)
{
    for (size_t i = 0; i < record->declined_count; i++)
        if (child_id_compare(&record->declined[i].child, child) == 0 &&
            record->declined[i].until_ms > node->now.wall_ms)
            return true;
    return false;
}

void membership_decline(struct node *node, const struct child_id *child, uint64_t epoch)
{
    struct membership *membership = &node->membership;
    size_t at = membership->declined_count;
    for (size_t i = 0; i < membership->declined_count; i++)
        if (membership->declined[i].until_ms <= node->now.wall_ms)
            at = i;
    if (at == MEMBER_DECLINED_MAX)
        at = 0; /* the oldest makes room */
    else if (at == membership->declined_count)
        membership->declined_count++;
    membership->declined[at] = (struct declined){
        .child = *child, .epoch = epoch, .until_ms = node->now.wall_ms + DECLINED_FOR_MS};
    membership_record_changed(node);
}

static void membership_fill_record(struct node *node, struct member_record *record)
{
    record->join_counter = node->durable.boot;
    record->replica = node->durable.replica;
    record->writer = node->durable.writer;
    TEXT_SET(record->gossip_address, node->gossip_address);
    TEXT_SET(record->api_address, node->api_address);
    TEXT_SET(record->zone, node->zone);
    record->weight = node->weight;
    record->unschedulable = node->membership.unschedulable;
    record->wish = node->membership.wish;
    TEXT_SET(record->agent_version, node->version);
    TEXT_SET(record->runtime_name, node->supervision.engine_name);
    TEXT_SET(record->runtime_version, node->supervision.engine_version);
    record->runtime_healthy = node->supervision.engine_declared;
    record->joined_ms = node->now.wall_ms;
    record->labels = node->labels;
    record->label_count = node->label_count;
    record->declined = node->membership.declined;
    record->declined_count = node->membership.declined_count;
}

/* Of several lives under one name the greatest join counter counts; ours must be the greatest. */
static void membership_pass_predecessor(struct node *node, const struct member_entry *old)
{
    if (!old || old->record.replica == node->durable.replica ||
        old->record.join_counter < node->durable.boot)
        return;
    node->durable.boot = old->record.join_counter + 1;
}

static void membership_write_record(struct node *node)
{
    struct member_entry *old = store_member(&node->store, node->name);
    membership_pass_predecessor(node, old);
    struct member_record record = {0};
    membership_fill_record(node, &record);
    if (old && old->record.join_counter == record.join_counter)
        record.joined_ms = old->record.joined_ms;
    struct buffer value = {0}, present = {0};
    member_record_encode(&record, &value);
    if (old)
        member_record_encode(&old->record, &present);
    struct key key = key_member(node->name);
    if (!old || old->siblings > 1 || !span_equal(buffer_view(&value), buffer_view(&present)))
        node_put(node, &key, &value);
    node->membership.record_dirty = false;
    buffer_release(&value);
    buffer_release(&present);
}

/* --- Time
 * --------------------------------------------------------------------------------------------------
 */

bool membership_is_settled(const struct node *node)
{
    return node->membership.settled;
}

static bool membership_knows_others(const struct node *node)
{
    return node->membership.members.count > 0 || node->membership.contact_count > 0;
}

static void membership_settle(struct node *node)
{
    struct membership *membership = &node->membership;
    uint64_t now = node->now.mono_ms;
    if (membership->settled)
        return;
    bool compared = sync_compared(node->sync);
    if (membership_knows_others(node) && !compared &&
        now < membership->started_ms + SYNC_BEFORE_WRITE_MS)
        return;
    membership->settled = true;
    if (compared &&
        sync_peer_seen_max(node->sync, node->durable.writer) > awmap_writer_counter(node->map))
        durable_fresh_replica(node);
    else if (!compared && membership_knows_others(node) && node->durable.restored)
        durable_fresh_writer(node);
    membership_bump(node);
}

/* Whoever has not compared yet, or thawed, asks a random reachable member until it worked. */
static void membership_compare(struct node *node)
{
    struct membership *membership = &node->membership;
    if (sync_compared(node->sync) || membership->members.count == 0 ||
        node->now.mono_ms < membership->compare_ms)
        return;
    membership->compare_ms = node->now.mono_ms + COMPARE_RETRY_MS;
    uint64_t skip = random_below(&node->random, membership->members.count);
    struct member *member = index_after(&membership->members, span_text(""));
    while (skip-- > 0)
        member = index_after(&membership->members, span_text(member->name));
    sync_compare(node->sync, node->now.mono_ms, member->name, node->effects);
}

static void membership_verdicts(struct node *node)
{
    const char *names[64];
    size_t count;
    while ((count = swim_changes(node->swim, names, 64)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct member *member = member_find(node, names[i]);
            if (!member)
                continue;
            enum placement_phase phase = swim_phase(node->swim, names[i]);
            bool was_dead = member->dead_ms != 0;
            member->dead_ms = phase == PLACEMENT_DEAD ? node->now.mono_ms : 0;
            effects_trace(node->effects, "%s is %s", names[i], member_phase_text(node, names[i]));
            sync_set_peer(node->sync, member->name, member->address, phase_is_reachable(phase));
            if (was_dead && phase_is_reachable(phase))
                sync_compare(node->sync, node->now.mono_ms, member->name, node->effects);
            if (phase != PLACEMENT_SUSPECT)
                membership_bump(node);
        }
    }
}

/* The first alive name in order forgets who has been dead for too long. */
static void membership_forget_dead(struct node *node)
{
    struct membership *membership = &node->membership;
    for (struct member *m = index_after(&membership->members, span_text("")); m;) {
        struct member *next = index_after(&membership->members, span_text(m->name));
        if (phase_is_reachable(swim_phase(node->swim, m->name)) && strcmp(m->name, node->name) < 0)
            return;
        if (m->recorded && m->dead_ms && node->now.mono_ms - m->dead_ms > node->forget_after_ms) {
            struct key key = key_member(m->name);
            effects_trace(node->effects, "%s was dead for too long and is forgotten", m->name);
            node_remove(node, &key);
        }
        m = next;
    }
}

void membership_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    membership_try_contacts(node);
    membership_verdicts(node);
    membership_compare(node);
    membership_settle(node);
    if (!durable_may_write(node))
        return;
    bool engine_known = node->supervision.engine_listed || node->supervision.engine_lost_ms;
    if (membership->record_dirty && node->now.mono_ms >= membership->record_due_ms &&
        (engine_known || node->now.mono_ms >= membership->started_ms + RECORD_DELAY_MS))
        membership_write_record(node);
    membership_forget_dead(node);
}

uint64_t membership_deadline(const struct node *node)
{
    const struct membership *membership = &node->membership;
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < membership->contact_count; i++)
        if (!membership->contacts[i].welcomed && membership->contacts[i].next_ms < deadline)
            deadline = membership->contacts[i].next_ms;
    if (!sync_compared(node->sync) && membership->members.count > 0 &&
        membership->compare_ms < deadline)
        deadline = membership->compare_ms;
    if (!membership->settled && membership->started_ms + SYNC_BEFORE_WRITE_MS < deadline)
        deadline = membership->started_ms + SYNC_BEFORE_WRITE_MS;
    if (membership->record_dirty && membership->settled &&
        membership->started_ms + RECORD_DELAY_MS < deadline)
        deadline = membership->started_ms + RECORD_DELAY_MS > node->now.mono_ms
                       ? membership->started_ms + RECORD_DELAY_MS
                       : deadline;
    return deadline;
}

void membership_thaw(struct node *node)
{
    sync_restart_compared(node->sync);
    node->membership.compare_ms = node->now.mono_ms;
}

/* The members that our disk remembers are contacts as well: our address may have changed. */
void membership_start(struct node *node)
{
    struct membership *membership = &node->membership;
    membership->started_ms = node->now.mono_ms;
    membership->record_dirty = true;
    struct member_entry *own = store_member(&node->store, node->name);
    if (own)
        membership->unschedulable = own->record.unschedulable;
    for (struct member *m = index_after(&membership->members, span_text("")); m;
         m = index_after(&membership->members, span_text(m->name)))
        membership_add_contact(node, m->address);
    membership->settled = false;
}

void membership_release(struct node *node)
{
    index_release(&node->membership.members, free);
}

struct store_listener membership_listener(struct node *node)
{
    return (struct store_listener){
        .context = node,
        .member_changed = membership_member_changed,
        .supervisor_changed = membership_supervisor_changed,
    };
}
