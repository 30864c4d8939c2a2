/* The form of entries on the wire and on disk: private to crdt/.
 *
 *     bytes    kind (u8), version (u8), ...
 *     entry    key (span), context count, live count,
 *              context: (replica, counter) ascending by replica,
 *              live: (place in the context, hlc, value (span)) descending by (hlc, dot)
 *     replica  a number: of the replicas met so far in these bytes, or the next one and then 8
 * bytes counter, hlc   the difference to the one before in these bytes, zigzag vectors  seen,
 * horizon, retired: what of that table is new, or a part of it
 *
 * Everything is a varint where nothing else is said. */
#ifndef CRDT_RECORD_H
#define CRDT_RECORD_H

#include "crdt/awmap_private.h"
#include "crdt/exchange.h"

enum {
    BODY_VERSION = 2,
    BODY_PUSH = 'P',
    BODY_POSITION = 'Q',
    BODY_WALK = 'W',
    BODY_FULL = 'F',
    RECORD_ENTRY = 'E',
    RECORD_VECTORS = 'V',
    CLAIM_BYTES_MAX = 8 + 10 + 10,
};

void body_begin(struct buffer *buffer, uint8_t kind);
bool body_open(struct reader *reader, uint8_t kind); /* false: another kind or version */

/* What earlier entries of the same bytes tell later ones. Zeroed at the start; released. */
struct encoder {
    struct vector replicas; /* replica -> 1 + its number */
    uint64_t counter, hlc;
};

void encoder_release(struct encoder *encoder);
void encoder_entry(struct encoder *encoder, const struct awmap_entry *entry, struct buffer *buffer);
size_t entry_bytes_max(const struct awmap_entry *entry); /* no encoding of it is longer */

/* The decoded entry borrows from the reader's input and the decoder, until the next one. */
struct decoder {
    uint64_t *replicas;
    size_t replica_count, replica_capacity;
    uint64_t counter, hlc;
    struct dot *context;
    size_t context_capacity;
    struct live live[AWMAP_SIBLINGS_MAX];
    struct span key;
    struct state state;
};

void decoder_init(struct decoder *decoder);
void decoder_release(struct decoder *decoder);
bool decoder_entry(struct decoder *decoder, struct reader *reader);

/* Lists of entries: each after a 1, a 0 at the end. With a NULL map the entries are only checked.
 * False: garbage, or a refused join. */
void entries_end(struct buffer *buffer);
void entries_put(struct encoder *encoder, const struct awmap_entry *entry, struct buffer *buffer);
bool entries_apply(struct awmap *map, struct reader *reader, bool *ret_news);

/* seen and horizon: a pair of vectors of which the first covers the second. */
bool vectors_decode(struct vector *ret_seen, struct vector *ret_horizon, struct reader *reader);

/* A part of a retired table: a count and (replica (u64), counter) each. Decoding raises `table`;
 * with NULL it only checks. */
void retired_encode(const struct vector *table, uint32_t at, uint32_t count, struct buffer *buffer);
bool retired_decode(struct vector *table, struct reader *reader);

/* position.c: the sum over the retired that `named` does not name; whether a position reaches the
 * horizon, in which case it comes to know of all in `seen` what its rest says of them. */
uint64_t map_rest(const struct awmap *map, const struct vector *named);
bool position_reaches_horizon(const struct awmap *map, struct awmap_position *position);

#endif
