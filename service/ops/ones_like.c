/* ones_like(tensor, dtype): ones in the shape of another tensor, whose elements are not read. */
#include "service/expr/op_like.h"
#include "service/tensor/convert.h"

static bool
ones_like_constant(const struct expr *node, void *element)
{
    tensor_element_of_double(node->type.dtype, 1.0, element);
    return true;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "Shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "Const", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "", .type = "Fill", .inputs = "Shape Const", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_ones_like = {
    .name = "ones_like",
    .summary = "Ones in the shape of the argument.",
    .attrs = op_like_attrs,
    .params_size = sizeof(struct op_like_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = op_like_arg_names,
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .graph_nodes = graph_nodes,
    .infer = op_infer_like,
    .eval = op_eval_constant,
    .constant = ones_like_constant,
};
