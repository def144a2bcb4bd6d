/* Text format, as far as this file can make use of it: a tokenizer, and a loop over fields. What
 * stands in unknown fields is passed over token by token, with a short stack of what is open. */
#include "api/file/state_file.h"

#include <inttypes.h>

#include "api/json/text.h"

enum { TEXT_BYTES_MAX = 40 /* of a token, in messages */ };

enum token_kind { TOKEN_END, TOKEN_STRING, TOKEN_WORD, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    struct bytes text; /* of strings: what stands between the quotes, still escaped */
};

struct lexer {
    struct bytes left;
    uint64_t line;
    struct token ahead; /* looked at, not taken */
};

static bool
is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '.' || c == '+' || c == '-';
}

static bool
is_sign(const struct token *token, char sign)
{
    return token->kind == TOKEN_SIGN && token->text.data[0] == (uint8_t)sign;
}

static enum err_code
fail(const struct lexer *lexer, struct err *err, const char *what, const struct token *token)
{
    char text[TEXT_BYTES_MAX + 1];
    struct bytes shown = token->kind == TOKEN_END ? bytes_of_text("the end") : token->text;
    size_t size = shown.size < TEXT_BYTES_MAX ? shown.size : TEXT_BYTES_MAX;

    for (size_t i = 0; i < size; i++)
        text[i] = shown.data[i] >= 0x20 && shown.data[i] < 0x7f ? (char)shown.data[i] : '?';
    text[size] = '\0';
    return err_set(err, ERR_INVALID_ARGUMENT, "line %" PRIu64 " of the file 'checkpoint': %s, '%s'",
                   lexer->line, what, text);
}

/* --- tokens -------------------------------------------------------------------------------- */

static void
skip(struct lexer *lexer, size_t size)
{
    lexer->left = bytes_of(lexer->left.data + size, lexer->left.size - size);
}

static void
skip_spaces(struct lexer *lexer)
{
    bool comment = false;

    while (lexer->left.size > 0) {
        uint8_t c = lexer->left.data[0];

        if (c == '\n') {
            lexer->line++;
            comment = false;
        } else if (c == '#') {
            comment = true;
        } else if (!comment && c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v') {
            return;
        }
        skip(lexer, 1);
    }
}

/* A string ends on its line. */
static enum err_code
lex_string(struct lexer *lexer, struct err *err)
{
    struct bytes left = lexer->left;

    for (size_t i = 1; i < left.size && left.data[i] != '\n'; i++) {
        if (left.data[i] == '\\' && i + 1 < left.size && left.data[i + 1] != '\n') {
            i++;
        } else if (left.data[i] == left.data[0]) {
            lexer->ahead = (struct token){TOKEN_STRING, bytes_of(left.data + 1, i - 1)};
            skip(lexer, i + 1);
            return OK;
        }
    }
    return fail(lexer, err, "a string is not closed", &(struct token){TOKEN_STRING, left});
}

/* Takes the token ahead; the next one comes ahead. */
static enum err_code
advance(struct lexer *lexer, struct err *err)
{
    size_t size = 0;

    skip_spaces(lexer);
    if (lexer->left.size == 0) {
        lexer->ahead = (struct token){TOKEN_END, lexer->left};
        return OK;
    }
    if (lexer->left.data[0] == '"' || lexer->left.data[0] == '\'')
        return lex_string(lexer, err);
    while (size < lexer->left.size && is_word(lexer->left.data[size]))
        size++;
    lexer->ahead = (struct token){TOKEN_WORD, bytes_of(lexer->left.data, size)};
    if (size == 0)
        lexer->ahead = (struct token){TOKEN_SIGN, bytes_of(lexer->left.data, size = 1)};
    skip(lexer, size);
    return OK;
}

/* --- strings ------------------------------------------------------------------------------- */

static int
digit_of(uint8_t c, unsigned base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;

    return value < (int)base ? value : -1;
}

/* Up to `most` digits at *in; how many there were. */
static unsigned
digits_at(struct bytes text, size_t at, unsigned base, unsigned most, uint32_t *value)
{
    unsigned count = 0;

    *value = 0;
    while (count < most && at + count < text.size && digit_of(text.data[at + count], base) >= 0)
        *value = *value * base + (uint32_t)digit_of(text.data[at + count++], base);
    return count;
}

/* The escape whose backslash stands at `at`: its bytes to `out` (never more than it is long), its
 * own length. 0: there is no such escape. */
static size_t
unescape_one(struct bytes text, size_t at, uint8_t *out, size_t *out_size)
{
    static const char simple[] = "abfnrtv\\'\"?", meant[] = "\a\b\f\n\r\t\v\\'\"?";
    uint8_t c = text.data[at + 1];
    const char *place = c == '\0' ? NULL : strchr(simple, c);
    unsigned count;
    uint32_t value;

    *out_size = 1;
    if (place != NULL) {
        *out = (uint8_t)meant[place - simple];
        return 2;
    }
    if (c == 'u' || c == 'U') {
        count = digits_at(text, at + 2, 16, c == 'u' ? 4 : 8, &value);
        if (count != (c == 'u' ? 4 : 8) || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return 0;
        *out_size = api_utf8_put(value, out);
        return 2 + count;
    }
    if (c == 'x' || c == 'X') {
        count = digits_at(text, at + 2, 16, 2, &value);
        *out = (uint8_t)value;
        return count == 0 ? 0 : 2 + count;
    }
    count = digits_at(text, at + 1, 8, 3, &value);
    *out = (uint8_t)value;
    return count == 0 || value > 0xff ? 0 : 1 + count;
}

/* Takes a string and those that stand right behind it, which are its continuation. */
static enum err_code
take_string(struct lexer *lexer, struct arena *arena, struct bytes *out, struct err *err)
{
    const uint8_t *begin = lexer->ahead.text.data;
    uint8_t *copy;
    size_t size = 0, step, wrote;

    if (lexer->ahead.kind != TOKEN_STRING)
        return fail(lexer, err, "a string in quotes is expected", &lexer->ahead);
    /* As long as what is left, at most: counted from here, so that pieces need no list. */
    for (struct lexer probe = *lexer; probe.ahead.kind == TOKEN_STRING;) {
        size = (size_t)(probe.ahead.text.data - begin) + probe.ahead.text.size;
        TRY(advance(&probe, err));
    }
    copy = arena_alloc(arena, size + 1, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    for (size = 0; lexer->ahead.kind == TOKEN_STRING;) {
        struct bytes text = lexer->ahead.text;

        for (size_t i = 0; i < text.size; i += step, size += wrote) {
            step = wrote = 1;
            copy[size] = text.data[i];
            if (text.data[i] == '\\')
                step = unescape_one(text, i, copy + size, &wrote);
            if (step == 0)
                return fail(lexer, err, "an escape that is none", &lexer->ahead);
            if (wrote == 1 && copy[size] == '\0')
                return fail(lexer, err, "a path with a NUL", &lexer->ahead);
        }
        TRY(advance(lexer, err));
    }
    *out = bytes_of(copy, size);
    return OK;
}

/* --- fields -------------------------------------------------------------------------------- */

static enum err_code
push_path(struct api_state_file *state, struct bytes path, struct arena *arena, struct err *err)
{
    struct bytes *more;

    if (state->path_count == API_STATE_FILE_PATHS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the file 'checkpoint' lists more than %d checkpoints",
                       API_STATE_FILE_PATHS_MAX);
    more = arena_grown(arena, state->paths, state->path_count, &state->path_capacity, sizeof *more,
                       err);
    if (more == NULL)
        return ERR_NO_MEMORY;
    state->paths = more;
    state->paths[state->path_count++] = path;
    return OK;
}

/* One value that nobody wants: text, number, list or message. */
static enum err_code
skip_value(struct lexer *lexer, struct err *err)
{
    char closes[API_STATE_FILE_DEPTH_MAX];
    size_t depth = 0;
    bool string = lexer->ahead.kind == TOKEN_STRING, minus;

    do {
        const struct token *token = &lexer->ahead;

        minus = bytes_equal(token->text, bytes_of_text("-")); /* its number may stand apart */

        if (token->kind == TOKEN_END)
            return fail(lexer, err, "a value is missing or not closed", token);
        if (is_sign(token, '{') || is_sign(token, '<') || is_sign(token, '[')) {
            if (depth == API_STATE_FILE_DEPTH_MAX)
                return fail(lexer, err, "too many fields inside one another", token);
            closes[depth++] = (char)(token->text.data[0] == '{'   ? '}'
                                     : token->text.data[0] == '<' ? '>'
                                                                  : ']');
        } else if (is_sign(token, '}') || is_sign(token, '>') || is_sign(token, ']')) {
            if (depth == 0 || !is_sign(token, closes[depth - 1]))
                return fail(lexer, err, "a bracket that closes nothing", token);
            depth--;
        } else if (depth == 0 && token->kind == TOKEN_SIGN) {
            return fail(lexer, err, "a value is expected", token);
        }
        TRY(advance(lexer, err));
    } while (depth > 0 || minus || (string && lexer->ahead.kind == TOKEN_STRING));
    return OK;
}

static enum err_code
read_paths(struct lexer *lexer, struct api_state_file *out, struct arena *arena, struct err *err)
{
    bool list = is_sign(&lexer->ahead, '[');
    struct bytes path;

    if (list)
        TRY(advance(lexer, err));
    while (!(list && is_sign(&lexer->ahead, ']'))) {
        TRY(take_string(lexer, arena, &path, err));
        TRY(push_path(out, path, arena, err));
        if (!list)
            return OK;
        if (is_sign(&lexer->ahead, ','))
            TRY(advance(lexer, err));
        else if (!is_sign(&lexer->ahead, ']'))
            return fail(lexer, err, "',' or ']' is expected", &lexer->ahead);
    }
    return advance(lexer, err);
}

static enum err_code
read_field(struct lexer *lexer, struct api_state_file *out, struct arena *arena, struct err *err)
{
    struct token name = lexer->ahead;
    bool known, latest = bytes_equal(name.text, bytes_of_text("model_checkpoint_path"));

    known = latest || bytes_equal(name.text, bytes_of_text("all_model_checkpoint_paths"));
    if (is_sign(&name, '['))
        TRY(skip_value(lexer, err)); /* an extension's name */
    else if (name.kind == TOKEN_WORD)
        TRY(advance(lexer, err));
    else
        return fail(lexer, err, "the name of a field is expected", &name);
    if (is_sign(&lexer->ahead, ':'))
        TRY(advance(lexer, err));
    else if (known || !(is_sign(&lexer->ahead, '{') || is_sign(&lexer->ahead, '<')))
        return fail(lexer, err, "':' is expected", &lexer->ahead);
    if (!known)
        return skip_value(lexer, err);
    if (!latest)
        return read_paths(lexer, out, arena, err);
    if (out->latest.data != NULL)
        return fail(lexer, err, "a field that may stand once is here again", &name);
    return take_string(lexer, arena, &out->latest, err);
}

enum err_code
api_state_file_read(struct bytes text, struct arena *arena, struct api_state_file *out,
                    struct err *err)
{
    struct lexer lexer = {.left = text, .line = 1};

    *out = (struct api_state_file){.path_count = 0};
    if (text.size > API_STATE_FILE_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the file 'checkpoint' has %zu bytes, at most %d are read", text.size,
                       API_STATE_FILE_BYTES_MAX);
    TRY(advance(&lexer, err));
    while (lexer.ahead.kind != TOKEN_END) {
        TRY(read_field(&lexer, out, arena, err));
        if (is_sign(&lexer.ahead, ',') || is_sign(&lexer.ahead, ';'))
            TRY(advance(&lexer, err));
    }
    return OK;
}

/* --- writing ------------------------------------------------------------------------------- */

enum err_code
api_state_file_add(struct api_state_file *state, struct bytes path, struct arena *arena,
                   struct err *err)
{
    struct api_state_file more = {.latest = path};
    size_t first = state->path_count == API_STATE_FILE_PATHS_MAX ? 1 : 0;

    for (size_t i = first; i < state->path_count; i++)
        if (!bytes_equal(state->paths[i], path))
            TRY(push_path(&more, state->paths[i], arena, err));
    TRY(push_path(&more, path, arena, err));
    *state = more;
    return OK;
}

static enum err_code
write_field(const char *name, struct bytes path, struct buf *out, struct err *err)
{
    TRY(buf_printf(out, err, "%s: \"", name));
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];

        if (c == '\n' || c == '\r' || c == '\t')
            TRY(buf_append_text(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", err));
        else if (c == '"' || c == '\'' || c == '\\')
            TRY(buf_printf(out, err, "\\%c", c));
        else if (c < 0x20 || c >= 0x7f)
            TRY(buf_printf(out, err, "\\%03o", c));
        else
            TRY(buf_append_byte(out, c, err));
    }
    return buf_append_text(out, "\"\n", err);
}

enum err_code
api_state_file_write(const struct api_state_file *state, struct buf *out, struct err *err)
{
    if (state->latest.data != NULL)
        TRY(write_field("model_checkpoint_path", state->latest, out, err));
    for (size_t i = 0; i < state->path_count; i++)
        TRY(write_field("all_model_checkpoint_paths", state->paths[i], out, err));
    return OK;
}
