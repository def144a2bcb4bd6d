/* cast(x, dtype): conversion as TensorFlow's CPU kernel does it (tensor/convert.h). */
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct cast_params {
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_DTYPE(struct cast_params, dtype, .required = true, .dtype_default = DTYPE_UNSET,
               .help = "element type to convert to"),
    ATTR_END,
};

static const char *const arg_names[] = {"x"};

static enum err_code
cast_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct cast_params *params = node->params;
    enum dtype from = node->args[0]->type.dtype;

    (void)tree;
    TRY(op_check_dtype(node, params->dtype, err));
    if (!tensor_cast_known(from, params->dtype))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Cast %s to %s is not supported",
                       dtype_name(from), dtype_name(params->dtype));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = node->args[0]->type.shape};
    return OK;
}

static enum err_code
cast_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
          struct err *err)
{
    enum dtype from = node->args[0]->type.dtype, to = node->type.dtype;
    struct kernel_operand x;

    if (from == to)
        return op_arg_into(e, node, 0, first, count, out, err);
    TRY(op_arg(e, node, 0, first, count, NULL, &x, err));
    if (x.step == 1) {
        tensor_cast(from, x.data, to, out, count);
        return OK;
    }
    return op_eval_constant(e, node, first, count, out, err);
}

static bool
cast_constant(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t from[OP_ELEMENT_BYTES_MAX] = {0};

    if (!op_node_constant(node->args[0], from))
        return false;
    tensor_cast(node->args[0]->type.dtype, from, node->type.dtype, element, 1);
    return true;
}

const struct op op_cast = {
    .name = "cast",
    .summary = "The argument converted to another element type.",
    .attrs = attrs,
    .params_size = sizeof(struct cast_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .graph_type = "Cast",
    .infer = cast_infer,
    .eval = cast_eval,
    .constant = cast_constant,
};
