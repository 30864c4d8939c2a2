/* What to do about one child now: Horde's four cases (wanted or not, ours or not) as a function of
 * all that is known.
 *
 *               claim is ours                          claim is another's, or nobody's
 *   wanted      run it (child_run.c)                   free: claim it when our rank's turn has come
 *   not wanted  end its containers, then remove keys   holder lost: rank 0 removes the keys
 *
 * In the right column whatever runs here under another claim is ended. Repeating a decision changes
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/node_private.h"

void child_wake(struct child *child, uint64_t at_ms)
{
    if (at_ms < child->wake_ms)
        child->wake_ms = at_ms;
}

void claim_write(struct node *node, struct child *child, enum claim_state state, uint64_t epoch)
{
    const struct workload *workload = &child->group->workload;
    struct claim claim = {.epoch = epoch, .replica = node->durable.replica, .state = state};
    claim.spec_hash = workload->spec_hash;
    TEXT_SET(claim.node, node->name);
    TEXT_SET(claim.uid, workload->uid);
    struct buffer value = {0};
    claim_encode(&claim, &value);
    struct key key = key_claim(&child->id);
    node_put(node, &key, &value);
    buffer_release(&value);
    /* Known at once, so that the rest of this decision sees it; the feed will say the same. */
    child->claim = claim;
    child->has_claim = true;
    child->claim_siblings = 1;
    if (epoch > child->epoch_max)
        child->epoch_max = epoch;
    local_make(child)->claim_sequence = SEQUENCE_NEXT;
}

/* --- Free children
 * ----------------------------------------------------------------------------------------- */

/* May anybody claim it? Also tells whether its last holder was lost with it. */
static bool child_is_free(const struct node *node, const struct child *child, bool *ret_lost)
{
    const struct claim *claim = &child->claim;
    const struct workload *workload = &child->group->workload;
    *ret_lost = false;
    if (!child->has_claim || claim->state == CLAIM_RELEASED)
        return true;
    bool same = strcmp(claim->uid, workload->uid) == 0;
    if (claim->state == CLAIM_FINISHED)
        return !same || claim->spec_hash != workload->spec_hash;
    if (claim_is_ours(node, claim))
        return !same; /* and nothing runs here any more: the caller saw to it */
    *ret_lost = same && claim_holder_is_lost(node, claim);
    return claim_holder_is_lost(node, claim);
}

static bool image_is_here(const struct node *node, const struct workload *workload)
{
    return workload->pull != PULL_ALWAYS &&
           index_find(&node->supervision.images, span_text(workload->image));
}

/* `temporary` means never, also across nodes: lost with its node, it has failed. */
static void child_give_up_lost(struct node *node, struct child *child)
{
    claim_write(node, child, CLAIM_FINISHED, child->epoch_max + 1);
    struct local *local = local_make(child);
    TEXT_SET(local->reason, "NodeLost");
    TEXT_SET(local->message, "its node died, and restart: temporary means never again");
    effects_trace(node->effects, "%s/%s/%u is lost with its node and temporary: Failed",
                  child->id.ns, child->id.workload, child->id.ordinal);
}

static void child_claim(struct node *node, struct child *child, bool lost)
{
    const struct workload *workload = &child->group->workload;
    if (lost && workload->restart == RESTART_TEMPORARY) {
        child_give_up_lost(node, child);
        return;
    }
    effects_trace(node->effects, "claims %s/%s/%u at epoch %llu%s", child->id.ns,
                  child->id.workload, child->id.ordinal, (unsigned long long)(child->epoch_max + 1),
                  lost ? ": its holder is lost" : "");
    claim_write(node, child, image_is_here(node, workload) ? CLAIM_CLAIMED : CLAIM_PULLING,
                child->epoch_max + 1);
    child_run(node, child);
}

/* The ring proposes: the candidate of rank k claims after k x 500 ms without seeing a claim; rank 0
 * at once. */
static void child_candidate(struct node *node, struct child *child, bool lost)
{
    const char *reason, *message;
    uint32_t rank = ranking_of_self(node, child, &reason, &message);
    if (child->pending_reason != reason)
        store_touch(&node->store, child);
    child->pending_reason = reason;
    child->pending_message = message;
    if (!child->free_known) {
        child->free_known = true;
        child->free_since_ms = node->now.mono_ms;
    }
    const struct supervision *supervision = &node->supervision;
    bool able = supervision->engine_healthy && supervision->engine_listed &&
                !supervision->draining && durable_has_room(node);
    if (rank == RANK_NONE || !able)
        return;
    uint64_t turn_ms = child->free_since_ms + (uint64_t)rank * PLACEMENT_RANK_DELAY_MS;
    if (node->now.mono_ms < turn_ms) {
        child_wake(child, turn_ms);
        return;
    }
    child_claim(node, child, lost);
}

/* --- Unwanted children
 * ------------------------------------------------------------------------------------- */

static bool child_is_rank_zero_here(struct node *node, const struct child *child)
{
    const char *reason, *message;
    return ranking_of_self(node, child, &reason, &message) == 0;
}

static void child_remove_keys(struct node *node, struct child *child)
{
    registry_remove_all(node, child);
    struct key claim = key_claim(&child->id), status = key_status(&child->id);
    if (child->has_claim)
        node_remove(node, &claim);
    if (child->has_status)
        node_remove(node, &status);
}

/* Keys go by the holder's hand; by that of rank 0 once there is no holder any more. */
static void child_unwanted(struct node *node, struct child *child)
{
    if (!child->has_claim && !child->has_status && child->name_count == 0)
        return;
    bool ours = child->has_claim && claim_is_ours(node, &child->claim);
    bool orphaned = !child->has_claim || claim_holder_is_lost(node, &child->claim);
    if (ours || (orphaned && child_is_rank_zero_here(node, child)))
        child_remove_keys(node, child);
}

/* --- Not ours
 * ---------------------------------------------------------------------------------------------- */

/* While another member pulls the image under a newer claim, the holder of the epoch before runs on.
 */
static bool child_is_only_reserved(const struct node *node, const struct child *child,
                                   struct local_container **ret_keep)
{
    *ret_keep = NULL;
    if (!child->has_claim || child->claim.state != CLAIM_PULLING ||
        claim_is_ours(node, &child->claim))
        return false;
    struct local *local = child->local;
    for (size_t i = 0; local && i < local->container_count; i++) {
        struct local_container *at = &local->containers[i];
        if (at->container.state == CONTAINER_RUNNING &&
            at->container.replica == node->durable.replica &&
            strcmp(at->container.uid, child->claim.uid) == 0 && !at->stopping)
            *ret_keep = at;
    }
    return *ret_keep != NULL;
}

static void child_not_ours(struct node *node, struct child *child)
{
    struct local_container *keep = NULL;
    bool reserved = child_is_only_reserved(node, child, &keep);
    if (!child_clear(node, child, keep) || reserved)
        return;
    if (child->local && !local_is_quiet(child->local))
        return;
    local_free(child->local);
    child->local = NULL;
    if (!child_is_wanted(child)) {
        child_unwanted(node, child);
        return;
    }
    bool lost;
    if (child_is_free(node, child, &lost))
        child_candidate(node, child, lost);
    else
        child->free_known = false;
}

/* --- Ours
 * --------------------------------------------------------------------------------------------------
 */

static void child_ours(struct node *node, struct child *child)
{
    const struct claim *claim = &child->claim;
    local_make(child);
    if (child->claim_siblings > 1)
        claim_write(node, child, claim->state, claim->epoch); /* so that one sibling remains */
    bool current = child_is_wanted(child) && strcmp(claim->uid, child->group->workload.uid) == 0;
    if (current && claim->state != CLAIM_RELEASED) {
        child_run(node, child);
        return;
    }
    if (!child_clear(node, child, NULL) || !local_is_quiet(child->local))
        return;
    local_free(child->local);
    child->local = NULL;
    if (!child_is_wanted(child)) {
        child_unwanted(node, child);
        return;
    }
    bool lost;
    if (child_is_free(node, child, &lost))
        child_candidate(node, child, lost);
}

void child_decide(struct node *node, struct child *child)
{
    child->wake_ms = UINT64_MAX;
    if (!durable_may_write(node)) {
        store_mark(&node->store, child);
        return;
    }
    if (child->has_claim && claim_is_ours(node, &child->claim))
        child_ours(node, child);
    else
        child_not_ours(node, child);
    registry_update(node, child);
    child_status_update(node, child);
    if (node->supervision.engine_listed && !child->local)
        child->held_at_start = false; /* nothing of it runs here: it may be forgotten */
}
