/* random_uniform_initializer(minval, maxval, seed, dtype): random_uniform in a variable's shape. */
#include "service/expr/op_random.h"

const struct op op_random_uniform_initializer = {
    .name = "random_uniform_initializer",
    .summary = "Uniformly distributed numbers in the variable's shape.",
    .attrs = op_uniform_initializer_attrs,
    .params_size = sizeof(struct op_uniform_params),
    .dtypes = OP_UNIFORM_DTYPES,
    .random = true,
    .initializer = true,
    .graph_nodes = op_uniform_nodes,
    .graph_rows = op_uniform_rows,
    .infer = op_infer_uniform,
    .eval = op_eval_uniform,
};
