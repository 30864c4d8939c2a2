/* See registration_json.h. The body passes the same gate as a document that is created. */
#include "agent/codec/registration_json.h"

#include <stdlib.h>
#include <string.h>

#include "agent/codec/document_number.h"
#include "agent/codec/document_write.h"
#include "agent/codec/json.h"
#include "agent/codec/schema_check.h"

/* Who is no child has no list of ports that one could be named in. */
static void name_check_port(struct problems *problems, const cJSON *port)
{
    char value[SHOWN_BYTES];
    if (!json_text(port))
        return;
    size_t mark = path_push_field(problems, "spec");
    problem_field(problems, "port", port, "must be a number, not %s",
                  shown_text(json_text(port), value));
    path_pop(problems, mark);
}

static void name_check(struct problems *problems, const cJSON *object)
{
    const cJSON *spec = json_get(object, "spec"), *address = json_get(spec, "address");
    name_check_port(problems, json_get(spec, "port"));
    const cJSON *annotations = JSON_GET_PATH(object, "metadata", "annotations");
    const char *text = json_text(address);
    char value[SHOWN_BYTES];
    if (text && text[strcspn(text, " \t\r\n/?#@\"'\\")]) {
        size_t mark = path_push_field(problems, "spec");
        problem_field(problems, "address", address, "must be a host name or an IP address, not %s",
                      shown_text(text, value));
        path_pop(problems, mark);
    }
    if (annotations && annotations->child) {
        size_t mark = path_push_field(problems, "metadata");
        problem_field(problems, "annotations", annotations, "are not kept here; use spec.value");
        path_pop(problems, mark);
    }
}

static const struct document_kind name_kind = {.schema = &schema_name, .check = name_check};
static const struct document_kind meta_kind = {.schema = &schema_meta, .check = name_check};

void registration_body_release(struct registration_body *body)
{
    for (size_t i = 0; i < body->registration.label_count; i++) {
        free(body->registration.labels[i].key);
        free(body->registration.labels[i].value);
    }
    free(body->registration.labels);
    free(body->value);
    free(body->address);
    *body = (struct registration_body){0};
}

static void read_labels(struct registration *registration, const cJSON *labels)
{
    size_t count = (size_t)cJSON_GetArraySize(labels);
    registration->labels = count ? xcalloc(count, sizeof *registration->labels) : NULL;
    for (const cJSON *item = count ? labels->child : NULL; item; item = item->next)
        registration->labels[registration->label_count++] =
            (struct label){xstrdup(item->string), xstrdup(item->valuestring)};
}

static char *read_value(const cJSON *spec)
{
    cJSON *value = cJSON_GetObjectItemCaseSensitive(spec, "value");
    if (!value || cJSON_IsNull(value))
        return NULL;
    numbers_make_exact(value);
    return json_print(value);
}

int registration_read(struct registration_body *ret_body, const struct document *document,
                      const struct write *write, struct error *err)
{
    cleanup_json cJSON *object = NULL;
    *ret_body = (struct registration_body){0};
    if (document_create(&object, &name_kind, document, write, err) != 0)
        return -1;
    const cJSON *spec = json_get(object, "spec");
    const char *address = json_get_text(spec, "address");
    struct registration *registration = &ret_body->registration;
    TEXT_SET(ret_body->name, document_name(object));
    ret_body->address = xstrdup(address ? address : "");
    ret_body->value = read_value(spec);
    registration->address = ret_body->address;
    registration->value = ret_body->value;
    registration->port = (uint16_t)json_get_integer(spec, "port", 0);
    registration->ttl_ms = 1000 * (uint64_t)json_get_integer(spec, "ttlSeconds", 30);
    read_labels(registration, json_get_object(json_get(object, "metadata"), "labels"));
    return 0;
}

int meta_read(struct registration_body *ret_body, const struct document *document,
              const struct write *write, struct error *err)
{
    cleanup_json cJSON *object = NULL;
    *ret_body = (struct registration_body){0};
    if (document_create(&object, &meta_kind, document, write, err) != 0)
        return -1;
    TEXT_SET(ret_body->name, document_name(object));
    ret_body->value = read_value(json_get(object, "spec"));
    return 0;
}
