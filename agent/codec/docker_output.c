/* See docker_output.h. */
#include "agent/codec/docker_output.h"

#include <string.h>

enum { STREAM_MAX = 2, STREAM_BYTES = 4 /* the stream's number and the zeros */ };

static bool head_is_possible(const struct docker_output *output)
{
    const uint8_t *head = output->head;
    for (size_t i = 1; i < output->head_bytes && i < STREAM_BYTES; i++)
        if (head[i] != 0)
            return false;
    return output->head_bytes == 0 || head[0] <= STREAM_MAX;
}

static void head_end(struct docker_output *output)
{
    const uint8_t *head = output->head;
    output->left =
        (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    output->head_bytes = 0;
    output->framed = true;
}

/* One byte of a head. False: it is none, and the stream had frames before. */
static bool head_take(struct docker_output *output, uint8_t byte, struct buffer *printed)
{
    output->head[output->head_bytes++] = byte;
    if (!head_is_possible(output)) {
        output->plain = true;
        if (output->framed)
            return false;
        docker_output_end(output, printed);
    } else if (output->head_bytes == DOCKER_FRAME_HEAD_BYTES) {
        head_end(output);
    }
    return true;
}

bool docker_output_read(struct docker_output *output, struct span bytes, struct buffer *ret_printed)
{
    for (size_t at = 0; at < bytes.bytes;) {
        size_t here = bytes.bytes - at;
        if (!output->plain && output->left == 0) {
            if (!head_take(output, bytes.data[at++], ret_printed))
                return false;
            continue;
        }
        if (!output->plain) {
            here = here < output->left ? here : output->left;
            output->left -= (uint32_t)here;
        }
        buffer_append(ret_printed, bytes.data + at, here);
        at += here;
    }
    return true;
}

void docker_output_end(struct docker_output *output, struct buffer *ret_printed)
{
    if (!output->framed)
        buffer_append(ret_printed, output->head, output->head_bytes);
    output->head_bytes = 0;
}
