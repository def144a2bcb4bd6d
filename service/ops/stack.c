/* stack(values, axis): tensors of one shape beside each other along a new dimension. */
#include "service/expr/op_axes.h"
#include "service/expr/op_join.h"

struct stack_params {
    int64_t axis;
};

static const struct attr_spec attrs[] = {
    ATTR_I64(struct stack_params, axis,
             .help = "where the new dimension stands in the result; negative from the end"),
    ATTR_END,
};

static const char *const arg_names[] = {"values"};

static enum err_code
stack_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct stack_params *params = node->params;
    const struct shape *part = &node->args[0]->type.shape;
    uint32_t axis = 0;

    TRY(op_join_check(tree, node, SHAPE_RANK_MAX, err));
    TRY(op_axis_resolve(node, "axis", params->axis, part->rank + 1, &axis, err));
    node->type.dtype = node->args[0]->type.dtype;
    return op_axes_insert(node, part, axis, node->arg_count, &node->type.shape, err);
}

static enum err_code
stack_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
           struct err *err)
{
    const struct stack_params *params = node->params;
    const struct shape *shape = &node->type.shape;
    uint32_t axis = 0;

    TRY(op_axis_resolve(node, "axis", params->axis, shape->rank, &axis, err));
    return op_join_eval(e, node, op_axes_product(shape, 0, axis), first, count, out, err);
}

const struct op op_stack = {
    .name = "stack",
    .summary = "The arguments beside each other along a new dimension.",
    .attrs = attrs,
    .params_size = sizeof(struct stack_params),
    .args_min = 1,
    .args_max = OP_ARGS_ANY,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .graph_type = "Pack",
    .graph_name = "stack",
    .infer = stack_infer,
    .eval = stack_eval,
    .constant = op_join_constant,
};
