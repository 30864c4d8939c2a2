/* Paths and queries of requests. What a user typed is percent-encoded: it never becomes a slash, a
 * question mark or another parameter. */
#ifndef AGENT_CLI_API_PATH_H
#define AGENT_CLI_API_PATH_H

#include "agent/codec/api_routes.h"

#define API_NAMESPACE_DEFAULT "default"

/* /apis/hordelet.dev/v1[/namespaces/NS]/RESOURCE[/NAME[/SUBRESOURCE]] is appended to path. ns
 * counts only for namespaced resources; NULL: all of them. name NULL: the collection. */
void api_path_object(struct buffer *path, enum api_resource resource, const char *ns,
                     const char *name, const char *subresource);
/* Appends ?key=value or &key=value; nothing if value is NULL. */
void api_path_query(struct buffer *path, const char *key, const char *value);

#endif
