/* The agent: wires the drivers to the node and takes them apart again.
 *
 * Start, in this order, because each step needs the one before:
 *   1. the data directory is locked, and the node restored from it
 *   2. the listeners of gossip and API are opened: what cannot be had is an error now, not a
 * warning later
 *   3. EVENT_START; the ready line; the loop turns
 *
 * End: the node asks for EFFECT_EXIT. What it has asked for before that still leaves: the last
 * records are synced, the last messages sent, the last answers written, all within END_MS. A second
 * signal makes the node ask for status 1, and then nothing is waited for. Whatever hangs while the
 * drivers are closed ends by the watchdog: containers live on without an agent, so no end is worse
 * than an abrupt one.
 *
 * Invariant: drivers know the loop, never each other. */
#include "agent/io/agent.h"

#include <assert.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/io/agent_address.h"
#include "agent/io/agent_policy.h"
#include "agent/io/agent_vitals.h"
#include "agent/io/api_server.h"
#include "agent/io/child_access.h"
#include "agent/io/clock.h"
#include "agent/io/discovery.h"
#include "agent/io/disk.h"
#include "agent/io/docker.h"
#include "agent/io/log.h"
#include "agent/io/loop.h"
#include "agent/io/peers.h"
#include "agent/io/signals.h"
#include "placement/ring.h"

enum {
    END_MS = 2000,       /* for the last records */
    END_POLITE_MS = 300, /* for the last messages and answers */
    END_WATCHDOG_SECONDS = 10,
    SETTLE_MS = 1000,
};

struct agent {
    const struct agent_options *options;
    struct loop *loop;
    struct node *node;
    struct disk *disk;
    struct peers *peers;
    struct discovery *discovery; /* NULL: none */
    struct runtime *runtime;
    struct api_server *api;
    struct credentials *credentials;
    struct child_access access;
    struct guard_pages guard_pages;
    struct agent_policy policy;
    struct signals signals;
    uv_timer_t end_timer;
    uint64_t began_wall_ms;
    uint64_t end_began_ms;                      /* 0: not yet */
    char gossip_address[ADDRESS_BYTES_MAX + 1]; /* as the others are told */
    char advertise_host[ADDRESS_BYTES_MAX + 1];
};

/* ---- effects and events ---- */

static void agent_trace(void *context, const struct effect *effect)
{
    (void)context;
    log_line(LOG_INFO, effect->trace);
}

static void agent_runtime(void *context, const struct effect *effect)
{
    struct agent *agent = context;
    runtime_submit(agent->runtime, effect->runtime);
}

static void agent_output(void *context, const struct effect *effect)
{
    struct agent *agent = context;
    agent->runtime->output_flow(agent->runtime, effect->output.id, effect->output.bytes,
                                effect->output.cancel);
}

static void agent_runtime_event(void *context, const struct event *event)
{
    struct agent *agent = context;
    loop_submit(agent->loop, event);
}

static void agent_guard(void *context, const struct effect *effect)
{
    struct agent *agent = context;
    struct error err;
    if (guard_page_set(&agent->guard_pages, effect->guard, &err))
        log_line(LOG_ERROR, err.text);
}

static bool agent_restore(void *context, struct span record)
{
    struct agent *agent = context;
    return node_restore(agent->node, record);
}

static void agent_report(void *context, const char *line)
{
    (void)context;
    log_line(LOG_WARNING, line);
}

/* ---- the end ---- */

static int watchdog_status;

static void agent_watchdog(int number)
{
    static const char text[] = "hordelet: closing down hangs; ending the process\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(watchdog_status);
}

static void agent_arm_watchdog(int status)
{
    watchdog_status = status;
    signal(SIGALRM, agent_watchdog);
    alarm(END_WATCHDOG_SECONDS);
}

static void agent_end_timer(uv_timer_t *timer)
{
    (void)timer; /* it only makes the loop turn: agent_try_to_end looks at the clock */
}

static void agent_exit(void *context, const struct effect *effect)
{
    struct agent *agent = context;
    agent->end_began_ms = loop_now(agent->loop).mono_ms;
    agent_arm_watchdog(effect->exit_status);
    if (effect->exit_status != 0)
        loop_stop(agent->loop);
    else
        uv_timer_start(&agent->end_timer, agent_end_timer, END_POLITE_MS, END_MS - END_POLITE_MS);
}

/* At the end of every turn. */
static void agent_try_to_end(void *context)
{
    struct agent *agent = context;
    if (!agent->end_began_ms)
        return;
    uint64_t waited_ms = clock_mono_ms() - agent->end_began_ms;
    bool polite = waited_ms >= END_POLITE_MS ||
                  (peers_is_idle(agent->peers) && api_server_connections(agent->api) == 0);
    if ((polite && disk_is_idle(agent->disk)) || waited_ms >= END_MS)
        loop_stop(agent->loop);
}

/* ---- the start ---- */

/* --advertise-address, or the address of --gossip, or the default route's. */
static int agent_find_addresses(struct agent *agent, struct error *err)
{
    struct address address, gossip;
    address_parse(&gossip, agent->options->gossip);
    if (!address_parse_host(&address, agent->options->advertise_address, gossip.port)) {
        address = gossip; /* there is none: what there is has been checked */
        if (address_is_wildcard(&gossip) &&
            address_of_default_route(address.host, sizeof address.host, err))
            return -1;
    }
    TEXT_SET(agent->advertise_host, address.host);
    address_print(&address, agent->gossip_address, sizeof agent->gossip_address);
    return 0;
}

static void agent_make_node(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    struct node_config config = {
        .cluster = options->cluster,
        .node_name = options->node_name,
        .gossip_address = agent->gossip_address,
        .api_address = options->api,
        .advertise_host = agent->advertise_host,
        .version = HORDELET_VERSION,
        .labels = options->labels,
        .label_count = options->label_count,
        .zone = agent_options_zone(options),
        .weight = RING_WEIGHT_DEFAULT,
        .cpu_milli = (uint64_t)options->cpu_milli,
        .memory_bytes = (uint64_t)options->memory_bytes,
        .seeds = (const char *const *)options->seeds,
        .seed_count = options->seed_count,
        .discovers = options->discover_name_count > 0 || options->discover_service[0],
        .profile = options->profile,
        .start_grace_ms = options->start_grace_ms,
        .drain_timeout_ms = options->drain_timeout_ms,
        .engine_grace_ms = options->engine_grace_ms,
        .forget_after_ms = options->forget_after_ms,
        .detach_on_stop = options->detach_on_sigterm,
    };
    randombytes_buf(&config.random_seed, sizeof config.random_seed);
    do
        randombytes_buf(&config.fresh_replica, sizeof config.fresh_replica);
    while (config.fresh_replica == 0);
    agent->node = node_new(&config);
    loop_set_node(agent->loop, agent->node);
}

static int agent_open_disk(struct agent *agent, struct error *err)
{
    struct disk_callbacks callbacks = {agent_restore, agent_report, agent};
    return disk_open(&agent->disk, agent->options->data_dir, &callbacks, err);
}

static int agent_open_peers(struct agent *agent, struct error *err)
{
    struct peers_options options = {.listen = agent->options->gossip,
                                    .advertised = agent->gossip_address,
                                    .key_file = agent->options->gossip_key_file};
    return peers_open(&agent->peers, agent->loop, &options, err);
}

static int agent_open_discovery(struct agent *agent, struct error *err)
{
    struct address gossip;
    address_parse(&gossip, agent->gossip_address);
    struct discovery_options options = {.names = agent->options->discover_names,
                                        .name_count = agent->options->discover_name_count,
                                        .service = agent->options->discover_service,
                                        .interval_ms = agent->options->discover_interval_ms,
                                        .port = gossip.port};
    return discovery_open(&agent->discovery, agent->loop, &options, err);
}

static void agent_print_token(void *context, const struct runtime_operation *start, char *ret_token,
                              size_t bytes)
{
    const struct agent *agent = context;
    struct api_identity identity = {.child = start->child, .epoch = start->epoch};
    TEXT_SET(identity.uid, start->uid);
    assert(bytes > CHILD_TOKEN_BYTES_MAX);
    child_token_print(&agent->access, &identity, ret_token);
}

static bool agent_verify(void *context, const char *token, struct api_identity *ret_identity)
{
    const struct agent *agent = context;
    return child_token_verify(&agent->access, token, ret_identity);
}

static int agent_open_runtime(struct agent *agent, struct error *err)
{
    agent_policy_open(&agent->policy, agent->options, agent->guard_pages.directory);
    struct docker_config config = {
        .endpoint = agent->options->runtime,
        .cluster = agent->options->cluster,
        .node = agent->options->node_name,
        .probe_published = agent->options->probe_published,
        .child_api = agent->access.directory,
        .print_token = agent_print_token,
        .policy = &agent->policy.policy,
        .guard_pages = &agent->guard_pages,
        .sink = agent_runtime_event,
        .context = agent,
    };
    agent->runtime = docker_new(loop_uv(agent->loop), &config, err);
    return agent->runtime ? 0 : error_wrap(err, "--runtime %s", agent->options->runtime);
}

static void agent_read_vitals(void *context, struct vitals *vitals)
{
    struct agent *agent = context;
    agent_vitals(vitals, agent->loop, agent->disk, agent->peers);
    agent_vitals_discovery(vitals, agent->discovery);
    api_server_read_vitals(agent->api, vitals);
    vitals->start_time_s = agent->began_wall_ms / 1000;
}

static int agent_open_credentials(struct agent *agent, struct error *err)
{
    const struct agent_options *options = agent->options;
    struct credentials_files files = {.cert = options->api_cert,
                                      .key = options->api_key,
                                      .ca = options->api_ca,
                                      .tokens = options->api_token_file};
    return credentials_open(&agent->credentials, agent->loop, &files, err);
}

static int agent_open_api(struct agent *agent, struct error *err)
{
    struct address address;
    char path[4096];
    address_parse(&address, agent->options->api);
    snprintf(path, sizeof path, "%s/api.sock", agent->options->data_dir);
    struct api_server_options options = {.tcp_host = address.host,
                                         .tcp_port = address.port,
                                         .unix_path = path,
                                         .child_path = agent->access.socket,
                                         .credentials = agent->credentials,
                                         .verify = agent_verify,
                                         .verify_context = agent,
                                         .member = agent->options->node_name,
                                         .policy = &agent->policy.policy,
                                         .read_vitals = agent_read_vitals,
                                         .vitals_context = agent};
    agent->api = api_server_new(agent->loop, &options, err);
    return agent->api ? 0 : -1;
}

/* SIGHUP: what is in files that operators replace is read at once, not only when it is seen. */
static void agent_hang_up(void *context)
{
    struct agent *agent = context;
    credentials_read_again(agent->credentials);
    peers_read_keys(agent->peers);
}

static int agent_open(struct agent *agent, struct error *err)
{
    agent->loop = loop_new();
    uv_timer_init(loop_uv(agent->loop), &agent->end_timer);
    if (agent_find_addresses(agent, err))
        return -1;
    agent_make_node(agent);
    if (agent_open_disk(agent, err) ||
        child_access_open(&agent->access, agent->options->data_dir, err) ||
        guard_pages_open(&agent->guard_pages, agent->options->data_dir, agent->options->run_dir,
                         err) ||
        agent_open_peers(agent, err) || agent_open_runtime(agent, err) ||
        agent_open_credentials(agent, err) || agent_open_api(agent, err) ||
        agent_open_discovery(agent, err))
        return -1;
    loop_set_sink(agent->loop, EFFECT_TRACE, agent_trace, agent);
    loop_set_sink(agent->loop, EFFECT_RUNTIME, agent_runtime, agent);
    loop_set_sink(agent->loop, EFFECT_GUARD, agent_guard, agent);
    loop_set_sink(agent->loop, EFFECT_OUTPUT, agent_output, agent);
    loop_set_sink(agent->loop, EFFECT_REPLY, api_server_reply_sink, agent->api);
    loop_set_sink(agent->loop, EFFECT_EXIT, agent_exit, agent);
    signals_start(&agent->signals, agent->loop, agent_hang_up, agent);
    disk_start(agent->disk, agent->loop);
    loop_set_deferred(agent->loop, agent_try_to_end, agent);
    return 0;
}

/* In the opposite order; whatever has not been opened is skipped. False: something still uses what
 * would be freed, a thread that waits for the resolver, say. */
static bool agent_close(struct agent *agent)
{
    if (agent->api)
        api_server_stop(agent->api);
    discovery_stop(agent->discovery);
    runtime_release(agent->runtime);
    bool peers_stopped = peers_stop(agent->peers);
    credentials_close(agent->credentials);
    signals_stop(&agent->signals);
    disk_stop(agent->disk);
    uv_close((uv_handle_t *)&agent->end_timer, NULL);
    if (!loop_settle(agent->loop, SETTLE_MS) || !peers_stopped)
        return false;
    api_server_free(agent->api);
    discovery_free(agent->discovery);
    credentials_free(agent->credentials);
    peers_free(agent->peers);
    disk_free(agent->disk);
    guard_pages_close(&agent->guard_pages);
    agent_policy_close(&agent->policy);
    loop_free(agent->loop);
    node_free(agent->node);
    return true;
}

/* The way out of the process; returns the status. exit would wait for what still runs. */
static int agent_leave(struct agent *agent, int status)
{
    if (agent_close(agent))
        return status;
    fflush(NULL);
    _exit(status);
}

static void agent_say_ready(const struct agent *agent)
{
    const struct agent_options *options = agent->options;
    char text[1024];
    snprintf(text, sizeof text, "node %s of cluster %s: gossip %s, api %s, data %s",
             options->node_name, options->cluster, agent->gossip_address, options->api,
             options->data_dir);
    if (options->log_format == LOG_JSON) { /* both outputs often end in one file */
        log_line(LOG_INFO, text);
        return;
    }
    printf("hordelet: %s\n", text);
    fflush(stdout);
}

int agent_run(const struct agent_options *options)
{
    struct agent agent = {.options = options, .began_wall_ms = clock_now().wall_ms};
    struct error error = {0};
    int status = 1;
    signals_prepare_process();
    log_open(options->log_format, options->node_name);
    if (sodium_init() < 0) {
        log_line(LOG_ERROR, "libsodium has no source of randomness");
        return status;
    }
    if (agent_open(&agent, &error)) {
        log_line(LOG_ERROR, error.text);
        agent_arm_watchdog(status);
        return agent_leave(&agent, status);
    }
    loop_submit(agent.loop, &(struct event){.type = EVENT_START});
    agent_say_ready(&agent);
    loop_run(agent.loop);
    loop_ended(agent.loop, &status);
    return agent_leave(&agent, status);
}
