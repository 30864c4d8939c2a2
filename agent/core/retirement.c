/* Past nodes cost nothing: their writers are retired, their records go, and so do the tombstones of
 * past children.
 *
 * The one idea: who may still write is data, the `writer` of the member records. A writer in the
 * map's `seen` that stands in none of them, and has not written for a whole sweep, is nobody's any
 * more: its member was forgotten, has left for good, or came back under a fresh id. Every agent
 * sees that for itself, from the same data, so none has to be told. Should the writer live (it was
 * forgotten while it was merely cut off), then its next write is new all the same, its greeting
 * brings its record back, and nothing is lost.
 *
 * Everything here waits for one sweep or more, so that members who are merely slow still find what
 * they lack by a walk: retiring, dropping and striking make a full comparison of it. */
#include "agent/core/retirement.h"

#include <stdlib.h>
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"

enum {
    SWEEP_MS = 60000,
    STABLE_MS = 600000,    /* an agent that was away for no longer gets a walk */
    LEFT_KEPT_MS = 600000, /* how long who has left is still shown */
    /* Agents sweep at different moments; together with the sweep before it is as much as positions
     * name (crdt/position.c). */
    RETIRED_PER_SWEEP_MAX = AWMAP_RECENT_RETIRED / 2,
    TIDIED_PER_SWEEP_MAX = 16384,
};

/* The writers that belong to somebody, as a vector for its lookup. */
static void writers_in_use(const struct node *node, struct vector *ret_writers)
{
    vector_raise(ret_writers, awmap_writer(node->map), 1);
    for (struct member_entry *m = store_member_after(&node->store, ""); m;
         m = store_member_after(&node->store, m->name))
        vector_raise(ret_writers, m->record->writer, 1);
}

/* As nearly always: then nothing need be sorted. */
static bool all_are_in_use(const struct node *node)
{
    const struct vector *seen = awmap_seen(node->map);
    uint32_t used = vector_get(seen, awmap_writer(node->map)) > 0;
    for (struct member_entry *m = store_member_after(&node->store, ""); m;
         m = store_member_after(&node->store, m->name))
        used +=
            m->record->writer != awmap_writer(node->map) && vector_get(seen, m->record->writer) > 0;
    return used == seen->count;
}

/* Those that have been nobody's since the last sweep, and silent. */
static void retire_writers(struct node *node)
{
    struct retirement *retirement = &node->retirement;
    struct vector in_use = {0}, unowned = {0}, seen = {0};
    uint32_t retired = 0;
    if (all_are_in_use(node)) {
        vector_release(&retirement->unowned);
        return;
    }
    writers_in_use(node, &in_use);
    vector_copy(&seen, awmap_seen(node->map));
    for (uint32_t i = 0; i < seen.count; i++) {
        struct dot writer = seen.items[i];
        if (vector_get(&in_use, writer.replica) > 0)
            continue;
        if (vector_get(&retirement->unowned, writer.replica) != writer.counter ||
            retired == RETIRED_PER_SWEEP_MAX || !awmap_retire(node->map, writer.replica))
            vector_raise(&unowned, writer.replica, writer.counter);
        else
            retired++;
    }
    if (retired > 0)
        effects_trace(node->effects, "retired %u writers of past members, %u in all",
                      (unsigned)retired, (unsigned)awmap_retired(node->map)->count);
    vector_release(&retirement->unowned);
    retirement->unowned = unowned;
    vector_release(&in_use);
    vector_release(&seen);
}

static void tidy_map(struct node *node)
{
    struct retirement *retirement = &node->retirement;
    if (node->now.mono_ms < retirement->stable_ms)
        return;
    size_t tidied = awmap_tidy(node->map, &retirement->stable, TIDIED_PER_SWEEP_MAX);
    if (tidied == TIDIED_PER_SWEEP_MAX)
        return; /* the rest with the next sweep, of the same age */
    retirement->stable_ms = node->now.mono_ms + STABLE_MS;
    awmap_note_stable(node->map, &retirement->stable);
}

/* Who has left is no member any more for anybody; only its record is still there. */
static void forget_left(struct node *node)
{
    uint64_t kept_ms = node->forget_after_ms < LEFT_KEPT_MS ? node->forget_after_ms : LEFT_KEPT_MS;
    for (struct member_entry *m = store_member_after(&node->store, ""); m;
         m = store_member_after(&node->store, m->name)) {
        if (m->record->wish != WISH_LEFT || strcmp(m->name, node->name) == 0)
            continue;
        struct member_apart *apart = member_apart_of(m);
        if (apart->noted_ms == 0)
            apart->noted_ms = node->now.mono_ms;
        if (node->now.mono_ms - apart->noted_ms < kept_ms || !membership_is_first(node))
            continue;
        struct key key = key_member(m->name);
        effects_trace(node->effects, "%s has left for good and is forgotten", m->name);
        node_remove(node, &key);
    }
}

void retirement_tick(struct node *node)
{
    if (node->now.mono_ms < node->retirement.sweep_ms || !durable_may_write(node))
        return;
    node->retirement.sweep_ms = node->now.mono_ms + SWEEP_MS;
    durable_settle(node); /* what is on its way to the store and the disk gets there first */
    retire_writers(node);
    tidy_map(node);
    forget_left(node);
}

void retirement_release(struct node *node)
{
    vector_release(&node->retirement.unowned);
    vector_release(&node->retirement.stable);
}
