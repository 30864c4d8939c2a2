/* A container as the engine tells of it. */
#ifndef AGENT_CORE_CONTAINER_H
#define AGENT_CORE_CONTAINER_H

#include "agent/core/document.h"

enum container_state {
    CONTAINER_CREATED, /* never started, or its start failed */
    CONTAINER_RUNNING, /* paused counts as running */
    CONTAINER_EXITED,
    CONTAINER_GONE, /* removed, or being removed */
};

/* What hordelet-guard exits with when the deadline has passed: timeout(1) says the same. */
#define GUARD_EXIT_CODE 124

struct container_port {
    uint16_t container_port;
    uint16_t host_port;
    bool udp;
};

struct container {
    char id[CONTAINER_ID_BYTES_MAX + 1];
    /* labels dev.hordelet.* */
    struct child_id child;
    char uid[UID_BYTES + 1];
    char node[NAME_BYTES_MAX + 1];
    uint64_t replica;
    uint64_t epoch;
    uint64_t spec_hash;
    char supervisor[NAME_BYTES_MAX + 1];
    bool guarded; /* label dev.hordelet.guarded: its PID 1 is hordelet-guard */
    enum container_state state;
    int32_t exit_code;
    bool oom_killed;
    uint64_t started_ms, finished_ms;    /* wall clock, 0: unknown */
    char address[ADDRESS_BYTES_MAX + 1]; /* the container's own, may be empty */
    struct container_port ports[PORTS_PER_WORKLOAD_MAX];
    size_t port_count;
};

#endif
