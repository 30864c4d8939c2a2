/* The flags of `hordelet agent`, as one table: what the help prints, what each source may set.
 *
 * The sources are applied one after the other, the weakest first, each overwriting what it sets; so
 * there is no question later of who won. All go through option_set, so a value means the same
 * wherever it stands. */
#include "agent/io/agent_options_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/cleanup.h"

#define FIELD(field) offsetof(struct agent_options, field)

const struct option options_table[OPTIONS_COUNT] = {
    {"node-name", OPTION_NAME, FIELD(node_name), NULL, "NAME",
     "This node's name, unique in the cluster. Default: the host's short name."},
    {"cluster", OPTION_NAME, FIELD(cluster), "default", "NAME",
     "The cluster's name. Agents of another cluster are refused."},
    {"data-dir", OPTION_TEXT, FIELD(data_dir), "/var/lib/hordelet", "DIR",
     "Where this node keeps what it must not forget. One agent at a time; made if missing."},
    {"run-dir", OPTION_TEXT, FIELD(run_dir), "", "DIR",
     "Where the deadlines of quorum-guarded containers are, for hordelet-guard in them: in memory "
     "(a tmpfs), at the same path for the engine. Default: /run/hordelet, or /dev/shm/hordelet if "
     "that is on a disk."},
    {"gossip", OPTION_ADDRESS, FIELD(gossip), "0.0.0.0:7370", "HOST:PORT",
     "Where the other agents reach this one. Two TCP ports are used: this one, and this one + 2 "
     "for bulk transfers. Open both between the nodes."},
    {"advertise-address", OPTION_TEXT, FIELD(advertise_address), "", "HOST[:PORT]",
     "The address that the others are told. Default: that of --gossip, or, if that is 0.0.0.0, the "
     "one that the default route goes out from."},
    {"api", OPTION_ADDRESS, FIELD(api), "127.0.0.1:7371", "HOST:PORT",
     "Where kubectl and hordelet's own verbs reach this agent. On an address that other machines "
     "reach it needs --api-cert, --api-key, and --api-ca or --api-token-file."},
    {"api-cert", OPTION_TEXT, FIELD(api_cert), "", "FILE",
     "Serve the API with TLS 1.3: this agent's certificate, in PEM, and what leads from it to its "
     "authority. This file and the next three are read again when they change, or at SIGHUP."},
    {"api-key", OPTION_TEXT, FIELD(api_key), "", "FILE",
     "The certificate's key, in PEM, which not everybody may read."},
    {"api-ca", OPTION_TEXT, FIELD(api_ca), "", "FILE",
     "Who has a client certificate of one of these authorities may do what it says: its common "
     "name is the user, an organization hordelet:ROLE or hordelet:ROLE:NAMESPACE a role, which is "
     "read, write or admin. Revocation lists in the file count."},
    {"api-token-file", OPTION_TEXT, FIELD(api_token_file), "", "FILE",
     "Bearer tokens, a line each: NAME SECRET ROLE[:NAMESPACE],... [UNTIL]. SECRET is the token or "
     "sha256: and its SHA-256. See docs/security.md."},
    {"join", OPTION_SEEDS, FIELD(seeds), NULL, "HOST:PORT,...",
     "Gossip addresses of some agents of the cluster. May be repeated; this agent's own may be "
     "among them, so that all nodes can be given the same list. None: a cluster of one."},
    {"discover-dns", OPTION_DISCOVER_DNS, FIELD(discover_names), NULL, "NAME[:PORT],...",
     "Names whose A and AAAA records are the gossip addresses of agents, asked again and again; "
     "the port is that of --gossip unless it is given. May be repeated. A query that fails changes "
     "nothing, and no answer takes a member out."},
    {"discover-kubernetes", OPTION_TEXT, FIELD(discover_service), "", "[NAMESPACE/]SERVICE",
     "Asks the API server of the Kubernetes cluster that this agent is a pod of where the pods of "
     "that Service are, by watching its EndpointSlices (list and watch of endpointslices in "
     "discovery.k8s.io must be allowed to the service account). The port is the one named gossip, "
     "or the only one, or that of --gossip."},
    {"discover-interval", OPTION_DURATION, FIELD(discover_interval_ms), "10s", "DURATION",
     "How often DNS is asked, and addresses that nobody has answered at are looked at anew."},
    {"gossip-key-file", OPTION_TEXT, FIELD(gossip_key_file), "", "FILE",
     "Seals what agents tell each other. A key a line, as `hordelet key` prints one; the first one "
     "seals, all are accepted. The file is read again when it changes: to replace a key put the "
     "new one below the old one on all nodes, then above it, then take the old one away."},
    {"runtime", OPTION_ENDPOINT, FIELD(runtime), "unix:///var/run/docker.sock", "ENDPOINT",
     "The container engine: a Docker or Podman API, unix:///PATH or tcp://HOST:PORT."},
    {"labels", OPTION_LABELS, FIELD(labels), NULL, "KEY=VALUE,...",
     "Labels of this node, for nodeSelector. topology.kubernetes.io/zone names its zone."},
    {"cpu", OPTION_CPU, FIELD(cpu_milli), NULL, "QUANTITY",
     "How much cpu this node has for children, as 3500m or 4, for supervisors of strategy "
     "LeastRequested (default: the machine's)."},
    {"memory", OPTION_BYTES, FIELD(memory_bytes), NULL, "QUANTITY",
     "How much memory, as 6Gi (default: the machine's)."},
    {"profile", OPTION_PROFILE, FIELD(profile), "lan", "lan|wan|local",
     "How patient failure detection is: within a site, between sites, or on one machine."},
    {"start-grace", OPTION_DURATION, FIELD(start_grace_ms), "30s", "DURATION",
     "How long after the start members that have not been heard from are waited for, before they "
     "are taken for dead and their workloads are started elsewhere."},
    {"drain-timeout", OPTION_DURATION, FIELD(drain_timeout_ms), "25s", "DURATION",
     "How long draining waits for containers to stop before they are killed."},
    {"on-sigterm", OPTION_ON_SIGTERM, FIELD(detach_on_sigterm), "drain", "drain|detach",
     "What SIGTERM does. drain: stop the containers and hand them over. detach: leave them "
     "running, for an upgrade of the agent; if it is not back within 60s the others take them "
     "over."},
    {"probe-via", OPTION_PROBE_VIA, FIELD(probe_published), "container", "container|published",
     "Where httpGet and tcpSocket probes go: to the container's own address, or to the port that "
     "the engine has published, if this agent cannot reach the containers' network."},
    {"engine-grace", OPTION_DURATION, FIELD(engine_grace_ms), "60s", "DURATION",
     "How long the engine may be silent before other nodes take over this one's workloads."},
    {"forget-after", OPTION_DURATION, FIELD(forget_after_ms), "24h", "DURATION",
     "How long a dead member is remembered."},
    {"allow-host-path", OPTION_HOST_PATHS, FIELD(allow_host_paths), NULL, "/PATH,...",
     "Paths of this node that workloads may mount, with all that is below them; / allows every "
     "one. The engine's socket, --data-dir, --config, --api-ca, the keys and the tokens are "
     "allowed by their own names only. May be repeated. None: no hostPath volumes. See "
     "docs/policy.md."},
    {"allow-host-network", OPTION_SWITCH, FIELD(allow_host_network), NULL, NULL,
     "Workloads may use this node's network (hostNetwork: true)."},
    {"allow-capability", OPTION_CAPABILITIES, FIELD(allow_capabilities), NULL, "NAME,...",
     "Capabilities that workloads may add beyond those that the engine gives to each container, as "
     "NET_ADMIN; ALL allows every one. May be repeated."},
    {"allow-privileged", OPTION_SWITCH, FIELD(allow_privileged), NULL, NULL,
     "Workloads may be privileged: such a container is root on this node."},
    {"insecure", OPTION_SWITCH, FIELD(insecure), NULL, NULL,
     "Allow listeners that other machines can reach, without TLS, credentials or a gossip key. Who "
     "reaches them can run any container on any node of the cluster."},
    {"log-format", OPTION_LOG_FORMAT, FIELD(log_format), "text", "text|json",
     "The form of the lines on standard error."},
    {"config", OPTION_TEXT, FIELD(config), "", "FILE",
     "A YAML file whose keys are these flags' names, without the dashes."},
    {"help", OPTION_SWITCH, FIELD(help), NULL, NULL, "Print this and exit."},
};

const struct option *option_find(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++)
        if (strlen(options_table[i].name) == name_bytes &&
            memcmp(options_table[i].name, name, name_bytes) == 0)
            return &options_table[i];
    return NULL;
}

/* ---- help ---- */

/* Breaks the text into lines of at most 80 columns, indented. */
static void options_print_wrapped(FILE *file, const char *text, int indent)
{
    int column = 0;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column == 0 || column + 1 + word > 80) {
            fprintf(file, "%s%*s%.*s", column ? "\n" : "", indent, "", word, text);
            column = indent + word;
        } else {
            fprintf(file, " %.*s", word, text);
            column += 1 + word;
        }
        text += word;
        text += strspn(text, " ");
    }
    fprintf(file, "\n");
}

void agent_options_print_help(FILE *file)
{
    fprintf(file,
            "Usage: hordelet agent [flags]\n"
            "\n"
            "Runs this node's agent in the foreground until SIGTERM or SIGINT, then hands its\n"
            "workloads over to other nodes and exits (or leaves them running: --on-sigterm).\n"
            "A second signal exits at once.\n"
            "\n"
            "A cluster of one, to try it out:\n"
            "    hordelet agent --data-dir /tmp/h --gossip 127.0.0.1:7370\n"
            "Three nodes, each with the same list and the same key:\n"
            "    hordelet agent --gossip-key-file /etc/hordelet/gossip.key \\\n"
            "        --join 10.0.0.1:7370,10.0.0.2:7370,10.0.0.3:7370\n"
            "Nodes that one name of DNS has the addresses of:\n"
            "    hordelet agent --gossip-key-file /etc/hordelet/gossip.key \\\n"
            "        --discover-dns agents.example.com\n"
            "\n"
            "Flags (--flag VALUE or --flag=VALUE):\n");
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        const struct option *option = &options_table[i];
        fprintf(file, "  --%s%s%s", option->name, option->argument ? " " : "",
                option->argument ? option->argument : "");
        if (option->value && *option->value)
            fprintf(file, "  (default %s)", option->value);
        fprintf(file, "\n");
        options_print_wrapped(file, option->help, 8);
    }
    fprintf(
        file,
        "\n"
        "Durations are written like 500ms, 25s, 5m, 24h. Each flag can also be set by the\n"
        "environment variable HORDELET_AGENT_FLAG_NAME (as HORDELET_AGENT_DATA_DIR), or in the\n"
        "file of --config. Flags win over the environment, which wins over the file.\n");
}

/* ---- sources ---- */

static int options_set_defaults(struct options_parse *parse)
{
    parse->source = SOURCE_DEFAULT;
    for (size_t i = 0; i < OPTIONS_COUNT; i++)
        if (options_table[i].value &&
            option_set(parse, &options_table[i], "default", options_table[i].value))
            return -1;
    return 0;
}

/* HORDELET_AGENT_DATA_DIR=... sets data-dir. Variables of that prefix that are no flag are errors:
 * a misspelled one would be as if it were not there. */
static int options_read_environment(struct options_parse *parse, char *const *environment)
{
    static const char prefix[] = "HORDELET_AGENT_";
    parse->source = SOURCE_ENVIRONMENT;
    for (; *environment; environment++) {
        if (strncmp(*environment, prefix, sizeof prefix - 1) != 0)
            continue;
        char variable[64], name[64];
        text_set_span(variable, sizeof variable, span_of(*environment, strcspn(*environment, "=")));
        TEXT_SET(name, variable + sizeof prefix - 1);
        for (char *letter = name; *letter; letter++)
            *letter = *letter == '_' ? '-' : (char)(*letter | 0x20);
        const struct option *option = option_find(name, strlen(name));
        const char *equals = strchr(*environment, '=');
        if (!option || !equals)
            return error_set(parse->err, ERROR_INVALID,
                             "%s in the environment: there is no flag --%s", variable, name);
        if (option_set(parse, option, variable, equals + 1))
            return -1;
    }
    return 0;
}

/* The flag at argv[*at], which moves on to the next. *ret_text is its value, NULL for a bare
 * switch. */
static int options_next_flag(struct options_parse *parse, int argc, char **argv, int *at,
                             const struct option **ret_option, const char **ret_text)
{
    const char *word = argv[(*at)++];
    if (strcmp(word, "-h") == 0)
        word = "--help";
    if (strncmp(word, "--", 2) != 0)
        return error_set(parse->err, ERROR_INVALID, "unexpected argument '%s'", word);
    size_t bytes = strcspn(word + 2, "=");
    *ret_option = option_find(word + 2, bytes);
    if (!*ret_option)
        return error_set(parse->err, ERROR_INVALID, "unknown flag %.*s", (int)bytes + 2, word);
    *ret_text = word[2 + bytes] == '=' ? word + 2 + bytes + 1 : NULL;
    if (*ret_text || (*ret_option)->kind == OPTION_SWITCH)
        return 0;
    if (*at >= argc)
        return error_set(parse->err, ERROR_INVALID, "%s needs a value (%s)", word,
                         (*ret_option)->argument);
    *ret_text = argv[(*at)++];
    return 0;
}

/* Sets what the flags say; with `only`, only that one. */
static int options_read_flags(struct options_parse *parse, int argc, char **argv, const char *only)
{
    parse->source = SOURCE_FLAG;
    for (int at = 1; at < argc;) {
        const struct option *option = NULL;
        const char *text = NULL;
        if (options_next_flag(parse, argc, argv, &at, &option, &text))
            return -1;
        char origin[64];
        snprintf(origin, sizeof origin, "--%s", option->name);
        if (only && strcmp(option->name, only) != 0)
            continue;
        if (option_set(parse, option, origin, text ? text : "true"))
            return -1;
    }
    return 0;
}

static const char *options_environment(char *const *environment, const char *variable)
{
    size_t bytes = strlen(variable);
    for (; *environment; environment++)
        if (strncmp(*environment, variable, bytes) == 0 && (*environment)[bytes] == '=')
            return *environment + bytes + 1;
    return NULL;
}

static int options_read_sources(struct options_parse *parse, int argc, char **argv,
                                char *const *environment)
{
    /* Which file is to be read must be known before what is stronger than it. */
    const char *file = options_environment(environment, "HORDELET_AGENT_CONFIG");
    if (options_read_flags(parse, argc, argv, "config"))
        return -1;
    if (*parse->options->config)
        file = parse->options->config;
    cleanup_free char *path = xstrdup(file ? file : "");
    if (*path && options_read_file(parse, path))
        return -1;
    if (options_read_environment(parse, environment))
        return -1;
    return options_read_flags(parse, argc, argv, NULL);
}

int agent_options_parse(struct agent_options *ret_options, int argc, char **argv,
                        char *const *environment, struct error *err)
{
    *ret_options = (struct agent_options){0};
    struct options_parse parse = {.options = ret_options, .err = err};
    if (options_set_defaults(&parse) || options_read_flags(&parse, argc, argv, "help"))
        return -1;
    if (ret_options->help)
        return 0;
    if (options_read_sources(&parse, argc, argv, environment))
        return -1;
    return options_complete(ret_options, err);
}

void agent_options_release(struct agent_options *options)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        enum option_kind kind = options_table[i].kind;
        if (option_is_list(kind))
            option_clear_list(options, kind);
        if (option_is_list(kind) || kind == OPTION_TEXT || kind == OPTION_NAME ||
            kind == OPTION_ADDRESS || kind == OPTION_ENDPOINT)
            free(*(void **)((char *)options + options_table[i].offset));
    }
    *options = (struct agent_options){0};
}

const char *agent_options_zone(const struct agent_options *options)
{
    for (size_t i = 0; i < options->label_count; i++)
        if (strcmp(options->labels[i].key, "topology.kubernetes.io/zone") == 0)
            return options->labels[i].value;
    return "";
}
