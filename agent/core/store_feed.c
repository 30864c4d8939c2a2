/* What a change of the map does to the view: each kind of key has one function that picks the
 * winning sibling and decodes it. Here are documents, claims and statuses. */
#include "agent/core/store_private.h"

#include <stdlib.h>
#include <string.h>

/* A document has the name of its key, or it cannot be read: all of a kind are gone through by their
 * names, which would not come to an end. No agent writes another. */
static bool workload_read(struct workload *workload, const struct key_parts *key, struct span value)
{
    return workload_decode(workload, value) && strcmp(workload->ns, key->ns) == 0 &&
           strcmp(workload->name, key->name) == 0;
}

static bool supervisor_read(struct supervisor *supervisor, const char *name, struct span value)
{
    return supervisor_decode(supervisor, value) && strcmp(supervisor->name, name) == 0;
}

static void store_apply_workload(struct store *store, const struct key_parts *key,
                                 const struct awmap_entry *entry)
{
    struct group *group = store_group_make(store, key->ns, key->name);
    group->version = ++store->feed.position;
    store_touch_group(store, group);
    group->has_workload = false;
    for (size_t i = 0; i < awmap_entry_count(entry) && !group->has_workload; i++) {
        struct workload workload = {0};
        if (!workload_read(&workload, key, awmap_entry_sibling(entry, i).value)) {
            workload_release(&workload);
            store->undecodable++;
            continue;
        }
        workload_release(&group->workload);
        group->workload = workload;
        group->has_workload = true;
    }
    group->unreadable = !group->has_workload && awmap_entry_count(entry) > 0;
    struct child_id id = {.ordinal = 0};
    TEXT_SET(id.ns, key->ns);
    TEXT_SET(id.workload, key->name);
    for (; group->has_workload && id.ordinal < group->workload.replicas; id.ordinal++)
        store_child_make(store, &id);
    group_mark(store, group);
    for (size_t i = 0; i < group->child_count; i++)
        store_touch(store, group->children[i]);
    store_group_tidy(store, group);
}

/* The status that counts is its holder's, of the claim's epoch: also when one of a later epoch has
 * stayed behind, or one of another that had claimed the same beyond a cut. Without one, the last
 * written of the latest epoch. */
static void child_pick_status(struct child *child)
{
    const struct status *best = NULL;
    for (size_t i = 0; i < child->status_siblings; i++) {
        const struct status *status = child->statuses[i];
        if (child->claim && status_is_of(status, child->claim)) {
            best = status;
            break;
        }
        if (!best || status->epoch > best->epoch)
            best = status;
    }
    if (best)
        child->status = best;
}

/* What it offers counts as known, whichever sibling wins. */
static void child_note_epoch(struct child *child, const struct claim *claim)
{
    uint64_t epoch = claim->offer ? claim->offer->epoch : claim->epoch;
    if (epoch > child->epoch_max)
        child->epoch_max = epoch;
    if (claim->epoch > child->claim_epoch_max)
        child->claim_epoch_max = claim->epoch;
}

/* Of the siblings the one that wins, kept; NULL: there is none. */
static const struct claim *store_pick_claim(struct store *store, struct child *child,
                                            const struct awmap_entry *entry)
{
    const struct claim *best = NULL;
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        const struct claim *claim = kept_claim(awmap_entry_sibling(entry, i).value);
        if (!claim) {
            store->undecodable++;
            continue;
        }
        child_note_epoch(child, claim);
        bool better = !best || claim_compare(claim, best, child->hash) > 0;
        kept_claim_drop(better ? best : claim);
        best = better ? claim : best;
    }
    return best;
}

static void store_apply_claim(struct store *store, const struct key_parts *key,
                              const struct awmap_entry *entry)
{
    struct child *child = store_child_make(store, &key->child);
    const struct claim *claim = store_pick_claim(store, child, entry);
    child->claim_siblings = (uint32_t)awmap_entry_count(entry);
    if (!claim || !child->claim || child->claim->epoch != claim->epoch)
        child->claim_seen_s = 0;
    if (!claim && child->claim && !child_is_wanted(child)) /* the claim alone knows its uid */
        feed_hide(&store->feed, FEED_CHILDREN, &child->shown, child->claim->uid, child->shown_life);
    store_set_claim(store, child, claim);
    store->claims_changed = true;
    child_pick_status(child);
    child->free_known = false;
    store_touch(store, child);
    store_mark(store, child);
}

static void store_apply_status(struct store *store, const struct key_parts *key,
                               const struct awmap_entry *entry)
{
    struct child *child = store_child_make(store, &key->child);
    size_t count = awmap_entry_count(entry);
    child_drop_statuses(child);
    child->statuses = count > 1 ? xcalloc(count, sizeof(const struct status *)) : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct status *status = kept_status(awmap_entry_sibling(entry, i).value);
        if (!status) {
            store->undecodable++;
            continue;
        }
        child->status = status;
        if (child->statuses)
            child->statuses[child->status_siblings++] = status;
        if (status->epoch > child->epoch_max)
            child->epoch_max = status->epoch;
    }
    child_pick_status(child);
    store_touch(store, child);
    store_mark(store, child);
    if (child->group->update_waiting) {
        child->group->update_waiting = false;
        group_mark(store, child->group);
    }
}

static void supervisor_entry_free(void *value)
{
    struct supervisor_entry *entry = value;
    supervisor_release(&entry->supervisor);
    free(entry);
}

static void store_apply_supervisor(struct store *store, const char *name,
                                   const struct awmap_entry *entry)
{
    struct supervisor_entry *old = index_remove(&store->supervisors, span_text(name));
    struct supervisor_entry *new = xcalloc(1, sizeof *new);
    bool found = false;
    for (size_t i = 0; i < awmap_entry_count(entry) && !found; i++) {
        found = supervisor_read(&new->supervisor, name, awmap_entry_sibling(entry, i).value);
        store->undecodable += !found;
    }
    new->version = ++store->feed.position;
    store->supervisors_changed = true;
    if (found)
        index_insert(&store->supervisors, span_text(name), new);
    else
        supervisor_entry_free(new);
    if (old)
        supervisor_entry_free(old);
    store->redistribution_changed = true;
    store->listener.supervisor_changed(store->listener.context, name);
}

static void store_apply_rebalance(struct store *store, const char *name,
                                  const struct awmap_entry *entry)
{
    free(index_remove(&store->rebalances, span_text(name)));
    store->redistribution_changed = store->supervisors_changed = true;
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        struct rebalance rebalance;
        if (!rebalance_decode(&rebalance, awmap_entry_sibling(entry, i).value)) {
            store->undecodable++;
            continue;
        }
        struct rebalance_entry *known = xcalloc(1, sizeof *known);
        known->rebalance = rebalance;
        TEXT_SET(known->supervisor, name);
        index_insert(&store->rebalances, span_text(known->supervisor), known);
        return;
    }
}

/* The latest of one history counts; of one era, another history is a conflict. */
static void electorate_take(struct electorate_entry *entry, const struct electorate_record *record)
{
    bool conflict, first = entry->siblings++ == 0;
    entry->generation =
        record->generation > entry->generation ? record->generation : entry->generation;
    if (first) {
        entry->record = *record;
        return;
    }
    const struct electorate_record before = entry->record;
    bool later = electorate_record_compare(record, &before, &conflict) > 0;
    if (record->term.era > before.term.era) {
        entry->conflict = entry->crowded = false;
        entry->others.old_count = 0;
    }
    if (later)
        entry->record = *record;
    if (!conflict)
        return;
    entry->conflict = true;
    if (!electorate_record_follow(&entry->others, later ? &before : record))
        entry->crowded = true;
}

static void store_apply_electorate(struct store *store, const char *name,
                                   const struct awmap_entry *entry)
{
    free(index_remove(&store->electorates, span_text(name)));
    struct electorate_entry *new = xcalloc(1, sizeof *new);
    TEXT_SET(new->name, name);
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        struct electorate_record record;
        if (electorate_record_decode(&record, awmap_entry_sibling(entry, i).value))
            electorate_take(new, &record);
        else
            store->undecodable++;
    }
    if (new->siblings > 0)
        index_insert(&store->electorates, span_text(name), new);
    else
        free(new);
    store->electorates_changed = store->supervisors_changed = true;
}

void store_apply(struct store *store, const struct awmap_entry *entry)
{
    struct key_parts key = key_parse(awmap_entry_key(entry));
    switch (key.kind) {
    case KEY_WORKLOAD:
        store_apply_workload(store, &key, entry);
        break;
    case KEY_CLAIM:
        store_apply_claim(store, &key, entry);
        break;
    case KEY_STATUS:
        store_apply_status(store, &key, entry);
        break;
    case KEY_NAME:
        store_apply_name(store, &key, entry);
        break;
    case KEY_STATE:
        store_apply_state(store, &key, entry);
        break;
    case KEY_PIECE:
        store_apply_piece(store, &key, entry);
        break;
    case KEY_META:
        store_apply_meta(store, &key, entry);
        break;
    case KEY_SUPERVISOR:
        store_apply_supervisor(store, key.name, entry);
        break;
    case KEY_MEMBER:
        store_apply_member(store, key.name, entry);
        break;
    case KEY_REBALANCE:
        store_apply_rebalance(store, key.name, entry);
        break;
    case KEY_ELECTORATE:
        store_apply_electorate(store, key.name, entry);
        break;
    case KEY_UNKNOWN:
        break;
    }
}

void store_feed_release(struct store *store)
{
    index_release(&store->electorates, free);
    index_release(&store->supervisors, supervisor_entry_free);
    index_release(&store->rebalances, free);
}
