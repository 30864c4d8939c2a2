/* One child on this node: what to do about it now (child_decide.c), and what it takes. */
#ifndef AGENT_CORE_CHILD_H
#define AGENT_CORE_CHILD_H

#include "agent/core/local.h"
#include "agent/core/store.h"

struct container;
struct event;
struct node;
struct operation;
struct request;

/* claim.c: whose it is */
bool claim_is_ours(const struct node *node, const struct claim *claim);
bool claim_holder_is_lost(const struct node *node, const struct claim *claim);
bool member_life_is_lost(const struct node *node, const char *name, uint64_t replica);
bool claim_is_adoptable(const struct node *node, const struct claim *claim);
/* The request comes from the container of a claim that we hold: child (NULL: none), epoch, uid. */
bool claim_is_askers(const struct node *node, const struct child *child,
                     const struct request *request);
/* It has ended for good under the present spec: nobody waits for it, it will never be ready. */
bool child_is_over(const struct child *child);
struct dot claim_write(struct node *node, struct child *child, enum claim_state state,
                       uint64_t epoch, uint64_t spec_hash);
/* Our own claim as it is, or released, with this offer. */
void claim_write_offer(struct node *node, struct child *child, enum claim_state state,
                       const struct offer *offer);
void claim_repeat(struct node *node, struct child *child);

/* child_decide.c: what to do about one child now */
void child_decide(struct node *node, struct child *child);
/* It is free, or was offered to us. lost: its holder was lost with it. */
void child_claim(struct node *node, struct child *child, bool lost);
void child_remember(struct node *node, struct child *child); /* see remember_ms */
void child_wake(struct child *child, uint64_t at_ms);
/* Our container of a child that somebody has merely reserved since; NULL: none. */
struct local_container *child_reserved_elsewhere(const struct node *node,
                                                 const struct child *child);

/* child_run.c: containers of a child that we hold */
void child_run(struct node *node, struct child *child);
/* Ends and removes containers except the one kept (NULL: all). True when none is left besides it.
 */
bool child_clear(struct node *node, struct child *child, const struct local_container *keep);
bool child_image_is_here(const struct node *node, const struct child *child);
void child_pull(struct node *node, struct child *child);
/* For so long that another member should try. */
bool child_pull_is_failing(const struct node *node, const struct child *child);
/* Since when it runs, as its probes and its back-off count it. */
void child_note_running(struct node *node, struct child *child,
                        const struct local_container *container);
void child_request_stop(struct node *node, struct child *child, struct local_container *container);
bool child_start_now(struct node *node,
                     struct child *child); /* from the queue: false: not any more */
struct local_container *child_container(const struct node *node, const struct child *child);

/* child_restart.c: back-off, and the judgement over what has ended */
enum { BACKOFF_RESET_MS = 600000 }; /* up for so long: all is forgiven */
uint64_t backoff_ms(uint32_t level);
void child_back_off(struct node *node, struct child *child);
#define TERMINATED_MESSAGE \
    "terminated by a user; it runs again when it is deleted or its spec changes"
struct dot child_finish(struct node *node, struct child *child, uint64_t spec_hash, uint64_t epoch,
                        const char *reason, const char *message);
void child_judge_end(struct node *node, struct child *child, const struct container *container);
void child_judge_lost(struct node *node, struct child *child);
bool child_end_is_known(const struct child *child, const struct container *container);
void child_load_state(struct node *node, struct child *child);

/* escalate.c: onIntensityExceeded: escalate */
void escalate_count(struct node *node, const char *name, const struct supervisor *supervisor);
/* Since it has given up that supervisor's children this node leaves them to others, until then. */
uint64_t escalate_away_ms(const struct node *node, const char *supervisor);

/* expire.c: ttlSecondsAfterFinished */
void child_expire(struct node *node, struct child *child);

/* child_update.c: when a container of an old spec may go, and one of the new may come */
bool child_may_replace(struct node *node, struct child *child);
bool child_must_wait_for_recreate(struct node *node, struct child *child);
void child_note_ready(struct node *node, struct child *child);
void child_note_progress(struct node *node, struct child *child); /* after the decision */
void child_judge_unhealthy(struct node *node, struct child *child,
                           const struct local_container *container);

/* probe.c: of a running container: is it ready, must it end? */
void child_probe(struct node *node, struct child *child, struct local_container *container);
void probe_done(struct node *node, struct child *child, const struct operation *operation,
                const struct event *event);
void probe_thaw(struct node *node);

/* child_status.c: what is told of it */
bool child_ended_well(const char *reason); /* of itself, or because a user terminated it */
void child_status_update(struct node *node, struct child *child);
struct status child_status_now(const struct node *node, const struct child *child);
void child_status_tell(struct node *node, struct child *child); /* now, whatever the pace */
/* Of who has ended for good, and whose containers are gone, what was last told is not that: whoever
 * waits for the last of an old spec to end would wait for ever. */
void child_status_tell_end(struct node *node, struct child *child);
/* Before the claim is given up: restarts and level, if they are not told yet. */
void child_status_keep_level(struct node *node, struct child *child);

/* state.c: what a child leaves to its successor */
void state_put(struct node *node, const struct request *request);
void state_delete(struct node *node, const struct request *request);
void state_update(struct node *node, struct child *child); /* by the holder: what is over goes */
void state_remove_all(struct node *node, const struct child *child);

#endif
