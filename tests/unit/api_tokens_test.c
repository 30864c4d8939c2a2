/* The file of tokens and the header that is held against it. */
#include "agent/io/api_tokens.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define TOKEN_A "0123456789abcdefghijklmnop"
#define TOKEN_B "ABCDEFGHIJ-._~+/=0123456789"

static struct api_tokens tokens;

static int parse(const char *text, struct error *err)
{
    CU_ASSERT_FATAL(sodium_init() >= 0);
    return api_tokens_parse(&tokens, text, err);
}

static enum token_result find(const char *authorization, const char **ret_name)
{
    const struct api_token *token;
    enum token_result result = api_tokens_find(&tokens, authorization, 1800000000000, &token);
    *ret_name = token ? token->principal.name : "";
    return result;
}

/* The same line, with the hash in place of the token. */
static void print_hashed(char *text, size_t bytes, const char *token)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    char hex[2 * TOKEN_HASH_BYTES + 1];
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(text, bytes, "bob sha256:%s read", hex);
}

static void tokens_are_found(void)
{
    char text[512], line[256];
    const char *name;
    struct error err = {0};
    CU_ASSERT_EQUAL(parse("", &err), 0);
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_A, &name), TOKEN_UNKNOWN);
    print_hashed(line, sizeof line, TOKEN_B);
    snprintf(text, sizeof text,
             "# who\n\n alice\t" TOKEN_A "  admin,read:a # hers\r\n%s 2027-01-15T07:59:59Z", line);
    CU_ASSERT_EQUAL(parse(text, &err), 0);
    CU_ASSERT_EQUAL(tokens.count, 2);
    CU_ASSERT_EQUAL(tokens.items[0].principal.grant_count, 2);
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_A, &name), TOKEN_GOOD);
    CU_ASSERT_STRING_EQUAL(name, "alice");
    CU_ASSERT_EQUAL(find("bearer   " TOKEN_A "  ", &name), TOKEN_GOOD);
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_B, &name), TOKEN_ENDED); /* at 2027-01-15T08:00:00Z */
    CU_ASSERT_STRING_EQUAL(name, "bob");
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_B "0", &name), TOKEN_UNKNOWN);
    CU_ASSERT_EQUAL(find("Bearer 0" TOKEN_A, &name), TOKEN_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(name, "");
    snprintf(text, sizeof text, "%s 2027-01-15T08:00:01Z\n", line);
    CU_ASSERT_EQUAL(parse(text, &err), 0);
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_B, &name), TOKEN_GOOD);
    CU_ASSERT_EQUAL(find("Bearer " TOKEN_A, &name), TOKEN_UNKNOWN);
    for (size_t bytes = 0; bytes < strlen(TOKEN_B); bytes++) {
        snprintf(text, sizeof text, "Bearer %.*s", (int)bytes, TOKEN_B);
        CU_ASSERT_NOT_EQUAL(find(text, &name), TOKEN_GOOD);
    }
    api_tokens_release(&tokens);
}

static void a_hash_is_no_token(void)
{
    char line[256], header[256];
    const char *name;
    struct error err = {0};
    print_hashed(line, sizeof line, TOKEN_A);
    CU_ASSERT_EQUAL(parse(line, &err), 0);
    snprintf(header, sizeof header, "Bearer %.64s", strstr(line, "sha256:") + 7);
    CU_ASSERT_EQUAL(find(header, &name), TOKEN_UNKNOWN);
    snprintf(header, sizeof header, "Bearer %.71s", strstr(line, "sha256:"));
    CU_ASSERT_EQUAL(find(header, &name), TOKEN_MALFORMED);
    api_tokens_release(&tokens);
}

static void garbled_headers(void)
{
    static const char *const cases[] = {
        "",
        "Bearer",
        "Bearer ",
        "Basic " TOKEN_A,
        TOKEN_A,
        "Bearer " TOKEN_A " x",
        "Bearer " TOKEN_A "\t",
        "Bearer \xff" TOKEN_A,
        "Bearer: " TOKEN_A,
        "Bearer short",
    };
    const char *name;
    struct error err = {0};
    char longest[TOKEN_BYTES_MAX + 16] = "Bearer ";
    CU_ASSERT_EQUAL(parse("alice " TOKEN_A " admin", &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(find(cases[i], &name), TOKEN_MALFORMED);
    memset(longest + 7, 'a', TOKEN_BYTES_MAX);
    CU_ASSERT_EQUAL(find(longest, &name), TOKEN_UNKNOWN);
    longest[7 + TOKEN_BYTES_MAX] = 'a';
    CU_ASSERT_EQUAL(find(longest, &name), TOKEN_MALFORMED);
    api_tokens_release(&tokens);
}

/* What is wrong is said with its line, and what stands there is not. */
static void bad_files(void)
{
    static const char *const cases[][2] = {
        {"alice", "line 1: must be: NAME SECRET ROLE"},
        {"\nalice " TOKEN_A, "line 2: must be: NAME SECRET ROLE"},
        {"alice " TOKEN_A " admin 2027-01-15T08:00:01Z more", "line 1: must be"},
        {"alice " TOKEN_A " admin soon", "line 1: the fourth word must be a time"},
        {"alice " TOKEN_A " admin 1970-01-01T00:00:00Z", "the fourth word must be a time"},
        {"alice " TOKEN_A " root", "line 1: a role is read, write or admin"},
        {"alice " TOKEN_A " read,,write", "line 1: a role is"},
        {"alice " TOKEN_A " admin:a", "line 1: admin is for the whole cluster"},
        {"alice short read", "line 1: the second word must be sha256:HASH, or a token"},
        {"alice 0123456789abcdefghij\xc3\xa4 read", "the second word must be"},
        {"alice sha256:0123456789abcdef0123 read", "line 1: sha256: needs 64 hexadecimal"},
        {"alice sha256:" TOKEN_A TOKEN_A "012345678901 read", "sha256: needs 64 hexadecimal"},
        {"al\"ice " TOKEN_A " read", "line 1: the name may have"},
        {"alice " TOKEN_A " read\nbob " TOKEN_A " write",
         "line 2: the same token as that of alice"},
        {"a " TOKEN_A " read,read,read,read,read,read,read,read,read,read,read,read,read,read,read,"
         "read,read",
         "more than 16 roles"},
    };
    struct error err = {0};
    CU_ASSERT_EQUAL(parse("alice " TOKEN_A " admin", &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(parse(cases[i][0], &err), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i][1]));
        CU_ASSERT_PTR_NULL(strstr(err.text, "0123456789a"));
        CU_ASSERT_EQUAL(tokens.count, 1);
    }
    struct buffer many = {0};
    for (int i = 0; i <= TOKENS_MAX; i++) {
        char line[80];
        snprintf(line, sizeof line, "u%d token-number-%020d read\n", i, i);
        buffer_append(&many, line, strlen(line) + (i == TOKENS_MAX));
    }
    CU_ASSERT_EQUAL(parse((const char *)many.data, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 1001: more than 1000 tokens"));
    buffer_release(&many);
    api_tokens_release(&tokens);
}

static int load(const char *text, size_t bytes, mode_t mode, struct error *err)
{
    char path[] = "/tmp/api_tokens_test.XXXXXX";
    int fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, bytes), (ssize_t)bytes);
    CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
    close(fd);
    int result = api_tokens_load(&tokens, path, err);
    unlink(path);
    return result;
}

static void files_are_bounded_and_private(void)
{
    static const char line[] = "alice " TOKEN_A " admin\n";
    struct error err = {0};
    char *large = malloc(TOKEN_FILE_BYTES_MAX + 1);
    memset(large, '\n', TOKEN_FILE_BYTES_MAX + 1);
    memcpy(large, line, sizeof line - 1);
    CU_ASSERT_EQUAL(load(large, TOKEN_FILE_BYTES_MAX, 0640, &err), 0);
    CU_ASSERT_EQUAL(tokens.count, 1);
    CU_ASSERT_EQUAL(load(large, TOKEN_FILE_BYTES_MAX + 1, 0600, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "longer than 262144 bytes"));
    CU_ASSERT_EQUAL(load(line, sizeof line - 1, 0644, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "everybody may read it"));
    CU_ASSERT_EQUAL(load(line, sizeof line, 0600, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "zero byte"));
    CU_ASSERT_EQUAL(api_tokens_load(&tokens, "/tmp", &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "not a regular file"));
    CU_ASSERT_EQUAL(api_tokens_load(&tokens, "/nowhere/tokens", &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nowhere/tokens: No such file"));
    CU_ASSERT_EQUAL(tokens.count, 1); /* as it was */
    free(large);
    api_tokens_release(&tokens);
}

UNIT_MAIN("api tokens", {"tokens are found", tokens_are_found},
          {"a hash is no token", a_hash_is_no_token}, {"garbled headers", garbled_headers},
          {"bad files", bad_files},
          {"files are bounded and private", files_are_bounded_and_private})
