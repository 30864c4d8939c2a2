/* Where agents may be, besides --join: names that are asked of DNS again and again, and the
 * EndpointSlices of a Kubernetes Service, which are watched.
 *
 * What they say is only suggested to the node (EVENT_SUGGESTED): addresses to ask at. A query that
 * fails means "unknown", never "nobody": what was last heard counts until something else is. So the
 * worst that a broken DNS or API server does is that new agents are found later. */
#ifndef AGENT_IO_DISCOVERY_H
#define AGENT_IO_DISCOVERY_H

#include "agent/core/error.h"
#include "agent/io/loop.h"

struct discovery;

enum {
    DISCOVERY_NAMES_MAX = 8, /* of DNS: one is usual */
    DISCOVERY_ADDRESSES_MAX = 8192,
    DISCOVERY_INTERVAL_MS_MIN = 1000,
};

enum discovery_source { DISCOVERY_DNS, DISCOVERY_KUBERNETES, DISCOVERY_SOURCE_COUNT };

struct discovery_options { /* borrowed for discovery_open */
    char *const *names;    /* HOST or HOST:PORT (address_parse_host takes them), asked of DNS */
    size_t name_count;
    const char *service; /* [NAMESPACE/]NAME; empty: Kubernetes is not asked */
    uint16_t port;       /* where the answer has none */
    uint64_t interval_ms;
};

/* NULL without an error: there is nothing to ask. */
int discovery_open(struct discovery **ret_discovery, struct loop *loop,
                   const struct discovery_options *options, struct error *err);
/* NULL is fine, for these two. */
void discovery_stop(struct discovery *discovery);
void discovery_free(struct discovery *discovery); /* after loop_settle */

/* For /metrics. */
struct discovery_statistics {
    struct {
        bool asked; /* it is configured */
        uint64_t answered, failed;
        size_t addresses; /* as last heard */
    } sources[DISCOVERY_SOURCE_COUNT];
};
struct discovery_statistics discovery_statistics(const struct discovery *discovery);

#endif
