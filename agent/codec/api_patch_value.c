/* See api_patch_value.h. A JSON patch is told by being an array. */
#include "agent/codec/api_patch_value.h"

#include <stdio.h>
#include <string.h>

static int merge_value(const cJSON **ret_value, const cJSON *body, const char *key,
                       struct error *err)
{
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(body, "spec");
    if (spec && !cJSON_IsObject(spec))
        return error_set(err, ERROR_INVALID, "spec: expected an object");
    const cJSON *member;
    cJSON_ArrayForEach(member, spec)
    {
        if (strcmp(member->string, key) != 0)
            return error_set(err, ERROR_INVALID, "spec.%.100s: only spec.%s can be changed here",
                             member->string, key);
        *ret_value = member;
    }
    return 0;
}

static const char *operation_text(const cJSON *operation, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(operation, key);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static int operation_value(const cJSON **ret_value, const cJSON *operation, const char *key,
                           struct error *err)
{
    char path[128];
    snprintf(path, sizeof path, "/spec/%s", key);
    const char *name = operation_text(operation, "op");
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(operation, "value");
    if (strcmp(name, "add") != 0 && strcmp(name, "replace") != 0)
        return error_set(err, ERROR_INVALID,
                         "op \"%.40s\": only add and replace are supported here", name);
    if (strcmp(operation_text(operation, "path"), path) != 0)
        return error_set(err, ERROR_INVALID, "path \"%.100s\": only %s can be changed here",
                         operation_text(operation, "path"), path);
    if (!value)
        return error_set(err, ERROR_INVALID, "op \"%s\" has no value", name);
    *ret_value = value;
    return 0;
}

int api_patch_value(const cJSON **ret_value, const cJSON *body, const char *key, struct error *err)
{
    *ret_value = NULL;
    if (!cJSON_IsArray(body))
        return merge_value(ret_value, body, key, err);
    const cJSON *operation;
    cJSON_ArrayForEach(operation, body)
    {
        if (operation_value(ret_value, operation, key, err) < 0)
            return -1;
    }
    return 0;
}
