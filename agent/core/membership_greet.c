/* How one gets in: a greeting goes to contacts (seeds, and the members that our own disk remembers)
 * until one welcomes us; then both sides compare their maps. A greeting also carries our address,
 * which may have changed. Others' clusters, and a second live agent under one name, are refused. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/requests.h"

enum {
    JOIN_FIRST_MS = 200,
    JOIN_SLOWEST_MS = 5000,
    REFUSED_RETRY_MS = 30000, /* a contact of another cluster */
    NAME_TAKEN_PATIENCE_MS =
        8000, /* a predecessor under our name may still be on its way to dead */
};

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

/* --- Greetings ------------------------------------------------------------------------------- */

/* The same run at the same address, by its own greeting or by its record. */
static bool member_is_known(const struct node *node, const char *name,
                            const struct greeting *greeting)
{
    const struct member *member = member_find(node, name);
    const struct member_entry *entry = store_member(&node->store, name);
    if (!member || !entry || !member->recorded || strcmp(member->address, greeting->address) != 0)
        return false;
    const struct member_past *past = member_past(member);
    bool greeted = past->met_replica == greeting->replica && past->met_boot == greeting->boot;
    return greeted || (entry->record->replica == greeting->replica &&
                       entry->record->join_counter == greeting->boot);
}

/* Nothing new, and we see it alive. A comparison is as long as there are members; it is not made
 * without need. */
static bool member_is_met(const struct node *node, const char *name,
                          const struct greeting *greeting)
{
    return member_phase_is_reachable(swim_phase(node->swim, name)) &&
           member_is_known(node, name, greeting);
}

/* asked: it answers our own greeting at a contact, so that it is we who come. */
static void member_meet(struct node *node, const char *name, const struct greeting *greeting,
                        bool asked)
{
    bool known = member_is_known(node, name, greeting);
    struct member *member = member_make(node, name);
    if (member->address[0] && strcmp(member->address, greeting->address) != 0)
        effects_disconnect(node->effects, member->address);
    member_past_of(member)->met_replica = greeting->replica;
    member_past_of(member)->met_boot = greeting->boot;
    member_address(node, member, greeting->address);
    swim_heard(node->swim, node->now.mono_ms, name);
    sync_set_peer(node->sync, member->name, member->address, true);
    if (asked || !known || sync_is_near(node->sync, name))
        sync_compare(node->sync, node->now.mono_ms, name, node->effects);
}

/* Two live agents must not share a name: the second is refused while the first lives. */
static bool membership_name_is_taken(const struct node *node, const char *name,
                                     const struct greeting *greeting)
{
    const struct member *member = member_find(node, name);
    const struct member_entry *entry = store_member(&node->store, name);
    enum placement_phase phase = member ? swim_phase(node->swim, name) : PLACEMENT_UNINITIALIZED;
    if (!member || !member_phase_is_reachable(phase) ||
        strcmp(member->address, greeting->address) == 0)
        return false;
    const struct member_past *past = member_past(member);
    uint64_t replica = past->met_replica ? past->met_replica : entry ? entry->record->replica : 0;
    uint64_t boot = past->met_replica ? past->met_boot : entry ? entry->record->join_counter : 0;
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
    if (!member_is_met(node, envelope->from, greeting))
        member_meet(node, envelope->from, greeting, false);
    struct greeting answer = {0};
    TEXT_SET(answer.contact, greeting->contact);
    membership_greet(node, greeting->address, MESSAGE_WELCOME, &answer);
}

struct contact *membership_contact(struct node *node, const char *address)
{
    for (size_t i = 0; i < node->membership.contact_count; i++)
        if (strcmp(node->membership.contacts[i].address, address) == 0)
            return &node->membership.contacts[i];
    return NULL;
}

static void membership_on_welcome(struct node *node, const struct envelope *envelope,
                                  const struct greeting *greeting)
{
    if (strcmp(envelope->from, node->name) == 0 ||
        membership_name_is_taken(node, envelope->from, greeting))
        return; /* an impostor's welcome is none */
    struct contact *contact = membership_contact(node, greeting->contact);
    if (contact)
        TEXT_SET(contact->member, envelope->from);
    node->membership.refused_ms = 0;
    if (contact || !member_is_met(node, envelope->from, greeting)) {
        effects_trace(node->effects, "welcomed by %s at %s", envelope->from, greeting->address);
        member_meet(node, envelope->from, greeting, contact != NULL);
    }
    requests_welcomed(node, greeting->contact);
}

static void membership_on_refused(struct node *node, const struct greeting *greeting)
{
    struct membership *membership = &node->membership;
    struct contact *contact = membership_contact(node, greeting->contact);
    if (!contact || contact->member[0])
        return;
    contact->next_ms = node->now.mono_ms + REFUSED_RETRY_MS;
    if (strcmp(membership->refusal, greeting->message) != 0)
        effects_trace(node->effects, "%s refused us: %s: %s", greeting->contact, greeting->reason,
                      greeting->message);
    TEXT_SET(membership->refusal, greeting->message);
    requests_refused(node, greeting->contact, greeting->message);
    if (strcmp(greeting->reason, "NodeNameTaken") != 0)
        return;
    /* Who has lived here for a while has the name; it is the other one who must go. */
    if (membership->settled)
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

struct contact *membership_contact_new(struct membership *membership, const char *address)
{
    assert(membership->contact_count < CONTACTS_MAX + SUGGESTED_MAX);
    struct contact *contact = &membership->contacts[membership->contact_count++];
    *contact = (struct contact){0};
    TEXT_SET(contact->address, address);
    return contact;
}

/* Those of discovery have places of their own. */
static bool membership_is_crowded(const struct membership *membership)
{
    size_t count = 0;
    for (size_t i = 0; i < membership->contact_count; i++)
        count += !membership->contacts[i].suggested;
    return count >= CONTACTS_MAX;
}

bool membership_add_contact(struct node *node, const char *address, bool seed)
{
    struct membership *membership = &node->membership;
    if (strcmp(address, node->gossip_address) == 0)
        return true;
    struct contact *contact = membership_contact(node, address);
    if ((!contact || contact->suggested) && membership_is_crowded(membership))
        return false;
    if (!contact)
        contact = membership_contact_new(membership, address);
    contact->suggested = false;
    contact->seed = contact->seed || seed;
    contact->member[0] = '\0';
    contact->tries = 0;
    contact->next_ms = node->now.mono_ms;
    return true;
}

/* Two that have forgotten each other find each other by their seeds only. The addresses of members
 * that our disk remembered are not asked again: of those who are gone for good there may be many.
 */
void membership_reopen_contacts(struct node *node, const char *member)
{
    for (size_t i = 0; i < node->membership.contact_count; i++) {
        struct contact *contact = &node->membership.contacts[i];
        if (!contact->seed || strcmp(contact->member, member) != 0)
            continue;
        contact->member[0] = '\0';
        contact->next_ms = node->now.mono_ms + JOIN_SLOWEST_MS;
    }
}

void membership_try_contacts(struct node *node)
{
    for (size_t i = 0; i < node->membership.contact_count; i++) {
        struct contact *contact = &node->membership.contacts[i];
        if (contact->member[0] || contact->next_ms > node->now.mono_ms)
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

/* Who was forgotten while it could not be reached does not know: others answer its probes, but do
 * not count it in. A greeting makes them meet it, and the comparison tells it that its record is
 * gone, so that it writes it anew. */
void membership_greet_again(struct node *node, const struct member *member)
{
    struct greeting greeting = {0};
    membership_greet(node, member->address, MESSAGE_JOIN, &greeting);
}
