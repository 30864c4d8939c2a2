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

/* The claim may be the child's present one: it is gone afterwards. */
static struct dot claim_put(struct node *node, struct child *child, const struct claim *claim)
{
    struct buffer value = {0};
    uint64_t epoch = claim->offer ? claim->offer->epoch : claim->epoch;
    claim_encode(claim, &value);
    const struct child_id id = child_id(child);
    struct key key = key_claim(&id);
    struct dot dot = node_put(node, &key, &value);
    buffer_release(&value);
    /* Known at once, so that the rest of this decision sees it; the feed will say the same. */
    if (!child->claim || child->claim->epoch != claim->epoch)
        child->claim_seen_s = 0;
    store_set_claim(&node->store, child, kept_claim_of(claim));
    child->claim_siblings = 1;
    if (epoch > child->epoch_max)
        child->epoch_max = epoch;
    local_make(child)->claim_sequence = SEQUENCE_NEXT;
    return dot;
}

bool claim_is_askers(const struct node *node, const struct child *child,
                     const struct request *request)
{
    return child && child->claim && claim_is_ours(node, child->claim) &&
           child->claim->state == CLAIM_CLAIMED && child->claim->epoch == request->epoch &&
           strcmp(child->claim->uid, request->uid) == 0;
}

bool child_is_over(const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    return child->claim && child->claim->state == CLAIM_FINISHED &&
           child->claim->spec_hash == workload->spec_hash &&
           strcmp(child->claim->uid, workload->uid) == 0;
}

struct dot claim_write(struct node *node, struct child *child, enum claim_state state,
                       uint64_t epoch, uint64_t spec_hash)
{
    struct claim claim = {
        .epoch = epoch, .replica = node->durable.replica, .spec_hash = spec_hash, .state = state};
    TEXT_SET(claim.node, node->name);
    TEXT_SET(claim.uid, child->group->workload.uid);
    return claim_put(node, child, &claim);
}

void claim_write_offer(struct node *node, struct child *child, enum claim_state state,
                       const struct offer *offer)
{
    struct claim claim;
    claim_copy(&claim, child->claim);
    claim.state = state;
    claim.offer = offer;
    claim_put(node, child, &claim);
}

/* The same once more, so that one sibling remains. Its uid may be one of the past: it stays. */
void claim_repeat(struct node *node, struct child *child)
{
    claim_put(node, child, child->claim);
}
