/* The failure detector's arithmetic. */
#include "agent/core/swim_timing.h"
#include "unit.h"

static void suspicion_shrinks_with_confirmations(void)
{
    static const struct {
        unsigned n, k;
        uint64_t elapsed_ms, expected_ms;
    } rows[] = {
        {0, 0, 0, 1000}, {0, 0, 400, 600}, {0, 0, 1000, 0}, {0, 0, 5000, 0}, /* nobody else */
        {0, 1, 0, 3000}, {1, 1, 0, 1000},  {1, 1, 999, 1},                   /* among three */
        {0, 2, 0, 3000}, {1, 2, 0, 1739},  {2, 2, 0, 1000}, {3, 2, 0, 1000},  {0, 3, 0, 3000},
        {1, 3, 0, 2000}, {2, 3, 0, 1416},  {3, 3, 0, 1000}, {1, 3, 1500, 500}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CU_ASSERT_EQUAL(
            suspicion_remaining_ms(rows[i].n, rows[i].k, rows[i].elapsed_ms, 1000, 3000),
            rows[i].expected_ms);
    for (unsigned k = 0; k < 20; k++)
        for (unsigned n = 0; n < 20; n++)
            CU_ASSERT_TRUE(suspicion_remaining_ms(n + 1, k, 0, 1000, 3000) <=
                           suspicion_remaining_ms(n, k, 0, 1000, 3000));
}

static void logarithms_are_integers(void)
{
    CU_ASSERT_EQUAL(log2_1024(1), 0);
    CU_ASSERT_EQUAL(log2_1024(2), 1024);
    CU_ASSERT_EQUAL(log2_1024(3), 1623);
    CU_ASSERT_EQUAL(log2_1024(1024), 10240);
    CU_ASSERT_EQUAL(log2_1024(UINT64_C(1) << 40), 40960);
    CU_ASSERT_EQUAL(log2_1024(UINT64_MAX), 65535);
    for (uint64_t value = 1; value < 10000; value++)
        CU_ASSERT_TRUE(log2_1024(value) <= log2_1024(value + 1));
}

/* A paused peer has at least 1.6 s to contradict, a frozen one among three is found within 3 s. */
static void times_keep_their_promises(void)
{
    struct swim_timing lan = swim_timing_of(PROFILE_LAN);
    for (size_t count = 3; count <= 200; count++) {
        uint64_t least_ms = lan.total_ms + swim_suspicion_ms_min(&lan, count);
        CU_ASSERT_TRUE(least_ms >= 1600 && least_ms <= 2000);
    }
    CU_ASSERT_TRUE(lan.fresh_pinged_ms + lan.total_ms + swim_suspicion_ms_min(&lan, 3) <= 3000);
    CU_ASSERT_TRUE(lan.hint_total_ms + lan.hint_suspicion_ms_max < 1000);
    CU_ASSERT_EQUAL(swim_timing_of(PROFILE_WAN).total_ms, 3 * lan.total_ms);
    CU_ASSERT_EQUAL(swim_timing_of(PROFILE_LOCAL).total_ms, lan.total_ms / 2);
    CU_ASSERT_EQUAL(swim_confirmations_hoped(1), 0);
    CU_ASSERT_EQUAL(swim_confirmations_hoped(3), 1);
    CU_ASSERT_EQUAL(swim_confirmations_hoped(100), 2);
}

UNIT_MAIN("swim_timing",
          {"suspicion shrinks with confirmations", suspicion_shrinks_with_confirmations},
          {"logarithms are integers", logarithms_are_integers},
          {"times keep their promises", times_keep_their_promises})
