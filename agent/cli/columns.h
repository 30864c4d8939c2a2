/* What `get` shows of each kind of object. */
#ifndef AGENT_CLI_COLUMNS_H
#define AGENT_CLI_COLUMNS_H

#include "agent/codec/api_routes.h"
#include "agent/codec/json.h"

struct columns_options {
    bool wide;           /* -o wide */
    bool with_namespace; /* of all namespaces: say which */
    bool colours;        /* output_has_colours() */
    uint64_t now_ms;     /* wall clock, for ages */
};

/* items: an array of objects of one resource. */
void columns_print(struct buffer *buffer, enum api_resource resource, const cJSON *items,
                   const struct columns_options *options);
/* "name node address:port" and a newline: a Name as `lookup` shows it. */
void columns_print_lookup(struct buffer *buffer, const cJSON *name);

#endif
