/* Failure detection: who is alive. A pure algorithm; time is an argument, messages are bytes,
 * randomness is a seed.
 *
 * Das, Gupta, Motivala: "SWIM" (2002), with the refinements of Dadgar, Phillips, Currey:
 * "Lifeguard" (2018): local health stretches timeouts, suspicion shortens with independent
 * confirmations, a suspected member is told with priority. Who *belongs* is not decided here: the
 * caller says which members there are (swim_add, swim_remove). Every member starts `uninitialized`
 * in this run, and is declared dead only when it was heard before or the start grace has passed.
 *
 * Our additions (design section 5): a broken connection starts a probe at once (swim_hint_broken);
 * dead members go on being probed, one a second, three if there are more; a frozen observer
 * (swim_thaw) drops its pending verdicts; a connection without an answer for 2 s is made anew
 * (EFFECT_RECONNECT).
 *
 * The caller ticks when swim_deadline has passed, after all messages that wait: a deadline in the
 * past means "now". */
#ifndef AGENT_CORE_SWIM_H
#define AGENT_CORE_SWIM_H

#include "agent/core/effect.h"
#include "agent/core/node.h"
#include "placement/strategy.h"

struct swim;

struct swim_config {
    const char *self_name; /* borrowed until swim_free, like the address */
    const char *self_address;
    uint64_t boot; /* grows with each run, below 2^32 - 1: later runs, greater incarnations */
    enum profile profile;
    uint64_t start_grace_ms;
    uint64_t seed;
};

enum { SWIM_PAYLOAD_BYTES = 16 };

struct swim *swim_new(const struct swim_config *config, uint64_t now_ms);
void swim_free(struct swim *swim);

/* Who belongs. Adding one that is there updates its address; adding ourselves does nothing. The
 * texts are borrowed: the name until swim_remove, the address until that or the next swim_add. */
void swim_add(struct swim *swim, const char *name, const char *address);
void swim_remove(struct swim *swim, const char *name);

/* Sixteen bytes that ride on every probe and acknowledgement of ours (the map's digest summary).
 * With up to five peers each of them is met about once a second. */
void swim_set_payload(struct swim *swim, const uint8_t payload[SWIM_PAYLOAD_BYTES]);
/* We are draining: others wait four times as long before they call us dead. */
void swim_set_shutting_down(struct swim *swim, bool shutting_down);

/* A body of a swim message (the envelope is the caller's), sent by the member `from`. False:
 * garbage, ignored. *ret_has_payload: the message carried the sender's 16 bytes. Senders that do
 * not belong are answered if they probe and say where they are (who gets no answer does), but not
 * added. */
bool swim_receive(struct swim *swim, uint64_t now_ms, const char *from, struct span body,
                  struct effects *effects, bool *ret_has_payload,
                  uint8_t ret_payload[SWIM_PAYLOAD_BYTES]);
/* Anything else that proves `name` alive now (a message of another kind came from it in this run).
 * The dead do not rise by it: they are asked at once, and raise their incarnation. */
void swim_heard(struct swim *swim, uint64_t now_ms, const char *name);
/* The connection to this address broke. Not to be called for one that EFFECT_RECONNECT or
 * EFFECT_DISCONNECT closed. */
void swim_hint_broken(struct swim *swim, uint64_t now_ms, const char *address,
                      struct effects *effects);
/* This process was away until now: drop pending probes, restart suspicions, worsen local health.
 * Call it before the messages that arrived meanwhile. */
void swim_thaw(struct swim *swim, uint64_t now_ms);
void swim_tick(struct swim *swim, uint64_t now_ms, struct effects *effects);
uint64_t swim_deadline(struct swim *swim);

/* Verdicts. Phases here are UNINITIALIZED, ALIVE, SUSPECT, DEAD, SHUTTING_DOWN. Unknown names are
 * UNINITIALIZED. One that was never heard, or is shutting down, is never presented as SUSPECT. */
enum placement_phase swim_phase(const struct swim *swim, const char *name);
size_t swim_dead_count(const struct swim *swim);
uint64_t swim_incarnation(const struct swim *swim, const char *name);
/* A member that has said since the last call that it does not know us (borrowed until swim_remove),
 * or NULL. */
const char *swim_take_stranger(struct swim *swim);
bool swim_has_changes(const struct swim *swim);
/* Members whose phase changed, or that are a later run, since the last call: writes up to max names
 * in order (borrowed until swim_remove) and forgets them. */
size_t swim_changes(struct swim *swim, const char **ret_names, size_t max);

/* How a message is wrapped is the caller's business: swim calls this to send. Body is borrowed.
 * Without it bodies go out bare. */
typedef void (*swim_send_function)(void *context, const char *address, struct span body,
                                   struct effects *effects);
void swim_set_send(struct swim *swim, swim_send_function send, void *context);

#endif
