/* A child moves from one member to another while both live: its holder offers it, the other one
 * prepares, and only then does the holder let go. Who moves, and when, is in redistribute.c.
 *
 *   holder H, claim of epoch e              successor T
 *   ------------------------------------    -----------------------------------------------------
 *   writes `claimed` e with an offer to
 *   T of epoch e' > e; its container runs
 *   on, its names stay
 *                                           stop-first: pulls the image, and says that it is ready
 *                                           start-first: starts a container of epoch e', without
 *                                           claim or names, and waits until that is ready
 *   stop-first: hears so, stops its
 *   container, writes `released` e
 *                                           claims e' at once; starts it, if it does not run yet
 *   start-first: sees the claim of e', as
 *   it would see any greater one, and
 *   ends its container
 *
 * So make-before-break needs no other order of claims: the greater epoch wins, and the greater one
 * is written by who is ready already. Until then nothing of H has changed, so whatever goes wrong
 * leaves the child where it is:
 *
 *   T has no room, fails to pull or to start: it says so in its record (`declined`, `full`), and H
 *   withdraws. T dies, drains, or is not heard of for OFFER_PATIENCE_MS: H withdraws. T ends what
 *   it has begun when it sees no offer any more. A withdrawn offer stays in the claim, so that all
 *   know not to wait for this move.
 *   H dies, or drains: the child is free, T comes first, and goes on with what it has begun.
 *   H and T are cut off from each other: H withdraws and runs on, T claims e'. As in any split both
 *   run, and after it the greater epoch stays.
 *   H is too late to withdraw: T has claimed e', and that is that.
 *
 * The offered epoch counts as known (epoch_max): no container of another ever has it. */
#include "agent/core/move.h"

#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/supervise.h"

enum {
    OFFER_PATIENCE_MS = 15000, /* of the holder, without a word from the successor */
    OFFER_RETRY_MS = 300000,
    PREPARE_TELL_MS = 1000,
    PREPARE_MS = 120000, /* for a start and readiness, beside their own delays */
};

const struct offer *offer_of(const struct child *child)
{
    return child->claim ? child->claim->offer : NULL;
}

bool offer_is_open(const struct child *child)
{
    const struct offer *offer = offer_of(child);
    return offer && offer->state == OFFER_OPEN;
}

bool offer_is_ours(const struct node *node, const struct child *child)
{
    const struct offer *offer = offer_of(child);
    return offer_is_open(child) && offer->replica == node->durable.replica &&
           strcmp(offer->node, node->name) == 0;
}

int offer_precedence(const struct node *node, const struct child *child)
{
    const struct offer *offer = offer_of(child);
    if (!offer_is_open(child))
        return 0;
    if (offer_is_ours(node, child))
        return 1;
    return member_life_is_lost(node, offer->node, offer->replica) ? 0 : -1;
}

uint64_t offer_next_epoch(const struct node *node, const struct child *child)
{
    const struct offer *offer = offer_of(child);
    bool taken = offer_is_ours(node, child) &&
                 (offer->start_first || child->epoch_max <= offer->epoch); /* as far as we know */
    return taken ? offer->epoch : child->epoch_max + 1;
}

/* --- The holder ------------------------------------------------------------------------------ */

static void offer_begin(struct node *node, struct local *local, uint64_t epoch)
{
    local->offer_epoch = epoch;
    local->offer_ms = node->now.mono_ms;
    local->offer_prepared = false;
}

void move_offer(struct node *node, struct child *child, const char *member, uint64_t epoch,
                bool start_first)
{
    const struct member_entry *entry = store_member(&node->store, member);
    struct offer offer = {.state = OFFER_OPEN,
                          .start_first = start_first,
                          .replica = entry->record->replica,
                          .epoch = epoch};
    TEXT_SET(offer.node, member);
    effects_trace(node->effects, "offers %s/%s/%u to %s at epoch %llu", child->group->ns,
                  child->group->name, child->ordinal, member, (unsigned long long)offer.epoch);
    note_child(node, child, false, "Moving", "from %s to %s", node->name, member);
    claim_write_offer(node, child, CLAIM_CLAIMED, &offer);
    offer_begin(node, local_make(child), offer.epoch);
    store_mark(&node->store, child);
}

static const char *offer_obstacle(struct node *node, const struct child *child)
{
    if (!ranking_would_take(node, child, child->claim->offer->node))
        return "it does not take it any more, or is not alive";
    if (node->now.mono_ms >= child->local->offer_ms + OFFER_PATIENCE_MS)
        return "it does not answer";
    return NULL;
}

static void offer_withdraw(struct node *node, struct child *child, const char *why)
{
    struct offer offer = *child->claim->offer;
    offer.state = OFFER_WITHDRAWN;
    child->local->offer_epoch = 0;
    child->local->offer_retry_ms = node->now.mono_ms + OFFER_RETRY_MS;
    effects_trace(node->effects, "withdraws the offer of %s/%s/%u to %s: %s", child->group->ns,
                  child->group->name, child->ordinal, offer.node, why);
    note_child(node, child, true, "MoveFailed", "to %s: %s; stays on %s", offer.node, why,
               node->name);
    claim_write_offer(node, child, CLAIM_CLAIMED, &offer);
}

void move_watch(struct node *node, struct child *child)
{
    struct local *local = child->local;
    const struct offer *offer = offer_of(child);
    if (child->claim->state != CLAIM_CLAIMED || !offer_is_open(child) || local->stop != STOP_NONE ||
        node->supervision.draining)
        return;
    if (local->offer_epoch != offer->epoch)
        offer_begin(node, local, offer->epoch); /* it was made by the run before */
    const char *obstacle = redistribute_is_on(node, child->group->workload.supervisor)
                               ? offer_obstacle(node, child)
                               : "redistribution was called off";
    if (obstacle) {
        offer_withdraw(node, child, obstacle);
        return;
    }
    child_wake(child, node->now.mono_ms + PREPARE_TELL_MS);
    if (offer->start_first || !local->offer_prepared)
        return;
    local->stop = STOP_RELEASE;
    TEXT_SET(local->reason, "redistribution");
}

/* --- The successor --------------------------------------------------------------------------- */

static struct local_container *move_container(const struct node *node, const struct child *child)
{
    const struct local *local = child->local;
    const struct offer *offer = offer_of(child);
    for (size_t i = 0; local && offer && i < local->container_count; i++) {
        const struct container *at = &local->containers[i].container;
        if (at->epoch == offer->epoch && at->replica == node->durable.replica &&
            strcmp(at->uid, child->claim->uid) == 0 && at->state != CONTAINER_GONE)
            return &local->containers[i];
    }
    return NULL;
}

static bool move_is_possible_here(struct node *node, const struct child *child)
{
    const struct supervision *supervision = &node->supervision;
    return offer_is_ours(node, child) && child_is_wanted(child) &&
           strcmp(child->claim->uid, child->group->workload.uid) == 0 &&
           supervision->engine_healthy && supervision->engine_listed && !supervision->draining &&
           durable_has_room(node) && !membership_declines(node, child) &&
           ranking_would_take(node, child, node->name);
}

bool move_may_start(const struct node *node, const struct child *child)
{
    return offer_is_ours(node, child) && child->claim->state == CLAIM_CLAIMED &&
           child->claim->offer->start_first && !claim_holder_is_lost(node, child->claim);
}

struct local_container *move_keeps(struct node *node, struct child *child)
{
    struct local_container *container = move_container(node, child);
    bool good = container && container->container.state == CONTAINER_RUNNING &&
                !container->stopping &&
                container->container.spec_hash == child->group->workload.spec_hash;
    return good && move_is_possible_here(node, child) ? container : NULL;
}

static void move_decline(struct node *node, struct child *child, const char *reason)
{
    effects_trace(node->effects, "declines %s/%s/%u, which it was offered: %s", child->group->ns,
                  child->group->name, child->ordinal, reason);
    membership_decline(node, child, child->claim->offer->epoch, reason);
    store_mark(&node->store, child);
}

static bool move_has_image(struct node *node, struct child *child)
{
    struct local *local = child->local;
    if (child_image_is_here(node, child))
        return true;
    local->prepare_ms = node->now.mono_ms;
    if (child_pull_is_failing(node, child))
        move_decline(node, child, "ImagePull");
    else if (node->now.mono_ms < local->retry_ms)
        child_wake(child, local->retry_ms);
    else
        child_pull(node, child);
    return false;
}

/* Another start, or the end of patience. */
static void move_start(struct node *node, struct child *child, uint64_t late_ms)
{
    struct local *local = child->local;
    if (local->start_operation || local->queued_start ||
        (child->unknown_epoch && child->unknown_epoch != child->claim->offer->epoch))
        return;
    if (node->now.mono_ms >= late_ms)
        move_decline(node, child, "StartError");
    else if (node->now.mono_ms < local->retry_ms)
        child_wake(child, local->retry_ms);
    else if (move_has_image(node, child))
        supervise_queue_start(node, child);
}

/* It runs beside the holder's. Once it is ready, the child is ours. */
static void move_run(struct node *node, struct child *child, struct local_container *container,
                     uint64_t late_ms)
{
    const struct workload *workload = &child->group->workload;
    struct local *local = child->local;
    child_note_running(node, child, container);
    child_probe(node, child, container);
    if (!container->ready)
        local->prepare_ready_ms = 0;
    else if (local->prepare_ready_ms == 0)
        local->prepare_ready_ms = node->now.mono_ms;
    uint64_t ready_ms = local->prepare_ready_ms + workload->min_ready_seconds * UINT64_C(1000);
    if (container->unhealthy || (!container->ready && node->now.mono_ms >= late_ms)) {
        move_decline(node, child, container->unhealthy ? "Unhealthy" : "NotReady");
    } else if (container->ready && node->now.mono_ms >= ready_ms) {
        room_note_claim(node, child);
        child_claim(node, child, false);
    } else if (container->ready) {
        child_wake(child, ready_ms);
    }
}

static void move_prepare_start(struct node *node, struct child *child)
{
    const struct workload *workload = &child->group->workload;
    const struct probe *readiness = &workload->probes[PROBE_READINESS];
    struct local_container *container = move_container(node, child);
    uint64_t late_ms =
        child->local->prepare_ms + PREPARE_MS + readiness->initial_delay_seconds * UINT64_C(1000);
    if (!container) {
        move_start(node, child, late_ms);
        return;
    }
    bool current = container->container.spec_hash == workload->spec_hash && !container->stopping;
    if (current && container->container.state == CONTAINER_RUNNING) {
        move_run(node, child, container, late_ms);
        return;
    }
    if (current && container->container.state == CONTAINER_EXITED)
        move_decline(node, child, "Ended");
    child_clear(node, child, NULL);
}

/* Now and then, and as soon as there is something to say. */
static void move_tell(struct node *node, struct child *child, bool prepared)
{
    struct local *local = child->local;
    uint64_t due_ms = local->prepare_told_ms + PREPARE_TELL_MS;
    const struct member *holder = member_find(node, child->claim->node);
    bool news = prepared && !local->offer_prepared;
    if (node->now.mono_ms < due_ms && !news) {
        child_wake(child, due_ms);
        return;
    }
    local->offer_prepared = prepared;
    local->prepare_told_ms = node->now.mono_ms;
    child_wake(child, node->now.mono_ms + PREPARE_TELL_MS);
    if (!holder)
        return;
    struct buffer body = {0};
    buffer_text(&body, child->group->ns);
    buffer_text(&body, child->group->name);
    buffer_varint(&body, child->ordinal);
    buffer_varint(&body, child->claim->offer->epoch);
    buffer_u8(&body, prepared);
    node_send(node, holder->address, MESSAGE_PREPARE, &body);
    buffer_release(&body);
}

bool move_prepare(struct node *node, struct child *child)
{
    if (!offer_is_ours(node, child) || child->claim->state != CLAIM_CLAIMED ||
        claim_is_adoptable(node, child->claim) || !move_is_possible_here(node, child))
        return false;
    struct local *local = local_make(child);
    if (local->offer_epoch != child->claim->offer->epoch) {
        offer_begin(node, local, child->claim->offer->epoch);
        local->prepare_ms = node->now.mono_ms;
        local->prepare_told_ms = local->prepare_ready_ms = 0;
    }
    struct local_container *container = move_container(node, child);
    bool clear = child_clear(node, child, container), prepared = false;
    if (child->claim->offer->start_first && (clear || container))
        move_prepare_start(node, child);
    else if (!child->claim->offer->start_first)
        prepared = move_has_image(node, child) && clear;
    if (offer_is_ours(node, child)) /* still: else it is our own by now */
        move_tell(node, child, prepared);
    return true;
}

/* --- What the successor says ----------------------------------------------------------------- */

void move_message(struct node *node, const struct envelope *envelope)
{
    struct reader reader = reader_of(envelope->body);
    struct child_id id = {.ordinal = 0};
    struct span ns = reader_span(&reader, NAME_BYTES_MAX),
                workload = reader_span(&reader, NAME_BYTES_MAX);
    id.ordinal = (uint32_t)reader_count(&reader, REPLICAS_MAX);
    uint64_t epoch = reader_varint(&reader);
    bool prepared = reader_u8(&reader);
    if (!reader_done(&reader))
        return;
    text_set_span(id.ns, sizeof id.ns, ns);
    text_set_span(id.workload, sizeof id.workload, workload);
    struct child *child = store_child(&node->store, &id);
    if (!child || !child->local || !child->claim || !claim_is_ours(node, child->claim))
        return;
    const struct offer *offer = offer_of(child);
    if (!offer_is_open(child) || offer->epoch != epoch || child->local->offer_epoch != epoch ||
        strcmp(offer->node, envelope->from) != 0)
        return;
    child->local->offer_ms = node->now.mono_ms;
    child->local->offer_prepared = prepared;
    if (!prepared)
        return;
    store_mark(&node->store, child);
    node->dirty = true;
}
