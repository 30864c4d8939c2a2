/* What comes after the question mark, and percent-encoding.
 *
 * Everything here works on the target as it stood on the request line, so that %2F in a name and
 * %00 anywhere are seen before anybody takes them for a slash or an end. Parameters that nobody
 * asks for are ignored, as Kubernetes does. */
#ifndef AGENT_CODEC_API_QUERY_H
#define AGENT_CODEC_API_QUERY_H

#include "agent/core/error.h"
#include "crdt/bytes.h"

enum { API_PARAMETERS_MAX = 64 };

struct api_parameter {
    const char *name, *value; /* decoded */
};

struct api_query {
    struct api_parameter items[API_PARAMETERS_MAX];
    size_t count;
    char *storage; /* owned */
};

/* text: without the question mark. ret_query is released first. ERROR_MALFORMED: a bad escape, a
 * zero byte, too many parameters. */
int api_query_parse(struct api_query *ret_query, struct span text, struct error *err);
void api_query_release(struct api_query *query);
const char *api_query_get(const struct api_query *query,
                          const char *name); /* the first one, or NULL */
/* "", "1", "t", "true", ... are true, as in Kubernetes; anything else, and no such parameter, is
 * false. */
bool api_query_flag(const struct api_query *query, const char *name);

/* Decodes %XX (and + as a blank if plus) in place of a zero-terminated text. False: a bad escape or
 * a zero byte. */
bool api_percent_decode(char *text, bool plus);

#endif
