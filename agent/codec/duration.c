/* Durations in text. The one idea: integers only, so that "1.5s" is exactly 1500 ms and "1.0005s"
 * is an error rather than a rounding. */
#include "agent/codec/duration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/core/document.h"

static const struct {
    const char *text;
    uint64_t ms;
} duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, /* "ms" before "m" */
};

/* Reads "1.5h" at *at; adds its milliseconds to *total. */
static bool duration_parse_part(const char **at, uint64_t *total)
{
    uint64_t whole = 0, fraction = 0, scale = 1;
    unsigned digits = 0;
    const char *text = *at;
    for (; isdigit((unsigned char)*text) && digits < 15; text++, digits++)
        whole = whole * 10 + (uint64_t)(*text - '0');
    if (*text == '.') {
        text++;
        for (; isdigit((unsigned char)*text) && scale < 1000000000; text++, digits++, scale *= 10)
            fraction = fraction * 10 + (uint64_t)(*text - '0');
    }
    if (digits == 0)
        return false;
    for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++) {
        size_t bytes = strlen(duration_units[i].text);
        if (strncmp(text, duration_units[i].text, bytes) != 0)
            continue;
        uint64_t unit = duration_units[i].ms;
        if (whole > DURATION_MS_MAX / unit || fraction * unit % scale != 0)
            return false;
        *total += whole * unit + fraction * unit / scale;
        *at = text + bytes;
        return *total <= DURATION_MS_MAX;
    }
    return false;
}

bool duration_parse(uint64_t *ret_ms, const char *text)
{
    uint64_t total = 0;
    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    if (*text == '\0')
        return false;
    while (*text != '\0')
        if (!duration_parse_part(&text, &total))
            return false;
    *ret_ms = total;
    return true;
}

char *duration_print(uint64_t ms, char *text)
{
    size_t bytes = 0;
    text[0] = '\0';
    for (size_t i = sizeof duration_units / sizeof *duration_units; i-- > 0;) {
        uint64_t count = ms / duration_units[i].ms;
        ms -= count * duration_units[i].ms;
        if (count > 0)
            bytes += (size_t)snprintf(text + bytes, DURATION_TEXT_BYTES - bytes, "%llu%s",
                                      (unsigned long long)count, duration_units[i].text);
    }
    if (bytes == 0)
        memcpy(text, "0s", sizeof "0s");
    return text;
}

bool duration_parse_shutdown(uint64_t *ret_ms, const char *text)
{
    if (strcmp(text, "infinity") == 0)
        *ret_ms = SHUTDOWN_INFINITY;
    else if (strcmp(text, "brutal_kill") == 0)
        *ret_ms = SHUTDOWN_BRUTAL_KILL;
    else
        return duration_parse(ret_ms, text);
    return true;
}
