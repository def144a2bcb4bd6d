/* glorot_normal_initializer(seed, dtype): variance_scaling_initializer of scale 1, the mean of both
 * fans, normal. */
#include "service/expr/op_initializer.h"

const struct op op_glorot_normal_initializer = {
    .name = "glorot_normal_initializer",
    .summary = "Truncated normal numbers whose deviation is sqrt(2 / (inputs + outputs)).",
    .attrs = op_named_attrs,
    .params_size = sizeof(struct op_named_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .kernel = INITIALIZER_GLOROT_NORMAL,
    .graph_nodes = op_truncated_nodes,
    .infer = op_infer_named,
    .eval = op_eval_named,
};
