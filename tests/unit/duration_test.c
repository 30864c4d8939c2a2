/* Durations in text. */
#include <string.h>

#include "agent/codec/duration.h"
#include "agent/core/document.h"
#include "unit.h"

static void reads_what_people_write(void)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"500ms", 500},     {"10s", 10000},        {"5m", 300000},   {"24h", 86400000},
                 {"1h30m", 5400000}, {"1.5s", 1500},        {"0.001s", 1},    {"0", 0},
                 {"0s", 0},          {"1m30s500ms", 90500}, {".5h", 1800000}, {"1.s", 1000},
                 {"100h", 360000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ms = 77;
        CU_ASSERT(duration_parse(&ms, cases[i].text));
        CU_ASSERT_EQUAL(ms, cases[i].ms);
    }
}

static void refuses_everything_else(void)
{
    static const char *const cases[] = {"",
                                        "10",
                                        "s",
                                        "-1s",
                                        "+1s",
                                        "1 s",
                                        "10sec",
                                        "1d",
                                        "1us",
                                        "1ns",
                                        "0.1ms",
                                        "1.0005s",
                                        ".s",
                                        "1..s",
                                        "1e3s",
                                        "infinity",
                                        "9999999999999h",
                                        "999999999999999999999s",
                                        "1h 30m"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ms = 77;
        CU_ASSERT_FALSE(duration_parse(&ms, cases[i]));
        CU_ASSERT_EQUAL(ms, 77);
    }
}

static void prints_what_it_reads(void)
{
    static const uint64_t values[] = {0,     1,       999,      1000,     1500,
                                      60000, 5400000, 86400000, 90061001, DURATION_MS_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[DURATION_TEXT_BYTES];
        uint64_t ms = 77;
        CU_ASSERT(duration_parse(&ms, duration_print(values[i], text)));
        CU_ASSERT_EQUAL(ms, values[i]);
    }
    char text[DURATION_TEXT_BYTES];
    CU_ASSERT_STRING_EQUAL(duration_print(5400000, text), "1h30m");
    CU_ASSERT_STRING_EQUAL(duration_print(0, text), "0s");
    duration_print(UINT64_MAX, text);
}

static void shutdown_has_two_words_more(void)
{
    uint64_t ms = 1;
    CU_ASSERT(duration_parse_shutdown(&ms, "infinity"));
    CU_ASSERT(ms == SHUTDOWN_INFINITY);
    CU_ASSERT(duration_parse_shutdown(&ms, "brutal_kill"));
    CU_ASSERT(ms == SHUTDOWN_BRUTAL_KILL);
    CU_ASSERT(duration_parse_shutdown(&ms, "10s"));
    CU_ASSERT_FALSE(duration_parse_shutdown(&ms, "Infinity"));
}

UNIT_MAIN("duration", {"reads what people write", reads_what_people_write},
          {"refuses everything else", refuses_everything_else},
          {"prints what it reads", prints_what_it_reads},
          {"shutdown has two words more", shutdown_has_two_words_more})
