/* random_uniform(shape, minval, maxval, dtype, seed): numbers of [minval, maxval). */
#include "service/expr/op_random.h"

const struct op op_random_uniform = {
    .name = "random_uniform",
    .summary = "Uniformly distributed numbers from minval up to, not including, maxval.",
    .attrs = op_uniform_attrs,
    .params_size = sizeof(struct op_uniform_params),
    .dtypes = OP_UNIFORM_DTYPES,
    .random = true,
    .graph_nodes = op_uniform_nodes,
    .graph_rows = op_uniform_rows,
    .infer = op_infer_uniform,
    .eval = op_eval_uniform,
};
