/* log1p(x): log(1 + x), exact for small x. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

const struct op op_log1p = {
    .name = "log1p",
    .summary = "The natural logarithm of one more than the argument, element by element.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_LOG1P,
    .graph_type = "Log1p",
};
