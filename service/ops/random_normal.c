/* random_normal(shape, mean, stddev, dtype, seed): normal numbers. */
#include "service/expr/op_random.h"

static enum err_code
random_normal_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    return op_infer_normal(node, err);
}

const struct op op_random_normal = {
    .name = "random_normal",
    .summary = "Normally distributed numbers.",
    .attrs = op_normal_attrs,
    .params_size = sizeof(struct op_normal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .graph_nodes = op_normal_nodes,
    .infer = random_normal_infer,
    .eval = op_eval_random_normal,
};
