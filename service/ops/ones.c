/* ones(shape, dtype): every element one; true for bool. */
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"
struct ones_params {
    struct attr_shape shape;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct ones_params, shape, .required = true, .help = "shape of the result"),
    ATTR_DTYPE(struct ones_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

static enum err_code
ones_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct ones_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

static bool
ones_constant(const struct expr *node, void *element)
{
    tensor_element_of_double(node->type.dtype, 1.0, element);
    return true;
}

const struct op op_ones = {
    .name = "ones",
    .summary = "A tensor of ones.",
    .attrs = attrs,
    .params_size = sizeof(struct ones_params),
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .graph_type = "Const",
    .graph_name = "ones",
    .infer = ones_infer,
    .eval = op_eval_constant,
    .constant = ones_constant,
};
