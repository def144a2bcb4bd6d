/* negative(x): -x; integers wrap. */
#include "service/op_helpers.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

static enum err_code
negative_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    if (!op_has_dtype(node->op, node->args[0]->type.dtype))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s has no arithmetic",
                       dtype_name(node->args[0]->type.dtype));
    node->type = node->args[0]->type;
    return OK;
}

static enum err_code
negative_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    TRY(op_arg_into(e, node, 0, first, count, out, err));
    kernel_unary(KERNEL_NEGATIVE, node->type.dtype, out, out, count);
    return OK;
}

static bool
negative_constant(const struct expr *node, void *element)
{
    if (!op_node_constant(node->args[0], element))
        return false;
    kernel_unary(KERNEL_NEGATIVE, node->type.dtype, element, element, 1);
    return true;
}

const struct op op_negative = {
    .name = "negative",
    .summary = "The argument with its sign changed.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .infer = negative_infer,
    .eval = negative_eval,
    .constant = negative_constant,
};
