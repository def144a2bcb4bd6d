/* Any bytes as a tokens file: parsed or refused, and what is parsed holds together. */
#include <stdio.h>

#include "api/guard/tokens.h"
#include "store/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char abc[] = "abc";
    struct api_tokens *tokens = NULL;
    struct err err = ERR_INIT;
    uint8_t digest[API_TOKEN_DIGEST_BYTES];
    const struct api_token *token;

    if (api_tokens_parse(bytes_of(data, size), "file", &tokens, &err) != OK) {
        CHECK(err.code == ERR_INVALID_ARGUMENT && err.text[0] != '\0');
        return 0;
    }
    api_token_digest(bytes_of_text(abc), digest);
    token = api_tokens_find(tokens, digest, 0);
    if (token != NULL) {
        CHECK(memcmp(token->digest, digest, sizeof digest) == 0);
        CHECK(token->scope >= SCOPE_READ && token->scope <= SCOPE_ADMIN && token->name[0] != '\0');
        CHECK(token->models.size > 0 || api_token_covers(token, bytes_of_text(abc)));
        (void)api_token_covers(token, bytes_of(data, size));
    }
    api_tokens_drop(tokens);
    return 0;
}
