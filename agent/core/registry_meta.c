/* The registry's meta: a value under a key, for all. The last write is read; nobody owns it. */
#include <string.h>

#include "agent/core/durable.h"
#include "agent/core/node_private.h"
#include "agent/core/registry.h"
#include "agent/core/requests.h"

void meta_put(struct node *node, const struct request *request)
{
    const struct meta_entry *entry = store_meta(&node->store, request->ns, request->name);
    if (!entry && index_count(&node->store.metas) >= METAS_MAX) {
        requests_reply(node, request->id, 403, "Forbidden",
                       "the registry has as many meta entries as it can: 4096");
        return;
    }
    struct key key = key_meta(request->ns, request->name);
    if (entry && entry->siblings == 1 && strcmp(entry->value, request->value) == 0) {
        requests_repeated(node, request, &key);
        return;
    }
    struct buffer value = {0};
    meta_encode(request->value, &value);
    requests_written(node, request, node_put(node, &key, &value));
    buffer_release(&value);
}

void meta_delete(struct node *node, const struct request *request)
{
    if (!store_meta(&node->store, request->ns, request->name)) {
        requests_reply(node, request->id, 404, "NotFound", "there is no such meta entry");
        return;
    }
    struct key key = key_meta(request->ns, request->name);
    requests_written(node, request, node_remove(node, &key));
}
