/* See apply_change.h. Equal resource versions are "unchanged", but not the other way round: the
 * version of a workload also moves with its status, which may well change between two requests.
 * Then what a user writes is compared. */
#include "agent/cli/apply_change.h"

#include <string.h>

static bool same_member(const cJSON *a, const cJSON *b, const char *key)
{
    const cJSON *a_value = json_get(a, key), *b_value = json_get(b, key);
    if (!a_value || !b_value)
        return a_value == b_value;
    return cJSON_Compare(a_value, b_value, true);
}

static bool same_version(const cJSON *before, const cJSON *after)
{
    const char *a = json_get_text(before, "resourceVersion"),
               *b = json_get_text(after, "resourceVersion");
    return a && b && strcmp(a, b) == 0;
}

const char *apply_change(int status, const cJSON *before, const cJSON *after)
{
    const cJSON *old = json_get_object(before, "metadata"),
                *new = json_get_object(after, "metadata");
    if (status == 201 || !before)
        return "created";
    if (same_version(old, new))
        return "unchanged";
    bool same = same_member(old, new, "uid") && same_member(old, new, "generation") &&
                same_member(old, new, "labels") && same_member(old, new, "annotations") &&
                same_member(before, after, "spec");
    return same ? "unchanged" : "configured";
}
