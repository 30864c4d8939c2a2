/* See api_login.h. */
#include "agent/cli/api_login.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_BYTES_MAX = 1024 };

static void login_default(const char **file, const char *variable)
{
    const char *value = getenv(variable);
    if (!*file && value && *value)
        *file = value;
}

void api_login_find(struct api_login *login)
{
    login_default(&login->token_file, "HORDELET_TOKEN_FILE");
    login_default(&login->cert_file, "HORDELET_CERT_FILE");
    login_default(&login->key_file, "HORDELET_KEY_FILE");
    login_default(&login->ca_file, "HORDELET_CA_FILE");
}

bool api_login_is_given(const struct api_login *login)
{
    return login->token_file || login->cert_file || login->key_file || login->ca_file;
}

/* The file's first word. */
static int token_read(const char *path, char ret_token[TOKEN_BYTES_MAX + 1], struct error *err)
{
    char text[TOKEN_BYTES_MAX + 64];
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, ERROR_IO, "--token-file %s: %s", path, strerror(errno));
    size_t got = fread(text, 1, sizeof text - 1, file);
    int number = ferror(file) ? errno : 0;
    fclose(file);
    text[got] = '\0';
    const char *at = text + strspn(text, " \t\r\n");
    size_t bytes = strcspn(at, " \t\r\n");
    if (number)
        return error_set(err, ERROR_IO, "--token-file %s: %s", path, strerror(number));
    if (bytes == 0 || bytes > TOKEN_BYTES_MAX || at[bytes + strspn(at + bytes, " \t\r\n")])
        return error_set(err, ERROR_INVALID,
                         "--token-file %s: must hold a token, of at most %d characters, and "
                         "nothing else",
                         path, TOKEN_BYTES_MAX);
    memcpy(ret_token, at, bytes);
    ret_token[bytes] = '\0';
    return 0;
}

int api_login_use(const struct api_login *login, void *curl, bool tls, struct error *err)
{
    char token[TOKEN_BYTES_MAX + 1];
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    if (tls && login->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, login->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (tls && login->cert_file) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, login->cert_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY,
                         login->key_file ? login->key_file : login->cert_file);
    }
    if (!login->token_file)
        return 0;
    if (token_read(login->token_file, token, err))
        return -1;
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token); /* copied */
    return 0;
}
