/* Numbers as text, without the formats of printf: lists print a dozen for each of thousands of
 * objects. Each returns the end of what it has written, which is a zero byte. */
#ifndef AGENT_CODEC_DECIMAL_H
#define AGENT_CODEC_DECIMAL_H

#include <stdint.h>

enum { DECIMAL_BYTES = 21 }; /* the longest, with its zero */

char *decimal_print(uint64_t value, char *text);
/* The last so many digits, zeros in front. */
char *decimal_print_padded(uint64_t value, unsigned digits, char *text);
char *hex_print_padded(uint64_t value, unsigned digits, char *text);

#endif
