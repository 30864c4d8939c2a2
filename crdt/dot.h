/* A dot names one write: the counter-th of a replica. A vector is the greatest counter per replica.
 *
 * Replica 0 and counter 0 are never used: a zeroed dot means "none". */
#ifndef CRDT_DOT_H
#define CRDT_DOT_H

#include "crdt/bytes.h"

struct dot {
    uint64_t replica;
    uint64_t counter;
};

/* Decoders refuse greater counters: sums of counters can then never overflow. */
#define DOT_COUNTER_MAX (UINT64_C(1) << 62)

int dot_compare(struct dot a, struct dot b); /* by counter, then replica */
bool dot_equal(struct dot a, struct dot b);

/* Sorted by replica. Zeroed memory is the empty vector. Lookup O(log n), insert O(n); n is the
 * number of replicas that ever wrote and are not retired, bounded by VECTOR_COUNT_MAX. */
struct vector {
    struct dot *items;
    uint32_t count, capacity;
};

enum { VECTOR_COUNT_MAX = 65536 }; /* decoding more fails */

void vector_release(struct vector *vector);
uint64_t vector_get(const struct vector *vector, uint64_t replica);           /* 0 when absent */
bool vector_raise(struct vector *vector, uint64_t replica, uint64_t counter); /* true if it grew */
void vector_remove(struct vector *vector, uint64_t replica);
void vector_copy(struct vector *to, const struct vector *from); /* to is released first */
bool vector_covers(const struct vector *vector, struct dot dot);
bool vector_covers_all(const struct vector *vector, const struct vector *other);
bool vector_equal(const struct vector *a, const struct vector *b);
void vector_encode(const struct vector *vector, struct buffer *buffer);
bool vector_decode(struct vector *ret_vector,
                   struct reader *reader); /* ret_vector is released first */

#endif
