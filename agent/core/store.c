/* The typed view of the map: what is in it, and how it is found. What a change of the map does to
 * it is in store_feed.c (documents, claims, statuses), store_member.c, store_names.c (names and
 * meta) and store_state.c (states); what follows from a change is only noted (a dirty child, a
 * version), never acted upon here. */
#include "agent/core/store_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TOUCHED_MEMBERS_KEPT = 64, TOUCHED_KEPT = 1024 }; /* room for so many stays when clear */

/* --- Finding --------------------------------------------------------------------------------- */

struct group *store_group(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_find(&store->groups, pair_span(&key));
}

struct group *store_group_after(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_after(&store->groups, pair_span(&key));
}

const char *name_of(const struct name_entry *name)
{
    return name->ns + name->name_at;
}

struct name_entry *store_name(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_find(&store->names, pair_span(&key));
}

struct name_entry *store_name_after(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_after(&store->names, pair_span(&key));
}

struct meta_entry *store_meta(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_find(&store->metas, pair_span(&key));
}

struct meta_entry *store_meta_after(const struct store *store, const char *ns, const char *name)
{
    struct pair_key key = pair_key(ns, name);
    return index_after(&store->metas, pair_span(&key));
}

struct supervisor_entry *store_supervisor(const struct store *store, const char *name)
{
    return index_find(&store->supervisors, span_text(name));
}

struct supervisor_entry *store_supervisor_after(const struct store *store, const char *name)
{
    return index_after(&store->supervisors, span_text(name));
}

struct electorate_entry *store_electorate(const struct store *store, const char *supervisor)
{
    return index_find(&store->electorates, span_text(supervisor));
}

struct member_entry *store_member(const struct store *store, const char *name)
{
    return index_find(&store->members, span_text(name));
}

struct rebalance_entry *store_rebalance(const struct store *store, const char *supervisor)
{
    return index_find(&store->rebalances, span_text(supervisor));
}

struct rebalance_entry *store_rebalance_after(const struct store *store, const char *supervisor)
{
    return index_after(&store->rebalances, span_text(supervisor));
}

struct member_entry *store_member_after(const struct store *store, const char *name)
{
    return index_after(&store->members, span_text(name));
}

/* Index of the first child whose ordinal is not smaller. */
static size_t group_position(const struct group *group, uint32_t ordinal)
{
    size_t low = 0, high = group->child_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->children[middle]->ordinal < ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct child *group_child(const struct group *group, uint32_t ordinal)
{
    size_t at = group_position(group, ordinal);
    bool found = at < group->child_count && group->children[at]->ordinal == ordinal;
    return found ? group->children[at] : NULL;
}

struct child *store_child(const struct store *store, const struct child_id *id)
{
    struct group *group = store_group(store, id->ns, id->workload);
    return group ? group_child(group, id->ordinal) : NULL;
}

bool child_is_wanted(const struct child *child)
{
    return child->group->has_workload && child->ordinal < child->group->workload.replicas;
}

struct child_id child_id(const struct child *child)
{
    struct child_id id = {.ordinal = child->ordinal};
    memcpy(id.ns, child->group->ns, sizeof id.ns);
    memcpy(id.workload, child->group->name, sizeof id.workload);
    return id;
}

bool child_has_id(const struct child *child, const struct child_id *id)
{
    return child->ordinal == id->ordinal && strcmp(child->group->name, id->workload) == 0 &&
           strcmp(child->group->ns, id->ns) == 0;
}

int child_compare(const struct child *a, const struct child *b)
{
    int order = strcmp(a->group->ns, b->group->ns);
    if (order == 0)
        order = strcmp(a->group->name, b->group->name);
    return order != 0 ? order : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

/* --- Dirty children -------------------------------------------------------------------------- */

void store_mark(struct store *store, struct child *child)
{
    if (child->dirty)
        return;
    if (store->dirty_count == store->dirty_capacity) {
        store->dirty_capacity = store->dirty_capacity ? 2 * store->dirty_capacity : 64;
        store->dirty = xrealloc(store->dirty, store->dirty_capacity * sizeof(struct child *));
    }
    child->dirty = true;
    store->dirty[store->dirty_count++] = child;
}

void group_mark(struct store *store, struct group *group)
{
    for (size_t i = 0; i < group->child_count; i++)
        store_mark(store, group->children[i]);
}

void store_mark_all(struct store *store)
{
    for (struct group *g = store_group_after(store, "", ""); g;
         g = store_group_after(store, g->ns, g->name))
        group_mark(store, g);
}

void store_mark_some(struct store *store, struct child_id *cursor, size_t max)
{
    struct group *group = store_group(store, cursor->ns, cursor->workload);
    if (!group) {
        group = store_group_after(store, cursor->ns, cursor->workload);
        cursor->ordinal = 0;
    }
    for (; group && max > 0; group = store_group_after(store, group->ns, group->name)) {
        if (group->child_count == 0) {
            TEXT_SET(cursor->ns, group->ns);
            TEXT_SET(cursor->workload, group->name);
            max--;
        }
        for (size_t i = group_position(group, cursor->ordinal); i < group->child_count; i++) {
            *cursor = child_id(group->children[i]);
            if (max-- == 0)
                return;
            store_mark(store, group->children[i]);
            store_touch(store, group->children[i]);
        }
        cursor->ordinal = 0;
    }
    if (!group)
        *cursor = (struct child_id){.ordinal = 0};
}

/* --- Who holds what -------------------------------------------------------------------------- */

static void children_add(struct children *children, struct child *child, uint32_t *place)
{
    if (children->count == children->capacity) {
        children->capacity = children->capacity ? 2 * children->capacity : 2;
        children->items = xrealloc(children->items, children->capacity * sizeof(struct child *));
    }
    children->items[children->count++] = child;
    *place = (uint32_t)children->count;
}

static void store_hold(struct store *store, struct child *child, const char *name)
{
    struct holder *holder = index_find(&store->holders, span_text(name));
    if (!holder) {
        size_t bytes = strlen(name) + 1;
        holder = xcalloc(1, sizeof *holder + bytes);
        memcpy(holder->name, name, bytes);
        index_insert(&store->holders, span_text(name), holder);
    }
    child->holder = holder;
    children_add(&holder->children, child, &child->holder_place);
}

static void holder_free(void *value)
{
    struct holder *holder = value;
    free(holder->children.items);
    free(holder);
}

static void store_let_go(struct store *store, struct child *child)
{
    struct holder *holder = child->holder;
    struct child *last = holder->children.items[--holder->children.count];
    holder->children.items[child->holder_place - 1] = last;
    last->holder_place = child->holder_place;
    child->holder_place = 0;
    child->holder = NULL;
    if (holder->children.count > 0)
        return;
    index_remove(&store->holders, span_text(holder->name));
    holder_free(holder);
}

void store_set_claim(struct store *store, struct child *child, const struct claim *claim)
{
    const char *name = claim ? claim->node : NULL;
    kept_claim_drop(child->claim);
    child->claim = claim;
    if (child->holder && name && strcmp(child->holder->name, name) == 0)
        return;
    if (child->holder)
        store_let_go(store, child);
    if (name)
        store_hold(store, child, name);
}

void store_set_waiting(struct store *store, struct child *child, bool waiting)
{
    struct children *list = &store->waiting;
    if ((child->waiting_place > 0) == waiting)
        return;
    if (waiting) {
        children_add(list, child, &child->waiting_place);
        return;
    }
    struct child *last = list->items[--list->count];
    list->items[child->waiting_place - 1] = last;
    last->waiting_place = child->waiting_place;
    child->waiting_place = 0;
}

void store_mark_member(struct store *store, const char *name)
{
    const struct holder *holder = index_find(&store->holders, span_text(name));
    for (size_t i = 0; holder && i < holder->children.count; i++)
        store_mark(store, holder->children.items[i]);
    for (size_t i = 0; i < store->waiting.count; i++)
        store_mark(store, store->waiting.items[i]);
}

struct child **store_take_dirty(struct store *store, size_t *ret_count)
{
    struct child **taken = store->dirty;
    *ret_count = store->dirty_count;
    for (size_t i = 0; i < store->dirty_count; i++)
        taken[i]->dirty = false;
    store->dirty = NULL;
    store->dirty_count = store->dirty_capacity = 0;
    return taken;
}

/* --- What users may see otherwise ------------------------------------------------------------- */

static void touched_add(struct touched *touched, void *item, uint32_t *place)
{
    if (*place)
        return;
    if (touched->count == touched->capacity) {
        touched->capacity = touched->capacity ? 2 * touched->capacity : 16;
        touched->items = xrealloc(touched->items, touched->capacity * sizeof(void *));
    }
    touched->items[touched->count++] = item;
    *place = (uint32_t)touched->count;
}

void store_touch(struct store *store, struct child *child)
{
    touched_add(&store->touched_children, child, &child->touched_place);
}

void store_touch_group(struct store *store, struct group *group)
{
    touched_add(&store->touched_groups, group, &group->touched_place);
}

void store_touch_name(struct store *store, struct name_entry *name)
{
    touched_add(&store->touched_names, name, &name->touched_place);
}

void store_touch_member(struct store *store, const char *name)
{
    struct member_entry *entry = store_member(store, name);
    if (!entry || entry->touched)
        return;
    entry->touched = true;
    if (store->touched_member_count == store->touched_member_capacity) {
        size_t capacity = store->touched_member_capacity ? 2 * store->touched_member_capacity : 16;
        store->touched_members =
            xrealloc(store->touched_members, capacity * sizeof *store->touched_members);
        store->touched_member_capacity = capacity;
    }
    text_set(store->touched_members[store->touched_member_count++], NAME_BYTES_MAX + 1, name);
}

void store_touch_held(struct store *store, const char *member)
{
    const struct holder *holder = index_find(&store->holders, span_text(member));
    for (size_t i = 0; holder && i < holder->children.count; i++)
        store_touch(store, holder->children.items[i]);
}

void store_touch_names_of(struct store *store, const char *member)
{
    if (!store->feed.open)
        return;
    for (struct name_entry *name = store_name_after(store, "", ""); name;
         name = store_name_after(store, name->ns, name_of(name)))
        if (strcmp(name->record->node, member) == 0)
            store_touch_name(store, name);
}

bool store_life_is_lost(const struct store *store, const char *member, uint64_t replica)
{
    const struct member_entry *entry = store_member(store, member);
    return !entry || entry->record->replica != replica || member_shown(entry)->lost;
}

void store_set_pending(struct store *store, struct child *child, const char *reason,
                       const char *message)
{
    if (child->pending_reason == reason && child->pending_message == message)
        return;
    child->pending_reason = reason;
    child->pending_message = message;
    store_touch(store, child);
}

void store_pending_changed(struct store *store, const char *message, bool goes)
{
    for (size_t i = 0; i < store->waiting.count; i++) {
        struct child *child = store->waiting.items[i];
        if (child->pending_message != message)
            continue;
        store_touch(store, child);
        if (goes)
            store_set_pending(store, child, NULL, NULL);
    }
}

static void touched_clear(struct touched *touched)
{
    touched->count = 0;
    if (touched->capacity <= TOUCHED_KEPT)
        return;
    free(touched->items); /* of all there is; that is rare */
    *touched = (struct touched){.items = NULL};
}

void store_touched_clear(struct store *store)
{
    struct touched *names = &store->touched_names, *children = &store->touched_children;
    struct touched *groups = &store->touched_groups;
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i])
            ((struct name_entry *)names->items[i])->touched_place = 0;
    for (size_t i = 0; i < children->count; i++)
        ((struct child *)children->items[i])->touched_place = 0;
    for (size_t i = 0; i < children->count; i++)
        store_child_tidy(store, children->items[i]);
    for (size_t i = 0; i < groups->count; i++)
        ((struct group *)groups->items[i])->touched_place = 0;
    for (size_t i = 0; i < groups->count; i++)
        store_group_tidy(store, groups->items[i]);
    for (size_t i = 0; i < store->touched_member_count; i++) {
        struct member_entry *entry = store_member(store, store->touched_members[i]);
        if (entry)
            entry->touched = false;
    }
    touched_clear(names);
    touched_clear(children);
    touched_clear(groups);
    store->touched_member_count = 0;
    if (store->touched_member_capacity <= TOUCHED_MEMBERS_KEPT)
        return;
    free(store->touched_members); /* all of a large cluster; that is rare */
    store->touched_members = NULL;
    store->touched_member_capacity = 0;
}

/* --- Groups and children come and go --------------------------------------------------------- */

struct group *store_group_make(struct store *store, const char *ns, const char *name)
{
    struct group *group = store_group(store, ns, name);
    if (group)
        return group;
    group = xcalloc(1, sizeof *group);
    TEXT_SET(group->ns, ns);
    TEXT_SET(group->name, name);
    struct pair_key key = pair_key(ns, name);
    index_insert(&store->groups, pair_span(&key), group);
    return group;
}

static void group_free(void *value)
{
    struct group *group = value;
    workload_release(&group->workload);
    free(group->children);
    free(group);
}

void store_group_tidy(struct store *store, struct group *group)
{
    if (group->has_workload || group->unreadable || group->child_count > 0 ||
        group->touched_place > 0)
        return;
    assert(!group->shown);
    struct pair_key key = pair_key(group->ns, group->name);
    index_remove(&store->groups, pair_span(&key));
    group_free(group);
}

static void store_remember_epoch(struct store *store, const struct child *child)
{
    if (child->epoch_max == 0)
        return;
    if (!store->epochs)
        store->epochs = xcalloc(STORE_EPOCHS, sizeof *store->epochs);
    store->epochs[child->hash % STORE_EPOCHS] =
        (struct store_epoch){.hash = child->hash, .epoch = child->epoch_max};
}

static uint64_t store_recall_epoch(const struct store *store, uint64_t hash)
{
    const struct store_epoch *at = store->epochs ? &store->epochs[hash % STORE_EPOCHS] : NULL;
    return at && at->hash == hash ? at->epoch : 0;
}

struct child *store_child_make(struct store *store, const struct child_id *id)
{
    struct group *group = store_group_make(store, id->ns, id->workload);
    size_t at = group_position(group, id->ordinal);
    if (at < group->child_count && group->children[at]->ordinal == id->ordinal)
        return group->children[at];
    if (group->child_count == group->child_capacity) {
        group->child_capacity = group->child_capacity ? 2 * group->child_capacity : 4;
        group->children = xrealloc(group->children, group->child_capacity * sizeof(struct child *));
    }
    memmove(group->children + at + 1, group->children + at,
            (group->child_count - at) * sizeof(struct child *));
    struct child *child = xcalloc(1, sizeof *child);
    child->group = group;
    child->ordinal = id->ordinal;
    child->hash = child_id_hash(id);
    child->epoch_max = store_recall_epoch(store, child->hash);
    child->wake_ms = UINT64_MAX;
    group->children[at] = child;
    group->child_count++;
    store->child_count++;
    store->children_made++;
    return child;
}

/* The one that counts is kept by the list, if there is one. */
void child_drop_statuses(struct child *child)
{
    if (!child->statuses)
        kept_status_drop(child->status);
    for (size_t i = 0; i < child->status_siblings; i++)
        kept_status_drop(child->statuses[i]);
    free(child->statuses);
    child->status = NULL;
    child->statuses = NULL;
    child->status_siblings = 0;
}

static void child_free(struct child *child)
{
    left_state_free(child->state);
    child_drop_statuses(child);
    kept_claim_drop(child->claim);
    free(child);
}

void store_child_tidy(struct store *store, struct child *child)
{
    if (child->dirty || child->touched_place > 0 || child->wake_slot > 0 || child->local ||
        child->held_at_start || child->claim || child->status || child->names || child->state ||
        child->group->unreadable || child_is_wanted(child))
        return;
    struct group *group = child->group;
    size_t at = group_position(group, child->ordinal);
    assert(group->children[at] == child && !child->shown);
    memmove(group->children + at, group->children + at + 1,
            (group->child_count - at - 1) * sizeof(struct child *));
    group->child_count--;
    store->child_count--;
    store_set_waiting(store, child, false);
    assert(!child->holder);
    store_remember_epoch(store, child);
    child_free(child);
    store_group_tidy(store, group);
}

/* --- The end --------------------------------------------------------------------------------- */

static void store_release_group(void *value)
{
    struct group *group = value;
    for (size_t i = 0; i < group->child_count; i++)
        child_free(group->children[i]);
    group_free(group);
}

void store_release(struct store *store)
{
    index_release(&store->groups, store_release_group);
    store_names_release(store);
    store_feed_release(store);
    store_member_release(store);
    index_release(&store->holders, holder_free);
    free(store->waiting.items);
    free(store->epochs);
    free(store->dirty);
    feed_release(&store->feed);
    free(store->touched_children.items);
    free(store->touched_groups.items);
    free(store->touched_names.items);
    free(store->touched_members);
    memset(store, 0, sizeof *store);
}
