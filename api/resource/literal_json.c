/* Literals as JSON. One without a dtype is read twice: once to see what it is, once as int64 or
 * float64, exact, whatever dtype it will adopt. */
#include "api/json/json_survey.h"
#include "api/json/text.h"
#include "api/resource/attr_json.h"
#include "api/resource/describe.h"
#include "service/expr/op_helpers.h"
#include "store/base/scope.h"

enum { SCALAR_TEXT_BYTES_MAX = 1 << 16 };

/* --- in --------------------------------------------------------------------------------------- */

static bool
is_number(const struct tensor *tensor)
{
    return dtype_is_number(tensor->type.dtype);
}

/* Integers only: one that is too large for int64 must not become a rounded fraction unseen. */
static bool
is_all_integers(const struct api_value *value)
{
    const unsigned integers = 1u << ELEMENT_INT32 | 1u << ELEMENT_INT64 | 1u << ELEMENT_WIDE;
    struct survey survey;

    return api_survey_take(value, &survey, NULL) == OK && (survey.kinds & ~integers) == 0;
}

/* As api_value_tensor, with numbers of no dtype as int64 or float64. */
static enum err_code
read_literal(const struct api_value *value, struct api_tensor_hint *hint, struct tensor *out,
             bool *weak, struct err *err)
{
    AUTO(tensor) seen = {0};
    struct err inner = ERR_INIT;
    bool inferred = false;
    enum err_code code = OK;

    *weak = false;
    if (hint->dtype != DTYPE_UNSET)
        return api_value_tensor(value, hint, out, &inferred, err);
    code = api_value_tensor(value, hint, &seen, &inferred, &inner);
    if (code == OK && !(inferred && is_number(&seen))) {
        *out = TAKE(seen);
        return OK;
    }
    *weak = true;
    hint->dtype = code == OK && dtype_is_integer(seen.type.dtype) ? DTYPE_INT64 : DTYPE_FLOAT64;
    tensor_drop(&seen);
    /* What is too large for float32 may still be a double; what fails again, fails as before. */
    if (code == OK)
        return api_value_tensor(value, hint, out, &inferred, err);
    if (code == ERR_INVALID_ARGUMENT && api_value_kind(value) != API_OBJECT &&
        !is_all_integers(value) && api_value_tensor(value, hint, out, &inferred, NULL) == OK)
        return OK;
    return err_set(err, code, "%s", inner.text);
}

enum err_code
api_literal_decode(const struct api_value *value, enum dtype hint_dtype,
                   const struct expr_limits *limits, struct expr_tree *tree,
                   struct tensor_view *out, bool *weak, struct err *err)
{
    struct api_tensor_hint hint = {.dtype = hint_dtype,
                                   .bytes_max = limits->literal_bytes_max - tree->literal_bytes};
    AUTO(tensor) literal = {0};
    char where[API_WHERE_BYTES_MAX];

    if (api_value_kind(value) == API_NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is null: None values not supported.",
                       api_value_where(value, where));
    TRY(read_literal(value, &hint, &literal, weak, err));
    TRY(expr_tree_reserve_literal(tree, limits, literal.size, err));
    return expr_tree_literal(tree, &literal, out, err);
}

/* --- out -------------------------------------------------------------------------------------- */

/* jansson's integers end at int64. */
static bool
has_wide_integers(const struct tensor_view *literal)
{
    uint64_t count = shape_count(&literal->type.shape);

    if (literal->type.dtype != DTYPE_UINT64)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if ((literal->data[i * sizeof(uint64_t) + 7] & 0x80) != 0)
            return true;
    return false;
}

static enum err_code
data_json(const struct tensor_view *literal, json_t **out, struct err *err)
{
    AUTO(buf) text = {0};
    struct bytes bytes;

    buf_init(&text, (size_t)API_LITERAL_BYTES_MAX * 64 + SCALAR_TEXT_BYTES_MAX);
    TRY(api_tensor_text(literal, &text, err));
    bytes = buf_bytes(&text);
    return api_json_made(
        json_loadb((const char *)bytes.data, bytes.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL),
        out, err);
}

static enum err_code
base64_json(const struct tensor_view *literal, json_t **out, struct err *err)
{
    AUTO(buf) text = {0};
    struct bytes bytes;

    buf_init(&text, (size_t)API_LITERAL_BYTES_MAX * 2);
    TRY(api_base64_encode(bytes_of(literal->data, (size_t)literal->size), &text, err));
    bytes = buf_bytes(&text);
    return api_json_made(json_stringn((const char *)bytes.data, bytes.size), out, err);
}

static enum err_code
object_json(const struct tensor_view *literal, enum dtype dtype, json_t **out, struct err *err)
{
    uint64_t count = shape_count(&literal->type.shape);
    AUTO_CALL(api_json_release) json_t *object = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &object, err));
    TRY(api_json_set(object, "dtype", json_string(dtype_name(dtype)), err));
    TRY(api_describe_shape(&literal->type.shape, &part, err));
    TRY(api_json_set(object, "shape", part, err));
    /* A large literal is named by its size only: metadata is listed by the thousand, and must not
     * carry somebody's embedding table in every reply. The values themselves are read as the
     * variable's. */
    if (count > API_LITERAL_ELEMENTS_MAX || literal->size > API_LITERAL_BYTES_MAX) {
        TRY(api_json_set(object, "elements", json_integer((json_int_t)count), err));
    } else if (has_wide_integers(literal)) {
        TRY(base64_json(literal, &part, err));
        TRY(api_json_set(object, "base64", part, err));
    } else {
        TRY(data_json(literal, &part, err));
        TRY(api_json_set(object, "data", part, err));
    }
    *out = TAKE(object);
    return OK;
}

enum err_code
api_literal_json(const struct tensor_view *literal, bool weak, json_t **out, struct err *err)
{
    uint64_t count = shape_count(&literal->type.shape);
    bool bare = weak || literal->type.dtype == DTYPE_BOOL || literal->type.dtype == DTYPE_STRING;

    /* Bare text must read back as the same: the nesting of no elements does not tell their shape.
     */
    if (bare && count > 0 && count <= API_LITERAL_ELEMENTS_MAX &&
        literal->size <= API_LITERAL_BYTES_MAX)
        return data_json(literal, out, err);
    return object_json(literal, op_natural_dtype(literal, weak), out, err);
}
