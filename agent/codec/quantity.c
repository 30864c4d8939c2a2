/* See quantity.h. A quantity is mantissa * 10^decimal * 2^binary; all of it is integer arithmetic
 * in 128 bits, so that nothing is lost before the one rounding at the end.
 *
 * Invariant: the mantissa is below 10^18 < 2^60 and the binary power at most 60, so the first
 * product fits; every later step that might not is checked. Grammar: k8s.io/apimachinery,
 * resource.Quantity. */
#include "agent/codec/quantity.h"

#include <stdbool.h>
#include <string.h>

#define MANTISSA_MAX ((uint64_t)1000000000000000000)
#define EXPONENT_MAX 100 /* far beyond what any result can be */

struct parts {
    uint64_t mantissa;
    int decimal, binary;
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Digits with at most one point among them, at least one digit. NULL: not so, or too many of them.
 */
static const char *parse_digits(struct parts *parts, const char *at)
{
    bool any = false, fraction = false;
    for (; is_digit(*at) || (*at == '.' && !fraction); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        any = true;
        parts->mantissa = parts->mantissa * 10 + (uint64_t)(*at - '0');
        parts->decimal -= fraction;
        if (parts->mantissa >= MANTISSA_MAX || parts->decimal < -EXPONENT_MAX)
            return NULL;
    }
    return any ? at : NULL;
}

static bool parse_suffix(struct parts *parts, const char *suffix)
{
    static const struct {
        char text[3];
        int decimal, binary;
    } suffixes[] = {
        {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
        {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
        {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
    };
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (strcmp(suffix, suffixes[i].text) != 0)
            continue;
        parts->decimal += suffixes[i].decimal;
        parts->binary = suffixes[i].binary;
        return true;
    }
    return false;
}

/* "e3", "E-3". */
static bool parse_exponent(struct parts *parts, const char *at)
{
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    int sign = *at == '-' ? -1 : 1;
    if (*at == '-' || *at == '+')
        at++;
    int exponent = 0;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++)
        if (exponent <= EXPONENT_MAX)
            exponent = exponent * 10 + (*at - '0');
    parts->decimal += sign * exponent;
    return *at == 0;
}

/* mantissa * 10^decimal * 2^binary, rounded up; false: too great. */
static bool parts_value(const struct parts *parts, int64_t *ret_value)
{
    unsigned __int128 value = (unsigned __int128)parts->mantissa << parts->binary;
    bool rest = false;
    for (int i = parts->decimal; i < 0 && (value != 0 || rest); i++) {
        rest |= value % 10 != 0;
        value /= 10;
        if (value == 0)
            break;
    }
    for (int i = 0; i < parts->decimal && value != 0; i++) {
        value *= 10;
        if (value > INT64_MAX)
            return false;
    }
    value += rest;
    if (value > INT64_MAX)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

int quantity_parse(int64_t *ret_value, const char *text, enum quantity_scale scale,
                   struct error *err)
{
    if (text[0] == '-')
        return error_set(err, ERROR_INVALID, "\"%.40s\" must not be negative", text);
    struct parts parts = {.decimal = (int)scale};
    const char *rest = parse_digits(&parts, text + (text[0] == '+'));
    struct parts with_exponent = parts;
    if (rest && parse_exponent(&with_exponent, rest))
        parts = with_exponent;
    else if (!rest || !parse_suffix(&parts, rest))
        return error_set(err, ERROR_INVALID, "\"%.40s\" is not a quantity like 500m, 64Mi or 1.5",
                         text);
    if (!parts_value(&parts, ret_value))
        return error_set(err, ERROR_INVALID, "\"%.40s\" is too great", text);
    return 0;
}
