/* Version 4 UUIDs in text; the random bytes are an argument. */
#ifndef AGENT_CODEC_UUID_H
#define AGENT_CODEC_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/core/limits.h"

enum { UUID_RANDOM_BYTES = 16 };

void uuid_print(const uint8_t random[UUID_RANDOM_BYTES], char ret_text[UID_BYTES + 1]);
bool uuid_is_valid(const char *text); /* 8-4-4-4-12 hexadecimal digits */

#endif
