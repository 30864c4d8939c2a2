/* Between the files that handle calls: api_call.c begins and ends one, the others do what it asks.
 *
 * The functions that do the work return an api_progress, or -1 with call->failure set. */
#ifndef AGENT_CODEC_API_CALL_PRIVATE_H
#define AGENT_CODEC_API_CALL_PRIVATE_H

#include "agent/codec/api_call.h"

/* get and list */
int api_read(struct api_call *call, const struct api_context *context);
/* create, update, patch, apply, delete of documents */
int api_write(struct api_call *call, const struct api_context *context);
/* workloads/NAME/scale */
int api_scale(struct api_call *call, const struct api_context *context);
/* what happens to children and members */
int api_action(struct api_call *call, const struct api_context *context);
/* create, update, delete of names from outside, and of meta */
int api_registry(struct api_call *call, const struct api_context *context);
void api_registry_answer(struct api_call *call, const struct api_context *context);
/* children/NAME/state */
int api_state(struct api_call *call, const struct api_context *context);
/* children/NAME/ring, supervisors/NAME/rebalance */
int api_placement(struct api_call *call, const struct api_context *context);
/* children/NAME/log */
int api_log(struct api_call *call, const struct api_context *context);
/* members/NAME/orphans */
int api_orphans(struct api_call *call, const struct api_context *context);
void api_orphans_answer(struct api_call *call, const struct reply *reply);
/* -1: not over the socket in the containers. */
int api_child_may(struct api_call *call, const struct api_context *context);
/* Events: asks all members, and answers with what came */
int api_events(struct api_call *call, const struct api_context *context);
void api_events_answer(struct api_call *call, const struct reply *reply,
                       const struct api_context *context);
/* A watch of them: positions are serials of this agent's journal. Appends the next one after
 * *position, which moves on. False: there is none. */
bool api_events_tell(struct api_call *call, const struct api_context *context, uint64_t complete,
                     uint64_t *position);
uint64_t api_events_position(const struct api_context *context);
uint64_t api_events_dropped(const struct api_context *context);
/* /openapi/v3 */
int api_openapi(struct api_call *call);
/* /version, /apis, /livez, ... */
int api_discovery(struct api_call *call, const struct api_context *context);

/* The body of the answer to a write that has been stepped: the object as it now is. */
void api_write_answer(struct api_call *call, const struct api_context *context);

/* *ret_dry_run: ?dryRun=All. -1 for any other value. */
int api_call_dry_run(struct api_call *call, bool *ret_dry_run);
/* Parses the body as exactly one document. */
int api_call_parse_body(struct api_call *call, const char *content_type);
/* Reads DeleteOptions, if there are any, and holds its preconditions against the item. ret_dry_run
 * is set from them and from the query. */
int api_call_delete_options(struct api_call *call, const struct api_context *context,
                            const struct api_item *item, bool *ret_dry_run);
/* A metadata.resourceVersion that a client sent (NULL: none), held against the version of the
 * stored document. */
int api_call_check_version(struct api_call *call, const struct api_context *context,
                           const char *version, uint64_t stored, const char *name);

/* Begins a JSON body. */
struct api_writer api_call_answer(struct api_call *call, int status);
/* Makes the body a Status object: Success. uid may be NULL. */
void api_call_success(struct api_call *call, int status, const char *uid);
void api_call_header(struct api_call *call, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
