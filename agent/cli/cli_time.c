/* See cli_time.h. */
#include "agent/cli/cli_time.h"

#include <time.h>

static uint64_t read_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t cli_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

uint64_t cli_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

void cli_pause(uint64_t pause_ms)
{
    struct timespec pause = {(time_t)(pause_ms / 1000), (long)(pause_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}
