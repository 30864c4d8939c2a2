/* What to do about one child now: Horde's four cases (wanted or not, ours or not) as a function of
 * all that is known.
 *
 *               claim is ours                          claim is another's, or nobody's
 *   wanted      run it (child_run.c)                   free: claim it when our rank's turn has come
 *   not wanted  end its containers, then remove keys   nobody holds it: one of us removes the keys
 *
 * In the right column whatever runs here under another claim is ended. Repeating a decision changes
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/engine.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/registry.h"
#include "agent/core/supervise.h"

enum { LOAD_LOOK_MS = 1000 };

void child_wake(struct child *child, uint64_t at_ms)
{
    if (at_ms < child->wake_ms)
        child->wake_ms = at_ms;
}

static bool claim_is_of_present_uid(const struct child *child)
{
    return strcmp(child->claim->uid, child->group->workload.uid) == 0;
}

/* --- Free children --------------------------------------------------------------------------- */

/* May anybody claim it? Also tells whether its last holder was lost with it. */
static bool child_is_free(struct node *node, const struct child *child, bool *ret_lost)
{
    const struct claim *claim = child->claim;
    const struct workload *workload = &child->group->workload;
    *ret_lost = false;
    if (!claim || claim->state == CLAIM_RELEASED)
        return true;
    bool same = claim_is_of_present_uid(child);
    if (claim->state == CLAIM_FINISHED)
        return !child_is_over(child);
    if (claim_is_ours(node, claim))
        return !same; /* and nothing runs here any more: the caller saw to it */
    bool adoptable = claim_is_adoptable(node, claim) || lease_outlasts_absence(node, child);
    *ret_lost = same && adoptable && claim->spec_hash == workload->spec_hash;
    return adoptable;
}

static bool image_is_here(const struct node *node, const struct workload *workload)
{
    return workload->pull != PULL_ALWAYS &&
           index_find(&node->supervision.images, span_text(workload->image));
}

/* `temporary` means never, also across nodes: lost with its node, it has failed. */
static void child_give_up_lost(struct node *node, struct child *child, uint64_t epoch)
{
    local_make(child);
    child_finish(node, child, child->group->workload.spec_hash, epoch, "NodeLost",
                 "its node died, and restart: temporary means never again");
}

static void child_note_claim(struct node *node, const struct child *child, uint64_t epoch,
                             bool lost)
{
    const struct claim *last = child->claim;
    bool offered = offer_is_open(child);
    bool handed = last && last->state == CLAIM_RELEASED && strcmp(last->node, node->name) != 0;
    effects_trace(node->effects, "claims %s/%s/%u at epoch %llu%s", child->group->ns,
                  child->group->name, child->ordinal, (unsigned long long)epoch,
                  lost      ? ": its holder is lost"
                  : offered ? ": it was offered"
                            : "");
    if (lost)
        note_child(node, child, true, "Moved", "to %s at epoch %llu: %s is %s", node->name,
                   (unsigned long long)epoch, last->node, member_phase_text(node, last->node));
    else if (offered || handed)
        note_child(node, child, false, "Moved", "to %s at epoch %llu: %s has %s it", node->name,
                   (unsigned long long)epoch, last->node, offered ? "offered" : "handed over");
    else
        note_child(node, child, false, "Placed", "on %s at epoch %llu", node->name,
                   (unsigned long long)epoch);
}

void child_claim(struct node *node, struct child *child, bool lost)
{
    const struct workload *workload = &child->group->workload;
    const struct lease *lease = lease_guards(node, child) ? lease_of(node, child) : NULL;
    uint64_t epoch = lease ? lease->epoch : offer_next_epoch(node, child);
    if (lost && child->claim->state == CLAIM_CLAIMED && workload->restart == RESTART_TEMPORARY) {
        child_give_up_lost(node, child, epoch);
        return;
    }
    child_note_claim(node, child, epoch, lost);
    bool ready = image_is_here(node, workload) || move_keeps(node, child);
    claim_write(node, child, ready ? CLAIM_CLAIMED : CLAIM_PULLING, epoch, workload->spec_hash);
    child_run(node, child);
}

/* The ring proposes: the candidate of rank k claims after k x 500 ms without seeing a claim; rank 0
 * at once. */
static void child_candidate(struct node *node, struct child *child, bool lost)
{
    const char *reason, *message;
    uint32_t rank = ranking_of_self(node, child, &reason, &message);
    store_set_pending(&node->store, child, reason, message);
    if (!child->free_known)
        child->free_since_ms = node->now.mono_ms;
    if (reason[0] && ranking_weighs(node, child))
        child_wake(child, node->now.mono_ms + LOAD_LOOK_MS);
    child->free_known = !reason[0]; /* turns are counted from when somebody can take it */
    const struct supervision *supervision = &node->supervision;
    bool able = supervision->engine_healthy && supervision->engine_listed &&
                !supervision->draining && durable_has_room(node);
    if (rank == RANK_NONE || !able)
        return;
    int precedence = offer_precedence(node, child);
    rank = precedence > 0 ? 0 : precedence < 0 ? rank + 1 : rank;
    uint64_t turn_ms = ranking_turn_ms(node, child, rank);
    uint64_t away_ms = escalate_away_ms(node, child->group->workload.supervisor);
    turn_ms = away_ms > turn_ms ? away_ms : turn_ms;
    if (node->now.mono_ms < turn_ms) {
        child_wake(child, turn_ms);
        return;
    }
    if (lease_guards(node, child) && !lease_court(node, child, rank))
        return;
    room_note_claim(node, child);
    child_claim(node, child, lost);
}

/* --- Unwanted children ----------------------------------------------------------------------- */

static void child_remove_keys(struct node *node, struct child *child)
{
    registry_remove_all(node, child);
    state_remove_all(node, child);
    const struct child_id id = child_id(child);
    struct key claim = key_claim(&id), status = key_status(&id);
    if (child->claim)
        node_remove(node, &claim);
    if (child->status)
        node_remove(node, &status);
}

/* Keys go by the holder's hand; by another's once there has been no holder for a while: what others
 * have long had we may hear of piece by piece, a status before its claim and its workload. */
static void child_unwanted(struct node *node, struct child *child)
{
    bool ours = child->claim && claim_is_ours(node, child->claim);
    bool held = child->claim && !claim_holder_is_lost(node, child->claim);
    bool keys = child->claim || child->status || child->names || child->state;
    if (ours)
        child_remove_keys(node, child);
    if (held || !keys) {
        child->left_s = 0;
        return;
    }
    if (child->left_s == 0)
        child->left_s = 1 + (uint32_t)(node->now.mono_ms / 1000);
    uint64_t due_ms = (uint64_t)child->left_s * 1000 + WHOLE_MAP_MS;
    if (node->now.mono_ms < due_ms)
        child_wake(child, due_ms);
    else if (ranking_cleans_up(node, child))
        child_remove_keys(node, child);
}

/* --- Nothing runs here, or all of it must end ------------------------------------------------ */

/* True once nothing of the child is left here. What is still being pulled may go on without it. */
static bool child_forget(struct node *node, struct child *child)
{
    if (!child->local || child->local->courting)
        return true;
    if (child->local->pull_operation) {
        engine_abandon(node, child->local->pull_operation);
        child->local->pull_operation = 0;
    }
    if (!local_is_quiet(child->local))
        return false;
    local_free(child->local);
    child->local = NULL;
    store_touch(&node->store, child); /* users see again what was told of it */
    return true;
}

/* Who remains without a holder is looked at again whenever a member changes. */
static void child_offer(struct node *node, struct child *child)
{
    bool lost, waits = true;
    if (!child_is_wanted(child)) {
        child_unwanted(node, child);
    } else if (child_is_free(node, child, &lost)) {
        child_candidate(node, child, lost);
    } else {
        waits = child->free_known = false;
        if (child->local) {
            child->local->courting = false;
            child->local->court_tries = 0;
        }
        store_set_pending(&node->store, child, NULL, NULL);
    }
    if (child->claim && claim_is_ours(node, child->claim) && child->claim->state <= CLAIM_CLAIMED)
        waits = false; /* by now */
    store_set_waiting(&node->store, child, waits);
}

/* --- Not ours -------------------------------------------------------------------------------- */

/* What runs here under a claim that somebody has since passed over with a mere reservation. */
struct local_container *child_reserved_elsewhere(const struct node *node, const struct child *child)
{
    const struct local *local = child->local;
    struct local_container *found = NULL;
    if (!local || !child_is_wanted(child) || !child->claim ||
        child->claim->state != CLAIM_PULLING || !claim_is_of_present_uid(child))
        return NULL;
    for (size_t i = 0; i < local->container_count; i++) {
        struct local_container *at = &local->containers[i];
        if (at->container.state == CONTAINER_RUNNING && !at->stopping &&
            at->container.epoch < child->claim->epoch &&
            at->container.replica == node->durable.replica &&
            strcmp(at->container.uid, child->claim->uid) == 0 &&
            (!found || at->container.epoch > found->container.epoch))
            found = at;
    }
    return found;
}

/* `pulling` reserves a child but does not end a living holder of an epoch before. That holder, back
 * alive and seeing the reservation, writes its own claim again as it was; the puller then sees that
 * the child is held, and forgets it. If the puller has meanwhile written `claimed`, the two are
 * siblings, the greater epoch wins, and the old container ends as usual. No container has ever had
 * the epoch that is passed over. */
static bool child_take_back(struct node *node, struct child *child)
{
    struct local_container *container = child_reserved_elsewhere(node, child);
    const struct supervision *supervision = &node->supervision;
    if (!container || supervision->draining || !supervision->engine_healthy ||
        !supervision->engine_listed || ranking_excludes_self(node, child) ||
        lease_is_late(node, child))
        return false;
    effects_trace(node->effects, "%s/%s/%u still runs here: takes it back from %s, who pulls",
                  child->group->ns, child->group->name, child->ordinal, child->claim->node);
    claim_write(node, child, CLAIM_CLAIMED, container->container.epoch,
                container->container.spec_hash);
    return true;
}

/* While we may not take it back yet (no list from the engine), what runs is left alone. */
static bool child_waits_to_take_back(const struct node *node, const struct child *child)
{
    return !node->supervision.draining && !node->supervision.engine_listed &&
           child_reserved_elsewhere(node, child);
}

static void child_not_ours(struct node *node, struct child *child)
{
    if (child_take_back(node, child)) {
        child_run(node, child);
        return;
    }
    if (child->local)
        child->local->stop = STOP_NONE; /* it was another life's: here is nothing to give back */
    if (move_prepare(node, child))
        return;
    bool lost;
    struct local_container *keep =
        child_is_free(node, child, &lost) ? move_keeps(node, child) : NULL;
    if (child_waits_to_take_back(node, child) || !child_clear(node, child, keep))
        return;
    if (keep || child_forget(node, child))
        child_offer(node, child);
}

/* --- Ours ------------------------------------------------------------------------------------ */

static void child_ours(struct node *node, struct child *child)
{
    local_make(child);
    if (child->claim_siblings > 1)
        claim_repeat(node, child);
    bool wanted = child_is_wanted(child), same = claim_is_of_present_uid(child);
    enum claim_state state = child->claim->state;
    bool rerun = state == CLAIM_FINISHED && !child_is_over(child);
    if (wanted && same && state != CLAIM_RELEASED && !rerun) {
        store_set_waiting(&node->store, child, false);
        child_run(node, child);
        return;
    }
    /* What may run here of it is known only after the engine's list. */
    if (!node->supervision.engine_listed || !child_clear(node, child, NULL))
        return;
    if (wanted && rerun)
        child_status_tell_end(node, child);
    if (!child_forget(node, child))
        return;
    if (wanted && state <= CLAIM_CLAIMED) {
        /* Of a workload before this one: whoever is next in turn may take it. */
        claim_write(node, child, CLAIM_RELEASED, child->claim->epoch,
                    child->group->workload.spec_hash);
        child_forget(node, child);
    }
    child_offer(node, child);
}

void child_remember(struct node *node, struct child *child)
{
    child->held_at_start = true;
    child->remember_ms = node->now.mono_ms + RUNTIME_START_TIMEOUT_MS;
}

/* A start of which nobody knows the end may come true after the child and its keys are gone. */
static void child_stop_remembering(struct node *node, struct child *child)
{
    if (!child->held_at_start || !node->supervision.engine_listed || child->local)
        return;
    if (node->now.mono_ms >= child->remember_ms)
        child->held_at_start = false;
    else
        child_wake(child, child->remember_ms);
}

void child_decide(struct node *node, struct child *child)
{
    child->wake_ms = UINT64_MAX;
    if (!durable_may_write(node)) {
        store_mark(&node->store, child);
        return;
    }
    if (child->group->unreadable)
        return;
    child_note_ready(node, child);
    if (child_is_wanted(child))
        child->left_s = 0;
    if (child->claim && claim_is_ours(node, child->claim))
        child_ours(node, child);
    else
        child_not_ours(node, child);
    lease_update(node, child);
    registry_update(node, child);
    state_update(node, child);
    child_status_update(node, child);
    child_stop_remembering(node, child);
    child_note_progress(node, child);
    child_expire(node, child);
}
