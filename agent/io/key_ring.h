/* The keys of a cluster, from a file: one a line, 32 bytes in base64, as `hordelet key` prints it.
 * Empty lines and what follows a # do not count.
 *
 * The first key seals what is sent, all of them open what comes. So a key is replaced without a
 * pause by three changes of the file, each on all nodes before the next: the new key below the old
 * one, then above it, then alone. */
#ifndef AGENT_IO_KEY_RING_H
#define AGENT_IO_KEY_RING_H

#include <stddef.h>
#include <stdint.h>

#include "agent/core/error.h"

enum {
    KEY_BYTES = 32,
    KEYS_MAX = 8, /* a rotation needs two */
    KEY_FILE_BYTES_MAX = 4096,
};

struct key_ring {
    struct key {
        uint32_t id; /* a hash of it: says which key, and nothing about it */
        uint8_t bytes[KEY_BYTES];
    } keys[KEYS_MAX];
    size_t count; /* at least 1 once loaded */
};

/* Refuses a file that others than its owner and group may read. On failure err names the file and
 * the line, and *ring is as it was. */
int key_ring_load(struct key_ring *ring, const char *path, struct error *err);
/* NULL: it is not in there. */
const struct key *key_ring_find(const struct key_ring *ring, uint32_t id);
void key_ring_erase(struct key_ring *ring);

#endif
