/* The catalogue of ops: their tables, printed. Nothing is said here that the rows do not say. */
#include "api/resource/ops_json.h"

#include "api/resource/attr_rows.h"
#include "api/resource/describe.h"
#include "service/expr/op.h"
#include "store/base/scope.h"

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
describe_op(const struct op *op, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(op->name), err));
    TRY(api_json_set(json, "summary", json_string(op->summary), err));
    TRY(set_args(json, op, err));
    TRY(api_attr_rows_json(op->attrs, op->params_size, &part, err));
    TRY(api_json_set(json, "attributes", part, err));
    TRY(api_dtypes_json(op->dtypes, &part, err));
    TRY(api_json_set(json, "dtypes", part, err));
    if (op->arg_dtypes != 0) {
        TRY(api_dtypes_json(op->arg_dtypes, &part, err));
        TRY(api_json_set(json, "arg_dtypes", part, err));
    }
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
