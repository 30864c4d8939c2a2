/* Claims: whose they are, whether their holder still counts, and writing them. Who decides is in
 * child_decide.c and child_run.c. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/membership.h"
#include "agent/core/node_private.h"

bool claim_is_ours(const struct node *node, const struct claim *claim)
{
    return claim->replica == node->durable.replica && strcmp(claim->node, node->name) == 0;
}

/* The holder will never again run the child under this claim: it is dead, gone, or another life
 * under the same name. */
bool claim_holder_is_lost(const struct node *node, const struct claim *claim)
{
    return member_life_is_lost(node, claim->node, claim->replica);
}

bool member_life_is_lost(const struct node *node, const char *name, uint64_t replica)
{
    const struct member_entry *entry = store_member(&node->store, name);
    if (!entry || entry->record->replica != replica)
        return true;
    enum placement_phase phase = member_phase(node, name);
    return phase == PLACEMENT_DEAD || phase == PLACEMENT_LEFT;
}

/* Lost, or alive without an engine for longer than the grace: it says so in its member record. */
bool claim_is_adoptable(const struct node *node, const struct claim *claim)
{
    if (claim_holder_is_lost(node, claim))
        return true;
    const struct member_entry *entry = store_member(&node->store, claim->node);
    return !entry->record->runtime_healthy && !claim_is_ours(node, claim);
}

static struct dot claim_put(struct node *node, struct child *child, const struct claim *claim,
                            const struct offer *offer)
{
    struct buffer value = {0};
    uint64_t epoch = offer ? offer->epoch : claim->epoch;
    if (offer)
        claim_encode_offer(claim, offer, &value);
    else
        claim_encode(claim, &value);
    const struct child_id id = child_id(child);
    struct key key = key_claim(&id);
    struct dot dot = node_put(node, &key, &value);
    buffer_release(&value);
    /* Known at once, so that the rest of this decision sees it; the feed will say the same. */
    if (!child->has_claim || child->claim.epoch != claim->epoch)
        child->claim_seen_s = 0;
    child->claim = *claim;
    store_set_offer(child, offer);
    child->has_claim = true;
    child->claim_siblings = 1;
    store_claim_changed(&node->store, child);
    if (epoch > child->epoch_max)
        child->epoch_max = epoch;
    local_make(child)->claim_sequence = SEQUENCE_NEXT;
    return dot;
}

bool claim_is_askers(const struct node *node, const struct child *child,
                     const struct request *request)
{
    return child && child->has_claim && claim_is_ours(node, &child->claim) &&
           child->claim.state == CLAIM_CLAIMED && child->claim.epoch == request->epoch &&
           strcmp(child->claim.uid, request->uid) == 0;
}

bool child_is_over(const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    return child->has_claim && child->claim.state == CLAIM_FINISHED &&
           child->claim.spec_hash == workload->spec_hash &&
           strcmp(child->claim.uid, workload->uid) == 0;
}

struct dot claim_write(struct node *node, struct child *child, enum claim_state state,
                       uint64_t epoch, uint64_t spec_hash)
{
    struct claim claim = {
        .epoch = epoch, .replica = node->durable.replica, .spec_hash = spec_hash, .state = state};
    TEXT_SET(claim.node, node->name);
    TEXT_SET(claim.uid, child->group->workload.uid);
    return claim_put(node, child, &claim, NULL);
}

void claim_write_offer(struct node *node, struct child *child, enum claim_state state,
                       const struct offer *offer)
{
    struct claim claim = child->claim;
    struct offer copy = *offer; /* it may be the present one */
    claim.state = state;
    claim_put(node, child, &claim, &copy);
}

/* The same once more, so that one sibling remains. Its uid may be one of the past: it stays. */
void claim_repeat(struct node *node, struct child *child)
{
    struct claim claim = child->claim;
    struct offer offer = {.epoch = 0};
    if (child->offer)
        offer = *child->offer;
    claim_put(node, child, &claim, child->offer ? &offer : NULL);
}
