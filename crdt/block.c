/* The memory of a key and its state: one block for context, siblings, key and values. A file of its
 * own, so that the large simulator can put its own functions in the place of block_new and
 * block_free, under which equal blocks of many nodes are one. */
#include <stdlib.h>
#include <string.h>

#include "crdt/awmap_private.h"

size_t block_bytes(struct span key, const struct state *state)
{
    size_t bytes = sizeof(struct block) + state->context_count * sizeof *state->context +
                   state->live_count * sizeof *state->live + key.bytes;
    for (uint32_t i = 0; i < state->live_count; i++)
        bytes += state->live[i].value_bytes;
    return bytes;
}

/* Returns the end of the copy. */
static uint8_t *copy_bytes(uint8_t *to, const void *data, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, data, bytes);
    return to + bytes;
}

void block_write(struct block *block, uint64_t hash, struct span key, const struct state *state)
{
    *block = (struct block){.hash = hash,
                            .context_count = state->context_count,
                            .key_bytes = (uint16_t)key.bytes,
                            .live_count = (uint8_t)state->live_count};
    struct live *live = (struct live *)copy_bytes((uint8_t *)block->context, state->context,
                                                  state->context_count * sizeof *state->context);
    uint8_t *at = copy_bytes((uint8_t *)(live + state->live_count), key.data, key.bytes);
    for (uint32_t i = 0; i < state->live_count; i++) {
        live[i] = state->live[i];
        live[i].value = at;
        at = copy_bytes(at, state->live[i].value, state->live[i].value_bytes);
    }
}

struct block *block_new(uint64_t hash, struct span key, const struct state *state)
{
    struct block *block = xmalloc(block_bytes(key, state));
    block_write(block, hash, key, state);
    return block;
}

void block_free(struct block *block)
{
    free(block);
}
