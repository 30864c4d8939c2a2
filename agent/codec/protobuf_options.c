/* See protobuf_options.h. The numbers of the fields are those of apimachinery's generated.proto:
 *
 *   "k8s\0", then Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw }
 *   raw: DeleteOptions { 2: Preconditions { 1: uid, 2: resourceVersion }, 5: dryRun (repeated) }
 *
 * A field is a varint (number << 3 | wire type), then its value; unknown ones are passed over. */
#include "agent/codec/protobuf_options.h"

#include <string.h>

#include "agent/codec/json.h"
#include "agent/core/ident.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };
enum { TEXT_BYTES_MAX = 253 };

struct field {
    uint64_t number;
    struct span bytes; /* of WIRE_BYTES; else empty */
};

/* False: at the end, or not protobuf (reader->failed). */
static bool field_next(struct reader *reader, struct field *ret_field)
{
    if (reader->failed || reader_left(reader) == 0)
        return false;
    uint64_t tag = reader_varint(reader);
    *ret_field = (struct field){.number = tag >> 3};
    switch (tag & 7) {
    case WIRE_VARINT:
        reader_varint(reader);
        break;
    case WIRE_FIXED64:
        reader_take(reader, 8);
        break;
    case WIRE_BYTES:
        ret_field->bytes = reader_span(reader, reader_left(reader));
        break;
    case WIRE_FIXED32:
        reader_take(reader, 4);
        break;
    default:
        reader->failed = true;
    }
    return !reader->failed;
}

static void add_text(cJSON *object, const char *key, struct span value)
{
    char text[TEXT_BYTES_MAX + 1];
    text_set_span(text, sizeof text, value);
    json_add_text(object, key, text);
}

static bool read_preconditions(cJSON *options, struct span bytes)
{
    struct reader reader = reader_of(bytes);
    struct field field;
    cJSON *preconditions = json_add_object(options, "preconditions");
    while (field_next(&reader, &field)) {
        if (field.bytes.bytes > TEXT_BYTES_MAX)
            return false;
        if (field.number == 1)
            add_text(preconditions, "uid", field.bytes);
        if (field.number == 2)
            add_text(preconditions, "resourceVersion", field.bytes);
    }
    return !reader.failed;
}

static bool read_options(cJSON *options, struct span raw)
{
    struct reader reader = reader_of(raw);
    struct field field;
    bool good = true;
    cJSON *dry_run = json_add_array(options, "dryRun");
    while (good && field_next(&reader, &field)) {
        if (field.number == 2 && !json_get(options, "preconditions"))
            good = read_preconditions(options, field.bytes);
        if (field.number == 5 && cJSON_GetArraySize(dry_run) == 0)
            add_text(dry_run, NULL, field.bytes);
    }
    return good && !reader.failed;
}

cJSON *protobuf_delete_options(struct span body)
{
    static const char magic[4] = {'k', '8', 's', '\0'};
    struct reader reader = reader_of(body);
    struct span begin = reader_take(&reader, sizeof magic), raw = {0};
    struct field field;
    if (reader.failed || memcmp(begin.data, magic, sizeof magic) != 0)
        return NULL;
    while (field_next(&reader, &field))
        if (field.number == 2)
            raw = field.bytes;
    cJSON *options = json_new_object();
    if (!reader.failed && read_options(options, raw))
        return options;
    cJSON_Delete(options);
    return NULL;
}
