/* What a container has printed, out of the Engine's stream of it.
 *
 * The stream comes in frames, cut anywhere: a byte that says which of the container's outputs,
 * three zeros, four bytes of length (big-endian), then as many bytes. That of a container with a
 * terminal has no frames: then it does not begin like one, which nothing that a terminal prints
 * does. */
#ifndef AGENT_CODEC_DOCKER_OUTPUT_H
#define AGENT_CODEC_DOCKER_OUTPUT_H

#include "crdt/bytes.h"

enum { DOCKER_FRAME_HEAD_BYTES = 8 };

/* Zeroed memory is the beginning of a stream. */
struct docker_output {
    uint8_t head[DOCKER_FRAME_HEAD_BYTES];
    size_t head_bytes; /* of it, so far */
    uint32_t left;     /* of the frame's bytes */
    bool plain;        /* there are no frames */
    bool framed;       /* there was one */
};

/* Appends what was printed. False: a frame has no frame's head; the stream is worth nothing more.
 */
bool docker_output_read(struct docker_output *output, struct span bytes,
                        struct buffer *ret_printed);
/* The stream has ended: appends what was taken for the beginning of a head. */
void docker_output_end(struct docker_output *output, struct buffer *ret_printed);

#endif
