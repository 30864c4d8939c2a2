/* Looking rows up, and guessing which one was meant. Tables are at most some forty rows: linear
 * search. */
#include "agent/codec/schema.h"

#include <string.h>
#include <strings.h>

const struct schema_field *schema_find(const struct schema_object *object, const char *name)
{
    for (size_t i = 0; i < object->count; i++)
        if (strcmp(object->fields[i].name, name) == 0)
            return &object->fields[i];
    return NULL;
}

/* One letter more, less, other, or two neighbours swapped. */
static bool is_one_edit_away(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    if (*a == '\0' && *b == '\0')
        return true;
    if (*a != '\0' && strcmp(a + 1, b) == 0)
        return true;
    if (*b != '\0' && strcmp(a, b + 1) == 0)
        return true;
    if (*a == '\0' || *b == '\0')
        return false;
    if (strcmp(a + 1, b + 1) == 0)
        return true;
    return a[0] == b[1] && a[1] == b[0] && a[1] != '\0' && strcmp(a + 2, b + 2) == 0;
}

const struct schema_field *schema_suggest(const struct schema_object *object, const char *name)
{
    for (size_t i = 0; i < object->count; i++) {
        const struct schema_field *field = &object->fields[i];
        if ((field->flags & SCHEMA_UNSUPPORTED) == 0 &&
            (strcasecmp(field->name, name) == 0 || is_one_edit_away(field->name, name)))
            return field;
    }
    return NULL;
}
