/* Workloads and supervisors as values: what the core needs of a document, and the document itself.
 *
 * The codec makes them from YAML or JSON after validation; the core stores them in the replicated
 * map in the encoding here. `document` is the canonical JSON of the whole object without status,
 * defaults filled in; the core never reads inside it. */
#ifndef AGENT_CORE_DOCUMENT_H
#define AGENT_CORE_DOCUMENT_H

#include "agent/core/ident.h"

#define WORKLOAD_NS_DEFAULT "default"
#define SUPERVISOR_DEFAULT "default"
#define SUPERVISOR_QUORUM "quorum"

enum restart_policy { RESTART_PERMANENT, RESTART_TRANSIENT, RESTART_TEMPORARY };
enum name_conflict_policy { NAME_CONFLICT_KEEP, NAME_CONFLICT_STOP };
enum pull_policy { PULL_IF_NOT_PRESENT, PULL_ALWAYS, PULL_NEVER };
enum update_type { UPDATE_ROLLING, UPDATE_RECREATE };

#define SHUTDOWN_BRUTAL_KILL 0       /* SIGKILL at once */
#define SHUTDOWN_INFINITY UINT64_MAX /* SIGTERM, then wait for ever */

struct workload_name {
    char name[NAME_BYTES_MAX + 1];
    char port[NAME_BYTES_MAX +
              1]; /* name or number of a container port; empty: the first port, if any */
    char *value;  /* owned; JSON text, NULL for none */
};

struct workload_port {
    char name[NAME_BYTES_MAX + 1]; /* may be empty */
    uint16_t container_port;
    uint16_t host_port; /* 0: the engine chooses */
    bool udp;
};

struct label {
    char *key, *value; /* owned */
};

enum probe_kind { PROBE_READINESS, PROBE_LIVENESS, PROBE_KIND_COUNT };

/* When a container is asked and what its answers mean; how is in the document, for the driver. */
struct probe {
    uint32_t initial_delay_seconds;
    uint32_t period_seconds; /* 0: no such probe */
    uint32_t timeout_seconds, success_threshold, failure_threshold;
};

struct workload {
    char ns[NAME_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    char uid[UID_BYTES + 1];
    uint64_t generation;
    uint64_t created_ms; /* wall clock */
    char supervisor[NAME_BYTES_MAX + 1];
    uint32_t replicas;
    enum restart_policy restart;
    uint64_t shutdown_ms;
    int32_t priority;
    enum name_conflict_policy on_name_conflict;
    enum update_type update;
    uint32_t max_unavailable;
    uint32_t min_ready_seconds;
    uint32_t progress_deadline_seconds;
    int64_t ttl_seconds_after_finished; /* -1: keep */
    bool host_network;
    uint64_t cpu_milli, memory_bytes; /* it asks for; 0: nothing said */
    enum pull_policy pull;
    char *image;        /* owned */
    uint64_t spec_hash; /* of all that shapes the container: equal hashes need no restart */
    struct workload_name *names; /* owned; empty: the default name of section 8 */
    size_t name_count;
    struct workload_port *ports; /* owned */
    size_t port_count;
    struct label *node_selector; /* owned */
    size_t node_selector_count;
    struct probe probes[PROBE_KIND_COUNT];
    char *document; /* owned, zero-terminated JSON */
    size_t document_bytes;
};

void workload_release(struct workload *workload); /* frees and zeroes */
void workload_encode(const struct workload *workload, struct buffer *buffer);
bool workload_decode(struct workload *ret_workload,
                     struct span value); /* ret is released first; false: garbage, ret empty */

enum redistribution { REDISTRIBUTION_PASSIVE, REDISTRIBUTION_ACTIVE };
enum move_order { MOVE_STOP_FIRST, MOVE_START_FIRST };
enum intensity_action { INTENSITY_BACKOFF, INTENSITY_ESCALATE };

struct supervisor {
    char name[NAME_BYTES_MAX + 1];
    char uid[UID_BYTES + 1];
    uint64_t generation;
    uint64_t created_ms;
    char strategy[NAME_BYTES_MAX + 1]; /* Uniform, UniformQuorum, UniformRandom */
    bool members_auto;
    char (*members)[NAME_BYTES_MAX + 1]; /* owned */
    size_t member_count;
    uint32_t lease_seconds;
    enum redistribution redistribution;
    uint32_t max_concurrent_moves;
    uint32_t settle_seconds;
    enum move_order order;
    uint32_t max_restarts, max_seconds;
    enum intensity_action on_intensity;
    uint32_t max_children; /* per node; 0: no limit */
    uint32_t proxy_message_ttl;
    char *document; /* owned; NULL for a supervisor that exists from the start and was never written
                     */
    size_t document_bytes;
};

void supervisor_release(struct supervisor *supervisor);
void supervisor_encode(const struct supervisor *supervisor, struct buffer *buffer);
bool supervisor_decode(struct supervisor *ret_supervisor, struct span value);
/* The values of a supervisor that nobody wrote: "default" is Uniform, "quorum" is UniformQuorum. */
void supervisor_set_defaults(struct supervisor *supervisor, const char *name);

#endif
