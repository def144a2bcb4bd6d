/* truncated_normal(shape, mean, stddev, dtype, seed): normal numbers, redrawn beyond two
 * deviations. */
#include "service/expr/op_random.h"

static enum err_code
truncated_normal_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    return op_infer_normal(node, err);
}

const struct op op_truncated_normal = {
    .name = "truncated_normal",
    .summary = "Normally distributed numbers, redrawn when beyond two standard deviations.",
    .attrs = op_normal_attrs,
    .params_size = sizeof(struct op_normal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .graph_nodes = op_truncated_nodes,
    .infer = truncated_normal_infer,
    .eval = op_eval_truncated_normal,
};
