/* Bodies of the failure detector's messages. Private to swim.
 *
 * A message is one byte of kind and flags, the sender's incarnation as two varints, what the kind
 * needs, and rumours until the end. An idle ping or acknowledgement is 21 bytes. */
#ifndef AGENT_CORE_SWIM_MESSAGE_H
#define AGENT_CORE_SWIM_MESSAGE_H

#include "agent/core/swim.h"

/* Incarnations at or above this are garbage: one more than a peer's claim never overflows. */
#define SWIM_INCARNATION_MAX (UINT64_MAX - UINT32_MAX)

enum swim_kind {
    SWIM_PING,      /* sequence, payload: are you there? */
    SWIM_ACK,       /* sequence, payload */
    SWIM_PING_REQ,  /* sequence, subject, wait_ms: ask that one for me */
    SWIM_RELAY_ACK, /* sequence, subject, its incarnation: it answered me */
    SWIM_NACK,      /* sequence, subject: it did not answer me, but I am here */
    SWIM_GOSSIP,    /* rumours only */
    SWIM_ASK,       /* sequence: whom do you hold alive? Answered by GOSSIP */
    SWIM_ASK_DEAD,  /* sequence: and whom for dead? The same */
    SWIM_KIND_COUNT,
};

enum swim_rumour_kind {
    RUMOUR_ALIVE,
    RUMOUR_SHUTTING_DOWN,
    RUMOUR_SUSPECT, /* accuser */
    RUMOUR_DEAD,    /* accuser */
    RUMOUR_KIND_COUNT,
};

struct swim_message {
    enum swim_kind kind;
    bool shutting_down; /* the sender */
    uint64_t incarnation;
    uint32_t sequence;
    bool has_payload;
    uint8_t payload[SWIM_PAYLOAD_BYTES];
    bool stranger;       /* ACK: the sender does not know whom it answers */
    struct span address; /* PING: where to answer, for those who do not know us; may be empty */
    struct span subject;
    uint64_t subject_incarnation;
    bool subject_shutting_down;
    uint64_t wait_ms;
    struct span rumours; /* decoded: well-formed */
};

struct swim_rumour_text {
    enum swim_rumour_kind kind;
    struct span name;
    uint64_t incarnation;
    struct span accuser;
};

/* Appends all but the rumours; append those with swim_rumour_encode. */
void swim_message_encode(struct buffer *buffer, const struct swim_message *message);
void swim_rumour_encode(struct buffer *buffer, const struct swim_rumour_text *rumour);

/* False: garbage. What ret points to is borrowed from the body. */
bool swim_message_decode(struct swim_message *ret_message, struct span body);
/* The next of message.rumours; false at the end. */
bool swim_rumour_decode(struct reader *reader, struct swim_rumour_text *ret_rumour);

#endif
