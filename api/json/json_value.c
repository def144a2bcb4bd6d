/* One value of a document: what it is, where it stands, and the plain readings of it. */
#include <math.h>

#include "api/json/json_doc.h"
#include "api/json/number.h"
#include "api/json/text.h"
#include "store/base/check.h"

enum { PATH_LEVELS_MAX = API_JSON_DEPTH_MAX + 1, QUOTED_BYTES_MAX = 40 };

static const char *const kind_names[] = {
    [API_NULL] = "null",   [API_BOOL] = "true or false", [API_NUMBER] = "a number",
    [API_TEXT] = "a text", [API_ARRAY] = "a list",       [API_OBJECT] = "an object",
};

struct api_value
api_value_of_text(const struct api_json *doc, struct bytes text, const struct api_value *parent,
                  size_t index)
{
    return (struct api_value){.doc = doc, .text = text, .parent = parent, .index = index};
}

struct api_value
api_value_of_json(const struct api_json *doc, const json_t *json, const struct api_value *parent,
                  const char *key, size_t index)
{
    struct api_value value = {
        .doc = doc, .json = json, .parent = parent, .key = key, .index = index};

    switch (json_typeof(json)) {
    case JSON_INTEGER: {
        size_t span = (size_t)json_integer_value(json);

        CHECK(span < doc->span_count);
        value.text = doc->spans[span];
        break;
    }
    case JSON_TRUE:
        value.text = bytes_of_text("true");
        break;
    case JSON_FALSE:
        value.text = bytes_of_text("false");
        break;
    case JSON_NULL:
        value.text = bytes_of_text("null");
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_STRING: /* neither of the last two is in an envelope */
    case JSON_REAL:
        return value;
    }
    value.json = NULL;
    return value;
}

struct api_value
api_json_root(const struct api_json *doc)
{
    return api_value_of_json(doc, doc->root, NULL, NULL, 0);
}

enum api_value_kind
api_value_kind(const struct api_value *value)
{
    if (value->json != NULL)
        return json_is_object(value->json) ? API_OBJECT : API_ARRAY;
    switch (value->text.data[0]) {
    case '"':
        return API_TEXT;
    case '[':
        return API_ARRAY;
    case 't':
    case 'f':
        return API_BOOL;
    case 'n':
        return API_NULL;
    default:
        return API_NUMBER;
    }
}

const char *
api_value_where(const struct api_value *value, char out[static API_WHERE_BYTES_MAX])
{
    const struct api_value *levels[PATH_LEVELS_MAX];
    char path[API_WHERE_BYTES_MAX - 16];
    size_t count = 0, size = 0;

    for (const struct api_value *v = value; v->parent != NULL && count < PATH_LEVELS_MAX;
         v = v->parent)
        levels[count++] = v;
    if (count == 0) {
        snprintf(out, API_WHERE_BYTES_MAX, "the body");
        return out;
    }
    path[0] = '\0';
    while (count-- > 0 && size < sizeof path) {
        const struct api_value *v = levels[count];
        int more = v->key == NULL ? snprintf(path + size, sizeof path - size, "[%zu]", v->index)
                                  : snprintf(path + size, sizeof path - size, "%s%s",
                                             size > 0 ? "." : "", v->key);

        size += (size_t)more;
    }
    if (size >= sizeof path) /* cut, but not within a character */
        path[api_utf8_cut(bytes_of(path, sizeof path), sizeof path - 1)] = '\0';
    path[api_utf8_prefix(bytes_of_text(path))] = '\0';
    snprintf(out, API_WHERE_BYTES_MAX, "field '%s'", path);
    return out;
}

enum err_code
api_value_mismatch(const struct api_value *value, const char *wanted, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT, "%s must be %s, it is %s",
                   api_value_where(value, where), wanted, kind_names[api_value_kind(value)]);
}

static enum err_code
not_readable(const struct api_value *value, const char *problem, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT, "%s %s", api_value_where(value, where), problem);
}

static struct bytes
inner_of(struct bytes quoted)
{
    return bytes_of(quoted.data + 1, quoted.size - 2);
}

enum err_code
api_value_text(const struct api_value *value, struct arena *arena, const char **out,
               struct err *err)
{
    struct bytes inner;
    size_t size;
    char *text;

    if (api_value_kind(value) != API_TEXT)
        return api_value_mismatch(value, "a text", err);
    inner = inner_of(value->text);
    text = arena_alloc(arena, inner.size + 1, err);
    if (text == NULL)
        return api_arena_failure(err);
    size = api_json_unescape(inner, (uint8_t *)text);
    text[size] = '\0';
    if (strlen(text) != size)
        return not_readable(value, "holds a zero character", err);
    *out = text;
    return OK;
}

enum err_code
api_value_bool(const struct api_value *value, bool *out, struct err *err)
{
    if (api_value_kind(value) != API_BOOL)
        return api_value_mismatch(value, "true or false", err);
    *out = value->text.data[0] == 't';
    return OK;
}

static bool
number_of(const struct api_value *value, struct api_number *out)
{
    return api_value_kind(value) == API_NUMBER &&
           api_number_scan((const char *)value->text.data, value->text.size, out) > 0;
}

enum err_code
api_value_i64(const struct api_value *value, int64_t *out, struct err *err)
{
    struct api_number number;

    if (!number_of(value, &number))
        return api_value_mismatch(value, "an integer", err);
    if (!number.integer)
        return not_readable(value, "must be an integer, it has a fraction or an exponent", err);
    if (!api_number_as_i64(&number, out))
        return not_readable(value, "is outside int64", err);
    return OK;
}

bool
api_json_nonfinite(struct bytes text, double *out)
{
    if (bytes_equal(text, bytes_of_text("\"NaN\"")))
        *out = (double)NAN;
    else if (bytes_equal(text, bytes_of_text("\"Infinity\"")))
        *out = (double)INFINITY;
    else if (bytes_equal(text, bytes_of_text("\"-Infinity\"")))
        *out = -(double)INFINITY;
    else
        return false;
    return true;
}

enum err_code
api_value_f64(const struct api_value *value, double *out, struct err *err)
{
    struct api_number number;

    if (value->json == NULL && api_json_nonfinite(value->text, out))
        return OK;
    if (!number_of(value, &number))
        return api_value_mismatch(value, "a number", err);
    if (!api_number_as_f64(&number, out))
        return not_readable(value, "overflows float64", err);
    return OK;
}

/* --- lists --------------------------------------------------------------------------------- */

size_t
api_value_length(const struct api_value *value)
{
    return value->json == NULL ? 0 : json_array_size(value->json);
}

struct api_value
api_value_at(const struct api_value *value, size_t index)
{
    CHECK(index < api_value_length(value));
    return api_value_of_json(value->doc, json_array_get(value->json, index), value, NULL, index);
}

/* The elements of a list that stands in a span. First call with NULL to learn the count. */
static size_t
split_span(const struct api_value *value, struct api_value *out)
{
    struct api_json_reader reader = api_json_reader_of(value->text);
    struct api_json_token token;
    size_t count = 0;

    if (api_json_next(&reader, &token, NULL) != OK)
        return 0;
    while (api_json_next(&reader, &token, NULL) == OK && reader.depth > 0) {
        size_t begin = token.begin;

        if (api_json_skip(&reader, &token, NULL) != OK)
            break;
        if (out != NULL)
            out[count] = api_value_of_text(
                value->doc, bytes_of(value->text.data + begin, reader.at - begin), value, count);
        count++;
    }
    return count;
}

enum err_code
api_value_elements(const struct api_value *value, struct arena *arena, struct api_value **out,
                   size_t *count, struct err *err)
{
    struct api_value *values;
    size_t length;

    if (api_value_kind(value) != API_ARRAY)
        return api_value_mismatch(value, "a list", err);
    length = value->json != NULL ? json_array_size(value->json) : split_span(value, NULL);
    values = arena_array(arena, length, sizeof *values, err);
    if (values == NULL)
        return api_arena_failure(err);
    if (value->json == NULL)
        length = split_span(value, values);
    else
        for (size_t i = 0; i < length; i++)
            values[i] = api_value_at(value, i);
    *out = values;
    *count = length;
    return OK;
}

/* The dimension that `token` is, appended. */
static enum err_code
add_dim(const struct api_value *value, const struct api_json_token *token, struct shape *shape,
        struct err *err)
{
    struct bytes text = bytes_of(value->text.data + token->begin, token->end - token->begin);
    char problem[QUOTED_BYTES_MAX + 96];

    if (shape->rank == SHAPE_RANK_MAX) {
        snprintf(problem, sizeof problem, "has more than %d dimensions", SHAPE_RANK_MAX);
        return not_readable(value, problem, err);
    }
    if (token->kind != API_JSON_NUMBER ||
        !api_number_u64((const char *)text.data, text.size, &shape->dims[shape->rank])) {
        snprintf(problem, sizeof problem, "must hold integers that are not negative; [%u] is %.*s",
                 shape->rank, (int)api_utf8_cut(text, QUOTED_BYTES_MAX), (const char *)text.data);
        return not_readable(value, problem, err);
    }
    shape->rank++;
    return OK;
}

enum err_code
api_value_shape(const struct api_value *value, struct shape *out, struct err *err)
{
    struct api_json_reader reader;
    struct api_json_token token;
    struct shape shape = {.rank = 0};

    if (api_value_kind(value) != API_ARRAY)
        return api_value_mismatch(value, "a list of integers", err);
    if (value->json != NULL)
        return not_readable(value, "must be a list of integers, it holds objects", err);
    reader = api_json_reader_of(value->text);
    TRY(api_json_next(&reader, &token, err));
    TRY(api_json_next(&reader, &token, err));
    while (token.kind != API_JSON_ARRAY_END) {
        TRY(add_dim(value, &token, &shape, err));
        TRY(api_json_next(&reader, &token, err));
    }
    TRY(shape_check(&shape, err));
    *out = shape;
    return OK;
}

enum err_code
api_value_dtype(const struct api_value *value, enum dtype *out, struct err *err)
{
    char name[QUOTED_BYTES_MAX + 1] = "", where[API_WHERE_BYTES_MAX];
    const char *names[DTYPE_COUNT], *near;
    struct bytes inner;

    if (api_value_kind(value) != API_TEXT)
        return api_value_mismatch(value, "the name of a dtype", err);
    inner = inner_of(value->text);
    if (inner.size <= QUOTED_BYTES_MAX)
        name[api_json_unescape(inner, (uint8_t *)name)] = '\0';
    if (dtype_of_name(bytes_of_text(name), out))
        return OK;
    for (unsigned i = 0; i < DTYPE_COUNT; i++)
        names[i] = dtype_name((enum dtype)i);
    near = api_nearest_name(name, names, DTYPE_COUNT);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: unknown dtype '%s'%s%s%s",
                   api_value_where(value, where), name, near == NULL ? "" : ": did you mean '",
                   near == NULL ? "" : near, near == NULL ? "" : "'?");
}

enum err_code
api_value_texts(const struct api_value *value, struct arena *arena, const char ***out,
                size_t *count, struct err *err)
{
    struct api_value *values = NULL;
    const char **texts;
    size_t length = 0;

    TRY(api_value_elements(value, arena, &values, &length, err));
    texts = arena_array(arena, length, sizeof *texts, err);
    if (texts == NULL)
        return api_arena_failure(err);
    for (size_t i = 0; i < length; i++)
        TRY(api_value_text(&values[i], arena, &texts[i], err));
    *out = texts;
    *count = length;
    return OK;
}

enum err_code
api_value_fields(const struct api_value *value, struct arena *arena, const char ***names,
                 struct api_value **values, size_t *count, struct err *err)
{
    size_t length, i = 0;
    const char *key;
    json_t *field;
    json_t *object;

    if (api_value_kind(value) != API_OBJECT)
        return api_value_mismatch(value, "an object", err);
    object =
        (json_t *)(uintptr_t)value->json; /* jansson's iterators are not const; nothing changes */
    length = json_object_size(object);
    *names = arena_array(arena, length, sizeof **names, err);
    *values = arena_array(arena, length, sizeof **values, err);
    if (*names == NULL || *values == NULL)
        return api_arena_failure(err);
    json_object_foreach(object, key, field)
    {
        (*names)[i] = key;
        (*values)[i++] = api_value_of_json(value->doc, field, value, key, 0);
    }
    *count = length;
    return OK;
}
