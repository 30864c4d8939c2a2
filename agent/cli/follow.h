/* List once, then take in what changes: for `get -w`, `wait`, `apply --wait`.
 *
 * The functions may ask the agent themselves, with another client. Goes on for ever, over restarts
 * of the agent and lost connections: when the agent cannot say what has changed since, it is listed
 * again. */
#ifndef AGENT_CLI_FOLLOW_H
#define AGENT_CLI_FOLLOW_H

#include "agent/cli/api_client.h"

/* Both return 0 to go on; anything greater ends it and is returned. What they are given is
 * borrowed. */
struct follower {
    void *context;
    int (*listed)(void *context, const cJSON *items); /* all there is: first, and after a gap */
    int (*changed)(void *context, const char *type, const cJSON *object); /* no bookmarks */
    int (*idle)(void *context); /* about once a second; NULL: never */
};

/* path: of a collection, may have a query. deadline_ms: monotonic, 0: none. Returns what a function
 * of the follower returned; 0: the time is over; -1: err is set (at the first list also when there
 * is no agent; later an agent that is away is waited for). */
int follow(struct api_client *client, const char *path, uint64_t deadline_ms,
           const struct follower *follower, struct error *err);

#endif
