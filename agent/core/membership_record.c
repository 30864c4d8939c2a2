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
    for (size_t i = 0; i < record->declined_count; i++)
        if (child_has_id(child, &record->declined[i].child) &&
            record->declined[i].until_ms > node->now.wall_ms)
            return record->declined[i].reason;
    return NULL;
}

bool membership_declined(const struct node *node, const struct member_record *record,
                         const struct child *child)
{
    return membership_decline_reason(node, record, child) != NULL;
}

bool membership_declines(const struct node *node, const struct child *child)
{
    const struct membership *membership = &node->membership;
    for (size_t i = 0; i < membership->declined_count; i++)
        if (child_has_id(child, &membership->declined[i].child) &&
            membership->declined[i].until_ms > node->now.wall_ms)
            return true;
    return false;
}

void membership_decline(struct node *node, const struct child *child, uint64_t epoch,
                        const char *reason)
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
        .child = child_id(child), .epoch = epoch, .until_ms = node->now.wall_ms + DECLINED_FOR_MS};
    TEXT_SET(membership->declined[at].reason, reason);
    membership_record_changed(node);
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
