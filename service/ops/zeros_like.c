/* zeros_like(tensor, dtype): zeros in the shape of another tensor, whose elements are not read. */
#include "service/expr/op_helpers.h"

struct zeros_like_params {
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_DTYPE(struct zeros_like_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type of the result; the argument's when not given"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};

static enum err_code
zeros_like_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct zeros_like_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = node->args[0]->type;
    if (params->dtype != DTYPE_UNSET)
        node->type.dtype = params->dtype;
    return OK;
}

static bool
zeros_like_constant(const struct expr *node, void *element)
{
    memset(element, 0, OP_ELEMENT_BYTES_MAX);
    return node->type.dtype != DTYPE_STRING;
}

const struct op op_zeros_like = {
    .name = "zeros_like",
    .summary = "Zeros in the shape of the argument.",
    .attrs = attrs,
    .params_size = sizeof(struct zeros_like_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_ALL,
    .graph_type = "ZerosLike",
    .graph_name = "zeros_like",
    .infer = zeros_like_infer,
    .eval = op_eval_constant,
    .constant = zeros_like_constant,
    .strings = op_strings_empty,
};
