/* See api_address.h. */
#include "agent/cli/api_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/core/ident.h"

static int refuse(const char *text, struct error *err)
{
    return error_set(
        err, ERROR_INVALID,
        "\"%s\" is not an address: expected https://HOST:PORT, HOST:PORT or unix:///PATH", text);
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

/* "localhost", 127.0.0.1 and the like, [::1]. */
static bool host_is_here(const char *host, size_t bytes)
{
    return (bytes == 9 && strncasecmp(host, "localhost", 9) == 0) ||
           (bytes > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= bytes) ||
           (bytes == 5 && strncmp(host, "[::1]", 5) == 0);
}

/* A token that anybody on the way could read, or a certificate that would not be shown. */
static int check_login(const struct api_address *address, const char *host, size_t host_name_bytes,
                       struct error *err)
{
    const struct api_login *login = &address->login;
    if (address->tls || (!login->token_file && !login->cert_file))
        return 0;
    if (login->cert_file)
        return error_set(err, ERROR_INVALID, "--cert-file needs https://, not %s", address->text);
    if (!host_is_here(host, host_name_bytes))
        return error_set(err, ERROR_INVALID,
                         "--token-file: over %s everybody on the way could read the token; use "
                         "https://",
                         address->text);
    return 0;
}

static int parse_tcp(struct api_address *address, const char *text, struct error *err)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *host = text;
    address->tls = api_login_is_given(&address->login);
    for (int tls = 0; tls < 2; tls++)
        if (strncmp(text, schemes[tls], strlen(schemes[tls])) == 0) {
            host = text + strlen(schemes[tls]);
            address->tls = tls;
        }
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
    snprintf(address->base_url, sizeof address->base_url, "%s%s%s", schemes[address->tls],
             host_port, *rest ? "" : ":" API_ADDRESS_PORT);
    TEXT_SET(address->text, address->base_url);
    return check_login(address, host_port, name_bytes, err);
}

int api_address_parse(struct api_address *ret_address, const char *text,
                      const struct api_login *login, struct error *err)
{
    struct api_address address = {.login = *login};
    int result = strncmp(text, "unix:", 5) == 0 ? parse_socket(&address, text, err)
                                                : parse_tcp(&address, text, err);
    if (result == 0)
        *ret_address = address;
    return result;
}

int api_address_find(struct api_address *ret_address, const struct api_flags *flags,
                     struct error *err)
{
    const char *environment = getenv("HORDELET_API");
    struct api_login login = flags->login;
    api_login_find(&login);
    if (login.key_file && !login.cert_file)
        return error_set(err, ERROR_INVALID, "--key-file needs --cert-file");
    if (flags->api)
        return api_address_parse(ret_address, flags->api, &login, err) < 0
                   ? error_wrap(err, "--api")
                   : 0;
    if (environment && *environment)
        return api_address_parse(ret_address, environment, &login, err) < 0
                   ? error_wrap(err, "HORDELET_API")
                   : 0;
    bool usable = access(API_ADDRESS_SOCKET, R_OK | W_OK) == 0;
    return api_address_parse(
        ret_address, usable ? "unix://" API_ADDRESS_SOCKET : API_ADDRESS_DEFAULT, &login, err);
}
