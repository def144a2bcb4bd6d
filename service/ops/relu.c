/* relu(features): max(features, 0). */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"features"};

const struct op op_relu = {
    .name = "relu",
    .summary = "The argument where it is positive, 0 elsewhere.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_RELU,
    .graph_type = "Relu",
};
