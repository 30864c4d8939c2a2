/* UUIDs: sixteen random bytes with the version and variant bits of RFC 9562 set, in text. */
#include "agent/codec/uuid.h"

#include <ctype.h>
#include <string.h>

static bool uuid_dash_at(unsigned position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

void uuid_print(const uint8_t random[UUID_RANDOM_BYTES], char ret_text[UID_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[UUID_RANDOM_BYTES];
    memcpy(bytes, random, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* the variant of the RFC */
    unsigned at = 0;
    for (unsigned i = 0; i < UUID_RANDOM_BYTES; i++) {
        if (uuid_dash_at(at))
            ret_text[at++] = '-';
        ret_text[at++] = digits[bytes[i] >> 4];
        ret_text[at++] = digits[bytes[i] & 0x0f];
    }
    ret_text[at] = '\0';
}

bool uuid_is_valid(const char *text)
{
    if (strlen(text) != UID_BYTES)
        return false;
    for (unsigned i = 0; i < UID_BYTES; i++)
        if (uuid_dash_at(i) ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}
