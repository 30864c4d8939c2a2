/* What the values of `hordelet agent` must be together, and those that depend on the machine. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "agent/io/agent_address.h"
#include "agent/io/agent_options_private.h"
#include "agent/io/discovery.h"
#include "agent/io/peers.h"

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
    char shown[ADDRESS_BYTES_MAX + 16];
    if (options->insecure || address_is_loopback(address))
        return 0;
    address_print(address, shown, sizeof shown);
    return error_set(err, ERROR_INVALID,
                     "%s %s: other machines could reach it without %s. On a network that you "
                     "trust add --insecure; to try it out on one machine use %s 127.0.0.1:%u",
                     flag, shown, missing, flag, address->port);
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
    const char *text = options->advertise_address;
    if (*text == '\0' || address_parse_host(&address, text, UINT16_MAX))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "--advertise-address '%s': must be HOST or HOST:PORT, as 10.0.0.1", text);
}

static int options_check_discovery(const struct agent_options *options, struct error *err)
{
    char space[NAME_BYTES_MAX + 1];
    const char *service = options->discover_service, *slash = strchr(service, '/');
    text_set_span(space, sizeof space, span_of(service, slash ? (size_t)(slash - service) : 0));
    if (options->discover_interval_ms < DISCOVERY_INTERVAL_MS_MIN)
        return error_set(err, ERROR_INVALID, "--discover-interval: must be at least 1s");
    if (*service == '\0' ||
        (name_is_dns1123(slash ? slash + 1 : service) &&
         (!slash || ((size_t)(slash - service) <= NAME_BYTES_MAX && name_is_dns1123(space)))))
        return 0;
    return error_set(err, ERROR_INVALID,
                     "--discover-kubernetes '%.200s': must be SERVICE or NAMESPACE/SERVICE, as "
                     "hordelet-gossip",
                     service);
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

/* Without TLS tokens could be read on their way; without tokens or authorities everybody may all.
 */
static int options_check_api(const struct agent_options *options, const struct address *api,
                             struct error *err)
{
    bool cert = options->api_cert[0], key = options->api_key[0];
    bool credential = options->api_ca[0] || options->api_token_file[0];
    if (cert != key)
        return error_set(err, ERROR_INVALID, "%s needs %s too", cert ? "--api-cert" : "--api-key",
                         cert ? "--api-key" : "--api-cert");
    if (options->api_ca[0] && !cert)
        return error_set(
            err, ERROR_INVALID,
            "--api-ca needs --api-cert and --api-key: client certificates come with TLS");
    if (!cert)
        return options_check_reach(options, "--api", api, "TLS: give --api-cert and --api-key",
                                   err);
    return credential ? 0
                      : options_check_reach(options, "--api", api,
                                            "a credential: give --api-ca or --api-token-file", err);
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
        options_check_advertised(options, err) || options_check_discovery(options, err))
        return -1;
    if (!options->gossip_key_file[0] &&
        options_check_reach(options, "--gossip", &gossip,
                            "a key: give all agents the same "
                            "--gossip-key-file (`hordelet key` makes one)",
                            err))
        return -1;
    return options_check_api(options, &api, err);
}
