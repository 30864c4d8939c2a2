/* What is held of each member. In a large cluster that is a name, and an address that is its
 * record's: what else is known of some is in their past. */
#include "agent/core/membership.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

struct member *member_find(const struct node *node, const char *name)
{
    return index_find(&node->membership.members, span_text(name));
}

struct member *member_make(struct node *node, const char *name)
{
    struct member *member = member_find(node, name);
    if (member)
        return member;
    size_t bytes = strlen(name) + 1;
    member = xcalloc(1, offsetof(struct member, name) + bytes);
    memcpy(member->name, name, bytes);
    member->address = "";
    index_insert_own(&node->membership.members, span_text(member->name), member);
    return member;
}

void member_free(void *value)
{
    struct member *member = value;
    if (member->past)
        free(member->past->address);
    free(member->past);
    free(member);
}

void member_drop(struct node *node, struct member *member)
{
    swim_remove(node->swim, member->name);
    sync_remove_peer(node->sync, member->name);
    effects_disconnect(node->effects, member->address);
    membership_reopen_contacts(node, member->name);
    index_remove(&node->membership.members, span_text(member->name));
    member_free(member);
}

/* --- Its address ----------------------------------------------------------------------------- */

void member_keep_address(struct node *node, struct member *member, const char *address)
{
    const struct member_entry *entry = store_member(&node->store, member->name);
    char *old = member->past ? member->past->address : NULL;
    if (entry && strcmp(entry->record->gossip_address, address) == 0) {
        member->address = entry->record->gossip_address;
        if (member->past)
            member->past->address = NULL;
    } else if (!old || strcmp(old, address) != 0) {
        member->address = member_past_of(member)->address = xstrdup(address);
    } else {
        old = NULL; /* it stays */
    }
    swim_add(node->swim, member->name, member->address);
    sync_move_peer(node->sync, member->name, member->address);
    free(old); /* swim and sync had it until they were told of the new one */
    member_past_tidy(member);
}

void member_address(struct node *node, struct member *member, const char *address)
{
    member_keep_address(node, member, address);
    sync_set_peer(node->sync, member->name, member->address,
                  member_phase_is_reachable(swim_phase(node->swim, member->name)));
}

/* --- Its past -------------------------------------------------------------------------------- */

const struct member_past *member_past(const struct member *member)
{
    static const struct member_past nothing;
    return member->past ? member->past : &nothing;
}

struct member_past *member_past_of(struct member *member)
{
    if (!member->past)
        member->past = xcalloc(1, sizeof *member->past);
    return member->past;
}

void member_past_tidy(struct member *member)
{
    const struct member_past *past = member->past;
    if (!past || past->address || past->met_replica || past->dead_ms || past->absent_run ||
        past->absent_until_ms)
        return;
    free(member->past);
    member->past = NULL;
}

void member_set_dead(struct member *member, uint64_t since_ms)
{
    if (since_ms > 0)
        member_past_of(member)->dead_ms = since_ms;
    else if (member->past)
        member->past->dead_ms = 0;
    member_past_tidy(member);
}
