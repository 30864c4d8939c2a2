/* See api_path.h. */
#include "agent/cli/api_path.h"

#include <string.h>

#include "agent/cli/terminal.h"

/* RFC 3986: what is not unreserved is encoded. A name of dots only would be taken for a step in the
 * path. */
static void append_encoded(struct buffer *path, const char *text)
{
    static const char unreserved[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    for (; *text; text++) {
        if (strchr(unreserved, *text) && !dots)
            buffer_append(path, text, 1);
        else
            terminal_printf(path, "%%%02X", (unsigned char)*text);
    }
}

void api_path_object(struct buffer *path, enum api_resource resource, const char *ns,
                     const char *name, const char *subresource)
{
    terminal_printf(path, "%s", API_ROOT);
    if (ns && api_resources[resource].namespaced) {
        terminal_printf(path, "/namespaces/");
        append_encoded(path, ns);
    }
    terminal_printf(path, "/%s", api_resources[resource].plural);
    if (name) {
        terminal_printf(path, "/");
        append_encoded(path, name);
    }
    if (subresource)
        terminal_printf(path, "/%s", subresource);
}

void api_path_query(struct buffer *path, const char *key, const char *value)
{
    if (!value)
        return;
    bool first = path->bytes == 0 || !memchr(path->data, '?', path->bytes);
    terminal_printf(path, "%c", first ? '?' : '&');
    append_encoded(path, key);
    terminal_printf(path, "=");
    append_encoded(path, value);
}
