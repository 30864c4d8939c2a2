/* Walking a document along its table. One function per type; each records problems and goes on, so
 * that one answer tells all of them. Recursion follows the tables, which are a handful of levels
 * deep; only free JSON values nest further, and those are bounded by the parser. */
#include "agent/codec/schema_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/duration.h"
#include "agent/codec/json.h"
#include "agent/codec/quantity.h"
#include "agent/codec/schema_format.h"

static const char not_supported[] = "not supported in this release";

static bool is_one_of(const char *text, const char *const *values)
{
    for (; values != NULL && *values != NULL; values++)
        if (strcmp(text, *values) == 0)
            return true;
    return false;
}

/* "TCP, UDP" */
static void join_values(const char *const *values, char *text, size_t text_bytes)
{
    size_t bytes = 0;
    text[0] = '\0';
    for (size_t i = 0; values[i] != NULL && bytes < text_bytes; i++)
        bytes += (size_t)snprintf(text + bytes, text_bytes - bytes, "%s%s", i > 0 ? ", " : "",
                                  *values[i] ? values[i] : "\"\"");
}

/* A YAML word such as yes or 1.5 that was meant as text. */
static const char *quote_hint(const cJSON *item)
{
    return cJSON_IsBool(item) || cJSON_IsNumber(item) ? " (put it in quotes)" : "";
}

static void check_values(struct problems *problems, const struct schema_field *field,
                         const cJSON *item)
{
    char value[SHOWN_BYTES], values[160];
    if (field->values == NULL || is_one_of(item->valuestring, field->values))
        return;
    if (is_one_of(item->valuestring, field->unsupported)) {
        problem(problems, item, "%s is %s", shown(item, value), not_supported);
        return;
    }
    join_values(field->values, values, sizeof values);
    problem(problems, item, "must be one of %s, not %s", values, shown(item, value));
}

static void check_string(struct problems *problems, const struct schema_field *field,
                         const cJSON *item)
{
    char value[SHOWN_BYTES];
    if (!cJSON_IsString(item)) {
        problem(problems, item, "must be a string, not %s%s", shown(item, value), quote_hint(item));
        return;
    }
    if (*item->valuestring == '\0' && (field->flags & SCHEMA_NOT_EMPTY) != 0) {
        problem(problems, item, "must not be empty");
        return;
    }
    const char *fault = schema_format_fault(field->format, item->valuestring);
    if (fault != NULL)
        problem(problems, item, "must be %s, not %s", fault, shown(item, value));
    else if (field->max > 0 && strlen(item->valuestring) > (size_t)field->max)
        problem(problems, item, "must have at most %lld bytes, not %zu", (long long)field->max,
                strlen(item->valuestring));
    check_values(problems, field, item);
}

static void check_integer(struct problems *problems, const struct schema_field *field,
                          const cJSON *item)
{
    char value[SHOWN_BYTES];
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble)) {
        problem(problems, item, "must be an integer, not %s", shown(item, value));
        return;
    }
    if ((field->min != 0 || field->max != 0) &&
        (item->valuedouble < (double)field->min || item->valuedouble > (double)field->max))
        problem(problems, item, "must be %lld..%lld, not %s", (long long)field->min,
                (long long)field->max, shown(item, value));
}

static void check_boolean(struct problems *problems, const struct schema_field *field,
                          const cJSON *item)
{
    char value[SHOWN_BYTES];
    if (!cJSON_IsBool(item))
        problem(problems, item, "must be true or false, not %s", shown(item, value));
    else if (field->values != NULL && !is_one_of(shown(item, value), field->values))
        problem(problems, item, "%s is %s", value, not_supported);
}

static void check_duration(struct problems *problems, const struct schema_field *field,
                           const cJSON *item)
{
    char value[SHOWN_BYTES];
    uint64_t ms;
    const char *fault = "a duration such as 500ms, 10s or 1h30m";
    if (field->format == SCHEMA_SHUTDOWN)
        fault = schema_format_fault(field->format, cJSON_IsString(item) ? item->valuestring : "");
    else if (cJSON_IsString(item) && duration_parse(&ms, item->valuestring))
        fault = NULL;
    if (fault != NULL)
        problem(problems, item, "must be %s, not %s", fault, shown(item, value));
}

static void check_quantity(struct problems *problems, const cJSON *item)
{
    char value[SHOWN_BYTES];
    int64_t units;
    struct error reason = {0};
    if (!cJSON_IsString(item) && !cJSON_IsNumber(item)) {
        problem(problems, item, "must be a quantity such as 500m or 64Mi, not %s",
                shown(item, value));
        return;
    }
    char *number = cJSON_IsNumber(item) ? json_print(item) : NULL;
    if (quantity_parse(&units, number ? number : item->valuestring, QUANTITY_MILLI, &reason) != 0)
        problem(problems, item, "must be a quantity such as 500m or 64Mi, not %s",
                shown(item, value));
    free(number);
}

static void check_int_or_string(struct problems *problems, const cJSON *item)
{
    char value[SHOWN_BYTES];
    bool port =
        cJSON_IsNumber(item)
            ? item->valuedouble >= 1 && item->valuedouble <= 65535 &&
                  item->valuedouble == floor(item->valuedouble)
            : cJSON_IsString(item) && !schema_format_fault(SCHEMA_PORT_NAME, item->valuestring);
    if (!port)
        problem(problems, item, "must be the name or number of a port, not %s", shown(item, value));
}

/* ---- maps ---- */

static void check_string_map_member(struct problems *problems, const struct schema_field *field,
                                    const cJSON *member)
{
    char value[SHOWN_BYTES];
    const char *fault = schema_format_fault(field->format, member->string);
    if (fault != NULL)
        problem(problems, member, "the key must be %s", fault);
    if (!cJSON_IsString(member)) {
        problem(problems, member, "must be a string, not %s%s", shown(member, value),
                quote_hint(member));
        return;
    }
    fault = schema_format_fault(field->value_format, member->valuestring);
    if (fault != NULL)
        problem(problems, member, "must be %s, not %s", fault, shown(member, value));
}

static void check_quantity_map_member(struct problems *problems, const struct schema_field *field,
                                      const cJSON *member)
{
    char values[160];
    if (is_one_of(member->string, field->values)) {
        check_quantity(problems, member);
        return;
    }
    join_values(field->values, values, sizeof values);
    problem(problems, member, "this resource is %s; known are %s", not_supported, values);
}

static void check_map(struct problems *problems, const struct schema_field *field,
                      const cJSON *item)
{
    char value[SHOWN_BYTES];
    if (!cJSON_IsObject(item)) {
        problem(problems, item, "must be an object, not %s", shown(item, value));
        return;
    }
    int count = 0;
    for (const cJSON *member = item->child; member != NULL; member = member->next) {
        if (cJSON_IsNull(member))
            continue;
        count++;
        size_t mark = path_push_key(problems, member->string);
        if (field->type == SCHEMA_STRING_MAP)
            check_string_map_member(problems, field, member);
        else
            check_quantity_map_member(problems, field, member);
        path_pop(problems, mark);
    }
    if (field->max > 0 && count > field->max)
        problem(problems, item, "must have at most %lld entries, not %d", (long long)field->max,
                count);
}

/* ---- any JSON ---- */

/* A number of 2^53 or more has been rounded when it was read: refused rather than changed. */
static void check_json_numbers(struct problems *problems, const cJSON *item)
{
    if (cJSON_IsNumber(item) && fabs(item->valuedouble) >= (double)JSON_INTEGER_MAX)
        problem(problems, item,
                "must be a number below 2^53, which alone are kept exactly (or a string)");
    unsigned index = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        size_t mark = child->string ? path_push_key(problems, child->string)
                                    : path_push_index(problems, index++);
        check_json_numbers(problems, child);
        path_pop(problems, mark);
    }
}

static void check_json(struct problems *problems, const struct schema_field *field,
                       const cJSON *item)
{
    check_json_numbers(problems, item);
    if (field->max == 0)
        return;
    char *text = json_print(item);
    if (strlen(text) > (size_t)field->max)
        problem(problems, item, "must have at most %lld bytes as JSON, not %zu",
                (long long)field->max, strlen(text));
    free(text);
}

/* ---- lists and objects ---- */

static void check_list(struct problems *problems, const struct schema_field *field,
                       const cJSON *item, bool partial)
{
    char value[SHOWN_BYTES];
    if (field->type == SCHEMA_AUTO_OR_LIST && cJSON_IsString(item) &&
        strcmp(item->valuestring, "auto") == 0)
        return;
    if (!cJSON_IsArray(item)) {
        const char *expected = field->type == SCHEMA_AUTO_OR_LIST ? "auto or a list" : "a list";
        problem(problems, item, "must be %s, not %s", expected, shown(item, value));
        return;
    }
    int count = cJSON_GetArraySize(item);
    if (field->max > 0 && count > field->max) {
        problem(problems, item, "must have at most %lld items, not %d", (long long)field->max,
                count);
        return;
    }
    unsigned index = 0;
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        size_t mark = path_push_index(problems, index++);
        if (cJSON_IsNull(child))
            problem(problems, child, "must not be null");
        else
            schema_check(problems, field->item, child, partial);
        path_pop(problems, mark);
    }
}

static void check_member(struct problems *problems, const struct schema_object *object,
                         const cJSON *member, bool partial)
{
    const struct schema_field *field = schema_find(object, member->string);
    if (field == NULL) {
        const struct schema_field *meant = schema_suggest(object, member->string);
        if (meant != NULL)
            problem(problems, member, "unknown field, did you mean \"%s\"?", meant->name);
        else
            problem(problems, member, "unknown field");
    } else if ((field->flags & SCHEMA_UNSUPPORTED) != 0) {
        problem(problems, member, "%s", not_supported);
    } else {
        schema_check(problems, field, member, partial);
    }
}

static void check_object(struct problems *problems, const struct schema_field *field,
                         const cJSON *item, bool partial)
{
    char value[SHOWN_BYTES];
    if (!cJSON_IsObject(item)) {
        problem(problems, item, "must be an object, not %s", shown(item, value));
        return;
    }
    for (const cJSON *member = item->child; member != NULL; member = member->next) {
        if (cJSON_IsNull(member))
            continue;
        size_t mark = path_push_key(problems, member->string);
        check_member(problems, field->object, member, partial);
        path_pop(problems, mark);
    }
    for (size_t i = 0; i < field->object->count && !partial; i++) {
        const struct schema_field *wanted = &field->object->fields[i];
        if ((wanted->flags & SCHEMA_REQUIRED) != 0 && json_get(item, wanted->name) == NULL)
            problem_field(problems, wanted->name, item, "is required");
    }
}

void schema_check(struct problems *problems, const struct schema_field *field, const cJSON *item,
                  bool partial)
{
    switch (field->type) {
    case SCHEMA_STRING:
        check_string(problems, field, item);
        break;
    case SCHEMA_INTEGER:
        check_integer(problems, field, item);
        break;
    case SCHEMA_BOOLEAN:
        check_boolean(problems, field, item);
        break;
    case SCHEMA_DURATION:
        check_duration(problems, field, item);
        break;
    case SCHEMA_QUANTITY:
        check_quantity(problems, item);
        break;
    case SCHEMA_INT_OR_STRING:
        check_int_or_string(problems, item);
        break;
    case SCHEMA_OBJECT:
        check_object(problems, field, item, partial);
        break;
    case SCHEMA_LIST:
    case SCHEMA_AUTO_OR_LIST:
        check_list(problems, field, item, partial);
        break;
    case SCHEMA_STRING_MAP:
    case SCHEMA_QUANTITY_MAP:
        check_map(problems, field, item);
        break;
    case SCHEMA_JSON:
        check_json(problems, field, item);
        break;
    }
}
