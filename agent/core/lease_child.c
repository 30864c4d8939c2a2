/* Leases of this node's children: when one is asked for, what it allows, and when it is given up.
 *
 * A lease is wanted from when the image is here and the claim says `claimed`, for as long as that
 * claim is ours; also while the child waits for its next attempt. It is given up once nothing of
 * the child runs here any more. Whether its end was seen, so that others need not wait, is kept
 * account of here, from what the engine says of containers: a container that merely is not in a
 * list any more was not seen to end. */
#include <assert.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/ranking.h"

enum {
    GIVE_BACK_MS = 1000,
    COURT_AGAIN_MS = 50,
    COURT_DUEL_MS = 500, /* longer than the other takes to look again (lease_holder.c) */
    COURT_DUEL_TRIES = 2,
};

bool lease_guards(struct node *node, const struct child *child)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan && plan->strategy && plan->strategy->votes;
}

struct lease *lease_of(const struct node *node, const struct child *child)
{
    const struct lease_holder *holder =
        index_find(&node->leases.holders, span_text(child->group->workload.supervisor));
    const struct child_id id = child_id(child);
    struct lease *lease = holder ? lease_holder_find(holder, &id) : NULL;
    return lease && !lease->ending ? lease : NULL;
}

/* Of a claim of the run before, a start may be on its way of which this run knows nothing. It has
 * the name of the claim's epoch, so only another epoch must wait for it. */
static void lease_begin(struct node *node, const struct child *child, struct lease *lease,
                        const char *uid, bool ours)
{
    TEXT_SET(lease->uid, uid);
    if (!ours) {
        lease->inherited = lease->uncertain = true;
        return;
    }
    uint64_t until_ms = node->membership.started_ms + lease->lease_ms;
    if (child->held_at_start && node->now.mono_ms < until_ms && lease->blocked_until_ms < until_ms)
        lease->blocked_until_ms = until_ms;
}

bool lease_may_start(struct node *node, struct child *child)
{
    struct lease_holder *holder = leases_holder(node, child->group->workload.supervisor);
    struct lease *lease = lease_of(node, child);
    if (!lease || lease->epoch != child->claim->epoch) {
        const struct child_id id = child_id(child);
        lease = lease_holder_want(holder, &id, child->claim->epoch, node->now.mono_ms);
        lease_begin(node, child, lease, child->claim->uid,
                    child->local && child->local->claim_sequence > 0); /* written in this run */
        node->dirty = true;
    }
    return lease_is_good_for_start(lease, node->now.mono_ms);
}

static bool child_is_busy(const struct child *child)
{
    const struct local *local = child->local;
    for (size_t i = 0; local && i < local->container_count; i++)
        if (local->containers[i].container.state == CONTAINER_RUNNING)
            return true;
    return local && local->start_operation;
}

/* What waits for a lease where no majority is alive is not ours to wait for. */
bool lease_is_late(struct node *node, const struct child *child)
{
    const struct lease *lease = lease_of(node, child);
    if (lease && lease->epoch == child->claim->epoch && lease->state != LEASE_STATE_ASKED)
        return lease->state == LEASE_STATE_LATE;
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan && plan->quorum >= QUORUM_LOST && !child_is_busy(child);
}

/* The other's claim is on its way to us, mostly. If it does not come, or hardly anybody answers us,
 * the claim is given back: whoever gets a lease for the next epoch claims that. */
bool lease_gives_back(struct node *node, struct child *child)
{
    const struct lease *lease = lease_of(node, child);
    if (!lease || lease->epoch != child->claim->epoch || lease->state == LEASE_STATE_HELD)
        return false;
    uint64_t back_ms = lease->stale_epoch > 0 ? lease->stale_ms + GIVE_BACK_MS
                                              : lease->born_ms + 2 * lease->lease_ms + GIVE_BACK_MS;
    if (node->now.mono_ms < back_ms || (lease->refused && lease->stale_epoch == 0)) {
        child_wake(child, node->now.mono_ms < back_ms ? back_ms : node->now.mono_ms + GIVE_BACK_MS);
        return false;
    }
    if (lease->stale_epoch > child->epoch_max)
        child->epoch_max = lease->stale_epoch;
    claim_write(node, child, CLAIM_RELEASED, child->claim->epoch, child->claim->spec_hash);
    store_mark(&node->store, child);
    return true;
}

static bool court_has_image(struct node *node, struct child *child)
{
    struct local *local = local_make(child);
    local->courting = true;
    if (child_image_is_here(node, child))
        return true;
    if (node->now.mono_ms < local->retry_ms)
        child_wake(child, local->retry_ms);
    else
        child_pull(node, child);
    return false;
}

/* Who has no majority lets go of what it has, so that another may get it; and the later in rank
 * comes so much later again. So does who has met an epoch as great as its own: of two that ask at
 * once, each with its own vote and the third silent, both would go on like that for ever. */
static void court_in_vain(struct node *node, struct child *child, struct lease *lease,
                          uint32_t rank)
{
    if (lease->stale_epoch > child->epoch_max)
        child->epoch_max = lease->stale_epoch;
    bool stale = lease->stale_epoch > 0;
    uint64_t again_ms = stale ? node->now.mono_ms + COURT_AGAIN_MS : lease->retry_ms;
    child->local->court_tries = lease->tries;
    child->local->court_ms = again_ms + (uint64_t)rank * PLACEMENT_RANK_DELAY_MS;
    if (stale && lease->tries > COURT_DUEL_TRIES) /* two may think that they are first */
        child->local->court_ms += COURT_DUEL_MS + random_below(&node->random, COURT_DUEL_MS);
    child_wake(child, child->local->court_ms);
    lease_holder_drop(leases_holder(node, child->group->workload.supervisor), lease,
                      node->now.mono_ms);
    node->dirty = true;
}

/* A guarded child is claimed by who has its lease already, so a minority claims nothing. */
bool lease_court(struct node *node, struct child *child, uint32_t rank)
{
    struct lease_holder *holder = leases_holder(node, child->group->workload.supervisor);
    if (child->local && node->now.mono_ms < child->local->court_ms) {
        child_wake(child, child->local->court_ms);
        return false;
    }
    if (!court_has_image(node, child))
        return false;
    struct lease *lease = lease_of(node, child);
    if (lease && lease->stale_epoch >= lease->epoch && lease->state == LEASE_STATE_ASKED) {
        court_in_vain(node, child, lease, rank);
        return false;
    }
    if (!lease || lease->epoch != child->epoch_max + 1) {
        const struct child_id id = child_id(child);
        lease = lease_holder_want(holder, &id, child->epoch_max + 1, node->now.mono_ms);
        lease_begin(node, child, lease, child->group->workload.uid, true);
        lease->tries = child->local->court_tries;
        node->dirty = true;
    }
    if (!lease->uncertain) /* the workload may be another one of that name by now */
        TEXT_SET(lease->uid, child->group->workload.uid);
    lease->courted_turn = node->turn;
    if (lease->state != LEASE_STATE_HELD && lease_holder_is_hopeless(holder, lease)) {
        court_in_vain(node, child, lease, rank);
        return false;
    }
    if (lease->blocked_until_ms > node->now.mono_ms)
        child_wake(child, lease->blocked_until_ms);
    if (!lease_is_good_for_start(lease, node->now.mono_ms))
        return false;
    lease->courted_turn = 0;
    return true;
}

/* Of a strategy of a later version nobody knows what it asks for. */
bool lease_allows_start(struct node *node, struct child *child)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    if (!plan || (plan->strategy && !plan->strategy->votes))
        return true;
    return plan->strategy && child->claim && claim_is_ours(node, child->claim) &&
           lease_may_start(node, child);
}

const char *lease_lost_reason(struct node *node, const struct child *child)
{
    const struct supervisor_plan *plan = ranking_plan(node, child->group->workload.supervisor);
    return plan && plan->quorum == QUORUM_HELD ? "lease_lost" : "quorum_lost";
}

/* One from before there were guards is replaced. Any other is ours to renew. */
bool lease_must_be_guarded(struct node *node, struct child *child,
                           const struct container *container)
{
    if (!lease_guards(node, child))
        return false;
    if (child->claim->state == CLAIM_CLAIMED)
        lease_may_start(node, child);
    lease_observe(node, child, container);
    return !container->guarded;
}

bool lease_ended_it(const struct child *child, const struct container *container)
{
    return container->guarded && container->exit_code == GUARD_EXIT_CODE &&
           child->group->workload.restart != RESTART_TEMPORARY;
}

/* Its holder is away on purpose. Half a lease later what it has is ending. */
bool lease_outlasts_absence(struct node *node, const struct child *child)
{
    const struct claim *claim = child->claim;
    const struct member_entry *entry = store_member(&node->store, claim->node);
    const struct member *member = member_find(node, claim->node);
    const struct electorate_entry *electorate =
        store_electorate(&node->store, child->group->workload.supervisor);
    if (!entry || !member || !electorate || !member_is_absent(node, claim->node) ||
        !lease_guards(node, child))
        return false;
    uint64_t gone_ms = member_past(member)->absent_until_ms - entry->record->away_ms;
    return node->now.mono_ms >=
           gone_ms + lease_term_ms(electorate_lease_ms_min(&electorate->record));
}

bool lease_limits_stop(struct node *node, const struct child *child, uint64_t *stop_ms)
{
    const struct lease *lease = lease_of(node, child);
    if (!lease || lease->state != LEASE_STATE_LATE)
        return false;
    uint64_t kill_ms = lease->since_ms + lease_kill_ms(lease->lease_ms);
    uint64_t left_ms = kill_ms > node->now.mono_ms ? kill_ms - node->now.mono_ms : 0;
    *stop_ms = left_ms < *stop_ms ? left_ms : *stop_ms;
    return lease->killing;
}

/* --- What the engine says -------------------------------------------------------------------- */

void lease_note_start(struct node *node, const struct child *child, struct runtime_operation *asked)
{
    struct lease *lease = lease_of(node, child);
    if (!lease_guards(node, child))
        return;
    assert(lease && lease->epoch == asked->epoch &&
           lease_is_good_for_start(lease, node->now.mono_ms));
    lease->uncertain = true;
    lease->container_id[0] = '\0';
    asked->guarded = true;
    asked->guard_deadline_ms = lease->since_ms + lease_guard_ms(lease->lease_ms);
    asked->guard_lease_ms = lease->lease_ms;
}

void lease_note_started(struct node *node, const struct child *child,
                        const struct container *started, bool lost)
{
    struct lease *lease = lease_of(node, child);
    if (!lease || lease->epoch != child->local->start_epoch)
        return;
    lease->lost_start |= lost;
    if (!started)
        return;
    lease->inherited = false;
    TEXT_SET(lease->container_id, started->id);
    lease_observe(node, child, started); /* it may have ended by now */
}

void lease_observe(struct node *node, const struct child *child, const struct container *container)
{
    struct lease *lease = lease_of(node, child);
    if (!lease || lease->epoch != container->epoch || container->replica != node->durable.replica ||
        strcmp(lease->uid, container->uid) != 0)
        return;
    if (container->state == CONTAINER_RUNNING) {
        lease->uncertain = true;
        lease->inherited = false;
        TEXT_SET(lease->container_id, container->id);
        return;
    }
    bool starts = child->local && child->local->start_operation;
    if (container->state != CONTAINER_CREATED && !starts && !lease->inherited &&
        !lease->lost_start && strcmp(lease->container_id, container->id) == 0)
        lease->uncertain = false;
}

/* --- Giving up ------------------------------------------------------------------------------- */

void lease_update(struct node *node, struct child *child)
{
    struct lease *lease = lease_of(node, child);
    if (!lease)
        return;
    bool ours = child->claim && claim_is_ours(node, child->claim) &&
                child->claim->epoch == lease->epoch && child->claim->state == CLAIM_CLAIMED;
    if (lease->stale_epoch > child->epoch_max)
        child->epoch_max = lease->stale_epoch;
    if (ours || child_is_busy(child) || lease->courted_turn == node->turn)
        return;
    struct lease_holder *holder =
        index_find(&node->leases.holders, span_text(child->group->workload.supervisor));
    lease_holder_drop(holder, lease, node->now.mono_ms);
    node->dirty = true;
}
