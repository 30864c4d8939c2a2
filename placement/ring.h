/* A consistent-hash ring: 128 weighted points per member in one sorted array.
 *
 * Karger et al., "Consistent Hashing and Random Trees" (1997). Built once per change of members,
 * O(points log points); lookup is one binary search, about 100 ns. Keys are child ids, so children
 * of equal specs spread. */
#ifndef PLACEMENT_RING_H
#define PLACEMENT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_POINTS_PER_MEMBER = 128, /* at weight 100 */
    RING_WEIGHT_DEFAULT = 100,
    RING_WEIGHT_MAX = 1000,
    RING_MEMBERS_MAX = 10000,
};

struct ring_member {
    const char *name; /* borrowed during ring_build only; the ring refers to members by index */
    uint32_t weight;  /* 0: no points */
};

struct ring_point {
    uint64_t hash;
    uint32_t member;
};

/* Zeroed memory is the empty ring. */
struct ring {
    struct ring_point *points;
    size_t count;
    size_t member_count;
};

/* Points are (hash of name and i); equal hashes are ordered by member name, so all nodes agree
 * whatever the order of the array. */
void ring_build(struct ring *ring, const struct ring_member *members, size_t count);
void ring_release(struct ring *ring);
/* Index of the member that owns the key: first point at or after the key's hash, wrapping.
 * RING_NONE if empty. */
#define RING_NONE UINT32_MAX
uint32_t ring_owner(const struct ring *ring, uint64_t key_hash);

/* The distinct members in ring order from a key: rank 0 first. */
struct ring_walk {
    const struct ring *ring;
    size_t at, steps;
    uint8_t *visited; /* owned, one bit per member */
};
void ring_walk_begin(struct ring_walk *walk, const struct ring *ring, uint64_t key_hash);
uint32_t ring_walk_next(struct ring_walk *walk); /* RING_NONE at the end */
void ring_walk_release(struct ring_walk *walk);

/* Of two names, the one the ring would reach first from the key, computed from these two names
 * alone (never from who is alive): negative if a, positive if b, 0 if equal. Orders concurrent
 * claims. */
int ring_first_of_two(uint64_t key_hash, const char *a, const char *b);

#endif
