/* How two replicas bring each other up to date: push, walk, full comparison. Bodies are bytes; the
 * caller carries them. All decoders are bounded, check a whole body first, and return false on
 * garbage without changing the map.
 *
 * Rules in capitals are the names of awmap_model.py's rules. */
#ifndef CRDT_EXCHANGE_H
#define CRDT_EXCHANGE_H

#include "crdt/awmap.h"

/* --- Push: the writer's own newest writes, sent at once ------------------------------------- */

/* Cuts the slice (from, to] of the map's own writer, `to` being the greatest counter that keeps the
 * body under bytes_max (at least one entry). Appends the body. Returns `to` (== from: nothing to
 * send). PUSHHORIZON: a slice that begins below the own horizon says so in the body. A slice cut
 * short in which a dot is missing (its key was written again later) raises nothing either: the
 * receiver reports a gap at the last slice, and a walk does the rest. So make bytes_max large
 * enough for a usual turn's writes. */
uint64_t awmap_push_cut(const struct awmap *map, uint64_t from, size_t bytes_max,
                        struct buffer *buffer);

struct awmap_push_result {
    uint64_t replica; /* whose slice it was */
    bool gap;         /* PUSHGAP: joined but not raised; ask that replica (or the sender) to walk */
    bool news;        /* something here was new to this map: relaying is worth it */
};

bool awmap_push_apply(struct awmap *map, struct span body, struct awmap_push_result *ret_result);

/* --- Positions: what a replica knows -------------------------------------------------------- */

/* `known`: of those who may still write, and of some retired ones. `rest`: a sum over the others.
 * Zeroed memory is none. */
struct awmap_position {
    struct vector known;
    uint64_t rest;
};

/* Appends. `about` (or NULL): these are named even if they were retired long ago; a writer must
 * learn from an answer what its peer knows of it. */
void awmap_position_encode(const struct awmap *map, const struct vector *about,
                           struct buffer *buffer);
/* False: garbage. To be released in any case. */
bool awmap_position_decode(struct awmap_position *ret_position, struct span bytes);
void awmap_position_release(struct awmap_position *position);
/* The position knows exactly what the map does. */
bool awmap_position_equals(const struct awmap *map, const struct awmap_position *position);
/* ... of the replicas that it does not name. If they differ although nothing else does, only a full
 * comparison can tell who lacks what. */
bool awmap_position_rest_equals(const struct awmap *map, const struct awmap_position *position);
/* The position knows all that the map does. False also when that cannot be told. */
bool awmap_position_covers(const struct awmap *map, const struct awmap_position *position);
/* The map knows all that the position names. */
bool awmap_position_is_covered(const struct awmap *map, const struct awmap_position *position);

/* --- Walk: what a peer lacks, by the sender's index above the peer's `seen` ----------------- */

/* The sender's side of one walk. Zeroed memory is "none". Survives changes of the map between
 * steps: entries that change meanwhile are sent again or left to the next walk, never lost
 * (MIDWALK, WALKEND). If the horizon rises above the receiver's position in a part that is not done
 * yet, it ends early with a last body that claims nothing more; the next position is then found to
 * be behind (WALKHORIZON). */
struct awmap_walk {
    struct vector peer;  /* the receiver's seen at the start */
    struct vector start; /* the sender's seen at the start: what the ends of the walk claim */
    struct dot cursor;   /* the last item sent */
    uint64_t chain;      /* what the next body follows: see struct awmap_walk_intake */
    uint32_t number;     /* of the next body */
    bool done;
};

/* The receiver's position asks for a walk. False: the position is garbage. *ret_behind: the peer is
 * behind this map's horizon and needs a full comparison instead of a walk (the walk is then not
 * begun). */
bool awmap_walk_begin(struct awmap_walk *walk, const struct awmap *map, struct span bytes,
                      bool *ret_behind);
/* Appends the next body of at most about bytes_max, at least one entry. Sets walk->done with the
 * last one; must not be called after that. A peer that lacks nothing gets one empty last body. */
void awmap_walk_cut(struct awmap_walk *walk, const struct awmap *map, size_t bytes_max,
                    struct buffer *buffer);
void awmap_walk_release(struct awmap_walk *walk);
/* Receiver: one struct per session, zeroed at its start, nothing to release. Each body carries its
 * number and a hash of the body before it. A body that does not follow is joined, but it and all
 * later ones of the session raise nothing: claims say "that is all", and something was missing.
 * *ret_last still comes, so that the caller asks again. A repeated body is joined and forgotten. */
struct awmap_walk_intake {
    uint64_t chain;
    uint32_t next;
    bool broken;
};
bool awmap_walk_apply(struct awmap *map, struct awmap_walk_intake *intake, struct span body,
                      bool *ret_last);

/* --- Full comparison, range by range -------------------------------------------------------- */

struct awmap_full {
    struct vector start_seen, start_retired; /* FULLEND: V0 (with the horizon of the end) */
    uint32_t retired_sent;                   /* of start_retired */
    uint32_t ranges[AWMAP_RANGES / 32];      /* bit set: still to send */
    struct span resume;                      /* owned: last key sent of an unfinished range */
    uint64_t chain;                          /* what the next body follows */
    uint32_t number;                         /* of the next body */
    bool whole;                              /* all ranges were asked for: the end may raise */
    bool done;
};

/* Sender: compare everything (buckets == ~0u) or only the ranges of the given digest buckets (bit
 * i: bucket i). Zeroed memory is "none"; begin releases what was there. Cutting is as for a walk;
 * each body also carries the sender's `seen`, the last one of a whole comparison three vectors. */
void awmap_full_begin(struct awmap_full *full, const struct awmap *map, uint32_t buckets);
void awmap_full_cut(struct awmap_full *full, const struct awmap *map, size_t bytes_max,
                    struct buffer *buffer);
void awmap_full_release(struct awmap_full *full);
/* Receiver: one struct per session, zeroed at its start, released at its end; a body that does not
 * follow the one before is refused (returns false, nothing changed). Order of bodies is checked by
 * a number inside and by a hash of the body before, so that bodies of two sessions never mix. */
struct awmap_full_intake {
    uint64_t chain;
    uint32_t next;
    struct vector retired; /* the sender's table, as far as it has come */
};
void awmap_full_intake_release(struct awmap_full_intake *intake);
bool awmap_full_apply(struct awmap *map, struct awmap_full_intake *intake, struct span body,
                      bool *ret_last);

#endif
