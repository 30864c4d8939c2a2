/* Who asks, and what they may: roles, in all namespaces or in one.
 *
 * A role is granted by a text: "read", "write" and "admin" in all namespaces, "read:NS" and
 * "write:NS" in one. Each role may what the ones before it may:
 *
 *   read    what can be asked without changing anything: objects, logs, events; in all namespaces
 *           also supervisors, members and /metrics
 *   write   workloads, names and metas are created, changed and deleted, children deleted
 *   admin   supervisors and members too: who belongs to the cluster, and where what may run
 *
 * Whoever is known at all may ask what kinds of objects there are (/api, /apis, /openapi), and
 * everybody may ask for the health (api_access_is_public). Who a client is, agent/io finds out. */
#ifndef AGENT_CODEC_API_ACCESS_H
#define AGENT_CODEC_API_ACCESS_H

#include "agent/codec/api_status.h"

enum api_role { API_ROLE_READ, API_ROLE_WRITE, API_ROLE_ADMIN, API_ROLE_COUNT };

struct api_grant {
    enum api_role role;
    char ns[NAME_BYTES_MAX + 1]; /* empty: all */
};

/* A name holds what a certificate may have as its common name. */
enum { API_GRANTS_MAX = 16, API_USER_BYTES_MAX = 64, API_GRANT_BYTES_MAX = NAME_BYTES_MAX + 8 };

struct api_principal {
    char name[API_USER_BYTES_MAX + 1]; /* printable ASCII */
    struct api_grant grants[API_GRANTS_MAX];
    size_t grant_count; /* 0: known, and may nearly nothing */
};

/* err says what a grant looks like. */
int api_grant_parse(struct api_grant *ret_grant, struct span text, struct error *err);
/* False: it is empty, too long, or has letters that would look like something else in a log. */
bool api_principal_set_name(struct api_principal *principal, struct span name);
/* False: there is no room for it. */
bool api_principal_add(struct api_principal *principal, const struct api_grant *grant);

/* target: as on the request line. Health and version, which probes ask for without a credential. */
bool api_access_is_public(const char *target);
/* 0, or -1 with a 403 that names what is missing. path: of the request line, for the message. */
int api_access_check(const struct api_principal *principal, const struct api_route *route,
                     const char *path, struct api_failure *failure);

#endif
