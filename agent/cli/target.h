/* Which objects a command line means: KIND, KIND NAME..., KIND/NAME..., KIND,KIND. */
#ifndef AGENT_CLI_TARGET_H
#define AGENT_CLI_TARGET_H

#include "agent/cli/text_list.h"
#include "agent/codec/api_routes.h"
#include "agent/core/error.h"

struct target {
    enum api_resource resource;
    const char *name; /* borrowed; NULL: all of them */
};

/* Zeroed memory is an empty list. */
struct targets {
    struct target *items; /* owned */
    size_t count;
};

void targets_release(struct targets *targets);
/* ERROR_INVALID: no such kind, a kind without a name where others have one, nothing at all.
 * Released on failure. */
int targets_parse(struct targets *ret_targets, const struct text_list *arguments,
                  struct error *err);
/* A kind as people write it: plural, singular, short, Capital, with the group behind it. kind_bytes
 * of kind count. */
int target_resource(enum api_resource *ret_resource, const char *kind, size_t kind_bytes,
                    struct error *err);

#endif
