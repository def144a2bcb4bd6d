/* glorot_uniform_initializer(seed, dtype): variance_scaling_initializer of scale 1, the mean of
 * both fans, uniform. */
#include "service/expr/op_initializer.h"

const struct op op_glorot_uniform_initializer = {
    .name = "glorot_uniform_initializer",
    .summary = "Uniform numbers within sqrt(6 / (inputs + outputs)) of 0.",
    .attrs = op_named_attrs,
    .params_size = sizeof(struct op_named_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .kernel = INITIALIZER_GLOROT_UNIFORM,
    .graph_nodes = op_uniform_nodes,
    .infer = op_infer_named,
    .eval = op_eval_named,
};
