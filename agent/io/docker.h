/* The driver for engines that speak the Docker Engine HTTP API: Docker, and Podman's compatible
 * service. See runtime.h for what it promises. */
#ifndef AGENT_IO_DOCKER_H
#define AGENT_IO_DOCKER_H

#include <uv.h>

#include "agent/core/error.h"
#include "agent/io/runtime.h"

struct docker_config {
    const char *endpoint; /* unix:///var/run/docker.sock, tcp://host:port */
    const char *cluster, *node;
    bool probe_published; /* probes go to published ports, not to the container's address */
    runtime_sink_function sink;
    void *context;
};

/* Begins to watch the engine at once; whether there is one shows in EVENT_RUNTIME_STATE. Copies the
 * config. NULL: the endpoint is no endpoint, see err. */
struct runtime *docker_new(uv_loop_t *loop, const struct docker_config *config, struct error *err);

#endif
