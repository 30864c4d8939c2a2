/* Who belongs, who lives, and who is away: membership.c, membership_greet.c (how members meet),
 * membership_member.c (what is held of each), membership_record.c (what each says of itself),
 * membership_suggest.c (whom discovery names), absence.c. */
#ifndef AGENT_CORE_MEMBERSHIP_H
#define AGENT_CORE_MEMBERSHIP_H

#include "agent/core/envelope.h"
#include "agent/core/index.h"
#include "agent/core/store.h"
#include "placement/strategy.h"

struct node;

struct contact { /* an address where we try to join */
    char address[ADDRESS_BYTES_MAX + 1];
    uint64_t next_ms;
    uint32_t tries;
    bool seed;      /* somebody gave it to us: it is asked again if who welcomed us is forgotten */
    bool suggested; /* by discovery, and nobody else: see membership_suggest.c */
    char member[NAME_BYTES_MAX + 1]; /* who has welcomed us there; empty: nobody yet */
};

enum {
    GREET_EVERY_MS = 30000,
    GREET_STRANGER_MS = 1000,
    GREET_STRANGER_FIRST_MS = 5000, /* from the start on */
    NOTED_ALIVE_MAX = 32,           /* in clusters of more, who is alive is no news */
};

struct member_past { /* what is known of members that were met, or not there */
    char *address;   /* owned, as it is not the record's; NULL: it is */
    uint64_t met_replica,
        met_boot;             /* as it said at the last meeting in this run; replica 0: none */
    uint64_t dead_ms;         /* since when, 0: not dead */
    uint64_t absent_run;      /* the run whose detach was last noted, 0: none; see absence.c */
    uint64_t absent_until_ms; /* 0: not, or not any more */
};

struct member {          /* somebody we talk to, recorded in the map or only just met */
    const char *address; /* its record's or its past's; swim and sync borrow it, and the name */
    struct member_past *past; /* owned; NULL: all of it is zero */
    bool recorded;            /* has a record in the map that is not `left` */
    char name[];
};

/* SUGGESTED_MAX places are for those of discovery alone: whatever a disk remembers, there is room
 * for what is true today. */
enum { CONTACTS_MAX = 128, SUGGESTED_MAX = 32 };

struct membership {
    struct index members; /* name -> struct member; never ourselves */
    struct contact contacts[CONTACTS_MAX + SUGGESTED_MAX];
    size_t contact_count;
    size_t suggested_next;  /* among the suggestions; 0: not asked at any yet */
    bool suggested_alone;   /* the last suggestion named us and nobody else */
    bool record_dirty;      /* our own record must be written again */
    uint64_t record_due_ms; /* ... but not before */
    enum member_wish wish;
    struct cordon cordon;
    bool drained_told;   /* since it drains: that nothing is left here */
    uint64_t refused_ms; /* since when our name is refused, 0: not */
    char refusal[MESSAGE_BYTES_MAX + 1];
    uint64_t stranger_ms; /* when one who does not know us may be greeted */
    uint64_t greet_ms;    /* when a member is greeted again, in case we were forgotten */
    uint64_t absence_ms;  /* when the first absence may be over; UINT64_MAX: there is none */
    uint64_t compare_ms;  /* when to try the next comparison while none has worked */
    uint64_t forget_ms;   /* when to look again for who has been dead for too long */
    uint64_t started_ms;
    bool settled;        /* see membership_is_settled */
    uint64_t generation; /* grows when anything that placement looks at changes */
    struct declined declined[MEMBER_DECLINED_MAX];   /* of ours; the oldest first */
    uint64_t declined_until_ms[MEMBER_DECLINED_MAX]; /* when each is taken back */
    size_t declined_count;
    struct full full[MEMBER_FULL_MAX]; /* as told; see room.c */
    size_t full_count;
    bool full_dirty; /* ... and to be told in this tick */
};

void membership_start(struct node *node);
struct store_listener membership_listener(struct node *node);
void membership_release(struct node *node);
void membership_message(struct node *node, const struct envelope *envelope);
void membership_tick(struct node *node);
uint64_t membership_deadline(const struct node *node);
void membership_thaw(struct node *node);
bool membership_add_contact(struct node *node, const char *address, bool seed);
struct contact *membership_contact(struct node *node, const char *address); /* or NULL */
/* There must be a place. */
struct contact *membership_contact_new(struct membership *membership, const char *address);
/* Nobody else has ever been heard of: there is nobody to compare with. */
bool membership_is_alone(const struct node *node);
void membership_suggest(struct node *node, const char *const *addresses, size_t count);
/* The member is dropped: seeds where it has welcomed us are asked again. */
void membership_reopen_contacts(struct node *node, const char *member);
void membership_set_wish(struct node *node, enum member_wish wish);
void membership_record_changed(struct node *node);
/* A member may run it, but its policy does not allow it (RUNTIME_REFUSED). */
#define DECLINED_NOT_ALLOWED "NotAllowed"
/* Why it has declined the child, or NULL. */
const char *membership_decline_reason(const struct node *node, const struct member_record *record,
                                      const struct child *child);
bool membership_declined(const struct node *node, const struct member_record *record,
                         const struct child *child);
/* For five minutes by our monotonic clock: then our record does not say so any more. */
void membership_decline(struct node *node, const struct child *child, uint64_t epoch,
                        const char *reason);
void membership_declined_tick(struct node *node);
/* We have, whatever our record in the map says yet. */
bool membership_declines(const struct node *node, const struct child *child);
void membership_write_record(struct node *node); /* membership_record.c */
/* Placement must be thought over: for all, or for what a change of this member may concern. */
void membership_bump(struct node *node);
void membership_bump_for(struct node *node, const char *name);
/* membership_member.c */
struct member *member_find(const struct node *node, const char *name);
struct member *member_make(struct node *node, const char *name);
void member_drop(struct node *node, struct member *member);
void member_free(void *member);
/* Where it is from now on; whether it is a peer to push to follows from its phase. */
void member_address(struct node *node, struct member *member, const char *address);
/* The same for the address alone. To be called whenever the record changes, while the one before
 * is still there: the address may be that one's. */
void member_keep_address(struct node *node, struct member *member, const char *address);
void member_set_dead(struct member *member, uint64_t since_ms);     /* 0: it is not */
const struct member_past *member_past(const struct member *member); /* to look at; never NULL */
struct member_past *member_past_of(struct member *member);          /* made if need be */
void member_past_tidy(struct member *member); /* frees it if all of it is zero */
bool member_phase_is_reachable(enum placement_phase phase);
/* membership_greet.c */
void membership_try_contacts(struct node *node);
void membership_greet_again(struct node *node, const struct member *member);
/* Compared with a peer, or nobody answered for SYNC_BEFORE_WRITE_MS, or nobody is known. */
bool membership_is_settled(const struct node *node);
/* No reachable member's name comes before ours: what any may do, but one should, is ours. */
bool membership_is_first(const struct node *node);
enum placement_phase member_phase(const struct node *node, const char *name);
const char *member_phase_text(const struct node *node, const char *name);
void node_send(struct node *node, const char *address, enum message_type type,
               const struct buffer *body);
void node_send_bulk(struct node *node, const char *address, enum message_type type,
                    const struct buffer *body);

/* --- absence.c: who is away while its containers live on -------------------------------------- */

/* It has said that it will be back, and its time is not over: what it holds is left to it. */
bool member_is_absent(const struct node *node, const char *name);
void absence_note(struct node *node, struct member *member, const struct member_record *record);
void absence_tick(struct node *node);
void absence_thaw(struct node *node); /* we were away: nobody's time ends before we could hear it */

#endif
