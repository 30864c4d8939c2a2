/* A file of tokens, and behind an empty line the header that a client sends. */
#include <stdlib.h>

#include "agent/io/api_tokens.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct api_tokens tokens;
    struct error err = {0};
    char *text = xmemdup(data, bytes), *header = strstr(text, "\n\n");
    if (header) {
        *header = '\0';
        header += 2;
    }
    int result = api_tokens_parse(&tokens, text, &err);
    fuzz_require(result == 0 || err.text[0], "a refusal has a reason");
    for (size_t i = 0; i < tokens.count; i++)
        fuzz_require(tokens.items[i].principal.name[0] && tokens.items[i].principal.grant_count > 0,
                     "a token is somebody's, and for something");
    const struct api_token *found = NULL;
    enum token_result answer = TOKEN_MALFORMED;
    if (header)
        answer = api_tokens_find(&tokens, header, 1800000000000, &found);
    fuzz_require((found != NULL) == (answer == TOKEN_GOOD || answer == TOKEN_ENDED),
                 "a token that counts is in the file");
    api_tokens_release(&tokens);
    free(text);
    return 0;
}
