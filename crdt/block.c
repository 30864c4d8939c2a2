/* The memory of an entry's state: one block for context, siblings and values, made whole and never
 * changed. A file of its own, so that the large simulator can put its own functions in their place,
 * under which equal blocks of many nodes are one. */
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"

void *block_new(const struct state *state)
{
    size_t context_bytes = state->context_count * sizeof *state->context;
    size_t bytes = context_bytes + state->live_count * sizeof *state->live;
    for (uint32_t i = 0; i < state->live_count; i++)
        bytes += state->live[i].value_bytes;
    uint8_t *block = xmalloc(bytes);
    if (context_bytes > 0)
        memcpy(block, state->context, context_bytes);
    struct live *live = (struct live *)(block + context_bytes);
    uint8_t *value = (uint8_t *)(live + state->live_count);
    for (uint32_t i = 0; i < state->live_count; i++) {
        live[i] = state->live[i];
        if (live[i].value_bytes > 0)
            memcpy(value, live[i].value, live[i].value_bytes);
        live[i].value = value;
        value += live[i].value_bytes;
    }
    return block;
}

void block_free(void *block)
{
    free(block);
}
