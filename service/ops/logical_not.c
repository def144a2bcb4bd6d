/* logical_not(x): of bools. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

const struct op op_logical_not = {
    .name = "logical_not",
    .summary = "Whether the argument is false, element by element.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(BOOL),
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_NOT,
    .graph_type = "LogicalNot",
};
