/* What Kubernetes says of where the pods of a Service are: EndpointSlices (discovery.k8s.io/v1), as
 * its API lists them and then tells their changes, one JSON object a line. Pure.
 *
 * Of an endpoint only the address counts, whatever its conditions: an agent that has not joined yet
 * is not ready, and it is such ones that must find each other. */
#ifndef AGENT_CODEC_ENDPOINT_SLICES_H
#define AGENT_CODEC_ENDPOINT_SLICES_H

#include "agent/core/error.h"
#include "agent/core/ident.h"
#include "agent/core/limits.h"
#include "crdt/bytes.h"

enum {
    ENDPOINT_SLICES_MAX = 1024,    /* Kubernetes makes one per 100 pods */
    ENDPOINT_ADDRESSES_MAX = 8192, /* of all slices: more members than a cluster can have */
    ENDPOINT_LIST_BYTES_MAX = 16 * 1024 * 1024,
    ENDPOINT_LINE_BYTES_MAX = 4 * 1024 * 1024, /* a slice has at most 1,000 endpoints */
    ENDPOINT_NAME_BYTES_MAX = 253,
    ENDPOINT_VERSION_BYTES_MAX = 63,
};

/* The name of the port, where a slice has several, that is the agents'. */
#define ENDPOINT_PORT "gossip"

struct endpoint_slice {
    char *name;
    char **addresses; /* HOST:PORT */
    size_t count;
};

struct endpoint_slices { /* zeroed memory is empty */
    struct endpoint_slice *items;
    size_t count, address_count;
    char version[ENDPOINT_VERSION_BYTES_MAX + 1]; /* resourceVersion: where to watch from */
    bool cut;                                     /* there were more than we keep */
};

/* Becomes the list; `port` is of slices that tell none. On failure nothing has changed. */
int endpoint_slices_list(struct endpoint_slices *slices, struct span body, uint16_t port,
                         struct error *err);

enum endpoint_change {
    ENDPOINT_CHANGED,
    ENDPOINT_BOOKMARK, /* only the version */
    ENDPOINT_EXPIRED,  /* 410: what the watch began with is too old, list again */
    ENDPOINT_BAD,      /* err says why: an error of the server, or no event at all */
};
/* One line of a watch. But for the first two nothing has changed. */
enum endpoint_change endpoint_slices_change(struct endpoint_slices *slices, struct span line,
                                            uint16_t port, struct error *err);
void endpoint_slices_release(struct endpoint_slices *slices);
/* The message of a Status, as errors are answered; "" if it is none. */
void endpoint_status_message(char *ret_text, size_t bytes, struct span body);

#endif
