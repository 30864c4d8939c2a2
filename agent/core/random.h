/* Pseudo-random numbers from a seed: the only randomness of the core. Not for secrets. */
#ifndef AGENT_CORE_RANDOM_H
#define AGENT_CORE_RANDOM_H

#include <stdint.h>

/* Zeroed memory is a valid generator (of seed 0). */
struct random {
    uint64_t state;
};

struct random random_of(uint64_t seed);
uint64_t random_next(struct random *random);
/* 0 .. bound - 1, all equally likely; bound is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

#endif
