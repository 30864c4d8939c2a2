/* RFC 3339 without the C library's clock functions: those know time zones and locales, this only
 * days since 1970. The calendar arithmetic counts years from March, so that the leap day is the
 * last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
#include "agent/codec/timestamp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/decimal.h"

#define TIMESTAMP_MS_MAX 253402300799999ull /* 9999-12-31T23:59:59.999Z */

struct civil {
    uint32_t year, month, day;
};

static struct civil civil_of_days(uint32_t days)
{
    uint32_t shifted = days + 719468; /* since 0000-03-01 */
    uint32_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

static int64_t days_of_civil(struct civil civil)
{
    uint32_t year = civil.year - (civil.month <= 2);
    uint32_t era = year / 400, year_of_era = year % 400;
    uint32_t month_from_march = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    uint32_t day_of_year = (153 * month_from_march + 2) / 5 + civil.day - 1;
    uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static char *timestamp_print_seconds(uint64_t ms, char *text)
{
    uint64_t seconds = (ms > TIMESTAMP_MS_MAX ? TIMESTAMP_MS_MAX : ms) / 1000;
    struct civil civil = civil_of_days((uint32_t)(seconds / 86400));
    uint32_t of_day = (uint32_t)(seconds % 86400);
    const struct {
        uint32_t value;
        unsigned digits;
        char after;
    } parts[] = {{civil.year, 4, '-'},    {civil.month, 2, '-'},      {civil.day, 2, 'T'},
                 {of_day / 3600, 2, ':'}, {of_day / 60 % 60, 2, ':'}, {of_day % 60, 2, '\0'}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        text = decimal_print_padded(parts[i].value, parts[i].digits, text);
        *text++ = parts[i].after;
    }
    return text - 1;
}

char *timestamp_print(uint64_t ms, char *text)
{
    memcpy(timestamp_print_seconds(ms, text), "Z", sizeof "Z");
    return text;
}

char *timestamp_print_micro(uint64_t ms, char *text)
{
    char *end = timestamp_print_seconds(ms, text);
    *end++ = '.';
    memcpy(decimal_print_padded(ms % 1000, 3, end), "000Z", sizeof "000Z");
    return text;
}

/* Exactly `digits` digits at *at, then the character `after` (0: none is asked for). */
static bool timestamp_number(const char **at, unsigned digits, char after, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (uint32_t)(**at - '0');
    }
    if (after != '\0' && *(*at)++ != after)
        return false;
    *ret_value = value;
    return true;
}

/* ".123456" -> 123; nothing -> 0. */
static bool timestamp_fraction(const char **at, uint32_t *ret_ms)
{
    *ret_ms = 0;
    if (**at != '.')
        return true;
    (*at)++;
    unsigned digits = 0;
    for (; isdigit((unsigned char)**at); (*at)++, digits++)
        if (digits < 3)
            *ret_ms = *ret_ms * 10 + (uint32_t)(**at - '0');
    for (unsigned i = digits; i < 3; i++)
        *ret_ms *= 10;
    return digits > 0;
}

/* "Z" or "+01:00" -> minutes east. */
static bool timestamp_offset(const char *at, int64_t *ret_minutes)
{
    uint32_t hours, minutes;
    if (*at == 'Z' || *at == 'z') {
        *ret_minutes = 0;
        return at[1] == '\0';
    }
    int sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
    if (sign == 0)
        return false;
    at++;
    if (!timestamp_number(&at, 2, ':', &hours) || !timestamp_number(&at, 2, 0, &minutes))
        return false;
    *ret_minutes = sign * (int64_t)(hours * 60 + minutes);
    return *at == '\0' && hours < 24 && minutes < 60;
}

bool timestamp_parse(uint64_t *ret_ms, const char *text)
{
    struct civil civil;
    uint32_t hour, minute, second, fraction_ms;
    int64_t offset_minutes;
    if (!timestamp_number(&text, 4, '-', &civil.year) ||
        !timestamp_number(&text, 2, '-', &civil.month) ||
        !timestamp_number(&text, 2, 0, &civil.day))
        return false;
    if (*text != 'T' && *text != 't' && *text != ' ')
        return false;
    text++;
    if (!timestamp_number(&text, 2, ':', &hour) || !timestamp_number(&text, 2, ':', &minute) ||
        !timestamp_number(&text, 2, 0, &second) || !timestamp_fraction(&text, &fraction_ms) ||
        !timestamp_offset(text, &offset_minutes))
        return false;
    if (civil.year < 1970 || civil.month < 1 || civil.month > 12 || civil.day < 1 || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t days = days_of_civil(civil);
    struct civil again = civil_of_days((uint32_t)days);
    if (again.day != civil.day) /* 31 April */
        return false;
    int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
    if (seconds < 0)
        return false;
    *ret_ms = (uint64_t)seconds * 1000 + fraction_ms;
    return *ret_ms <= TIMESTAMP_MS_MAX;
}

/* --- Ages ------------------------------------------------------------------------------------- */

static char *age_print(char *text, uint64_t big, char big_unit, uint64_t small, char small_unit)
{
    if (small > 0)
        snprintf(text, TIMESTAMP_AGE_BYTES, "%" PRIu64 "%c%" PRIu64 "%c", big, big_unit, small,
                 small_unit);
    else
        snprintf(text, TIMESTAMP_AGE_BYTES, "%" PRIu64 "%c", big, big_unit);
    return text;
}

char *timestamp_age(uint64_t then_ms, uint64_t now_ms, char *text)
{
    uint64_t seconds = now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < 120)
        return age_print(text, seconds, 's', 0, 0);
    if (minutes < 10)
        return age_print(text, minutes, 'm', seconds % 60, 's');
    if (hours < 3)
        return age_print(text, minutes, 'm', 0, 0);
    if (hours < 8)
        return age_print(text, hours, 'h', minutes % 60, 'm');
    if (hours < 48)
        return age_print(text, hours, 'h', 0, 0);
    if (days < 8)
        return age_print(text, days, 'd', hours % 24, 'h');
    if (days < 2 * 365)
        return age_print(text, days, 'd', 0, 0);
    return age_print(text, days / 365, 'y', days < 8 * 365 ? days % 365 : 0, 'd');
}
