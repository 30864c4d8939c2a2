/* See api_credentials.h. */
#include "agent/io/api_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/codec/timestamp.h"
#include "agent/io/log.h"

enum { FILES_MAX = 4 };

struct credentials {
    struct loop *loop;
    char *cert, *key, *ca, *tokens_path; /* owned; "": none */
    struct tls *tls;
    struct api_tokens tokens;
    uint64_t generation;
    void (*changed)(void *context);
    void *context;
    uv_fs_poll_t files[FILES_MAX];
    size_t file_count;
    uv_timer_t settle;
    bool opened; /* the timer is initialised */
};

/* --- Reading ---------------------------------------------------------------------------------- */

static int credentials_read_tls(struct credentials *credentials, struct error *err)
{
    struct tls *tls;
    if (!*credentials->cert)
        return 0;
    if (tls_load(&tls, credentials->cert, credentials->key, credentials->ca, err))
        return -1;
    tls_release(credentials->tls);
    credentials->tls = tls;
    return 0;
}

static int credentials_read_tokens(struct credentials *credentials, struct error *err)
{
    if (!*credentials->tokens_path)
        return 0;
    if (api_tokens_load(&credentials->tokens, credentials->tokens_path, err))
        return error_wrap(err, "--api-token-file");
    return 0;
}

static void credentials_say(const struct credentials *credentials)
{
    char until[TIMESTAMP_TEXT_BYTES] = "", text[256];
    int bytes = 0;
    if (credentials->tls)
        bytes = snprintf(text, sizeof text, "TLS with a certificate that is good until %s, ",
                         timestamp_print(tls_until_ms(credentials->tls), until));
    if (credentials->tls && *credentials->ca)
        bytes += snprintf(text + bytes, sizeof text - (size_t)bytes, "client certificates, ");
    if (*credentials->tokens_path)
        bytes += snprintf(text + bytes, sizeof text - (size_t)bytes, "%zu tokens, ",
                          credentials->tokens.count);
    if (bytes > 0)
        log_print(LOG_INFO, "api: %.*s", bytes - 2, text);
}

void credentials_read_again(struct credentials *credentials)
{
    struct error err = {0};
    bool good = true;
    if (credentials_read_tls(credentials, &err)) {
        log_print(LOG_ERROR, "%s; the certificate and authorities of before are kept", err.text);
        good = false;
    }
    if (credentials_read_tokens(credentials, &err)) {
        log_print(LOG_ERROR, "%s; the tokens of before are kept", err.text);
        good = false;
    }
    if (good)
        credentials_say(credentials);
    credentials->generation++;
    if (credentials->changed)
        credentials->changed(credentials->context);
}

static void credentials_settled(uv_timer_t *timer)
{
    credentials_read_again(timer->data);
}

static void credentials_file_changed(uv_fs_poll_t *file, int status, const uv_stat_t *before,
                                     const uv_stat_t *now)
{
    struct credentials *credentials = file->data;
    (void)status, (void)before, (void)now; /* reading tells what has become of it */
    uv_timer_start(&credentials->settle, credentials_settled, CREDENTIALS_SETTLE_MS, 0);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int credentials_watch(struct credentials *credentials, const char *path, struct error *err)
{
    if (!*path)
        return 0;
    uv_fs_poll_t *file = &credentials->files[credentials->file_count++];
    uv_fs_poll_init(loop_uv(credentials->loop), file);
    file->data = credentials;
    int error = uv_fs_poll_start(file, credentials_file_changed, path, CREDENTIALS_LOOKED_AT_MS);
    if (error)
        return error_set(err, ERROR_IO, "%s: %s", path, uv_strerror(error));
    return 0;
}

int credentials_open(struct credentials **ret_credentials, struct loop *loop,
                     const struct credentials_files *files, struct error *err)
{
    struct credentials *credentials = *ret_credentials = xcalloc(1, sizeof *credentials);
    credentials->loop = loop;
    credentials->cert = xstrdup(files->cert);
    credentials->key = xstrdup(files->key);
    credentials->ca = xstrdup(files->ca);
    credentials->tokens_path = xstrdup(files->tokens);
    uv_timer_init(loop_uv(loop), &credentials->settle);
    credentials->settle.data = credentials;
    credentials->opened = true;
    if (credentials_read_tls(credentials, err) || credentials_read_tokens(credentials, err) ||
        credentials_watch(credentials, credentials->cert, err) ||
        credentials_watch(credentials, credentials->key, err) ||
        credentials_watch(credentials, credentials->ca, err) ||
        credentials_watch(credentials, credentials->tokens_path, err))
        return -1;
    credentials_say(credentials);
    return 0;
}

void credentials_on_change(struct credentials *credentials, void (*changed)(void *context),
                           void *context)
{
    credentials->changed = changed;
    credentials->context = context;
}

void credentials_close(struct credentials *credentials)
{
    if (!credentials || !credentials->opened)
        return;
    for (size_t i = 0; i < credentials->file_count; i++)
        uv_close((uv_handle_t *)&credentials->files[i], NULL);
    uv_close((uv_handle_t *)&credentials->settle, NULL);
    credentials->opened = false;
}

void credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return;
    tls_release(credentials->tls);
    api_tokens_release(&credentials->tokens);
    free(credentials->cert);
    free(credentials->key);
    free(credentials->ca);
    free(credentials->tokens_path);
    free(credentials);
}

/* --- What there is ---------------------------------------------------------------------------- */

struct tls *credentials_tls(const struct credentials *credentials)
{
    return credentials ? credentials->tls : NULL;
}

const struct api_tokens *credentials_tokens(const struct credentials *credentials)
{
    return &credentials->tokens;
}

bool credentials_are_wanted(const struct credentials *credentials)
{
    return credentials && (*credentials->ca || *credentials->tokens_path);
}

uint64_t credentials_generation(const struct credentials *credentials)
{
    return credentials->generation;
}
