/* Strategies: who should run a child, and whether there is a quorum. Names and numbers only: this
 * box knows neither the map nor the agent.
 *
 * A strategy is a struct of two functions over the members of a supervisor
 * (Horde.DistributionStrategy: choose_node/2, has_quorum?/1). All nodes with the same view give the
 * same answer. */
#ifndef PLACEMENT_STRATEGY_H
#define PLACEMENT_STRATEGY_H

#include "placement/ring.h"

enum placement_phase {
    PLACEMENT_UNINITIALIZED,
    PLACEMENT_ALIVE,
    PLACEMENT_SUSPECT, /* still eligible: suspicion is not a verdict */
    PLACEMENT_SHUTTING_DOWN,
    PLACEMENT_ABSENT,
    PLACEMENT_DEAD,
    PLACEMENT_LEFT,
};

struct placement_member {
    const char *name;
    enum placement_phase phase;
    uint32_t weight; /* RING_WEIGHT_DEFAULT if not said */
    const char *zone;
    /* For strategies that weigh it: what it has (0: it does not tell), and what children there
     * ask for, of how many; without the child that is placed. */
    uint64_t cpu_milli, memory_bytes, cpu_milli_asked, memory_bytes_asked;
    uint64_t children;
    bool eligible; /* labels, cordon and the like, judged by the caller for this child or supervisor
                    */
};

/* The members of one supervisor, prepared once per change of membership. Members are sorted by
 * name. */
struct placement_view {
    const struct placement_member *members;
    size_t count;
    const struct ring *ring; /* over all of them; indices are into members */
};

struct placement_child {
    uint64_t id_hash; /* placement_hash of NS/WORKLOAD/ORDINAL */
    uint64_t epoch;
    uint64_t cpu_milli, memory_bytes; /* it asks for */
    uint32_t holder; /* index of who runs it, UINT32_MAX: nobody. Only who weighs looks at it */
};

struct placement_strategy {
    const char *name; /* "Uniform" */
    bool votes;       /* its members must be named: who merely joined would make its own majority */
    bool weighs;      /* looks at loads, which the caller counts for it */
    /* Appends candidate member indices in order of rank (0 first), at most max. Returns how many.
     */
    size_t (*choose)(const struct placement_view *view, const struct placement_child *child,
                     uint32_t *ret_members, size_t max);
    bool (*has_quorum)(const struct placement_view *view);
};

extern const struct placement_strategy placement_uniform, placement_uniform_random,
    placement_uniform_quorum, placement_least_requested;
/* NULL for a name that is unknown. */
const struct placement_strategy *placement_strategy_by_name(const char *name);
/* Builds the ring over all members: it stays when their phases change. */
void placement_ring_build(struct ring *ring, const struct placement_member *members, size_t count);
/* The first in ring order that may run anything at all (alive or suspect); RING_NONE: nobody. */
uint32_t placement_owner(const struct placement_view *view, uint64_t key_hash);
bool placement_phase_may_run(enum placement_phase phase);
/* Of so many members, sorted by name, the voters begin here: of an even number the first has none.
 */
size_t placement_first_voter(size_t members);
bool placement_phase_votes(enum placement_phase phase);

/* When the candidate of a rank may claim: rank x 500 ms after the child was first seen to be free.
 */
enum { PLACEMENT_RANK_DELAY_MS = 500 };

#endif
