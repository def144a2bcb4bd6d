/* Attributes and literals as JSON. A literal without a dtype is read twice: once to see what it is,
 * once as int64 or float64, exact, whatever dtype it will adopt. */
#include "api/attr_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "api/describe.h"
#include "api/json_survey.h"
#include "api/text.h"
#include "service/op_helpers.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { SCALAR_TEXT_BYTES_MAX = 1 << 16, CHOICES_TEXT_BYTES_MAX = 200 };

/* --- literals in --------------------------------------------------------------------------- */

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

/* --- literals out -------------------------------------------------------------------------- */

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

/* --- attributes in ------------------------------------------------------------------------- */

static enum err_code
decode_dims(const struct api_value *value, struct arena *arena, struct attr_dims *out,
            struct err *err)
{
    struct api_value *elements = NULL;
    char where[API_WHERE_BYTES_MAX];
    size_t count = 0;

    TRY(api_value_elements(value, arena, &elements, &count, err));
    if (count > SHAPE_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %zu dimensions, the limit is %d",
                       api_value_where(value, where), count, SHAPE_RANK_MAX);
    *out = (struct attr_dims){.given = true, .rank = (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        TRY(api_value_i64(&elements[i], &out->dims[i], err));
    return OK;
}

static enum err_code
decode_shape(const struct api_value *value, struct attr_shape *out, struct err *err)
{
    out->given = true;
    return api_value_shape(value, &out->shape, err);
}

static enum err_code
decode_seed(const struct api_value *value, struct attr_seed *out, struct err *err)
{
    out->given = true;
    return api_value_i64(value, &out->value, err);
}

/* A number, or a list of them. */
static enum err_code
decode_ints(const struct api_value *value, struct arena *arena, struct attr_ints *out,
            struct err *err)
{
    struct api_value *elements = NULL;
    char where[API_WHERE_BYTES_MAX];
    size_t count = 0;

    *out = (struct attr_ints){.given = true};
    if (api_value_kind(value) != API_ARRAY) {
        out->single = true;
        out->count = 1;
        return api_value_i64(value, &out->values[0], err);
    }
    TRY(api_value_elements(value, arena, &elements, &count, err));
    if (count > ATTR_INTS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %zu numbers, the limit is %d",
                       api_value_where(value, where), count, ATTR_INTS_MAX);
    for (size_t i = 0; i < count; i++)
        TRY(api_value_i64(&elements[i], &out->values[i], err));
    out->count = (uint32_t)count;
    return OK;
}

/* A number is the name that is written like it: norm's ord 2. */
static enum err_code
choice_text(const struct api_value *value, struct arena *arena, const char **out, struct err *err)
{
    char digits[24];
    int64_t number = 0;

    if (api_value_kind(value) != API_NUMBER)
        return api_value_text(value, arena, out, err);
    TRY(api_value_i64(value, &number, err));
    snprintf(digits, sizeof digits, "%" PRId64, number);
    *out = arena_text(arena, bytes_of_text(digits), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

/* One of the row's names. */
static enum err_code
decode_choice(const struct api_value *value, const struct attr_spec *spec, struct arena *arena,
              int64_t *out, struct err *err)
{
    char where[API_WHERE_BYTES_MAX], known[CHOICES_TEXT_BYTES_MAX] = "";
    const char *text = NULL;
    size_t used = 0;

    TRY(choice_text(value, arena, &text, err));
    for (*out = 0; spec->choices[*out] != NULL; ++*out) {
        if (strcmp(spec->choices[*out], text) == 0)
            return OK;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     used == 0 ? "" : ", ", spec->choices[*out]);
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Invalid `%s` argument: %s is '%s', it must be one of %s", spec->name,
                   api_value_where(value, where), text, known);
}

/* Everything but tensors. */
static enum err_code
decode_plain(const struct api_value *value, const struct attr_spec *spec, struct expr_tree *tree,
             void *at, struct err *err)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return api_value_f64(value, at, err);
    case ATTR_KIND_I64:
        return api_value_i64(value, at, err);
    case ATTR_KIND_BOOL:
        return api_value_bool(value, at, err);
    case ATTR_KIND_DTYPE:
        return api_value_dtype(value, at, err);
    case ATTR_KIND_SHAPE:
        return decode_shape(value, at, err);
    case ATTR_KIND_SEED:
        return decode_seed(value, at, err);
    case ATTR_KIND_DIMS:
        return decode_dims(value, &tree->arena, at, err);
    case ATTR_KIND_INTS:
        return decode_ints(value, &tree->arena, at, err);
    case ATTR_KIND_CHOICE:
        return decode_choice(value, spec, &tree->arena, at, err);
    case ATTR_KIND_TENSOR:
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

/* The dtype beside a tensor says how to read it where no weak number could become it. */
static enum dtype
tensor_hint(const struct attr_spec *specs, const void *params)
{
    const struct attr_spec *spec = attr_find(specs, bytes_of_text("dtype"));
    enum dtype dtype;

    if (spec == NULL || spec->kind != ATTR_KIND_DTYPE)
        return DTYPE_UNSET;
    dtype = *(const enum dtype *)attr_in(spec, params);
    if (dtype == DTYPE_UINT64)
        return dtype;
    return dtype != DTYPE_UNSET && dtype_info(dtype)->kind == DTYPE_KIND_OPAQUE ? dtype
                                                                                : DTYPE_UNSET;
}

/* The value of row `index`; *present false when nothing was written. */
static enum err_code
find_value(const struct api_attr_fields *fields, const struct attr_spec *spec, size_t index,
           struct api_value *out, bool *present, struct err *err)
{
    struct api_value other;
    bool listed = index < fields->list_count;

    *present = api_object_has(fields->object, spec->name, out);
    if (spec->alias != NULL && api_object_has(fields->object, spec->alias, &other)) {
        if (*present)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: '%s' and '%s' are one attribute: give one", fields->op, spec->name,
                           spec->alias);
        *present = true;
        *out = other;
    }
    if (*present && listed)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' is given twice: as a field and in args", fields->op,
                       spec->name);
    if (listed)
        *out = fields->list[index];
    *present = *present || listed;
    return OK;
}

static enum err_code
decode_tensor(const struct api_value *value, const struct attr_spec *specs, size_t index,
              const struct expr_limits *limits, struct expr_tree *tree, void *params, bool *given,
              struct err *err)
{
    struct attr_tensor *tensor = attr_at(&specs[index], params);

    if (api_value_kind(value) == API_NULL && !specs[index].required)
        return OK;
    TRY(api_literal_decode(value, tensor_hint(specs, params), limits, tree, &tensor->value,
                           &tensor->weak, err));
    tensor->given = given[index] = true;
    return OK;
}

enum err_code
api_attrs_decode(const struct api_attr_fields *fields, const struct attr_spec *specs,
                 const struct expr_limits *limits, struct expr_tree *tree, void *params,
                 bool *given, struct err *err)
{
    struct api_value value;
    bool present = false;

    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(find_value(fields, &specs[i], i, &value, &present, err));
        if (specs[i].kind == ATTR_KIND_TENSOR || !present || api_value_kind(&value) == API_NULL)
            continue;
        TRY(decode_plain(&value, &specs[i], tree, attr_at(&specs[i], params), err));
        given[i] = true;
    }
    /* Tensors last: the dtype beside them says how they are read. */
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(find_value(fields, &specs[i], i, &value, &present, err));
        if (specs[i].kind == ATTR_KIND_TENSOR && present)
            TRY(decode_tensor(&value, specs, i, limits, tree, params, given, err));
    }
    return OK;
}

/* --- attributes out ------------------------------------------------------------------------ */

static enum err_code
list_json(const int64_t *values, uint32_t count, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (uint32_t i = 0; i < count; i++)
        TRY(api_json_push(array, json_integer(values[i]), err));
    *out = TAKE(array);
    return OK;
}

static enum err_code
ints_json(const struct attr_ints *ints, json_t **out, struct err *err)
{
    if (ints->single)
        return api_json_made(json_integer(ints->values[0]), out, err);
    return list_json(ints->values, ints->count, out, err);
}

enum err_code
api_attr_json(const struct attr_spec *spec, const void *params, json_t **out, struct err *err)
{
    const void *at = attr_in(spec, params);

    *out = NULL;
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return api_json_made(json_real(*(const double *)at), out, err);
    case ATTR_KIND_I64:
        return api_json_made(json_integer(*(const int64_t *)at), out, err);
    case ATTR_KIND_BOOL:
        return api_json_made(json_boolean(*(const bool *)at), out, err);
    case ATTR_KIND_DTYPE:
        if (*(const enum dtype *)at == DTYPE_UNSET)
            return OK;
        return api_json_made(json_string(dtype_name(*(const enum dtype *)at)), out, err);
    case ATTR_KIND_SHAPE:
        if (!((const struct attr_shape *)at)->given)
            return OK;
        return api_describe_shape(&((const struct attr_shape *)at)->shape, out, err);
    case ATTR_KIND_SEED:
        if (!((const struct attr_seed *)at)->given)
            return OK;
        return api_json_made(json_integer(((const struct attr_seed *)at)->value), out, err);
    case ATTR_KIND_TENSOR:
        if (!((const struct attr_tensor *)at)->given)
            return OK;
        return api_literal_json(&((const struct attr_tensor *)at)->value,
                                ((const struct attr_tensor *)at)->weak, out, err);
    case ATTR_KIND_DIMS:
        if (!((const struct attr_dims *)at)->given)
            return OK;
        return list_json(((const struct attr_dims *)at)->dims, ((const struct attr_dims *)at)->rank,
                         out, err);
    case ATTR_KIND_INTS:
        if (!((const struct attr_ints *)at)->given)
            return OK;
        return ints_json(at, out, err);
    case ATTR_KIND_CHOICE:
        return api_json_made(json_string(spec->choices[*(const int64_t *)at]), out, err);
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

enum err_code
api_attrs_json(const struct attr_spec *specs, const void *params, const bool *given, json_t *object,
               struct err *err)
{
    for (size_t i = 0; specs[i].name != NULL; i++) {
        json_t *value = NULL;

        if (!(given != NULL && given[i]) && attr_is_default(&specs[i], params))
            continue;
        TRY(api_attr_json(&specs[i], params, &value, err));
        if (value != NULL)
            TRY(api_json_set(object, specs[i].name, value, err));
    }
    return OK;
}
