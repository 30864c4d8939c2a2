/* A set of objects that somebody knows, as 64-bit hashes of their keys: 16 bytes or less for each.
 * Zeroed memory is empty. */
#ifndef AGENT_CODEC_API_KNOWN_H
#define AGENT_CODEC_API_KNOWN_H

#include "agent/codec/api_continue.h"

struct api_known {
    uint64_t *slots; /* open addressing; 0: free */
    size_t count, capacity;
};

uint64_t api_known_hash(const struct api_key *key); /* never 0 */
bool api_known_has(const struct api_known *known, uint64_t hash);
void api_known_add(struct api_known *known, uint64_t hash);
void api_known_remove(struct api_known *known, uint64_t hash);
void api_known_copy(struct api_known *to, const struct api_known *from);
void api_known_release(struct api_known *known); /* it is empty afterwards */

#endif
