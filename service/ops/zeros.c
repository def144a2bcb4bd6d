/* zeros(shape, dtype): every element zero; false, or an empty string. */
#include "service/expr/op_helpers.h"

struct zeros_params {
    struct attr_shape shape;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct zeros_params, shape, .required = true, .help = "shape of the result"),
    ATTR_DTYPE(struct zeros_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

static enum err_code
zeros_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct zeros_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

static bool
zeros_constant(const struct expr *node, void *element)
{
    memset(element, 0, OP_ELEMENT_BYTES_MAX);
    return node->type.dtype != DTYPE_STRING;
}

const struct op op_zeros = {
    .name = "zeros",
    .summary = "A tensor of zeros.",
    .attrs = attrs,
    .params_size = sizeof(struct zeros_params),
    .dtypes = OP_DTYPES_ALL,
    .graph_type = "Const",
    .graph_name = "zeros",
    .infer = zeros_infer,
    .eval = op_eval_constant,
    .constant = zeros_constant,
    .strings = op_strings_empty,
};
