/* Redistribution: which children move to where they would be placed today, and when. How one moves
 * is in move.c.
 *
 * A child belongs with the first candidate of its supervisor's strategy. Members come and go, and a
 * valid claim stays; so after a while some children are elsewhere. They move if their supervisor
 * says `active`, once those who may run anything have been the same for settleSeconds; or if
 * somebody asked for a rebalance, at once and this one time.
 *
 * Nobody drives it. Each member sees the same children in the same order (by id) and lets go only
 * of its own, when in its view it is among the first that want to move and no more than
 * maxConcurrentMoves are on their way. On its way is what was offered, what was released for a
 * successor, and whatever was claimed a moment ago and is not ready yet: a move is over when the
 * child is ready. Views that differ make members wait for each other, or, during a change, more
 * move at once than should; they never make two claims valid. Who is waited for in vain (its agent
 * is of an older version, or sees no reason to move) is passed over after a while.
 *
 * What does not move: a child that is not ready, or of an old spec (its update comes first); one
 * whose `restart` is temporary, since it would have to start again; one that was refused where it
 * belongs. A member's cordon, or its being full, says nothing about the children it has.
 *
 * A rebalance is a key of the map. The goal is always the ring of the moment, so who joins
 * meanwhile gets its share, and who dies drops out; it is over when nothing can be moved any more,
 * and then the first member in order of name removes it. */
#include <string.h>

#include "agent/core/child.h"
#include "agent/core/durable.h"
#include "agent/core/lease_node.h"
#include "agent/core/membership.h"
#include "agent/core/move.h"
#include "agent/core/node_private.h"
#include "agent/core/note.h"
#include "agent/core/ranking.h"
#include "agent/core/requests.h"
#include "agent/core/supervise.h"

enum {
    LOOK_MS = 1000,           /* while something moves */
    LOOK_IDLE_MS = 10000,     /* a decline may have run out */
    PLACING_S = 120,          /* what is not ready by then is ill, and holds up nobody */
    AWAITED_S = 30,           /* ... nor does who could move and does not, beyond its settling */
    REBALANCE_SEEN_MS = 3000, /* all have heard of it, and have had a look */
};

/* Never 0. */
static uint64_t now_s(const struct node *node)
{
    return 1 + node->now.mono_ms / 1000;
}

bool redistribute_is_on(const struct node *node, const char *name)
{
    struct supervisor supervisor;
    return store_rebalance(&node->store, name) ||
           (ranking_supervisor(node, name, &supervisor) &&
            supervisor.redistribution == REDISTRIBUTION_ACTIVE);
}

/* --- One child ------------------------------------------------------------------------------- */

static bool child_is_on_its_way(const struct node *node, const struct child *child)
{
    const struct claim *claim = child->claim;
    bool offered = offer_is_open(child);
    if (offered && claim->state == CLAIM_CLAIMED)
        return true;
    if (child->claim_seen_s > 0 && now_s(node) >= child->claim_seen_s + PLACING_S)
        return false;
    if (claim->state == CLAIM_RELEASED)
        return offered && !(child->pending_reason && child->pending_reason[0]);
    return claim->state <= CLAIM_CLAIMED && child->ready_since_ms == 0;
}

static bool child_may_move(const struct node *node, const struct child *child)
{
    const struct workload *workload = &child->group->workload;
    return child->claim->state == CLAIM_CLAIMED && child->ready_since_ms > 0 &&
           child->ready_hash == workload->spec_hash && workload->restart != RESTART_TEMPORARY &&
           placement_phase_may_run(member_phase(node, child->claim->node));
}

static bool child_was_refused(const struct node *node, const struct child *child,
                              const char *member)
{
    const struct offer *offer = offer_of(child);
    const struct member_entry *entry = store_member(&node->store, member);
    if (!offer || offer->state != OFFER_WITHDRAWN || strcmp(offer->node, member) != 0 ||
        (entry && entry->record->replica != offer->replica))
        return false;
    return !claim_is_ours(node, child->claim) || !child->local ||
           node->now.mono_ms < child->local->offer_retry_ms;
}

enum move_state redistribute_judge(struct node *node, struct child *child, const char **ret_to,
                                   uint64_t *ret_epoch)
{
    *ret_to = NULL;
    if (!child_is_wanted(child) || !child->claim ||
        strcmp(child->claim->uid, child->group->workload.uid) != 0 ||
        child->claim->state == CLAIM_FINISHED)
        return MOVE_NONE;
    if (child->claim->state != CLAIM_RELEASED && claim_is_adoptable(node, child->claim))
        return MOVE_NONE;
    if (child_is_on_its_way(node, child)) {
        if (offer_is_open(child))
            *ret_to = child->claim->offer->node;
        return MOVE_UNDER_WAY;
    }
    const char *to = child_may_move(node, child) ? ranking_preferred(node, child, ret_epoch) : NULL;
    if (!to || child_was_refused(node, child, to))
        return MOVE_NONE;
    *ret_to = to;
    return MOVE_WANTED;
}

/* --- All of a supervisor --------------------------------------------------------------------- */

/* It could have moved for so long that its holder does not mean to; for as long again it is passed
 * over. */
static bool child_is_awaited_in_vain(const struct node *node, struct child *child,
                                     uint64_t patience_s)
{
    if (child->awaited_s == 0 || now_s(node) < child->awaited_s + patience_s)
        return false;
    if (now_s(node) >= child->awaited_s + 2 * patience_s)
        child->awaited_s = 0;
    return true;
}

static void survey_take(struct node *node, struct survey *survey, struct child *child,
                        uint64_t patience_s)
{
    const char *to;
    uint64_t epoch;
    enum move_state state = redistribute_judge(node, child, &to, &epoch);
    if (state != MOVE_WANTED)
        child->awaited_s = 0;
    if (state == MOVE_UNDER_WAY)
        survey->under_way++;
    if (state != MOVE_WANTED || child_is_awaited_in_vain(node, child, patience_s))
        return;
    if (survey->wanted < MOVES_MAX)
        survey->first[survey->wanted] = child;
    survey->wanted++;
}

struct survey redistribute_survey(struct node *node, const char *supervisor, uint64_t patience_s)
{
    struct survey survey = {.wanted = 0};
    for (struct group *g = store_group_after(&node->store, "", ""); g;
         g = store_group_after(&node->store, g->ns, g->name))
        for (size_t i = 0; g->has_workload && strcmp(g->workload.supervisor, supervisor) == 0 &&
                           i < g->child_count;
             i++)
            survey_take(node, &survey, g->children[i], patience_s);
    return survey;
}

static bool child_can_go_now(const struct node *node, const struct child *child)
{
    const struct supervision *supervision = &node->supervision;
    const struct local_container *container = child_container(node, child);
    return container && container->container.state == CONTAINER_RUNNING && !container->stopping &&
           child->local->stop == STOP_NONE && supervision->engine_healthy &&
           supervision->engine_listed && !supervision->draining && durable_has_room(node);
}

static void move_first(struct node *node, const struct supervisor *supervisor,
                       const struct survey *survey)
{
    size_t may =
        supervisor->max_concurrent_moves < MOVES_MAX ? supervisor->max_concurrent_moves : MOVES_MAX;
    for (size_t i = 0; i < survey->wanted && i + survey->under_way < may; i++) {
        struct child *child = survey->first[i];
        const char *to;
        uint64_t epoch;
        if (child->awaited_s == 0)
            child->awaited_s = (uint32_t)now_s(node);
        if (claim_is_ours(node, child->claim) && child_can_go_now(node, child) &&
            redistribute_judge(node, child, &to, &epoch) == MOVE_WANTED)
            move_offer(node, child, to, epoch,
                       supervisor->order == MOVE_START_FIRST && !lease_guards(node, child));
    }
}

/* --- A rebalance ----------------------------------------------------------------------------- */

void request_rebalance(struct node *node, const struct request *request)
{
    struct supervisor supervisor;
    struct key key = key_rebalance(request->name);
    if (!ranking_supervisor(node, request->name, &supervisor)) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such supervisor");
        return;
    }
    if (!request->flag && !store_rebalance(&node->store, request->name)) {
        requests_reply(node, request->id, 404, "NotFound", "no rebalance is under way");
        return;
    }
    if (!request->flag) {
        requests_written(node, request, node_remove(node, &key));
        return;
    }
    struct rebalance rebalance = {.asked_ms = node->now.wall_ms};
    TEXT_SET(rebalance.node, node->name);
    struct buffer value = {0};
    rebalance_encode(&rebalance, &value);
    requests_written(node, request, node_put(node, &key, &value));
    buffer_release(&value);
}

static void rebalance_end(struct node *node, const struct rebalance_entry *entry)
{
    struct key key = key_rebalance(entry->supervisor);
    effects_trace(node->effects, "the rebalance of supervisor %s is over", entry->supervisor);
    note_member(node, node->name, false, "Rebalanced",
                "supervisor %s: nothing is left to move, as %s was asked", entry->supervisor,
                entry->rebalance.node);
    node_remove(node, &key);
}

/* --- Time ------------------------------------------------------------------------------------ */

/* When to look again. */
static uint64_t redistribute_look(struct node *node, const char *name)
{
    uint64_t now_ms = node->now.mono_ms;
    struct rebalance_entry *entry = store_rebalance(&node->store, name);
    const struct supervisor_plan *plan = ranking_plan(node, name);
    struct supervisor supervisor;
    if (!plan || !ranking_supervisor(node, name, &supervisor)) {
        if (entry && membership_is_first(node))
            rebalance_end(node, entry);
        return UINT64_MAX;
    }
    if (!entry && supervisor.redistribution != REDISTRIBUTION_ACTIVE)
        return UINT64_MAX;
    uint64_t settled_ms = plan->changed_ms + supervisor.settle_seconds * UINT64_C(1000);
    if (!entry && now_ms < settled_ms)
        return settled_ms;
    struct survey survey = redistribute_survey(node, name, AWAITED_S + supervisor.settle_seconds);
    move_first(node, &supervisor, &survey);
    bool busy = survey.wanted + survey.under_way > 0;
    if (entry && entry->since_ms == 0)
        entry->since_ms = now_ms;
    if (entry && !busy && now_ms >= entry->since_ms + REBALANCE_SEEN_MS &&
        membership_is_first(node))
        rebalance_end(node, entry);
    return now_ms + (busy || entry ? LOOK_MS : LOOK_IDLE_MS);
}

void redistribute_tick(struct node *node)
{
    struct moves *moves = &node->moves;
    struct store *store = &node->store;
    uint64_t soon_ms = node->now.mono_ms + LOOK_MS;
    if (moves->generation != node->membership.generation && moves->look_ms != UINT64_MAX &&
        moves->look_ms > soon_ms)
        moves->look_ms = soon_ms;
    moves->generation = node->membership.generation;
    if (node->now.mono_ms < moves->look_ms && !store->redistribution_changed)
        return;
    store->redistribution_changed = false;
    moves->look_ms = UINT64_MAX;
    for (struct supervisor_entry *s = store_supervisor_after(store, ""); s;
         s = store_supervisor_after(store, s->supervisor.name)) {
        uint64_t look_ms = redistribute_look(node, s->supervisor.name);
        if (look_ms < moves->look_ms)
            moves->look_ms = look_ms;
    }
    char name[NAME_BYTES_MAX + 1] = "";
    for (struct rebalance_entry *e = store_rebalance_after(store, name); e;
         e = store_rebalance_after(store, name)) {
        TEXT_SET(name, e->supervisor);
        uint64_t look_ms =
            store_supervisor(store, name) ? UINT64_MAX : redistribute_look(node, name);
        if (look_ms < moves->look_ms)
            moves->look_ms = look_ms;
    }
}

uint64_t redistribute_deadline(const struct node *node)
{
    return node->moves.look_ms;
}
