/* LeastRequested: the member that has most of its cpu and memory left once the child is there, as
 * Kubernetes' scorer of that name ranks nodes: the mean of the free shares of both. Equal shares
 * (nobody asks for anything): fewer children, then the draw of UniformRandom without the epoch.
 *
 * What a member does not tell of itself does not count: its share is 0, so it comes last. A child's
 * holder keeps it unless another member is better by more than what its going to and fro would
 * change: a tenth of a share, or, among equals, a child less once it has moved. So nobody moves
 * twice.
 *
 * The caller counts what is asked for, and who has room at all (agent/core/load.c). O(members x
 * max), which is 64 at most. */
#include <string.h>

#include "placement/hash.h"
#include "placement/strategy.h"

enum { SHARE = 1000000, SHARE_WORTH_A_MOVE = SHARE / 10 };

struct score {
    uint64_t share; /* of both, in millionths */
    uint64_t children, hash;
    const char *name;
};

static uint64_t share_left(uint64_t capacity, uint64_t requested)
{
    if (requested >= capacity)
        return 0;
    while (capacity > UINT64_MAX / SHARE) {
        capacity >>= 10;
        requested >>= 10;
    }
    return (capacity - requested) * SHARE / capacity;
}

static struct score score_of(const struct placement_member *member,
                             const struct placement_child *child)
{
    uint64_t name_hash = placement_hash(member->name, strlen(member->name));
    uint64_t cpu = share_left(member->cpu_milli, member->cpu_milli_asked + child->cpu_milli);
    uint64_t memory =
        share_left(member->memory_bytes, member->memory_bytes_asked + child->memory_bytes);
    return (struct score){.share = (cpu + memory) / 2,
                          .children = member->children,
                          .hash = placement_hash_pair(child->id_hash, name_hash),
                          .name = member->name};
}

static bool score_before(const struct score *a, const struct score *b)
{
    if (a->share != b->share)
        return a->share > b->share;
    if (a->children != b->children)
        return a->children < b->children;
    return a->hash != b->hash ? a->hash > b->hash : strcmp(a->name, b->name) < 0;
}

static bool worth_a_move(const struct score *best, const struct score *holder)
{
    return best->share == holder->share ? best->children < holder->children
                                        : best->share > holder->share + SHARE_WORTH_A_MOVE;
}

/* The holder is put before all others unless the first of them is much better. */
static void keep_holder(const struct placement_view *view, const struct placement_child *child,
                        uint32_t *members, size_t count)
{
    size_t at = 0;
    while (at < count && members[at] != child->holder)
        at++;
    if (at == 0 || at == count)
        return;
    struct score best = score_of(&view->members[members[0]], child);
    struct score holder = score_of(&view->members[child->holder], child);
    if (worth_a_move(&best, &holder))
        return;
    memmove(members + 1, members, at * sizeof *members);
    members[0] = child->holder;
}

static size_t least_choose(const struct placement_view *view, const struct placement_child *child,
                           uint32_t *ret_members, size_t max)
{
    size_t count = 0;
    for (uint32_t i = 0; i < view->count && max > 0; i++) {
        const struct placement_member *member = &view->members[i];
        if (!member->eligible || !placement_phase_may_run(member->phase) || member->weight == 0)
            continue;
        struct score score = score_of(member, child);
        size_t at = count < max ? count++ : max;
        for (; at > 0; at--) {
            struct score better = score_of(&view->members[ret_members[at - 1]], child);
            if (score_before(&better, &score))
                break;
            if (at < max)
                ret_members[at] = ret_members[at - 1];
        }
        if (at < max)
            ret_members[at] = i;
    }
    keep_holder(view, child, ret_members, count);
    return count;
}

static bool least_has_quorum(const struct placement_view *view)
{
    (void)view;
    return true;
}

const struct placement_strategy placement_least_requested = {
    .name = "LeastRequested",
    .weighs = true,
    .choose = least_choose,
    .has_quorum = least_has_quorum,
};
