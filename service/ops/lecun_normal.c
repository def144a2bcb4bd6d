/* lecun_normal(seed, dtype): variance_scaling_initializer of scale 1, fan_in, truncated_normal.
 * Newer than r1.0. */
#include "service/expr/op_initializer.h"

const struct op op_lecun_normal = {
    .name = "lecun_normal",
    .summary = "Truncated normal numbers of variance 1 / inputs.",
    .attrs = op_named_attrs,
    .params_size = sizeof(struct op_named_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .kernel = INITIALIZER_LECUN_NORMAL,
    .graph_nodes = op_truncated_nodes,
    .infer = op_infer_named,
    .eval = op_eval_named,
};
