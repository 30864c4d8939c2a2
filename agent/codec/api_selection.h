/* Which objects of a resource a list or a watch is about: both selectors of the query. */
#ifndef AGENT_CODEC_API_SELECTION_H
#define AGENT_CODEC_API_SELECTION_H

#include "agent/codec/api_call.h"

/* Zeroed memory: all. The selectors borrow the query's text. */
struct api_selection {
    struct api_label_selector *labels; /* owned; NULL: all */
    struct api_field_selector *fields;
    bool changes;  /* an object may come into the selection and leave it: more than its name decides
                    */
    uint64_t hash; /* of what is asked for: api_hub.h */
};

int api_selection_parse(struct api_selection *ret_selection,
                        struct api_call *call); /* -1: failed */
bool api_selection_wants(const struct api_selection *selection, const struct api_item *item);
/* Of what is gone only this is known. It is enough unless selection.changes. */
bool api_selection_wants_name(const struct api_selection *selection, const char *ns,
                              const char *name);
void api_selection_release(struct api_selection *selection);

#endif
