/* truncated_normal_initializer(mean, stddev, seed, dtype): truncated_normal in a variable's shape.
 */
#include "service/expr/op_random.h"

static enum err_code
truncated_normal_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_normal_params *params = node->params;

    (void)tree;
    TRY(op_random_check_float(node, params->dtype, err));
    return op_infer_normal(node, err);
}

const struct op op_truncated_normal_initializer = {
    .name = "truncated_normal_initializer",
    .summary =
        "Normally distributed numbers in the variable's shape, redrawn when beyond two deviations.",
    .attrs = op_normal_initializer_attrs,
    .params_size = sizeof(struct op_normal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .graph_nodes = op_truncated_nodes,
    .infer = truncated_normal_initializer_infer,
    .eval = op_eval_truncated_normal,
};
