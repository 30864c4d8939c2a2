/* See suggest.h: the optimal string alignment distance, in three rows. */
#include "agent/cli/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    size_t rows[3][SUGGEST_BYTES_MAX + 1];
    if (a_bytes > SUGGEST_BYTES_MAX || b_bytes > SUGGEST_BYTES_MAX)
        return SUGGEST_BYTES_MAX;
    for (size_t j = 0; j <= b_bytes; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            row[j] = above[j - 1] + !same(a[i - 1], b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], above_that[j - 2] + 1);
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

const char *suggest(const char *typed, const char *const *words, size_t count)
{
    size_t allowed = strlen(typed) / 3 > 1 ? strlen(typed) / 3 : 1;
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = suggest_distance(typed, words[i]);
        if (distance <= allowed && distance < strlen(words[i])) {
            best = words[i];
            allowed = distance > 0 ? distance - 1 : 0;
        }
    }
    return best;
}
