/* Names of DNS, asked for A and AAAA each on its own: a server that fails at one of them has still
 * answered the other. The resolver is the C library's, with all that /etc/resolv.conf, /etc/hosts
 * and nsswitch.conf say, read anew when they change; it blocks, so it runs on libuv's threads. One
 * question at a time: a resolver that hangs takes one of them, which the disk also needs.
 *
 * An answer replaces the one before it of its family. "There are none of this family" is an answer
 * only beside one of the other family: alone it may as well be a server that has lost its zone. */
#include "agent/io/discovery_private.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/log.h"

static const int dns_families[DNS_FAMILIES] = {AF_INET, AF_INET6};

static void dns_next(struct discovery_dns *dns);

static void answer_clear(struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        free(answer->addresses[i]);
    free(answer->addresses);
    *answer = (struct dns_answer){0};
}

static void answer_take(struct dns_answer *answer, const struct addrinfo *info, uint16_t port)
{
    answer_clear(answer);
    answer->addresses = xcalloc(DNS_ADDRESSES_MAX, sizeof *answer->addresses);
    for (; info && answer->count < DNS_ADDRESSES_MAX; info = info->ai_next) {
        struct address address = {.port = port};
        char text[ADDRESS_BYTES_MAX + 1];
        const void *socket = info->ai_addr;
        if (info->ai_family == AF_INET)
            uv_ip4_name(socket, address.host, sizeof address.host);
        else
            uv_ip6_name(socket, address.host, sizeof address.host);
        address_print(&address, text, sizeof text);
        answer->addresses[answer->count++] = xstrdup(text);
    }
}

static bool dns_is_none(int error)
{
    return error == UV_EAI_NODATA || error == UV_EAI_ADDRFAMILY || error == UV_EAI_NONAME;
}

/* What of the two errors is worth telling: "no AAAA" is none beside an A. */
static int name_error(const struct dns_name *name)
{
    if (name->errors[0] == 0 && dns_is_none(name->errors[1]))
        return 0;
    if (name->errors[1] == 0 && dns_is_none(name->errors[0]))
        return 0;
    return name->errors[0] ? name->errors[0] : name->errors[1];
}

/* Both families have been asked for. */
static void name_asked(struct discovery_dns *dns, struct dns_name *name)
{
    int error = name_error(name);
    bool any = name->errors[0] == 0 || name->errors[1] == 0;
    for (int family = 0; family < DNS_FAMILIES && any; family++)
        if (name->errors[family] && dns_is_none(name->errors[family]))
            answer_clear(&name->answers[family]);
    size_t count = name->answers[0].count + name->answers[1].count;
    if (error && error != name->told)
        log_print(LOG_WARNING, "discovery: DNS, %s: %s; what it said before counts, %zu addresses",
                  name->host, uv_strerror(error), count);
    else if (any && (!name->answered || (!error && name->told)))
        log_print(LOG_INFO, "discovery: DNS, %s: %zu addresses", name->host, count);
    name->told = error;
    name->answered |= any;
    if (any)
        discovery_answered(dns->discovery, DISCOVERY_DNS);
    else
        discovery_failed(dns->discovery, DISCOVERY_DNS);
}

static void dns_told(struct discovery_dns *dns, int error)
{
    struct dns_name *name = &dns->names[dns->at / DNS_FAMILIES];
    name->errors[dns->at % DNS_FAMILIES] = error;
    if (++dns->at % DNS_FAMILIES == 0)
        name_asked(dns, name);
    dns_next(dns);
}

static void dns_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    struct discovery_dns *dns = request->data;
    struct dns_name *name = &dns->names[dns->at / DNS_FAMILIES];
    bool stopped = dns->name_count == 0;
    if (status == 0 && !stopped)
        answer_take(&name->answers[dns->at % DNS_FAMILIES], info, name->port);
    uv_freeaddrinfo(info);
    if (!stopped)
        dns_told(dns, status);
}

static void dns_next(struct discovery_dns *dns)
{
    dns->asking = dns->at < dns->name_count * DNS_FAMILIES;
    if (!dns->asking)
        return;
    struct addrinfo hints = {.ai_family = dns_families[dns->at % DNS_FAMILIES],
                             .ai_socktype = SOCK_STREAM};
    int error = uv_getaddrinfo(loop_uv(dns->discovery->loop), &dns->request, dns_resolved,
                               dns->names[dns->at / DNS_FAMILIES].host, NULL, &hints);
    if (error)
        dns_told(dns, error);
}

void dns_ask(struct discovery_dns *dns)
{
    if (dns->asking)
        return;
    dns->at = 0;
    dns_next(dns);
}

void dns_open(struct discovery_dns *dns, const struct discovery_options *options)
{
    dns->request.data = dns;
    for (; dns->name_count < options->name_count; dns->name_count++) {
        struct dns_name *name = &dns->names[dns->name_count];
        struct address address = {.port = options->port};
        address_parse_host(&address, options->names[dns->name_count], options->port);
        name->port = address.port;
        TEXT_SET(name->host, address.host);
    }
}

void dns_stop(struct discovery_dns *dns)
{
    if (dns->asking)
        uv_cancel((uv_req_t *)&dns->request); /* if it has not begun */
    dns->name_count = 0;
}

void dns_release(struct discovery_dns *dns)
{
    for (size_t i = 0; i < DISCOVERY_NAMES_MAX; i++)
        for (int family = 0; family < DNS_FAMILIES; family++)
            answer_clear(&dns->names[i].answers[family]);
}
