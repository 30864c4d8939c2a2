/* What the files of crdt/ share about the map; nobody else includes this. */
#ifndef CRDT_AWMAP_PRIVATE_H
#define CRDT_AWMAP_PRIVATE_H

#include "crdt/awmap.h"
#include "crdt/sorted.h"

enum {
    AWMAP_CONTEXT_MAX = VECTOR_COUNT_MAX, /* replicas that ever wrote one key */
    AWMAP_RANGE_SHIFT = 56,               /* range of a key: the top 8 bits of its hash */
    AWMAP_BUCKET_SHIFT = 59,              /* bucket: the top 5 bits, so a bucket is 8 ranges */
};

/* A live sibling. Its dot is the context's item `at`: what a replica wrote last on a key is the
 * only thing of that replica that can be alive there, because each write replaces all it sees. */
struct live {
    uint64_t hlc;
    const uint8_t *value;
    uint32_t value_bytes;
    uint32_t at;
};

/* What a key is: a view, of an entry's block or of decoded bytes. Zeroed: nothing known.
 * Context sorted by replica; live descending by (hlc, dot), each `at` once. */
struct state {
    const struct dot *context;
    const struct live *live;
    uint32_t context_count, live_count;
};

/* A key and its state in one allocation, made whole and never changed. A change makes a new one, so
 * that the key and values may be borrowed from the old one meanwhile. */
struct block {
    uint64_t hash; /* of the key */
    uint32_t context_count;
    uint16_t key_bytes;
    uint8_t live_count;
    struct dot context[]; /* then the siblings, the key, the values */
};

/* What a map has of a key for itself. What equal maps have alike is in the block. */
struct awmap_entry {
    struct block *block;
    uint32_t feed;       /* 1 + place in the feed; 0: not there */
    uint32_t grave : 31; /* 1 + place among the tombstones; 0: has siblings */
    uint32_t aged : 1;   /* see retired.c */
};

struct writer_index {
    uint64_t replica;
    struct sorted by_counter;
};

struct entries {
    struct awmap_entry **items;
    size_t count, capacity;
};

struct awmap {
    struct sorted table; /* every entry, by (key hash, key) */
    size_t entry_count;
    struct writer_index *indexes; /* by replica: each entry once for each replica of its context */
    uint32_t index_count, index_capacity;
    struct vector seen, horizon;
    struct vector seen_news, horizon_news; /* raised since the feed was cleared; the second within
                                              the first */
    struct vector retired;                 /* see retired.c; never the writer */
    struct vector retired_changed;         /* since the feed was cleared */
    struct vector young;                   /* retired since awmap_note_stable */
    uint64_t retirements;                  /* changes of the retired table, ever */
    uint64_t known_sum;                    /* over what is known of each replica, retired or not */
    uint64_t retired_sum;                  /* over the retired table alone */
    uint64_t recent[AWMAP_RECENT_RETIRED]; /* the replicas retired last; 0: none */
    uint64_t writer, counter, pushed;
    struct entries graves; /* entries without siblings, in no order */
    size_t purge_next;     /* where among them the next purge goes on */
    struct entries feed;
    struct entry_chunk *chunks; /* all entries, used or not */
    struct entries spare;       /* the unused */
    bool seen_changed;
    uint64_t buckets[AWMAP_BUCKETS];
    struct dot *scratch; /* room for one context */
    size_t scratch_count;
};

/* block.c */
struct block *block_new(uint64_t hash, struct span key, const struct state *state); /* a copy */
void block_free(struct block *block);
size_t block_bytes(struct span key, const struct state *state);
/* Into so many bytes. */
void block_write(struct block *block, uint64_t hash, struct span key, const struct state *state);

/* Lookups ask for these more often than for anything else. */
static inline struct state block_state(const struct block *block)
{
    return (struct state){
        .context = block->context,
        .live = (const struct live *)(block->context + block->context_count),
        .context_count = block->context_count,
        .live_count = block->live_count,
    };
}

static inline struct span block_key(const struct block *block)
{
    const struct live *live = (const struct live *)(block->context + block->context_count);
    return (struct span){(const uint8_t *)(live + block->live_count), block->key_bytes};
}

/* entries.c */
uint32_t entries_add(struct entries *entries, struct awmap_entry *entry); /* the new count */
struct awmap_entry *entry_take(struct awmap *map);                        /* zeroed */
void entry_give_back(struct awmap *map, struct awmap_entry *entry);
void entry_chunks_release(struct awmap *map);

/* entry.c: the only file that changes entries. */
struct state entry_state(const struct awmap_entry *entry);
struct dot state_dot(const struct state *state, uint32_t live);
uint64_t state_counter(const struct state *state, uint64_t replica); /* of the context; 0: none */
bool state_has_live(const struct state *state, struct dot dot);
struct awmap_entry *entry_find(const struct awmap *map, struct span key); /* tombstones too */
/* These three keep the table, indexes, digest, tombstones and feed right. The key must not be there
 * yet. */
void entry_new(struct awmap *map, struct span key, const struct state *state);
/* Replaces the state. */
void entry_assign(struct awmap *map, struct awmap_entry *entry, const struct state *state);
/* The same, of a change that is none to readers: it does not go to the feed. */
void entry_replace(struct awmap *map, struct awmap_entry *entry, const struct state *state);
void entry_delete(struct awmap *map, struct awmap_entry *entry); /* a tombstone, not in the feed */
const struct sorted *index_of(const struct awmap *map, uint64_t replica); /* NULL: none */
struct dot *scratch_context(struct awmap *map, size_t count);

/* join.c */
/* False: refused, the context would grow beyond its limit; nothing changed. */
bool entry_join(struct awmap *map, struct span key, const struct state *theirs, bool *ret_news);
/* Drops siblings that `theirs` lacks, and that one of the two vectors covers. */
void entry_drop(struct awmap *map, struct awmap_entry *entry, const struct state *theirs,
                const struct vector *seen, const struct vector *retired);
/* True if it grew. A vector at its limit does not grow: not raising is always safe. */
bool map_raise_seen(struct awmap *map, struct dot dot);
void map_raise_horizon(struct awmap *map, struct dot dot);

/* awmap.c */
/* Own slices with the entry are cut, and `seen` or the retired table covers all of its context. */
bool entry_is_covered(const struct awmap *map, const struct awmap_entry *entry,
                      const struct vector *seen);
size_t map_purge(struct awmap *map, const struct vector *seen, size_t budget);

/* retired.c */
bool map_covers(const struct awmap *map, struct dot dot); /* by `seen` or the retired table */
uint64_t map_horizon(const struct awmap *map, uint64_t replica);
void map_note_known(struct awmap *map, uint64_t replica, uint64_t before); /* for the sums */
/* The table's entry becomes at least counter; false: the table is full. */
bool map_retire(struct awmap *map, struct dot dot);
/* A peer has it in its retired table. */
void map_learn_retired(struct awmap *map, struct dot dot);
/* The writer is nobody's past. */
void map_unretire_writer(struct awmap *map);

/* digest.c */
uint64_t hash_key(struct span key);
uint64_t hash_mix(uint64_t hash, uint64_t word);
uint64_t hash_bytes(uint64_t seed, struct span bytes);
uint64_t hash_vector(uint64_t seed, const struct vector *vector);
uint64_t hash_known(struct dot dot); /* 0 of counter 0 */
uint64_t hash_content(uint64_t key_hash, const struct state *state);

#endif
