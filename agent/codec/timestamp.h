/* Wall clock milliseconds <-> RFC 3339 in UTC, as Kubernetes writes it. Pure arithmetic: years 1970
 * to 9999. */
#ifndef AGENT_CODEC_TIMESTAMP_H
#define AGENT_CODEC_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMESTAMP_TEXT_BYTES = 32 };

char *timestamp_print(uint64_t ms,
                      char *text); /* "2026-11-21T00:08:22Z", the fraction dropped; returns text */
char *timestamp_print_micro(uint64_t ms,
                            char *text); /* "2026-11-21T00:08:22.123000Z": MicroTime of events */
/* Accepts a fraction and an offset (+01:00). Milliseconds are kept. */
bool timestamp_parse(uint64_t *ret_ms, const char *text);

enum { TIMESTAMP_AGE_BYTES = 32 };
/* As kubectl shows ages: two units while small (5s, 3m20s, 2h, 4d). A time ahead of ours is "0s":
 * the clocks of two nodes differ. Returns text. */
char *timestamp_age(uint64_t then_ms, uint64_t now_ms, char *text);

#endif
