/* hordelet get -w: a table that is kept up to date.
 *
 * On a terminal it is drawn anew at each change; elsewhere, and when it does not fit the terminal,
 * each change is one more line, and what is gone says so. */
#ifndef AGENT_CLI_GET_WATCH_H
#define AGENT_CLI_GET_WATCH_H

#include "agent/cli/api_client.h"
#include "agent/cli/output.h"

struct get_watch {
    enum api_resource resource;
    const char *path; /* of the collection, with its selectors */
    enum output_format format;
    bool with_namespace, managed_fields;
    uint64_t deadline_ms; /* monotonic; 0: none */
};

/* 0: the time is over; -1: err is set. */
int get_watch(struct api_client *client, const struct get_watch *what, struct error *err);

#endif
