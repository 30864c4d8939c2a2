/* "Did you mean ...?": the word of a list that is nearest to what was typed. */
#ifndef AGENT_CLI_SUGGEST_H
#define AGENT_CLI_SUGGEST_H

#include <stddef.h>

enum { SUGGEST_BYTES_MAX = 31 }; /* longer words are never near */

/* Insertions, deletions, replacements and swaps of neighbours; case does not count.
 * SUGGEST_BYTES_MAX if either word is longer than that. */
size_t suggest_distance(const char *a, const char *b);
/* NULL if nothing is near: more than one mistake in three letters (at least one is allowed). */
const char *suggest(const char *typed, const char *const *words, size_t count);

#endif
