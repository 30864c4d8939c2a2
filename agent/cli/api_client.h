/* Talks to one agent: a request out, its answer or what went wrong back.
 *
 * Proxies of the environment are not used: the agent is on this machine or a neighbour. Warnings of
 * the agent are printed on stderr as they come. One connection is kept from request to request. */
#ifndef AGENT_CLI_API_CLIENT_H
#define AGENT_CLI_API_CLIENT_H

#include <stdbool.h>

#include "agent/cli/api_address.h"
#include "agent/codec/json.h"

#define API_CONNECT_TIMEOUT_MS 3000
#define API_TIMEOUT_MS 30000

struct api_client;

struct api_send {
    const char *method, *path;
    const char *content_type; /* NULL: no body */
    const char *token;        /* Hordelet-Token; NULL: none */
    struct span body;
};

struct api_client *api_client_new(const struct api_address *address, uint64_t timeout_ms);
struct api_client *api_client_another(const struct api_client *client); /* of the same agent */
void api_client_free(struct api_client *client);
const char *api_client_address(const struct api_client *client);
const struct api_address *api_client_where(const struct api_client *client);
void api_client_set_timeout(struct api_client *client,
                            uint64_t timeout_ms); /* of each request to come */

/* 0: the answer is 2xx; *ret_json is its body (NULL if empty; the caller deletes). Else err is set:
 * *ret_status is that of HTTP, or 0 if there was no answer at all (then err has a hint). Both may
 * be NULL. */
int api_client_send(struct api_client *client, const struct api_send *send, int *ret_status,
                    cJSON **ret_json, struct error *err);
/* Whether the last request had an answer of whatever kind: if not, the next one is hardly worth its
 * time. */
bool api_client_reached(const struct api_client *client);
/* GET of one path. */
int api_client_get(struct api_client *client, const char *path, cJSON **ret_json,
                   struct error *err);
/* GET of a collection, page by page: an array of all items. path may have a query. ret_version (or
 * NULL) has room for API_VERSION_BYTES: from where a watch goes on. */
enum { API_VERSION_BYTES = 32 };
int api_client_list(struct api_client *client, const char *path, cJSON **ret_items,
                    char *ret_version, struct error *err);

/* One event of a watch, borrowed. Anything but 0 ends the watch. */
typedef int api_client_event(void *context, const char *type, const cJSON *object);
enum { API_WATCH_ENDED = 0, API_WATCH_FAILED = -1, API_WATCH_EXPIRED = -2 };
/* GET of a path whose query asks for a watch; returns what the function returned, or how else it
 * ended. API_WATCH_EXPIRED: list again. API_WATCH_FAILED: err is set; if it is ERROR_IO it may be
 * worth another try. timeout_ms: for all of it; 0: none. */
int api_client_watch(struct api_client *client, const char *path, uint64_t timeout_ms,
                     api_client_event *event, void *context, struct error *err);

#endif
