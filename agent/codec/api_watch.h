/* watch: what changes, told as it changes (see api_call.h for how a call becomes a stream).
 *
 *   GET ...?watch=1[&resourceVersion=RV][&labelSelector=][&fieldSelector=][&timeoutSeconds=]
 *           [&allowWatchBookmarks=][&sendInitialEvents=]
 *
 * Kubernetes' protocol: one JSON object a line, {"type": "ADDED", "object": {...}}, MODIFIED,
 * DELETED, BOOKMARK; ERROR with a Status is the last. Without RV, or with 0, what is there comes
 * first as ADDED. From the RV of a list on, or of an event, nothing is missed and nothing told
 * twice; several changes of one object between two looks become one (agent/core/feed.h). An RV of
 * another run or agent, of the future, or from before what is still remembered of deletions is
 * 410 Expired: list again.
 *
 * A DELETED has the object's name, namespace, uid and the version of the deletion, and nothing else
 * unless it has only left the selection. A client whose connection breaks in the middle of a burst
 * and that goes on from the last version it has read may be told MODIFIED of what it does not know,
 * and DELETED; informers take the one as an addition and pass over the other.
 *
 * Nothing is sent while nothing changes, but a bookmark a minute to those who allow it, if anything
 * at all has changed. A watch ends after timeoutSeconds, at most API_WATCH_SECONDS_MAX. */
#ifndef AGENT_CODEC_API_WATCH_H
#define AGENT_CODEC_API_WATCH_H

#include "agent/codec/api_objects.h"

enum {
    API_WATCH_SECONDS_MAX = 3600,
    API_BOOKMARK_MS = 60000,
    API_PIECE_BYTES = 64 * 1024, /* about so much is written for one look */
};

struct api_call;
struct api_watch;

/* API_STREAM, or -1. */
int api_watch_begin(struct api_call *call, const struct api_context *context);
/* Appends what is new. API_DONE: it was the last. */
int api_watch_poll(struct api_call *call, const struct api_context *context);
void api_watch_free(struct api_watch *watch);

#endif
