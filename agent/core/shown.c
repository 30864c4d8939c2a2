/* What users see, held against the feed: whatever may have changed in a step is looked at once, at
 * its end, and moves in the feed only if it is shown otherwise than before.
 *
 * Much of what is shown stands nowhere in the map: the phase of a member, that a child's node is
 * lost or why it waits, that a name's owner no longer lives, the counts of a workload. So nobody
 * has to know what follows from what: who changes something that may be seen touches the object
 * (store_touch...), and the hash of its view decides. An object is hidden when its view is.
 *
 * A version names one content. If a list showed the world as it is at that moment, say that a
 * member is dead, and it lived again before anybody looked, then who had listed would believe in
 * its death for ever: no change was ever noted. So views (query.c) are made of the store alone, and
 * what they need of the world is noted there by who touches: here the phase of a member, whether it
 * is lost and its children, the counts and progress of a workload, whether a name lives (it does if
 * it is shown), the status of a supervisor; in child_status.c how our own containers are; in
 * store_set_pending why a child waits.
 *
 * What is made of many is looked at more rarely, so that a thousand changes do not cost a thousand
 * looks at all: supervisors, and how many children a member has. The counts of a workload are kept
 * as sums of what was last seen of each child.
 *
 * No change of its own: a member's incarnation.
 *
 * All of this begins when somebody looks for the first time (EVENT_LOOK): agents of a large cluster
 * are asked by nobody, and its news are many. */
#include "agent/core/shown.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"

enum {
    COUNTS_PACE_MS = 1000, /* of members and supervisors */
    PHASE_PACE_MS = 50,    /* of supervisors, when a member came or went: many do at once */
};

/* --- Hashes ---------------------------------------------------------------------------------- */

/* Versions are small numbers: what is mixed first is multiplied before the second meets it. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash * 0xff51afd7ed558ccdu ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    uint64_t word = 0;
    for (size_t i = 0; text[i]; i++) {
        word = word << 8 | (uint8_t)text[i];
        if (i % 8 == 7)
            hash = mix(hash, word);
    }
    return mix(mix(hash, word), strlen(text));
}

/* All that children and names show of their workload's document: the text between the braces, which
 * labels cannot have in them. Quotes inside texts are escaped, so it is found nowhere else. */
static uint64_t hash_labels(const struct group *group)
{
    static const char key[] = "\"labels\":{";
    const char *document = group->has_workload ? group->workload.document : NULL;
    const char *at = document ? strstr(document, key) : NULL;
    if (!at)
        return 0;
    uint64_t hash = 1;
    for (at += sizeof key - 1; *at && *at != '}'; at++)
        hash = mix(hash, (uint8_t)*at);
    return hash;
}

static uint64_t hash_child(const struct child_view *view, uint64_t labels)
{
    uint64_t hash = mix(labels, view->phase | view->ready << 8 | view->has_exit_code << 9 |
                                    (view->workload != NULL) << 10);
    hash = mix(mix(mix(hash, view->epoch), view->restarts), view->started_ms);
    hash = mix(mix(hash, view->spec_hash), (uint64_t)(int64_t)view->exit_code);
    hash = mix_text(mix_text(hash, view->node), view->container_id);
    hash = mix_text(mix_text(hash, view->reason), view->message);
    return mix_text(mix_text(hash, view->uid), view->supervisor);
}

/* --- Children and workloads ------------------------------------------------------------------ */

static struct child_counted child_count(const struct child *child, const struct child_view *view)
{
    if (!child_is_wanted(child))
        return (struct child_counted){0};
    bool done = view->ready || view->phase == CHILD_SUCCEEDED;
    return (struct child_counted){
        .running = view->phase == CHILD_RUNNING,
        .ready = view->ready,
        .updated = done && view->spec_hash == child->group->workload.spec_hash,
        .conflicts = strcmp(view->reason, "NameConflict") == 0 ||
                     strcmp(view->reason, "name_conflict") == 0};
}

static void counts_replace(struct child_counts *sum, struct child_counted *old,
                           const struct child_counted *new)
{
    sum->running += (uint32_t) new->running - old->running;
    sum->ready += (uint32_t) new->ready - old->ready;
    sum->updated += (uint32_t) new->updated - old->updated;
    sum->conflicts += (uint32_t) new->conflicts - old->conflicts;
    *old = *new;
}

/* A child that is placed anew is another one to clients, as a Pod would be: it goes, and comes
 * again with another uid. The one that was never placed is that of epoch 1 already. */
static uint64_t child_life(uint64_t epoch)
{
    return epoch > 0 ? epoch : 1;
}

static void child_hide(struct feed *feed, struct child *child)
{
    const char *uid = child->claim ? child->claim->uid : child->group->workload.uid;
    feed_hide(feed, FEED_CHILDREN, &child->shown, uid, child->shown_life);
}

/* "No children" is never told of who has some: it would mean that a drain is over. */
static void shown_holder(struct store *store, const struct child *child)
{
    if (!child->claim || child->claim->state > CLAIM_CLAIMED)
        return;
    const struct member_entry *entry = store_member(store, child->claim->node);
    if (entry && member_shown(entry)->children == 0)
        store_touch_member(store, child->claim->node);
}

static void shown_child(struct node *node, struct child *child)
{
    struct feed *feed = &node->store.feed;
    struct group *group = child->group;
    struct child_counted counts = {0};
    if (query_shows(child)) {
        struct child_view view;
        struct feed_key key = {child->group->ns, child->group->name, child->ordinal};
        query_fill_child(&node->store, child, &view);
        counts = child_count(child, &view);
        if (child->shown && child->shown_life != child_life(view.epoch))
            child_hide(feed, child);
        child->shown_life = child_life(view.epoch);
        feed_show(feed, FEED_CHILDREN, &child->shown, &key, hash_child(&view, group->labels));
    } else {
        child_hide(feed, child);
    }
    counts_replace(&group->counts, &child->counted, &counts);
    shown_holder(&node->store, child);
    store_touch_group(&node->store, group);
    for (struct name_entry *name = child->names; name; name = name->owned_next)
        store_touch_name(&node->store, name);
}

static void shown_group(struct node *node, struct group *group)
{
    struct feed *feed = &node->store.feed;
    const struct child_counts *counts = &group->counts;
    if (!group->has_workload) {
        feed_hide(feed, FEED_WORKLOADS, &group->shown, group->workload.uid, 0);
        return;
    }
    struct feed_key key = {.ns = group->ns, .name = group->name};
    group->shown_complete = group->progress.complete;
    group->shown_late = group->progress.late;
    uint64_t hash = mix(group->version, group->shown_complete | group->shown_late << 1);
    hash = mix(mix(hash, counts->running), counts->ready);
    hash = mix(mix(hash, counts->updated), counts->conflicts);
    feed_show(feed, FEED_WORKLOADS, &group->shown, &key, hash);
}

/* --- Names ----------------------------------------------------------------------------------- */

static void shown_name(struct node *node, struct name_entry *name)
{
    struct feed *feed = &node->store.feed;
    const struct name_record *record = name->record;
    bool lost = !record->outside && store_life_is_lost(&node->store, record->node, record->replica);
    if (!registry_would_live(node, name, lost)) {
        feed_hide(feed, FEED_NAMES, &name->shown, "", 0);
        return;
    }
    struct feed_key key = {.ns = name->ns, .name = name_of(name)};
    uint64_t labels = name->owner ? name->owner->group->labels : 0;
    feed_show(feed, FEED_NAMES, &name->shown, &key, mix(name->version, labels));
}

/* --- Members and supervisors ----------------------------------------------------------------- */

static void look_by(uint64_t *due_ms, uint64_t at_ms)
{
    *due_ms = at_ms < *due_ms ? at_ms : *due_ms;
}

static void shown_member(struct node *node, const char *name)
{
    struct store *store = &node->store;
    struct member_entry *entry = store_member(store, name);
    if (!entry)
        return;
    enum placement_phase phase = member_phase(node, name);
    bool lost = phase == PLACEMENT_DEAD || phase == PLACEMENT_LEFT;
    struct member_shown *shown = member_shown_of(entry);
    if (lost != shown->lost) {
        store_touch_held(store, name);
        store_touch_names_of(store, name);
    }
    shown->lost = lost;
    shown->phase = member_phase_text(node, name);
    shown->children = query_claims_of(store, name);
    struct feed_key key = {.ns = "", .name = name};
    uint64_t hash = mix_text(mix(entry->version, shown->children), shown->phase);
    feed_show(&store->feed, FEED_MEMBERS, &shown->item, &key, hash);
}

static uint64_t hash_members(const struct store *store, const struct supervisor *supervisor)
{
    uint64_t hash = 0;
    const struct member_entry *entry;
    for (size_t i = 0; !supervisor->members_auto && i < supervisor->member_count; i++)
        if ((entry = store_member(store, supervisor->members[i])) != NULL)
            hash = mix_text(mix(hash, i), member_shown(entry)->listed_phase);
    for (entry = supervisor->members_auto ? store_member_after(store, "") : NULL; entry;
         entry = store_member_after(store, entry->name))
        hash = mix_text(mix_text(hash, entry->name), member_shown(entry)->listed_phase);
    return hash;
}

static uint64_t hash_supervisor(const struct node *node, const struct supervisor *supervisor,
                                const struct supervisor_status *status)
{
    const struct store *store = &node->store;
    const struct supervisor_entry *entry = store_supervisor(store, supervisor->name);
    const struct electorate_entry *electorate = store_electorate(store, supervisor->name);
    const struct rebalance_entry *rebalance = store_rebalance(store, supervisor->name);
    uint64_t hash = mix(entry ? entry->version : 1, status->quorum);
    hash = mix(hash, (uint64_t)status->specs << 32 | status->running);
    hash = mix_text(hash, status->electorate_message);
    if (electorate) {
        const struct electorate_record *record = &electorate->record;
        hash = mix(mix(hash, record->term.era), record->term.version);
        hash = mix(mix(hash, record->term.lineage), record->old_count);
        hash = mix(mix(hash, electorate->conflict), record->generation);
    }
    if (rebalance)
        hash = mix(hash, rebalance->rebalance.asked_ms);
    return mix(hash, hash_members(store, supervisor));
}

static struct supervisor_status supervisor_status_now(const struct node *node,
                                                      const struct supervisor *supervisor)
{
    struct supervisor_status status = {.quorum = quorum_of(node, supervisor) == QUORUM_HELD};
    const struct placement_strategy *strategy = placement_strategy_by_name(supervisor->strategy);
    if (strategy && strategy->votes)
        quorum_message(node, supervisor, status.electorate_message);
    for (const struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name)) {
        if (!g->has_workload || strcmp(g->workload.supervisor, supervisor->name) != 0)
            continue;
        status.specs += g->workload.replicas;
        status.running += g->counts.running;
    }
    return status;
}

static struct shown_supervisor *supervisor_make(struct node *node, const char *name)
{
    struct shown_supervisor *shown = index_find(&node->shown.supervisors, span_text(name));
    if (shown)
        return shown;
    size_t bytes = strlen(name) + 1;
    shown = xcalloc(1, sizeof *shown + bytes);
    memcpy(shown->name, name, bytes);
    index_insert(&node->shown.supervisors, span_text(name), shown);
    return shown;
}

static void shown_supervisor_look(struct node *node, const char *name)
{
    struct supervisor supervisor;
    struct shown_supervisor *shown = supervisor_make(node, name);
    shown->looked_ms = node->now.mono_ms;
    if (!ranking_supervisor(node, name, &supervisor))
        return;
    TEXT_SET(shown->uid, supervisor.uid);
    shown->status = supervisor_status_now(node, &supervisor);
    struct feed_key key = {.ns = "", .name = name};
    feed_show(&node->store.feed, FEED_SUPERVISORS, &shown->item, &key,
              hash_supervisor(node, &supervisor, &shown->status));
}

static void shown_supervisors(struct node *node)
{
    struct index *all = &node->shown.supervisors;
    for (struct member_entry *entry = store_member_after(&node->store, ""); entry;
         entry = store_member_after(&node->store, entry->name))
        if (entry->shown)
            entry->shown->listed_phase = entry->shown->phase;
    shown_supervisor_look(node, SUPERVISOR_DEFAULT);
    shown_supervisor_look(node, SUPERVISOR_QUORUM);
    for (const struct supervisor_entry *entry = store_supervisor_after(&node->store, ""); entry;
         entry = store_supervisor_after(&node->store, entry->supervisor.name))
        shown_supervisor_look(node, entry->supervisor.name);
    struct shown_supervisor *next;
    for (struct shown_supervisor *s = index_after(all, span_text("")); s; s = next) {
        next = index_after(all, span_text(s->name));
        if (s->looked_ms == node->now.mono_ms)
            continue;
        feed_hide(&node->store.feed, FEED_SUPERVISORS, &s->item, s->uid, 0);
        index_remove(all, span_text(s->name));
        free(s);
    }
}

const struct shown_supervisor *shown_supervisor(const struct node *node, const char *name)
{
    return index_find(&node->shown.supervisors, span_text(name));
}

static void shown_meta(struct store *store, struct meta_entry *meta)
{
    struct feed_key key = {.ns = meta->ns, .name = meta->name};
    feed_show(&store->feed, FEED_METAS, &meta->shown, &key, meta->version);
}

/* --- All ------------------------------------------------------------------------------------- */

static void shown_touched(struct node *node)
{
    struct store *store = &node->store;
    uint64_t position = store->feed.position;
    for (size_t i = 0; i < store->touched_groups.count; i++) {
        struct group *group = store->touched_groups.items[i];
        if (group->labels_version != group->version)
            group->labels = hash_labels(group);
        group->labels_version = group->version;
    }
    size_t members = 0, children = 0; /* each may touch some of the others */
    while (members < store->touched_member_count || children < store->touched_children.count) {
        for (; members < store->touched_member_count; members++)
            shown_member(node, store->touched_members[members]);
        for (; children < store->touched_children.count; children++) {
            struct child *child = store->touched_children.items[children];
            child->touched_place = 0; /* a member that is looked at after it may touch it again */
            shown_child(node, child);
        }
    }
    for (size_t i = 0; i < store->touched_names.count; i++)
        if (store->touched_names.items[i])
            shown_name(node, store->touched_names.items[i]);
    for (size_t i = 0; i < store->touched_groups.count; i++)
        shown_group(node, store->touched_groups.items[i]);
    uint64_t pace_ms = store->touched_member_count > 0 ? PHASE_PACE_MS : COUNTS_PACE_MS;
    if (store->feed.position > position)
        look_by(&node->shown.supervisors_ms, node->now.mono_ms + pace_ms);
    store_touched_clear(store);
}

static void shown_count_children(struct node *node)
{
    for (const struct member_entry *entry = store_member_after(&node->store, ""); entry;
         entry = store_member_after(&node->store, entry->name))
        store_touch_member(&node->store, entry->name);
}

void shown_begin(struct node *node)
{
    struct store *store = &node->store;
    if (store->feed.open)
        return;
    feed_open(&store->feed);
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name)) {
        store_touch_group(store, g);
        for (size_t i = 0; i < g->child_count; i++)
            store_touch(store, g->children[i]);
    }
    for (struct name_entry *name = store_name_after(store, "", ""); name;
         name = store_name_after(store, name->ns, name_of(name)))
        store_touch_name(store, name);
    for (struct meta_entry *meta = store_meta_after(store, "", ""); meta;
         meta = store_meta_after(store, meta->ns, meta->name))
        shown_meta(store, meta);
    shown_count_children(node);
    node->shown.supervisors_ms = node->now.mono_ms;
}

void shown_settle(struct node *node)
{
    struct shown *shown = &node->shown;
    uint64_t now_ms = node->now.mono_ms;
    if (!node->store.feed.open) {
        store_touched_clear(&node->store);
        return;
    }
    if (node->store.claims_changed)
        look_by(&shown->members_ms, now_ms + COUNTS_PACE_MS);
    node->store.claims_changed = false;
    if (now_ms >= shown->members_ms) {
        shown->members_ms = UINT64_MAX;
        shown_count_children(node);
    }
    shown_touched(node);
    if (now_ms >= shown->supervisors_ms || node->store.supervisors_changed) {
        node->store.supervisors_changed = false;
        shown->supervisors_ms = UINT64_MAX;
        shown_supervisors(node);
    }
}

uint64_t shown_deadline(const struct node *node)
{
    const struct shown *shown = &node->shown;
    return shown->members_ms < shown->supervisors_ms ? shown->members_ms : shown->supervisors_ms;
}

void shown_release(struct node *node)
{
    index_release(&node->shown.supervisors, free);
}
