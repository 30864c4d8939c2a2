/* The frozen 64-bit hash of placement. FROZEN: changing one bit of it moves containers in every
 * running cluster; tests/golden holds its values for ever. Not for tables that users could attack.
 */
#ifndef PLACEMENT_HASH_H
#define PLACEMENT_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t placement_hash(const void *data, size_t bytes);
uint64_t placement_hash_pair(uint64_t a, uint64_t b); /* mixes two hashes; not commutative */

#endif
