/* The hybrid logical clock. Kulkarni et al. 2014, section 3, with both parts packed in one integer:
 * adding one to a stamp counts logically, and more than 65,535 writes in a millisecond simply
 * borrow from the next one. Invariant: `last` never falls. */
#include "crdt/hlc.h"

#include <assert.h>

enum { HLC_LOGICAL_BITS = 16 };

static const uint64_t hlc_wall_ms_max = UINT64_MAX >> HLC_LOGICAL_BITS;

uint64_t hlc_next(struct hlc *hlc, uint64_t wall_ms)
{
    assert(hlc->last < UINT64_MAX);
    uint64_t wall = wall_ms < hlc_wall_ms_max ? wall_ms : hlc_wall_ms_max;
    uint64_t physical = wall << HLC_LOGICAL_BITS;
    hlc->last = physical > hlc->last ? physical : hlc->last + 1;
    return hlc->last;
}

bool hlc_observe(struct hlc *hlc, uint64_t remote, uint64_t wall_ms)
{
    uint64_t remote_ms = hlc_wall_ms(remote);
    if (remote_ms > wall_ms && remote_ms - wall_ms > HLC_SKEW_MS_MAX)
        return false;
    /* The very last stamp would leave no next one. */
    if (remote > hlc->last && remote < UINT64_MAX)
        hlc->last = remote;
    return true;
}

uint64_t hlc_wall_ms(uint64_t stamp)
{
    return stamp >> HLC_LOGICAL_BITS;
}
