/* What the agents write into the map beside documents: claims, child statuses, names, members.
 * Values with versioned, bounded encodings. Decoding garbage returns false and leaves the result
 * zeroed. */
#ifndef AGENT_CORE_RECORD_H
#define AGENT_CORE_RECORD_H

#include "agent/core/document.h"
#include "agent/core/key.h"
#include "agent/core/query.h"

/* Far beyond what counting one by one can reach, and far from where adding one wraps. A greater one
 * is refused. */
#define RECORD_EPOCH_MAX (UINT64_C(1) << 62)

/* Who runs a child. Ordered among concurrent siblings by claim_compare. */
enum claim_state {
    CLAIM_PULLING, /* reserved: the image is not here yet; does not end a living holder of the epoch
                      before */
    CLAIM_CLAIMED, /* the holder runs it, restarts it, and is the only one who may */
    CLAIM_RELEASED, /* handed over: anybody may claim the next epoch */
    CLAIM_FINISHED, /* it has ended for good, by its restart policy or by a user */
};

enum offer_state {
    OFFER_OPEN,
    OFFER_WITHDRAWN, /* it has come to nothing: that member is not asked again so soon */
};

/* The holder would rather have the child run on another member: see move.c. */
struct offer {
    enum offer_state state;
    bool start_first;              /* a second copy runs there before the holder's ends */
    char node[NAME_BYTES_MAX + 1]; /* the successor */
    uint64_t replica;
    uint64_t epoch; /* of the successor's claim, and of its container; kept free for it */
};

struct claim {
    uint64_t epoch;
    uint64_t replica;
    uint64_t spec_hash;
    const struct offer *offer; /* borrowed; NULL: none, as most */
    enum claim_state state;
    char uid[UID_BYTES + 1];
    char node[NAME_BYTES_MAX + 1];
};

/* With an offer, agents before that cannot read it. */
void claim_encode(const struct claim *claim, struct buffer *buffer);
/* An offer is read into *ret_offer, and the claim points there. */
bool claim_decode(struct claim *ret_claim, struct offer *ret_offer, struct span value);
/* Positive: a wins. Greater epoch; then whichever holder the ring reaches first from the child's
 * key, of these two names only; then the smaller replica id. */
int claim_compare(const struct claim *a, const struct claim *b, uint64_t child_hash);

struct status {
    char uid[UID_BYTES + 1];
    uint64_t epoch;
    uint64_t replica; /* the holder whose word this is: on two sides of a cut there may be two of an
                         epoch */
    enum child_phase phase;
    bool ready;
    uint32_t restarts;
    uint32_t backoff_level;
    uint64_t spec_hash;                         /* of the container that this speaks of */
    uint64_t started_ms, ready_ms, finished_ms; /* wall clock, 0: not */
    bool has_exit_code;
    int32_t exit_code;
    char container_id[CONTAINER_ID_BYTES_MAX + 1];
    char reason[REASON_BYTES_MAX + 1];
    char message[MESSAGE_BYTES_MAX + 1];
};

/* By the holder that the claim names, of this claim of its. */
bool status_is_of(const struct status *status, const struct claim *claim);
void status_encode(const struct status *status, struct buffer *buffer);
bool status_decode(struct status *ret_status, struct span value);

/* Of a name that an outside process has registered. Its agent alone counts the time: a renewal
 * writes nothing. */
struct name_outside {
    uint8_t owner[OWNER_HASH_BYTES]; /* of the owner's token */
    uint64_t ttl_ms;
    struct label *labels; /* owned */
    size_t label_count;
};

struct name_record {
    struct child_id owner;        /* a child; of an outside name: empty, as its uid */
    struct name_outside *outside; /* owned; NULL: a child's name */
    char uid[UID_BYTES + 1];      /* of the owner's workload */
    char node[NAME_BYTES_MAX + 1];
    uint64_t replica;
    uint64_t claim_epoch; /* of the owner's claim; of an outside name 0 */
    uint64_t epoch;       /* of the name: last known + 1 at each registration */
    uint16_t port;
    bool value_set; /* by the child itself: the document's value does not count */
    char *value;    /* owned; JSON text or NULL */
    char address[ADDRESS_BYTES_MAX + 1];
};

void name_outside_free(struct name_outside *outside); /* NULL is allowed */
void name_record_release(struct name_record *record);
void name_record_encode(const struct name_record *record, struct buffer *buffer);
bool name_record_decode(struct name_record *ret_record, struct span value);
/* The owner in text: "NS/WORKLOAD/ORDINAL", or "token/" and 16 hexadecimal digits of the token's
 * hash. */
void name_owner_print(const struct name_record *record, char *ret_text, size_t bytes);
/* Positive: a wins. Greater name epoch; then smaller hash(name, owner); copies of one child by the
 * order of their claims. */
int name_record_compare(const struct name_record *a, const struct name_record *b, const char *name);

/* Which of the states that a child has left counts, and what it is. Ordered among concurrent
 * siblings by state_record_compare. */
struct state_record {
    struct state_id id;
    char node[NAME_BYTES_MAX + 1]; /* of the member that took it, the holder of that epoch */
    char uid[UID_BYTES + 1];       /* of the workload */
    uint32_t bytes;                /* in pieces of STATE_PIECE_BYTES_MAX, the last one shorter */
    uint64_t hash;                 /* of all of them */
};

void state_record_encode(const struct state_record *record, struct buffer *buffer);
bool state_record_decode(struct state_record *ret_record, struct span value);
/* Positive: a wins. By the order of their claims; of one claim the later. */
int state_record_compare(const struct state_record *a, const struct state_record *b,
                         uint64_t child_hash);

/* Somebody wants the children of a supervisor to move to where they belong, once. It goes when that
 * is done: see redistribute.c. */
struct rebalance {
    char node[NAME_BYTES_MAX + 1]; /* of the agent that was asked */
    uint64_t asked_ms;             /* its wall clock */
};

void rebalance_encode(const struct rebalance *rebalance, struct buffer *buffer);
bool rebalance_decode(struct rebalance *ret_rebalance, struct span value);

/* A value of the registry's meta: JSON text. The last write is read. */
void meta_encode(const char *value, struct buffer *buffer);
char *meta_decode(struct span value); /* the caller frees; NULL: garbage */

enum member_wish {
    WISH_IN,
    WISH_DRAINING, /* hands over what it holds, then ends */
    WISH_DETACHED, /* ends, and comes back within away_ms to what it holds */
    WISH_LEFT,
};
/* Beyond these a member's refusals are not told: the next in rank then waits for its turn. */
enum { MEMBER_DECLINED_MAX = 64, MEMBER_FULL_MAX = 16 };

struct declined {
    struct child_id child;
    uint64_t epoch; /* of the claim that was given back */
    /* 0: until it is taken back. Agents once told a time of their wall clock instead, which the
     * others may not share. */
    uint64_t until_ms;
    char reason[REASON_BYTES_MAX + 1]; /* empty: told by an agent of version 1 */
};

/* A member says of itself that it has no room. Only itself knows: nobody concludes it of another.
 */
struct full {
    char supervisor[NAME_BYTES_MAX + 1]; /* whose children it does not take; empty: anybody's */
    char reason[REASON_BYTES_MAX + 1];
    int32_t priority;  /* it takes no unclaimed child of that priority or lower */
    uint64_t until_ms; /* its wall clock; 0: until it says otherwise */
};

/* What users want of a member, said through any agent. Of several sayings, by whomever and however
 * concurrent to what the member writes itself, the one of the greatest version counts. */
struct cordon {
    bool unschedulable; /* it takes no children */
    bool drains;        /* ... and hands over those it has, but stays a member */
    uint64_t version;   /* one more at each change */
};

struct member_record {
    uint64_t join_counter; /* grows with each run of the agent: the greater wins */
    uint64_t replica, writer;
    char gossip_address[ADDRESS_BYTES_MAX + 1];
    char api_address[ADDRESS_BYTES_MAX + 1];
    char zone[NAME_BYTES_MAX + 1];
    uint32_t weight;
    uint32_t capacity;
    uint64_t cpu_milli, memory_bytes; /* for children; told once a supervisor asks for it, else 0 */
    struct cordon cordon;
    enum member_wish wish;
    uint64_t away_ms; /* DETACHED: from when it is learned */
    char agent_version[NAME_BYTES_MAX + 1];
    char runtime_name[NAME_BYTES_MAX + 1], runtime_version[NAME_BYTES_MAX + 1];
    bool runtime_healthy;
    uint64_t joined_ms;   /* wall clock */
    struct label *labels; /* owned */
    size_t label_count;
    struct declined *declined; /* owned */
    size_t declined_count;
    struct full *full; /* owned */
    size_t full_count;
};

void member_record_release(struct member_record *record);
/* In the lowest version that can say it: an agent of before reads what concerns it. */
void member_record_encode(const struct member_record *record, struct buffer *buffer);
bool member_record_decode(struct member_record *ret_record, struct span value);

#endif
