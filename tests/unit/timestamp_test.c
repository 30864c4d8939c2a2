/* RFC 3339, against known instants and against itself over four centuries. */
#include "agent/codec/timestamp.h"
#include "unit.h"

static void knows_some_instants(void)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {951782400000, "2000-02-29T00:00:00Z"},
                 {1700000000000, "2023-11-14T22:13:20Z"},
                 {4107542399000, "2100-02-28T23:59:59Z"},
                 {4107542400000, "2100-03-01T00:00:00Z"},
                 {253402300799000, "9999-12-31T23:59:59Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TIMESTAMP_TEXT_BYTES];
        uint64_t ms = 1;
        CU_ASSERT_STRING_EQUAL(timestamp_print(cases[i].ms, text), cases[i].text);
        CU_ASSERT(timestamp_parse(&ms, cases[i].text));
        CU_ASSERT_EQUAL(ms, cases[i].ms);
    }
    char text[TIMESTAMP_TEXT_BYTES];
    CU_ASSERT_STRING_EQUAL(timestamp_print_micro(1700000000123, text),
                           "2023-11-14T22:13:20.123000Z");
    timestamp_print_micro(UINT64_MAX, text);
}

static void reads_fractions_and_offsets(void)
{
    uint64_t ms = 0;
    CU_ASSERT(timestamp_parse(&ms, "2023-11-14T23:13:20.1234+01:00"));
    CU_ASSERT_EQUAL(ms, 1700000000123);
    CU_ASSERT(timestamp_parse(&ms, "2023-11-14t17:43:20.5-04:30"));
    CU_ASSERT_EQUAL(ms, 1700000000500);
}

static void refuses_nonsense(void)
{
    static const char *const cases[] = {"",
                                        "2023",
                                        "2023-11-14",
                                        "2023-11-14T22:13:20",
                                        "2023-02-29T00:00:00Z",
                                        "2023-04-31T00:00:00Z",
                                        "2023-13-01T00:00:00Z",
                                        "2023-00-01T00:00:00Z",
                                        "2023-11-14T24:00:00Z",
                                        "2023-11-14T22:60:00Z",
                                        "2023-11-14T22:13:20.Z",
                                        "2023-11-14T22:13:20ZZ",
                                        "2023-11-14T22:13:20+1:00",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00+01:00",
                                        "2023-11-00T00:00:00Z"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ms;
        CU_ASSERT_FALSE(timestamp_parse(&ms, cases[i]));
    }
}

static void each_day_returns(void)
{
    for (uint64_t day = 0; day < 400 * 366; day++) {
        char text[TIMESTAMP_TEXT_BYTES];
        uint64_t ms = 0, wanted = (day * 86400 + day % 86400) * 1000;
        if (!timestamp_parse(&ms, timestamp_print(wanted, text)) || ms != wanted) {
            CU_FAIL("a day does not return");
            return;
        }
    }
}

UNIT_MAIN("timestamp", {"knows some instants", knows_some_instants},
          {"reads fractions and offsets", reads_fractions_and_offsets},
          {"refuses nonsense", refuses_nonsense}, {"each day returns", each_day_returns})
