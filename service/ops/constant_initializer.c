/* constant_initializer(value, dtype): constant in a variable's shape, by constant's own rule:
 * values in row-major order whatever their shape, the last one repeated. */
#include "service/expr/op_constant.h"

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct op_constant_params, shape, .required = true, .help = "shape of the result"),
    ATTR_TENSOR(struct op_constant_params, value, .number_default = true, .i64_default = 0,
                .help = "the values; 0 when not given"),
    ATTR_DTYPE(struct op_constant_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

static const int64_t zero = 0;

static enum err_code
constant_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct op_constant_params *params = node->params;

    if (!params->value.given) {
        params->value.weak = true;
        params->value.value = (struct tensor_view){
            .type = {.dtype = DTYPE_INT64}, .data = (const uint8_t *)&zero, .size = sizeof zero};
    }
    return op_constant.infer(tree, node, err);
}

static enum err_code
constant_initializer_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                          uint64_t count, void *out, struct err *err)
{
    return op_constant.eval(e, node, first, count, out, err);
}

static bool
constant_initializer_constant(const struct expr *node, void *element)
{
    return op_constant.constant(node, element);
}

static enum err_code
constant_initializer_strings(const struct expr *node, struct buf *out, struct err *err)
{
    return op_constant.strings(node, out, err);
}

const struct op op_constant_initializer = {
    .name = "constant_initializer",
    .summary = "The values given in the variable's shape, the last one repeated to fill it.",
    .attrs = attrs,
    .params_size = sizeof(struct op_constant_params),
    .dtypes = OP_DTYPES_ALL,
    .initializer = true,
    .graph_type = "Const",
    .infer = constant_initializer_infer,
    .eval = constant_initializer_eval,
    .constant = constant_initializer_constant,
    .strings = constant_initializer_strings,
};
