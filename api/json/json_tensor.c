/* JSON into a tensor: what dtype, what shape, then the elements.
 *
 * dtype inference is TensorFlow's: integers are int32, or int64 when one does not fit; a fraction,
 * an exponent or a non-finite text makes all float32; integers become floats when the dtype says
 * so, fractions never become integers; nothing else mixes. An empty list is float32, as NumPy has
 * it. */
#include "api/json/json_doc.h"
#include "api/json/json_elements.h"
#include "api/json/json_survey.h"
#include "store/base/scope.h"

#define KIND(name)   (1u << ELEMENT_##name)
#define KINDS_NUMBER (KIND(INT32) | KIND(INT64) | KIND(WIDE) | KIND(FRACTION))

struct tensor_request {
    const struct api_value *value; /* what is read: the literal itself, or its "data" */
    enum dtype dtype;              /* DTYPE_UNSET: infer */
    const struct shape *shape;     /* NULL: from the nesting */
    uint64_t bytes_max;
};

static enum dtype
inferred_dtype(unsigned kinds)
{
    if ((kinds & KIND(BOOL)) != 0)
        return DTYPE_BOOL;
    if ((kinds & (KIND(TEXT) | KIND(BASE64) | KIND(NONFINITE))) != 0 && (kinds & KINDS_NUMBER) == 0)
        return DTYPE_STRING;
    if (kinds == 0 || (kinds & (KIND(FRACTION) | KIND(NONFINITE))) != 0)
        return DTYPE_FLOAT32;
    return (kinds & (KIND(INT64) | KIND(WIDE))) != 0 ? DTYPE_INT64 : DTYPE_INT32;
}

static enum err_code
check_kinds(const struct tensor_request *rq, const struct survey *survey, struct err *err)
{
    unsigned wrong = survey->kinds & ~api_element_reader_of(rq->dtype)->kinds;
    const struct survey_first *first = NULL;
    char where[API_WHERE_BYTES_MAX], place[SURVEY_PLACE_BYTES_MAX];
    char text[SURVEY_ELEMENT_BYTES_MAX];

    if (wrong == 0)
        return OK;
    for (int kind = 0; kind < ELEMENT_KIND_COUNT; kind++)
        if ((wrong >> kind & 1) != 0 &&
            (first == NULL || survey->first[kind].ordinal < first->ordinal))
            first = &survey->first[kind];
    return err_set(err, ERR_INVALID_ARGUMENT, "%s:%s %s expected, got %s",
                   api_value_where(rq->value, where),
                   api_survey_place(survey, first->ordinal, place), dtype_name(rq->dtype),
                   api_survey_element_text(first->text, text));
}

/* The nesting as a shape: without the pairs of complex elements. */
static enum err_code
nested_shape(const struct tensor_request *rq, const struct survey *survey, struct shape *out,
             struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    uint32_t rank = survey->rank;

    if (api_element_reader_of(rq->dtype)->numbers == 2 && survey->count > 0 && rank > 0) {
        if (survey->dims[rank - 1] != 2)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: elements of %s are pairs [re, im], the innermost lists have %llu "
                           "elements",
                           api_value_where(rq->value, where), dtype_name(rq->dtype),
                           (unsigned long long)survey->dims[rank - 1]);
        rank--;
    }
    if (rank > SHAPE_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: nested deeper than %d dimensions",
                       api_value_where(rq->value, where), SHAPE_RANK_MAX);
    out->rank = rank;
    memcpy(out->dims, survey->dims, rank * sizeof out->dims[0]);
    return OK;
}

/* A zero dimension ends the nesting: [2,0,3] is written [[],[]]. */
static bool
is_nesting_of(const struct shape *nested, const struct shape *shape)
{
    if (shape_equal(nested, shape))
        return true;
    if (nested->rank == 0 || nested->rank > shape->rank || nested->dims[nested->rank - 1] != 0)
        return false;
    return memcmp(nested->dims, shape->dims, nested->rank * sizeof nested->dims[0]) == 0;
}

/* The tensor's shape: the one asked for, when the text is nested to it or is flat. */
static enum err_code
decide_shape(const struct tensor_request *rq, const struct survey *survey, struct shape *out,
             struct err *err)
{
    struct shape nested;
    char where[API_WHERE_BYTES_MAX], a[SHAPE_TEXT_BYTES_MAX], b[SHAPE_TEXT_BYTES_MAX];

    TRY(nested_shape(rq, survey, &nested, err));
    *out = rq->shape == NULL ? nested : *rq->shape;
    TRY(shape_check(out, err));
    if (rq->shape == NULL || is_nesting_of(&nested, out))
        return OK;
    if (nested.rank == 1 && nested.dims[0] == shape_count(out))
        return OK;
    if (nested.rank == 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %llu elements, shape %s takes %llu",
                       api_value_where(rq->value, where), (unsigned long long)nested.dims[0],
                       shape_text(out, a), (unsigned long long)shape_count(out));
    return err_set(err, ERR_INVALID_ARGUMENT, "%s has shape %s, shape %s is expected",
                   api_value_where(rq->value, where), shape_text(&nested, a), shape_text(out, b));
}

static enum err_code
too_large(const struct tensor_request *rq, const struct tensor_type *type, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    return err_set(err, ERR_PAYLOAD_TOO_LARGE, "%s has %llu bytes, the limit is %llu",
                   tensor_type_text(type, text), (unsigned long long)tensor_type_bytes(type),
                   (unsigned long long)rq->bytes_max);
}

/* `bytes` as the tensor's own; bytes of strings have been checked. */
static enum err_code
copy_bytes(const struct tensor_type *type, struct bytes bytes, struct tensor *out, struct err *err)
{
    AUTO(tensor) made = {0};

    TRY(tensor_init(&made, type, bytes.size, err));
    if (bytes.size > 0)
        memcpy(made.data, bytes.data, bytes.size);
    *out = TAKE(made);
    return OK;
}

static enum err_code
read_strings(const struct tensor_request *rq, const struct tensor_type *type, struct tensor *out,
             struct err *err)
{
    AUTO(buf) bytes = {0};

    buf_init(&bytes, rq->bytes_max < SIZE_MAX ? (size_t)rq->bytes_max : SIZE_MAX);
    TRY(api_elements_append_strings(rq->value, &bytes, err));
    return copy_bytes(type, buf_bytes(&bytes), out, err);
}

/* A bare number for a complex dtype is its real part. */
static enum err_code
read_numbers(const struct tensor_request *rq, const struct survey *survey,
             const struct tensor_type *type, struct tensor *out, struct err *err)
{
    AUTO(tensor) made = {0};

    if (tensor_type_bytes(type) > rq->bytes_max)
        return too_large(rq, type, err);
    TRY(tensor_init(&made, type, tensor_type_bytes(type), err));
    if (survey->rank == 0)
        memset(made.data, 0, made.size);
    TRY(api_elements_store(rq->value, survey, type->dtype, made.data, err));
    *out = TAKE(made);
    return OK;
}

static enum err_code
read_elements(struct tensor_request *rq, struct tensor *out, bool *inferred, struct err *err)
{
    struct survey survey;
    struct tensor_type type;

    TRY(api_survey_take(rq->value, &survey, err));
    *inferred = rq->dtype == DTYPE_UNSET;
    if (*inferred)
        rq->dtype = inferred_dtype(survey.kinds);
    TRY(check_kinds(rq, &survey, err));
    type.dtype = rq->dtype;
    TRY(decide_shape(rq, &survey, &type.shape, err));
    return type.dtype == DTYPE_STRING ? read_strings(rq, &type, out, err)
                                      : read_numbers(rq, &survey, &type, out, err);
}

/* --- {"dtype", "shape", "base64"} ---------------------------------------------------------- */

static enum err_code
check_bools(const struct api_value *value, struct bytes bytes, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] > 1)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: byte %zu is %u, a bool is 0 or 1",
                           api_value_where(value, where), i, bytes.data[i]);
    return OK;
}

static enum err_code
read_base64(const struct tensor_request *rq, struct tensor *out, struct err *err)
{
    AUTO(buf) bytes = {0};
    struct tensor_type type = {.dtype = rq->dtype};
    char where[API_WHERE_BYTES_MAX], text[TENSOR_TYPE_TEXT_BYTES_MAX];

    buf_init(&bytes, rq->bytes_max < SIZE_MAX ? (size_t)rq->bytes_max : SIZE_MAX);
    if (api_value_kind(rq->value) != API_TEXT)
        return api_value_mismatch(rq->value, "base64 text", err);
    if (rq->dtype == DTYPE_UNSET || rq->shape == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: base64 needs \"dtype\" and \"shape\" beside it",
                       api_value_where(rq->value, where));
    type.shape = *rq->shape;
    TRY(shape_check(&type.shape, err));
    if (tensor_type_bytes(&type) > rq->bytes_max)
        return too_large(rq, &type, err);
    TRY(api_elements_append_base64(rq->value, &bytes, err));
    if (type.dtype == DTYPE_STRING)
        TRY(tensor_strings_check(buf_bytes(&bytes), shape_count(&type.shape), err));
    else if (bytes.size != tensor_type_bytes(&type))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %zu bytes, %s takes %llu",
                       api_value_where(rq->value, where), bytes.size, tensor_type_text(&type, text),
                       (unsigned long long)tensor_type_bytes(&type));
    if (type.dtype == DTYPE_BOOL)
        TRY(check_bools(rq->value, buf_bytes(&bytes), err));
    return copy_bytes(&type, buf_bytes(&bytes), out, err);
}

/* --- the object ---------------------------------------------------------------------------- */

bool
api_value_is_tensor_object(const struct api_value *value)
{
    return value->json != NULL && json_is_object(value->json) &&
           (json_object_get(value->json, "data") != NULL ||
            json_object_get(value->json, "base64") != NULL);
}

static enum err_code
read_object(const struct api_value *value, const struct api_tensor_hint *hint, struct tensor *out,
            bool *inferred, struct err *err)
{
    struct tensor_request rq = {
        .dtype = hint->dtype, .shape = hint->shape, .bytes_max = hint->bytes_max};
    struct api_object object;
    struct api_value data, base64, ignored;
    struct shape shape;
    bool has_dtype = false, has_datatype = false, has_shape = false, has_data, has_base64;
    char where[API_WHERE_BYTES_MAX];

    TRY(api_object_of(value, &object, err));
    TRY(api_object_dtype(&object, "dtype", &rq.dtype, &has_dtype, err));
    TRY(api_object_dtype(&object, "datatype", &rq.dtype, &has_datatype, err));
    TRY(api_object_shape(&object, "shape", &shape, &has_shape, err));
    has_data = api_object_has(&object, "data", &data);
    has_base64 = api_object_has(&object, "base64", &base64);
    /* What a read reply or an Open Inference tensor has besides, so that it can be sent back as it
     * is. */
    (void)api_object_has(&object, "name", &ignored);
    (void)api_object_has(&object, "revision", &ignored);
    (void)api_object_has(&object, "parameters", &ignored);
    TRY(api_object_end(&object, err));
    if (has_data == has_base64)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s needs either \"data\" or \"base64\"",
                       api_value_where(value, where));
    if (has_dtype && has_datatype)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has both \"dtype\" and \"datatype\"",
                       api_value_where(value, where));
    if (has_shape)
        rq.shape = &shape;
    rq.value = has_data ? &data : &base64;
    *inferred = false;
    return has_data ? read_elements(&rq, out, inferred, err) : read_base64(&rq, out, err);
}

enum err_code
api_value_tensor(const struct api_value *value, const struct api_tensor_hint *hint,
                 struct tensor *out, bool *inferred, struct err *err)
{
    struct tensor_request rq = {
        .value = value, .dtype = hint->dtype, .shape = hint->shape, .bytes_max = hint->bytes_max};
    bool ignored = false;

    if (inferred == NULL)
        inferred = &ignored;
    if (api_value_kind(value) == API_OBJECT)
        return read_object(value, hint, out, inferred, err);
    return read_elements(&rq, out, inferred, err);
}
