/* $(VAR) in commands, arguments and environment, with Kubernetes' rules: $(NAME) is replaced if
 * NAME is known and left as it is if not, $$ is one dollar, any other dollar is itself.
 *
 * Invariant: all expansions of one container together stay below DOCKER_EXPANDED_BYTES_MAX.
 * Source: k8s.io/kubernetes/third_party/forked/golang/expansion. */
#include "agent/codec/docker_json_private.h"

#include <stdlib.h>
#include <string.h>

void environment_release(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++) {
        free(environment->variables[i].name);
        free(environment->variables[i].value);
    }
    free(environment->variables);
    *environment = (struct environment){0};
}

static struct environment_variable *environment_find(const struct environment *environment,
                                                     const char *name, size_t bytes)
{
    for (size_t i = 0; i < environment->count; i++) {
        const char *known = environment->variables[i].name;
        if (strncmp(known, name, bytes) == 0 && known[bytes] == 0)
            return &environment->variables[i];
    }
    return NULL;
}

int environment_set(struct environment *environment, const char *name, const char *value,
                    struct error *err)
{
    struct environment_variable *old = environment_find(environment, name, strlen(name));
    if (old) {
        free(old->value);
        old->value = xstrdup(value);
        return 0;
    }
    if (environment->count == DOCKER_VARIABLES_MAX)
        return error_set(err, ERROR_INVALID, "spec.container.env: more than %d variables",
                         DOCKER_VARIABLES_MAX);
    if (!environment->variables)
        environment->variables = xcalloc(DOCKER_VARIABLES_MAX, sizeof *environment->variables);
    environment->variables[environment->count++] =
        (struct environment_variable){xstrdup(name), xstrdup(value)};
    return 0;
}

/* Appends what stands for the dollar at `at`; returns the bytes it took of the text. */
static size_t expand_dollar(const struct environment *environment, const char *at,
                            struct buffer *buffer)
{
    if (at[1] == '$') {
        buffer_append(buffer, "$", 1);
        return 2;
    }
    const char *end = at[1] == '(' ? strchr(at, ')') : NULL;
    if (!end) {
        buffer_append(buffer, "$", 1);
        return 1;
    }
    size_t name_bytes = (size_t)(end - at) - 2;
    const struct environment_variable *variable = environment_find(environment, at + 2, name_bytes);
    if (variable)
        buffer_append(buffer, variable->value, strlen(variable->value));
    else
        buffer_append(buffer, at, name_bytes + 3);
    return name_bytes + 3;
}

char *environment_expand(struct environment *environment, const char *text, struct error *err)
{
    struct buffer buffer = {0};
    while (*text) {
        size_t plain_bytes = strcspn(text, "$");
        buffer_append(&buffer, text, plain_bytes);
        text += plain_bytes;
        if (*text == '$')
            text += expand_dollar(environment, text, &buffer);
        if (environment->expanded_bytes + buffer.bytes > DOCKER_EXPANDED_BYTES_MAX) {
            buffer_release(&buffer);
            error_set(err, ERROR_INVALID, "more than %d bytes after expansion of $(VAR)",
                      DOCKER_EXPANDED_BYTES_MAX);
            return NULL;
        }
    }
    environment->expanded_bytes += buffer.bytes;
    char *expanded = xmemdup(buffer.data ? (const char *)buffer.data : "", buffer.bytes);
    buffer_release(&buffer);
    return expanded;
}
