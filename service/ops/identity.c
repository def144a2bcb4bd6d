/* identity(input): the argument itself, of any dtype. */
#include "service/expr/op_helpers.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"input"};

static enum err_code
identity_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    (void)err;
    node->type = node->args[0]->type;
    return OK;
}

const struct op op_identity = {
    .name = "identity",
    .summary = "The argument itself.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_ALL,
    .passthrough = true,
    .graph_type = "Identity",
    .infer = identity_infer,
};
