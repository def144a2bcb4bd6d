/* sign(x): -1, 0 or 1; 0 for NaN; of complex numbers z / |z|. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

const struct op op_sign = {
    .name = "sign",
    .summary =
        "-1, 0 or 1 as the argument is negative, zero or positive; of a complex number z / |z|.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_SIGN,
    .graph_type = "Sign",
};
