/* See manifest.h: from a text to documents. Reading files is in manifest_files.c. */
#include "agent/cli/manifest.h"

#include <string.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/suggest.h"
#include "agent/cli/terminal.h"
#include "agent/codec/json.h"
#include "agent/codec/yaml.h"
#include "agent/core/limits.h"

static void manifest_release(struct manifest *manifest)
{
    free(manifest->ns);
    free(manifest->name);
    free(manifest->source);
    free(manifest->problem);
    buffer_release(&manifest->body);
}

void manifests_release(struct manifests *manifests)
{
    for (size_t i = 0; i < manifests->count; i++)
        manifest_release(&manifests->items[i]);
    free(manifests->items);
    *manifests = (struct manifests){0};
}

/* --- Pieces ----------------------------------------------------------------------------------- */

/* "---" or "..." alone or before a blank: nothing else inside a YAML document may look so, not even
 * a line of a block of text. */
static bool is_marker(struct span line, const char *marker)
{
    if (line.bytes < 3 || memcmp(line.data, marker, 3) != 0)
        return false;
    return line.bytes == 3 || strchr(" \t\r\n", line.data[3]) != NULL;
}

/* Comments, blank lines and directives (%YAML) belong to the document after them. */
static bool is_prologue(struct span line)
{
    size_t at = 0;
    while (at < line.bytes && strchr(" \t\r\n", line.data[at]))
        at++;
    return at == line.bytes || line.data[at] == '#' || line.data[0] == '%';
}

static struct span line_at(struct span text, size_t at)
{
    const uint8_t *newline = memchr(text.data + at, '\n', text.bytes - at);
    size_t bytes = newline ? (size_t)(newline - text.data) - at + 1 : text.bytes - at;
    return span_of(text.data + at, bytes);
}

bool manifest_piece_next(struct span text, size_t *at, size_t *line,
                         struct manifest_piece *ret_piece)
{
    size_t start = *at;
    bool begun = false; /* something of a document has been seen */
    if (start >= text.bytes)
        return false;
    ret_piece->line = *line;
    while (*at < text.bytes) {
        struct span next = line_at(text, *at);
        bool begins = is_marker(next, "---");
        if (begins && begun)
            break;
        *at += next.bytes;
        *line += 1;
        if (is_marker(next, "..."))
            break;
        begun = begun || begins || !is_prologue(next);
    }
    ret_piece->text = span_of(text.data + start, *at - start);
    return true;
}

/* --- Documents -------------------------------------------------------------------------------- */

static int manifest_set_resource(struct manifest *manifest, const char *kind, struct error *err)
{
    static const enum api_resource appliable[] = {API_WORKLOADS, API_SUPERVISORS};
    const char *words[] = {api_resources[API_WORKLOADS].kind, api_resources[API_SUPERVISORS].kind};
    if (!kind || !*kind)
        return error_set(err, ERROR_INVALID, "kind: is missing: Workload or Supervisor");
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(kind, words[i]) == 0) {
            manifest->resource = appliable[i];
            return 0;
        }
    }
    const char *near = suggest(kind, words, 2);
    return error_set(err, ERROR_INVALID, "kind: \"%s\" is not a document of hordelet%s%s%s", kind,
                     near ? ": did you mean " : ", which has Workload and Supervisor",
                     near ? near : "", near ? "?" : "");
}

static void manifests_append(struct manifests *manifests, struct manifest manifest)
{
    manifests->items =
        xrealloc(manifests->items, (manifests->count + 1) * sizeof *manifests->items);
    manifests->items[manifests->count++] = manifest;
}

/* *ret_text is NULL if the field is absent. A bare y or n is a boolean in YAML 1.1, and 5 a number.
 */
static int metadata_text(const char **ret_text, const cJSON *object, const char *key,
                         struct error *err)
{
    const cJSON *value = JSON_GET_PATH(object, "metadata", key);
    *ret_text = json_text(value);
    if (value && (!*ret_text || !**ret_text))
        return error_set(err, ERROR_INVALID, "metadata.%s: expected a text such as \"web\", not %s",
                         key, *ret_text ? "an empty one" : json_type_name(value));
    return 0;
}

/* Appends one document. body: takes what is in it, on success. */
static int manifests_add(struct manifests *manifests, const char *source, const cJSON *object,
                         struct buffer *body, struct error *err)
{
    struct manifest manifest = {0};
    const char *name, *ns;
    if (!cJSON_IsObject(object))
        return error_set(err, ERROR_INVALID,
                         "expected a document with kind, metadata and spec, not %s",
                         json_type_name(object));
    if (manifest_set_resource(&manifest, json_get_text(object, "kind"), err) < 0 ||
        metadata_text(&name, object, "name", err) < 0 ||
        metadata_text(&ns, object, "namespace", err) < 0)
        return -1;
    if (!name)
        return error_set(err, ERROR_INVALID, "metadata.name: is missing");
    manifest.name = xstrdup(name);
    manifest.ns = xstrdup(ns ? ns : "");
    manifest.source = xstrdup(source);
    manifest.body = *body;
    *body = (struct buffer){0};
    manifests_append(manifests, manifest);
    return 0;
}

static void manifests_add_problem(struct manifests *manifests, const char *source,
                                  const struct error *err)
{
    manifests_append(manifests,
                     (struct manifest){.source = xstrdup(source), .problem = xstrdup(err->text)});
}

static void manifests_add_list(struct manifests *manifests, const char *source, const cJSON *list)
{
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, json_get_array(list, "items"))
    {
        cleanup_buffer struct buffer body = {0};
        struct error err = {0};
        json_print_to(&body, item);
        if (manifests_add(manifests, source, item, &body, &err) < 0) {
            error_wrap(&err, "items[%zu]", index);
            manifests_add_problem(manifests, source, &err);
        }
        index++;
    }
}

static bool is_list(const cJSON *object)
{
    const char *kind = json_get_text(object, "kind");
    size_t bytes = kind ? strlen(kind) : 0;
    return bytes >= 4 && strcmp(kind + bytes - 4, "List") == 0 && json_get_array(object, "items");
}

/* JSON is sent as it was read and written again: not all of it is YAML (pairs of \u escapes). */
static int manifests_add_json(struct manifests *manifests, const char *source, struct span text,
                              struct error *err)
{
    cleanup_json cJSON *object = json_parse(text, MANIFEST_FILE_BYTES_MAX, err);
    cleanup_buffer struct buffer body = {0};
    if (!object)
        return -1;
    if (is_list(object)) {
        manifests_add_list(manifests, source, object);
        return 0;
    }
    json_print_to(&body, object);
    return manifests_add(manifests, source, object, &body, err);
}

static int manifests_add_yaml(struct manifests *manifests, const char *source, struct buffer *body,
                              struct error *err)
{
    struct documents documents = {0};
    int result = yaml_parse(&documents, buffer_view(body), MANIFEST_FILE_BYTES_MAX, err);
    if (result == 0 && documents.count > 0) {
        const cJSON *object = documents.items[0].object;
        if (is_list(object))
            manifests_add_list(manifests, source, object);
        else
            result = manifests_add(manifests, source, object, body, err);
    }
    documents_release(&documents);
    return result;
}

/* The empty lines make the agent's line numbers those of the file, unless the body would become too
 * large for it. */
static int manifests_add_piece(struct manifests *manifests, const char *source,
                               const struct manifest_piece *piece, struct error *err)
{
    cleanup_buffer struct buffer body = {0};
    struct span text = piece->text;
    static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
    if (text.bytes >= 3 && memcmp(text.data, byte_order_mark, 3) == 0)
        text = span_of(text.data + 3, text.bytes - 3);
    size_t at = 0;
    while (at < text.bytes && strchr(" \t\r\n", text.data[at]))
        at++;
    if (at < text.bytes && text.data[at] == '{')
        return manifests_add_json(manifests, source, text, err);
    for (size_t i = 0; i < piece->line && text.bytes + piece->line < BODY_BYTES_MAX; i++)
        buffer_u8(&body, '\n');
    buffer_append(&body, text.data, text.bytes);
    return manifests_add_yaml(manifests, source, &body, err);
}

void manifests_parse(struct manifests *manifests, const char *source, struct span text)
{
    struct manifest_piece piece;
    size_t at = 0, line = 0;
    while (manifest_piece_next(text, &at, &line, &piece)) {
        struct error err = {0};
        if (manifests->count == MANIFEST_DOCUMENTS_MAX) {
            error_set(&err, ERROR_TOO_LARGE, "more than %d documents: the others are left out",
                      MANIFEST_DOCUMENTS_MAX);
            manifests_add_problem(manifests, source, &err);
            return;
        }
        if (manifests_add_piece(manifests, source, &piece, &err) < 0)
            manifests_add_problem(manifests, source, &err);
    }
}
