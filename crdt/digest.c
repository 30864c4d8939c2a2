/* Hashes: of keys, of content, of vectors.
 *
 * The one idea: content is hashed as a sum over (key, dot) of the live dots, so that it can be kept
 * up to date by adding and subtracting, and does not depend on any order. Tombstones are not
 * counted: replicas drop them at different moments. What is known of each replica is hashed as a
 * sum as well, retired or not: replicas retire others at different moments, too.
 *
 * All nodes must agree on every bit here; a test holds golden values. The constants are digits of
 * pi and of the golden ratio, made odd. */
#include "crdt/awmap_private.h"

static const uint64_t hash_seed_key = UINT64_C(0x243f6a8885a308d3);
static const uint64_t hash_seed_seen = UINT64_C(0x13198a2e03707345);
static const uint64_t hash_seed_known = UINT64_C(0x38d01377be5466cf);

/* A bijection of 64 bits in which each bit of the input reaches each bit of the output. */
static uint64_t hash_scramble(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xa4093822299f31d1);
    x ^= x >> 32;
    return x;
}

uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    return hash_scramble(hash * UINT64_C(0x082efa98ec4e6c89) + word);
}

uint64_t hash_bytes(uint64_t seed, struct span bytes)
{
    uint64_t hash = hash_mix(seed, bytes.bytes);
    for (size_t at = 0; at < bytes.bytes; at += 8) {
        size_t left = bytes.bytes - at < 8 ? bytes.bytes - at : 8;
        uint64_t word = 0;
        for (size_t i = 0; i < left; i++)
            word |= (uint64_t)bytes.data[at + i] << (8 * i);
        hash = hash_mix(hash, word);
    }
    return hash;
}

uint64_t hash_key(struct span key)
{
    return hash_bytes(hash_seed_key, key);
}

uint64_t hash_vector(uint64_t seed, const struct vector *vector)
{
    uint64_t hash = hash_mix(seed, vector->count);
    for (uint32_t i = 0; i < vector->count; i++) {
        hash = hash_mix(hash, vector->items[i].replica);
        hash = hash_mix(hash, vector->items[i].counter);
    }
    return hash;
}

uint64_t hash_known(struct dot dot)
{
    if (dot.counter == 0)
        return 0;
    return hash_mix(hash_mix(hash_seed_known, dot.replica), dot.counter);
}

uint64_t hash_content(uint64_t key_hash, const struct state *state)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < state->live_count; i++) {
        struct dot dot = state_dot(state, i);
        sum += hash_mix(hash_mix(key_hash, dot.replica), dot.counter);
    }
    return sum;
}

struct awmap_digest awmap_digest(const struct awmap *map)
{
    struct awmap_digest digest = {.seen_hash = map->known_sum};
    for (size_t i = 0; i < AWMAP_BUCKETS; i++)
        digest.buckets[i] = map->buckets[i];
    return digest;
}

void awmap_digest_summary(const struct awmap_digest *digest, uint8_t ret_summary[16])
{
    for (uint64_t half = 0; half < 2; half++) {
        uint64_t hash = hash_mix(hash_seed_seen + half, digest->seen_hash);
        for (size_t i = 0; i < AWMAP_BUCKETS; i++)
            hash = hash_mix(hash, digest->buckets[i]);
        for (size_t i = 0; i < 8; i++)
            ret_summary[8 * half + i] = (uint8_t)(hash >> (8 * i));
    }
}
