/* Who may do what: bearer tokens, of which only digests are kept. One set of them is what one file
 * held; it never changes, and lives as long as somebody holds it.
 *
 * A line of the file is
 *
 *     NAME sha256:DIGEST SCOPE[,SCOPE…] [models=GLOB[,GLOB…]] [until=2027-01-31T12:00:00Z]
 *
 * '#' begins a comment line. A scope includes those before it: read, write, admin. A token with
 * models= is for those models alone; '*' stands for any characters, '?' for one. */
#ifndef API_GUARD_TOKENS_H
#define API_GUARD_TOKENS_H

#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

/* What a route asks for, and a token gives. FREE: neither token nor limit; OPEN: no token. */
enum api_scope { SCOPE_FREE, SCOPE_OPEN, SCOPE_READ, SCOPE_WRITE, SCOPE_ADMIN };

enum {
    API_TOKEN_DIGEST_BYTES = 32,
    API_TOKEN_NAME_BYTES_MAX = 64,
    API_TOKENS_MAX = 4096,
    API_TOKENS_TEXT_BYTES_MAX = 4 << 20,
};

struct api_token {
    char name[API_TOKEN_NAME_BYTES_MAX + 1];
    const uint8_t *digest; /* in the set, like models */
    enum api_scope scope;
    struct bytes models; /* globs, comma separated; empty: all models */
    uint64_t until_ms;   /* wall clock; UINT64_MAX: for ever */
};

struct api_tokens;

/* Borrows `text` for the call; `where` names it in errors, which tell the line and never what is
 * in it: it may be a token by mistake. One reference, the caller's. ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code api_tokens_parse(struct bytes text, const char *where,
                                              struct api_tokens **out, struct err *err);
struct api_tokens *api_tokens_hold(struct api_tokens *tokens); /* one more reference */
void api_tokens_drop(struct api_tokens *tokens);               /* NULL is fine */
size_t api_tokens_count(const struct api_tokens *tokens);

void api_token_digest(struct bytes token, uint8_t out[static API_TOKEN_DIGEST_BYTES]);
/* NULL: no such token, or its time is over at `now_ms`. Takes as long whichever it is: all digests
 * are compared, to their ends. Lives as long as the set. */
const struct api_token *api_tokens_find(const struct api_tokens *tokens,
                                        const uint8_t digest[static API_TOKEN_DIGEST_BYTES],
                                        uint64_t now_ms);
/* Whether it is for this model. */
bool api_token_covers(const struct api_token *token, struct bytes model);

const char *api_scope_name(enum api_scope scope);

#endif
