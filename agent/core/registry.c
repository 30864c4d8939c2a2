/* Names: registered by the agent on which their owner runs, gone when it ends.
 *
 * A name belongs to a live owner: one whose claim is the one that the record tells of, held by a
 * member that is not dead; or an outside process that renews it (registry_outside.c). Any other
 * record may be taken over; the taker counts the name's epoch up, so that it wins over what it
 * replaces. */
#include "agent/core/registry.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/requests.h"

enum { CONFLICT_LOOK_MS = 1000 };

bool registry_is_live(const struct node *node, const struct name_entry *name)
{
    const struct name_record *record = name->record;
    return registry_would_live(
        node, name, !record->outside && member_life_is_lost(node, record->node, record->replica));
}

bool registry_would_live(const struct node *node, const struct name_entry *name, bool lost)
{
    const struct name_record *record = name->record;
    const struct child *owner = name->owner;
    if (record->outside)
        return name->expires_ms == 0 || node->now.mono_ms < name->expires_ms;
    const struct claim *claim = owner->claim;
    if (!claim)
        return false;
    /* Until a newer claim ends it, the holder of the epoch before runs on, and so do its names. */
    bool same = claim->epoch == record->claim_epoch && claim->replica == record->replica &&
                claim->state == CLAIM_CLAIMED;
    bool before = claim->state == CLAIM_PULLING && claim->epoch > record->claim_epoch;
    return (same || before) && !lost;
}

/* --- What a child's names are ---------------------------------------------------------------- */

static size_t registry_name_count(const struct workload *workload)
{
    return workload->name_count > 0 ? workload->name_count : 1;
}

/* False: too long to be a name with its ordinal; the validation keeps that from happening. */
static bool registry_name(const struct child *child, size_t index,
                          char ret_name[NAME_BYTES_MAX + 1])
{
    const struct workload *workload = &child->group->workload;
    const char *base = workload->name_count > 0 ? workload->names[index].name : workload->name;
    char name[NAME_BYTES_MAX + 16];
    if (workload->replicas == 1)
        snprintf(name, sizeof name, "%s", base);
    else
        snprintf(name, sizeof name, "%s-%u", base, child->ordinal);
    text_set(ret_name, NAME_BYTES_MAX + 1, name);
    return name_is_dns1123(name);
}

static const struct workload_port *registry_port(const struct workload *workload,
                                                 const char *wanted)
{
    for (size_t i = 0; i < workload->port_count; i++) {
        char number[8];
        snprintf(number, sizeof number, "%u", workload->ports[i].container_port);
        if (!wanted[0] || strcmp(workload->ports[i].name, wanted) == 0 ||
            strcmp(number, wanted) == 0)
            return &workload->ports[i];
    }
    return NULL;
}

static uint16_t registry_published(const struct workload *workload,
                                   const struct container *container, const char *wanted)
{
    const struct workload_port *port = registry_port(workload, wanted);
    if (!port)
        return 0;
    if (workload->host_network)
        return port->container_port;
    for (size_t i = 0; i < container->port_count; i++)
        if (container->ports[i].container_port == port->container_port &&
            container->ports[i].udp == port->udp)
            return container->ports[i].host_port;
    return port->host_port;
}

/* --- Registering ----------------------------------------------------------------------------- */

static bool registry_equal(const struct name_record *a, const struct name_record *b)
{
    return texts_equal(a->value, b->value) && a->value_set == b->value_set &&
           child_id_compare(&a->owner, &b->owner) == 0 && strcmp(a->uid, b->uid) == 0 &&
           strcmp(a->node, b->node) == 0 && a->replica == b->replica &&
           a->claim_epoch == b->claim_epoch && strcmp(a->address, b->address) == 0 &&
           a->port == b->port;
}

struct dot registry_write(struct node *node, const char *ns, const char *name,
                          const struct name_record *record)
{
    struct buffer value = {0};
    struct key key = key_name(ns, name);
    name_record_encode(record, &value);
    struct dot dot = node_put(node, &key, &value);
    buffer_release(&value);
    return dot;
}

static void registry_put(struct node *node, const struct child *child, const char *name,
                         struct name_record *record)
{
    const struct name_entry *entry = store_name(&node->store, child->group->ns, name);
    if (entry && entry->siblings == 1 && registry_equal(entry->record, record))
        return;
    bool same = entry && registry_equal(entry->record, record);
    record->epoch = same ? entry->record->epoch : entry ? entry->epoch_max + 1 : 1;
    registry_write(node, child->group->ns, name, record);
}

static bool registry_is_anothers(const struct node *node, const struct child *child,
                                 const char *name)
{
    const struct name_entry *entry = store_name(&node->store, child->group->ns, name);
    return entry && !child_has_id(child, &entry->record->owner) && registry_is_live(node, entry);
}

bool registry_conflicts(const struct node *node, const struct child *child,
                        char ret_message[MESSAGE_BYTES_MAX + 1])
{
    char name[NAME_BYTES_MAX + 1], owner[CHILD_ID_TEXT_BYTES_MAX];
    for (size_t i = 0; i < registry_name_count(&child->group->workload); i++) {
        if (!registry_name(child, i, name) || !registry_is_anothers(node, child, name))
            continue;
        const struct name_record *record = store_name(&node->store, child->group->ns, name)->record;
        name_owner_print(record, owner, sizeof owner);
        snprintf(ret_message, MESSAGE_BYTES_MAX + 1, "the name %.63s is held by %.100s on %.63s",
                 name, owner, record->node);
        return true;
    }
    ret_message[0] = '\0';
    return false;
}

/* Written under one claim: by one holder, of one epoch. */
static bool registry_is_of_same_claim(const struct name_record *a, const struct name_record *b)
{
    return child_id_compare(&a->owner, &b->owner) == 0 && strcmp(a->uid, b->uid) == 0 &&
           a->replica == b->replica && a->claim_epoch == b->claim_epoch;
}

static void registry_register(struct node *node, struct child *child,
                              const struct local_container *container, size_t index)
{
    const struct workload *workload = &child->group->workload;
    const struct workload_name *wish = workload->name_count > 0 ? &workload->names[index] : NULL;
    char name[NAME_BYTES_MAX + 1];
    if (!registry_name(child, index, name))
        return;
    if (registry_is_anothers(node, child, name)) {
        child->local->name_conflict = true;
        child_wake(child, node->now.mono_ms + CONFLICT_LOOK_MS);
        return;
    }
    struct name_record record = {
        .owner = child_id(child),
        .replica = node->durable.replica,
        .claim_epoch = child->claim->epoch,
        .port = registry_published(workload, &container->container, wish ? wish->port : ""),
        .value = wish ? wish->value : NULL};
    TEXT_SET(record.uid, workload->uid);
    TEXT_SET(record.node, node->name);
    TEXT_SET(record.address, node->advertise_host);
    const struct name_entry *entry = store_name(&node->store, child->group->ns, name);
    if (entry && entry->record->value_set && registry_is_of_same_claim(entry->record, &record)) {
        record.value_set = true;
        record.value = entry->record->value;
    }
    registry_put(node, child, name, &record);
}

/* --- A value of the child's own -------------------------------------------------------------- */

void registry_set_value(struct node *node, const struct request *request)
{
    const struct name_entry *entry = store_name(&node->store, request->ns, request->name);
    const struct child *child = store_child(&node->store, &request->child);
    if (!entry || !registry_is_live(node, entry)) {
        requests_reply(node, request->id, 404, "NotFound", "nobody has this name");
        return;
    }
    if (!claim_is_askers(node, child, request) || entry->owner != child ||
        entry->record->claim_epoch != request->epoch ||
        strcmp(entry->record->uid, request->uid) != 0) {
        requests_reply(node, request->id, 403, "Forbidden",
                       "the name is not of this child and epoch");
        return;
    }
    struct name_record record;
    name_copy(&record, entry->record);
    record.value_set = true;
    record.value = (char *)request->value; /* only written out */
    record.epoch = entry->epoch_max + 1;
    requests_written(node, request, registry_write(node, request->ns, request->name, &record));
}

/* --- Removing -------------------------------------------------------------------------------- */

static bool registry_wants(const struct child *child, const char *name)
{
    for (size_t i = 0; i < registry_name_count(&child->group->workload); i++) {
        char wanted[NAME_BYTES_MAX + 1];
        if (registry_name(child, i, wanted) && strcmp(wanted, name) == 0)
            return true;
    }
    return false;
}

static void registry_remove(struct node *node, const struct child *child, const char *name)
{
    struct key key = key_name(child->group->ns, name);
    node_remove(node, &key);
}

void registry_remove_all(struct node *node, struct child *child)
{
    for (const struct name_entry *name = child->names; name; name = name->owned_next)
        registry_remove(node, child, name_of(name));
}

/* Ours to remove: what this node wrote, and, once we hold the child, what a holder before us has
 * left. */
static bool registry_may_remove(const struct node *node, const struct child *child,
                                const struct name_record *record)
{
    bool ours = strcmp(record->node, node->name) == 0 && record->replica == node->durable.replica;
    bool after = child->claim && claim_is_ours(node, child->claim) &&
                 (child->claim->state == CLAIM_CLAIMED || child->claim->state == CLAIM_FINISHED) &&
                 record->claim_epoch <= child->claim->epoch;
    return ours || after;
}

void registry_update(struct node *node, struct child *child)
{
    const struct local_container *container = child_container(node, child);
    bool running = child->claim && claim_is_ours(node, child->claim) &&
                   child->claim->state == CLAIM_CLAIMED && child_is_wanted(child) && container &&
                   container->container.state == CONTAINER_RUNNING && container->ready &&
                   !container->stopping && !node->supervision.draining;
    bool waits = child_reserved_elsewhere(node, child) && !node->supervision.draining;
    for (const struct name_entry *name = waits ? NULL : child->names; name; name = name->owned_next)
        if (registry_may_remove(node, child, name->record) &&
            !(running && registry_wants(child, name_of(name))))
            registry_remove(node, child, name_of(name));
    bool conflicted = child->local && child->local->name_conflict;
    if (child->local)
        child->local->name_conflict = false;
    for (size_t i = 0; running && i < registry_name_count(&child->group->workload); i++)
        registry_register(node, child, container, i);
    char message[MESSAGE_BYTES_MAX + 1];
    if (!conflicted && child->local && child->local->name_conflict &&
        registry_conflicts(node, child, message))
        note_child(node, child, true, "NameConflict", "%s", message);
}
