/* HOST:PORT. A host is not resolved here; a name other than localhost counts as reachable by
 * others. */
#include "agent/io/agent_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/io/cleanup.h"

static bool address_parse_port(uint16_t *ret_port, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    unsigned long port = strtoul(text, NULL, 10);
    *ret_port = (uint16_t)port;
    return port >= 1 && port <= UINT16_MAX;
}

bool address_parse(struct address *ret_address, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || strlen(text) > ADDRESS_BYTES_MAX)
        return false;
    const char *host = text, *end = colon;
    bool brackets = *host == '[' && end[-1] == ']';
    if (brackets) {
        host++;
        end--;
    }
    bool colons = memchr(host, ':', (size_t)(end - host)) != NULL;
    if (host == end || colons != brackets || strpbrk(text, " \t/,"))
        return false;
    text_set_span(ret_address->host, sizeof ret_address->host, span_of(host, (size_t)(end - host)));
    return address_parse_port(&ret_address->port, colon + 1);
}

bool address_parse_host(struct address *ret_address, const char *text, uint16_t port)
{
    struct in6_addr v6;
    char with_port[ADDRESS_BYTES_MAX + 16];
    bool bare = inet_pton(AF_INET6, text, &v6) == 1;
    int length = snprintf(with_port, sizeof with_port, bare ? "[%s]:%u" : "%s:%u", text, port);
    return address_parse(ret_address, text) ||
           (length < (int)sizeof with_port && address_parse(ret_address, with_port));
}

void address_print(const struct address *address, char *ret_text, size_t bytes)
{
    bool brackets = strchr(address->host, ':') != NULL;
    snprintf(ret_text, bytes, brackets ? "[%s]:%u" : "%s:%u", address->host, address->port);
}

bool address_is_loopback(const struct address *address)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(address->host, "::1") == 0 || strcmp(address->host, "localhost") == 0;
}

bool address_is_wildcard(const struct address *address)
{
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
}

/* Connecting a datagram socket only asks the kernel for the route. The address is of TEST-NET-1: it
 * is nobody's. */
int address_of_default_route(char *ret_host, size_t bytes, struct error *err)
{
    struct sockaddr_in somewhere = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, "192.0.2.1", &somewhere.sin_addr);
    struct sockaddr_in self = {0};
    socklen_t length = sizeof self;
    cleanup_close int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || connect(probe, (const struct sockaddr *)&somewhere, sizeof somewhere) ||
        getsockname(probe, (struct sockaddr *)&self, &length))
        return error_set(err, ERROR_IO,
                         "cannot find out at which address the other agents reach this one (%s): "
                         "give it with --advertise-address",
                         strerror(errno));
    inet_ntop(AF_INET, &self.sin_addr, ret_host, (socklen_t)bytes);
    return 0;
}
