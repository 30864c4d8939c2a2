/* The `continue` token of a list: where to go on, as opaque text.
 *
 * base64url of the resource, the namespace that was listed and the key of the last item. The server
 * keeps nothing: a token is good for ever, on any agent. What changed between two pages is seen or
 * not, depending on which side of the key it lies; no item that existed all along is missed or told
 * twice. */
#ifndef AGENT_CODEC_API_CONTINUE_H
#define AGENT_CODEC_API_CONTINUE_H

#include "agent/codec/api_routes.h"
#include "agent/core/error.h"

/* The key of an object; of a child: ns, workload's name, ordinal. All empty: before the first. */
struct api_key {
    char ns[NAME_BYTES_MAX + 1];
    char name[NAME_BYTES_MAX + 1];
    uint32_t ordinal;
};

enum { API_CONTINUE_BYTES = 4 * (3 * NAME_BYTES_MAX + 48) / 3 + 4 };

void api_continue_print(enum api_resource resource, const char *ns, const struct api_key *key,
                        char ret_text[API_CONTINUE_BYTES]);
/* resource and ns are those of the list that is asked for now; a token of another list is
 * ERROR_MALFORMED. */
int api_continue_parse(struct api_key *ret_key, enum api_resource resource, const char *ns,
                       const char *text, struct error *err);

#endif
