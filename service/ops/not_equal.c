/* not_equal(x, y): bools, with broadcasting; NaN is unequal to everything. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

const struct op op_not_equal = {
    .name = "not_equal",
    .summary = "Whether the two differ, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(BOOL),
    .arg_dtypes = OP_DTYPES_FIXED,
    .infer = op_infer_compare,
    .eval = op_eval_compare,
    .constant = op_constant_compare,
    .kernel = KERNEL_NOT_EQUAL,
    .graph_type = "NotEqual",
};
