/* The typed view of the map. Each kind of key has one function that picks the winning sibling and
 * decodes it; what follows from a change is only noted (a dirty child, a version), never acted upon
 * here. */
#include "agent/core/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- Finding --------------------------------------------------------------------------------- */

struct pair_key {
    char text[2 * NAME_BYTES_MAX + 2];
    size_t bytes;
};

static struct pair_key pair_key(const char *ns, const char *name)
{
    struct pair_key key = {.bytes = 0};
    if (!*ns && !*name)
        return key;
    size_t ns_bytes = strlen(ns), name_bytes = strlen(name);
    memcpy(key.text, ns, ns_bytes + 1);
    memcpy(key.text + ns_bytes + 1, name, name_bytes);
    key.bytes = ns_bytes + 1 + name_bytes;
    return key;
}

static struct span pair_span(const struct pair_key *key)
{
    return span_of(key->text, key->bytes);
}

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

struct member_entry *store_member(const struct store *store, const char *name)
{
    return index_find(&store->members, span_text(name));
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
        if (group->children[middle]->id.ordinal < ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct child *group_child(const struct group *group, uint32_t ordinal)
{
    size_t at = group_position(group, ordinal);
    bool found = at < group->child_count && group->children[at]->id.ordinal == ordinal;
    return found ? group->children[at] : NULL;
}

struct child *store_child(const struct store *store, const struct child_id *id)
{
    struct group *group = store_group(store, id->ns, id->workload);
    return group ? group_child(group, id->ordinal) : NULL;
}

bool child_is_wanted(const struct child *child)
{
    return child->group->has_workload && child->id.ordinal < child->group->workload.replicas;
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

static void group_mark(struct store *store, struct group *group)
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
            *cursor = group->children[i]->id;
            if (max-- == 0)
                return;
            store_mark(store, group->children[i]);
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
        children->capacity = children->capacity ? 2 * children->capacity : 4;
        children->items = xrealloc(children->items, children->capacity * sizeof(struct child *));
    }
    children->items[children->count++] = child;
    *place = (uint32_t)children->count;
}

static void store_hold(struct store *store, struct child *child, const char *name)
{
    struct holder *holder = index_find(&store->holders, span_text(name));
    if (!holder) {
        holder = xcalloc(1, sizeof *holder);
        TEXT_SET(holder->name, name);
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

void store_claim_changed(struct store *store, struct child *child)
{
    const char *name = child->has_claim ? child->claim.node : NULL;
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

void store_touch(struct store *store, struct child *child)
{
    child->version = ++store->position;
    child->group->status_version = child->version;
}

/* --- Groups and children come and go --------------------------------------------------------- */

static struct group *store_group_make(struct store *store, const char *ns, const char *name)
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

static void store_group_tidy(struct store *store, struct group *group)
{
    if (group->has_workload || group->unreadable || group->child_count > 0)
        return;
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
    if (at < group->child_count && group->children[at]->id.ordinal == id->ordinal)
        return group->children[at];
    if (group->child_count == group->child_capacity) {
        group->child_capacity = group->child_capacity ? 2 * group->child_capacity : 4;
        group->children = xrealloc(group->children, group->child_capacity * sizeof(struct child *));
    }
    memmove(group->children + at + 1, group->children + at,
            (group->child_count - at) * sizeof(struct child *));
    struct child *child = xcalloc(1, sizeof *child);
    child->id = *id;
    child->hash = child_id_hash(id);
    child->epoch_max = store_recall_epoch(store, child->hash);
    child->group = group;
    child->wake_ms = UINT64_MAX;
    group->children[at] = child;
    group->child_count++;
    store->child_count++;
    store->children_made++;
    return child;
}

/* The one that counts is kept by the list, if there is one. */
static void child_drop_statuses(struct child *child)
{
    if (!child->statuses)
        kept_status_drop(child->status);
    for (size_t i = 0; i < child->status_siblings; i++)
        kept_status_drop(child->statuses[i]);
    free(child->statuses);
    child->status = NULL;
    child->statuses = NULL;
    child->status_siblings = 0;
    child->has_status = false;
}

static void left_state_free(struct left_state *state)
{
    if (state)
        free(state->pieces);
    free(state);
}

static void child_free(struct child *child)
{
    left_state_free(child->state);
    free(child->names);
    child_drop_statuses(child);
    free(child);
}

void store_child_tidy(struct store *store, struct child *child)
{
    if (child->dirty || child->wake_slot > 0 || child->local || child->held_at_start ||
        child->has_claim || child->has_status || child->name_count > 0 || child->state ||
        child->group->unreadable || child_is_wanted(child))
        return;
    struct group *group = child->group;
    size_t at = group_position(group, child->id.ordinal);
    assert(group->children[at] == child);
    memmove(group->children + at, group->children + at + 1,
            (group->child_count - at - 1) * sizeof(struct child *));
    group->child_count--;
    store->child_count--;
    store_set_waiting(store, child, false);
    assert(!child->holder);
    group->status_version = ++store->position;
    store_remember_epoch(store, child);
    child_free(child);
    store_group_tidy(store, group);
}

/* --- The feed -------------------------------------------------------------------------------- */

static void store_apply_workload(struct store *store, const struct key_parts *key,
                                 const struct awmap_entry *entry)
{
    struct group *group = store_group_make(store, key->ns, key->name);
    group->version = group->status_version = ++store->position;
    group->has_workload = false;
    for (size_t i = 0; i < awmap_entry_count(entry) && !group->has_workload; i++) {
        struct workload workload = {0};
        if (!workload_decode(&workload, awmap_entry_sibling(entry, i).value)) {
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
    store_group_tidy(store, group);
}

/* The status that counts is the one of the claim's epoch, also when one of a later epoch has stayed
 * behind; among several, the last written. */
static void child_pick_status(struct child *child)
{
    const struct status *best = NULL;
    for (size_t i = 0; i < child->status_siblings; i++) {
        const struct status *status = child->statuses[i];
        if (child->has_claim && status->epoch == child->claim.epoch) {
            best = status;
            break;
        }
        if (!best || status->epoch > best->epoch)
            best = status;
    }
    if (best)
        child->status = best;
}

static void store_apply_claim(struct store *store, const struct key_parts *key,
                              const struct awmap_entry *entry)
{
    struct child *child = store_child_make(store, &key->child);
    child->has_claim = false;
    child->claim_siblings = awmap_entry_count(entry);
    for (size_t i = 0; i < child->claim_siblings; i++) {
        struct claim claim;
        if (!claim_decode(&claim, awmap_entry_sibling(entry, i).value)) {
            store->undecodable++;
            continue;
        }
        if (!child->has_claim || claim_compare(&claim, &child->claim, child->hash) > 0)
            child->claim = claim;
        child->has_claim = true;
        if (claim.epoch > child->epoch_max)
            child->epoch_max = claim.epoch;
    }
    store_claim_changed(store, child);
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
        child->has_status = true;
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

static struct left_state *store_state_make(struct store *store, const struct child_id *id,
                                           struct child **ret_child)
{
    struct child *child = store_child_make(store, id);
    *ret_child = child;
    if (!child->state)
        child->state = xcalloc(1, sizeof *child->state);
    return child->state;
}

static void store_state_settle(struct store *store, struct child *child)
{
    if (!child->state->siblings && child->state->piece_count == 0) {
        left_state_free(child->state);
        child->state = NULL;
    }
    store->position++;
    store_mark(store, child);
}

static void store_apply_state(struct store *store, const struct key_parts *key,
                              const struct awmap_entry *entry)
{
    struct child *child;
    struct left_state *state = store_state_make(store, &key->child, &child);
    state->has_record = false;
    state->siblings = awmap_entry_count(entry);
    for (size_t i = 0; i < state->siblings; i++) {
        struct state_record record;
        if (!state_record_decode(&record, awmap_entry_sibling(entry, i).value)) {
            store->undecodable++;
            continue;
        }
        if (!state->has_record || state_record_compare(&record, &state->record, child->hash) > 0)
            state->record = record;
        state->has_record = true;
        if (record.id.epoch > child->epoch_max)
            child->epoch_max = record.id.epoch;
    }
    store_state_settle(store, child);
}

static size_t piece_find(const struct left_state *state, const struct key_parts *key)
{
    size_t at = 0;
    while (at < state->piece_count &&
           (memcmp(&state->pieces[at].id, &key->state, sizeof key->state) != 0 ||
            state->pieces[at].index != key->index))
        at++;
    return at;
}

static void store_apply_piece(struct store *store, const struct key_parts *key,
                              const struct awmap_entry *entry)
{
    struct child *child;
    struct left_state *state = store_state_make(store, &key->child, &child);
    size_t at = piece_find(state, key);
    if (at < state->piece_count) {
        store->state_bytes -= state->pieces[at].bytes;
        state->pieces[at] = state->pieces[--state->piece_count];
    }
    if (awmap_entry_count(entry) > 0) {
        uint32_t bytes = (uint32_t)awmap_entry_sibling(entry, 0).value.bytes;
        state->pieces = xrealloc(state->pieces, (state->piece_count + 1) * sizeof *state->pieces);
        state->pieces[state->piece_count++] =
            (struct piece){.id = key->state, .index = key->index, .bytes = bytes};
        store->state_bytes += bytes;
    }
    store_state_settle(store, child);
}

static struct name_entry *store_name_make(struct store *store, const struct key_parts *key)
{
    struct name_entry *name = store_name(store, key->ns, key->name);
    if (name)
        return name;
    size_t ns_bytes = strlen(key->ns) + 1, name_bytes = strlen(key->name) + 1;
    name = xcalloc(1, sizeof *name + ns_bytes + name_bytes);
    memcpy(name->ns, key->ns, ns_bytes);
    name->name = memcpy(name->ns + ns_bytes, key->name, name_bytes);
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
    owner->names = xrealloc(owner->names, (owner->name_count + 1) * sizeof(struct name_entry *));
    owner->names[owner->name_count++] = name;
    name->owner = owner;
    store_mark(store, owner);
}

static void store_name_disown(struct store *store, struct name_entry *name)
{
    if (name->siblings == 0)
        return;
    struct child *owner = name->owner;
    name->owner = NULL;
    if (!owner)
        store_outside_remove(store, name);
    for (size_t i = 0; owner && i < owner->name_count; i++)
        if (owner->names[i] == name)
            owner->names[i--] = owner->names[--owner->name_count];
    if (owner)
        store_mark(store, owner);
    kept_name_drop(name->record);
    name->record = NULL;
    name->siblings = 0;
}

static void store_apply_name(struct store *store, const struct key_parts *key,
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
    name->version = ++store->position;
    if (name->siblings > 0) {
        if (name->record->epoch > name->epoch_max)
            name->epoch_max = name->record->epoch;
        store_name_own(store, name);
        return;
    }
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

static void store_apply_meta(struct store *store, const struct key_parts *key,
                             const struct awmap_entry *entry)
{
    struct pair_key pair = pair_key(key->ns, key->name);
    struct meta_entry *old = index_remove(&store->metas, pair_span(&pair));
    if (old)
        meta_entry_free(old);
    char *value = NULL;
    for (size_t i = 0; i < awmap_entry_count(entry) && !value; i++) {
        value = meta_decode(awmap_entry_sibling(entry, i).value);
        store->undecodable += !value;
    }
    store->position++;
    if (!value)
        return;
    size_t ns_bytes = strlen(key->ns) + 1, name_bytes = strlen(key->name) + 1;
    struct meta_entry *new = xcalloc(1, sizeof *new + ns_bytes + name_bytes);
    memcpy(new->ns, key->ns, ns_bytes);
    new->name = memcpy(new->ns + ns_bytes, key->name, name_bytes);
    new->value = value;
    new->siblings = awmap_entry_count(entry);
    new->version = store->position;
    index_insert(&store->metas, pair_span(&pair), new);
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
        found = supervisor_decode(&new->supervisor, awmap_entry_sibling(entry, i).value);
        store->undecodable += !found;
    }
    new->version = ++store->position;
    if (found)
        index_insert(&store->supervisors, span_text(name), new);
    else
        supervisor_entry_free(new);
    if (old)
        supervisor_entry_free(old);
    store->listener.supervisor_changed(store->listener.context, name);
}

static void member_entry_free(void *value)
{
    struct member_entry *entry = value;
    kept_member_drop(entry->record);
    free(entry);
}

static struct member_entry *member_entry_new(const char *name)
{
    size_t bytes = strlen(name) + 1;
    struct member_entry *entry = xcalloc(1, sizeof *entry + bytes);
    memcpy(entry->name, name, bytes);
    return entry;
}

static void store_apply_member(struct store *store, const char *name,
                               const struct awmap_entry *entry)
{
    struct member_entry *old = index_remove(&store->members, span_text(name));
    struct member_entry *new = member_entry_new(name);
    for (size_t i = 0; i < awmap_entry_count(entry); i++) {
        const struct member_record *record = kept_member(awmap_entry_sibling(entry, i).value);
        if (!record) {
            store->undecodable++;
            continue;
        }
        new->siblings++;
        if (new->record && record->join_counter <= new->record->join_counter) {
            kept_member_drop(record);
            continue;
        }
        kept_member_drop(new->record);
        new->record = record;
    }
    new->version = ++store->position;
    if (new->record)
        index_insert(&store->members, span_text(name), new);
    else
        member_entry_free(new);
    if (old)
        member_entry_free(old);
    store->listener.member_changed(store->listener.context, name);
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
    case KEY_UNKNOWN:
        break;
    }
}

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
    index_release(&store->names, name_entry_free);
    index_release(&store->metas, meta_entry_free);
    index_release(&store->supervisors, supervisor_entry_free);
    index_release(&store->members, member_entry_free);
    index_release(&store->holders, holder_free);
    free(store->outside);
    free(store->waiting.items);
    free(store->epochs);
    free(store->dirty);
    memset(store, 0, sizeof *store);
}
