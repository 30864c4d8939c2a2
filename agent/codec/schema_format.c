/* One predicate per format. Written out rather than as regular expressions: bounded, no allocation,
 * no locale. */
#include "agent/codec/schema_format.h"

#include <stdio.h>
#include <string.h>

#include "agent/codec/duration.h"
#include "agent/codec/timestamp.h"
#include "agent/codec/uuid.h"
#include "agent/core/ident.h"

enum { SUBDOMAIN_BYTES_MAX = 253, SEGMENT_BYTES_MAX = 63, PORT_NAME_BYTES_MAX = 15 };

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_alphanumeric(char byte)
{
    return is_lower(byte) || is_digit(byte) || (byte >= 'A' && byte <= 'Z');
}

/* ([A-Za-z0-9][-_.A-Za-z0-9]*)?[A-Za-z0-9], at most 63 bytes. */
static bool is_segment(const char *text, size_t bytes)
{
    if (bytes == 0 || bytes > SEGMENT_BYTES_MAX || !is_alphanumeric(text[0]) ||
        !is_alphanumeric(text[bytes - 1]))
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (!is_alphanumeric(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.')
            return false;
    return true;
}

/* DNS-1123 labels joined by dots. */
static bool is_subdomain(const char *text, size_t bytes)
{
    if (bytes == 0 || bytes > SUBDOMAIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        bool edge = i == 0 || i + 1 == bytes || text[i - 1] == '.' || text[i + 1] == '.';
        if (is_lower(text[i]) || is_digit(text[i]) || (text[i] == '-' && !edge))
            continue;
        if (text[i] != '.' || edge)
            return false;
    }
    return true;
}

static bool is_label_key(const char *text)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL)
        return is_segment(text, strlen(text));
    return is_subdomain(text, (size_t)(slash - text)) && is_segment(slash + 1, strlen(slash + 1));
}

static bool is_port_name(const char *text)
{
    size_t bytes = strlen(text);
    bool letter = false;
    if (bytes == 0 || bytes > PORT_NAME_BYTES_MAX || text[0] == '-' || text[bytes - 1] == '-' ||
        strstr(text, "--") != NULL)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '-')
            return false;
        letter |= is_lower(text[i]);
    }
    return letter;
}

static bool is_printable_without(const char *text, char forbidden)
{
    for (; *text != '\0'; text++)
        if (*text < 0x20 || *text == 0x7f || *text == forbidden)
            return false;
    return true;
}

static bool has_dot_dot(const char *path)
{
    for (const char *at = strstr(path, ".."); at != NULL; at = strstr(at + 1, ".."))
        if ((at == path || at[-1] == '/') && (at[2] == '\0' || at[2] == '/'))
            return true;
    return false;
}

/* Control characters are below 0x20 for signed and unsigned char alike once bytes of UTF-8 are set
 * aside. */
static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static bool is_path(const char *text, bool absolute)
{
    return *text != '\0' && (*text == '/') == absolute && !has_dot_dot(text) && !has_control(text);
}

static bool is_image(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!is_alphanumeric(*at) && strchr("._-/:@", *at) == NULL)
            return false;
    return is_alphanumeric(*text);
}

static bool is_ipv4(const char *text)
{
    unsigned parts[4];
    int used = 0;
    if (strspn(text, "0123456789.") != strlen(text) || strlen(text) > 15)
        return false;
    if (sscanf(text, "%3u.%3u.%3u.%3u%n", &parts[0], &parts[1], &parts[2], &parts[3], &used) != 4)
        return false;
    return text[used] == '\0' && parts[0] < 256 && parts[1] < 256 && parts[2] < 256 &&
           parts[3] < 256;
}

/* Up to eight groups of hexadecimal digits, one :: among them. Only what engines take: no zone. */
static bool is_ipv6(const char *text)
{
    unsigned groups = 0, digits = 0;
    bool gap = strncmp(text, "::", 2) == 0;
    const char *at = gap ? text + 2 : text;
    for (; *at != '\0'; at++) {
        if (*at != ':') {
            if (strchr("0123456789abcdefABCDEF", *at) == NULL || ++digits > 4)
                return false;
            groups += digits == 1;
            continue;
        }
        if (digits == 0)
            return false;
        digits = 0;
        if (at[1] == ':') {
            if (gap)
                return false;
            gap = true;
            at++;
        } else if (at[1] == '\0') {
            return false;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

static bool is_capability(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!(*at >= 'A' && *at <= 'Z') && !is_digit(*at) && *at != '_')
            return false;
    return *text != '\0';
}

const char *schema_format_fault(enum schema_format format, const char *text)
{
    uint64_t ms;
    switch (format) {
    case SCHEMA_NAME:
        return name_is_dns1123(text) ? NULL
                                     : "a DNS-1123 label (a-z, 0-9 and -, beginning and ending "
                                       "with a letter or digit, "
                                       "at most 63)";
    case SCHEMA_MEMBER_NAME:
        return is_subdomain(text, strlen(text)) ? NULL
                                                : "a node name (DNS-1123 labels joined by dots)";
    case SCHEMA_PORT_NAME:
        return is_port_name(text)
                   ? NULL
                   : "a port name (a-z, 0-9 and single -, a letter among them, at most 15)";
    case SCHEMA_ENV_NAME:
        return is_printable_without(text, '=') ? NULL : "printable ASCII characters without =";
    case SCHEMA_LABEL_KEY:
        return is_label_key(text)
                   ? NULL
                   : "a label key ([prefix/]name; name: letters, digits, - _ . and at most 63)";
    case SCHEMA_LABEL_VALUE:
        return *text == '\0' || is_segment(text, strlen(text))
                   ? NULL
                   : "a label value (letters, digits, - _ . beginning and ending with a letter or "
                     "digit, at most 63)";
    case SCHEMA_ABSOLUTE_PATH:
        return is_path(text, true) ? NULL : "an absolute path without ..";
    case SCHEMA_RELATIVE_PATH:
        return is_path(text, false) ? NULL : "a relative path without ..";
    case SCHEMA_IMAGE:
        return is_image(text) ? NULL : "an image reference";
    case SCHEMA_IP:
        return is_ipv4(text) || is_ipv6(text) ? NULL : "an IP address";
    case SCHEMA_CAPABILITY:
        return is_capability(text) ? NULL : "a capability such as NET_ADMIN, or ALL";
    case SCHEMA_TIMESTAMP:
        return timestamp_parse(&ms, text) ? NULL : "a time such as 2026-01-31T12:00:00Z";
    case SCHEMA_UUID:
        return uuid_is_valid(text) ? NULL : "a UUID";
    case SCHEMA_SHUTDOWN:
        return duration_parse_shutdown(&ms, text)
                   ? NULL
                   : "a duration such as 500ms, 10s or 1h30m, infinity or brutal_kill";
    default:
        return NULL;
    }
}

const char *schema_format_pattern(enum schema_format format)
{
    switch (format) {
    case SCHEMA_NAME:
        return "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    case SCHEMA_MEMBER_NAME:
        return "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    case SCHEMA_PORT_NAME:
        return "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    case SCHEMA_ENV_NAME:
        return "^[ -<>-~]+$";
    case SCHEMA_ABSOLUTE_PATH:
        return "^/";
    case SCHEMA_RELATIVE_PATH:
        return "^[^/]";
    case SCHEMA_IMAGE:
        return "^[A-Za-z0-9][-A-Za-z0-9._/:@]*$";
    case SCHEMA_CAPABILITY:
        return "^[A-Z0-9_]+$";
    case SCHEMA_SHUTDOWN:
        return "^(infinity|brutal_kill|0|([0-9]+(\\.[0-9]+)?(ms|s|m|h))+)$";
    default:
        return NULL;
    }
}
