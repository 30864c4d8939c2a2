/* labelSelector and fieldSelector of lists.
 *
 * Labels:  key=value, key==value, key!=value, key in (a,b), key notin (a,b), key, !key, joined by
 * commas, all of which must hold. As in Kubernetes != and notin also match what has no such label.
 * Fields:  field=value, field==value, field!=value, joined by commas; which fields depends on the
 * resource. Members of the value of a name are fields, too: spec.value.tier=gold. A text is
 * compared without its quotes, anything else as compact JSON; what is absent is the empty text. */
#ifndef AGENT_CODEC_API_SELECTOR_H
#define AGENT_CODEC_API_SELECTOR_H

#include "agent/codec/api_routes.h"
#include "agent/core/error.h"

enum { API_REQUIREMENTS_MAX = 64, API_SELECTOR_VALUES_MAX = 256, API_LABELS_MAX = LABELS_MAX + 1 };
enum { API_FIELD_KEY_BYTES_MAX = 255 }; /* one member of a path into a value */

/* The labels of one object. Borrowed text, not zero-terminated. */
struct api_label {
    struct span key, value;
};
struct api_labels {
    struct api_label items[API_LABELS_MAX];
    size_t count;
};
void api_labels_add(struct api_labels *labels, struct span key,
                    struct span value); /* more than the max: ignored */

enum api_requirement_type { API_IN, API_NOT_IN, API_EXISTS, API_NOT_EXISTS };

struct api_requirement {
    enum api_requirement_type type;
    struct span key;
    size_t first, count; /* of the selector's values */
};

/* Zeroed memory matches everything. */
struct api_label_selector {
    struct api_requirement requirements[API_REQUIREMENTS_MAX];
    size_t count;
    struct span values[API_SELECTOR_VALUES_MAX];
    size_t value_count;
};

/* text NULL or empty: everything. Borrows text for as long as the selector lives. ERROR_MALFORMED.
 */
int api_label_selector_parse(struct api_label_selector *ret_selector, const char *text,
                             struct error *err);
bool api_label_selector_matches(const struct api_label_selector *selector,
                                const struct api_labels *labels);

enum api_field {
    API_FIELD_NAME,
    API_FIELD_NAMESPACE,
    API_FIELD_PHASE,
    API_FIELD_NODE,
    API_FIELD_WORKLOAD,
    API_FIELD_SUPERVISOR,
    API_FIELD_OWNER,
    API_FIELD_VALUE, /* JSON text; a requirement may go into it: spec.value.tier */
    API_FIELD_POD_NODE,
    API_FIELD_UNSCHEDULABLE,
    API_FIELD_EVENT_NAME,
    API_FIELD_EVENT_NAMESPACE,
    API_FIELD_EVENT_KIND,
    API_FIELD_EVENT_UID,
    API_FIELD_EVENT_REASON,
    API_FIELD_EVENT_TYPE,
    API_FIELD_COUNT,
};

struct api_field_requirement {
    enum api_field field;
    bool equal;
    struct span path; /* of API_FIELD_VALUE: what follows "spec.value", ".tier" or nothing */
    struct span value;
};
struct api_field_selector {
    struct api_field_requirement requirements[API_REQUIREMENTS_MAX];
    size_t count;
};
/* The values of one object; NULL is the same as "". */
struct api_fields {
    const char *values[API_FIELD_COUNT];
};

/* In place of a resource: Events, which are no objects of the map. */
enum { API_SELECT_EVENTS = API_SHOWN_COUNT };

/* Like api_label_selector_parse. A field that the resource does not have is an error, never
 * "matches nothing". */
int api_field_selector_parse(struct api_field_selector *ret_selector, unsigned resource,
                             const char *text, struct error *err);
bool api_field_selector_matches(const struct api_field_selector *selector,
                                const struct api_fields *fields);

#endif
