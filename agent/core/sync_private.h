/* The parts of the synchronisation machine, for sync*.c and their tests only.
 *
 *     sync.c          peers, messages in, time
 *     sync_push.c     own writes out, others' slices in, acknowledgements
 *     sync_relay.c    to whom, in a large cluster; passing on
 *     sync_digest.c   who lacks what: summaries, digests, and what a peer is needed for
 *     sync_session.c  walks and full comparisons in chunks, both ends
 *
 * Every message is: version (u8), type (u8), and then
 *
 *     PUSH          flags (u8), from, to, body        a slice of awmap_push_cut
 *     ACK           replica (u64), counter            "my `seen` of replica is counter"
 *     DIGEST        flags (u8), nonce (u64), 32 bucket sums (u64), position
 *     WALK_REQUEST  serial (u64), position
 *     FULL_REQUEST  serial (u64), buckets (u32)
 *     WALK, FULL    serial (u64), index, body         a chunk
 *     CREDIT        serial (u64), flags (u8), next    "I have all chunks before next"
 *     GONE          serial (u64), busy (u8)           "there is no such session here"
 *     BATCH         (varint length, PUSH) ...         slices that are passed on
 */
#ifndef AGENT_CORE_SYNC_PRIVATE_H
#define AGENT_CORE_SYNC_PRIVATE_H

#include "agent/core/random.h"
#include "agent/core/sync.h"

#define SYNC_NEVER UINT64_MAX

enum {
    SYNC_VERSION = 2,
    SYNC_PEERS_MAX = MEMBERS_MAX + SEEDS_MAX,
    SYNC_CHUNK_BYTES_MAX = BULK_CHUNK_BYTES_MAX / 2, /* a window of 4 is kept per session */
    SYNC_PUSH_HEAD_BYTES_MAX = 32,
    SYNC_BACKLOG_BYTES_MAX = 1024 * 1024, /* pushed to one peer at once; the rest is for a walk */
    SYNC_ACK_RETRY_MS = 300,
    SYNC_ACK_TRIES_MAX = 20,
    SYNC_INTAKES_MAX = 4, /* sessions that we asked for, at a time */
    SYNC_NUDGE_MS = 300,  /* without a chunk: ask again; doubles */
    SYNC_RESEND_MS = 100, /* the same chunk at most this often */
    SYNC_HELD_MAX = 256,  /* slices that wait for the ones before them */
    SYNC_HELD_BYTES_MAX = 1024 * 1024,
    SYNC_PATIENCE_MS = 20,        /* how long they wait: connections keep order */
    SYNC_RELAY_PATIENCE_MS = 200, /* relayed ones come by many ways */
    SYNC_RELAY_PACE_MS = 5,       /* between two messages of relayed slices */
    SYNC_RELAYED_MAX = 1024,      /* slices in one; they are at least 40 bytes */
    SYNC_PUSH_FLAGS_AT = 2,       /* where the flags are in a PUSH */
    SYNC_DIFFER_MS = 300,         /* unequal for so long, and nothing moved: compare */
    SYNC_FLUX_MS = 2000,          /* unequal for so long, and things move: compare */
    SYNC_EXCHANGE_MS = 1000,      /* between exchanges with one peer because of summaries */
    SYNC_EXCHANGE_DOUBLINGS = 6,  /* of that, while exchanges change nothing */
    SYNC_COMPARE_RETRY_MS = 400,  /* a digest without an answer; doubles */
    SYNC_SESSION_RETRY_MS = 100,  /* after a session that failed; doubles */
    SYNC_RETRY_MS_MAX = 3200,
    SYNC_TRIES_MAX = 12,       /* with an alive peer; then summaries must find it anew */
    SYNC_TRIES_ABSENT_MAX = 4, /* with another */
};

enum sync_message {
    SYNC_PUSH = 1,
    SYNC_ACK,
    SYNC_DIGEST,
    SYNC_WALK_REQUEST,
    SYNC_FULL_REQUEST,
    SYNC_WALK,
    SYNC_FULL,
    SYNC_CREDIT,
    SYNC_GONE,
    SYNC_BATCH,
};

enum { SYNC_PUSH_WANTS_ACK = 1, SYNC_PUSH_RELAY = 2 };
enum { SYNC_DIGEST_QUESTION = 1 };
enum { SYNC_CREDIT_HOLE = 1 }; /* chunks after `next` are here already: it was lost */

struct sync_targets {
    struct sync_peer *items[SYNC_MESH_MAX];
    size_t count;
};

/* A slice that is to be passed on: a PUSH in sync.relay_bytes. */
struct sync_relayed {
    const struct sync_peer *from; /* not to it; NULL: it is gone */
    size_t at, bytes;
};

/* What we want from a peer. */
enum {
    SYNC_NEED_COMPARE = 1, /* an answer to our digest */
    SYNC_NEED_WALK = 2,    /* it has `target`, and we do not */
    SYNC_NEED_FULL = 4,    /* its content of `full_buckets` */
};

/* How long summaries have differed, and since when neither side has moved. */
struct sync_watch {
    bool running;
    uint64_t since_ms, still_ms;
    uint64_t ours, theirs;
};

/* How a peer differs from us, and what is done about it. */
struct sync_pursuit {
    struct dot ack_owed; /* zero: nothing */

    unsigned needs;      /* SYNC_NEED_* */
    bool needy;          /* stands in sync.needy */
    uint64_t compare_ms; /* when to send the next digest, if NEED_COMPARE */
    uint64_t
        session_ms; /* when to begin a session, if NEED_WALK or _FULL; SYNC_NEVER: when one ends */
    unsigned tries; /* in a row without an answer */
    bool urgent;    /* the walk may run beside others: pushes wait for it */
    struct vector target;
    uint32_t full_buckets;
    uint64_t nonce;      /* of our latest digest; 0: none, or answered */
    uint32_t unequal;    /* buckets that differed at the last digest although `seen` was equal */
    uint64_t unequal_ms; /* when they were first found so */

    struct sync_watch watch;
    uint64_t exchange_ms; /* no exchange because of summaries before this */
    uint64_t exchange_ours, exchange_theirs;
    unsigned futile; /* exchanges in a row after which nothing had changed */
};

struct sync_peer {
    const char *name, *address;   /* the caller's */
    uint64_t base;                /* own counter when it became alive: what is older is for
                                     comparisons */
    uint64_t pushed;              /* own counter up to which slices were sent; SYNC_NEVER: it is
                                     not alive */
    struct sync_pursuit *pursuit; /* owned; NULL: it is as we are, as far as we know */
};

/* A session that we asked for. peer NULL: free. */
struct sync_intake {
    struct sync_peer *peer;
    uint64_t serial;
    struct vector target;   /* what the walk was begun for */
    uint32_t buckets;       /* of a FULL_REQUEST; 0: it was a WALK_REQUEST */
    enum sync_message kind; /* of the chunks, from the first one on; 0: none yet */
    uint32_t next;
    struct buffer
        ahead[SYNC_CREDIT_CHUNKS]; /* chunks after next, by index modulo; empty: not there */
    struct awmap_walk_intake walk;
    struct awmap_full_intake full;
    uint64_t progress_ms, nudge_ms;
    unsigned nudges;
};

/* A session that a peer asked for. */
struct sync_outlet {
    struct sync_peer *peer;
    uint64_t serial;
    enum sync_message kind; /* SYNC_WALK or SYNC_FULL */
    struct awmap_walk walk;
    struct awmap_full full;
    bool done;                                /* the last chunk is cut */
    uint32_t confirmed, cut;                  /* chunks that have arrived, and that were made */
    struct buffer window[SYNC_CREDIT_CHUNKS]; /* messages confirmed..cut-1, by index modulo */
    uint64_t sent_ms[SYNC_CREDIT_CHUNKS];
    uint64_t progress_ms;
};

/* A slice that came before the one that it follows. */
struct sync_held {
    struct sync_peer *peer; /* who sent it; NULL: no longer known */
    struct dot from;        /* it begins after this dot */
    uint64_t to;
    uint64_t ask_ms; /* ask the peer for a walk then */
    struct buffer body;
};

struct sync {
    struct awmap *map;
    struct random random;
    char *self;      /* own name, owned; NULL: not told */
    uint64_t serial; /* of the last session or digest; begins at random, so runs do not collide */
    uint64_t compared_from; /* comparisons with a smaller serial do not count */
    bool compared;
    uint64_t writer; /* whose counters base and pushed are */

    struct sync_peer **peers; /* sorted by name */
    size_t peer_count, peer_capacity, alive_count;
    struct sync_peer **needy; /* all that have needs, perhaps some that have none any more */
    size_t needy_count, needy_capacity;
    size_t ack_owed_count;
    uint64_t claimed; /* own counter: the greatest that any peer has ever claimed */

    bool relaying;   /* at the last push there were more than SYNC_MESH_MAX; then all peers */
    uint64_t fanned; /* ... count as told up to this own counter */
    struct sync_relayed relay[SYNC_RELAYED_MAX];
    size_t relay_count;
    struct buffer relay_bytes;
    uint64_t relay_flushed_ms;

    uint64_t ack_to; /* own counter for which a user waits; 0: none */
    uint64_t ack_retry_ms;
    unsigned ack_tries;

    struct sync_watch watch; /* of summaries of whichever peer */
    uint64_t flux_ms;        /* no comparison of moving maps before this */

    struct sync_intake intakes[SYNC_INTAKES_MAX];
    struct sync_outlet *outlets[SYNC_SESSIONS_MAX];
    size_t outlet_count;
    struct sync_held held[SYNC_HELD_MAX]; /* in order of arrival */
    size_t held_count, held_bytes;

    struct buffer message, slice; /* scratch */
    sync_send_function send;
    void *send_context;
};

/* One step of the machine: what most functions need. */
struct sync_turn {
    struct sync *sync;
    uint64_t now_ms;
    struct effects *effects;
};

/* sync.c */
struct sync_peer *sync_peer_find(const struct sync *sync, const char *name); /* NULL: unknown */
bool sync_peer_is_alive(const struct sync_peer *peer);
size_t sync_peer_place(const struct sync *sync, const char *name); /* the first not before name */
uint64_t sync_serial_next(struct sync *sync);
struct buffer *sync_message_begin(struct sync *sync, enum sync_message type); /* the scratch */
void sync_message_send(struct sync_turn *turn, const struct sync_peer *peer, enum channel channel);
void sync_send_bytes(struct sync_turn *turn, const struct sync_peer *peer, enum channel channel,
                     struct span bytes);
/* A peer says that it has seen these. */
void sync_note_claim(struct sync *sync, struct dot dot);
void sync_note_claims(struct sync *sync, const struct vector *seen);
void sync_note_compared(struct sync *sync, uint64_t serial);
/* The map has learned something, of this replica alone or (0) of any: slices that waited,
 * acknowledgements that are owed. */
void sync_note_integrated(struct sync_turn *turn, uint64_t replica);

/* sync_push.c */
void sync_follow_writer(struct sync *sync);
bool sync_receive_push(struct sync_turn *turn, struct sync_peer *peer, struct span message,
                       struct reader *reader); /* peer may be NULL */
bool sync_receive_ack(struct sync_turn *turn, struct reader *reader);
void sync_tick_push(struct sync_turn *turn);
uint64_t sync_deadline_push(const struct sync *sync);
void sync_ack_if_owed(struct sync_turn *turn, struct sync_peer *peer);
void sync_held_drain(struct sync_turn *turn, uint64_t replica);         /* 0: of any */
void sync_held_forget(struct sync *sync, const struct sync_peer *peer); /* NULL: all */

/* sync_relay.c */
/* SYNC_FANOUT alive peers, if there are so many. At least one is alive. */
struct sync_targets sync_relay_targets(struct sync *sync);
/* A PUSH that was news. */
void sync_relay_add(struct sync_turn *turn, const struct sync_peer *from, struct span message);
void sync_relay_forget(struct sync *sync, const struct sync_peer *peer);
bool sync_receive_batch(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader);
void sync_tick_relay(struct sync_turn *turn);
uint64_t sync_deadline_relay(const struct sync *sync);

/* sync_digest.c */
bool sync_covers_all(const struct sync *sync, const struct vector *target);
void sync_need(struct sync *sync, struct sync_peer *peer, unsigned need, uint64_t try_ms);
/* The peer has this dot, and a slice that waits for it is here. */
void sync_need_dot(struct sync *sync, struct sync_peer *peer, struct dot dot, uint64_t now_ms);
void sync_needs_forget(struct sync *sync, struct sync_peer *peer);
struct sync_pursuit *sync_pursuit_of(struct sync_peer *peer); /* made if it is not there */
/* Frees it if nothing is wanted, and nothing is remembered that another time would need. */
void sync_pursuit_tidy(struct sync_peer *peer, uint64_t now_ms);
void sync_pursuit_free(struct sync_peer *peer);
void sync_pursue(struct sync_turn *turn); /* all needs whose time has come */
bool sync_receive_digest(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader);
uint64_t sync_deadline_needs(const struct sync *sync);
/* The session ended that this peer was asked for. */
void sync_session_ended(struct sync_turn *turn, struct sync_peer *peer, uint64_t serial,
                        uint32_t buckets, bool completed);

/* sync_session.c */
struct sync_intake *sync_intake_of(struct sync *sync, const struct sync_peer *peer);
size_t sync_intake_count(const struct sync *sync);
void sync_intake_begin(struct sync_turn *turn, struct sync_peer *peer, uint32_t buckets);
bool sync_has_outlet(const struct sync *sync, const struct sync_peer *peer);
bool sync_receive_request(struct sync_turn *turn, struct sync_peer *peer, enum sync_message type,
                          struct reader *reader);
bool sync_receive_chunk(struct sync_turn *turn, struct sync_peer *peer, enum sync_message type,
                        struct reader *reader);
bool sync_receive_credit(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader);
bool sync_receive_gone(struct sync_turn *turn, struct sync_peer *peer, struct reader *reader);
void sync_tick_sessions(struct sync_turn *turn);
uint64_t sync_deadline_sessions(const struct sync *sync);
void sync_thaw_sessions(struct sync *sync, uint64_t now_ms);
void sync_sessions_forget(struct sync *sync, const struct sync_peer *peer); /* NULL: all */

#endif
