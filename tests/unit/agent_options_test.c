/* The flags of `hordelet agent`: defaults, the order of the sources, and errors that name what is
 * wrong. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/codec/json.h"
#include "agent/io/agent_address.h"
#include "agent/io/agent_options.h"
#include "unit.h"

enum { WORDS_MAX = 64 };

static struct agent_options options;
static struct error error;
static char *no_environment[] = {NULL};

/* Flags are given as one text, separated by blanks. */
static int parse_with(char *const *environment, const char *flags)
{
    static char text[1024];
    static char verb[] = "agent";
    char *argv[WORDS_MAX] = {verb};
    int argc = 1;
    snprintf(text, sizeof text, "%s", flags);
    for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    agent_options_release(&options);
    error = (struct error){0};
    return agent_options_parse(&options, argc, argv, environment, &error);
}

static int parse(const char *flags)
{
    return parse_with(no_environment, flags);
}

/* Refused, and the error holds each of these words. */
static void refuses(const char *flags, const char *first, const char *second)
{
    CU_ASSERT_EQUAL(parse(flags), -1);
    if (!strstr(error.text, first) || !strstr(error.text, second))
        printf("\n%s: '%s'\n", flags, error.text);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, first));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, second));
    agent_options_release(&options);
}

static void accepts(const char *flags)
{
    int failed = parse(flags);
    if (failed)
        printf("\n%s: %s\n", flags, error.text);
    CU_ASSERT_EQUAL_FATAL(failed, 0);
}

static void defaults_are_those_of_the_contract(void)
{
    accepts("--insecure --node-name a");
    accepts("--gossip-key-file /etc/hordelet/gossip.key --node-name a");
    CU_ASSERT_STRING_EQUAL(options.node_name, "a");
    CU_ASSERT_STRING_EQUAL(options.cluster, "default");
    CU_ASSERT_STRING_EQUAL(options.data_dir, "/var/lib/hordelet");
    CU_ASSERT_STRING_EQUAL(options.run_dir, "");
    CU_ASSERT_STRING_EQUAL(options.gossip, "0.0.0.0:7370");
    CU_ASSERT_STRING_EQUAL(options.advertise_address, "");
    CU_ASSERT_STRING_EQUAL(options.api, "127.0.0.1:7371");
    CU_ASSERT_STRING_EQUAL(options.runtime, "unix:///var/run/docker.sock");
    CU_ASSERT_EQUAL(options.seed_count, 0);
    CU_ASSERT_EQUAL(options.profile, PROFILE_LAN);
    CU_ASSERT_EQUAL(options.start_grace_ms, 30000);
    CU_ASSERT_EQUAL(options.drain_timeout_ms, 25000);
    CU_ASSERT_FALSE(options.detach_on_sigterm);
    CU_ASSERT_EQUAL(options.engine_grace_ms, 60000);
    CU_ASSERT_EQUAL(options.forget_after_ms, 86400000);
    CU_ASSERT_EQUAL(options.log_format, LOG_TEXT);
    agent_options_release(&options);
}

static void the_node_is_named_like_its_host(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = '\0';
    if (parse("--insecure") == 0)
        CU_ASSERT_EQUAL(strcasecmp(options.node_name, host), 0)
    else
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "--node-name"));
    agent_options_release(&options);
}

static void every_flag_can_be_set(void)
{
    accepts(
        "--node-name b --cluster=c --data-dir /d --gossip 10.0.0.1:1 --advertise-address 10.0.0.9 "
        "--api [::1]:5 --join h:1,h:2 --join=h:3 --runtime tcp://e:2375 --labels a=b,c=d "
        "--labels topology.kubernetes.io/zone=z --profile wan --start-grace 1s --drain-timeout 2m "
        "--engine-grace 0 --forget-after 1h30m --insecure --log-format json "
        "--on-sigterm detach --cpu 3500m --memory 6Gi");
    CU_ASSERT(options.cpu_milli == 3500 && options.memory_bytes == INT64_C(6) << 30);
    CU_ASSERT_STRING_EQUAL(options.cluster, "c");
    CU_ASSERT_STRING_EQUAL(options.api, "[::1]:5");
    CU_ASSERT_EQUAL_FATAL(options.seed_count, 3);
    CU_ASSERT_STRING_EQUAL(options.seeds[2], "h:3");
    CU_ASSERT_EQUAL_FATAL(options.label_count, 3);
    CU_ASSERT_STRING_EQUAL(options.labels[1].key, "c");
    CU_ASSERT_STRING_EQUAL(options.labels[1].value, "d");
    CU_ASSERT_STRING_EQUAL(agent_options_zone(&options), "z");
    CU_ASSERT_EQUAL(options.profile, PROFILE_WAN);
    CU_ASSERT_EQUAL(options.drain_timeout_ms, 120000);
    CU_ASSERT_TRUE(options.detach_on_sigterm);
    CU_ASSERT_EQUAL(options.engine_grace_ms, 0);
    CU_ASSERT_EQUAL(options.forget_after_ms, 5400000);
    CU_ASSERT_EQUAL(options.log_format, LOG_JSON);
    agent_options_release(&options);
}

static void an_address_to_advertise_may_be_any_host(void)
{
    accepts("--insecure --node-name a --advertise-address 10.0.0.9:7380");
    accepts("--insecure --node-name a --advertise-address a.example.com");
    accepts("--insecure --node-name a --advertise-address [fd00::1]:7370");
    accepts("--insecure --node-name a --advertise-address fd00::1"); /* a node's, of Kubernetes */
    refuses("--insecure --node-name a --advertise-address fd00::1::2", "'fd00::1::2'", "HOST");
    agent_options_release(&options);
}

static void errors_name_the_flag_and_the_value(void)
{
    refuses("--insecure --orphan-timeout 5s", "unknown flag --orphan-timeout", "");
    refuses("--insecure --gosip 1.2.3.4:5", "unknown flag --gosip", "");
    refuses("--insecure start", "unexpected argument 'start'", "");
    refuses("--insecure --gossip", "--gossip needs a value", "HOST:PORT");
    refuses("--gossip 0.0.0.0:7370", "without a key", "--gossip-key-file");
    refuses("--gossip [::]:7370", "--gossip [::]:7370", "without a key");
    refuses("--gossip-key-file /etc/key --api 0.0.0.0:7371", "without TLS", "--insecure");
    refuses("--gossip-key-file /etc/key --api 0.0.0.0:7371 --api-token-file t", "without TLS",
            "--api-cert");
    refuses("--gossip-key-file /etc/key --api 0.0.0.0:7371 --api-cert c --api-key k",
            "without a credential", "--api-token-file");
    refuses("--insecure --api-cert c", "--api-cert needs", "--api-key");
    refuses("--insecure --api-key k", "--api-key needs", "--api-cert");
    refuses("--insecure --api-ca c", "--api-ca needs", "--api-cert");
    refuses("--insecure --gossip nonsense", "--gossip 'nonsense'", "HOST:PORT");
    refuses("--insecure --gossip 1.2.3.4:0", "--gossip", "HOST:PORT");
    refuses("--insecure --api 1.2.3.4:65536", "--api '1.2.3.4:65536'", "HOST:PORT");
    refuses("--insecure --node-name A_B", "--node-name 'A_B'", "DNS label");
    refuses("--insecure --start-grace 30", "--start-grace '30'", "25s");
    refuses("--insecure --cpu many", "--cpu 'many'", "500m");
    refuses("--insecure --memory -1", "--memory '-1'", "6Gi");
    refuses("--insecure --probe-via host", "--probe-via 'host'", "container or published");
    refuses("--insecure --on-sigterm leave", "--on-sigterm 'leave'", "drain or detach");
    refuses("--insecure --profile fast", "--profile 'fast'", "lan, wan or local");
    refuses("--insecure --labels disk", "--labels 'disk'", "KEY=VALUE");
    refuses("--insecure --labels a=b,a=c", "--labels 'a=c'", "twice");
    refuses("--insecure --join 10.0.0.1", "--join '10.0.0.1'", "HOST:PORT");
    refuses("--insecure=maybe", "--insecure 'maybe'", "true or false");
    refuses("--insecure --advertise-address a,b", "--advertise-address 'a,b'", "HOST");
    refuses("--insecure --data-dir=", "--data-dir", "empty");
    refuses("--insecure --config /nonexistent/x.yaml", "--config /nonexistent/x.yaml",
            "No such file");
}

static void listeners_that_others_reach_need_insecure(void)
{
    refuses("--node-name a", "--gossip 0.0.0.0:7370", "--insecure");
    refuses("--node-name a --gossip 127.0.0.1:7370 --api 0.0.0.0:7371", "--api 0.0.0.0:7371",
            "--insecure");
    refuses("--node-name a --gossip somehost:7370", "--gossip somehost:7370", "127.0.0.1:7370");
    accepts("--node-name a --gossip 127.0.0.1:7370");
    accepts("--node-name a --gossip [::1]:7370 --api localhost:7371");
    accepts("--node-name a --insecure --api 0.0.0.0:7371");
    accepts("--node-name a --gossip-key-file /etc/key --api-cert c --api-key k --api-ca a");
    accepts(
        "--node-name a --gossip-key-file /etc/key --api 0.0.0.0:7371 --api-cert c --api-key k "
        "--api-token-file t");
    accepts("--node-name a --gossip-key-file /etc/key --api 127.0.0.1:7371 --api-token-file t");
    accepts(
        "--node-name a --gossip-key-file /etc/key --api 127.0.0.1:7371 --api-cert c --api-key k");
    agent_options_release(&options);
}

static void gossip_uses_two_ports(void)
{
    refuses("--insecure --node-name a --gossip 127.0.0.1:7371", "--api", "choose another");
    refuses("--insecure --node-name a --gossip 127.0.0.1:7369", "--api", "7369 and 7371");
    refuses("--insecure --node-name a --gossip 127.0.0.1:65534", "--gossip", "65534");
}

static void flags_win_over_the_environment_over_the_file(void)
{
    char path[] = "/tmp/hordelet-options-XXXXXX";
    int descriptor = mkstemp(path);
    CU_ASSERT_FATAL(descriptor >= 0);
    dprintf(descriptor,
            "# a comment\n"
            "node-name: file\n"
            "cluster: file\n"
            "data-dir: /file\n"
            "insecure: true\n"
            "forget-after: 7h\n"
            "join: [f:1, 'f:2']\n"
            "labels: {from: file, disk: ssd}\n");
    close(descriptor);
    char config[128];
    snprintf(config, sizeof config, "HORDELET_AGENT_CONFIG=%s", path);
    static char cluster[] = "HORDELET_AGENT_CLUSTER=environment";
    static char data_dir[] = "HORDELET_AGENT_DATA_DIR=/environment";
    static char join[] = "HORDELET_AGENT_JOIN=e:1";
    static char other[] = "PATH=/bin";
    char *environment[] = {other, cluster, data_dir, join, config, NULL};
    CU_ASSERT_EQUAL_FATAL(parse_with(environment, "--cluster flag --labels from=flag"), 0);
    CU_ASSERT_STRING_EQUAL(options.node_name, "file");
    CU_ASSERT_STRING_EQUAL(options.data_dir, "/environment");
    CU_ASSERT_STRING_EQUAL(options.cluster, "flag");
    CU_ASSERT_EQUAL(options.forget_after_ms, 7 * 3600 * 1000);
    CU_ASSERT(options.insecure);
    CU_ASSERT_EQUAL_FATAL(options.seed_count, 1); /* lists are not mixed */
    CU_ASSERT_STRING_EQUAL(options.seeds[0], "e:1");
    CU_ASSERT_EQUAL_FATAL(options.label_count, 1);
    CU_ASSERT_STRING_EQUAL(options.labels[0].value, "flag");
    CU_ASSERT_EQUAL_FATAL(parse_with(no_environment + 0, "--insecure --node-name a"), 0);
    CU_ASSERT_STRING_EQUAL(options.cluster, "default");
    unlink(path);
    agent_options_release(&options);
}

static void a_misspelled_variable_is_an_error(void)
{
    static char variable[] = "HORDELET_AGENT_CLUSTR=x";
    char *environment[] = {variable, NULL};
    CU_ASSERT_EQUAL(parse_with(environment, "--insecure"), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "HORDELET_AGENT_CLUSTR"));
    agent_options_release(&options);
}

static void refuses_file(const char *content, const char *first, const char *second)
{
    char path[] = "/tmp/hordelet-options-XXXXXX";
    int descriptor = mkstemp(path);
    CU_ASSERT_FATAL(descriptor >= 0);
    dprintf(descriptor, "%s", content);
    close(descriptor);
    char flags[128];
    snprintf(flags, sizeof flags, "--config %s --insecure", path);
    refuses(flags, first, second);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, path));
    unlink(path);
}

static void errors_of_the_file_name_its_line(void)
{
    refuses_file("node-name: a\nclustr: b\n", ":2:", "clustr");
    refuses_file("node-name: a\n\napi: nonsense\n", ":3: api", "HOST:PORT");
    refuses_file("node-name: [a]\n", ":1:", "single value");
    refuses_file("- a\n", ":1:", "KEY: VALUE");
    refuses_file("node-name: a\n  b: : c\n", ":2:", "");
    refuses_file("join: [[a]]\n", ":1:", "text");
    refuses_file("config: x\n", ":1:", "config");
}

static void help_needs_nothing_else(void)
{
    CU_ASSERT_EQUAL(parse("--help"), 0);
    CU_ASSERT(options.help);
    CU_ASSERT_EQUAL(parse("--gossip x:1 -h"), 0);
    CU_ASSERT(options.help);
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    agent_options_print_help(file);
    fclose(file);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--gossip HOST:PORT  (default 0.0.0.0:7370)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Two TCP ports"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        CU_ASSERT(strcspn(line, "\n") <= 100);
    free(text);
    agent_options_release(&options);
}

static void addresses_are_read_and_printed(void)
{
    struct address address;
    char text[64];
    CU_ASSERT(address_parse(&address, "[fe80::1]:80"));
    CU_ASSERT_STRING_EQUAL(address.host, "fe80::1");
    address_print(&address, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[fe80::1]:80");
    CU_ASSERT(address_parse(&address, "127.8.9.1:65535") && address_is_loopback(&address));
    CU_ASSERT(address_parse(&address, "[::1]:1") && address_is_loopback(&address));
    CU_ASSERT(address_parse(&address, "127.0.0.1.example:1") && !address_is_loopback(&address));
    CU_ASSERT(address_parse(&address, "0.0.0.0:1") && address_is_wildcard(&address));
    static const char *const bad[] = {"",     ":",       "a",      "a:",    ":1",
                                      "a:0",  "a:65536", "a:1x",   "a:-1",  "::1:80",
                                      "[]:1", "[::1]",   "[::1:1", "a b:1", "a:123456"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (address_parse(&address, bad[i]))
            printf("\n%s\n", bad[i]);
        CU_ASSERT_FALSE(address_parse(&address, bad[i]));
    }
}

static void a_host_may_stand_alone(void)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"10.0.0.9", "10.0.0.9:7"},   {"10.0.0.9:80", "10.0.0.9:80"},   {"a.test", "a.test:7"},
        {"[fd00::1]", "[fd00::1]:7"}, {"[fd00::1]:80", "[fd00::1]:80"}, {"fd00::1", "[fd00::1]:7"},
    };
    static const char *const bad[] = {"", ":80", "a:b", "fd00::1::2", "[fd00::1", "a b"};
    struct address address;
    char text[ADDRESS_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT(address_parse_host(&address, cases[i].text, 7));
        address_print(&address, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].printed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(address_parse_host(&address, bad[i], 7));
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CU_ASSERT_FALSE(address_parse_host(&address, text, 7)); /* with a port it is too long */
}

static void log_lines_are_one_line(void)
{
    char line[128];
    size_t bytes = log_format_line(LOG_TEXT, LOG_INFO, "a", "x \"y\"\nz\x01", 1700000000123, line,
                                   sizeof line);
    CU_ASSERT_STRING_EQUAL(line, "2023-11-14T22:13:20.123Z info  x \"y\"\\nz\\u0001\n");
    CU_ASSERT_EQUAL(bytes, strlen(line));
    log_format_line(LOG_JSON, LOG_ERROR, "a", "x \"y\"", 0, line, sizeof line);
    CU_ASSERT_STRING_EQUAL(
        line,
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"node\":\"a\","
        "\"message\":\"x \\\"y\\\"\"}\n");
    char longer[512];
    memset(longer, '"', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    bytes = log_format_line(LOG_JSON, LOG_ERROR, "a", longer, 0, line, sizeof line);
    CU_ASSERT(bytes < sizeof line && strcmp(line + bytes - 3, "\"}\n") == 0);
}

/* An engine's message may be anything; a text that is cut is not cut within a character. */
static void log_lines_are_utf8(void)
{
    char line[128], longer[512] = "";
    log_format_line(LOG_JSON, LOG_INFO, "a", "\xc3\xa9 \xff\xc3( \xe2\x82", 0, line, sizeof line);
    CU_ASSERT(strstr(line,
                     "\"message\":\"\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd( "
                     "\xef\xbf\xbd\xef\xbf\xbd\"}\n") != NULL);
    while (strlen(longer) < 400)
        strcat(longer, "\xe2\x82\xac");
    for (size_t bytes = 100; bytes < 110; bytes++) {
        struct error err = {0};
        size_t length = log_format_line(LOG_JSON, LOG_INFO, "a", longer, 0, line, bytes);
        cJSON *json = json_parse(span_of(line, length), sizeof line, &err);
        CU_ASSERT(length < bytes && json);
        cJSON_Delete(json);
    }
}

static void discovery_is_asked_by_name_and_by_service(void)
{
    accepts("--insecure");
    CU_ASSERT(options.discover_name_count == 0 && options.discover_service[0] == '\0');
    CU_ASSERT_EQUAL(options.discover_interval_ms, 10000);
    accepts(
        "--insecure --discover-dns a.test,b.test:7000,a.test --discover-dns c "
        "--discover-kubernetes hordelet/gossip --discover-interval 2s");
    CU_ASSERT_EQUAL(options.discover_name_count, 3);
    CU_ASSERT_STRING_EQUAL(options.discover_names[1], "b.test:7000");
    CU_ASSERT_STRING_EQUAL(options.discover_service, "hordelet/gossip");
    CU_ASSERT_EQUAL(options.discover_interval_ms, 2000);
    accepts("--insecure --discover-kubernetes gossip");
    refuses("--insecure --discover-dns a:b:c", "--discover-dns", "NAME:PORT");
    refuses("--insecure --discover-dns a,b,c,d,e,f,g,h,i", "--discover-dns", "more than 8");
    refuses("--insecure --discover-kubernetes a/b/c", "--discover-kubernetes", "NAMESPACE/SERVICE");
    refuses("--insecure --discover-kubernetes /gossip", "'/gossip'", "NAMESPACE/SERVICE");
    refuses("--insecure --discover-kubernetes Gossip", "'Gossip'", "NAMESPACE/SERVICE");
    refuses("--insecure --discover-interval 10ms", "--discover-interval", "1s");
}

static void workloads_may_what_is_said(void)
{
    accepts("--insecure");
    CU_ASSERT(!options.allow_privileged && !options.allow_host_network);
    CU_ASSERT(options.allow_host_path_count == 0 && options.allow_capability_count == 0);
    accepts(
        "--insecure --allow-privileged --allow-host-network --allow-host-path /srv,/data "
        "--allow-host-path /x --allow-capability NET_ADMIN,SYS_TIME");
    CU_ASSERT(options.allow_privileged && options.allow_host_network);
    CU_ASSERT_EQUAL(options.allow_host_path_count, 3);
    CU_ASSERT_STRING_EQUAL(options.allow_host_paths[2], "/x");
    CU_ASSERT_EQUAL(options.allow_capability_count, 2);
    refuses("--insecure --allow-host-path srv", "--allow-host-path 'srv'", "absolute");
    refuses("--insecure --allow-host-path /srv/../etc", "--allow-host-path", "without ..");
    refuses("--insecure --allow-capability net_admin", "--allow-capability", "NET_ADMIN");
}

UNIT_MAIN(
    "agent options", {"defaults are those of the contract", defaults_are_those_of_the_contract},
    {"the node is named like its host", the_node_is_named_like_its_host},
    {"every flag can be set", every_flag_can_be_set},
    {"an address to advertise may be any host", an_address_to_advertise_may_be_any_host},
    {"errors name the flag and the value", errors_name_the_flag_and_the_value},
    {"listeners that others reach need --insecure", listeners_that_others_reach_need_insecure},
    {"gossip uses two ports", gossip_uses_two_ports},
    {"flags win over the environment over the file", flags_win_over_the_environment_over_the_file},
    {"a misspelled variable is an error", a_misspelled_variable_is_an_error},
    {"errors of the file name its line", errors_of_the_file_name_its_line},
    {"help needs nothing else", help_needs_nothing_else},
    {"addresses are read and printed", addresses_are_read_and_printed},
    {"a host may stand alone", a_host_may_stand_alone},
    {"log lines are one line", log_lines_are_one_line}, {"log lines are UTF-8", log_lines_are_utf8},
    {"discovery", discovery_is_asked_by_name_and_by_service},
    {"policy", workloads_may_what_is_said})
