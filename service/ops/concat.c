/* concat(values, axis): tensors one after the other along a dimension. */
#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"
#include "service/expr/op_join.h"

struct concat_params {
    int64_t axis;
};

static const struct attr_spec attrs[] = {
    ATTR_I64(struct concat_params, axis, .required = true,
             .help = "the dimension along which they are joined; negative from the end"),
    ATTR_END,
};

static const char *const arg_names[] = {"values"};

static enum err_code
concat_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct concat_params *params = node->params;
    uint32_t axis = 0;
    uint64_t *dim;

    if (node->args[0]->type.shape.rank == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Can't concatenate scalars (use stack instead)");
    TRY(op_axis_resolve(node, "axis", params->axis, node->args[0]->type.shape.rank, &axis, err));
    TRY(op_join_check(tree, node, axis, err));
    node->type = node->args[0]->type;
    dim = &node->type.shape.dims[axis];
    for (uint32_t i = 1; i < node->arg_count; i++)
        if (__builtin_add_overflow(*dim, node->args[i]->type.shape.dims[axis], dim))
            *dim = UINT64_MAX;
    return OK;
}

static enum err_code
concat_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
            struct err *err)
{
    const struct concat_params *params = node->params;
    const struct shape *shape = &node->type.shape;
    uint32_t axis = 0;

    TRY(op_axis_resolve(node, "axis", params->axis, shape->rank, &axis, err));
    return op_join_eval(e, node, op_axes_product(shape, 0, axis), first, count, out, err);
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "axis", .type = "Const"},
    {.name = "", .type = "ConcatV2", .inputs = "$* axis", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node single_nodes[] = {
    {.name = "concat_dim", .type = "Const"},
    {.name = "", .type = "Identity", .inputs = "$0", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
concat_graph(const struct expr *node)
{
    return node->arg_count == 1 ? single_nodes : graph_nodes;
}

const struct op op_concat = {
    .name = "concat",
    .summary = "The arguments one after the other along a dimension.",
    .attrs = attrs,
    .params_size = sizeof(struct concat_params),
    .args_min = 1,
    .args_max = OP_ARGS_ANY,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .graph_rows = concat_graph,
    .graph_name = "concat",
    .infer = concat_infer,
    .eval = concat_eval,
    .constant = op_join_constant,
};
