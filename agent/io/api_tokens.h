/* The tokens that the API takes (--api-token-file), a line each:
 *
 *     # who    secret                           roles                    until
 *     alice    sha256:9f86d081884c7d659a2f...   admin
 *     ci       sha256:60303ae22b998861bce3...   write:team-a,read        2027-01-31T00:00:00Z
 *     metrics  1f8ac10f23c5b5bc1167bda84b33e5c057a77ddd  read
 *
 * The secret is the token itself, or its SHA-256 in hexadecimal; who may read such a file learns no
 * token from it. Tokens are random, so that a hash without salt and stretching says nothing about
 * them: TOKEN_BYTES_MIN is what keeps people from words. In memory there are hashes only.
 *
 * A hash is looked for by comparing all of them in constant time; that they are hashes would be
 * enough. 1,000 tokens cost a request 30 us. */
#ifndef AGENT_IO_API_TOKENS_H
#define AGENT_IO_API_TOKENS_H

#include "agent/codec/api_access.h"

enum {
    TOKENS_MAX = 1000,
    TOKEN_FILE_BYTES_MAX = 256 * 1024,
    TOKEN_BYTES_MIN = 20,
    TOKEN_BYTES_MAX = 1024,
    TOKEN_HASH_BYTES = 32,
};

struct api_token {
    uint8_t hash[TOKEN_HASH_BYTES];
    uint64_t until_ms; /* wall clock; 0: for ever */
    struct api_principal principal;
};

struct api_tokens {
    struct api_token *items; /* owned */
    size_t count;
};

enum token_result {
    TOKEN_GOOD,
    TOKEN_MALFORMED, /* no "Bearer TOKEN" */
    TOKEN_UNKNOWN,
    TOKEN_ENDED,
};

/* Of the file's text. On failure err names the line, never what stands in it, and *ret_tokens is as
 * it was. A file without a token is fine: nobody may come by one then. */
int api_tokens_parse(struct api_tokens *ret_tokens, const char *text, struct error *err);
int api_tokens_load(struct api_tokens *ret_tokens, const char *path, struct error *err);
void api_tokens_release(struct api_tokens *tokens);
/* authorization: that header. *ret_token: whose it is, also if it has ended; else NULL. */
enum token_result api_tokens_find(const struct api_tokens *tokens, const char *authorization,
                                  uint64_t wall_ms, const struct api_token **ret_token);

#endif
