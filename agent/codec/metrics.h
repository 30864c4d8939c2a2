/* GET /metrics: the node and the program around it in Prometheus' text format, version 0.0.4.
 *
 * Horde's telemetry has its names here: supervised_process_count (global and local), members alive
 * and in total, and in place of a message queue's length the requests that wait. One pass over the
 * children and members per scrape: about 1 ms per 10,000 children. */
#ifndef AGENT_CODEC_METRICS_H
#define AGENT_CODEC_METRICS_H

#include "agent/core/query.h"
#include "crdt/bytes.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { VITALS_DISCOVERY_MAX = 2 };

struct vitals_discovery {
    const char *source; /* "dns", "kubernetes" */
    uint64_t answered, failed, addresses;
};

/* Whom the API has turned away, by what was wrong. */
enum api_refusal {
    API_REFUSED_STRANGER,    /* came without a credential */
    API_REFUSED_TOKEN,       /* malformed, unknown or ended */
    API_REFUSED_CERTIFICATE, /* of nobody we trust, ended, not for clients */
    API_REFUSED_ROLE,        /* known, but may not */
    API_REFUSED_CHILD,       /* a container, with a wrong token or for more than its own */
    API_REFUSED_HANDSHAKE,   /* no TLS 1.3, or none that was completed */
    API_REFUSED_CROWD,       /* made room for others who had not said who they are either */
    API_REFUSED_BUSY,        /* 429: it had as much as it may have */
    API_REFUSED_COUNT,
};

/* What the core does not know: counted by the drivers and read from the kernel at each scrape. */
struct vitals {
    uint64_t gossip_sent, gossip_sent_bytes, gossip_received, gossip_received_bytes;
    uint64_t gossip_dropped, gossip_broken;
    uint64_t gossip_links, gossip_refused;
    uint32_t gossip_keys[8]; /* ids; the first one seals */
    size_t gossip_key_count;
    struct vitals_discovery discovery[VITALS_DISCOVERY_MAX];
    size_t discovery_count;
    uint64_t log_records, log_bytes, log_batches, log_failures, snapshots, log_room_bytes;
    uint64_t loop_turns, loop_steps, loop_late_max_ms, loop_thaws;
    uint64_t api_connections, api_strangers;
    uint64_t api_refused[API_REFUSED_COUNT];
    uint64_t api_certificate_until_s; /* 0: there is no TLS */
    uint64_t resident_bytes, open_descriptors, descriptors_max, start_time_s;
    double cpu_s;
};

/* Appends all of it. vitals NULL: the core's part alone. */
void metrics_write(struct buffer *out, const struct node *node, const struct vitals *vitals);

#endif
