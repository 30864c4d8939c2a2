/* Times of the failure detector.
 *
 * The figures answer three demands. A process may be paused for a second on a busy machine and must
 * not be called dead: total_ms + suspicion is 1.6 s or more. A frozen one is to be called dead
 * within 3 s even if it was heard just before: fresh_pinged_ms + total_ms + suspicion is 2.6 s
 * among three. A killed one, of whom the kernel told us, within 1 s: hint_total_ms + hint_suspicion
 * is 0.65 s. Suspicion grows with the logarithm of the size, since news needs that long to reach
 * everybody. */
#include "agent/core/swim_timing.h"

#include <assert.h>

static const struct swim_timing timing_lan = {
    .probe_period_ms = 250,
    .fresh_ms = 900,
    .fresh_pinged_ms = 1000,
    .fresh_unasked_ms = 3000,
    .direct_ms = 300,
    .total_ms = 600,
    .suspicion_ms = 910,
    .suspicion_step_ms = 200,
    .hint_direct_ms = 150,
    .hint_total_ms = 300,
    .hint_suspicion_ms_min = 350,
    .hint_suspicion_ms_max = 650,
    .hint_settle_ms = 100,
};

static struct swim_timing timing_scale(const struct swim_timing *timing, uint64_t halves)
{
    return (struct swim_timing){
        .probe_period_ms = timing->probe_period_ms * halves / 2,
        .fresh_ms = timing->fresh_ms * halves / 2,
        .fresh_pinged_ms = timing->fresh_pinged_ms * halves / 2,
        .fresh_unasked_ms = timing->fresh_unasked_ms * halves / 2,
        .direct_ms = timing->direct_ms * halves / 2,
        .total_ms = timing->total_ms * halves / 2,
        .suspicion_ms = timing->suspicion_ms * halves / 2,
        .suspicion_step_ms = timing->suspicion_step_ms * halves / 2,
        .hint_direct_ms = timing->hint_direct_ms * halves / 2,
        .hint_total_ms = timing->hint_total_ms * halves / 2,
        .hint_suspicion_ms_min = timing->hint_suspicion_ms_min * halves / 2,
        .hint_suspicion_ms_max = timing->hint_suspicion_ms_max * halves / 2,
        .hint_settle_ms = timing->hint_settle_ms * halves / 2,
    };
}

struct swim_timing swim_timing_of(enum profile profile)
{
    switch (profile) {
    case PROFILE_WAN:
        return timing_scale(&timing_lan, 6);
    case PROFILE_LOCAL:
        return timing_scale(&timing_lan, 1);
    case PROFILE_LAN:
        break;
    }
    return timing_lan;
}

/* Each squaring of a mantissa in [1, 2) yields one binary digit of the logarithm. */
uint32_t log2_1024(uint64_t value)
{
    assert(value >= 1);
    uint32_t result = 0;
    while (value >= UINT64_C(1) << 31) { /* the mantissa below has 30 digits behind the point */
        value >>= 1;
        result += 1024;
    }
    uint64_t mantissa = value << 30;
    while (mantissa >= UINT64_C(2) << 30) {
        mantissa >>= 1;
        result += 1024;
    }
    for (uint32_t digit = 512; digit > 0; digit /= 2) {
        mantissa = mantissa * mantissa >> 30;
        if (mantissa >= UINT64_C(2) << 30) {
            mantissa >>= 1;
            result += digit;
        }
    }
    return result;
}

uint64_t swim_suspicion_ms_min(const struct swim_timing *timing, size_t count)
{
    uint64_t log10_1024 = (uint64_t)log2_1024(count > 0 ? count : 1) * 30103 / 100000;
    return timing->suspicion_ms + timing->suspicion_step_ms * log10_1024 / 1024;
}

uint64_t suspicion_remaining_ms(unsigned n, unsigned k, uint64_t elapsed_ms, uint64_t min_ms,
                                uint64_t max_ms)
{
    assert(min_ms <= max_ms);
    uint64_t timeout_ms = min_ms;
    if (n < k)
        timeout_ms =
            max_ms - (max_ms - min_ms) * log2_1024((uint64_t)n + 1) / log2_1024((uint64_t)k + 1);
    return elapsed_ms < timeout_ms ? timeout_ms - elapsed_ms : 0;
}

unsigned swim_confirmations_hoped(size_t count)
{
    enum { HOPED_MAX = 2 }; /* memberlist's default; more only delays */
    size_t others = count > 2 ? count - 2 : 0;
    return others < HOPED_MAX ? (unsigned)others : HOPED_MAX;
}
