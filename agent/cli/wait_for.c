#include "agent/cli/wait_for.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/rollout.h"

/* --- Parsing ---------------------------------------------------------------------------------- */

static bool text_take(char *to, size_t to_bytes, const char *from, size_t bytes)
{
    if (bytes >= to_bytes)
        return false;
    memcpy(to, from, bytes);
    to[bytes] = '\0';
    return true;
}

/* {.a.b}, .a.b or a.b, then perhaps =VALUE. */
static bool parse_path(struct wait_for *wait, const char *text)
{
    bool braces = *text == '{';
    text += braces;
    text += *text == '.';
    size_t bytes = strcspn(text, braces ? "}" : "=");
    const char *rest = text + bytes;
    if (braces && *rest++ != '}')
        return false;
    if (*rest && *rest != '=')
        return false;
    return bytes > 0 && text_take(wait->key, sizeof wait->key, text, bytes) &&
           (!*rest || text_take(wait->value, sizeof wait->value, rest + 1, strlen(rest + 1)));
}

static bool parse_condition(struct wait_for *wait, const char *text)
{
    size_t bytes = strcspn(text, "=");
    const char *value = text[bytes] ? text + bytes + 1 : "True";
    return bytes > 0 && text_take(wait->key, sizeof wait->key, text, bytes) &&
           text_take(wait->value, sizeof wait->value, value, strlen(value));
}

int wait_for_parse(struct wait_for *ret_wait, const char *text, struct error *err)
{
    *ret_wait = (struct wait_for){.type = WAIT_READY};
    if (!text || strcasecmp(text, "ready") == 0)
        return 0;
    bool good = true;
    if (strcmp(text, "deleted") == 0 || strcmp(text, "delete") == 0) {
        ret_wait->type = WAIT_DELETED;
    } else if (strncmp(text, "jsonpath=", 9) == 0) {
        ret_wait->type = WAIT_JSONPATH;
        good = parse_path(ret_wait, text + 9);
    } else if (strncmp(text, "condition=", 10) == 0) {
        ret_wait->type = WAIT_CONDITION;
        good = parse_condition(ret_wait, text + 10);
    } else {
        good = false;
    }
    if (good)
        return 0;
    return error_set(err, ERROR_INVALID,
                     "--for: \"%s\" is none of ready, deleted, condition=TYPE, "
                     "jsonpath={.status.phase}=VALUE",
                     text);
}

/* --- Judging ---------------------------------------------------------------------------------- */

/* One step into the object: a member, or an item of an array. *path moves on. */
static const cJSON *path_step(const cJSON *at, const char **path)
{
    char key[256];
    if (**path == '[') {
        char *end;
        long index = strtol(*path + 1, &end, 10);
        if (*end != ']')
            return NULL;
        *path = end + 1;
        return cJSON_GetArrayItem(at, (int)index);
    }
    *path += **path == '.';
    size_t bytes = strcspn(*path, ".[");
    text_take(key, sizeof key, *path, bytes); /* the whole path fits */
    *path += bytes;
    return cJSON_GetObjectItemCaseSensitive(at, key);
}

static bool path_holds(const struct wait_for *wait, const cJSON *object)
{
    const char *path = wait->key;
    const cJSON *at = object;
    while (at && *path)
        at = path_step(at, &path);
    if (!at || cJSON_IsNull(at))
        return false;
    cleanup_free char *text = cJSON_IsString(at) ? xstrdup(at->valuestring) : json_print(at);
    return wait->value[0] ? strcmp(text, wait->value) == 0 : *text != '\0';
}

static bool condition_holds(const struct wait_for *wait, const cJSON *object)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_get_array(json_get_object(object, "status"), "conditions"))
    {
        const char *type = json_get_text(condition, "type");
        const char *status = json_get_text(condition, "status");
        if (type && status && strcasecmp(type, wait->key) == 0)
            return strcasecmp(status, wait->value) == 0;
    }
    return false;
}

static bool is_ready(enum api_resource resource, const cJSON *object)
{
    const cJSON *status = json_get_object(object, "status");
    const char *phase = json_get_text(status, "phase");
    cleanup_buffer struct buffer progress = {0};
    switch (resource) {
    case API_WORKLOADS:
        return rollout_is_ready(object, &progress);
    case API_CHILDREN:
        return json_get_bool(status, "ready", false);
    case API_MEMBERS:
        return phase && strcmp(phase, "alive") == 0;
    case API_SUPERVISORS:
        return json_get_bool(status, "quorum", false);
    default:
        return true; /* a name or a meta is there */
    }
}

bool wait_for_holds(const struct wait_for *wait, enum api_resource resource, const cJSON *object)
{
    if (wait->type == WAIT_DELETED || !object)
        return wait->type == WAIT_DELETED && !object;
    if (wait->type == WAIT_READY)
        return is_ready(resource, object);
    return wait->type == WAIT_JSONPATH ? path_holds(wait, object) : condition_holds(wait, object);
}
