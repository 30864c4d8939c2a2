/* Times of the failure detector: constants per profile, and the arithmetic on them. Private to
 * swim. */
#ifndef AGENT_CORE_SWIM_TIMING_H
#define AGENT_CORE_SWIM_TIMING_H

#include "agent/core/node.h"

struct swim_timing {
    uint64_t probe_period_ms;  /* least time between two probes that we start by plan */
    uint64_t fresh_ms;         /* an acknowledged member is not probed again for so long */
    uint64_t fresh_pinged_ms;  /* the same for one that probed us: a little more, so that one of a
                                * pair probes and the other is content with having been probed */
    uint64_t fresh_unasked_ms; /* but at least so often we ask ourselves: our own way out may be
                                * broken while theirs works */
    uint64_t direct_ms;        /* then others are asked to probe */
    uint64_t total_ms;         /* then the probe has failed */
    uint64_t suspicion_ms; /* least time from failed probe to verdict, in a cluster of one ... */
    uint64_t suspicion_step_ms;             /* ... and this more for each factor of ten */
    uint64_t hint_direct_ms, hint_total_ms; /* after a broken connection */
    uint64_t hint_suspicion_ms_min, hint_suspicion_ms_max;
    uint64_t hint_settle_ms; /* messages of a dead process may arrive so long after its end */
};

enum { SWIM_SUSPICION_STRETCH = 3, SWIM_SHUTTING_DOWN_STRETCH = 4 };

struct swim_timing swim_timing_of(enum profile profile);

/* The least suspicion time in a cluster of `count` live members. */
uint64_t swim_suspicion_ms_min(const struct swim_timing *timing, size_t count);

/* What is left of a suspicion (Lifeguard section IV-B): from max without confirmations down to min
 * with n of the k that are hoped for, each one counting less than the one before. 0: time is up. */
uint64_t suspicion_remaining_ms(unsigned n, unsigned k, uint64_t elapsed_ms, uint64_t min_ms,
                                uint64_t max_ms);

/* Independent confirmations hoped for among `count` live members, the suspect and the first accuser
 * included. */
unsigned swim_confirmations_hoped(size_t count);

/* log2(value) x 1024, rounded down; value is at least 1. Integers only: every machine agrees. */
uint32_t log2_1024(uint64_t value);

#endif
