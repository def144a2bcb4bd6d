/* The npy header: a magic string, a version, a length, and a Python literal.
 *
 *     93 'N' 'U' 'M' 'P' 'Y' | major | minor | length (u16 in 1.0; u32 in 2.0 and 3.0) | literal
 *
 * The literal is a dict with exactly descr, fortran_order and shape. It is read by a tokenizer for
 * just that, never evaluated. Writers differ: key order, quotes, spaces and newlines anywhere, a
 * trailing comma or none, the padding before or after the newline, Python 2's "3L"; all of that is
 * accepted. A list in place of the tuple, numbers in place of booleans, a fourth key, a key twice:
 * refused. */
#include "api/wire/npy.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/base/scope.h"

enum {
    MAGIC_BYTES = 6,
    V1_PREFIX_BYTES = 10,
    ALIGNMENT = 64,
    TOKEN_TEXT_BYTES_MAX = 40, /* of a token, in messages */
    PARTS_DEPTH_MAX = 16,
    LITERAL_BYTES_MAX = 1024, /* of a header we write: 32 dimensions of 15 digits */
};

static const char magic[] = "\x93NUMPY";

enum err_code
api_npy_header_size(struct bytes prefix, size_t *out, struct err *err)
{
    uint64_t length;
    size_t before;

    if (prefix.size < V1_PREFIX_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT, "npy: the file ends after %zu bytes",
                       prefix.size);
    if (memcmp(prefix.data, magic, MAGIC_BYTES) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "this is no npy file: it lacks NumPy's magic bytes");
    if (prefix.data[6] < 1 || prefix.data[6] > 3 || prefix.data[7] != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "npy: version %u.%u; 1.0, 2.0 and 3.0 are supported", prefix.data[6],
                       prefix.data[7]);
    before = prefix.data[6] == 1 ? V1_PREFIX_BYTES : API_NPY_PREFIX_BYTES;
    if (prefix.size < before)
        return err_set(err, ERR_INVALID_ARGUMENT, "npy: the file ends after %zu bytes",
                       prefix.size);
    length = prefix.data[8] | (uint64_t)prefix.data[9] << 8;
    if (before == API_NPY_PREFIX_BYTES)
        length |= (uint64_t)prefix.data[10] << 16 | (uint64_t)prefix.data[11] << 24;
    if (length > API_NPY_HEADER_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "npy: a header of %" PRIu64 " bytes, the limit is %d", length,
                       API_NPY_HEADER_BYTES_MAX);
    *out = before + (size_t)length;
    return OK;
}

/* --- tokens -------------------------------------------------------------------------------- */

enum token_kind { TOKEN_END, TOKEN_SIGN, TOKEN_STRING, TOKEN_INTEGER, TOKEN_WORD, TOKEN_BAD };

struct token {
    enum token_kind kind;
    struct bytes text; /* strings without their quotes */
    uint64_t integer;
};

struct lexer {
    struct bytes left;
    enum api_npy_v2 v2;
};

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(uint8_t c)
{
    return is_digit(c) || c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static struct token
lex_string(struct bytes left)
{
    for (size_t i = 1; i < left.size && left.data[i] != '\\' && left.data[i] != '\n'; i++)
        if (left.data[i] == left.data[0])
            return (struct token){.kind = TOKEN_STRING, .text = bytes_of(left.data + 1, i - 1)};
    return (struct token){.kind = TOKEN_BAD, .text = left};
}

/* Digits with Python 2's "L" or without; more than 64 bits is bad. */
static struct token
lex_integer(struct bytes word)
{
    struct token token = {.kind = TOKEN_INTEGER, .text = word};
    size_t digits = word.size - (word.data[word.size - 1] == 'L');

    for (size_t i = 0; i < digits; i++)
        if (!is_digit(word.data[i]) ||
            __builtin_mul_overflow(token.integer, (uint64_t)10, &token.integer) ||
            __builtin_add_overflow(token.integer, (uint64_t)(word.data[i] - '0'), &token.integer))
            token.kind = TOKEN_BAD;
    return token;
}

static struct token
next_token(struct lexer *lexer)
{
    struct bytes left = lexer->left;
    struct token token = {.kind = TOKEN_END};
    size_t size = 0;

    while (left.size > 0 && is_space(left.data[0]))
        left = bytes_of(left.data + 1, left.size - 1);
    token.text = left;
    if (left.size > 0 && (left.data[0] == '\'' || left.data[0] == '"')) {
        token = lex_string(left);
        size = token.kind == TOKEN_STRING ? token.text.size + 2 : 0;
    } else if (left.size > 0 && is_word(left.data[0])) {
        while (size < left.size && is_word(left.data[size]))
            size++;
        token = (struct token){.kind = TOKEN_WORD, .text = bytes_of(left.data, size)};
        if (is_digit(left.data[0]))
            token = lex_integer(token.text);
    } else if (left.size > 0) {
        size = 1;
        token = (struct token){.kind = TOKEN_SIGN, .text = bytes_of(left.data, 1)};
    }
    lexer->left = bytes_of(left.data + size, left.size - size);
    return token;
}

static bool
is_sign(const struct token *token, char sign)
{
    return token->kind == TOKEN_SIGN && token->text.data[0] == (uint8_t)sign;
}

static bool
is_text(const struct token *token, enum token_kind kind, const char *text)
{
    return token->kind == kind && bytes_equal(token->text, bytes_of_text(text));
}

/* The token's text for a message: cut, and only what prints. */
static const char *
token_text(const struct token *token, char out[static TOKEN_TEXT_BYTES_MAX + 1])
{
    struct bytes text = token->kind == TOKEN_END ? bytes_of_text("the end") : token->text;
    size_t size = text.size < TOKEN_TEXT_BYTES_MAX ? text.size : TOKEN_TEXT_BYTES_MAX;

    for (size_t i = 0; i < size; i++)
        out[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char)text.data[i] : '?';
    out[size] = '\0';
    return out;
}

static enum err_code
unexpected(const struct token *token, const char *wanted, struct err *err)
{
    char text[TOKEN_TEXT_BYTES_MAX + 1];

    return err_set(err, ERR_INVALID_ARGUMENT, "npy: the header has %s where %s is expected",
                   token_text(token, text), wanted);
}

/* --- values -------------------------------------------------------------------------------- */

/* A dtype of parts: a list or tuple, passed over to its end. `token` is its first bracket. */
static enum err_code
skip_parts(struct lexer *lexer, struct token token, struct err *err)
{
    char closes[PARTS_DEPTH_MAX];
    size_t depth = 0;

    for (;; token = next_token(lexer)) {
        if (token.kind == TOKEN_END || token.kind == TOKEN_BAD)
            return unexpected(&token, "the end of a dtype", err);
        if (token.kind != TOKEN_SIGN)
            continue;
        if (strchr("([{", token.text.data[0]) != NULL) {
            if (depth == PARTS_DEPTH_MAX)
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "npy: a dtype of more than %d parts inside one another",
                               PARTS_DEPTH_MAX);
            closes[depth++] = (char)(token.text.data[0] == '('   ? ')'
                                     : token.text.data[0] == '[' ? ']'
                                                                 : '}');
        } else if (strchr(")]}", token.text.data[0]) != NULL) {
            if (!is_sign(&token, closes[--depth]))
                return unexpected(&token, "the bracket that closes", err);
            if (depth == 0)
                return OK;
        }
    }
}

/* The dtype of a type code; DTYPE_UNSET: none of ours. */
static enum dtype
dtype_of_code(struct bytes code, enum api_npy_v2 v2)
{
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        const char *descr = dtype_info((enum dtype)i)->npy_descr;

        if (descr != NULL && bytes_equal(code, bytes_of_text(descr + 1)))
            return (enum dtype)i;
    }
    if (v2 == API_NPY_V2_BFLOAT16 && bytes_equal(code, bytes_of_text("V2")))
        return DTYPE_BFLOAT16;
    return DTYPE_UNSET;
}

/* NumPy's type codes: byte order, kind, size. */
static enum err_code
read_descr(struct lexer *lexer, struct api_npy_header *out, struct err *err)
{
    struct token token = next_token(lexer);
    char text[TOKEN_TEXT_BYTES_MAX + 1];
    struct bytes code = token.text;
    char order = '|';

    if (is_sign(&token, '[') || is_sign(&token, '(')) {
        snprintf(out->refused, sizeof out->refused, "structured dtypes are not supported");
        return skip_parts(lexer, token, err);
    }
    if (token.kind != TOKEN_STRING)
        return unexpected(&token, "the text of a dtype", err);
    if (code.size > 0 && memchr("<>|=", code.data[0], 4) != NULL) {
        order = (char)code.data[0];
        code = bytes_of(code.data + 1, code.size - 1);
    }
    out->type.dtype = dtype_of_code(code, lexer->v2);
    out->big_endian = order == '>';
    if (out->type.dtype != DTYPE_UNSET)
        return OK;
    snprintf(out->refused, sizeof out->refused,
             bytes_equal(code, bytes_of_text("V2"))
                 ? "dtype '%s' has no meaning of its own; if it is bfloat16, which NumPy writes "
                   "so, say npy_v2=bfloat16"
                 : "dtype '%s' is not supported: bool, integers to 64 bits, float16 to float64 and "
                   "complex are",
             token_text(&token, text));
    return OK;
}

static enum err_code
read_fortran_order(struct lexer *lexer, struct api_npy_header *out, struct err *err)
{
    struct token token = next_token(lexer);

    if (!is_text(&token, TOKEN_WORD, "True") && !is_text(&token, TOKEN_WORD, "False"))
        return unexpected(&token, "True or False", err);
    out->fortran_order = token.text.data[0] == 'T';
    return OK;
}

/* A tuple: (), (5,), (2, 3), (2, 3,). "(5)" is no tuple in Python. */
static enum err_code
read_shape(struct lexer *lexer, struct api_npy_header *out, struct err *err)
{
    struct shape *shape = &out->type.shape;
    struct token token = next_token(lexer);
    bool comma = false;

    shape->rank = 0;
    if (!is_sign(&token, '('))
        return unexpected(&token, "a tuple", err);
    for (token = next_token(lexer); !is_sign(&token, ')'); token = next_token(lexer)) {
        if (token.kind != TOKEN_INTEGER)
            return unexpected(&token, "a dimension below 2^64", err);
        if (shape->rank == SHAPE_RANK_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT, "npy: more than %d dimensions",
                           SHAPE_RANK_MAX);
        shape->dims[shape->rank++] = token.integer;
        token = next_token(lexer);
        comma = is_sign(&token, ',');
        if (is_sign(&token, ')'))
            break;
        if (!comma)
            return unexpected(&token, "',' or ')'", err);
    }
    if (shape->rank == 1 && !comma)
        return unexpected(&token, "',' as in (5,)", err);
    return shape_check(shape, err);
}

static const struct {
    const char *key;
    enum err_code (*read)(struct lexer *lexer, struct api_npy_header *out, struct err *err);
} keys[] = {{"descr", read_descr}, {"fortran_order", read_fortran_order}, {"shape", read_shape}};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

/* One `key: value`; `token` is the key. */
static enum err_code
read_entry(struct lexer *lexer, const struct token *key, bool seen[static KEY_COUNT],
           struct api_npy_header *out, struct err *err)
{
    struct token colon = next_token(lexer);
    char text[TOKEN_TEXT_BYTES_MAX + 1];

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!is_text(key, TOKEN_STRING, keys[i].key) || seen[i])
            continue;
        if (!is_sign(&colon, ':'))
            return unexpected(&colon, "':'", err);
        seen[i] = true;
        return keys[i].read(lexer, out, err);
    }
    return err_set(
        err, ERR_INVALID_ARGUMENT,
        "npy: the header has %s where one of descr, fortran_order, shape is expected, each "
        "once",
        token_text(key, text));
}

static enum err_code
read_dict(struct lexer *lexer, struct api_npy_header *out, struct err *err)
{
    bool seen[KEY_COUNT] = {false};
    struct token token = next_token(lexer);

    if (!is_sign(&token, '{'))
        return unexpected(&token, "'{'", err);
    for (token = next_token(lexer); !is_sign(&token, '}'); token = next_token(lexer)) {
        TRY(read_entry(lexer, &token, seen, out, err));
        token = next_token(lexer);
        if (is_sign(&token, '}'))
            break;
        if (!is_sign(&token, ','))
            return unexpected(&token, "',' or '}'", err);
    }
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (!seen[i])
            return err_set(err, ERR_INVALID_ARGUMENT, "npy: the header lacks %s", keys[i].key);
    token = next_token(lexer);
    if (token.kind != TOKEN_END)
        return unexpected(&token, "the end of the header", err);
    return OK;
}

enum err_code
api_npy_header_look(struct bytes header, enum api_npy_v2 v2, struct api_npy_header *out,
                    struct err *err)
{
    struct api_npy_header decoded = {.big_endian = false};
    struct lexer lexer = {.v2 = v2};
    size_t size = 0, before;

    TRY(api_npy_header_size(header, &size, err));
    if (header.size < size)
        return err_set(err, ERR_INVALID_ARGUMENT, "npy: the header has %zu bytes, the file %zu",
                       size, header.size);
    before = header.data[6] == 1 ? V1_PREFIX_BYTES : API_NPY_PREFIX_BYTES;
    lexer.left = bytes_of(header.data + before, size - before);
    TRY(read_dict(&lexer, &decoded, err));
    if (decoded.refused[0] == '\0' && dtype_size(decoded.type.dtype) == 1)
        decoded.big_endian = false;
    *out = decoded;
    return OK;
}

enum err_code
api_npy_header_decode(struct bytes header, enum api_npy_v2 v2, struct api_npy_header *out,
                      struct err *err)
{
    TRY(api_npy_header_look(header, v2, out, err));
    return out->refused[0] == '\0' ? OK
                                   : err_set(err, ERR_INVALID_ARGUMENT, "npy: %s", out->refused);
}

/* --- writing ------------------------------------------------------------------------------- */

enum err_code
api_npy_header_encode(const struct tensor_type *type, enum api_npy_v2 v2, struct buf *out,
                      struct err *err)
{
    const struct dtype_info *info = dtype_info(type->dtype);
    const char *descr = info->npy_descr;
    AUTO(buf) literal = {0};
    size_t whole;
    uint8_t *room = NULL;

    if (type->dtype == DTYPE_BFLOAT16 && v2 == API_NPY_V2_BFLOAT16)
        descr = "|V2";
    if (descr == NULL)
        return err_set(err, ERR_NOT_ACCEPTABLE, "npy has no name for %s", info->name);
    buf_init(&literal, LITERAL_BYTES_MAX);
    TRY(buf_printf(&literal, err, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr));
    for (uint32_t i = 0; i < type->shape.rank; i++)
        TRY(buf_printf(&literal, err, i == 0 ? "%" PRIu64 : ", %" PRIu64, type->shape.dims[i]));
    TRY(buf_append_text(&literal, type->shape.rank == 1 ? ",), }" : "), }", err));
    whole = (V1_PREFIX_BYTES + literal.size + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    TRY(buf_reserve(out, whole, &room, err));
    memset(room, ' ', whole);
    memcpy(room, magic, MAGIC_BYTES);
    room[6] = 1;
    room[7] = 0;
    room[8] = (uint8_t)(whole - V1_PREFIX_BYTES);
    room[9] = (uint8_t)((whole - V1_PREFIX_BYTES) >> 8);
    memcpy(room + V1_PREFIX_BYTES, literal.data, literal.size);
    room[whole - 1] = '\n';
    buf_commit(out, whole);
    return OK;
}
