/* The agent's log.
 *
 *     2026-11-21T00:24:04.123Z info  member b is suspect           text
 *     {"time":"...","level":"info","node":"a","message":"..."}     json
 *
 * A line is one write(2), so that lines of several agents on one terminal do not mix. A standard
 * error that nobody reads would block the agent: that is the caller's pipe to drain, as for every
 * daemon. */
#include "agent/io/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/codec/api_writer.h"
#include "agent/io/clock.h"

enum { LINE_BYTES_MAX = 2048 };

static enum log_format log_chosen_format;
static const char *log_node_name = "";

static const char *const level_names[] = {"info", "warn", "error"};

void log_open(enum log_format format, const char *node_name)
{
    log_chosen_format = format;
    log_node_name = node_name;
}

static void log_time(unsigned long long wall_ms, char *ret_text, size_t bytes)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    char date[32];
    gmtime_r(&seconds, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text, bytes, "%s.%03lluZ", date, wall_ms % 1000);
}

/* Text goes on with what it can of `text`, escaped as in JSON. Keeps `room_left` bytes free behind
 * it. */
static size_t log_escape(char *line, size_t at, size_t bytes, size_t room_left, bool quotes,
                         const char *text)
{
    size_t step = 1;
    for (; *text && at + room_left + 7 < bytes; text += step) {
        unsigned char letter = (unsigned char)*text;
        size_t length = utf8_sequence_bytes((const uint8_t *)text, strlen(text));
        step = length > 0 ? length : 1;
        if (length == 0) /* what others wrote need not be UTF-8 */
            at += (size_t)snprintf(line + at, bytes - at, "\xef\xbf\xbd");
        else if (letter == '\n')
            at += (size_t)snprintf(line + at, bytes - at, "\\n");
        else if (letter < 0x20 || letter == 0x7f)
            at += (size_t)snprintf(line + at, bytes - at, "\\u%04x", letter);
        else if (quotes && (letter == '"' || letter == '\\'))
            at += (size_t)snprintf(line + at, bytes - at, "\\%c", letter);
        else
            at += (size_t)snprintf(line + at, bytes - at, "%.*s", (int)length, text);
    }
    return at;
}

size_t log_format_line(enum log_format format, enum log_level level, const char *node_name,
                       const char *text, unsigned long long wall_ms, char *ret_line, size_t bytes)
{
    char time[64];
    log_time(wall_ms, time, sizeof time);
    bool json = format == LOG_JSON;
    const char *end = json ? "\"}\n" : "\n";
    size_t at;
    if (json)
        at = (size_t)snprintf(ret_line, bytes,
                              "{\"time\":\"%s\",\"level\":\"%s\",\"node\":\"%s\",\"message\":\"",
                              time, level_names[level], node_name);
    else
        at = (size_t)snprintf(ret_line, bytes, "%s %-5s ", time, level_names[level]);
    at = log_escape(ret_line, at, bytes, strlen(end), json, text);
    return at + (size_t)snprintf(ret_line + at, bytes - at, "%s", end);
}

void log_line(enum log_level level, const char *text)
{
    char line[LINE_BYTES_MAX];
    size_t bytes = log_format_line(log_chosen_format, level, log_node_name, text,
                                   clock_now().wall_ms, line, sizeof line);
    (void)!write(STDERR_FILENO, line, bytes);
}

void log_print(enum log_level level, const char *format, ...)
{
    char text[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_line(level, text);
}
