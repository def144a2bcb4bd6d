/* multiply(x, y), with broadcasting. */
#include "service/op_helpers.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

static enum err_code
multiply_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    return op_eval_binary(KERNEL_MULTIPLY, e, node, first, count, out, err);
}

const struct op op_multiply = {
    .name = "multiply",
    .summary = "The product, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .infer = op_infer_binary,
    .eval = multiply_eval,
};
