/* Shared by the files of discovery: the two that ask, and the one that puts together what they
 * heard. */
#ifndef AGENT_IO_DISCOVERY_PRIVATE_H
#define AGENT_IO_DISCOVERY_PRIVATE_H

#include "agent/codec/endpoint_slices.h"
#include "agent/io/agent_address.h"
#include "agent/io/discovery.h"
#include "agent/io/docker_http.h"

/* ---- discovery_dns.c ---- */

enum { DNS_FAMILIES = 2 /* A, AAAA */, DNS_ADDRESSES_MAX = 1024 /* of one answer */ };

struct dns_answer { /* the last one that was any */
    char **addresses;
    size_t count;
};

struct dns_name {
    char host[ADDRESS_BYTES_MAX + 1];
    uint16_t port;
    struct dns_answer answers[DNS_FAMILIES];
    int errors[DNS_FAMILIES]; /* of this round; 0: it answered */
    int told;                 /* which error the log has; 0: none */
    bool answered;            /* ever */
};

struct discovery_dns {
    struct discovery *discovery;
    struct dns_name names[DISCOVERY_NAMES_MAX];
    size_t name_count;
    uv_getaddrinfo_t request;
    size_t at; /* of names and families: which is being asked */
    bool asking;
};

void dns_open(struct discovery_dns *dns, const struct discovery_options *options);
void dns_ask(struct discovery_dns *dns); /* all names, one after the other; not if they still are */
void dns_stop(struct discovery_dns *dns);
void dns_release(struct discovery_dns *dns);

/* ---- discovery_kubernetes.c ---- */

struct discovery_kubernetes {
    struct discovery *discovery;
    struct docker_http *http; /* NULL: not configured */
    struct docker_call *call; /* NULL: waits */
    uv_timer_t timer;
    char base[512]; /* "https://HOST:PORT/apis/..." up to the query's selector */
    struct endpoint_slices slices;
    struct buffer line; /* of the watch, as far as it has come */
    uint16_t port;
    bool watching, fresh; /* the list is there; ... and must not come from a cache */
    bool watch_refused;   /* when it was last asked for */
    bool answered;        /* ever */
    uint64_t backoff_ms;
    char told[512]; /* which problem the log has */
};

int kubernetes_open(struct discovery_kubernetes *kubernetes,
                    const struct discovery_options *options, struct error *err);
void kubernetes_stop(struct discovery_kubernetes *kubernetes);
void kubernetes_release(struct discovery_kubernetes *kubernetes);

/* ---- discovery.c ---- */

struct discovery {
    struct loop *loop;
    uv_timer_t timer;
    uint64_t interval_ms;
    struct discovery_dns dns;
    struct discovery_kubernetes kubernetes;
    struct discovery_statistics statistics;
};

/* A source was asked, and has an answer or none. */
void discovery_answered(struct discovery *discovery, enum discovery_source source);
void discovery_failed(struct discovery *discovery, enum discovery_source source);

#endif
