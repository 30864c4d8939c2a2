/* --wait: until a workload is as it should be. */
#ifndef AGENT_CLI_ROLLOUT_H
#define AGENT_CLI_ROLLOUT_H

#include "agent/cli/api_client.h"

#define ROLLOUT_TIMEOUT_MS (5 * 60 * 1000)

/* When to give up: monotonic milliseconds. Started once, shared by all that is waited for. */
struct rollout_clock {
    uint64_t deadline_ms;
    uint64_t pause_ms; /* before the next look; grows from 200 ms to 1 s */
    bool quiet;        /* set after the start: nothing is printed on the way */
};

void rollout_clock_start(struct rollout_clock *clock, uint64_t timeout_ms);
/* Sleeps a little and bounds the client's next request. False: the time is over. */
bool rollout_clock_wait(struct rollout_clock *clock, struct api_client *client);
void rollout_clock_reset(struct rollout_clock *clock); /* something has changed: look again soon */

/* Until updatedReplicas == replicas == spec.replicas, and observedGeneration is the generation.
 * Prints a line at each change, of the workload and of each child. -1: out of time (the text says
 * what is missing, child by child), the update does not get on (Progressing is False), gone, or the
 * agent says no. */
int rollout_wait_ready(struct api_client *client, const char *ns, const char *name,
                       struct rollout_clock *clock, struct error *err);
/* Until a workload that was deleted has no children left. */
int rollout_wait_gone(struct api_client *client, const char *ns, const char *name,
                      struct rollout_clock *clock, struct error *err);

/* --- Pure, for tests --- */

/* True: nothing is missing. Appends "2 of 3 replicas are ready". */
bool rollout_is_ready(const cJSON *workload, struct buffer *progress);
/* Why it does not get on, if its condition Progressing is False; borrowed. NULL: it does. */
const char *rollout_failure(const cJSON *workload);
/* Appends a line for each child that is not ready. */
void rollout_describe_missing(const cJSON *children, struct buffer *text);

#endif
