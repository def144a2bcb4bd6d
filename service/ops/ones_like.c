/* ones_like(tensor, dtype): ones in the shape of another tensor, whose elements are not read. */
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct ones_like_params {
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_DTYPE(struct ones_like_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type of the result; the argument's when not given"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};

static enum err_code
ones_like_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct ones_like_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = node->args[0]->type;
    if (params->dtype != DTYPE_UNSET)
        node->type.dtype = params->dtype;
    return OK;
}

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
    .attrs = attrs,
    .params_size = sizeof(struct ones_like_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .graph_nodes = graph_nodes,
    .infer = ones_like_infer,
    .eval = op_eval_constant,
    .constant = ones_like_constant,
};
