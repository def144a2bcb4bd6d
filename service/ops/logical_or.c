/* logical_or(x, y): of bools, with broadcasting. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

const struct op op_logical_or = {
    .name = "logical_or",
    .summary = "Whether one or both are true, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(BOOL),
    .infer = op_infer_binary,
    .eval = op_eval_binary,
    .constant = op_constant_binary,
    .kernel = KERNEL_OR,
    .graph_type = "LogicalOr",
};
