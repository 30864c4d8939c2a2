/* YAML text -> cJSON trees. libyaml turns the text into events; here they are built into values.
 *
 * The idea: everything that could grow without bound is counted while building, so that no tree
 * which breaks a limit ever exists: depth (an alias counts with the height of what it copies),
 * values per document, values copied by aliases, keys per object. Recursion follows the depth,
 * which is bounded.
 *
 * Invariant: a tree under construction hangs in its parent at once, so that deleting the root frees
 * everything, whatever failed where. */
#include "agent/codec/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/codec/json.h"
#include "agent/codec/yaml_scalar.h"

enum { YAML_ANCHORS_MAX = 1000 }; /* in one document; each alias looks through them */

struct yaml_anchor {
    char *name; /* owned */
    const cJSON *item;
    size_t nodes;
    unsigned height;
};

struct yaml_reader {
    yaml_parser_t parser;
    struct span text;
    struct error *err;
    struct marks *marks; /* of the document being read */
    struct yaml_anchor *anchors;
    size_t anchor_count;
    cJSON *merged;      /* what merge keys took and anchors point into; NULL: nothing yet */
    size_t nodes;       /* of the document being read */
    size_t alias_nodes; /* of the whole text */
};

/* One key of a mapping, until duplicates and merge keys are settled. */
struct yaml_entry {
    cJSON *item;
    size_t order;
    bool merged; /* came in through <<: gives way to a key that is written out */
};

struct yaml_entries {
    struct yaml_entry *items; /* owned */
    size_t count, capacity;
};

static int read_value(struct yaml_reader *reader, const yaml_event_t *event, unsigned depth,
                      cJSON **ret_item, unsigned *ret_height);

static void event_cleanup(yaml_event_t *event)
{
    yaml_event_delete(event);
}
#define cleanup_event __attribute__((cleanup(event_cleanup)))

static void entries_cleanup(struct yaml_entries *entries)
{
    free(entries->items);
}
#define cleanup_entries __attribute__((cleanup(entries_cleanup)))

static int fail_at(struct yaml_reader *reader, yaml_mark_t mark, enum error_code code,
                   const char *what)
{
    return error_set(reader->err, code, "YAML: line %zu, column %zu: %s", mark.line + 1,
                     mark.column + 1, what);
}

/* Of bytes that are no characters libyaml tells the offset only. */
static yaml_mark_t mark_of_offset(struct span text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.bytes; i++) {
        mark.column++;
        if (text.data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static int next_event(struct yaml_reader *reader, yaml_event_t *ret_event)
{
    if (yaml_parser_parse(&reader->parser, ret_event))
        return 0;
    memset(ret_event, 0, sizeof *ret_event);
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "not well-formed";
    yaml_mark_t mark = parser->error == YAML_READER_ERROR
                           ? mark_of_offset(reader->text, parser->problem_offset)
                           : parser->problem_mark;
    return fail_at(reader, mark, ERROR_MALFORMED, problem);
}

static int count_node(struct yaml_reader *reader, const yaml_event_t *event, cJSON *item)
{
    marks_add(reader->marks, item, (uint32_t)event->start_mark.line + 1,
              (uint32_t)event->start_mark.column + 1);
    if (++reader->nodes > DOCUMENT_NODES_MAX)
        return fail_at(reader, event->start_mark, ERROR_TOO_LARGE,
                       "too many values in one document");
    return 0;
}

/* "tag:yaml.org,2002:str" -> "str"; NULL for a tag of somebody else. "!" (quoted, by the
 * specification) is "str". */
static const char *core_tag(const yaml_char_t *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    if (strcmp(text, "!") == 0)
        return "str";
    return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : NULL;
}

static bool text_is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static int check_collection_tag(struct yaml_reader *reader, const yaml_event_t *event,
                                const yaml_char_t *tag, const char *expected)
{
    const char *core = tag == NULL ? expected : core_tag(tag);
    if (core != NULL && strcmp(core, expected) == 0)
        return 0;
    return fail_at(reader, event->start_mark, ERROR_MALFORMED, "this tag is not supported");
}

static bool tag_fits_type(const char *tag, enum yaml_scalar_type type)
{
    switch (type) {
    case YAML_SCALAR_NULL:
        return strcmp(tag, "null") == 0;
    case YAML_SCALAR_TRUE:
    case YAML_SCALAR_FALSE:
        return strcmp(tag, "bool") == 0;
    case YAML_SCALAR_NUMBER:
        return strcmp(tag, "int") == 0 || strcmp(tag, "float") == 0;
    default:
        return false;
    }
}

/* What type a scalar has, by its tag, else by its quotes, else by its text. */
static int scalar_type(struct yaml_reader *reader, const yaml_event_t *event,
                       enum yaml_scalar_type *ret_type, double *ret_number)
{
    static const char *const tags[] = {"str", "null", "bool", "int", "float", "timestamp", NULL};
    const char *text = (const char *)event->data.scalar.value;
    const char *tag = event->data.scalar.tag ? core_tag(event->data.scalar.tag) : "";
    if (tag == NULL || (*tag != '\0' && !text_is_one_of(tag, tags)))
        return fail_at(reader, event->start_mark, ERROR_MALFORMED, "this tag is not supported");
    *ret_type = YAML_SCALAR_STRING;
    if (strcmp(tag, "str") == 0 || strcmp(tag, "timestamp") == 0)
        return 0;
    if (*tag == '\0' && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return 0;
    *ret_type = yaml_scalar_resolve(text, ret_number);
    if (*ret_type == YAML_SCALAR_NOT_FINITE)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED,
                       "JSON has no infinite numbers and no NaN");
    if (*tag != '\0' && !tag_fits_type(tag, *ret_type))
        return fail_at(reader, event->start_mark, ERROR_MALFORMED,
                       "the value does not fit its tag");
    return 0;
}

static int read_scalar(struct yaml_reader *reader, const yaml_event_t *event, cJSON **ret_item)
{
    enum yaml_scalar_type type;
    double number = 0;
    const char *text = (const char *)event->data.scalar.value;
    if (memchr(text, 0, event->data.scalar.length) != NULL)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED,
                       "a string may not contain a zero byte");
    if (scalar_type(reader, event, &type, &number) != 0)
        return -1;
    switch (type) {
    case YAML_SCALAR_NULL:
        *ret_item = cJSON_CreateNull();
        break;
    case YAML_SCALAR_TRUE:
    case YAML_SCALAR_FALSE:
        *ret_item = cJSON_CreateBool(type == YAML_SCALAR_TRUE);
        break;
    case YAML_SCALAR_NUMBER:
        *ret_item = cJSON_CreateNumber(number);
        break;
    default:
        *ret_item = cJSON_CreateString(text);
    }
    if (*ret_item == NULL)
        abort();
    return count_node(reader, event, *ret_item);
}

/* The items of a copied tree stand where the alias stands. */
static void mark_copy(struct yaml_reader *reader, const yaml_event_t *event, const cJSON *item)
{
    marks_add(reader->marks, item, (uint32_t)event->start_mark.line + 1,
              (uint32_t)event->start_mark.column + 1);
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        mark_copy(reader, event, child);
}

static int read_alias(struct yaml_reader *reader, const yaml_event_t *event, unsigned depth,
                      cJSON **ret_item, unsigned *ret_height)
{
    const char *name = (const char *)event->data.alias.anchor;
    size_t i = reader->anchor_count;
    while (i > 0 && strcmp(reader->anchors[i - 1].name, name) != 0)
        i--;
    if (i == 0)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED,
                       "this alias has no anchor before it, or is inside of it");
    const struct yaml_anchor *anchor = &reader->anchors[i - 1];
    reader->alias_nodes += anchor->nodes;
    reader->nodes += anchor->nodes;
    if (reader->alias_nodes > YAML_ALIAS_NODES_MAX || reader->nodes > DOCUMENT_NODES_MAX)
        return fail_at(reader, event->start_mark, ERROR_TOO_LARGE,
                       "the aliases copy too many values");
    if (depth + anchor->height > DOCUMENT_DEPTH_MAX)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED, "nested too deeply");
    *ret_item = json_copy(anchor->item);
    free((*ret_item)->string); /* the anchored value may have been the member of an object */
    (*ret_item)->string = NULL;
    *ret_height = anchor->height;
    mark_copy(reader, event, *ret_item);
    return 0;
}

static int read_sequence(struct yaml_reader *reader, const yaml_event_t *start, unsigned depth,
                         cJSON *array, unsigned *ret_height)
{
    if (check_collection_tag(reader, start, start->data.sequence_start.tag, "seq") != 0)
        return -1;
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next_event(reader, &event) != 0)
            return -1;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        cJSON *item = NULL;
        unsigned height = 0;
        int failed = read_value(reader, &event, depth, &item, &height);
        if (item != NULL)
            json_add(array, NULL, item);
        if (failed)
            return -1;
        if (height >= *ret_height)
            *ret_height = height + 1;
    }
}

static void entries_add(struct yaml_entries *entries, cJSON *item, bool merged)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity == 0 ? 16 : entries->capacity * 2;
        entries->items = xrealloc(entries->items, entries->capacity * sizeof *entries->items);
    }
    entries->items[entries->count] = (struct yaml_entry){item, entries->count, merged};
    entries->count++;
}

/* Moves the members of a mapping that was given to << into the object. */
static int merge_mapping(struct yaml_reader *reader, const yaml_event_t *key, cJSON *object,
                         struct yaml_entries *entries, cJSON *mapping)
{
    if (!cJSON_IsObject(mapping))
        return fail_at(reader, key->start_mark, ERROR_MALFORMED,
                       "the value of a merge key (<<) must be a mapping or a list of mappings");
    while (mapping->child != NULL) {
        cJSON *member = cJSON_DetachItemViaPointer(mapping, mapping->child);
        cJSON_AddItemToObject(object, member->string, member);
        entries_add(entries, member, true);
    }
    return 0;
}

static int merge_value(struct yaml_reader *reader, const yaml_event_t *key, cJSON *object,
                       struct yaml_entries *entries, cJSON *value)
{
    if (!cJSON_IsArray(value))
        return merge_mapping(reader, key, object, entries, value);
    for (cJSON *item = value->child; item != NULL; item = item->next)
        if (merge_mapping(reader, key, object, entries, item) != 0)
            return -1;
    return 0;
}

static int entry_compare(const void *left, const void *right)
{
    const struct yaml_entry *a = left, *b = right;
    int order = strcmp(a->item->string, b->item->string);
    if (order != 0)
        return order;
    if (a->merged != b->merged)
        return a->merged - b->merged;
    return (a->order > b->order) - (a->order < b->order);
}

/* Equal keys stand together after sorting, the one that counts first. */
static int settle_entries(struct yaml_reader *reader, const yaml_event_t *start, cJSON *object,
                          struct yaml_entries *entries)
{
    if (entries->count > DOCUMENT_KEYS_MAX)
        return fail_at(reader, start->start_mark, ERROR_TOO_LARGE, "too many keys in one mapping");
    if (entries->count > 1)
        qsort(entries->items, entries->count, sizeof *entries->items, entry_compare);
    for (size_t i = 1, kept = 0; i < entries->count; i++) {
        struct yaml_entry *entry = &entries->items[i];
        if (strcmp(entry->item->string, entries->items[kept].item->string) != 0) {
            kept = i;
            continue;
        }
        if (!entry->merged) {
            marks_sort(reader->marks);
            const struct mark *mark = marks_find(reader->marks, entry->item);
            return error_set(reader->err, ERROR_MALFORMED,
                             "YAML: line %u, column %u: the key \"%.60s\" was given before",
                             mark ? mark->line : 0, mark ? mark->column : 0, entry->item->string);
        }
        cJSON_Delete(cJSON_DetachItemViaPointer(object, entry->item));
    }
    return 0;
}

/* The key of a mapping: a string, or << (then *ret_merge). */
static int check_key(struct yaml_reader *reader, const yaml_event_t *event, bool *ret_merge)
{
    enum yaml_scalar_type type;
    double number;
    *ret_merge = false;
    if (event->type != YAML_SCALAR_EVENT)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED, "keys must be strings");
    const char *text = (const char *)event->data.scalar.value;
    if (memchr(text, 0, event->data.scalar.length) != NULL)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED,
                       "a key may not contain a zero byte");
    if (scalar_type(reader, event, &type, &number) != 0)
        return -1;
    if (type == YAML_SCALAR_MERGE)
        *ret_merge = true;
    else if (type != YAML_SCALAR_STRING)
        return error_set(reader->err, ERROR_MALFORMED,
                         "YAML: line %zu, column %zu: keys must be strings: put %.40s in quotes",
                         event->start_mark.line + 1, event->start_mark.column + 1,
                         *text ? text : "the empty key");
    return 0;
}

/* Merging takes the value apart; what anchors point into stays whole, and its copy is taken. */
static cJSON *merge_source(struct yaml_reader *reader, const yaml_event_t *event, cJSON *value)
{
    if (!reader->merged)
        reader->merged = json_new_array();
    json_add(reader->merged, NULL, value);
    cJSON *copy = json_copy(value);
    mark_copy(reader, event, copy);
    return copy;
}

/* One key and its value. */
static int read_member(struct yaml_reader *reader, const yaml_event_t *key, unsigned depth,
                       cJSON *object, struct yaml_entries *entries, unsigned *ret_height)
{
    bool merge;
    if (check_key(reader, key, &merge) != 0)
        return -1;
    cleanup_event yaml_event_t event = {0};
    if (next_event(reader, &event) != 0)
        return -1;
    cJSON *value = NULL;
    unsigned height = 0;
    size_t anchors_before = reader->anchor_count;
    int failed = read_value(reader, &event, depth, &value, &height);
    if (height >= *ret_height)
        *ret_height = height + 1;
    if (failed) {
        cJSON_Delete(value);
        return -1;
    }
    if (merge && reader->anchor_count > anchors_before)
        value = merge_source(reader, &event, value);
    if (merge) {
        failed = merge_value(reader, key, object, entries, value);
        cJSON_Delete(value);
        return failed;
    }
    json_add(object, (const char *)key->data.scalar.value, value);
    entries_add(entries, value, false);
    return 0;
}

static int read_mapping(struct yaml_reader *reader, const yaml_event_t *start, unsigned depth,
                        cJSON *object, unsigned *ret_height)
{
    cleanup_entries struct yaml_entries entries = {0};
    if (check_collection_tag(reader, start, start->data.mapping_start.tag, "map") != 0)
        return -1;
    for (;;) {
        cleanup_event yaml_event_t key = {0};
        if (next_event(reader, &key) != 0)
            return -1;
        if (key.type == YAML_MAPPING_END_EVENT)
            return settle_entries(reader, start, object, &entries);
        if (read_member(reader, &key, depth, object, &entries, ret_height) != 0)
            return -1;
    }
}

static int read_collection(struct yaml_reader *reader, const yaml_event_t *event, unsigned depth,
                           cJSON **ret_item, unsigned *ret_height)
{
    if (depth >= DOCUMENT_DEPTH_MAX)
        return fail_at(reader, event->start_mark, ERROR_MALFORMED, "nested too deeply");
    bool sequence = event->type == YAML_SEQUENCE_START_EVENT;
    *ret_item = sequence ? json_new_array() : json_new_object();
    *ret_height = 1;
    if (count_node(reader, event, *ret_item) != 0)
        return -1;
    return sequence ? read_sequence(reader, event, depth + 1, *ret_item, ret_height)
                    : read_mapping(reader, event, depth + 1, *ret_item, ret_height);
}

static int add_anchor(struct yaml_reader *reader, const yaml_event_t *event,
                      const yaml_char_t *name, const cJSON *item, size_t nodes, unsigned height)
{
    if (reader->anchor_count == YAML_ANCHORS_MAX)
        return fail_at(reader, event->start_mark, ERROR_TOO_LARGE, "too many anchors");
    reader->anchors =
        xrealloc(reader->anchors, (reader->anchor_count + 1) * sizeof *reader->anchors);
    reader->anchors[reader->anchor_count++] =
        (struct yaml_anchor){xstrdup((const char *)name), item, nodes, height};
    return 0;
}

/* depth: arrays and objects around this value. *ret_item is set as soon as there is one, also on
 * failure. */
static int read_value(struct yaml_reader *reader, const yaml_event_t *event, unsigned depth,
                      cJSON **ret_item, unsigned *ret_height)
{
    size_t nodes_before = reader->nodes;
    const yaml_char_t *anchor = NULL;
    int failed;
    *ret_height = 0;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return read_alias(reader, event, depth, ret_item, ret_height);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        failed = read_scalar(reader, event, ret_item);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        failed = read_collection(reader, event, depth, ret_item, ret_height);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        failed = read_collection(reader, event, depth, ret_item, ret_height);
        break;
    default:
        return fail_at(reader, event->start_mark, ERROR_MALFORMED, "a value is missing");
    }
    if (failed || anchor == NULL)
        return failed;
    return add_anchor(reader, event, anchor, *ret_item, reader->nodes - nodes_before, *ret_height);
}

static void forget_anchors(struct yaml_reader *reader)
{
    for (size_t i = 0; i < reader->anchor_count; i++)
        free(reader->anchors[i].name);
    free(reader->anchors);
    reader->anchors = NULL;
    reader->anchor_count = 0;
    cJSON_Delete(reader->merged);
    reader->merged = NULL;
}

/* From DOCUMENT-START to DOCUMENT-END. An empty document leaves ret_document empty. */
static int read_document(struct yaml_reader *reader, struct document *ret_document)
{
    cleanup_event yaml_event_t event = {0};
    unsigned height;
    reader->nodes = 0;
    reader->marks = &ret_document->marks;
    int failed = next_event(reader, &event) != 0 ||
                 read_value(reader, &event, 0, &ret_document->object, &height) != 0;
    forget_anchors(reader);
    if (failed)
        return -1;
    cleanup_event yaml_event_t end = {0};
    if (next_event(reader, &end) != 0)
        return -1;
    marks_sort(&ret_document->marks);
    return 0;
}

static int read_documents(struct yaml_reader *reader, struct documents *documents)
{
    size_t capacity = 0;
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next_event(reader, &event) != 0)
            return -1;
        if (event.type == YAML_STREAM_END_EVENT)
            return 0;
        if (event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (documents->count == capacity) {
            capacity = capacity == 0 ? 4 : capacity * 2;
            documents->items = xrealloc(documents->items, capacity * sizeof *documents->items);
        }
        struct document *document = &documents->items[documents->count++];
        *document = (struct document){0};
        if (read_document(reader, document) != 0)
            return -1;
        if (cJSON_IsNull(document->object)) {
            documents->count--;
            cJSON_Delete(document->object);
            marks_release(&document->marks);
        }
    }
}

int yaml_parse(struct documents *ret_documents, struct span text, size_t bytes_max,
               struct error *err)
{
    *ret_documents = (struct documents){0};
    if (text.bytes > bytes_max)
        return error_set(err, ERROR_TOO_LARGE, "%zu bytes; at most %zu are accepted", text.bytes,
                         bytes_max);
    struct yaml_reader reader = {.err = err, .text = text};
    if (!yaml_parser_initialize(&reader.parser))
        abort();
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, text.data ? text.data : (const uint8_t *)"",
                                 text.bytes);
    int failed = read_documents(&reader, ret_documents);
    yaml_parser_delete(&reader.parser);
    if (failed)
        documents_release(ret_documents);
    return failed;
}
