/* crdt/hlc.c: stamps only rise, and a peer's broken clock does not move ours. */
#include "unit.h"

#include "crdt/hlc.h"

static void stamps_rise(void)
{
    struct hlc hlc = {0};
    uint64_t before = 0;
    for (uint64_t i = 0; i < 200000; i++) { /* more than fit into one millisecond */
        uint64_t stamp = hlc_next(&hlc, 1000);
        CU_ASSERT_FATAL(stamp > before);
        before = stamp;
    }
    CU_ASSERT_EQUAL(hlc_wall_ms(before), 1003);
    CU_ASSERT_TRUE(hlc_next(&hlc, 5) > before); /* the wall clock went back */
    CU_ASSERT_EQUAL(hlc_next(&hlc, 2000), UINT64_C(2000) << 16);
    CU_ASSERT_EQUAL(hlc_wall_ms(hlc_next(&hlc, UINT64_MAX)), UINT64_MAX >> 16);
}

static void remote_stamps_are_passed(void)
{
    struct hlc hlc = {0};
    uint64_t remote = (UINT64_C(5000) << 16) + 7;
    CU_ASSERT_TRUE(hlc_observe(&hlc, remote, 4000));
    CU_ASSERT_EQUAL(hlc_next(&hlc, 4000), remote + 1);
    CU_ASSERT_TRUE(hlc_observe(&hlc, 3, 4000)); /* an old one changes nothing */
    CU_ASSERT_EQUAL(hlc_next(&hlc, 4000), remote + 2);
}

static void skew_is_bounded(void)
{
    struct hlc hlc = {0};
    uint64_t wall = 1000000;
    CU_ASSERT_TRUE(hlc_observe(&hlc, (wall + HLC_SKEW_MS_MAX) << 16, wall));
    uint64_t last = hlc.last;
    CU_ASSERT_FALSE(hlc_observe(&hlc, (wall + HLC_SKEW_MS_MAX + 1) << 16, wall));
    CU_ASSERT_FALSE(hlc_observe(&hlc, UINT64_MAX, wall));
    CU_ASSERT_EQUAL(hlc.last, last);
    CU_ASSERT_TRUE(hlc_observe(&hlc, UINT64_MAX, UINT64_MAX));
    CU_ASSERT_EQUAL(hlc.last, last); /* or there would be no next stamp */
}

UNIT_MAIN("hlc", {"rise", stamps_rise}, {"remote", remote_stamps_are_passed},
          {"skew", skew_is_bounded})
