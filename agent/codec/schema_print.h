/* The schema as JSON Schema, in two dialects: OpenAPI 3.0 for kubectl (explain), and draft-07 for
 * editors, where unknown fields are errors. */
#ifndef AGENT_CODEC_SCHEMA_PRINT_H
#define AGENT_CODEC_SCHEMA_PRINT_H

#include "agent/codec/api_writer.h"
#include "agent/codec/schema.h"

enum schema_dialect { SCHEMA_OPENAPI, SCHEMA_EDITOR };

/* Writes the definition of the kind's object and of every object below it, each once, as members of
 * the object that is open. `done` remembers what has been written. */
enum { SCHEMA_OBJECTS_MAX = 128 };
struct schema_printed {
    const struct schema_object *objects[SCHEMA_OBJECTS_MAX];
    size_t count;
};
void schema_print_kind(struct api_writer *writer, const struct schema_kind *kind, const char *group,
                       const char *version, enum schema_dialect dialect,
                       struct schema_printed *done);

/* The name of an object's definition: "dev.hordelet.v1.Workload". */
enum { SCHEMA_DEFINITION_BYTES = 128 };
void schema_definition_name(char ret_name[SCHEMA_DEFINITION_BYTES],
                            const struct schema_object *object);

/* What a field is called for people: "string", "[]Object", "map[string]string", ... */
const char *schema_type_name(const struct schema_field *field);

#endif
