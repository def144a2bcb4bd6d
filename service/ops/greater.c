/* greater(x, y): bools, with broadcasting; false where one is NaN. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

const struct op op_greater = {
    .name = "greater",
    .summary = "Whether x is greater than y, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(BOOL),
    .arg_dtypes = OP_DTYPES_REAL,
    .infer = op_infer_compare,
    .eval = op_eval_compare,
    .constant = op_constant_compare,
    .kernel = KERNEL_GREATER,
    .graph_type = "Greater",
};
