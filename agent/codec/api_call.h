/* One request of the HTTP API, from the bytes of its target and body to the bytes of its answer,
 * without a socket.
 *
 *     struct api_call call;
 *     enum api_progress progress = api_call_start(&call, &request, &context);
 *     while (progress == API_SUBMIT) {
 *         ... step the node with EVENT_REQUEST of &call.submit ...
 *         api_call_submitted(&call, &context);             (between this step and the next)
 *         ... until EFFECT_REPLY with that id ...
 *         progress = api_call_reply(&call, &reply, &context);
 *     }
 *     ... call.response ...
 *     api_call_release(&call);
 *
 * Most calls are done at once. A write is checked against the node as it is, submitted in the same
 * turn (so that nothing comes between the check of a resourceVersion and the write), and answered
 * when the reply says that it is durable. A call with Hordelet-After first submits REQUEST_WAIT.
 * Each api_context needs a fresh request_id and random.
 *
 * An answer may be a stream: API_STREAM instead of API_DONE. response.status, its headers and the
 * first bytes of its body are there, and more bytes come. Whoever sends them to the client takes
 * them out of response.body. There are two kinds:
 *   - call.watch is NULL: the node sends pieces (request.h, reply.more). Each goes through
 *     api_call_reply, which appends it to response.body, and says API_DONE at the last one. Which
 *     content type they have is set before the request is submitted; API_TEXT if nobody does.
 *   - otherwise the call looks at the node itself (api_watch.h). api_call_poll appends what is new,
 *     about API_PIECE_BYTES at most, and says API_DONE when that was the last. It is called when
 *     response.body is empty, and api_stream_generation has changed or call.wake_ms has come. For a
 *     client that does not read it is not called: who falls behind costs nothing. */
#ifndef AGENT_CODEC_API_CALL_H
#define AGENT_CODEC_API_CALL_H

#include "agent/codec/api_access.h"
#include "agent/codec/api_objects.h"
#include "agent/codec/api_query.h"
#include "agent/codec/api_status.h"
#include "agent/codec/api_table.h"
#include "agent/codec/api_watch.h"
#include "agent/codec/document_json.h"
#include "agent/codec/registration_json.h"
#include "agent/core/request.h"

#define API_JSON "application/json"
#define API_YAML "application/yaml"
#define API_BYTES "application/octet-stream"
#define API_TEXT "text/plain; charset=utf-8"

/* Which child asks, by the token that was put into its container. */
struct api_identity {
    struct child_id child;
    char uid[UID_BYTES + 1]; /* of its workload */
    uint64_t epoch;
};

/* All borrowed until api_call_release. Headers are NULL if they were not sent. */
struct api_request {
    const char *method;
    const char *target; /* as on the request line: path and query, percent-encoded */
    const char *accept, *content_type, *user_agent;
    const char *after;                     /* Hordelet-After */
    const char *token;                     /* Hordelet-Token */
    uint8_t token_hash[OWNER_HASH_BYTES];  /* SHA-256 of it */
    const struct api_identity *child;      /* if it is a child's */
    const struct api_principal *principal; /* who asks; NULL: one who may all */
    bool from_child; /* over the socket in the containers, where nothing else counts */
    struct span body;
};

enum { API_HEADERS_MAX = 4 };
struct api_header {
    const char *name; /* static */
    char value[128];
};

struct api_response {
    int status;
    const char *content_type; /* static; NULL: no body */
    struct buffer body;
    struct api_header headers[API_HEADERS_MAX];
    size_t header_count;
};

enum api_progress { API_DONE, API_SUBMIT, API_STREAM };

struct api_call {
    const struct api_request *request;
    struct api_route route;
    struct request submit;   /* borrows from this call */
    bool waiting;            /* what was submitted is REQUEST_WAIT: the call itself has not begun */
    bool yaml;               /* what to answer in */
    struct api_shape shape;  /* of what is read */
    bool answered;           /* the body is there, but not before the reply may it be sent */
    int success;             /* the HTTP status when the reply is good */
    bool streaming;          /* API_STREAM has been said */
    struct api_watch *watch; /* NULL: the node sends what comes */
    uint64_t wake_ms;        /* of a watch: monotonic, see api_call_poll */
    struct documents documents; /* the body, parsed */
    struct workload workload;   /* what is to be written */
    struct supervisor supervisor;
    struct registration_body body;
    /* Large, and empty by one member each: api_call_init does not zero them. */
    struct api_query query;
    struct api_failure failure; /* status 0: none */
    struct api_response response;
    const char *addresses[SEEDS_MAX];
};

/* Of memory that may hold anything: before a call is refused that has not begun. */
void api_call_init(struct api_call *call);
enum api_progress api_call_start(struct api_call *call, const struct api_request *request,
                                 const struct api_context *context);
void api_call_submitted(struct api_call *call, const struct api_context *context);
enum api_progress api_call_reply(struct api_call *call, const struct reply *reply,
                                 const struct api_context *context);
enum api_progress api_call_poll(struct api_call *call, const struct api_context *context);
/* Grows when a watch may have something new. */
uint64_t api_stream_generation(const struct node *node);
/* The stream ends from this side: appends what tells the client why, in its own terms. */
void api_call_cut(struct api_call *call, const char *message);
void api_call_release(struct api_call *call); /* zeroed memory is fine */

/* The token is of an epoch of the child that is over, or the child is gone. */
bool api_child_is_past(const struct api_identity *identity, const struct node *node);

/* Makes the response a failure that was not found here: body too large, too many requests, going
 * down. */
void api_call_refuse(struct api_call *call, int status, const char *message);
/* 429: come again in so many seconds. */
void api_call_refuse_busy(struct api_call *call, unsigned seconds, const char *message);

#endif
