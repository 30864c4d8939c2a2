/* UUIDs. */
#include "agent/codec/uuid.h"
#include "unit.h"

static void has_version_and_variant(void)
{
    static const uint8_t zeros[UUID_RANDOM_BYTES];
    uint8_t ones[UUID_RANDOM_BYTES];
    char text[UID_BYTES + 1];
    for (size_t i = 0; i < sizeof ones; i++)
        ones[i] = 0xff;
    uuid_print(zeros, text);
    CU_ASSERT_STRING_EQUAL(text, "00000000-0000-4000-8000-000000000000");
    CU_ASSERT(uuid_is_valid(text));
    uuid_print(ones, text);
    CU_ASSERT_STRING_EQUAL(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    CU_ASSERT(uuid_is_valid(text));
}

static void knows_what_is_none(void)
{
    CU_ASSERT_FALSE(uuid_is_valid(""));
    CU_ASSERT_FALSE(uuid_is_valid("00000000-0000-4000-8000-00000000000"));
    CU_ASSERT_FALSE(uuid_is_valid("00000000-0000-4000-8000-00000000000g"));
    CU_ASSERT_FALSE(uuid_is_valid("000000000000-4000-8000-00000000000000"));
}

UNIT_MAIN("uuid", {"has version and variant", has_version_and_variant},
          {"knows what is none", knows_what_is_none})
