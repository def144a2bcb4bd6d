#include "service/expr/op_like.h"

const struct attr_spec op_like_attrs[] = {
    ATTR_DTYPE(struct op_like_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type of the result; the argument's when not given"),
    ATTR_END,
};

const char *const op_like_arg_names[] = {"tensor"};

enum err_code
op_infer_like(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_like_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = node->args[0]->type;
    if (params->dtype != DTYPE_UNSET)
        node->type.dtype = params->dtype;
    return OK;
}
