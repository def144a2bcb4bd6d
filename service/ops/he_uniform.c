/* he_uniform(seed, dtype): variance_scaling_initializer of scale 2, fan_in, uniform. Newer than
 * r1.0. */
#include "service/expr/op_initializer.h"

const struct op op_he_uniform = {
    .name = "he_uniform",
    .summary = "Uniform numbers within sqrt(6 / inputs) of 0.",
    .attrs = op_named_attrs,
    .params_size = sizeof(struct op_named_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .kernel = INITIALIZER_HE_UNIFORM,
    .graph_nodes = op_uniform_nodes,
    .infer = op_infer_named,
    .eval = op_eval_named,
};
