/* See schema_print.h. */
#include "agent/codec/schema_print.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "agent/codec/schema_format.h"

void schema_definition_name(char ret_name[SCHEMA_DEFINITION_BYTES],
                            const struct schema_object *object)
{
    snprintf(ret_name, SCHEMA_DEFINITION_BYTES, "dev.hordelet.v1.%s", object->name);
}

const char *schema_type_name(const struct schema_field *field)
{
    static const char *const names[] = {
        [SCHEMA_STRING] = "string",
        [SCHEMA_INTEGER] = "integer",
        [SCHEMA_BOOLEAN] = "boolean",
        [SCHEMA_DURATION] = "duration",
        [SCHEMA_QUANTITY] = "quantity",
        [SCHEMA_INT_OR_STRING] = "integer or string",
        [SCHEMA_OBJECT] = "object",
        [SCHEMA_LIST] = "list",
        [SCHEMA_STRING_MAP] = "map of strings",
        [SCHEMA_QUANTITY_MAP] = "map of quantities",
        [SCHEMA_AUTO_OR_LIST] = "auto or list of strings",
        [SCHEMA_JSON] = "any",
    };
    if (field->type != SCHEMA_LIST)
        return names[field->type];
    if (field->item->type == SCHEMA_OBJECT)
        return "list of objects";
    return field->item->type == SCHEMA_STRING ? "list of strings" : "list";
}

/* --- One field -------------------------------------------------------------------------------- */

static void write_ref(struct api_writer *writer, const struct schema_object *object,
                      enum schema_dialect dialect)
{
    char name[SCHEMA_DEFINITION_BYTES], ref[SCHEMA_DEFINITION_BYTES + 32];
    schema_definition_name(name, object);
    snprintf(ref, sizeof ref, "%s%s",
             dialect == SCHEMA_OPENAPI ? "#/components/schemas/" : "#/definitions/", name);
    api_writer_text(writer, "$ref", ref);
}

static void write_values(struct api_writer *writer, const struct schema_field *field)
{
    api_writer_open(writer, "enum", '[');
    for (size_t i = 0; field->values[i]; i++)
        api_writer_text(writer, NULL, field->values[i]);
    api_writer_close(writer, ']');
}

static void write_string(struct api_writer *writer, const struct schema_field *field)
{
    const char *pattern = schema_format_pattern(field->format);
    api_writer_text(writer, "type", "string");
    if (field->values)
        write_values(writer, field);
    if (pattern)
        api_writer_text(writer, "pattern", pattern);
    if (field->flags & SCHEMA_NOT_EMPTY)
        api_writer_unsigned(writer, "minLength", 1);
    if (field->max > 0 && field->type == SCHEMA_STRING)
        api_writer_signed(writer, "maxLength", field->max);
}

/* "500m" or 2 */
static void write_number_or_string(struct api_writer *writer, const char *number,
                                   enum schema_dialect dialect)
{
    if (dialect == SCHEMA_OPENAPI)
        api_writer_bool(writer, "x-kubernetes-int-or-string", true);
    api_writer_open(writer, "oneOf", '[');
    const char *const types[] = {"string", number};
    for (size_t i = 0; i < 2; i++) {
        api_writer_open(writer, NULL, '{');
        api_writer_text(writer, "type", types[i]);
        api_writer_close(writer, '}');
    }
    api_writer_close(writer, ']');
}

static void write_type(struct api_writer *writer, const struct schema_field *field,
                       enum schema_dialect dialect);

static void write_items(struct api_writer *writer, const struct schema_field *field,
                        enum schema_dialect dialect)
{
    api_writer_text(writer, "type", "array");
    api_writer_open(writer, "items", '{');
    write_type(writer, field->item, dialect);
    api_writer_close(writer, '}');
    if (field->min > 0)
        api_writer_signed(writer, "minItems", field->min);
    if (field->max > 0)
        api_writer_signed(writer, "maxItems", field->max);
    if (dialect == SCHEMA_EDITOR)
        return;
    api_writer_text(writer, "x-kubernetes-list-type", field->key[0] ? "map" : "atomic");
    if (!field->key[0])
        return;
    api_writer_open(writer, "x-kubernetes-list-map-keys", '[');
    for (size_t i = 0; i < SCHEMA_KEYS_MAX && field->key[i]; i++)
        api_writer_text(writer, NULL, field->key[i]);
    api_writer_close(writer, ']');
}

static void write_auto_or_list(struct api_writer *writer, const struct schema_field *field,
                               enum schema_dialect dialect)
{
    api_writer_open(writer, "oneOf", '[');
    api_writer_raw(writer, NULL, span_text("{\"type\":\"string\",\"enum\":[\"auto\"]}"));
    api_writer_open(writer, NULL, '{');
    write_items(writer, field, dialect);
    api_writer_close(writer, '}');
    api_writer_close(writer, ']');
}

static void write_map(struct api_writer *writer, const struct schema_field *field,
                      enum schema_dialect dialect)
{
    api_writer_text(writer, "type", "object");
    api_writer_open(writer, "additionalProperties", '{');
    if (field->type == SCHEMA_STRING_MAP)
        api_writer_text(writer, "type", "string");
    else
        write_number_or_string(writer, "number", dialect);
    api_writer_close(writer, '}');
    if (field->max > 0 && field->type == SCHEMA_STRING_MAP)
        api_writer_signed(writer, "maxProperties", field->max);
}

static void write_integer(struct api_writer *writer, const struct schema_field *field,
                          enum schema_dialect dialect)
{
    api_writer_text(writer, "type", "integer");
    if (dialect == SCHEMA_OPENAPI)
        api_writer_text(writer, "format", "int64");
    if (field->min == 0 && field->max == 0)
        return;
    api_writer_signed(writer, "minimum", field->min);
    api_writer_signed(writer, "maximum", field->max);
}

static void write_type(struct api_writer *writer, const struct schema_field *field,
                       enum schema_dialect dialect)
{
    switch (field->type) {
    case SCHEMA_STRING:
    case SCHEMA_DURATION:
        write_string(writer, field);
        break;
    case SCHEMA_INTEGER:
        write_integer(writer, field, dialect);
        break;
    case SCHEMA_BOOLEAN:
        api_writer_text(writer, "type", "boolean");
        break;
    case SCHEMA_QUANTITY:
        write_number_or_string(writer, "number", dialect);
        break;
    case SCHEMA_INT_OR_STRING:
        write_number_or_string(writer, "integer", dialect);
        break;
    case SCHEMA_OBJECT:
        write_ref(writer, field->object, dialect);
        break;
    case SCHEMA_LIST:
        write_items(writer, field, dialect);
        break;
    case SCHEMA_AUTO_OR_LIST:
        write_auto_or_list(writer, field, dialect);
        break;
    case SCHEMA_STRING_MAP:
    case SCHEMA_QUANTITY_MAP:
        write_map(writer, field, dialect);
        break;
    case SCHEMA_JSON:
        if (dialect == SCHEMA_OPENAPI)
            api_writer_bool(writer, "x-kubernetes-preserve-unknown-fields", true);
        break;
    }
}

static void write_field(struct api_writer *writer, const struct schema_field *field,
                        enum schema_dialect dialect)
{
    api_writer_open(writer, field->name, '{');
    if (field->description)
        api_writer_text(writer, "description", field->description);
    if (field->type == SCHEMA_OBJECT) { /* beside $ref nothing else may stand */
        api_writer_open(writer, "allOf", '[');
        api_writer_open(writer, NULL, '{');
        write_type(writer, field, dialect);
        api_writer_close(writer, '}');
        api_writer_close(writer, ']');
    } else {
        write_type(writer, field, dialect);
    }
    if (field->fallback)
        api_writer_raw(writer, "default", span_text(field->fallback));
    if (field->flags & SCHEMA_SERVER)
        api_writer_bool(writer, "readOnly", true);
    if (field->flags & SCHEMA_NULLABLE && dialect == SCHEMA_OPENAPI)
        api_writer_bool(writer, "nullable", true);
    api_writer_close(writer, '}');
}

/* --- Objects ---------------------------------------------------------------------------------- */

static void write_required(struct api_writer *writer, const struct schema_object *object)
{
    bool any = false;
    for (size_t i = 0; i < object->count; i++) {
        if (!(object->fields[i].flags & SCHEMA_REQUIRED))
            continue;
        if (!any)
            api_writer_open(writer, "required", '[');
        any = true;
        api_writer_text(writer, NULL, object->fields[i].name);
    }
    if (any)
        api_writer_close(writer, ']');
}

/* An editor knows the one value of apiVersion and kind, and so which kind a document is of. */
static void write_constant(struct api_writer *writer, const char *name, const char *value)
{
    api_writer_open(writer, name, '{');
    api_writer_text(writer, "type", "string");
    api_writer_open(writer, "enum", '[');
    api_writer_text(writer, NULL, value);
    api_writer_close(writer, ']');
    api_writer_close(writer, '}');
}

struct root {
    const struct schema_kind *kind;
    const char *group, *version;
};

static void write_group_version_kind(struct api_writer *writer, const struct root *root)
{
    api_writer_open(writer, "x-kubernetes-group-version-kind", '[');
    api_writer_open(writer, NULL, '{');
    api_writer_text(writer, "group", root->group);
    api_writer_text(writer, "kind", root->kind->kind);
    api_writer_text(writer, "version", root->version);
    api_writer_close(writer, '}');
    api_writer_close(writer, ']');
}

static void write_root_field(struct api_writer *writer, const struct schema_field *field,
                             const struct root *root, enum schema_dialect dialect)
{
    char version[64];
    snprintf(version, sizeof version, "%s%s%s", root->group, root->group[0] ? "/" : "",
             root->version);
    if (dialect == SCHEMA_EDITOR && strcmp(field->name, "apiVersion") == 0)
        write_constant(writer, field->name, version);
    else if (dialect == SCHEMA_EDITOR && strcmp(field->name, "kind") == 0)
        write_constant(writer, field->name, root->kind->kind);
    else
        write_field(writer, field, dialect);
}

static void write_definition(struct api_writer *writer, const struct schema_object *object,
                             const struct root *root, enum schema_dialect dialect)
{
    char name[SCHEMA_DEFINITION_BYTES];
    schema_definition_name(name, object);
    api_writer_open(writer, name, '{');
    api_writer_text(writer, "description", object->description);
    api_writer_text(writer, "type", "object");
    write_required(writer, object);
    if (dialect == SCHEMA_EDITOR)
        api_writer_bool(writer, "additionalProperties", false);
    api_writer_open(writer, "properties", '{');
    for (size_t i = 0; i < object->count; i++) {
        if (object->fields[i].flags & SCHEMA_UNSUPPORTED)
            continue;
        if (root)
            write_root_field(writer, &object->fields[i], root, dialect);
        else
            write_field(writer, &object->fields[i], dialect);
    }
    if (root && root->kind->status)
        write_field(writer, root->kind->status, dialect);
    api_writer_close(writer, '}');
    if (root && dialect == SCHEMA_OPENAPI)
        write_group_version_kind(writer, root);
    api_writer_close(writer, '}');
}

static void print_object(struct api_writer *writer, const struct schema_object *object,
                         const struct root *root, enum schema_dialect dialect,
                         struct schema_printed *done);

static void print_below(struct api_writer *writer, const struct schema_field *field,
                        enum schema_dialect dialect, struct schema_printed *done)
{
    if (field->flags & SCHEMA_UNSUPPORTED)
        return;
    const struct schema_object *object = field->object ? field->object
                                         : field->item ? field->item->object
                                                       : NULL;
    if (object)
        print_object(writer, object, NULL, dialect, done);
}

static void print_object(struct api_writer *writer, const struct schema_object *object,
                         const struct root *root, enum schema_dialect dialect,
                         struct schema_printed *done)
{
    for (size_t i = 0; i < done->count; i++)
        if (done->objects[i] == object)
            return;
    assert(done->count < SCHEMA_OBJECTS_MAX);
    done->objects[done->count++] = object;
    write_definition(writer, object, root, dialect);
    for (size_t i = 0; i < object->count; i++)
        print_below(writer, &object->fields[i], dialect, done);
    if (root && root->kind->status)
        print_below(writer, root->kind->status, dialect, done);
}

void schema_print_kind(struct api_writer *writer, const struct schema_kind *kind, const char *group,
                       const char *version, enum schema_dialect dialect,
                       struct schema_printed *done)
{
    struct root root = {kind, group, version};
    print_object(writer, kind->root->object, &root, dialect, done);
}
