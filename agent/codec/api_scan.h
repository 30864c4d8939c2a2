/* The members of a JSON object, read in place.
 *
 * Stored documents are JSON that our codec has printed. To show one, or to look at its labels, its
 * text is walked instead of being parsed into a tree: a list of 10,000 children looks at 10,000
 * documents. Nothing is validated; on text that is not JSON the walk ends early, within the bytes
 * it was given. */
#ifndef AGENT_CODEC_API_SCAN_H
#define AGENT_CODEC_API_SCAN_H

#include "crdt/bytes.h"

/* Start with *at == 0. key: between its quotes, not unescaped; value: its raw text. False at the
 * end. */
bool api_scan_next(struct span object, size_t *at, struct span *ret_key, struct span *ret_value);
/* False: no such member. ret_value is an empty span then. O(bytes before it). */
bool api_scan_member(struct span object, const char *key, struct span *ret_value);
/* The same, and ret_value does not end with the value: for who goes into it, and so need not know
 * where it ends. */
bool api_scan_enter(struct span object, const char *key, struct span *ret_value);
/* The text between the quotes of a string without escapes; empty for any other value. */
struct span api_scan_string(struct span value);

#endif
