/* The keys of the replicated map (design section 4): one letter, a slash, the path. Printed into
 * fixed buffers, parsed back with every part checked. */
#ifndef AGENT_CORE_KEY_H
#define AGENT_CORE_KEY_H

#include "agent/core/ident.h"

enum key_kind {
    KEY_UNKNOWN,
    KEY_WORKLOAD,
    KEY_SUPERVISOR,
    KEY_CLAIM,
    KEY_STATUS,
    KEY_NAME,
    KEY_MEMBER,
    KEY_ELECTORATE, /* of a supervisor */
    KEY_META,
    KEY_STATE, /* which of the states that a child has left counts */
    KEY_PIECE, /* a part of one */
    KEY_REBALANCE,
};

/* A state that a child has left: of this epoch, taken by this member, at this time of its hybrid
 * clock. Its pieces are written once and never changed. */
struct state_id {
    uint64_t epoch, replica, stamp;
};

enum { STATE_PIECES_MAX = STATE_BYTES_MAX / STATE_PIECE_BYTES_MAX };
enum { KEY_TEXT_BYTES_MAX = CHILD_ID_TEXT_BYTES_MAX + 64 };

struct key {
    char text[KEY_TEXT_BYTES_MAX];
    size_t bytes;
};

struct key key_workload(const char *ns, const char *name);
struct key key_supervisor(const char *name);
struct key key_rebalance(const char *supervisor);
struct key key_claim(const struct child_id *id);
struct key key_status(const struct child_id *id);
struct key key_name(const char *ns, const char *name);
struct key key_meta(const char *ns, const char *name);
struct key key_state(const struct child_id *id);
struct key key_piece(const struct child_id *id, const struct state_id *state, uint32_t index);
struct key key_member(const char *node);
struct key key_electorate(const char *supervisor);
struct span key_span(const struct key *key);

struct key_parts {
    enum key_kind kind;
    struct child_id child;         /* CLAIM, STATUS, STATE, PIECE */
    struct state_id state;         /* PIECE */
    uint32_t index;                /* PIECE */
    char ns[NAME_BYTES_MAX + 1];   /* WORKLOAD, NAME, META */
    char name[NAME_BYTES_MAX + 1]; /* WORKLOAD, SUPERVISOR, NAME, META, and the rest */
};

/* KEY_UNKNOWN for anything that is not one of ours: kept and replicated, not looked at. */
struct key_parts key_parse(struct span key);

#endif
