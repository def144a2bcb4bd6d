/* mod(x, y): what floordiv leaves, with the sign of the divisor, with broadcasting; integers refuse
 * a zero divisor. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

const struct op op_mod = {
    .name = "mod",
    .summary = "The remainder of floordiv, with the sign of the divisor, element by element, with "
               "broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .infer = op_infer_binary,
    .eval = op_eval_binary,
    .constant = op_constant_binary,
    .kernel = KERNEL_MOD,
    .graph_type = "FloorMod",
};
