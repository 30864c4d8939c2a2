/* --config FILE: a YAML mapping whose keys are the flags' names.
 *
 *     node-name: a
 *     join: [10.0.0.1:7370, 10.0.0.2:7370]     or "10.0.0.1:7370,10.0.0.2:7370"
 *     labels: {disk: ssd}                      or "disk=ssd"
 *     insecure: true
 *
 * Scalars are taken as the text that they are: 7371 and "7371" are the same. Errors name file and
 * line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/io/agent_options_private.h"

struct options_file {
    struct options_parse *parse;
    const char *path;
    yaml_document_t document;
};

static int options_file_refuse(const struct options_file *file, const yaml_node_t *node,
                               const char *what)
{
    return error_set(file->parse->err, ERROR_INVALID, "%s:%zu: %s", file->path,
                     node->start_mark.line + 1, what);
}

static const char *options_scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static int options_file_set(const struct options_file *file, const struct option *option,
                            const yaml_node_t *node, const char *text)
{
    char origin[256];
    snprintf(origin, sizeof origin, "%.180s:%zu: %s", file->path, node->start_mark.line + 1,
             option->name);
    return option_set(file->parse, option, origin, text);
}

static int options_file_sequence(struct options_file *file, const struct option *option,
                                 const yaml_node_t *sequence)
{
    for (const yaml_node_item_t *item = sequence->data.sequence.items.start;
         item < sequence->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(&file->document, *item);
        const char *text = options_scalar(node);
        if (!text)
            return options_file_refuse(file, node, "must be a text");
        if (options_file_set(file, option, node, text))
            return -1;
    }
    return 0;
}

static int options_file_labels(struct options_file *file, const struct option *option,
                               const yaml_node_t *mapping)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *node = yaml_document_get_node(&file->document, pair->key);
        const char *key = options_scalar(node);
        const char *value = options_scalar(yaml_document_get_node(&file->document, pair->value));
        char label[512];
        if (!key || !value ||
            snprintf(label, sizeof label, "%s=%s", key, value) >= (int)sizeof label)
            return options_file_refuse(file, node, "must be KEY: VALUE, both short texts");
        if (options_file_set(file, option, node, label))
            return -1;
    }
    return 0;
}

static int options_file_pair(struct options_file *file, const yaml_node_t *key,
                             const yaml_node_t *value)
{
    const char *name = options_scalar(key);
    const struct option *option = name ? option_find(name, strlen(name)) : NULL;
    bool nested = option && option_is_list(option->kind);
    if (!option || strcmp(name, "config") == 0 || strcmp(name, "help") == 0)
        return error_set(file->parse->err, ERROR_INVALID, "%s:%zu: '%s' is not a key of this file",
                         file->path, key->start_mark.line + 1, name ? name : "(not a text)");
    if (nested && value->type == YAML_SEQUENCE_NODE)
        return options_file_sequence(file, option, value);
    if (option->kind == OPTION_LABELS && value->type == YAML_MAPPING_NODE)
        return options_file_labels(file, option, value);
    const char *text = options_scalar(value);
    if (!text)
        return options_file_refuse(file, value, "must be a single value");
    return options_file_set(file, option, value, text);
}

static int options_file_read(struct options_file *file)
{
    const yaml_node_t *root = yaml_document_get_root_node(&file->document);
    if (!root)
        return 0; /* empty, or comments only */
    if (root->type != YAML_MAPPING_NODE)
        return options_file_refuse(file, root, "must be lines of KEY: VALUE");
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++)
        if (options_file_pair(file, yaml_document_get_node(&file->document, pair->key),
                              yaml_document_get_node(&file->document, pair->value)))
            return -1;
    return 0;
}

int options_read_file(struct options_parse *parse, const char *path)
{
    struct options_file file = {.parse = parse, .path = path};
    parse->source = SOURCE_FILE;
    FILE *input = fopen(path, "re");
    if (!input)
        return error_set(parse->err, ERROR_INVALID, "--config %s: %s", path, strerror(errno));
    yaml_parser_t parser;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, input);
    int result = -1;
    if (yaml_parser_load(&parser, &file.document)) {
        result = options_file_read(&file);
        yaml_document_delete(&file.document);
    } else {
        error_set(parse->err, ERROR_INVALID, "%s:%zu: %s", path, parser.problem_mark.line + 1,
                  parser.problem ? parser.problem : "cannot be read");
    }
    yaml_parser_delete(&parser);
    fclose(input);
    return result;
}
