/* Sets of tokens. Always true: names and digests in a set are unique; no error and no log line
 * holds anything of a digest or of a token. */
#include "api/guard/tokens.h"

#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "api/json/chars.h"
#include "store/base/alloc.h"
#include "store/base/arena.h"

enum { DIGEST_WORDS = API_TOKEN_DIGEST_BYTES / sizeof(uint64_t), FIELDS_MAX = 8 };

struct api_tokens {
    _Atomic unsigned references;
    struct arena arena;
    struct api_token *tokens;
    uint64_t (*digests)[DIGEST_WORDS];
    size_t count, capacity;
};

static const char *const scope_names[] = {"free", "open", "read", "write", "admin"};

const char *
api_scope_name(enum api_scope scope)
{
    return scope_names[scope];
}

struct api_tokens *
api_tokens_hold(struct api_tokens *tokens)
{
    atomic_fetch_add_explicit(&tokens->references, 1, memory_order_relaxed);
    return tokens;
}

void
api_tokens_drop(struct api_tokens *tokens)
{
    if (tokens == NULL || atomic_fetch_sub(&tokens->references, 1) > 1)
        return;
    arena_drop(&tokens->arena);
    mem_free(tokens);
}

size_t
api_tokens_count(const struct api_tokens *tokens)
{
    return tokens->count;
}

/* --- one line ------------------------------------------------------------------------------ */

static enum err_code
take_name(struct bytes text, struct api_token *out, struct err *err)
{
    for (size_t i = 0; i < text.size; i++)
        if (!api_is_alnum(text.data[i]) && memchr("._-", text.data[i], 3) == NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a token's name has letters, digits, '.', '_' and '-' only");
    if (text.size == 0 || text.size > API_TOKEN_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a token's name has 1 to %d characters",
                       API_TOKEN_NAME_BYTES_MAX);
    memcpy(out->name, text.data, text.size);
    out->name[text.size] = '\0';
    return OK;
}

static enum err_code
take_digest(struct bytes text, uint64_t out[static DIGEST_WORDS], struct err *err)
{
    static const char prefix[] = "sha256:";
    const size_t begin = sizeof prefix - 1;
    uint8_t digest[API_TOKEN_DIGEST_BYTES];

    if (!bytes_start_with(text, bytes_of_text(prefix)) || text.size != begin + 2 * sizeof digest)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the second field is not sha256: and 64 hexadecimal digits");
    for (size_t i = 0; i < sizeof digest; i++) {
        int high = api_hex_value(text.data[begin + 2 * i]);
        int low = api_hex_value(text.data[begin + 2 * i + 1]);

        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the second field holds a character that is no hexadecimal digit");
        digest[i] = (uint8_t)(high * 16 + low);
    }
    memcpy(out, digest, sizeof digest);
    return OK;
}

static enum err_code
take_scopes(struct bytes text, enum api_scope *out, struct err *err)
{
    struct bytes rest = text, one;

    *out = SCOPE_OPEN;
    if (text.data[text.size - 1] == ',')
        return err_set(err, ERR_INVALID_ARGUMENT, "the list of scopes ends with a comma");
    while (api_chars_next(&rest, ',', &one)) {
        enum api_scope scope = SCOPE_READ;

        while (scope <= SCOPE_ADMIN && !bytes_equal(one, bytes_of_text(scope_names[scope])))
            scope++;
        if (scope > SCOPE_ADMIN)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the third field is not a list of read, write and admin");
        if (scope > *out)
            *out = scope;
    }
    return OK;
}

static enum err_code
take_models(struct bytes text, struct bytes *out, struct err *err)
{
    for (size_t i = 0; i < text.size; i++)
        if (!api_is_alnum(text.data[i]) && memchr("._-*?,", text.data[i], 6) == NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "models= is a list of model names, in which '*' and '?' may stand");
    if (text.size == 0 || text.data[0] == ',' || text.data[text.size - 1] == ',' ||
        memmem(text.data, text.size, ",,", 2) != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "models= has an empty name in its list");
    *out = text;
    return OK;
}

static enum err_code
take_until(struct bytes text, uint64_t *out, struct err *err)
{
    char copy[32];
    struct tm utc = {0};
    const char *end = NULL;
    time_t seconds = -1;

    if (text.size < sizeof copy) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
        end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    if (end != NULL && *end == '\0')
        seconds = timegm(&utc);
    if (seconds < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "until= is a time like 2027-01-31T12:00:00Z, from 1970 on");
    *out = (uint64_t)seconds * 1000;
    return OK;
}

static enum err_code
take_option(struct bytes text, struct api_token *out, struct err *err)
{
    static const char models[] = "models=", until[] = "until=";

    if (bytes_start_with(text, bytes_of_text(models)) && out->models.size == 0)
        return take_models(bytes_of(text.data + sizeof models - 1, text.size - sizeof models + 1),
                           &out->models, err);
    if (bytes_start_with(text, bytes_of_text(until)) && out->until_ms == UINT64_MAX)
        return take_until(bytes_of(text.data + sizeof until - 1, text.size - sizeof until + 1),
                          &out->until_ms, err);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "after the scopes there may be models= and until=, each once");
}

static size_t
split(struct bytes line, struct bytes fields[static FIELDS_MAX])
{
    size_t count = 0, at = 0;

    while (count < FIELDS_MAX) {
        size_t begin;

        while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
            at++;
        if (at == line.size)
            break;
        begin = at;
        while (at < line.size && line.data[at] != ' ' && line.data[at] != '\t')
            at++;
        fields[count++] = bytes_of(line.data + begin, at - begin);
    }
    return count;
}

/* --- the set ------------------------------------------------------------------------------- */

static enum err_code
grow(struct api_tokens *tokens, struct err *err)
{
    size_t capacity = tokens->capacity == 0 ? 16 : 2 * tokens->capacity;
    struct api_token *more = arena_array(&tokens->arena, capacity, sizeof *more, err);
    uint64_t(*digests)[DIGEST_WORDS] = arena_array(&tokens->arena, capacity, sizeof *digests, err);

    if (more == NULL || digests == NULL)
        return ERR_NO_MEMORY;
    if (tokens->count > 0) {
        memcpy(more, tokens->tokens, tokens->count * sizeof *more);
        memcpy(digests, tokens->digests, tokens->count * sizeof *digests);
    }
    tokens->tokens = more;
    tokens->digests = digests;
    tokens->capacity = capacity;
    return OK;
}

static enum err_code
check_unique(const struct api_tokens *tokens, const struct api_token *token,
             const uint64_t digest[static DIGEST_WORDS], struct err *err)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->tokens[i].name, token->name) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "there is a token '%s' already", token->name);
        if (memcmp(tokens->digests[i], digest, API_TOKEN_DIGEST_BYTES) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "'%s' and '%s' have the same digest",
                           tokens->tokens[i].name, token->name);
    }
    return OK;
}

static enum err_code
add_line(struct api_tokens *tokens, struct bytes line, struct err *err)
{
    struct bytes fields[FIELDS_MAX];
    struct api_token token = {.until_ms = UINT64_MAX};
    uint64_t digest[DIGEST_WORDS];
    size_t count = split(line, fields);

    if (count == 0 || fields[0].data[0] == '#')
        return OK;
    if (count < 3)
        return err_set(err, ERR_INVALID_ARGUMENT, "a token has a name, a digest and scopes");
    TRY(take_name(fields[0], &token, err));
    TRY(take_digest(fields[1], digest, err));
    TRY(take_scopes(fields[2], &token.scope, err));
    for (size_t i = 3; i < count; i++)
        TRY(take_option(fields[i], &token, err));
    TRY(check_unique(tokens, &token, digest, err));
    if (tokens->count == API_TOKENS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "more than %d tokens", API_TOKENS_MAX);
    if (tokens->count == tokens->capacity)
        TRY(grow(tokens, err));
    memcpy(tokens->digests[tokens->count], digest, sizeof digest);
    tokens->tokens[tokens->count++] = token;
    return OK;
}

static enum err_code
parse(struct api_tokens *tokens, struct bytes text, const char *where, struct err *err)
{
    uint8_t *copy = arena_alloc(&tokens->arena, text.size + 1, err);
    struct bytes rest, line;
    unsigned number = 0;

    if (copy == NULL)
        return ERR_NO_MEMORY;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    rest = bytes_of(copy, text.size);
    while (api_chars_next(&rest, '\n', &line)) {
        enum err_code code;

        number++;
        if (line.size > 0 && line.data[line.size - 1] == '\r')
            line.size--;
        code = add_line(tokens, line, err);
        if (code != OK) {
            err_prefix(err, "%s, line %u", where, number);
            return code;
        }
    }
    for (size_t i = 0; i < tokens->count; i++)
        tokens->tokens[i].digest = (const uint8_t *)tokens->digests[i];
    return OK;
}

enum err_code
api_tokens_parse(struct bytes text, const char *where, struct api_tokens **out, struct err *err)
{
    struct api_tokens *tokens = mem_zeroed(1, sizeof *tokens, err);
    enum err_code code;

    if (tokens == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&tokens->references, 1);
    arena_init(&tokens->arena, 16 * (size_t)API_TOKENS_TEXT_BYTES_MAX);
    code = parse(tokens, text, where, err);
    if (code != OK) {
        api_tokens_drop(tokens);
        return code;
    }
    *out = tokens;
    return OK;
}

/* --- asking -------------------------------------------------------------------------------- */

void
api_token_digest(struct bytes token, uint8_t out[static API_TOKEN_DIGEST_BYTES])
{
    struct sha256_ctx hash;

    sha256_init(&hash);
    sha256_update(&hash, token.size, token.data);
    sha256_digest(&hash, API_TOKEN_DIGEST_BYTES, out);
}

const struct api_token *
api_tokens_find(const struct api_tokens *tokens,
                const uint8_t digest[static API_TOKEN_DIGEST_BYTES], uint64_t now_ms)
{
    uint64_t wanted[DIGEST_WORDS];
    size_t found = 0; /* its number from 1 on */

    memcpy(wanted, digest, sizeof wanted);
    for (size_t i = 0; i < tokens->count; i++) {
        uint64_t differs = 0;

        for (size_t k = 0; k < DIGEST_WORDS; k++)
            differs |= tokens->digests[i][k] ^ wanted[k];
        /* all ones where nothing differs, else nothing: no branch hangs on it */
        found |= (i + 1) & (size_t)(((differs | (0 - differs)) >> 63) - 1);
    }
    if (found == 0 || now_ms >= tokens->tokens[found - 1].until_ms)
        return NULL;
    return &tokens->tokens[found - 1];
}

/* After a mismatch goes back to the last '*' only: an earlier one can do no more than it. */
static bool
matches(struct bytes glob, struct bytes text)
{
    size_t g = 0, t = 0, star = SIZE_MAX, resume = 0;

    while (t < text.size) {
        if (g < glob.size && glob.data[g] == '*') {
            star = g++;
            resume = t;
        } else if (g < glob.size && (glob.data[g] == '?' || glob.data[g] == text.data[t])) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.size && glob.data[g] == '*')
        g++;
    return g == glob.size;
}

bool
api_token_covers(const struct api_token *token, struct bytes model)
{
    struct bytes rest = token->models, glob;

    if (rest.size == 0)
        return true;
    while (api_chars_next(&rest, ',', &glob))
        if (matches(glob, model))
            return true;
    return false;
}
