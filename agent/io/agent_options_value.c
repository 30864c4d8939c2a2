/* One value of `hordelet agent`: from text to a field, and the checks that concern several fields.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/codec/duration.h"
#include "agent/codec/quantity.h"
#include "agent/io/agent_address.h"
#include "agent/io/agent_options_private.h"
#include "agent/io/cleanup.h"
#include "agent/io/peers.h"

#define LABEL_KEY_BYTES_MAX 253
#define LABEL_VALUE_BYTES_MAX 63

static int option_refuse(const struct options_parse *parse, const char *origin, const char *text,
                         const char *wanted)
{
    return error_set(parse->err, ERROR_INVALID, "%s '%.200s': %s", origin, text, wanted);
}

static void option_set_text(void *field, const char *text)
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

static int option_add_seed(struct options_parse *parse, const char *origin, const char *item)
{
    struct agent_options *options = parse->options;
    struct address address;
    if (!address_parse(&address, item))
        return option_refuse(parse, origin, item, "must be HOST:PORT, as 10.0.0.2:7370");
    for (size_t i = 0; i < options->seed_count; i++)
        if (strcmp(options->seeds[i], item) == 0)
            return 0;
    if (options->seed_count == SEEDS_MAX)
        return error_set(parse->err, ERROR_INVALID, "%s: more than %d addresses", origin,
                         SEEDS_MAX);
    options->seeds = xrealloc(options->seeds, (options->seed_count + 1) * sizeof *options->seeds);
    options->seeds[options->seed_count++] = xstrdup(item);
    return 0;
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

static void option_clear_list(struct agent_options *options, enum option_kind kind)
{
    for (; kind == OPTION_SEEDS && options->seed_count > 0; options->seed_count--)
        free(options->seeds[options->seed_count - 1]);
    for (; kind == OPTION_LABELS && options->label_count > 0; options->label_count--) {
        free(options->labels[options->label_count - 1].key);
        free(options->labels[options->label_count - 1].value);
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
        if (option->kind == OPTION_SEEDS ? option_add_seed(parse, origin, item)
                                         : option_add_label(parse, origin, item))
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

/* ---- what concerns several fields ---- */

/* The host's name up to its first dot. */
static int options_default_node_name(struct agent_options *options, struct error *err)
{
    char name[256] = "";
    if (options->node_name)
        return 0;
    gethostname(name, sizeof name - 1);
    name[strcspn(name, ".")] = '\0';
    for (char *letter = name; *letter; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    if (!name_is_dns1123(name))
        return error_set(
            err, ERROR_INVALID,
            "the host's name '%s' cannot be this node's name: give one with --node-name "
            "(a to z, 0 to 9 and -, at most 63)",
            name);
    option_set_text(&options->node_name, name);
    return 0;
}

/* `missing` is what would make it safe. */
static int options_check_reach(const struct agent_options *options, const char *flag,
                               const struct address *address, const char *missing,
                               struct error *err)
{
    if (options->insecure || address_is_loopback(address))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "%s %s:%u: other machines could reach it without %s. On a network that you "
                     "trust add --insecure; to try it out on one machine use %s 127.0.0.1:%u",
                     flag, address->host, address->port, missing, flag, address->port);
}

static int options_check_ports(const struct address *gossip, const struct address *api,
                               struct error *err)
{
    if (gossip->port > UINT16_MAX - PEERS_BULK_PORT_OFFSET)
        return error_set(err, ERROR_INVALID, "--gossip: port %u: there must be a port %d above it",
                         gossip->port, PEERS_BULK_PORT_OFFSET);
    if (api->port == gossip->port || api->port == gossip->port + PEERS_BULK_PORT_OFFSET)
        return error_set(err, ERROR_INVALID,
                         "--api: port %u is one of the two that --gossip uses (%u and %u): choose "
                         "another",
                         api->port, gossip->port, gossip->port + PEERS_BULK_PORT_OFFSET);
    return 0;
}

static int options_check_advertised(const struct agent_options *options, struct error *err)
{
    struct address address;
    char with_port[ADDRESS_BYTES_MAX + 1];
    const char *text = options->advertise_address;
    snprintf(with_port, sizeof with_port, "%.100s:1", text);
    if (*text == '\0' || address_parse(&address, text) || address_parse(&address, with_port))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "--advertise-address '%s': must be HOST or HOST:PORT, as 10.0.0.1", text);
}

/* What is not told counts for nothing, so the machine's is better than none. */
static void options_default_capacity(struct agent_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    if (options->cpu_milli == 0 && processors > 0)
        options->cpu_milli = processors * INT64_C(1000);
    if (options->memory_bytes == 0 && pages > 0)
        options->memory_bytes = (int64_t)pages * sysconf(_SC_PAGESIZE);
}

int options_complete(struct agent_options *options, struct error *err)
{
    struct address gossip, api;
    address_parse(&gossip, options->gossip); /* has been checked by option_set */
    address_parse(&api, options->api);
    options_default_capacity(options);
    if (*options->data_dir == '\0')
        return error_set(err, ERROR_INVALID, "--data-dir must not be empty");
    if (options_default_node_name(options, err) || options_check_ports(&gossip, &api, err) ||
        options_check_advertised(options, err))
        return -1;
    if (!options->gossip_key_file[0] &&
        options_check_reach(options, "--gossip", &gossip,
                            "a key: give all agents the same "
                            "--gossip-key-file (`hordelet key` makes one)",
                            err))
        return -1;
    return options_check_reach(options, "--api", &api,
                               "TLS and a credential, which this release does not have yet", err);
}
