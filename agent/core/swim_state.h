/* The failure detector as its own files see it. Private to swim*.c.
 *
 *   swim.c          the public face: life cycle, what arrives, time passing
 *   swim_member.c   what we hold of each member; evidence, accusations, verdicts
 *   swim_past.c     what is remembered of some of them
 *   swim_rumour.c   what is told to whom, and how often
 *   swim_probe.c    whom to ask, and when an answer is overdue
 *   swim_relay.c    asking for others
 *   swim_circle.c   whom one deals with in a large cluster
 *   swim_timing.c   constants and arithmetic
 *   swim_message.c  bytes
 */
#ifndef AGENT_CORE_SWIM_STATE_H
#define AGENT_CORE_SWIM_STATE_H

#include "agent/core/random.h"
#include "agent/core/swim.h"
#include "agent/core/swim_message.h"
#include "agent/core/swim_timing.h"
#include "agent/core/table.h"

enum {
    SWIM_HELPERS_MAX = 3,     /* asked to probe for us */
    SWIM_FANOUT = 4,          /* told at once of news */
    SWIM_WAVES = 2,           /* how often that is done */
    SWIM_WAVE_MS = 150,       /* the time between */
    SWIM_HEALTH_MAX = 8,      /* 0 is well */
    SWIM_RELAYS_MAX = 256,    /* probes for others at one time; more get no answer */
    SWIM_ACCUSERS_MAX = 4,    /* more would not shorten a suspicion */
    SWIM_RUMOUR_BYTES = 1000, /* of rumours in one message */
    SWIM_ASK_MS = 1000,       /* silent ones are asked so often */
    SWIM_DEAD_PER_SECOND = 3, /* dead ones that are asked, if there are as many */
    SWIM_BURST = 8,           /* uninitialized ones that are asked in one go ... */
    SWIM_BURST_MS = 20,       /* ... and the time between */
    SWIM_BURSTS_MAX = 32,     /* of these in a run; then they are asked SWIM_ASK_MS apart */
    SWIM_MESH_MAX = 32,       /* above so many, only fingers are asked by plan */
    SWIM_FINGERS_MAX = 16,    /* log2(MEMBERS_MAX) and a little */
    SWIM_HEARSAY_TELLS = 4,   /* how often it is passed on that somebody lives who never died */
    SWIM_NEWCOMER_MS = 4000,  /* in a large cluster, rumours go before asking newcomers */
    SWIM_RECONNECT_MS = 2000, /* a connection without answers is made anew */
    SWIM_TELL_MS = 200,       /* the dead who speak are told so no more often */
    SWIM_CONFIRMERS = 6,      /* how many of those who hear a suspicion probe at once */
    SWIM_WATCH_PACE_MS = 10,  /* in a large cluster thousands may be watched: so often, at most */
};

#define SWIM_NEVER UINT64_MAX

/* Suspicion is not a state but something that goes on beside it.
 *
 *        heard, or told of            its suspicion ran out, or told of
 *   UNINITIALIZED ----------> ALIVE ----------> DEAD
 *         |                     ^                | greater incarnation
 *         |                     +----------------+
 *         +-- its suspicion ran out, after the start grace --> DEAD
 */
enum swim_state { STATE_UNINITIALIZED, STATE_ALIVE, STATE_DEAD, STATE_COUNT };

/* A question that waits for its answer. */
struct swim_probe {
    bool active;
    bool hinted;       /* by a broken connection: short times */
    bool asked_others; /* the direct question is overdue */
    uint32_t sequence;
    uint64_t direct_deadline_ms, deadline_ms;
    unsigned helpers, nacks;
};

struct swim_suspicion {
    bool active;
    bool hinted;
    uint64_t started_ms;
    uint64_t asked_ms;                    /* when we asked the suspect a last time; 0: not yet */
    uint64_t accusers[SWIM_ACCUSERS_MAX]; /* hashes of names */
    unsigned accuser_count;
};

/* What is remembered of those who were asked, broke or were accused. */
struct swim_past {
    uint64_t acked_ms;      /* last answer to a question of ours: both ways work */
    uint64_t hinted_ms;     /* its connection broke, and it has not answered since */
    uint64_t unanswered_ms; /* the oldest question without answer, or the last reconnect since */
    uint64_t told_ms;       /* last time it was told of its death */
    char *accuser;          /* for its rumour; owned; NULL: nobody */
};

struct swim_trouble {
    struct swim_probe probe;
    struct swim_suspicion suspicion;
};

/* All times are 0 for never, also in the past. In a large cluster most members have neither trouble
 * nor past. The rumour is the member's state when it is sent: here is only its place in the queue.
 */
struct swim_member {
    struct table_item item; /* in names; its key is the name */
    uint8_t name_bytes;
    uint8_t rumour_transmits;
    uint8_t state; /* enum swim_state */
    bool rumour_queued : 1;
    bool shutting_down : 1;
    bool changed : 1;  /* not yet told to the caller */
    bool spoke : 1;    /* dead, but something came from it: tell it soon */
    bool outdated : 1; /* what it said last was of a lesser incarnation than we know: it hears so */
    bool accused : 1;  /* at this incarnation by somebody: it hears so until it refutes */
    const char *name, *address; /* the caller's */
    uint64_t incarnation;
    struct swim_trouble *trouble; /* owned; NULL: neither probe nor suspicion; else in watched */
    struct swim_past *past;       /* owned; NULL: nothing that matters */
    uint64_t rumour_order;        /* greater is newer */
    uint64_t heard_ms;            /* last proof of life */
    uint64_t due_ms;              /* not asked by plan before */
};

/* A probe that we make for another. */
struct swim_relay {
    struct swim_member *requester, *subject;
    uint32_t requester_sequence; /* what the requester calls it */
    uint32_t sequence;           /* what we call it */
    uint64_t deadline_ms;        /* then we say that there was no answer */
};

struct swim {
    struct swim_timing timing;
    uint64_t start_grace_ms, started_ms;
    uint64_t now_ms; /* the latest time we were given */
    struct random random;
    uint8_t payload[SWIM_PAYLOAD_BYTES];
    swim_send_function send;
    void *send_context;
    struct swim_member self;      /* ours is a rumour like any other */
    struct swim_member **members; /* owned, sorted by name */
    struct table names;           /* the same, by the hashes of their names */
    struct swim_member **order;   /* the same, shuffled: the round of probes */
    struct swim_member **watched; /* those with trouble */
    struct swim_member **changed; /* not yet told to the caller */
    struct swim_member **rumours; /* by transmits, then newest first; may hold &self */
    size_t member_count, member_capacity, watched_count, watched_capacity;
    size_t changed_count, changed_capacity, rumour_count, rumour_capacity;
    /* In a large cluster: when the watched were last looked at, and are to be again. */
    uint64_t watched_looked_ms, watched_due_ms;
    size_t state_counts[STATE_COUNT];
    /* How long a suspicion goes on among so many living; what was not needed yet is 0. */
    size_t patience_live;
    uint64_t patience_ms[2][2][SWIM_ACCUSERS_MAX]; /* [hinted][shutting down][accusers - 1] */
    size_t order_cursor, uninitialized_cursor, dead_cursor, finger_cursor;
    bool dead_spoke;       /* perhaps one of the dead spoke */
    unsigned bursts, asks; /* so far; asks: since somebody was added */
    unsigned dead_asks;    /* since somebody died, while the waits between grow */
    uint64_t ask_next_ms, ask_dead_next_ms;
    struct swim_member *stranger; /* said last that it does not know us; NULL: nobody has */
    uint64_t rumour_order;
    unsigned health;
    uint32_t sequence;
    struct swim_relay relays[SWIM_RELAYS_MAX];
    size_t relay_count;
    uint64_t probe_next_ms, uninitialized_next_ms, dead_next_ms, gossip_next_ms;
    unsigned gossip_waves;
    struct buffer buffer; /* the body in the making */
};

/* swim_member.c */
struct span swim_member_name(const struct swim_member *member);
size_t swim_member_place(const struct swim *swim, struct span name); /* the first not before it */
struct swim_member *swim_member_find(const struct swim *swim, struct span name);
bool swim_member_is_probed(const struct swim_member *member);
bool swim_member_is_suspected(const struct swim_member *member);
bool swim_member_reachable(const struct swim_member *member); /* alive and not suspected */
enum placement_phase swim_member_phase(const struct swim_member *member);
size_t swim_live_count(const struct swim *swim); /* alive ones, suspects included, and ourselves */
bool swim_in_grace(const struct swim *swim);
void swim_member_release(struct swim_member *member); /* what it owns */
/* It has room for a probe and a suspicion from now on, until a tick finds neither. */
void swim_member_watch(struct swim *swim, struct swim_member *member);
void swim_member_end_probe(struct swim_member *member);
/* It spoke itself. incarnation 0: it did not say. answers: to the probe that is going on, so that
 * this is no old message. False: it is dead to us, and must first raise its incarnation. */
bool swim_member_speaks(struct swim *swim, struct swim_member *member, uint64_t incarnation,
                        bool shutting_down, bool answers);
/* We ourselves found no answer. */
void swim_member_accuse(struct swim *swim, struct swim_member *member, bool hinted);
void swim_member_die(struct swim *swim, struct swim_member *member, const char *accuser);
uint64_t swim_suspicion_deadline_ms(struct swim *swim, const struct swim_member *member);
/* A rumour that `from` told. True: `from` should hear of our answer or of our newer knowledge. */
bool swim_judge(struct swim *swim, struct swim_member *from, const struct swim_rumour_text *rumour,
                struct effects *effects);
void swim_worsen(struct swim *swim);
void swim_improve(struct swim *swim);

/* swim_past.c */
const struct swim_past *swim_past(const struct swim_member *member); /* to look at; never NULL */
struct swim_past *swim_past_of(struct swim_member *member);          /* made if it is not there */
void swim_past_unhint(struct swim_member *member);
void swim_past_answered(struct swim_member *member); /* no question waits for an answer */
/* Frees what does not matter any more. */
void swim_past_tidy(const struct swim *swim, struct swim_member *member);
void swim_past_free(struct swim_member *member);

/* swim_rumour.c */
/* urgent: a few are told at once, not only with the next probes. accuser NULL: keep. */
void swim_rumour_queue(struct swim *swim, struct swim_member *subject, const char *accuser,
                       bool urgent);
/* It is told only SWIM_HEARSAY_TELLS times from now on. */
void swim_rumour_is_hearsay(struct swim *swim, struct swim_member *subject);
void swim_rumour_drop(struct swim *swim, struct swim_member *subject);
struct swim_rumour_text swim_rumour_text(const struct swim_member *subject); /* what is said now */
/* Appends to swim->buffer what `to` should hear. */
void swim_rumour_append(struct swim *swim, const struct swim_member *to);
unsigned swim_rumour_transmits_max(const struct swim *swim);
void swim_gossip_to(struct swim *swim, struct swim_member *to, struct effects *effects);
/* Tells `to` what it is accused of, whatever we hold of it. */
void swim_gossip_accusation(struct swim *swim, struct swim_member *to,
                            const struct swim_rumour_text *accusation, struct effects *effects);
void swim_gossip_tick(struct swim *swim, struct effects *effects);
bool swim_is_among(const struct swim_member *member, struct swim_member *const *members,
                   size_t count);
/* Up to max reachable members other than `except`, at random. */
size_t swim_pick_any(struct swim *swim, const struct swim_member *except,
                     struct swim_member **ret_members, size_t max);
/* The same, in a large cluster of the fingers first. */
size_t swim_pick(struct swim *swim, const struct swim_member *except,
                 struct swim_member **ret_members, size_t max);

/* swim_probe.c */
uint32_t swim_next_sequence(struct swim *swim);
void swim_send_message(struct swim *swim, const char *address, const struct swim_member *to,
                       struct swim_message *message, struct effects *effects);
void swim_ping(struct swim *swim, struct swim_member *member, uint32_t sequence,
               struct effects *effects);
void swim_probe_start(struct swim *swim, struct swim_member *member, bool hinted,
                      struct effects *effects);
void swim_probe_acked(struct swim *swim, struct swim_member *member); /* it answered in time */
void swim_probe_tick(struct swim *swim, struct effects *effects);
uint64_t swim_probe_deadline(struct swim *swim);
/* What is due of those watched has changed: of one, or (NULL) of any. */
void swim_watched_changed(struct swim *swim, const struct swim_member *member);

/* swim_circle.c */
bool swim_is_large(const struct swim *swim);
/* Alive ones, suspects included, each once; returns how many. */
size_t swim_fingers(const struct swim *swim, struct swim_member *ret_fingers[SWIM_FINGERS_MAX]);
/* The next finger in turn that may be asked by plan, or NULL and when the first will be. */
struct swim_member *swim_finger_due(struct swim *swim, uint64_t *ret_next_ms);
size_t swim_pick_fingers(struct swim *swim, const struct swim_member *except,
                         struct swim_member **ret_members, size_t max);
void swim_ask_tick(struct swim *swim, struct effects *effects);
uint64_t swim_ask_deadline(const struct swim *swim);
void swim_ask_dead_soon(struct swim *swim); /* somebody has died */
/* Of all in this state that are not suspected. */
void swim_tell_all(struct swim *swim, const struct swim_member *to, enum swim_state state,
                   struct effects *effects);

/* swim_relay.c */
void swim_relay_begin(struct swim *swim, struct swim_member *requester,
                      const struct swim_message *message, struct effects *effects);
void swim_relay_acked(struct swim *swim, struct swim_member *subject, uint32_t sequence,
                      struct effects *effects);
void swim_relay_forget(struct swim *swim, const struct swim_member *member);
void swim_relay_tick(struct swim *swim, struct effects *effects);
uint64_t swim_relay_deadline(const struct swim *swim);

#endif
