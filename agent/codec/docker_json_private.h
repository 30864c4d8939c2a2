/* Shared by the docker_json_*.c files only. */
#ifndef AGENT_CODEC_DOCKER_JSON_PRIVATE_H
#define AGENT_CODEC_DOCKER_JSON_PRIVATE_H

#include "agent/codec/docker_json.h"
#include "agent/codec/json.h"

/* A container's environment in order. Zeroed memory is an empty one. */
struct environment {
    struct environment_variable {
        char *name, *value;
    } * variables;
    size_t count;
    size_t expanded_bytes; /* of all expansions so far */
};

void environment_release(struct environment *environment);
/* Replaces an earlier one of that name. Copies. -1: too many. */
int environment_set(struct environment *environment, const char *name, const char *value,
                    struct error *err);
/* The text with $(NAME) replaced as Kubernetes does; the caller frees. NULL: the result would be
 * too long (values that double each other grow exponentially). */
char *environment_expand(struct environment *environment, const char *text, struct error *err);

/* One create body in the making. */
struct docker_create {
    const struct docker_start *start;
    const cJSON *spec, *container; /* of the document */
    cJSON *body, *host;            /* host is body.HostConfig */
    struct environment environment;
    struct error *err;
};

/* The agent's API is reached from within: not with apiAccess: false. */
bool docker_create_has_api(const struct docker_create *create);
int docker_create_mounts(struct docker_create *create);
int docker_create_ports(struct docker_create *create);
int docker_create_resources(struct docker_create *create);
int docker_create_security(struct docker_create *create);

#endif
