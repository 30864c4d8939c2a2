/* What every fuzz target shares. A target is one decoder, fed one input:
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
 *
 * With the preset `fuzz` libFuzzer drives it; else replay.c runs it over its corpus, in the quick
 * tier. What must hold is said with fuzz_require, which ends the process in any build. Inputs leave
 * nothing behind: each begins in the same state, so that one file repeats one failure. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crdt/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static inline void fuzz_require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: it does not hold that %s\n", what);
    abort();
}

/* Takes the first byte off, as a choice among count. 0 if there is none. */
static inline unsigned fuzz_choice(struct span *input, unsigned count)
{
    if (input->bytes == 0)
        return 0;
    unsigned choice = input->data[0] % count;
    *input = span_of(input->data + 1, input->bytes - 1);
    return choice;
}

/* The next part, framed by its length in two bytes; the last one may be cut. False at the end. */
static inline bool fuzz_part(struct span *input, struct span *ret_part)
{
    if (input->bytes < 2)
        return false;
    size_t bytes = (size_t)input->data[0] | (size_t)input->data[1] << 8;
    size_t left = input->bytes - 2;
    bytes = bytes < left ? bytes : left;
    *ret_part = span_of(input->data + 2, bytes);
    *input = span_of(input->data + 2 + bytes, left - bytes);
    return true;
}

#endif
