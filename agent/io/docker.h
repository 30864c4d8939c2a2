/* The driver for engines that speak the Docker Engine HTTP API: Docker, and Podman's compatible
 * service. See runtime.h for what it promises. */
#ifndef AGENT_IO_DOCKER_H
#define AGENT_IO_DOCKER_H

#include <uv.h>

#include "agent/codec/policy.h"
#include "agent/core/error.h"
#include "agent/io/guard_pages.h"
#include "agent/io/runtime.h"

struct docker_config {
    const char *endpoint; /* unix:///var/run/docker.sock, tcp://host:port */
    const char *cluster, *node;
    bool probe_published;  /* probes go to published ports, not to the container's address */
    const char *child_api; /* see docker_json.h; not with a TCP engine. NULL: none */
    /* The token of a START's child. */
    void (*print_token)(void *context, const struct runtime_operation *start, char *ret_token,
                        size_t bytes);
    const struct policy *policy;     /* borrowed; NULL: everything is allowed */
    struct guard_pages *guard_pages; /* borrowed; not used with a TCP engine */
    runtime_sink_function sink;
    void *context;
};

enum { DOCKER_TOKEN_BYTES_MAX = 512 };

/* Begins to watch the engine at once; whether there is one shows in EVENT_RUNTIME_STATE. Copies the
 * config. NULL: the endpoint is no endpoint, see err. */
struct runtime *docker_new(uv_loop_t *loop, const struct docker_config *config, struct error *err);

#endif
