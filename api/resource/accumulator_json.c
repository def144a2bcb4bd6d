#include "api/resource/accumulator_json.h"

#include "api/resource/describe.h"
#include "api/resource/gradients_json.h"
#include "service/run/verb.h"
#include "store/base/scope.h"

enum { TENSOR_TEXT_BYTES_MAX = 1 << 30 };

/* --- in ------------------------------------------------------------------------------------ */

enum err_code
api_accumulator_take_spec(const struct api_value *body, struct accumulator_spec *out,
                          struct shape *shape, struct err *err)
{
    struct api_object object;
    struct api_value value;
    bool given = false;

    TRY(api_object_of(body, &object, err));
    TRY(api_object_dtype(&object, "dtype", &out->dtype, NULL, err));
    if (api_object_has(&object, "shape", &value) && api_value_kind(&value) != API_NULL) {
        TRY(api_value_shape(&value, shape, err));
        out->shape = shape;
    }
    TRY(api_object_bool(&object, "sparse", &out->sparse, &given, err));
    return api_object_end(&object, err);
}

/* Bare numbers are of the accumulator's dtype. */
static enum err_code
dtype_of(struct api_request *rq, const char *name, enum dtype *out, struct err *err)
{
    struct accumulator_record record;
    struct err own = ERR_INIT;
    enum err_code code =
        accumulator_get(api_request_service(rq), api_request_model(rq), name, &record, &own);

    *out = code == OK ? record.dtype : DTYPE_UNSET;
    if (code == OK || code == ERR_NOT_FOUND || code == ERR_INVALID_ARGUMENT)
        return OK; /* told by the operation, in its place */
    return err_set(err, code, "%s", own.text);
}

static enum err_code
take_gradient(struct api_request *rq, struct api_object *object, struct api_run *run,
              struct run_op *op, const char *name, struct err *err)
{
    enum dtype dtype = DTYPE_UNSET;
    struct api_value value, part;
    struct api_object fields;

    TRY(api_object_value(object, "gradient", &value, err));
    TRY(dtype_of(rq, name, &dtype, err));
    if (!api_gradient_is_sparse(&value, &fields))
        return api_run_take_tree(rq, run, &value, dtype, &op->value, err);
    (void)api_object_has(&fields, "indices", &part);
    TRY(api_run_take_tree(rq, run, &part, DTYPE_INT64, &op->indices, err));
    TRY(api_object_value(&fields, "values", &part, err));
    TRY(api_run_take_tree(rq, run, &part, dtype, &op->value, err));
    return api_object_end(&fields, err);
}

enum err_code
api_accumulator_request_take(struct api_request *rq, struct api_object *object, struct api_run *run,
                             struct run_op *op, struct accumulator_request *out, struct err *err)
{
    unsigned fields = op->verb->fields;
    bool given = false;

    out->name = op->resource;
    out->elements_max = api_request_settings(rq)->max_json_elements;
    out->lacking = arena_alloc(api_request_arena(rq), sizeof *out->lacking, err);
    if (out->lacking == NULL)
        return ERR_NO_MEMORY;
    if (out->name == NULL)
        TRY(api_object_text(object, "accumulator", api_request_arena(rq), &out->name, NULL, err));
    if (fields & VERB_GRADIENT) {
        TRY(take_gradient(rq, object, run, op, out->name, err));
        TRY(api_object_i64(object, "local_step", &out->local_step, &given, err));
    }
    if (fields & VERB_NUM_REQUIRED)
        TRY(api_object_i64(object, "num_required", &out->num_required, NULL, err));
    if (fields & VERB_STEP)
        TRY(api_object_i64(object, "step", &out->step, NULL, err));
    return OK;
}

/* --- out ----------------------------------------------------------------------------------- */

enum err_code
api_describe_accumulator(const char *name, const struct accumulator_record *record, json_t **out,
                         struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char created[API_TIME_BYTES_MAX], updated[API_TIME_BYTES_MAX];
    json_t *shape = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(name), err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(record->dtype)), err));
    if (record->shape_known)
        TRY(api_describe_shape(&record->shape, &shape, err));
    TRY(api_json_set(json, "shape", record->shape_known ? shape : json_null(), err));
    TRY(api_json_set(json, "sparse", json_boolean(record->sparse), err));
    TRY(api_json_set(json, "num_accumulated", json_integer(record->num_accumulated), err));
    TRY(api_json_set(json, "global_step", json_integer(record->global_step), err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)record->revision), err));
    TRY(api_json_set(json, "created", json_string(api_describe_time(record->created_ms, created)),
                     err));
    TRY(api_json_set(json, "updated", json_string(api_describe_time(record->updated_ms, updated)),
                     err));
    *out = TAKE(json);
    return OK;
}

/* Our own text of the elements, so that floats have the digits they have everywhere. */
static enum err_code
describe_elements(const struct tensor *tensor, json_t **out, struct err *err)
{
    struct tensor_view view = tensor_view_of(tensor);
    AUTO(buf) text;

    buf_init(&text, TENSOR_TEXT_BYTES_MAX);
    TRY(api_tensor_text(&view, &text, err));
    return api_json_made(json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY, NULL), out,
                         err);
}

static enum err_code
describe_tensor(const struct tensor *tensor, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(tensor->type.dtype)), err));
    TRY(api_describe_shape(&tensor->type.shape, &part, err));
    TRY(api_json_set(json, "shape", part, err));
    TRY(describe_elements(tensor, &part, err));
    TRY(api_json_set(json, "data", part, err));
    *out = TAKE(json);
    return OK;
}

/* As apply_grad takes it. */
static enum err_code
describe_average(const struct accumulator_result *result, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    if (!result->sparse)
        return describe_tensor(&result->values, out, err);
    TRY(api_json_made(json_object(), &json, err));
    TRY(describe_elements(&result->numbers, &part, err));
    TRY(api_json_set(json, "indices", part, err));
    TRY(describe_tensor(&result->values, &part, err));
    TRY(api_json_set(json, "values", part, err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_accumulated(const struct accumulator_result *result, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *gradient = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "accumulator", json_string(result->name), err));
    if (result->dropped)
        TRY(api_json_set(json, "dropped", json_true(), err));
    if (result->num_taken > 0) {
        TRY(describe_average(result, &gradient, err));
        TRY(api_json_set(json, "gradient", gradient, err));
        TRY(api_json_set(json, "num_taken", json_integer(result->num_taken), err));
    }
    TRY(api_json_set(json, "num_accumulated", json_integer(result->num_accumulated), err));
    TRY(api_json_set(json, "global_step", json_integer(result->global_step), err));
    *out = TAKE(json);
    return OK;
}
