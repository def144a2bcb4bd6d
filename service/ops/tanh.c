/* tanh(x): the hyperbolic tangent. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

const struct op op_tanh = {
    .name = "tanh",
    .summary = "The hyperbolic tangent, element by element.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128),
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_TANH,
    .graph_type = "Tanh",
};
