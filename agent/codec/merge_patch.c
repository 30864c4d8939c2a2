/* RFC 7386, section 2, as written there. Depth and width of both trees are bounded by the parser,
 * so recursion and the search for keys are. */
#include "agent/codec/merge_patch.h"

#include "agent/codec/json.h"

static void merge_into(cJSON *target, const cJSON *patch)
{
    for (const cJSON *member = patch->child; member != NULL; member = member->next) {
        cJSON *old = cJSON_GetObjectItemCaseSensitive(target, member->string);
        if (cJSON_IsObject(member) && cJSON_IsObject(old)) {
            merge_into(old, member);
            continue;
        }
        if (old != NULL)
            cJSON_Delete(cJSON_DetachItemViaPointer(target, old));
        if (!cJSON_IsNull(member))
            json_add(target, member->string, merge_patch(NULL, member));
    }
}

cJSON *merge_patch(const cJSON *target, const cJSON *patch)
{
    if (!cJSON_IsObject(patch))
        return json_copy(patch);
    cJSON *result = cJSON_IsObject(target) ? json_copy(target) : json_new_object();
    merge_into(result, patch);
    return result;
}
