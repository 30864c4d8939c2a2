/* Views of a node: computed when asked, from local state only.
 *
 * Of what users can watch nothing is shown that the feed has not been told (shown.c): a version
 * names one content. So these views look at the store alone, and at what shown.c noted there of the
 * world: who lives, who has a quorum, how a container is. */
#include "agent/core/query.h"

#include <stdio.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"
#include "agent/core/shown.h"
#include "agent/core/stop.h"

const char *child_phase_name(enum child_phase phase)
{
    static const char *const names[] = {
        [CHILD_PENDING] = "Pending",   [CHILD_PULLING] = "Pulling",
        [CHILD_STARTING] = "Starting", [CHILD_RUNNING] = "Running",
        [CHILD_STOPPING] = "Stopping", [CHILD_SUCCEEDED] = "Succeeded",
        [CHILD_FAILED] = "Failed",     [CHILD_CRASH_LOOP_BACK_OFF] = "CrashLoopBackOff",
    };
    return names[phase];
}

static uint64_t item_version(const struct feed_item *item, uint64_t otherwise)
{
    return item ? item->version : otherwise;
}

/* --- Children -------------------------------------------------------------------------------- */

static void view_status(struct child_view *view, const struct status *status)
{
    view->phase = status->phase;
    view->ready = status->ready;
    view->spec_hash = status->spec_hash;
    view->restarts = status->restarts;
    view->started_ms = status->started_ms;
    view->has_exit_code = status->has_exit_code;
    view->exit_code = status->exit_code;
    TEXT_SET(view->container_id, status->container_id);
    TEXT_SET(view->reason, status->reason);
    TEXT_SET(view->message, status->message);
}

static void view_pending(const struct child *child, struct child_view *view)
{
    view->phase = CHILD_PENDING;
    TEXT_SET(view->reason, child->pending_reason ? child->pending_reason : "");
    TEXT_SET(view->message, child->pending_message ? child->pending_message : "");
    if (child->status)
        view->restarts = child->status->restarts;
}

/* What its holder last told of a claimed child; of our own, what we saw when we last decided. */
static const struct status *query_status(const struct child *child, struct status *scratch)
{
    const struct claim *claim = child->claim;
    const struct local *local = child->local;
    if (local && local->status && status_is_of(local->status, claim))
        return local->status;
    if (child->status && status_is_of(child->status, claim))
        return child->status;
    *scratch =
        (struct status){.phase = claim->state == CLAIM_PULLING ? CHILD_PULLING : CHILD_STARTING};
    return scratch;
}

/* It has ended for good, but its node is lost: if that did not tell how, nobody else will. */
static void view_ended_and_lost(struct child_view *view)
{
    if (view->phase == CHILD_SUCCEEDED || view->phase == CHILD_FAILED)
        return;
    if (view->phase != CHILD_STOPPING) {
        TEXT_SET(view->reason, "NodeLost");
        TEXT_SET(view->message, "it has ended; its node was lost before it told how");
    }
    view->phase = child_ended_well(view->reason) ? CHILD_SUCCEEDED : CHILD_FAILED;
    view->ready = false;
}

static void view_claimed(const struct store *store, const struct child *child,
                         struct child_view *view)
{
    const struct claim *claim = child->claim;
    struct status scratch;
    TEXT_SET(view->node, claim->node);
    view->epoch = claim->epoch;
    view_status(view, query_status(child, &scratch));
    bool lost = store_life_is_lost(store, claim->node, claim->replica);
    if (lost && claim->state == CLAIM_FINISHED) {
        view_ended_and_lost(view);
    } else if (lost) {
        view->phase = CHILD_PENDING;
        view->ready = false;
        TEXT_SET(view->reason, "NodeLost");
        TEXT_SET(view->message, "its node is dead or gone; another one will take it");
        if (child->pending_reason && child->pending_reason[0])
            view_pending(child, view); /* not yet */
    } else if (view->phase == CHILD_RUNNING && !view->reason[0] && offer_is_open(child)) {
        TEXT_SET(view->reason, "Moving");
        snprintf(view->message, sizeof view->message, "%s prepares to take it over",
                 child->claim->offer->node);
    }
}

/* Its claim is of the workload as it is now, or of one that is gone, and not given back. Who ended
 * for good under another spec is to run again. */
static bool query_is_current(const struct child *child, bool wanted)
{
    const struct claim *claim = child->claim;
    if (!claim || claim->state == CLAIM_RELEASED)
        return false;
    if (!wanted || child_is_over(child))
        return true;
    return claim->state != CLAIM_FINISHED && strcmp(claim->uid, child->group->workload.uid) == 0;
}

void query_fill_child(const struct store *store, const struct child *child, struct child_view *view)
{
    memset(view, 0, sizeof *view);
    const struct workload *workload = &child->group->workload;
    view->id = child_id(child);
    view->version = item_version(child->shown, child->group->version);
    bool wanted = child_is_wanted(child);
    view->workload = wanted ? workload : NULL;
    TEXT_SET(view->uid, wanted ? workload->uid : child->claim->uid);
    TEXT_SET(view->supervisor, workload->supervisor);
    bool current = query_is_current(child, wanted);
    if (current)
        view_claimed(store, child, view);
    else
        view_pending(child, view);
    if (!wanted && (view->phase != CHILD_PENDING || current)) {
        view->phase = CHILD_STOPPING;
        view->ready = false;
    }
}

/* Shown: what is wanted, and what is still being ended. */
bool query_shows(const struct child *child)
{
    return child_is_wanted(child) || child->claim;
}

bool query_child(const struct node *node, const struct child_id *id, struct child_view *ret)
{
    const struct child *child = store_child(&node->store, id);
    if (!child || !query_shows(child))
        return false;
    query_fill_child(&node->store, child, ret);
    return true;
}

/* The place of the first child of a greater ordinal. */
static size_t query_place_after(const struct group *group, uint32_t ordinal)
{
    size_t low = 0, high = group->child_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->children[middle]->ordinal <= ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool query_child_next(const struct node *node, const char *ns, const struct child_id *after,
                      struct child_view *ret)
{
    const struct group *group = after ? store_group(&node->store, after->ns, after->workload)
                                      : store_group_after(&node->store, "", "");
    size_t place = after && group ? query_place_after(group, after->ordinal) : 0;
    if (after && !group)
        group = store_group_after(&node->store, after->ns, after->workload);
    for (; group; group = store_group_after(&node->store, group->ns, group->name), place = 0) {
        if (ns && strcmp(group->ns, ns) != 0)
            continue;
        for (; place < group->child_count; place++) {
            if (!query_shows(group->children[place]))
                continue;
            query_fill_child(&node->store, group->children[place], ret);
            return true;
        }
    }
    return false;
}

/* --- Workloads ------------------------------------------------------------------------------- */

static void query_fill_workload(const struct group *group, struct workload_view *view)
{
    const struct child_counts *counts = &group->counts;
    *view = (struct workload_view){.workload = &group->workload,
                                   .version = group->version,
                                   .status_version = item_version(group->shown, group->version),
                                   .running = counts->running,
                                   .ready = counts->ready,
                                   .updated = counts->updated,
                                   .conflicts = counts->conflicts,
                                   .complete = group->shown_complete,
                                   .late = group->shown_late};
}

bool query_workload(const struct node *node, const char *ns, const char *name,
                    struct workload_view *ret)
{
    const struct group *group = store_group(&node->store, ns, name);
    if (!group || !group->has_workload)
        return false;
    query_fill_workload(group, ret);
    return true;
}

bool query_workload_next(const struct node *node, const char *ns, const char *after_ns,
                         const char *after_name, struct workload_view *ret)
{
    const struct group *group = store_group_after(&node->store, after_ns, after_name);
    for (; group; group = store_group_after(&node->store, group->ns, group->name)) {
        if (!group->has_workload || (ns && strcmp(group->ns, ns) != 0))
            continue;
        query_fill_workload(group, ret);
        return true;
    }
    return false;
}

/* --- Names ----------------------------------------------------------------------------------- */

static void query_fill_name(const struct name_entry *entry, struct name_view *view)
{
    const struct name_record *record = entry->record;
    *view = (struct name_view){.ns = entry->ns,
                               .name = name_of(entry),
                               .version = item_version(entry->shown, entry->version),
                               .port = record->port,
                               .node = record->node,
                               .address = record->address,
                               .epoch = record->epoch,
                               .owner_epoch = record->outside ? 0 : record->claim_epoch,
                               .value = record->value};
    name_owner_print(record, view->owner, sizeof view->owner);
    if (record->outside) {
        view->outside = true;
        view->ttl_ms = record->outside->ttl_ms;
        view->labels = record->outside->labels;
        view->label_count = record->outside->label_count;
        return;
    }
    const struct group *group = entry->owner->group;
    view->workload = group->has_workload ? &group->workload : NULL;
}

bool query_name(const struct node *node, const char *ns, const char *name, struct name_view *ret)
{
    const struct name_entry *entry = store_name(&node->store, ns, name);
    if (!entry || !entry->shown)
        return false;
    query_fill_name(entry, ret);
    return true;
}

bool query_name_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct name_view *ret)
{
    const struct name_entry *entry = store_name_after(&node->store, after_ns, after_name);
    for (; entry; entry = store_name_after(&node->store, entry->ns, name_of(entry))) {
        if ((ns && strcmp(entry->ns, ns) != 0) || !entry->shown)
            continue;
        query_fill_name(entry, ret);
        return true;
    }
    return false;
}

static void query_fill_meta(const struct meta_entry *entry, struct meta_view *view)
{
    *view = (struct meta_view){
        .ns = entry->ns, .name = entry->name, .version = entry->version, .value = entry->value};
}

bool query_meta(const struct node *node, const char *ns, const char *name, struct meta_view *ret)
{
    const struct meta_entry *entry = store_meta(&node->store, ns, name);
    if (entry)
        query_fill_meta(entry, ret);
    return entry != NULL;
}

bool query_meta_next(const struct node *node, const char *ns, const char *after_ns,
                     const char *after_name, struct meta_view *ret)
{
    const struct meta_entry *entry = store_meta_after(&node->store, after_ns, after_name);
    while (entry && ns && strcmp(entry->ns, ns) != 0)
        entry = store_meta_after(&node->store, entry->ns, entry->name);
    if (entry)
        query_fill_meta(entry, ret);
    return entry != NULL;
}

/* --- Members --------------------------------------------------------------------------------- */

uint32_t query_claims_of(const struct store *store, const char *member)
{
    uint32_t count = 0;
    const struct holder *holder = index_find(&store->holders, span_text(member));
    for (size_t i = 0; holder && i < holder->children.count; i++)
        count += holder->children.items[i]->claim->state <= CLAIM_CLAIMED;
    return count;
}

static const char *query_phase(const char *shown)
{
    return shown ? shown : "uninitialized";
}

static void query_fill_member(const struct node *node, const struct member_entry *entry,
                              struct member_view *view)
{
    const struct member_record *record = entry->record;
    *view = (struct member_view){
        .name = entry->name,
        .version = entry->version,
        .status_version = item_version(member_shown(entry)->item, entry->version),
        .phase = query_phase(member_shown(entry)->phase),
        .replica = record->replica,
        .labels = record->labels,
        .label_count = record->label_count,
        .zone = record->zone,
        .weight = record->weight,
        .unschedulable = member_cordon(entry)->unschedulable,
        .draining = member_cordon(entry)->drains,
        .cpu_milli = record->cpu_milli,
        .memory_bytes = record->memory_bytes,
        .full = record->full,
        .full_count = record->full_count,
        .children = member_shown(entry)->children,
        .runtime_name = record->runtime_name,
        .runtime_version = record->runtime_version,
        .runtime_healthy = record->runtime_healthy,
        .agent_version = record->agent_version,
        .self = strcmp(entry->name, node->name) == 0,
        .joined_ms = record->joined_ms,
    };
    view->incarnation = swim_incarnation(node->swim, entry->name);
    TEXT_SET(view->gossip_address, record->gossip_address);
    TEXT_SET(view->api_address, record->api_address);
}

bool query_member(const struct node *node, const char *name, struct member_view *ret)
{
    const struct member_entry *entry = store_member(&node->store, name);
    if (entry)
        query_fill_member(node, entry, ret);
    return entry != NULL;
}

bool query_member_next(const struct node *node, const char *after, struct member_view *ret)
{
    const struct member_entry *entry = store_member_after(&node->store, after);
    if (entry)
        query_fill_member(node, entry, ret);
    return entry != NULL;
}

/* --- Supervisors ----------------------------------------------------------------------------- */

static const struct supervisor *query_builtin(const char *name)
{
    static struct supervisor builtin[2];
    const char *const names[] = {SUPERVISOR_DEFAULT, SUPERVISOR_QUORUM};
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (!builtin[i].name[0])
            supervisor_set_defaults(&builtin[i], names[i]);
        return &builtin[i];
    }
    return NULL;
}

bool query_supervisor(const struct node *node, const char *name, struct supervisor_view *ret)
{
    const struct supervisor_entry *entry = store_supervisor(&node->store, name);
    const struct supervisor *supervisor = entry ? &entry->supervisor : query_builtin(name);
    if (!supervisor)
        return false;
    *ret =
        (struct supervisor_view){.supervisor = supervisor, .version = entry ? entry->version : 1};
    const struct placement_strategy *strategy = placement_strategy_by_name(supervisor->strategy);
    ret->votes = strategy && strategy->votes;
    const struct electorate_entry *electorate = store_electorate(&node->store, name);
    ret->conflict = ret->votes && electorate && electorate->conflict;
    if (ret->votes && electorate && !electorate->conflict)
        ret->electorate = &electorate->record;
    const struct shown_supervisor *shown = shown_supervisor(node, name);
    ret->status_version = item_version(shown ? shown->item : NULL, ret->version);
    if (!shown)
        return true;
    const struct supervisor_status *status = &shown->status;
    ret->quorum = status->quorum;
    ret->specs = ret->workers = status->specs;
    ret->active = status->running;
    TEXT_SET(ret->electorate_message, status->electorate_message);
    return true;
}

bool query_supervisor_next(const struct node *node, const char *after, struct supervisor_view *ret)
{
    const struct supervisor_entry *entry = store_supervisor_after(&node->store, after);
    const char *next = entry ? entry->supervisor.name : NULL;
    const char *const builtin[] = {SUPERVISOR_DEFAULT, SUPERVISOR_QUORUM};
    for (size_t i = 0; i < 2; i++)
        if (strcmp(builtin[i], after) > 0 && (!next || strcmp(builtin[i], next) < 0))
            next = builtin[i];
    return next && query_supervisor(node, next, ret);
}

static bool query_listed(const struct supervisor *supervisor, const char *after,
                         const char **ret_name)
{
    *ret_name = NULL;
    for (size_t i = 0; i < supervisor->member_count; i++)
        if (strcmp(supervisor->members[i], after) > 0 &&
            (!*ret_name || strcmp(supervisor->members[i], *ret_name) < 0))
            *ret_name = supervisor->members[i];
    return *ret_name != NULL;
}

bool query_supervisor_member_next(const struct node *node, const char *name, const char *after,
                                  const char **ret_name, const char **ret_phase)
{
    struct supervisor supervisor;
    if (!ranking_supervisor(node, name, &supervisor))
        return false;
    if (supervisor.members_auto) {
        const struct member_entry *entry = store_member_after(&node->store, after);
        while (entry && !member_shown(entry)->listed_phase)
            entry = store_member_after(&node->store, entry->name);
        if (!entry)
            return false;
        *ret_name = entry->name;
    } else if (!query_listed(&supervisor, after, ret_name)) {
        return false;
    }
    const struct member_entry *entry = store_member(&node->store, *ret_name);
    *ret_phase = query_phase(entry ? member_shown(entry)->listed_phase : NULL);
    return true;
}

/* --- The node -------------------------------------------------------------------------------- */

bool query_is_looked_at(const struct node *node)
{
    return node->store.feed.open;
}

uint64_t query_position(const struct node *node)
{
    return node->store.feed.position;
}

size_t query_changes(const struct node *node, enum feed_resource resource, uint64_t position,
                     const struct feed_item **ret_items, size_t max)
{
    return feed_after(&node->store.feed, resource, position, ret_items, max);
}

uint64_t query_compacted(const struct node *node, enum feed_resource resource)
{
    return node->store.feed.lists[resource].compacted;
}

const struct journal *query_journal(const struct node *node)
{
    return &node->journal;
}

uint64_t query_digest(const struct node *node)
{
    struct awmap_digest digest = awmap_digest(node->map);
    uint64_t sum = 0;
    for (size_t i = 0; i < AWMAP_BUCKETS; i++)
        sum += digest.buckets[i] * (2 * i + 1);
    return sum;
}

bool query_covers(const struct node *node, struct dot dot)
{
    return awmap_covers(node->map, dot);
}

bool query_stopping(const struct node *node)
{
    return node_is_stopping(node);
}

bool query_ready(const struct node *node)
{
    return node->started && durable_may_write(node) && !query_stopping(node);
}

struct query_counts query_counts(const struct node *node)
{
    struct query_counts counts = {.keys = awmap_count(node->map),
                                  .tombstones = awmap_tombstone_count(node->map),
                                  .children = node->store.child_count,
                                  .names = index_count(&node->store.names),
                                  .members = index_count(&node->store.members),
                                  .containers = node->supervision.containers,
                                  .pending_requests = node->requests.count,
                                  .log_readers = node->outputs.source_count};
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        counts.workloads += g->has_workload;
    return counts;
}

bool query_event_count(const struct node *node, size_t index, const char **ret_reason,
                       uint64_t *ret_count)
{
    if (index >= node->journal.reason_count)
        return false;
    *ret_reason = node->journal.counts[index].reason;
    *ret_count = node->journal.counts[index].count;
    return true;
}

struct query_phases query_phases(const struct node *node)
{
    struct query_phases phases = {{0}};
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; i < g->child_count; i++) {
            struct child_view view;
            if (!query_shows(g->children[i]))
                continue;
            query_fill_child(&node->store, g->children[i], &view);
            phases.children[view.phase]++;
        }
    return phases;
}

struct query_supervised query_supervised(const struct node *node, const char *supervisor)
{
    struct query_supervised counts = {0};
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name)) {
        if (strcmp(g->workload.supervisor, supervisor) != 0)
            continue;
        for (size_t i = 0; i < g->child_count; i++) {
            const struct child *child = g->children[i];
            if (!child->claim || child->claim->state > CLAIM_CLAIMED)
                continue;
            counts.global++;
            counts.local += claim_is_ours(node, child->claim);
        }
    }
    return counts;
}

struct lease_counts query_leases(const struct node *node, const char *supervisor)
{
    const struct lease_holder *holder = index_find(&node->leases.holders, span_text(supervisor));
    return holder ? lease_holder_counts(holder, node->now.mono_ms) : (struct lease_counts){0};
}

size_t query_grants(const struct node *node)
{
    return lease_acceptor_count(node->leases.acceptor);
}

bool query_member_phase_next(const struct node *node, const char *after, const char **ret_name,
                             const char **ret_phase)
{
    const struct member_entry *entry = store_member_after(&node->store, after);
    if (!entry)
        return false;
    *ret_name = entry->name;
    *ret_phase = query_phase(member_shown(entry)->phase);
    return true;
}
