/* zeros_initializer(dtype): zeros in a variable's shape; false, or empty strings. */
#include "service/expr/op_initializer.h"

static bool
zeros_initializer_constant(const struct expr *node, void *element)
{
    memset(element, 0, OP_ELEMENT_BYTES_MAX);
    return node->type.dtype != DTYPE_STRING;
}

const struct op op_zeros_initializer = {
    .name = "zeros_initializer",
    .summary = "Zeros in the variable's shape.",
    .attrs = op_constant_initializer_attrs,
    .params_size = sizeof(struct op_constant_initializer_params),
    .dtypes = OP_DTYPES_ALL,
    .initializer = true,
    .graph_type = "Const",
    .graph_name = "zeros",
    .infer = op_infer_constant_initializer,
    .eval = op_eval_constant,
    .constant = zeros_initializer_constant,
    .strings = op_strings_empty,
};
