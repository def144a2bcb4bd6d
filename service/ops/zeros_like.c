/* zeros_like(tensor, dtype): zeros in the shape of another tensor, whose elements are not read. */
#include "service/expr/op_like.h"

static bool
zeros_like_constant(const struct expr *node, void *element)
{
    memset(element, 0, OP_ELEMENT_BYTES_MAX);
    return node->type.dtype != DTYPE_STRING;
}

const struct op op_zeros_like = {
    .name = "zeros_like",
    .summary = "Zeros in the shape of the argument.",
    .attrs = op_like_attrs,
    .params_size = sizeof(struct op_like_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = op_like_arg_names,
    .dtypes = OP_DTYPES_ALL,
    .graph_type = "ZerosLike",
    .graph_name = "zeros_like",
    .infer = op_infer_like,
    .eval = op_eval_constant,
    .constant = zeros_like_constant,
    .strings = op_strings_empty,
};
