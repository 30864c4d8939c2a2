/* What a workload may ask of this node's engine beyond a container of its own: the operator says it
 * with the agent's flags, and it may differ from node to node. Pure.
 *
 * It is held against a document twice: when it is written, by the agent that is asked (403), and
 * when a child of it is to be started, by the agent that would start it. */
#ifndef AGENT_CODEC_POLICY_H
#define AGENT_CODEC_POLICY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/core/error.h"

enum {
    POLICY_PATHS_MAX = 64,
    POLICY_CAPABILITIES_MAX = 64,
    POLICY_PROTECTED_MAX = 16,
};

/* Zeroed memory allows nothing. All texts are borrowed. */
struct policy {
    bool privileged, host_network;
    char *const *host_paths; /* and what is below them; "/": everything, also what is protected */
    size_t host_path_count;
    char *const *capabilities; /* without CAP_; ALL: any. Those that engines give are always free */
    size_t capability_count;
    /* The engine's socket, our own data, keys, config: who can mount them has the node, or the
     * cluster. No path above them allows them. */
    const char *protected_paths[POLICY_PROTECTED_MAX];
    size_t protected_count;
};

/* The spec of a stored workload document. policy NULL: everything is allowed. On failure err
 * (ERROR_FORBIDDEN) names the field and the flag that would allow it. */
int policy_check(const struct policy *policy, const cJSON *spec, struct error *err);
/* The same, from the text of the whole document. */
int policy_check_document(const struct policy *policy, const char *document, struct error *err);

/* Whether it is the same path, or below it; "//" and "/./" are as "/". Not for paths with "..". */
bool policy_path_is_below(const char *path, const char *above);
bool policy_path_has_dot_dot(const char *path);

#endif
