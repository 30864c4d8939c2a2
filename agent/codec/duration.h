/* Durations as people write them: "500ms", "10s", "5m", "24h", "1h30m", "1.5s", "0". Units: ms, s,
 * m, h, largest first or not (as in Go). Shared with the command line. */
#ifndef AGENT_CODEC_DURATION_H
#define AGENT_CODEC_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DURATION_MS_MAX (1000ull * 3600 * 24 * 366 * 100) /* a century: longer is a mistake */

enum { DURATION_TEXT_BYTES = 48 };

/* False for anything that is not a duration of 0 to DURATION_MS_MAX in whole milliseconds. */
bool duration_parse(uint64_t *ret_ms, const char *text);
/* The shortest form in whole units: "1h30m", "500ms", "0s". Returns text, which must have
 * DURATION_TEXT_BYTES. */
char *duration_print(uint64_t ms, char *text);

/* spec.shutdown: a duration, "infinity" (SHUTDOWN_INFINITY) or "brutal_kill"
 * (SHUTDOWN_BRUTAL_KILL). */
bool duration_parse_shutdown(uint64_t *ret_ms, const char *text);

#endif
