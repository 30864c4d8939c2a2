/* GETs whose answers are read piece by piece, several at once: logs. */
#ifndef AGENT_CLI_API_STREAM_H
#define AGENT_CLI_API_STREAM_H

#include "agent/cli/api_client.h"

struct api_stream {
    const char *path;
    /* A piece of a good answer. False: nobody wants more, and all streams end. */
    bool (*piece)(struct api_stream *stream, struct span bytes);
    void *context;
    bool failed; /* then err says why */
    struct error err;
    /* private to api_stream.c */
    void *curl;
    struct buffer body; /* of an answer that is not good */
    bool *stop;
};

/* Runs them until each has ended. quiet_ms: an answer of which nothing comes for so long has
 * failed; 0: it may be quiet for ever. */
void api_streams_run(struct api_client *client, struct api_stream *streams, size_t count,
                     uint64_t quiet_ms);

#endif
