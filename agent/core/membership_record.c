/* What this agent says of itself in the map: the record that makes it a member, the children
 * that it declined, and that it is full (room.c). */
#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"

enum { DECLINED_FOR_MS = 300000 };

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

const char *membership_decline_reason(const struct node *node, const struct member_record *record,
                                      const struct child *child)
{
    for (size_t i = 0; i < record->declined_count; i++) {
        const struct declined *declined = &record->declined[i];
        if (child_has_id(child, &declined->child) &&
            (declined->until_ms == 0 || declined->until_ms > node->now.wall_ms))
            return declined->reason;
    }
    return NULL;
}

bool membership_declined(const struct node *node, const struct member_record *record,
                         const struct child *child)
{
    return membership_decline_reason(node, record, child) != NULL;
}

/* declined_count: we do not. */
static size_t declined_find(const struct membership *membership, const struct child *child)
{
    size_t at = 0;
    while (at < membership->declined_count && !child_has_id(child, &membership->declined[at].child))
        at++;
    return at;
}

static void declined_remove(struct membership *membership, size_t at)
{
    size_t after = --membership->declined_count - at;
    memmove(membership->declined + at, membership->declined + at + 1,
            after * sizeof *membership->declined);
    memmove(membership->declined_until_ms + at, membership->declined_until_ms + at + 1,
            after * sizeof *membership->declined_until_ms);
}

bool membership_declines(const struct node *node, const struct child *child)
{
    return declined_find(&node->membership, child) < node->membership.declined_count;
}

void membership_decline(struct node *node, const struct child *child, uint64_t epoch,
                        const char *reason)
{
    struct membership *membership = &node->membership;
    size_t at = declined_find(membership, child);
    if (at == MEMBER_DECLINED_MAX)
        at = 0; /* the oldest makes room */
    if (at < membership->declined_count)
        declined_remove(membership, at);
    at = membership->declined_count++;
    membership->declined[at] = (struct declined){.child = child_id(child), .epoch = epoch};
    TEXT_SET(membership->declined[at].reason, reason);
    membership->declined_until_ms[at] = node->now.mono_ms + DECLINED_FOR_MS;
    membership_record_changed(node);
}

void membership_declined_tick(struct node *node)
{
    struct membership *membership = &node->membership;
    while (membership->declined_count > 0 &&
           node->now.mono_ms >= membership->declined_until_ms[0]) {
        declined_remove(membership, 0);
        membership_record_changed(node);
    }
}

/* Nobody asks what we have: nothing is said, and older agents can read it. */
static bool membership_is_weighed(const struct node *node)
{
    for (struct supervisor_entry *s = store_supervisor_after(&node->store, ""); s;
         s = store_supervisor_after(&node->store, s->supervisor.name)) {
        const struct placement_strategy *strategy =
            placement_strategy_by_name(s->supervisor.strategy);
        if (strategy && strategy->weighs)
            return true;
    }
    return false;
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
    if (membership_is_weighed(node)) {
        record->cpu_milli = node->cpu_milli;
        record->memory_bytes = node->memory_bytes;
    }
    record->cordon = node->membership.cordon;
    record->wish = node->membership.wish;
    record->away_ms = node->detach.away_ms;
    TEXT_SET(record->agent_version, node->version);
    TEXT_SET(record->runtime_name, node->supervision.engine_name);
    TEXT_SET(record->runtime_version, node->supervision.engine_version);
    record->runtime_healthy = node->supervision.engine_declared;
    record->joined_ms = node->now.wall_ms;
    record->labels = node->labels;
    record->label_count = node->label_count;
    record->declined = node->membership.declined;
    record->declined_count = node->membership.declined_count;
    record->full = node->membership.full;
    record->full_count = node->membership.full_count;
}

/* Of several lives under one name the greatest join counter counts; ours must be the greatest. */
static void membership_pass_predecessor(struct node *node, const struct member_entry *old)
{
    if (!old || old->record->replica == node->durable.replica ||
        old->record->join_counter < node->durable.boot)
        return;
    node->durable.boot = old->record->join_counter + 1;
}

void membership_write_record(struct node *node)
{
    struct member_entry *old = store_member(&node->store, node->name);
    membership_pass_predecessor(node, old);
    struct member_record record = {0};
    membership_fill_record(node, &record);
    if (old && old->record->join_counter == record.join_counter)
        record.joined_ms = old->record->joined_ms;
    struct buffer value = {0}, present = {0};
    member_record_encode(&record, &value);
    if (old)
        member_record_encode(old->record, &present);
    struct key key = key_member(node->name);
    if (!old || old->several || !span_equal(buffer_view(&value), buffer_view(&present)))
        node_put(node, &key, &value);
    node->membership.record_dirty = false;
    buffer_release(&value);
    buffer_release(&present);
}
