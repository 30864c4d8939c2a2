/* Names and meta: what a change of the map does to them (see store_feed.c). A name is its owner's,
 * a child, or stands in the list of those from outside. */
#include "agent/core/store_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct name_entry *store_name_make(struct store *store, const struct key_parts *key)
{
    struct name_entry *name = store_name(store, key->ns, key->name);
    if (name)
        return name;
    size_t ns_bytes = strlen(key->ns) + 1, name_bytes = strlen(key->name) + 1;
    name = xcalloc(1, offsetof(struct name_entry, ns) + ns_bytes + name_bytes);
    memcpy(name->ns, key->ns, ns_bytes);
    name->name_at = (uint8_t)ns_bytes;
    memcpy(name->ns + ns_bytes, key->name, name_bytes);
    struct pair_key pair = pair_key(key->ns, key->name);
    index_insert(&store->names, pair_span(&pair), name);
    return name;
}

static void name_entry_free(void *value)
{
    struct name_entry *name = value;
    kept_name_drop(name->record);
    free(name);
}

static void store_outside_add(struct store *store, struct name_entry *name)
{
    if (store->outside_count == store->outside_capacity) {
        store->outside_capacity = store->outside_capacity ? 2 * store->outside_capacity : 16;
        store->outside =
            xrealloc(store->outside, store->outside_capacity * sizeof(struct name_entry *));
    }
    store->outside[store->outside_count++] = name;
    name->outside_place = (uint32_t)store->outside_count;
    store->outside_changed = true;
}

static void store_outside_remove(struct store *store, struct name_entry *name)
{
    struct name_entry *last = store->outside[--store->outside_count];
    store->outside[name->outside_place - 1] = last;
    last->outside_place = name->outside_place;
    name->outside_place = 0;
}

static void store_name_own(struct store *store, struct name_entry *name)
{
    if (name->record->outside) {
        store_outside_add(store, name);
        return;
    }
    name->expires_ms = 0;
    struct child *owner = store_child_make(store, &name->record->owner);
    name->owner = owner;
    name->owned_next = owner->names;
    owner->names = name;
    store_mark(store, owner);
}

static void owner_remove(struct child *owner, struct name_entry *name)
{
    struct name_entry **link = &owner->names;
    while (*link != name)
        link = &(*link)->owned_next;
    *link = name->owned_next;
}

static void store_name_disown(struct store *store, struct name_entry *name)
{
    if (name->siblings == 0)
        return;
    struct child *owner = name->owner;
    name->owner = NULL;
    if (owner) {
        owner_remove(owner, name);
        store_mark(store, owner);
    } else {
        store_outside_remove(store, name);
    }
    kept_name_drop(name->record);
    name->record = NULL;
    name->siblings = 0;
}

void store_apply_name(struct store *store, const struct key_parts *key,
                      const struct awmap_entry *entry)
{
    struct name_entry *name = store_name_make(store, key);
    store_name_disown(store, name);
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        const struct name_record *record = kept_name(awmap_entry_sibling(entry, i).value);
        if (!record) {
            store->undecodable++;
            continue;
        }
        bool wins = name->siblings == 0 || name_record_compare(record, name->record, key->name) > 0;
        name->siblings++;
        kept_name_drop(wins ? name->record : record);
        if (wins)
            name->record = record;
    }
    name->version = ++store->feed.position;
    store_touch_name(store, name);
    if (name->siblings > 0) {
        if (name->record->epoch > name->epoch_max)
            name->epoch_max = name->record->epoch;
        store_name_own(store, name);
        return;
    }
    feed_hide(&store->feed, FEED_NAMES, &name->shown, "", 0);
    store->touched_names.items[name->touched_place - 1] = NULL;
    struct pair_key pair = pair_key(key->ns, key->name);
    index_remove(&store->names, pair_span(&pair));
    name_entry_free(name);
}

static void meta_entry_free(void *value)
{
    struct meta_entry *meta = value;
    free(meta->value);
    free(meta);
}

void store_apply_meta(struct store *store, const struct key_parts *key,
                      const struct awmap_entry *entry)
{
    struct pair_key pair = pair_key(key->ns, key->name);
    struct meta_entry *old = index_remove(&store->metas, pair_span(&pair));
    struct feed_item *shown = old ? old->shown : NULL;
    if (old)
        meta_entry_free(old);
    char *value = NULL;
    for (size_t i = 0; i < awmap_entry_count(entry) && !value; i++) {
        value = meta_decode(awmap_entry_sibling(entry, i).value);
        store->undecodable += !value;
    }
    store->feed.position++;
    if (!value) {
        feed_hide(&store->feed, FEED_METAS, &shown, "", 0);
        return;
    }
    size_t ns_bytes = strlen(key->ns) + 1, name_bytes = strlen(key->name) + 1;
    struct meta_entry *new = xcalloc(1, sizeof *new + ns_bytes + name_bytes);
    memcpy(new->ns, key->ns, ns_bytes);
    new->name = memcpy(new->ns + ns_bytes, key->name, name_bytes);
    new->value = value;
    new->siblings = awmap_entry_count(entry);
    new->version = store->feed.position;
    struct feed_key shown_key = {.ns = new->ns, .name = new->name};
    feed_show(&store->feed, FEED_METAS, &shown, &shown_key, new->version);
    new->shown = shown;
    index_insert(&store->metas, pair_span(&pair), new);
}

void store_names_release(struct store *store)
{
    index_release(&store->names, name_entry_free);
    index_release(&store->metas, meta_entry_free);
    free(store->outside);
}
