/* YAML <-> JSON values, as kubectl reads it: libyaml for the syntax, YAML 1.1 scalars (y, on, no
 * are booleans; 0x1f and 017 are integers; what is quoted is a string), several documents in one
 * text.
 *
 * Refused: duplicate keys, keys that are not strings, tags beyond the core ones, depth >
 * DOCUMENT_DEPTH_MAX, more than DOCUMENT_NODES_MAX values in a document, aliases that copy more
 * than YAML_ALIAS_NODES_MAX values, an alias inside its own anchor, invalid UTF-8, NUL, infinities
 * and NaN. Merge keys (<<) work. */
#ifndef AGENT_CODEC_YAML_H
#define AGENT_CODEC_YAML_H

#include "agent/codec/document_json.h"

#define YAML_ALIAS_NODES_MAX \
    10000 /* values that the aliases of one text may copy ("billion laughs") */

/* All non-empty documents of a text, with marks. None is not an error here. More than bytes_max:
 * ERROR_TOO_LARGE; all else that is wrong: ERROR_MALFORMED with "line L, column C". ret is
 * overwritten; empty on failure. */
int yaml_parse(struct documents *ret_documents, struct span text, size_t bytes_max,
               struct error *err);

/* Block style, two spaces, in the order of the object; ends with a newline. Reads back to an equal
 * value. Zero-terminated, the caller frees. */
char *yaml_print(const cJSON *item);

#endif
