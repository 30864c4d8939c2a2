/* What `hordelet agent` is told by its flags, its environment and its config file.
 *
 * Flags win over HORDELET_AGENT_<FLAG> in the environment, which wins over --config FILE, which
 * wins over the defaults. A list (--join, --labels) is taken whole from the strongest source that
 * has it. */
#ifndef AGENT_IO_AGENT_OPTIONS_H
#define AGENT_IO_AGENT_OPTIONS_H

#include <stdio.h>

#include "agent/core/error.h"
#include "agent/core/node.h"
#include "agent/io/log.h"

struct agent_options {
    /* All text is owned. */
    char *node_name;
    char *cluster;
    char *data_dir;
    char *run_dir;
    char *gossip;            /* HOST:PORT */
    char *advertise_address; /* HOST or HOST:PORT; empty: to be found out */
    char *api;               /* HOST:PORT */
    char *api_cert, *api_key, *api_ca, *api_token_file; /* empty: none */
    char *gossip_key_file;                              /* empty: gossip is not sealed */
    char *runtime;
    char *config;
    char **seeds;
    size_t seed_count;
    char **discover_names; /* HOST or HOST:PORT, of DNS */
    size_t discover_name_count;
    char *discover_service; /* [NAMESPACE/]SERVICE of Kubernetes; empty: none */
    uint64_t discover_interval_ms;
    bool allow_privileged, allow_host_network;
    char **allow_host_paths, **allow_capabilities;
    size_t allow_host_path_count, allow_capability_count;
    struct label *labels;
    size_t label_count;
    enum profile profile;
    enum log_format log_format;
    int64_t cpu_milli, memory_bytes; /* for children */
    uint64_t start_grace_ms, drain_timeout_ms, engine_grace_ms, forget_after_ms;
    bool detach_on_sigterm;
    bool probe_published; /* probes go to published ports */
    bool insecure;
    bool help; /* was asked for: nothing else has been looked at */
};

/* argv[0] is the verb. environment is as environ(7). On failure err is a whole sentence that names
 * the flag, variable or line of the file, and the exit status is 2. Release in any case. */
int agent_options_parse(struct agent_options *ret_options, int argc, char **argv,
                        char *const *environment, struct error *err);
void agent_options_release(struct agent_options *options);
void agent_options_print_help(FILE *file);

const char *agent_options_zone(const struct agent_options *options); /* "" if none */

#endif
