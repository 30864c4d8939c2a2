/* See api_tokens.h. */
#include "agent/io/api_tokens.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/codec/timestamp.h"
#include "agent/io/cleanup.h"
#include "agent/io/secret_file.h"

/* What RFC 6750 lets a token be made of. */
static const char token_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    "0123456789-._~+/=";
static const char hash_prefix[] = "sha256:";

static bool token_is_possible(struct span token)
{
    for (size_t i = 0; i < token.bytes; i++)
        if (!memchr(token_letters, token.data[i], sizeof token_letters - 1))
            return false;
    return token.bytes >= TOKEN_BYTES_MIN && token.bytes <= TOKEN_BYTES_MAX;
}

/* --- The file --------------------------------------------------------------------------------- */

/* Takes a word off a line. Empty: there is none. */
static struct span line_take(struct span *line)
{
    size_t blanks = 0, bytes = 0;
    while (blanks < line->bytes && strchr(" \t\r", line->data[blanks]))
        blanks++;
    while (blanks + bytes < line->bytes && !strchr(" \t\r", line->data[blanks + bytes]))
        bytes++;
    struct span word = span_of(line->data + blanks, bytes);
    *line = span_of(word.data + bytes, line->bytes - blanks - bytes);
    return word;
}

static int token_set_secret(struct api_token *token, struct span secret, struct error *err)
{
    size_t prefix_bytes = strlen(hash_prefix), decoded = 0;
    if (secret.bytes > prefix_bytes && memcmp(secret.data, hash_prefix, prefix_bytes) == 0) {
        if (secret.bytes != prefix_bytes + 2 * (size_t)TOKEN_HASH_BYTES ||
            sodium_hex2bin(token->hash, sizeof token->hash,
                           (const char *)secret.data + prefix_bytes, secret.bytes - prefix_bytes,
                           NULL, &decoded, NULL) ||
            decoded != TOKEN_HASH_BYTES)
            return error_set(err, ERROR_INVALID, "sha256: needs %d hexadecimal digits",
                             2 * TOKEN_HASH_BYTES);
        return 0;
    }
    if (!token_is_possible(secret))
        return error_set(err, ERROR_INVALID,
                         "the second word must be sha256:HASH, or a token of %d to %d letters, "
                         "digits and -._~+/=, as `openssl rand -hex 32` prints one",
                         TOKEN_BYTES_MIN, TOKEN_BYTES_MAX);
    crypto_hash_sha256(token->hash, secret.data, secret.bytes);
    return 0;
}

static int token_set_roles(struct api_token *token, struct span roles, struct error *err)
{
    while (roles.bytes > 0) {
        const uint8_t *comma = memchr(roles.data, ',', roles.bytes);
        size_t bytes = comma ? (size_t)(comma - roles.data) : roles.bytes;
        struct api_grant grant;
        if (api_grant_parse(&grant, span_of(roles.data, bytes), err))
            return -1;
        if (!api_principal_add(&token->principal, &grant))
            return error_set(err, ERROR_INVALID, "more than %d roles", API_GRANTS_MAX);
        bytes += comma != NULL;
        roles = span_of(roles.data + bytes, roles.bytes - bytes);
    }
    return 0;
}

static int token_set_until(struct api_token *token, struct span until, struct error *err)
{
    char text[64];
    if (until.bytes == 0)
        return 0;
    text_set_span(text, sizeof text, until);
    if (until.bytes >= sizeof text || !timestamp_parse(&token->until_ms, text) ||
        token->until_ms == 0)
        return error_set(err, ERROR_INVALID,
                         "the fourth word must be a time, as 2027-01-31T00:00:00Z");
    return 0;
}

static int tokens_add_line(struct api_tokens *tokens, struct span line, struct error *err)
{
    struct api_token token = {.until_ms = 0};
    struct span name = line_take(&line), secret = line_take(&line), roles = line_take(&line);
    struct span until = line_take(&line);
    if (name.bytes == 0)
        return 0;
    if (roles.bytes == 0 || line_take(&line).bytes > 0)
        return error_set(err, ERROR_INVALID, "must be: NAME SECRET ROLE,... [UNTIL]");
    if (!api_principal_set_name(&token.principal, name))
        return error_set(err, ERROR_INVALID,
                         "the name may have at most %d printable characters, none of \"\\,#",
                         API_USER_BYTES_MAX);
    if (token_set_secret(&token, secret, err) || token_set_roles(&token, roles, err) ||
        token_set_until(&token, until, err))
        return -1;
    for (size_t i = 0; i < tokens->count; i++)
        if (memcmp(tokens->items[i].hash, token.hash, sizeof token.hash) == 0)
            return error_set(err, ERROR_INVALID, "the same token as that of %s above",
                             tokens->items[i].principal.name);
    if (tokens->count == TOKENS_MAX)
        return error_set(err, ERROR_INVALID, "more than %d tokens", TOKENS_MAX);
    tokens->items = xrealloc(tokens->items, (tokens->count + 1) * sizeof *tokens->items);
    tokens->items[tokens->count++] = token;
    return 0;
}

int api_tokens_parse(struct api_tokens *ret_tokens, const char *text, struct error *err)
{
    struct api_tokens tokens = {.count = 0};
    for (unsigned line = 1; *text; line++) {
        size_t bytes = strcspn(text, "\n");
        if (tokens_add_line(&tokens, span_of(text, strcspn(text, "#\n")), err)) {
            api_tokens_release(&tokens);
            return error_wrap(err, "line %u", line);
        }
        text += bytes + (text[bytes] == '\n');
    }
    api_tokens_release(ret_tokens);
    *ret_tokens = tokens;
    return 0;
}

int api_tokens_load(struct api_tokens *ret_tokens, const char *path, struct error *err)
{
    cleanup_free char *text = xcalloc(1, TOKEN_FILE_BYTES_MAX + 1);
    int result = secret_file_read(path, true, text, TOKEN_FILE_BYTES_MAX, err);
    if (result == 0 && (result = api_tokens_parse(ret_tokens, text, err)) < 0)
        error_wrap(err, "%s", path);
    sodium_memzero(text, TOKEN_FILE_BYTES_MAX + 1);
    return result;
}

void api_tokens_release(struct api_tokens *tokens)
{
    free(tokens->items);
    *tokens = (struct api_tokens){0};
}

/* --- The header ------------------------------------------------------------------------------- */

static struct span authorization_token(const char *text)
{
    static const char scheme[] = "Bearer ";
    if (strncasecmp(text, scheme, sizeof scheme - 1) != 0)
        return span_of("", 0);
    text += sizeof scheme - 1;
    text += strspn(text, " ");
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == ' ')
        bytes--;
    return span_of(text, bytes);
}

enum token_result api_tokens_find(const struct api_tokens *tokens, const char *authorization,
                                  uint64_t wall_ms, const struct api_token **ret_token)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    struct span text = authorization_token(authorization);
    *ret_token = NULL;
    if (!token_is_possible(text))
        return TOKEN_MALFORMED;
    crypto_hash_sha256(hash, text.data, text.bytes);
    for (size_t i = 0; i < tokens->count; i++)
        if (sodium_memcmp(tokens->items[i].hash, hash, sizeof hash) == 0)
            *ret_token = &tokens->items[i];
    if (!*ret_token)
        return TOKEN_UNKNOWN;
    uint64_t until_ms = (*ret_token)->until_ms;
    return until_ms != 0 && wall_ms >= until_ms ? TOKEN_ENDED : TOKEN_GOOD;
}
