/* The `continue` token of a list: where to go on, as opaque text.
 *
 * base64url of the resource, the namespace that was listed, the key of the last item, and which
 * list of api_pages.h has the rest, of which run. A token without that is good for ever, on any
 * agent: what changed between two pages is seen or not, depending on which side of the key it lies;
 * no item that existed all along is missed or told twice. */
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

/* What is kept of the rest. list 0: nothing, it goes on after the key. */
struct api_pin {
    uint64_t list, index; /* of the next item */
    uint32_t run_tag;
};

enum { API_CONTINUE_BYTES = 4 * (3 * NAME_BYTES_MAX + 112) / 3 + 4 };

void api_continue_print(enum api_resource resource, const char *ns, const struct api_key *key,
                        const struct api_pin *pin, char ret_text[API_CONTINUE_BYTES]);
/* resource and ns are those of the list that is asked for now; a token of another list is
 * ERROR_MALFORMED. */
int api_continue_parse(struct api_key *ret_key, struct api_pin *ret_pin, enum api_resource resource,
                       const char *ns, const char *text, struct error *err);

#endif
