/* Plain scalars. The rules are those of go-yaml version 2, which sigs.k8s.io/yaml and so kubectl
 * use: YAML 1.1 with "y" and "on" as booleans, underscores in numbers, 0b, 0o, 0x and leading-zero
 * octal; but no base 60, and dates are strings. Following it exactly matters more than following a
 * standard: a file must mean the same to `kubectl apply` and to `hordelet apply`. */
#include "agent/codec/yaml_scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    YAML_WORD_BYTES_MAX = 5,
    YAML_NUMBER_BYTES_MAX = 400, /* more digits than any finite double needs: a string */
};

static const struct {
    const char *text;
    enum yaml_scalar_type type;
} yaml_words[] = {
    {"", YAML_SCALAR_NULL},
    {"~", YAML_SCALAR_NULL},
    {"null", YAML_SCALAR_NULL},
    {"Null", YAML_SCALAR_NULL},
    {"NULL", YAML_SCALAR_NULL},
    {"<<", YAML_SCALAR_MERGE},
    {"y", YAML_SCALAR_TRUE},
    {"Y", YAML_SCALAR_TRUE},
    {"yes", YAML_SCALAR_TRUE},
    {"Yes", YAML_SCALAR_TRUE},
    {"YES", YAML_SCALAR_TRUE},
    {"true", YAML_SCALAR_TRUE},
    {"True", YAML_SCALAR_TRUE},
    {"TRUE", YAML_SCALAR_TRUE},
    {"on", YAML_SCALAR_TRUE},
    {"On", YAML_SCALAR_TRUE},
    {"ON", YAML_SCALAR_TRUE},
    {"n", YAML_SCALAR_FALSE},
    {"N", YAML_SCALAR_FALSE},
    {"no", YAML_SCALAR_FALSE},
    {"No", YAML_SCALAR_FALSE},
    {"NO", YAML_SCALAR_FALSE},
    {"false", YAML_SCALAR_FALSE},
    {"False", YAML_SCALAR_FALSE},
    {"FALSE", YAML_SCALAR_FALSE},
    {"off", YAML_SCALAR_FALSE},
    {"Off", YAML_SCALAR_FALSE},
    {"OFF", YAML_SCALAR_FALSE},
    {".nan", YAML_SCALAR_NOT_FINITE},
    {".NaN", YAML_SCALAR_NOT_FINITE},
    {".NAN", YAML_SCALAR_NOT_FINITE},
    {".inf", YAML_SCALAR_NOT_FINITE},
    {".Inf", YAML_SCALAR_NOT_FINITE},
    {".INF", YAML_SCALAR_NOT_FINITE},
    {"+.inf", YAML_SCALAR_NOT_FINITE},
    {"+.Inf", YAML_SCALAR_NOT_FINITE},
    {"+.INF", YAML_SCALAR_NOT_FINITE},
    {"-.inf", YAML_SCALAR_NOT_FINITE},
    {"-.Inf", YAML_SCALAR_NOT_FINITE},
    {"-.INF", YAML_SCALAR_NOT_FINITE},
};

/* 0 to 15, or 99. */
static unsigned digit_value(char digit)
{
    if (isdigit((unsigned char)digit))
        return (unsigned)(digit - '0');
    if (isxdigit((unsigned char)digit))
        return (unsigned)(tolower((unsigned char)digit) - 'a') + 10;
    return 99;
}

/* "0x1f", "0o17", "017", "0b11", with a sign. A double holds them exactly up to 2^53, and what is
 * greater is refused where it is used. */
static bool yaml_number_prefixed(const char *text, double *ret_number)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    if (text[0] != '0' || text[1] == '\0')
        return false;
    unsigned base = 8;
    int letter = tolower((unsigned char)text[1]);
    if (letter == 'x' || letter == 'b' || letter == 'o') {
        base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
        text++;
    }
    text++;
    if (*text == '\0')
        return false;
    double number = 0;
    for (; *text != '\0'; text++) {
        if (digit_value(*text) >= base)
            return false;
        number = number * base + digit_value(*text);
    }
    *ret_number = negative ? -number : number;
    return true;
}

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool yaml_number_decimal(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    const char *whole = text;
    text = skip_digits(text);
    bool digits = text > whole;
    if (*text == '.') {
        const char *fraction = ++text;
        text = skip_digits(text);
        if (!digits && text == fraction)
            return false;
        digits = true;
    }
    if (!digits)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        const char *exponent = text;
        text = skip_digits(text);
        if (text == exponent)
            return false;
    }
    return *text == '\0';
}

enum yaml_scalar_type yaml_scalar_resolve(const char *text, double *ret_number)
{
    bool short_enough = strnlen(text, YAML_WORD_BYTES_MAX + 1) <= YAML_WORD_BYTES_MAX;
    for (size_t i = 0; short_enough && i < sizeof yaml_words / sizeof *yaml_words; i++)
        if (strcmp(text, yaml_words[i].text) == 0)
            return yaml_words[i].type;
    if (!isdigit((unsigned char)*text) && *text != '-' && *text != '+' && *text != '.')
        return YAML_SCALAR_STRING;
    char plain[YAML_NUMBER_BYTES_MAX + 1];
    size_t bytes = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '_')
            continue;
        if (bytes == YAML_NUMBER_BYTES_MAX)
            return YAML_SCALAR_STRING;
        plain[bytes++] = *at;
    }
    plain[bytes] = '\0';
    double number;
    if (!yaml_number_prefixed(plain, &number)) {
        if (!yaml_number_decimal(plain))
            return YAML_SCALAR_STRING;
        number = strtod(plain, NULL);
    }
    if (!isfinite(number))
        return YAML_SCALAR_NOT_FINITE;
    *ret_number = number;
    return YAML_SCALAR_NUMBER;
}
