/* he_normal(seed, dtype): variance_scaling_initializer of scale 2, fan_in, truncated_normal. Newer
 * than r1.0. */
#include "service/expr/op_initializer.h"

const struct op op_he_normal = {
    .name = "he_normal",
    .summary = "Truncated normal numbers of variance 2 / inputs.",
    .attrs = op_named_attrs,
    .params_size = sizeof(struct op_named_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .kernel = INITIALIZER_HE_NORMAL,
    .graph_nodes = op_truncated_nodes,
    .infer = op_infer_named,
    .eval = op_eval_named,
};
