/* softplus(features): log(exp(features) + 1). */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"features"};

const struct op op_softplus = {
    .name = "softplus",
    .summary = "log(exp(features) + 1), element by element.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_SOFTPLUS,
    .graph_type = "Softplus",
};
