/* See output.h. */
#include "agent/cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cleanup.h"
#include "agent/cli/terminal.h"
#include "agent/codec/yaml.h"

int output_format_parse(enum output_format *ret_format, const char *text, struct error *err)
{
    static const char *const names[] = {[OUTPUT_WIDE] = "wide",
                                        [OUTPUT_YAML] = "yaml",
                                        [OUTPUT_JSON] = "json",
                                        [OUTPUT_NAME] = "name"};
    *ret_format = OUTPUT_TABLE;
    if (!text)
        return 0;
    for (size_t i = OUTPUT_WIDE; i <= OUTPUT_NAME; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_format = (enum output_format)i;
            return 0;
        }
    }
    return error_set(err, ERROR_INVALID, "--output is wide, yaml, json or name, not \"%s\"", text);
}

/* Recursion is bounded by JSON_DEPTH_MAX: everything printed here was parsed by json_parse. */
static void print_indented(struct buffer *buffer, const cJSON *value, int indent)
{
    bool object = cJSON_IsObject(value);
    if ((!object && !cJSON_IsArray(value)) || !value->child) {
        json_print_to(buffer, value);
        return;
    }
    terminal_printf(buffer, "%c", object ? '{' : '[');
    for (const cJSON *member = value->child; member; member = member->next) {
        terminal_printf(buffer, "%s\n%*s", member == value->child ? "" : ",", indent + 2, "");
        if (object) {
            cJSON key = {.type = cJSON_String, .valuestring = member->string};
            json_print_to(buffer, &key);
            terminal_printf(buffer, ": ");
        }
        print_indented(buffer, member, indent + 2);
    }
    terminal_printf(buffer, "\n%*s%c", indent, "", object ? '}' : ']');
}

void output_json(struct buffer *buffer, const cJSON *value)
{
    print_indented(buffer, value, 0);
    terminal_printf(buffer, "\n");
}

void output_object(struct buffer *buffer, enum output_format format, const cJSON *object)
{
    if (format == OUTPUT_JSON) {
        output_json(buffer, object);
        return;
    }
    cleanup_free char *text = yaml_print(object);
    terminal_printf(buffer, "%s", text);
}

void output_name(struct buffer *buffer, enum api_resource resource, const cJSON *object)
{
    terminal_printf(buffer, "%s/", api_resources[resource].singular);
    terminal_escape(buffer, json_get_text(json_get_object(object, "metadata"), "name"));
    terminal_printf(buffer, "\n");
}

cJSON *output_list(cJSON *items)
{
    cJSON *list = json_new_object();
    json_add_text(list, "apiVersion", "v1");
    json_add_text(list, "kind", "List");
    json_add(list, "items", items);
    return list;
}

int output_format_parse_objects(enum output_format *ret_format, const char *text, struct error *err)
{
    struct error ignored = {0};
    if (output_format_parse(ret_format, text, &ignored) == 0 && *ret_format != OUTPUT_WIDE)
        return 0;
    return error_set(err, ERROR_INVALID, "--output is yaml, json or name here, not \"%s\"", text);
}

static enum api_resource resource_of(const cJSON *object)
{
    const char *kind = json_get_text(object, "kind");
    for (enum api_resource i = 0; kind && i < API_RESOURCE_COUNT; i++)
        if (strcmp(api_resources[i].kind, kind) == 0)
            return i;
    return API_WORKLOADS;
}

void output_items(enum output_format format, cJSON *items)
{
    cleanup_buffer struct buffer out = {0};
    cJSON *item;
    cJSON_ArrayForEach(item, items) output_trim(item);
    if (format == OUTPUT_NAME) {
        cJSON_ArrayForEach(item, items) output_name(&out, resource_of(item), item);
        cJSON_Delete(items);
    } else if (cJSON_GetArraySize(items) == 1) {
        output_object(&out, format, items->child);
        cJSON_Delete(items);
    } else {
        cleanup_json cJSON *list = output_list(items);
        output_object(&out, format, list);
    }
    output_flush(&out);
}

void output_trim(cJSON *object)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "managedFields");
}

void output_flush(struct buffer *buffer)
{
    if (buffer->bytes > 0)
        fwrite(buffer->data, 1, buffer->bytes, stdout);
    fflush(stdout);
    buffer_clear(buffer);
}

/* --- What is done ----------------------------------------------------------------------------- */

int output_done_begin(struct output_done *done, const char *format, struct error *err)
{
    *done = (struct output_done){.format = OUTPUT_TABLE};
    if (format && output_format_parse_objects(&done->format, format, err) < 0)
        return -1;
    if (done->format == OUTPUT_JSON || done->format == OUTPUT_YAML)
        done->answers = json_new_array();
    return 0;
}

void output_done_add(struct output_done *done, enum api_resource resource, const char *name,
                     const char *what, cJSON *answer)
{
    if (done->answers && answer) {
        cJSON_AddItemToArray(done->answers, answer);
        return;
    }
    cJSON_Delete(answer);
    if (done->answers)
        return;
    cleanup_buffer struct buffer line = {0};
    terminal_printf(&line, "%s/", api_resources[resource].singular);
    terminal_escape(&line, name);
    terminal_printf(&line, "%s%s\n", done->format == OUTPUT_NAME ? "" : " ",
                    done->format == OUTPUT_NAME ? "" : what);
    output_flush(&line);
}

void output_done_line(struct output_done *done, enum api_resource resource, const char *name,
                      const char *line, cJSON *answer)
{
    if (done->format != OUTPUT_TABLE) {
        output_done_add(done, resource, name, "", answer);
        return;
    }
    cleanup_buffer struct buffer text = {0};
    cJSON_Delete(answer);
    terminal_printf(&text, "%s\n", line);
    output_flush(&text);
}

void output_done_end(struct output_done *done)
{
    if (done->answers)
        output_items(done->format, done->answers);
    done->answers = NULL;
}

void output_done_release(struct output_done *done)
{
    cJSON_Delete(done->answers);
    done->answers = NULL;
}

bool output_has_colours(void)
{
    const char *kind = getenv("TERM"), *refused = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0 && !(refused && *refused);
}
