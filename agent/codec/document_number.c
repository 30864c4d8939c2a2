/* See document_number.h. Trees are bounded in depth and in keys per object, so recursion and
 * searching are. */
#include "agent/codec/document_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/json.h"

char *number_print(double number, char *text)
{
    if (number == floor(number) && fabs(number) < (double)JSON_INTEGER_MAX) {
        snprintf(text, NUMBER_TEXT_BYTES, "%lld", (long long)number);
        return text;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, NUMBER_TEXT_BYTES, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return text;
}

void numbers_make_exact(cJSON *item)
{
    if (cJSON_IsNumber(item) && item->valuedouble != (double)item->valueint) {
        char text[NUMBER_TEXT_BYTES];
        item->valuestring = xstrdup(number_print(item->valuedouble, text));
        item->type = (item->type & ~0xff) | cJSON_Raw;
    }
    for (cJSON *child = item->child; child != NULL; child = child->next)
        numbers_make_exact(child);
}

static bool members_equal(const cJSON *a, const cJSON *b)
{
    const cJSON *same = b->child; /* mostly in the same order */
    for (const cJSON *member = a->child; member != NULL; member = member->next) {
        const cJSON *other = same;
        if (other == NULL || strcmp(other->string, member->string) != 0)
            other = cJSON_GetObjectItemCaseSensitive(b, member->string);
        if (other == NULL || !values_equal(member, other))
            return false;
        same = other->next;
    }
    return cJSON_GetArraySize(a) == cJSON_GetArraySize(b); /* keys are distinct */
}

static bool items_equal(const cJSON *a, const cJSON *b)
{
    const cJSON *left = a->child, *right = b->child;
    for (; left != NULL && right != NULL; left = left->next, right = right->next)
        if (!values_equal(left, right))
            return false;
    return left == NULL && right == NULL;
}

bool values_equal(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if ((a->type & 0xff) != (b->type & 0xff))
        return false;
    switch (a->type & 0xff) {
    case cJSON_Number:
        return a->valuedouble == b->valuedouble;
    case cJSON_String:
    case cJSON_Raw:
        return strcmp(a->valuestring, b->valuestring) == 0;
    case cJSON_Array:
        return items_equal(a, b);
    case cJSON_Object:
        return members_equal(a, b);
    default:
        return true;
    }
}
