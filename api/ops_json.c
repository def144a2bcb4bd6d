/* The catalogue of ops: their tables, printed. Nothing is said here that the rows do not say. */
#include "api/ops_json.h"

#include <float.h>

#include "api/attr_json.h"
#include "api/describe.h"
#include "service/op.h"
#include "store/base/scope.h"

enum { PARAMS_BYTES_MAX = 4096 };

static enum err_code
set_bounds(json_t *row, const struct attr_spec *spec, struct err *err)
{
    double f64_min = 0, f64_max = 0;
    int64_t i64_min = 0, i64_max = 0;

    if (spec->kind == ATTR_KIND_F64) {
        attr_f64_bounds(spec, &f64_min, &f64_max);
        if (f64_min > -DBL_MAX)
            TRY(api_json_set(row, "min", json_real(f64_min), err));
        if (f64_max < DBL_MAX)
            TRY(api_json_set(row, "max", json_real(f64_max), err));
    }
    if (spec->kind == ATTR_KIND_I64 || spec->kind == ATTR_KIND_INTS) {
        attr_i64_bounds(spec, &i64_min, &i64_max);
        if (i64_min > INT64_MIN)
            TRY(api_json_set(row, "min", json_integer(i64_min), err));
        if (i64_max < INT64_MAX)
            TRY(api_json_set(row, "max", json_integer(i64_max), err));
    }
    return OK;
}

static enum err_code
set_choices(json_t *row, const struct attr_spec *spec, struct err *err)
{
    json_t *names = NULL;

    if (spec->kind != ATTR_KIND_CHOICE)
        return OK;
    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(row, "choices", names, err));
    for (size_t i = 0; spec->choices[i] != NULL; i++)
        TRY(api_json_push(names, json_string(spec->choices[i]), err));
    return OK;
}

/* What an attribute is when it is not given; null where that is None. */
static enum err_code
default_json(const struct attr_spec *spec, const void *defaults, json_t **out, struct err *err)
{
    json_t *value = NULL;

    if (spec->kind == ATTR_KIND_TENSOR && spec->number_default)
        return api_json_made(json_integer(spec->i64_default), out, err);
    if (!(spec->kind == ATTR_KIND_I64 && spec->none_default))
        TRY(api_attr_json(spec, defaults, &value, err));
    return value != NULL ? api_json_made(value, out, err) : api_json_made(json_null(), out, err);
}

static enum err_code
describe_attr(const struct attr_spec *spec, const void *defaults, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *row = NULL;
    json_t *value = NULL;

    TRY(api_json_made(json_object(), &row, err));
    TRY(api_json_set(row, "name", json_string(spec->name), err));
    TRY(api_json_set(row, "kind", json_string(attr_kind_name(spec->kind)), err));
    TRY(api_json_set(row, "required", json_boolean(spec->required), err));
    if (!spec->required) {
        TRY(default_json(spec, defaults, &value, err));
        TRY(api_json_set(row, "default", value, err));
    }
    TRY(set_bounds(row, spec, err));
    TRY(set_choices(row, spec, err));
    if (spec->alias != NULL)
        TRY(api_json_set(row, "alias", json_string(spec->alias), err));
    TRY(api_json_set(row, "summary", json_string(spec->help == NULL ? "" : spec->help), err));
    *out = TAKE(row);
    return OK;
}

static enum err_code
set_attrs(json_t *op_json, const struct op *op, struct err *err)
{
    _Alignas(max_align_t) uint8_t defaults[PARAMS_BYTES_MAX] = {0};
    json_t *rows = NULL, *row = NULL;

    if (op->params_size > sizeof defaults)
        return err_set(err, ERR_INTERNAL, "the parameters of op '%s' have %zu bytes", op->name,
                       op->params_size);
    TRY(api_json_made(json_array(), &rows, err));
    TRY(api_json_set(op_json, "attributes", rows, err));
    attr_defaults(op->attrs, defaults);
    for (const struct attr_spec *spec = op->attrs; spec->name != NULL; spec++) {
        TRY(describe_attr(spec, defaults, &row, err));
        TRY(api_json_push(rows, row, err));
    }
    return OK;
}

static enum err_code
set_args(json_t *op_json, const struct op *op, struct err *err)
{
    json_t *names = NULL;

    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(op_json, "args", names, err));
    for (uint32_t i = 0; i < op_arg_name_count(op); i++)
        TRY(api_json_push(names, json_string(op->arg_names[i]), err));
    TRY(api_json_set(op_json, "args_min", json_integer(op->args_min), err));
    return api_json_set(op_json, "args_max",
                        op->args_max == OP_ARGS_ANY ? json_null() : json_integer(op->args_max),
                        err);
}

static enum err_code
set_dtypes(json_t *op_json, const char *field, uint32_t dtypes, struct err *err)
{
    json_t *names = NULL;

    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(op_json, field, names, err));
    for (uint32_t i = 0; i < DTYPE_COUNT; i++)
        if ((dtypes >> i & 1) != 0)
            TRY(api_json_push(names, json_string(dtype_name((enum dtype)i)), err));
    return OK;
}

static enum err_code
describe_op(const struct op *op, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(op->name), err));
    TRY(api_json_set(json, "summary", json_string(op->summary), err));
    TRY(set_args(json, op, err));
    TRY(set_attrs(json, op, err));
    TRY(set_dtypes(json, "dtypes", op->dtypes, err));
    if (op->arg_dtypes != 0)
        TRY(set_dtypes(json, "arg_dtypes", op->arg_dtypes, err));
    TRY(api_json_set(json, "random", json_boolean(op->random), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_ops_json(json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *body = NULL;
    json_t *ops = NULL, *op = NULL;

    TRY(api_json_made(json_object(), &body, err));
    TRY(api_json_made(json_array(), &ops, err));
    TRY(api_json_set(body, "ops", ops, err));
    for (size_t i = 0; op_at(i) != NULL; i++) {
        TRY(describe_op(op_at(i), &op, err));
        TRY(api_json_push(ops, op, err));
    }
    *out = TAKE(body);
    return OK;
}
