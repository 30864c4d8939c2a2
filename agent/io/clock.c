/* The two clocks.
 *
 * Monotonic time is CLOCK_BOOTTIME: with CLOCK_MONOTONIC a laptop that slept for an hour would
 * believe that no time has passed, and its node would not notice that it was away. */
#include "agent/io/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t clock_read_ms(clockid_t id)
{
    struct timespec time;
    int failed = clock_gettime(id, &time);
    assert(!failed);
    (void)failed;
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

struct instant clock_now(void)
{
    return (struct instant){clock_mono_ms(), clock_read_ms(CLOCK_REALTIME)};
}

uint64_t clock_mono_ms(void)
{
    return clock_read_ms(CLOCK_BOOTTIME);
}
