/* ones_initializer(dtype): ones in a variable's shape; true for bool, where r1.0 fails and later
 * TensorFlow does not. */
#include "service/expr/op_initializer.h"
#include "service/tensor/convert.h"

static enum err_code
ones_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_constant_initializer_params *params = node->params;

    TRY(op_check_dtype(node, params->dtype, err));
    return op_infer_constant_initializer(tree, node, err);
}

static bool
ones_initializer_constant(const struct expr *node, void *element)
{
    tensor_element_of_double(node->type.dtype, 1.0, element);
    return true;
}

const struct op op_ones_initializer = {
    .name = "ones_initializer",
    .summary = "Ones in the variable's shape.",
    .attrs = op_constant_initializer_attrs,
    .params_size = sizeof(struct op_constant_initializer_params),
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .initializer = true,
    .graph_type = "Const",
    .graph_name = "ones",
    .infer = ones_initializer_infer,
    .eval = op_eval_constant,
    .constant = ones_initializer_constant,
};
