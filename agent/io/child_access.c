/* See child_access.h. A token is "NS.WORKLOAD.ORDINAL.UID.EPOCH.MAC": names have no dots. */
#include "agent/io/child_access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/io/cleanup.h"

/* --- The directory and the key ---------------------------------------------------------------- */

static int key_read(struct child_access *access, const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, access->key, sizeof access->key) == sizeof access->key ? 0 : -1;
}

/* Aside, then renamed: a key that is cut short would be another key after the next start. */
static int key_make(struct child_access *access, const char *path)
{
    char aside[4200];
    snprintf(aside, sizeof aside, "%s.new", path);
    cleanup_close int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    randombytes_buf(access->key, sizeof access->key);
    bool good = fd >= 0 && write(fd, access->key, sizeof access->key) == sizeof access->key &&
                fsync(fd) == 0 && rename(aside, path) == 0;
    return good ? 0 : -1;
}

int child_access_open(struct child_access *access, const char *data_dir, struct error *err)
{
    char path[4160];
    cleanup_free char *absolute = realpath(data_dir, NULL);
    if (!absolute || strlen(absolute) > sizeof access->socket - 64)
        return error_set(err, ERROR_IO, "--data-dir %s: %s", data_dir,
                         absolute ? "the path is too long" : strerror(errno));
    snprintf(access->directory, sizeof access->directory, "%s/child-api", absolute);
    snprintf(access->socket, sizeof access->socket, "%s/child-api/api.sock", absolute);
    snprintf(path, sizeof path, "%s/child-api.key", absolute);
    if ((mkdir(access->directory, 0755) != 0 && errno != EEXIST) ||
        chmod(access->directory, 0755) != 0)
        return error_set(err, ERROR_IO, "cannot make %s: %s", access->directory, strerror(errno));
    if (key_read(access, path) != 0 && key_make(access, path) != 0)
        return error_set(err, ERROR_IO, "cannot make %s: %s", path, strerror(errno));
    return 0;
}

/* --- Tokens ----------------------------------------------------------------------------------- */

static void token_begin(const struct api_identity *identity, char *ret_text, size_t bytes)
{
    snprintf(ret_text, bytes, "%s.%s.%" PRIu32 ".%s.%" PRIu64 ".", identity->child.ns,
             identity->child.workload, identity->child.ordinal, identity->uid, identity->epoch);
}

void child_token_print(const struct child_access *access, const struct api_identity *identity,
                       char ret_token[CHILD_TOKEN_BYTES_MAX + 1])
{
    uint8_t mac[CHILD_MAC_BYTES];
    token_begin(identity, ret_token, CHILD_TOKEN_BYTES_MAX + 1);
    size_t bytes = strlen(ret_token);
    crypto_generichash(mac, sizeof mac, (const uint8_t *)ret_token, bytes, access->key,
                       sizeof access->key);
    sodium_bin2hex(ret_token + bytes, CHILD_TOKEN_BYTES_MAX + 1 - bytes, mac, sizeof mac);
}

static bool token_field(const char **at, char *field, size_t field_bytes)
{
    size_t bytes = strcspn(*at, ".");
    if ((*at)[bytes] != '.' || bytes >= field_bytes)
        return false;
    text_set_span(field, field_bytes, span_of(*at, bytes));
    *at += bytes + 1;
    return true;
}

static bool token_number(const char **at, uint64_t *ret_number)
{
    char text[24];
    if (!token_field(at, text, sizeof text) || text[strspn(text, "0123456789")] || !text[0])
        return false;
    *ret_number = strtoull(text, NULL, 10);
    return true;
}

bool child_token_verify(const struct child_access *access, const char *token,
                        struct api_identity *ret_identity)
{
    char expected[CHILD_TOKEN_BYTES_MAX + 1];
    uint64_t ordinal = 0;
    struct api_identity identity = {.epoch = 0};
    const char *at = token;
    if (strlen(token) > CHILD_TOKEN_BYTES_MAX ||
        !token_field(&at, identity.child.ns, sizeof identity.child.ns) ||
        !token_field(&at, identity.child.workload, sizeof identity.child.workload) ||
        !token_number(&at, &ordinal) || ordinal > REPLICAS_MAX ||
        !token_field(&at, identity.uid, sizeof identity.uid) || !token_number(&at, &identity.epoch))
        return false;
    identity.child.ordinal = (uint32_t)ordinal;
    child_token_print(access, &identity, expected);
    if (strlen(expected) != strlen(token) || sodium_memcmp(expected, token, strlen(expected)) != 0)
        return false;
    *ret_identity = identity;
    return true;
}
