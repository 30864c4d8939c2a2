/* The frozen hash: for names that people gave in good faith, on every machine the same.
 *
 * The state starts from the length and takes the data eight bytes at a time, little-endian, the
 * last word padded with zeros. Each word goes through `scramble`, two rounds of multiply and fold:
 * what a multiplication by an odd number carries to the upper bits, the shift folds back to the
 * lower ones. Each step is a bijection of the state, so that nothing is lost on the way, and two
 * rounds per word (not one) keep differences in neighbouring words from cancelling out. Only 64-bit
 * multiplications: 32-bit and big-endian machines agree.
 *
 * The constants are the fractions of the cube roots of 3, 5, 7 and 11, made odd.
 * tests/unit/hash_test.c measures the avalanche and holds the values of
 * tests/golden/placement_hash.txt for ever. */
#include "placement/hash.h"

static const uint64_t step = 0x7137449123ef65cdULL;
static const uint64_t multiplier_first = 0xb5c0fbcfec4d3b2fULL;
static const uint64_t multiplier_second = 0xe9b5dba58189dbbdULL;
static const uint64_t start = 0x3956c25bf348b539ULL;

static inline uint64_t scramble(uint64_t x)
{
    x ^= x >> 32;
    x *= multiplier_first;
    x ^= x >> 29;
    x *= multiplier_second;
    return x ^ x >> 32;
}

/* The step keeps zero from being a fixed point. */
static inline uint64_t absorb(uint64_t state, uint64_t word)
{
    return scramble((state ^ word) + step);
}

static inline uint64_t finish(uint64_t state)
{
    return scramble(state + start);
}

/* The loop over a constant eight bytes compiles to one load. */
static inline uint64_t word_at(const unsigned char *data, size_t bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)data[i] << (8 * i);
    return word;
}

uint64_t placement_hash(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t state = start ^ (uint64_t)bytes;
    for (; bytes >= 8; at += 8, bytes -= 8)
        state = absorb(state, word_at(at, 8));
    if (bytes > 0)
        state = absorb(state, word_at(at, bytes));
    return finish(state);
}

uint64_t placement_hash_pair(uint64_t a, uint64_t b)
{
    return finish(absorb(absorb(start, a), b));
}
