/* Members as the map has them. In a large cluster there are as many on each node: what users see is
 * kept once somebody has looked, and what is said of few only of those. */
#include "agent/core/store_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void member_entry_free(void *value)
{
    struct member_entry *entry = value;
    kept_member_drop(entry->record);
    free(entry->shown);
    free(entry->apart);
    free(entry);
}

static struct member_entry *member_entry_new(const char *name)
{
    size_t bytes = strlen(name) + 1;
    struct member_entry *entry = xcalloc(1, offsetof(struct member_entry, name) + bytes);
    memcpy(entry->name, name, bytes);
    return entry;
}

struct member_apart *member_apart_of(struct member_entry *entry)
{
    if (!entry->apart) {
        entry->apart = xcalloc(1, sizeof *entry->apart);
        entry->apart->cordon = entry->record->cordon;
    }
    return entry->apart;
}

const struct cordon *member_cordon(const struct member_entry *entry)
{
    return entry->apart ? &entry->apart->cordon : &entry->record->cordon;
}

const struct member_shown *member_shown(const struct member_entry *entry)
{
    static const struct member_shown nothing;
    return entry->shown ? entry->shown : &nothing;
}

struct member_shown *member_shown_of(struct member_entry *entry)
{
    if (!entry->shown)
        entry->shown = xcalloc(1, sizeof *entry->shown);
    return entry->shown;
}

/* The latest run's record counts, and the latest cordon. */
static void member_entry_decode(struct store *store, struct member_entry *new,
                                const struct awmap_entry *entry)
{
    struct cordon cordon = {0};
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        const struct member_record *record = kept_member(awmap_entry_sibling(entry, i).value);
        if (!record) {
            store->undecodable++;
            continue;
        }
        new->several = new->record != NULL;
        if (!new->several || record->cordon.version > cordon.version)
            cordon = record->cordon;
        if (new->record && record->join_counter <= new->record->join_counter) {
            kept_member_drop(record);
            continue;
        }
        kept_member_drop(new->record);
        new->record = record;
    }
    if (new->several)
        member_apart_of(new)->cordon = cordon;
}

static void member_entry_hide(struct store *store, struct member_entry *old)
{
    if (old->shown)
        feed_hide(&store->feed, FEED_MEMBERS, &old->shown->item, "", old->record->replica);
}

void store_apply_member(struct store *store, const char *name, const struct awmap_entry *entry)
{
    struct member_entry *old = index_remove(&store->members, span_text(name));
    struct member_entry *new = member_entry_new(name);
    member_entry_decode(store, new, entry);
    new->version = ++store->feed.position;
    bool same_life = old && new->record &&new->record->replica == old->record->replica;
    bool hidden = index_count(&store->names) > store->feed.lists[FEED_NAMES].count;
    if (!same_life) /* what it holds may have waited for it to be known */
        store_touch_held(store, name);
    if (!same_life && (old || hidden))
        store_touch_names_of(store, name);
    store->supervisors_changed = store->supervisors_changed || !new->record;
    if (new->record) {
        new->shown = old ? old->shown : NULL;
        if (old)
            old->shown = NULL;
        index_insert_own(&store->members, span_text(new->name), new);
        store_touch_member(store, name);
    } else {
        if (old)
            member_entry_hide(store, old);
        member_entry_free(new);
    }
    store->listener.member_changed(store->listener.context, name, old ? old->record : NULL);
    if (old)
        member_entry_free(old);
}

void store_member_release(struct store *store)
{
    index_release(&store->members, member_entry_free);
}
