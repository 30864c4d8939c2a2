/* One object with all that belongs to it, as text for people: fields, owners, spec, conditions, the
 * objects related to it, events. Pure: what it shows has been fetched before. */
#ifndef AGENT_CLI_DESCRIBE_H
#define AGENT_CLI_DESCRIBE_H

#include "agent/codec/api_routes.h"
#include "agent/codec/json.h"

enum { DESCRIBE_RELATED_MAX = 2 };

struct described {
    enum api_resource resource;
    const cJSON *object;
    struct {
        const char *title;
        enum api_resource resource;
        const cJSON *items; /* an array */
    } related[DESCRIBE_RELATED_MAX];
    size_t related_count;
    const cJSON *events; /* an array, the oldest first; NULL: they could not be had */
    uint64_t now_ms;     /* wall clock, for ages */
};

void describe_print(struct buffer *out, const struct described *described);

#endif
