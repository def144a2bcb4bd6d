/* expand_dims(input, axis): one dimension more, of size 1. */
#include "service/expr/op_axes.h"

struct expand_dims_params {
    int64_t axis;
};

static const struct attr_spec attrs[] = {
    ATTR_I64(struct expand_dims_params, axis, .alias = "dim", .required = true,
             .help = "where in the result's shape; negative from the end"),
    ATTR_END,
};

static const char *const arg_names[] = {"input"};

static enum err_code
expand_dims_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct expand_dims_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    uint32_t at = 0;

    (void)tree;
    TRY(op_axis_resolve(node, "axis", params->axis, from->shape.rank + 1, &at, err));
    node->type.dtype = from->dtype;
    return op_axes_insert(node, &from->shape, at, 1, &node->type.shape, err);
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "dim", .type = "Const"},
    {.name = "", .type = "ExpandDims", .inputs = "$0 dim", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_expand_dims = {
    .name = "expand_dims",
    .summary = "The argument's elements, with one dimension of size 1 more.",
    .attrs = attrs,
    .params_size = sizeof(struct expand_dims_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_ALL,
    .passthrough = true,
    .graph_nodes = graph_nodes,
    .infer = expand_dims_infer,
};
