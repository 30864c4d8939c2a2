/* docs/reference is what the schema says: a page per kind, and a JSON Schema for editors. Run with
 * UPDATE=1 to write them anew. */
#include "unit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/api_routes.h"
#include "agent/codec/json.h"
#include "agent/codec/schema_print.h"

#define DIRECTORY "docs/reference/"

/* --- Files ------------------------------------------------------------------------------------ */

static void read_file(const char *path, struct buffer *text)
{
    char piece[4096];
    FILE *file = fopen(path, "r");
    for (size_t bytes; file && (bytes = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_append(text, piece, bytes);
    if (file)
        fclose(file);
}

static void write_file(const char *path, struct span text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(text.data, 1, text.bytes, file), text.bytes);
    fclose(file);
}

static void expect_file(const char *path, const struct buffer *wanted)
{
    struct buffer there = {0};
    if (getenv("UPDATE"))
        write_file(path, buffer_view(wanted));
    read_file(path, &there);
    bool equal = span_equal(buffer_view(&there), buffer_view(wanted));
    if (!equal)
        printf(
            "%s is not what the schema says: UPDATE=1 %s/reference_test, and look at the "
            "difference\n",
            path, "build/release/tests");
    CU_ASSERT_TRUE(equal);
    buffer_release(&there);
}

/* --- Pages ------------------------------------------------------------------------------------ */

static void print(struct buffer *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct buffer *page, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CU_ASSERT_TRUE_FATAL(bytes >= 0 && (size_t)bytes < sizeof text);
    buffer_append(page, text, (size_t)bytes);
}

static const struct schema_object *below(const struct schema_field *field)
{
    if (field->flags & SCHEMA_UNSUPPORTED)
        return NULL;
    return field->object ? field->object : field->item ? field->item->object : NULL;
}

static void print_range(struct buffer *page, const struct schema_field *field)
{
    if (field->min == 0 && field->max == 0)
        return;
    if (field->type == SCHEMA_INTEGER && field->max < INT32_MAX)
        print(page, " %" PRId64 " to %" PRId64 ".", field->min, field->max);
    else if (field->type == SCHEMA_STRING || field->type == SCHEMA_JSON)
        print(page, " At most %" PRId64 " bytes.", field->max);
    else if (field->type != SCHEMA_INTEGER)
        print(page, " At most %" PRId64 ".", field->max);
}

static void print_row(struct buffer *page, const struct schema_field *field)
{
    const struct schema_object *object = below(field);
    print(page, "| `%s` | ", field->name);
    if (object)
        print(page, "%s[%s](#%s)", field->item ? "list of " : "", object->name, object->name);
    else
        print(page, "%s", schema_type_name(field));
    print(page, " | %s%s%s | %s", field->fallback ? "`" : "",
          field->fallback ? field->fallback : "", field->fallback ? "`" : "", field->description);
    for (size_t i = 0; field->values && field->values[i]; i++)
        print(page, "%s`%s`", i == 0 ? " One of " : ", ",
              field->values[i][0] ? field->values[i] : "\"\"");
    print(page, "%s", field->values ? "." : "");
    print_range(page, field);
    print(page, "%s%s |\n", field->flags & SCHEMA_REQUIRED ? " **Required.**" : "",
          field->flags & (SCHEMA_IMMUTABLE | SCHEMA_IMMUTABLE_IN_USE) ? " Immutable." : "");
}

static void print_object(struct buffer *page, const struct schema_object *object,
                         const struct schema_field *status)
{
    unsigned refused = 0;
    print(page, "\n## %s\n\n%s\n\n| field | type | default | |\n|---|---|---|---|\n", object->name,
          object->description);
    for (size_t i = 0; i < object->count; i++)
        if (!(object->fields[i].flags & SCHEMA_UNSUPPORTED))
            print_row(page, &object->fields[i]);
    if (status)
        print_row(page, status);
    for (size_t i = 0; i < object->count; i++)
        if (object->fields[i].flags & SCHEMA_UNSUPPORTED)
            print(page, "%s`%s`", refused++ == 0 ? "\nRefused by name: " : ", ",
                  object->fields[i].name);
    print(page, "%s", refused > 0 ? ".\n" : "");
}

static void print_objects(struct buffer *page, const struct schema_object *object,
                          const struct schema_field *status, struct schema_printed *done)
{
    for (size_t i = 0; i < done->count; i++)
        if (done->objects[i] == object)
            return;
    done->objects[done->count++] = object;
    print_object(page, object, status);
    for (size_t i = 0; i < object->count; i++)
        if (below(&object->fields[i]))
            print_objects(page, below(&object->fields[i]), NULL, done);
    if (status)
        print_objects(page, below(status), NULL, done);
}

static void pages_are_what_the_schema_says(void)
{
    for (enum api_resource i = 0; i < API_RESOURCE_COUNT; i++) {
        const struct api_resource_info *info = &api_resources[i];
        struct schema_printed done = {0};
        struct buffer page = {0};
        char path[128];
        print(&page,
              "# %s\n\nMade from the schema by `tests/unit/reference_test.c`; `kubectl "
              "explain %s` says the same.\n`apiVersion: " API_GROUP_VERSION "`, %s, `%s`%s%s%s.\n",
              info->kind, info->singular, info->namespaced ? "in a namespace" : "cluster-wide",
              info->plural, info->short_name[0] ? " or `" : "", info->short_name,
              info->short_name[0] ? "`" : "");
        print_objects(&page, info->schema->root->object, info->schema->status, &done);
        snprintf(path, sizeof path, DIRECTORY "%s.md", info->singular);
        expect_file(path, &page);
        buffer_release(&page);
    }
}

/* --- For editors ------------------------------------------------------------------------------ */

static void write_editor_schema(struct buffer *text)
{
    struct api_writer writer = api_writer_of(text);
    struct schema_printed done = {0};
    api_writer_open(&writer, NULL, '{');
    api_writer_text(&writer, "$schema", "http://json-schema.org/draft-07/schema#");
    api_writer_text(&writer, "title", "Documents of hordelet.dev/v1");
    api_writer_open(&writer, "oneOf", '[');
    for (enum api_resource i = 0; i < API_RESOURCE_COUNT; i++) {
        char name[SCHEMA_DEFINITION_BYTES], ref[SCHEMA_DEFINITION_BYTES + 32];
        if (!api_resources[i].schema->written)
            continue;
        schema_definition_name(name, api_resources[i].schema->root->object);
        snprintf(ref, sizeof ref, "#/definitions/%s", name);
        api_writer_open(&writer, NULL, '{');
        api_writer_text(&writer, "$ref", ref);
        api_writer_close(&writer, '}');
    }
    api_writer_close(&writer, ']');
    api_writer_open(&writer, "definitions", '{');
    for (enum api_resource i = 0; i < API_RESOURCE_COUNT; i++)
        if (api_resources[i].schema->written)
            schema_print_kind(&writer, api_resources[i].schema, API_GROUP, API_VERSION,
                              SCHEMA_EDITOR, &done);
    api_writer_close(&writer, '}');
    api_writer_close(&writer, '}');
}

static void editors_know_the_schema(void)
{
    struct buffer compact = {0}, text = {0};
    struct error err = {0};
    write_editor_schema(&compact);
    cleanup_json cJSON *parsed = json_parse(buffer_view(&compact), compact.bytes, &err);
    CU_ASSERT_PTR_NOT_NULL(parsed);
    api_json_indent(&text, buffer_view(&compact));
    buffer_append(&text, "\n", 1);
    expect_file(DIRECTORY "hordelet.schema.json", &text);
    buffer_release(&compact);
    buffer_release(&text);
}

UNIT_MAIN("reference", {"pages are what the schema says", pages_are_what_the_schema_says},
          {"editors know the schema", editors_know_the_schema})
