/* minimum(x, y): x < y ? x : y, with broadcasting. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

const struct op op_minimum = {
    .name = "minimum",
    .summary = "The lesser, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .infer = op_infer_binary,
    .eval = op_eval_binary,
    .constant = op_constant_binary,
    .kernel = KERNEL_MINIMUM,
    .graph_type = "Minimum",
};
