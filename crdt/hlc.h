/* Hybrid logical clock: wall-clock milliseconds in the upper 48 bits, a logical count in the
 * lower 16.
 *
 * Follows Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally
 * Distributed Databases" (2014). The wall clock is an argument. A monotonic clock must never be
 * used: its origin differs per machine, and "last write wins" would mean "longest uptime wins". */
#ifndef CRDT_HLC_H
#define CRDT_HLC_H

#include <stdbool.h>
#include <stdint.h>

enum { HLC_SKEW_MS_MAX = 60000 }; /* a remote stamp further ahead does not move the local clock */

struct hlc {
    uint64_t last;
};

uint64_t hlc_next(struct hlc *hlc, uint64_t wall_ms); /* strictly greater than every stamp before */
/* Notes a stamp received. False: it was too far ahead, the clock did not move; report the skew. */
bool hlc_observe(struct hlc *hlc, uint64_t remote, uint64_t wall_ms);
uint64_t hlc_wall_ms(uint64_t stamp);

#endif
