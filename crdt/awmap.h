/* A replicated map from byte keys to byte values: add-wins, last-write-wins, as a delta CRDT.
 *
 * Model: shared design, section 4, and its executable form awmap_model.py. Every put and every
 * remove takes the next dot of its writer. A key has live siblings {dot, hlc, value} (almost always
 * one) and a context: the greatest counter per replica of every dot the key has had. `seen` covers
 * what was integrated without a gap. Laws: join is commutative, associative, idempotent; a remove
 * deletes only what its writer had seen; replicas that have exchanged everything are equal.
 *
 * Pure: no clock, no I/O, no randomness. The order of iteration is defined (by key hash, then key).
 * Not thread-safe. Pointers to entries, siblings and spans stay valid until the next call that
 * changes the map. */
#ifndef CRDT_AWMAP_H
#define CRDT_AWMAP_H

#include "crdt/dot.h"

enum {
    AWMAP_KEY_BYTES_MAX = 1024,
    AWMAP_VALUE_BYTES_MAX = 256 * 1024,
    AWMAP_SIBLINGS_MAX = 64, /* decoding an entry with more fails; joins keep the greatest by
                              * (hlc, dot), the others count as replaced */
    AWMAP_BUCKETS = 32,      /* of the digest */
    AWMAP_RANGES = 256,      /* of a full comparison, by the top 8 bits of the key hash */
    /* Of the retired table: 16 MiB. A thousand replaced nodes a day for almost three years. None is
     * ever dropped: the table is what keeps a disk that was away from bringing back what was
     * removed. When it is full, replicas just stay in `seen` as if they were never retired. */
    AWMAP_RETIRED_MAX = 1 << 20,
    /* Retirements by which two replicas may be apart without a full comparison. */
    AWMAP_RECENT_RETIRED = 64,
};

struct awmap;

struct awmap_sibling {
    struct dot dot;
    uint64_t hlc;
    struct span value;
};

struct awmap_entry;

struct awmap *awmap_new(void);
void awmap_free(struct awmap *map);

/* Who writes here, and the counter of its latest write (0 for none): the next dot is counter + 1.
 * The map's `seen` of that replica becomes at least counter: counters that were reserved and never
 * used count as integrated. May be called again, with a fresh id or a greater counter, but never
 * before awmap_restore (asserted there). Replica 0 and counters above DOT_COUNTER_MAX are bugs. */
void awmap_set_writer(struct awmap *map, uint64_t replica, uint64_t counter);
uint64_t awmap_writer(const struct awmap *map);
uint64_t awmap_writer_counter(const struct awmap *map);

/* Write. The key's siblings are replaced by the one new value (put), or by nothing (remove).
 * Removing a key without siblings writes nothing and returns the zero dot. Keys and values beyond
 * the limits are bugs; both may be spans of this map. Cost: a lookup and moving at most a few
 * runs of 128 slots (crdt/sorted.c).
 *
 * When peers know dots of this writer that it does not (an old disk image: compare awmap_seen of
 * the writer, here or at the peer, with awmap_writer_counter), the next dot is above those met so
 * far. If garbage has used up the counters, nothing is written and the dot is zero. */
struct dot awmap_put(struct awmap *map, struct span key, struct span value, uint64_t hlc);
struct dot awmap_remove(struct awmap *map, struct span key);

/* Read. awmap_find returns NULL for a key without siblings (and for tombstones). */
const struct awmap_entry *awmap_find(const struct awmap *map, struct span key);
struct span awmap_entry_key(const struct awmap_entry *entry);
size_t awmap_entry_count(const struct awmap_entry *entry); /* siblings; 0 for a tombstone */
/* Siblings in descending order of (hlc, dot): index 0 is the one that last-write-wins reads. */
struct awmap_sibling awmap_entry_sibling(const struct awmap_entry *entry, size_t index);
/* All keys with siblings, by (key hash, key). NULL starts, NULL ends. */
const struct awmap_entry *awmap_next(const struct awmap *map, const struct awmap_entry *after);
size_t awmap_count(const struct awmap *map); /* keys with siblings */
size_t awmap_tombstone_count(const struct awmap *map);
const struct vector *awmap_seen(const struct awmap *map);
const struct vector *awmap_horizon(const struct awmap *map);
/* What is integrated of a replica, whether it is in `seen` or retired. */
uint64_t awmap_known(const struct awmap *map, uint64_t replica);
bool awmap_covers(const struct awmap *map, struct dot dot);

/* Retired replicas: those that will not write any more. What is known of one moves from `seen` to
 * the retired table (16 bytes). Retiring one that lives is safe: its later dots are new and put it
 * back into `seen`, from where it may be retired again. False: unknown, this map's own writer, or
 * the table is full. O(retired). */
bool awmap_retire(struct awmap *map, uint64_t replica);
const struct vector *awmap_retired(const struct awmap *map);
/* Drops the tombstones that `stable` covers, and strikes dots of retired replicas from the contexts
 * of other keys: those whose dots it covers, and those where nothing of a retired replica has been
 * alive since it was taken. `stable` is `seen` of some time ago: as old as peers may be without
 * being sent to a full comparison, for the horizon rises to it where keys are struck. Own writes
 * that are still to be pushed wait for the next time. The feed must be cleared before. At most
 * budget keys; returns how many. O(tombstones + dots of retired replicas in contexts). */
size_t awmap_tidy(struct awmap *map, const struct vector *stable, size_t budget);
/* Takes `stable`, when a tidy has reached the end: `seen`, or nothing while there is nothing to
 * tidy. It is released first. It means nothing to another map, nor to this one restored. */
void awmap_note_stable(struct awmap *map, struct vector *stable);

/* The feed: which keys changed since the feed was last cleared, each once, in the order of first
 * change. A changed key may have become a tombstone (count 0). `seen_changed` tells that `seen` or
 * the horizon rose as well. The feed must be cleared before awmap_purge. Restoring feeds it too. */
size_t awmap_changed_count(const struct awmap *map);
const struct awmap_entry *awmap_changed(const struct awmap *map, size_t index);
bool awmap_seen_changed(const struct awmap *map);
void awmap_changed_clear(struct awmap *map);

/* Tombstones whose context is covered by `seen` are dropped, at most budget of them; the horizon
 * rises to what they held. Own tombstones stay until awmap_note_pushed has passed them (since the
 * start of this process, or since the writer changed). Returns how many went. O(tombstones). */
size_t awmap_purge(struct awmap *map, size_t budget);
/* All slices of the writer's own dots up to counter have been cut (crdt/exchange.h,
 * awmap_push_cut). */
void awmap_note_pushed(struct awmap *map, uint64_t counter);

/* On disk: one record per changed key, and one for the vectors, with what was retired since the
 * feed was cleared. A snapshot has the whole retired table as well, after the keys. Records are
 * restored in the order they were written; restoring is a join for entries and a raise for vectors,
 * so repeating is harmless. Afterwards siblings, `seen` and horizon are what they were; a tombstone
 * that was dropped may be there again, until the next purge. False: the record is not one of ours
 * (corrupt).
 *
 * A RECORD OF THE VECTORS MUST FOLLOW THE RECORDS OF ALL KEYS THAT IT COVERS, or these keys are
 * lost: a dot that `seen` covers and the map lacks counts as removed. So write the feed, then the
 * vectors. A snapshot that is written over several steps must end with the vectors as they were
 * when it began (make that record first, write it last), and the log since then follows it. For the
 * same reason all records come before awmap_set_writer. */
void awmap_entry_record(const struct awmap_entry *entry, struct buffer *buffer); /* appends */
void awmap_vectors_record(const struct awmap *map, struct buffer *buffer);       /* appends */
/* The same of what has changed since the feed was cleared: enough after the records of the feed,
 * and no longer than what happened, however many replicas there are. */
void awmap_vectors_news_record(const struct awmap *map, struct buffer *buffer);
/* For snapshots: appends the next part of the retired table; *at begins at 0. False: no more. */
bool awmap_retired_record(const struct awmap *map, size_t *at, struct buffer *buffer);
bool awmap_restore(struct awmap *map, struct span record);
/* Every key, tombstones included, for a snapshot. NULL starts, NULL ends. */
const struct awmap_entry *awmap_next_any(const struct awmap *map, const struct awmap_entry *after);

/* What two replicas compare to learn whether they differ. Kept up to date. */
struct awmap_digest {
    uint64_t seen_hash;              /* over what is known of each replica, retired or not */
    uint64_t buckets[AWMAP_BUCKETS]; /* sums over keys mixed with their live dots; no tombstones */
};

struct awmap_digest awmap_digest(const struct awmap *map);
void awmap_digest_summary(const struct awmap_digest *digest, uint8_t ret_summary[16]);

/* Checks every invariant (index, digest, counts, order); ends the process with a message when one
 * is broken. O(n log n), for tests and the simulator. */
void awmap_check(const struct awmap *map);

#endif
