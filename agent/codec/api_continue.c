/* Continue tokens (see api_continue.h): "1:RESOURCE:SCOPE:NS:NAME:ORDINAL:LIST:INDEX:RUN" in
 * base64url without padding. A token comes back from anybody, so that every field is checked before
 * it is used as a key. */
#include "agent/codec/api_continue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_BYTES_MAX = 3 * NAME_BYTES_MAX + 112, FIELDS = 9 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url_print(const char *plain, char *ret_text)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (; *plain; plain++) {
        bits = bits << 8 | (uint8_t)*plain;
        for (count += 8; count >= 6; count -= 6)
            *ret_text++ = alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *ret_text++ = alphabet[bits << (6 - count) & 63];
    *ret_text = '\0';
}

static bool base64url_parse(const char *text, char ret_plain[PLAIN_BYTES_MAX + 1])
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t bytes = 0;
    for (; *text; text++) {
        const char *digit = strchr(alphabet, *text);
        if (!digit || bytes == PLAIN_BYTES_MAX)
            return false;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        ret_plain[bytes++] = (char)(bits >> count & 255);
    }
    ret_plain[bytes] = '\0';
    return strlen(ret_plain) == bytes;
}

void api_continue_print(enum api_resource resource, const char *ns, const struct api_key *key,
                        const struct api_pin *pin, char ret_text[API_CONTINUE_BYTES])
{
    char plain[PLAIN_BYTES_MAX + 1];
    snprintf(plain, sizeof plain, "1:%s:%s:%s:%s:%" PRIu32 ":%" PRIu64 ":%" PRIu64 ":%" PRIu32,
             api_resources[resource].plural, ns, key->ns, key->name, key->ordinal, pin->list,
             pin->index, pin->run_tag);
    base64url_print(plain, ret_text);
}

static bool number_parse(uint64_t *ret_number, uint64_t max, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    *ret_number = strtoull(text, NULL, 10);
    return digits > 0 && digits <= 19 && text[digits] == '\0' && *ret_number <= max;
}

/* Names of members may hold dots; for a place in an order it is enough that the text is harmless.
 */
static bool key_text_is_valid(const char *text, bool required)
{
    size_t bytes =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return text[bytes] == '\0' && bytes <= NAME_BYTES_MAX && (!required || bytes > 0);
}

int api_continue_parse(struct api_key *ret_key, struct api_pin *ret_pin, enum api_resource resource,
                       const char *ns, const char *text, struct error *err)
{
    char plain[PLAIN_BYTES_MAX + 1];
    char *fields[FIELDS] = {0};
    size_t count = 0;
    if (!base64url_parse(text, plain))
        return error_set(err, ERROR_MALFORMED,
                         "continue key is not valid: not a token of this API");
    char *rest = plain;
    for (char *field; count < FIELDS && (field = strsep(&rest, ":"));)
        fields[count++] = field;
    const struct api_resource_info *info = &api_resources[resource];
    struct api_key key = {0};
    struct api_pin pin;
    uint64_t ordinal, run_tag;
    if (count != FIELDS || rest || strcmp(fields[0], "1") != 0 ||
        !key_text_is_valid(fields[3], info->namespaced) || !key_text_is_valid(fields[4], true) ||
        !number_parse(&ordinal, UINT32_MAX, fields[5]) ||
        !number_parse(&pin.list, UINT64_MAX, fields[6]) ||
        !number_parse(&pin.index, UINT64_MAX, fields[7]) ||
        !number_parse(&run_tag, UINT32_MAX, fields[8]))
        return error_set(err, ERROR_MALFORMED,
                         "continue key is not valid: not a token of this API");
    if (strcmp(fields[1], info->plural) != 0 || strcmp(fields[2], ns) != 0)
        return error_set(err, ERROR_MALFORMED,
                         "continue key is not valid: it belongs to another list");
    TEXT_SET(key.ns, fields[3]);
    TEXT_SET(key.name, fields[4]);
    key.ordinal = (uint32_t)ordinal;
    pin.run_tag = (uint32_t)run_tag;
    *ret_pin = pin;
    *ret_key = key;
    return 0;
}
