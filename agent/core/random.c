/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), SplitMix64: a
 * counter with an odd stride, each value scrambled. Any seed is good, and the state is one number.
 */
#include "agent/core/random.h"

#include <assert.h>

struct random random_of(uint64_t seed)
{
    return (struct random){seed};
}

uint64_t random_next(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Values in the incomplete last block of 2^64 would favour small results: draw again. That happens
 * with a chance below one half, for the bounds of this system below one in a billion. */
uint64_t random_below(struct random *random, uint64_t bound)
{
    assert(bound > 0);
    uint64_t unfair = (UINT64_MAX % bound + 1) % bound;
    uint64_t value;
    do
        value = random_next(random);
    while (value > UINT64_MAX - unfair);
    return value % bound;
}
