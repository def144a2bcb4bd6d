/* The JSON grammar as a small state machine: `expect` says what may come, a bit per level whether
 * it is an object or an array. Strings are gone through eight bytes at a time until something needs
 * a look. */
#include "api/json/json_reader.h"

#include "api/json/number.h"
#include "api/json/text.h"

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after "[" */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* after "{" */
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING,
};

static const char *const expectations[] = {
    [EXPECT_VALUE] = "a value",
    [EXPECT_VALUE_OR_END] = "a value or ']'",
    [EXPECT_KEY] = "a key in double quotes",
    [EXPECT_KEY_OR_END] = "a key in double quotes or '}'",
    [EXPECT_COMMA_OR_END] = "',' or the end of the list or object",
    [EXPECT_NOTHING] = "the end of the text",
};

struct api_json_reader
api_json_reader_of(struct bytes text)
{
    return (struct api_json_reader){.text = text, .expect = EXPECT_VALUE};
}

static enum err_code
unexpected(const struct api_json_reader *r, struct err *err)
{
    const char *wanted = expectations[r->expect];
    uint8_t c;

    if (r->at >= r->text.size)
        return err_set(err, ERR_INVALID_ARGUMENT, "JSON: the text ends at byte %zu, expected %s",
                       r->at, wanted);
    c = r->text.data[r->at];
    if (c > ' ' && c < 0x7f)
        return err_set(err, ERR_INVALID_ARGUMENT, "JSON: byte %zu is '%c', expected %s", r->at, c,
                       wanted);
    return err_set(err, ERR_INVALID_ARGUMENT, "JSON: byte %zu is 0x%02x, expected %s", r->at,
                   (unsigned)c, wanted);
}

static bool
is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* "\uXXXX" at p: its surrogate class is 0 none, 1 high, 2 low, -1 no such escape. */
static int
unicode_escape(const uint8_t *p, size_t left)
{
    if (left < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++)
        if (!is_hex(p[i]))
            return -1;
    if ((p[2] | 0x20) != 'd' || p[3] < '8') /* letters are above '8' too */
        return 0;
    return (p[3] | 0x20) < 'c' ? 1 : 2;
}

/* How long the escape at p is, 0 when it is none. */
static size_t
escape_size(const uint8_t *p, size_t left)
{
    int class;

    if (left < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] != 0 && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    class = unicode_escape(p, left);
    if (class == 0)
        return 6;
    return class == 1 && unicode_escape(p + 6, left - 6) == 2 ? 12 : 0;
}

/* True when one of eight bytes is a quote, a backslash, a control character or not ASCII. */
static bool
needs_a_look(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t v, quote, backslash;

    memcpy(&v, p, sizeof v);
    quote = v ^ ones * '"';
    backslash = v ^ ones * '\\';
    return ((v | (v - ones * 0x20) | ((quote - ones) & ~quote) |
             ((backslash - ones) & ~backslash)) &
            tops) != 0;
}

/* r->at is at the opening quote; leaves it behind the closing one. */
static enum err_code
skip_string(struct api_json_reader *r, struct err *err)
{
    const uint8_t *text = r->text.data;
    size_t size = r->text.size, at = r->at + 1, step;

    while (at < size) {
        uint8_t c = text[at];

        if (size - at >= 8 && !needs_a_look(text + at)) {
            at += 8;
        } else if (c == '"') {
            r->at = at + 1;
            return OK;
        } else if (c == '\\') {
            step = escape_size(text + at, size - at);
            if (step == 0)
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "JSON: byte %zu: no such escape, or half of a surrogate pair", at);
            at += step;
        } else if (c < 0x20) {
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "JSON: byte %zu: control character 0x%02x in a string", at, (unsigned)c);
        } else if (c < 0x80) {
            at++;
        } else {
            step = api_utf8_character(bytes_of(text + at, size - at));
            if (step == 0)
                return err_set(err, ERR_INVALID_ARGUMENT, "JSON: byte %zu is not valid UTF-8", at);
            at += step;
        }
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "JSON: the string that begins at byte %zu never ends",
                   r->at);
}

static void
skip_space(struct api_json_reader *r)
{
    const uint8_t *text = r->text.data;

    while (r->at < r->text.size && (text[r->at] == ' ' || text[r->at] == '\n' ||
                                    text[r->at] == '\r' || text[r->at] == '\t'))
        r->at++;
}

/* After a value or a closing bracket. */
static void
value_done(struct api_json_reader *r)
{
    r->expect = r->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

static enum err_code
open_level(struct api_json_reader *r, bool object, struct err *err)
{
    if (r->depth == API_JSON_DEPTH_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "JSON: byte %zu: nested deeper than %d lists and objects", r->at,
                       API_JSON_DEPTH_MAX);
    r->in_object &= ~(UINT64_C(1) << r->depth);
    r->in_object |= (uint64_t)object << r->depth;
    r->depth++;
    r->at++;
    r->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return OK;
}

static bool
inside_object(const struct api_json_reader *r)
{
    return r->depth > 0 && (r->in_object >> (r->depth - 1) & 1) != 0;
}

static enum err_code
take_word(struct api_json_reader *r, const char *word, struct err *err)
{
    struct bytes rest = bytes_of(r->text.data + r->at, r->text.size - r->at);

    if (!bytes_start_with(rest, bytes_of_text(word)))
        return unexpected(r, err);
    r->at += strlen(word);
    value_done(r);
    return OK;
}

static enum err_code
take_number(struct api_json_reader *r, struct err *err)
{
    const char *text = (const char *)r->text.data + r->at;
    size_t length = api_number_length(text, r->text.size - r->at);

    if (length == 0)
        return unexpected(r, err);
    r->at += length;
    value_done(r);
    return OK;
}

static enum err_code
take_value(struct api_json_reader *r, struct api_json_token *out, struct err *err)
{
    switch (r->text.data[r->at]) {
    case '{':
        out->kind = API_JSON_OBJECT;
        return open_level(r, true, err);
    case '[':
        out->kind = API_JSON_ARRAY;
        return open_level(r, false, err);
    case '"':
        out->kind = API_JSON_STRING;
        TRY(skip_string(r, err));
        value_done(r);
        return OK;
    case 't':
        out->kind = API_JSON_TRUE;
        return take_word(r, "true", err);
    case 'f':
        out->kind = API_JSON_FALSE;
        return take_word(r, "false", err);
    case 'n':
        out->kind = API_JSON_NULL;
        return take_word(r, "null", err);
    default:
        out->kind = API_JSON_NUMBER;
        return take_number(r, err);
    }
}

static enum err_code
take_key(struct api_json_reader *r, struct api_json_token *out, struct err *err)
{
    out->kind = API_JSON_KEY;
    if (r->text.data[r->at] != '"')
        return unexpected(r, err);
    TRY(skip_string(r, err));
    out->end = r->at;
    skip_space(r);
    if (r->at == r->text.size || r->text.data[r->at] != ':')
        return err_set(err, ERR_INVALID_ARGUMENT, "JSON: byte %zu: expected ':' after a key",
                       r->at);
    r->at++;
    r->expect = EXPECT_VALUE;
    return OK;
}

/* A closing bracket, if one is there and may be. */
static bool
take_end(struct api_json_reader *r, struct api_json_token *out)
{
    bool object = inside_object(r);

    if (r->expect == EXPECT_VALUE || r->expect == EXPECT_KEY || r->expect == EXPECT_NOTHING ||
        r->text.data[r->at] != (object ? '}' : ']'))
        return false;
    out->kind = object ? API_JSON_OBJECT_END : API_JSON_ARRAY_END;
    r->depth--;
    r->at++;
    value_done(r);
    return true;
}

enum err_code
api_json_next(struct api_json_reader *r, struct api_json_token *out, struct err *err)
{
    skip_space(r);
    out->kind = API_JSON_END;
    out->begin = out->end = r->at;
    if (r->expect == EXPECT_NOTHING && r->at == r->text.size)
        return OK;
    if (r->expect == EXPECT_NOTHING || r->at == r->text.size)
        return unexpected(r, err);
    if (r->depth > 0 && take_end(r, out)) {
        out->end = r->at;
        return OK;
    }
    if (r->expect == EXPECT_COMMA_OR_END) {
        if (r->text.data[r->at] != ',')
            return unexpected(r, err);
        r->at++;
        r->expect = inside_object(r) ? EXPECT_KEY : EXPECT_VALUE;
        skip_space(r);
        out->begin = r->at;
        if (r->at == r->text.size)
            return unexpected(r, err);
    }
    if (r->expect == EXPECT_KEY || r->expect == EXPECT_KEY_OR_END)
        return take_key(r, out, err);
    TRY(take_value(r, out, err));
    out->end = r->at;
    return OK;
}

enum err_code
api_json_skip(struct api_json_reader *r, const struct api_json_token *first, struct err *err)
{
    struct api_json_token token = *first;
    uint32_t outside;

    if (first->kind != API_JSON_OBJECT && first->kind != API_JSON_ARRAY)
        return OK;
    outside = r->depth - 1;
    while (r->depth > outside)
        TRY(api_json_next(r, &token, err));
    return OK;
}

struct bytes
api_json_inner(const struct api_json_reader *reader, const struct api_json_token *token)
{
    return bytes_of(reader->text.data + token->begin + 1, token->end - token->begin - 2);
}
