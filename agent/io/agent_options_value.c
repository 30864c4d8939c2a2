/* One value of `hordelet agent`: from text to a field. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/duration.h"
#include "agent/codec/policy.h"
#include "agent/codec/quantity.h"
#include "agent/io/agent_address.h"
#include "agent/io/agent_options_private.h"
#include "agent/io/cleanup.h"
#include "agent/io/discovery.h"

#define LABEL_KEY_BYTES_MAX 253
#define LABEL_VALUE_BYTES_MAX 63

static int option_refuse(const struct options_parse *parse, const char *origin, const char *text,
                         const char *wanted)
{
    return error_set(parse->err, ERROR_INVALID, "%s '%.200s': %s", origin, text, wanted);
}

void option_set_text(void *field, const char *text)
{
    char **owned = field;
    char *copy = xstrdup(text);
    free(*owned);
    *owned = copy;
}

/* The index of text in a list of words, or -1. */
static int option_word(const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static int option_set_word(const struct options_parse *parse, const struct option *option,
                           void *field, const char *origin, const char *text)
{
    static const char *const profiles[] = {"lan", "wan", "local"};
    static const char *const formats[] = {"text", "json"};
    static const char *const ends[] = {"drain", "detach"};
    static const char *const ways[] = {"container", "published"};
    static const char *const switches[] = {"false", "true"};
    int word;
    if (option->kind == OPTION_PROFILE && (word = option_word(text, profiles, 3)) >= 0)
        *(enum profile *)field = (enum profile)word;
    else if (option->kind == OPTION_LOG_FORMAT && (word = option_word(text, formats, 2)) >= 0)
        *(enum log_format *)field = (enum log_format)word;
    else if (option->kind == OPTION_ON_SIGTERM && (word = option_word(text, ends, 2)) >= 0)
        *(bool *)field = word == 1;
    else if (option->kind == OPTION_PROBE_VIA && (word = option_word(text, ways, 2)) >= 0)
        *(bool *)field = word == 1;
    else if (option->kind == OPTION_SWITCH && (word = option_word(text, switches, 2)) >= 0)
        *(bool *)field = word == 1;
    else
        return option_refuse(parse, origin, text,
                             option->kind == OPTION_PROFILE      ? "must be lan, wan or local"
                             : option->kind == OPTION_LOG_FORMAT ? "must be text or json"
                             : option->kind == OPTION_ON_SIGTERM ? "must be drain or detach"
                             : option->kind == OPTION_PROBE_VIA  ? "must be container or published"
                                                                 : "must be true or false");
    return 0;
}

/* ---- lists ---- */

bool option_is_list(enum option_kind kind)
{
    return kind == OPTION_SEEDS || kind == OPTION_LABELS || kind == OPTION_DISCOVER_DNS ||
           kind == OPTION_HOST_PATHS || kind == OPTION_CAPABILITIES;
}

/* Unless it is there already. */
static int option_add_text(struct options_parse *parse, const char *origin, const char *item,
                           char ***items, size_t *count, size_t count_max)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*items)[i], item) == 0)
            return 0;
    if (*count == count_max)
        return error_set(parse->err, ERROR_INVALID, "%s: more than %zu of them", origin, count_max);
    *items = xrealloc(*items, (*count + 1) * sizeof **items);
    (*items)[(*count)++] = xstrdup(item);
    return 0;
}

static int option_add_seed(struct options_parse *parse, const char *origin, const char *item)
{
    struct address address;
    if (!address_parse(&address, item))
        return option_refuse(parse, origin, item, "must be HOST:PORT, as 10.0.0.2:7370");
    return option_add_text(parse, origin, item, &parse->options->seeds, &parse->options->seed_count,
                           SEEDS_MAX);
}

static int option_add_discover_dns(struct options_parse *parse, const char *origin,
                                   const char *item)
{
    struct address address;
    if (!address_parse_host(&address, item, UINT16_MAX))
        return option_refuse(parse, origin, item,
                             "must be NAME or NAME:PORT, as agents.example.com");
    return option_add_text(parse, origin, item, &parse->options->discover_names,
                           &parse->options->discover_name_count, DISCOVERY_NAMES_MAX);
}

static int option_add_host_path(struct options_parse *parse, const char *origin, const char *item)
{
    struct agent_options *options = parse->options;
    if (*item != '/' || policy_path_has_dot_dot(item))
        return option_refuse(parse, origin, item, "must be an absolute path without .., as /srv");
    return option_add_text(parse, origin, item, &options->allow_host_paths,
                           &options->allow_host_path_count, POLICY_PATHS_MAX);
}

static int option_add_capability(struct options_parse *parse, const char *origin, const char *item)
{
    struct agent_options *options = parse->options;
    if (strspn(item, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != strlen(item))
        return option_refuse(parse, origin, item, "must be as NET_ADMIN, or ALL");
    return option_add_text(parse, origin, item, &options->allow_capabilities,
                           &options->allow_capability_count, POLICY_CAPABILITIES_MAX);
}

static bool label_text_is_valid(const char *text, size_t bytes, size_t bytes_max)
{
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-_./", text[i]))
            return false;
    return bytes <= bytes_max;
}

static int option_add_label(struct options_parse *parse, const char *origin, const char *item)
{
    struct agent_options *options = parse->options;
    size_t key_bytes = strcspn(item, "=");
    if (item[key_bytes] != '=' || key_bytes == 0 ||
        !label_text_is_valid(item, key_bytes, LABEL_KEY_BYTES_MAX) ||
        !label_text_is_valid(item + key_bytes + 1, strlen(item + key_bytes + 1),
                             LABEL_VALUE_BYTES_MAX))
        return option_refuse(parse, origin, item, "must be KEY=VALUE, as disk=ssd");
    for (size_t i = 0; i < options->label_count; i++)
        if (strncmp(options->labels[i].key, item, key_bytes) == 0 &&
            options->labels[i].key[key_bytes] == '\0')
            return option_refuse(parse, origin, item, "this key is there twice");
    if (options->label_count == LABELS_MAX)
        return error_set(parse->err, ERROR_INVALID, "%s: more than %d labels", origin, LABELS_MAX);
    options->labels =
        xrealloc(options->labels, (options->label_count + 1) * sizeof *options->labels);
    struct label *label = &options->labels[options->label_count++];
    label->key = xmemdup(item, key_bytes);
    label->value = xstrdup(item + key_bytes + 1);
    return 0;
}

static void option_clear_texts(char **items, size_t *count)
{
    while (*count > 0)
        free(items[--*count]);
}

void option_clear_list(struct agent_options *options, enum option_kind kind)
{
    if (kind == OPTION_SEEDS)
        option_clear_texts(options->seeds, &options->seed_count);
    else if (kind == OPTION_DISCOVER_DNS)
        option_clear_texts(options->discover_names, &options->discover_name_count);
    else if (kind == OPTION_HOST_PATHS)
        option_clear_texts(options->allow_host_paths, &options->allow_host_path_count);
    else if (kind == OPTION_CAPABILITIES)
        option_clear_texts(options->allow_capabilities, &options->allow_capability_count);
    for (; kind == OPTION_LABELS && options->label_count > 0; options->label_count--) {
        free(options->labels[options->label_count - 1].key);
        free(options->labels[options->label_count - 1].value);
    }
}

static int option_add_item(struct options_parse *parse, enum option_kind kind, const char *origin,
                           const char *item)
{
    switch (kind) {
    case OPTION_SEEDS:
        return option_add_seed(parse, origin, item);
    case OPTION_DISCOVER_DNS:
        return option_add_discover_dns(parse, origin, item);
    case OPTION_HOST_PATHS:
        return option_add_host_path(parse, origin, item);
    case OPTION_CAPABILITIES:
        return option_add_capability(parse, origin, item);
    default:
        return option_add_label(parse, origin, item);
    }
}

/* "a,b , c": empty items are skipped, so that a trailing comma or an empty variable is harmless. */
static int option_set_list(struct options_parse *parse, const struct option *option,
                           const char *origin, const char *text)
{
    enum option_source *from = &parse->lists_from[option - options_table];
    if (*from != parse->source)
        option_clear_list(parse->options, option->kind);
    *from = parse->source;
    cleanup_free char *copy = xstrdup(text);
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ", \t\n"));) {
        if (*item == '\0')
            continue;
        if (option_add_item(parse, option->kind, origin, item))
            return -1;
    }
    return 0;
}

static bool option_is_endpoint(const char *text)
{
    static const char *const prefixes[] = {"unix:///", "tcp://", "http://"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0 && text[strlen(prefixes[i])])
            return true;
    return false;
}

int option_set(struct options_parse *parse, const struct option *option, const char *origin,
               const char *text)
{
    void *field = (char *)parse->options + option->offset;
    struct address address;
    switch (option->kind) {
    case OPTION_SEEDS:
    case OPTION_LABELS:
    case OPTION_DISCOVER_DNS:
    case OPTION_HOST_PATHS:
    case OPTION_CAPABILITIES:
        return option_set_list(parse, option, origin, text);
    case OPTION_PROFILE:
    case OPTION_LOG_FORMAT:
    case OPTION_ON_SIGTERM:
    case OPTION_PROBE_VIA:
    case OPTION_SWITCH:
        return option_set_word(parse, option, field, origin, text);
    case OPTION_DURATION:
        if (!duration_parse(field, text))
            return option_refuse(parse, origin, text,
                                 "must be a duration, as 500ms, 25s, 5m or 24h");
        return 0;
    case OPTION_CPU:
    case OPTION_BYTES:
        if (quantity_parse(field, text,
                           option->kind == OPTION_CPU ? QUANTITY_MILLI : QUANTITY_UNITS, NULL) < 0)
            return option_refuse(parse, origin, text, "must be a quantity, as 500m, 4 or 6Gi");
        return 0;
    case OPTION_NAME:
        if (!name_is_dns1123(text))
            return option_refuse(parse, origin, text,
                                 "must be a DNS label: a to z, 0 to 9 and -, at most 63");
        break;
    case OPTION_ADDRESS:
        if (!address_parse(&address, text))
            return option_refuse(parse, origin, text,
                                 "must be HOST:PORT, as 10.0.0.1:7370 or [::1]:7370");
        break;
    case OPTION_ENDPOINT:
        if (!option_is_endpoint(text))
            return option_refuse(parse, origin, text,
                                 "must be unix:///PATH or tcp://HOST:PORT, as "
                                 "unix:///var/run/docker.sock");
        break;
    case OPTION_TEXT:
        break;
    }
    option_set_text(field, text);
    return 0;
}
