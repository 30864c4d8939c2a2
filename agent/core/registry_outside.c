/* Names of outside processes: registered with one agent, which counts their time to live and
 * removes what nobody renews.
 *
 * A renewal changes nothing but that agent's memory: the map holds the name, its owner and its
 * agent, and is written again only when one of them changes. A process may renew with any agent:
 * the one that is asked takes the name over, with one write. The agent is not what the name depends
 * on. When it is dead or away, all others count the time to live from when they learned of it; one
 * of them removes the name if nobody has renewed it elsewhere. So an owner who does keeps its name
 * without a gap, and none is kept for ever.
 *
 * An owner is known by the hash of its token; the token itself is nowhere. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/registry.h"
#include "agent/core/requests.h"

enum {
    SWEEP_MS_MIN = 250, /* names that end one after another are looked at together */
    BLOCKED_LOOK_MS = 1000,
};

/* --- Whose ----------------------------------------------------------------------------------- */

static bool outside_is_held_here(const struct node *node, const struct name_record *record)
{
    return record->replica == node->durable.replica && strcmp(record->node, node->name) == 0;
}

/* Its agent cannot be reached by who would renew. */
static bool outside_holder_is_away(const struct node *node, const struct name_record *record)
{
    return member_life_is_lost(node, record->node, record->replica) ||
           member_is_absent(node, record->node);
}

static bool owner_is(const struct name_record *record, const uint8_t owner[OWNER_HASH_BYTES])
{
    return record->outside && memcmp(record->outside->owner, owner, OWNER_HASH_BYTES) == 0;
}

static void outside_refuse(struct node *node, const struct request *request,
                           const struct name_entry *entry, int status, const char *reason)
{
    char owner[CHILD_ID_TEXT_BYTES_MAX], message[512];
    name_owner_print(entry->record, owner, sizeof owner);
    snprintf(message, sizeof message, "the name %s is held by %s on %s (epoch %" PRIu64 ")",
             name_of(entry), owner, entry->record->node, entry->record->epoch);
    requests_reply(node, request->id, status, reason, message);
}

/* --- Registering ----------------------------------------------------------------------------- */

static bool labels_equal(const struct name_outside *a, const struct registration *b)
{
    bool equal = a->label_count == b->label_count;
    for (size_t i = 0; equal && i < a->label_count; i++)
        equal = strcmp(a->labels[i].key, b->labels[i].key) == 0 &&
                strcmp(a->labels[i].value, b->labels[i].value) == 0;
    return equal;
}

/* The map says already what the registration says, and that we hold it. */
static bool outside_is_known(const struct node *node, const struct name_entry *entry,
                             const struct registration *wanted)
{
    const struct name_record *record = entry->record;
    return entry->siblings == 1 && outside_is_held_here(node, record) &&
           texts_equal(record->value, wanted->value) &&
           strcmp(record->address, wanted->address) == 0 && record->port == wanted->port &&
           record->outside->ttl_ms == wanted->ttl_ms && labels_equal(record->outside, wanted);
}

static void outside_register(struct node *node, const struct request *request,
                             const struct registration *wanted, struct name_entry *entry)
{
    struct name_outside outside = {
        .ttl_ms = wanted->ttl_ms, .labels = wanted->labels, .label_count = wanted->label_count};
    memcpy(outside.owner, wanted->owner, sizeof outside.owner);
    struct name_record record = {.outside = &outside,
                                 .replica = node->durable.replica,
                                 .epoch = entry ? entry->epoch_max + 1 : 1,
                                 .port = wanted->port,
                                 .value = (char *)wanted->value}; /* only written out */
    TEXT_SET(record.node, node->name);
    TEXT_SET(record.address, wanted->address);
    requests_written(node, request, registry_write(node, request->ns, request->name, &record));
    if (entry)
        entry->expires_ms = node->now.mono_ms + wanted->ttl_ms;
}

void outside_put(struct node *node, const struct request *request)
{
    struct registration wanted = *request->registration;
    if (!wanted.address[0])
        wanted.address = node->advertise_host;
    struct name_entry *entry = store_name(&node->store, request->ns, request->name);
    bool live = entry && registry_is_live(node, entry);
    bool theirs = live && owner_is(entry->record, wanted.owner);
    if (live && !theirs) {
        outside_refuse(node, request, entry, request->flag ? 409 : 403,
                       request->flag ? "AlreadyExists" : "Forbidden");
    } else if (theirs && outside_is_known(node, entry, &wanted)) {
        struct key key = key_name(request->ns, request->name);
        entry->expires_ms = node->now.mono_ms + wanted.ttl_ms;
        requests_repeated(node, request, &key);
    } else if (!theirs && node->store.outside_count >= OUTSIDE_NAMES_MAX) {
        requests_reply(node, request->id, 403, "Forbidden",
                       "the cluster has as many names from outside as it can: 16384");
    } else {
        outside_register(node, request, &wanted, entry);
    }
}

void outside_delete(struct node *node, const struct request *request)
{
    const struct name_entry *entry = store_name(&node->store, request->ns, request->name);
    if (!entry || !registry_is_live(node, entry)) {
        requests_reply(node, request->id, 404, "NotFound", "nobody has this name");
        return;
    }
    if (!owner_is(entry->record, request->registration->owner)) {
        outside_refuse(node, request, entry, 403, "Forbidden");
        return;
    }
    struct key key = key_name(request->ns, request->name);
    requests_written(node, request, node_remove(node, &key));
}

/* --- Time ------------------------------------------------------------------------------------ */

/* True: it must go, and by our hand. */
static bool outside_look(struct node *node, struct name_entry *entry)
{
    const struct name_record *record = entry->record;
    bool here = outside_is_held_here(node, record);
    if (!here && !outside_holder_is_away(node, record)) {
        entry->expires_ms = 0;
        return false;
    }
    if (entry->expires_ms == 0)
        entry->expires_ms = node->now.mono_ms + record->outside->ttl_ms;
    return node->now.mono_ms >= entry->expires_ms && (here || membership_is_first(node));
}

static void outside_expire(struct node *node, const struct name_entry *entry)
{
    char owner[CHILD_ID_TEXT_BYTES_MAX];
    name_owner_print(entry->record, owner, sizeof owner);
    effects_trace(node->effects, "the name %s/%s of %s has not been renewed: removed", entry->ns,
                  name_of(entry), owner);
    struct key key = key_name(entry->ns, name_of(entry));
    node_remove(node, &key);
}

/* Two of them met after a split: what has won is written once more, so that one remains. */
static void outside_settle(struct node *node, const struct name_entry *entry)
{
    if (entry->siblings <= 1 || !outside_is_held_here(node, entry->record))
        return;
    registry_write(node, entry->ns, name_of(entry), entry->record);
}

void outside_tick(struct node *node)
{
    struct registry *registry = &node->registry;
    struct store *store = &node->store;
    uint64_t now_ms = node->now.mono_ms, first_ms = UINT64_MAX;
    if (!store->outside_changed && registry->generation == node->membership.generation &&
        now_ms < registry->sweep_ms)
        return;
    bool may_write = durable_may_write(node);
    store->outside_changed = false;
    registry->generation = node->membership.generation;
    for (size_t i = 0; i < store->outside_count; i++) {
        struct name_entry *entry = store->outside[i];
        bool ends = outside_look(node, entry);
        if (may_write && ends)
            outside_expire(node, entry);
        else if (may_write)
            outside_settle(node, entry);
        else
            first_ms = now_ms + BLOCKED_LOOK_MS;
        if (entry->expires_ms > now_ms && entry->expires_ms < first_ms)
            first_ms = entry->expires_ms;
    }
    registry->sweep_ms = first_ms < now_ms + SWEEP_MS_MIN ? now_ms + SWEEP_MS_MIN : first_ms;
}

uint64_t outside_deadline(const struct node *node)
{
    const struct store *store = &node->store;
    if (store->outside_count == 0)
        return UINT64_MAX;
    return store->outside_changed ? node->now.mono_ms : node->registry.sweep_ms;
}

void outside_thaw(struct node *node)
{
    for (size_t i = 0; i < node->store.outside_count; i++)
        if (outside_is_held_here(node, node->store.outside[i]->record))
            node->store.outside[i]->expires_ms = 0;
    node->store.outside_changed = true;
}
