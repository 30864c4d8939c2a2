/* Who may run a child: ranking.c (in which order), load.c and room.c (who has room), quorum.c
 * (whether the strategy lets anybody). */
#ifndef AGENT_CORE_RANKING_H
#define AGENT_CORE_RANKING_H

#include "agent/core/store.h"
#include "placement/ring.h"
#include "placement/strategy.h"

struct node;

enum quorum {
    QUORUM_HELD,    /* always, if the strategy does not vote */
    QUORUM_UNKNOWN, /* those of whom nothing was heard yet may make it: nothing starts or stops */
    QUORUM_LOST,
    QUORUM_NO_ELECTORATE, /* the strategy votes, and no electorate is in effect */
    QUORUM_CONFLICT,      /* two are */
};

/* Members of further zones count as those of the last: few clouds have more than a handful. */
enum { ZONES_MAX = 16 };

struct supervisor_plan { /* the members of one supervisor, prepared */
    char name[NAME_BYTES_MAX + 1];
    uint64_t generation; /* of the membership, at the last look */
    bool outdated;       /* to be built anew: what is borrowed may be gone */
    bool members_auto;
    const struct placement_strategy *strategy;
    struct placement_member *members;     /* names and zones are borrowed */
    const struct member_record **records; /* borrowed */
    uint32_t self;                        /* our index, RANK_NONE: not a member */
    size_t selective;    /* members that refuse something: eligibility differs per child */
    uint64_t able_sum;   /* of the places of those that may run anything, hashed */
    uint64_t count_turn; /* the tick in which own_claims was counted */
    uint32_t own_claims;
    uint64_t others_turn; /* ... and in which others_room was */
    int64_t others_room;
    uint32_t max_children; /* 0: no limit */
    uint64_t room_ms;      /* we have said that there is room again: nothing is taken before */
    size_t zone_count;     /* different ones among the members; at most ZONES_MAX */
    char zones[ZONES_MAX][NAME_BYTES_MAX + 1];  /* sorted */
    struct placement_member *judged;            /* the members, as judged for one child; or NULL */
    size_t count, eligible;                     /* members; those that may take anything */
    enum quorum quorum, quorum_seen;            /* now; at the last look of quorum_tick */
    char quorum_message[MESSAGE_BYTES_MAX + 1]; /* of no electorate, or a conflict */
    uint64_t regained_ms; /* when we had a quorum again: what the others did meanwhile comes soon */
    uint64_t ring_hash;   /* of the names and weights that the ring was built from */
    uint64_t load_turn;   /* the turn in which the members' loads were counted: load.c */
    uint64_t able_hash, changed_ms; /* who may run anything, and since when it has been so */
    struct ring ring;
};

struct ranking {
    uint64_t quorum_generation; /* of membership, at the last look */
    struct index plans;         /* supervisor name -> struct supervisor_plan */
};

/* Who has a quorum again hears first what the others did meanwhile. */
enum { QUORUM_REGAINED_MS = 1000 };
enum { RANKS_MAX = 64 };
enum { DRAWS_MAX = 64 }; /* of two members the same one is not drawn so often in a row */
enum { RANK_NONE = UINT32_MAX };

/* The candidates for a child, in order of rank. A child is placed as if it were free: of its holder
 * it only counts whether it may go on there. */
struct candidates {
    uint32_t holder; /* RANK_NONE: it is free */
    uint64_t epoch;
    uint32_t ranks[RANKS_MAX];
    size_t count;
    bool no_room;   /* somebody could have run it, but has no room */
    bool full_here; /* ... and that is us */
};

/* holder and epoch are given. */
void ranking_choose(struct node *node, struct supervisor_plan *plan, const struct child *child,
                    struct candidates *candidates);
uint32_t ranking_find(const struct supervisor_plan *plan, const char *name);
bool ranking_labels_match(const struct member_record *record, const struct workload *workload);
bool ranking_has_room(struct node *node, struct supervisor_plan *plan, size_t at,
                      const struct child *child);
/* The child may stay with that member, its holder. */
bool ranking_may_keep(const struct supervisor_plan *plan, size_t at, const struct child *child);
void ranking_release(struct node *node);
void ranking_supervisor_changed(struct node *node, const char *name);
/* What the plans have of that member, or of any. Of a record while the one before is still there.
 */
void ranking_member_changed(struct node *node, const char *name);
void ranking_members_changed(struct node *node);
void ranking_check(const struct node *node); /* asserts */
/* The supervisor's values; the two that exist from the start need no document. False: no such
 * supervisor. */
bool ranking_supervisor(const struct node *node, const char *name, struct supervisor *ret_borrowed);
struct supervisor_plan *ranking_plan(struct node *node,
                                     const char *supervisor); /* NULL: no such supervisor */
/* Our rank among the candidates for the child, which is free, or RANK_NONE; *ret_reason and
 * *ret_message say why nobody can ("" if others can). If only room is lacking here, the others are
 * told so. */
uint32_t ranking_of_self(struct node *node, const struct child *child, const char **ret_reason,
                         const char **ret_message);
/* Its strategy looks at what children ask for: who has no room may have some at any moment. */
bool ranking_weighs(struct node *node, const struct child *child);
bool ranking_has_other(struct node *node,
                       const struct child *child); /* somebody else could take it */
/* Who is to run it, while another member holds it, and in which epoch, greater than all that are
 * known here. NULL: it stays. */
const char *ranking_preferred(struct node *node, const struct child *child, uint64_t *ret_epoch);
/* That member may take it, of itself and as far as it has room. If that is us, and we have none,
 * the others are told so. */
bool ranking_would_take(struct node *node, const struct child *child, const char *member);
/* The supervisor's members are a list, and we do not stand in it. */
bool ranking_excludes_self(struct node *node, const struct child *child);
/* We are the one who removes what nobody holds: the first alive member in ring order, whatever the
 * supervisor, which may be gone. */
bool ranking_cleans_up(struct node *node, const struct child *child);
/* When our turn to claim it comes, having had this rank since it was free. */
uint64_t ranking_turn_ms(struct node *node, const struct child *child, uint32_t rank);

/* --- load.c: what children ask for, of what members have -------------------------------------- */

/* Counts it for the turn, if the plan's strategy weighs it at all. */
void load_refresh(struct node *node, struct supervisor_plan *plan);
void load_put(struct supervisor_plan *plan, size_t at, const struct child *child);
void load_take(struct supervisor_plan *plan, size_t at, const struct child *child);
/* Beside what is counted there. Always, if the strategy does not weigh it. */
bool load_fits(const struct supervisor_plan *plan, size_t at, const struct child *child);

/* --- room.c: how many children we may hold, and who is told ----------------------------------- */

bool room_here(struct node *node, struct supervisor_plan *plan);
void room_note_claim(struct node *node, const struct child *child); /* we claim it in this tick */
/* The member has said that it takes no such child. */
bool room_is_refused(const struct node *node, const struct member_record *record,
                     const char *supervisor, int32_t priority);
/* The others have room for one more of its children, as far as claims tell: that one leaves here
 * now. What is on its way already is counted. */
bool room_elsewhere(struct node *node, struct supervisor_plan *plan);
void room_tell_full(struct node *node, const struct supervisor_plan *plan);
void room_tick(struct node *node);
/* In the same push as the claims that fill us: who hears the one without the other would take what
 * we have claimed. */
void room_tell(struct node *node);
/* Who comes first where room is scarce: by priority, if it differs. */
void room_order(struct child **children, size_t count);

/* --- quorum.c: what people and placement see of it -------------------------------------------- */

enum quorum quorum_of(const struct node *node, const struct supervisor *supervisor);
void quorum_explain(const struct supervisor_plan *plan, const struct child *child,
                    const char **ret_reason, const char **ret_message);
/* Why there is no electorate, or none that counts, and what to do. */
void quorum_message(const struct node *node, const struct supervisor *supervisor,
                    char ret_message[MESSAGE_BYTES_MAX + 1]);
void quorum_tick(struct node *node);

#endif
