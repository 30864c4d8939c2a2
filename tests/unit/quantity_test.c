/* Quantities, by a table. */
#include "agent/codec/quantity.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void quantities_are_exact(void)
{
    static const struct {
        const char *text;
        enum quantity_scale scale;
        int64_t value;
    } cases[] = {
        {"0", QUANTITY_UNITS, 0},
        {"64Mi", QUANTITY_UNITS, 67108864},
        {"1.5Gi", QUANTITY_UNITS, 1610612736},
        {"1e3", QUANTITY_UNITS, 1000},
        {"1E3", QUANTITY_UNITS, 1000},
        {"1e+3", QUANTITY_UNITS, 1000},
        {"12e-1", QUANTITY_UNITS, 2},
        {"128974848", QUANTITY_UNITS, 128974848},
        {"129M", QUANTITY_UNITS, 129000000},
        {"1k", QUANTITY_UNITS, 1000},
        {"1E", QUANTITY_UNITS, 1000000000000000000},
        {"7Ei", QUANTITY_UNITS, 7 * ((int64_t)1 << 60)},
        {"+5", QUANTITY_UNITS, 5},
        {".5", QUANTITY_UNITS, 1},
        {"5.", QUANTITY_UNITS, 5},
        {"100m", QUANTITY_UNITS, 1},
        {"0.0000000000000000001", QUANTITY_UNITS, 1},
        {"500m", QUANTITY_MILLI, 500},
        {"0.5", QUANTITY_MILLI, 500},
        {"2", QUANTITY_MILLI, 2000},
        {"1n", QUANTITY_MILLI, 1},
        {"500m", QUANTITY_NANO, 500000000},
        {"100u", QUANTITY_NANO, 100000},
        {"1n", QUANTITY_NANO, 1},
        {"0.1", QUANTITY_NANO, 100000000},
        {"9223372036", QUANTITY_NANO, 9223372036000000000},
        {"0e99", QUANTITY_NANO, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = -1;
        struct error err = {0};
        int status = quantity_parse(&value, cases[i].text, cases[i].scale, &err);
        CU_ASSERT_EQUAL(status, 0);
        CU_ASSERT_EQUAL(value, cases[i].value);
        if (value != cases[i].value)
            printf("%s: %lld %s\n", cases[i].text, (long long)value, err.text);
    }
}

static void others_are_refused(void)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "is not a quantity"},       {".", "is not a quantity"},
        {"lots", "is not a quantity"},   {"1 Mi", "is not a quantity"},
        {"1mi", "is not a quantity"},    {"1Mib", "is not a quantity"},
        {"1.2.3", "is not a quantity"},  {"1e", "is not a quantity"},
        {"1e3Mi", "is not a quantity"},  {"0x10", "is not a quantity"},
        {"1K", "is not a quantity"},     {"inf", "is not a quantity"},
        {"++1", "is not a quantity"},    {"-1", "must not be negative"},
        {"8Ei", "is too great"},         {"9e99", "is too great"},
        {"1e999999999", "is too great"}, {"99999999999999999999", "is not a quantity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = -1;
        struct error err = {0};
        int status = quantity_parse(&value, cases[i].text, QUANTITY_UNITS, &err);
        CU_ASSERT_EQUAL(status, -1);
        CU_ASSERT_EQUAL(value, -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].error));
        if (!strstr(err.text, cases[i].error))
            printf("%s: %s\n", cases[i].text, err.text);
    }
}

UNIT_MAIN("quantity", {"quantities are exact", quantities_are_exact},
          {"others are refused", others_are_refused})
