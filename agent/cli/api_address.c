/* See api_address.h. */
#include "agent/cli/api_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/ident.h"

static int refuse(const char *text, struct error *err)
{
    return error_set(
        err, ERROR_INVALID,
        "\"%s\" is not an address: expected http://HOST:PORT, HOST:PORT or unix:///PATH", text);
}

static int parse_socket(struct api_address *address, const char *text, struct error *err)
{
    const char *path = text + strlen("unix:");
    while (path[0] == '/' && path[1] == '/')
        path++;
    if (path[0] != '/' || path[1] == '\0')
        return refuse(text, err);
    if (strlen(path) > API_SOCKET_BYTES_MAX)
        return error_set(err, ERROR_INVALID, "the path of a unix socket has at most %d bytes: %s",
                         API_SOCKET_BYTES_MAX, path);
    TEXT_SET(address->socket, path);
    TEXT_SET(address->base_url, "http://localhost");
    snprintf(address->text, sizeof address->text, "unix://%s", path);
    return 0;
}

/* Length of the host, [brackets] of an IPv6 address included; 0 if there is none. */
static size_t host_bytes(const char *text)
{
    if (text[0] == '[') {
        size_t bytes = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return text[bytes] == ']' ? bytes + 1 : 0;
    }
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

static bool port_is_good(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    unsigned long number = strtoul(port, NULL, 10);
    return digits > 0 && digits <= 5 && port[digits] == '\0' && number > 0 && number <= 65535;
}

static int parse_tcp(struct api_address *address, const char *text, struct error *err)
{
    const char *scheme = "http://";
    const char *host = strncmp(text, scheme, strlen(scheme)) == 0 ? text + strlen(scheme) : text;
    char host_port[API_ADDRESS_BYTES_MAX - 16];
    size_t bytes = strlen(host);
    if (bytes > 0 && host[bytes - 1] == '/')
        bytes--;
    if (bytes >= sizeof host_port)
        return refuse(text, err);
    text_set_span(host_port, sizeof host_port, span_of(host, bytes));
    size_t name_bytes = host_bytes(host_port);
    const char *rest = host_port + name_bytes;
    if (name_bytes == 0 || (*rest && (*rest != ':' || !port_is_good(rest + 1))))
        return refuse(text, err);
    snprintf(address->base_url, sizeof address->base_url, "%s%s%s", scheme, host_port,
             *rest ? "" : ":" API_ADDRESS_PORT);
    TEXT_SET(address->text, address->base_url);
    return 0;
}

int api_address_parse(struct api_address *ret_address, const char *text, struct error *err)
{
    struct api_address address = {0};
    if (strncmp(text, "https://", 8) == 0)
        return error_set(err, ERROR_INVALID, "\"%s\": TLS comes with a later release", text);
    int result = strncmp(text, "unix:", 5) == 0 ? parse_socket(&address, text, err)
                                                : parse_tcp(&address, text, err);
    if (result == 0)
        *ret_address = address;
    return result;
}

int api_address_find(struct api_address *ret_address, const char *flag, struct error *err)
{
    const char *environment = getenv("HORDELET_API");
    if (flag)
        return api_address_parse(ret_address, flag, err) < 0 ? error_wrap(err, "--api") : 0;
    if (environment && *environment)
        return api_address_parse(ret_address, environment, err) < 0
                   ? error_wrap(err, "HORDELET_API")
                   : 0;
    bool usable = access(API_ADDRESS_SOCKET, R_OK | W_OK) == 0;
    return api_address_parse(ret_address,
                             usable ? "unix://" API_ADDRESS_SOCKET : API_ADDRESS_DEFAULT, err);
}
