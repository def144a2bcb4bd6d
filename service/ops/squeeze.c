/* squeeze(input, axis): without dimensions of size 1, all of them or those named. */
#include <inttypes.h>

#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"

struct squeeze_params {
    struct attr_ints axis;
};

static const struct attr_spec attrs[] = {
    ATTR_INTS(struct squeeze_params, axis, .alias = "squeeze_dims",
              .help = "which, negative from the end; none or not given: all of size 1"),
    ATTR_END,
};

static const char *const arg_names[] = {"input"};

static struct shape
without_ones(const struct shape *shape)
{
    struct shape result = {0};

    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] != 1)
            result.dims[result.rank++] = shape->dims[i];
    return result;
}

static enum err_code
squeeze_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct squeeze_params *params = node->params;
    const struct shape *from = &node->args[0]->type.shape;
    struct op_axes axes;

    (void)tree;
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype};
    if (!params->axis.given || params->axis.count == 0) {
        node->type.shape = without_ones(from);
        return OK;
    }
    TRY(op_axes_resolve(node, "axis", &params->axis, from->rank, true, &axes, err));
    for (uint32_t i = 0; i < axes.count; i++)
        if (from->dims[axes.axes[i]] != 1)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Can not squeeze dim[%" PRIu32
                           "], expected a dimension of 1, got %" PRIu64,
                           axes.axes[i], from->dims[axes.axes[i]]);
    node->type.shape = op_axes_removed(&axes, from, false);
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "", .type = "Squeeze", .inputs = "$0", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_squeeze = {
    .name = "squeeze",
    .summary = "The argument's elements, without dimensions of size 1.",
    .attrs = attrs,
    .params_size = sizeof(struct squeeze_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_ALL,
    .passthrough = true,
    .graph_nodes = graph_nodes,
    .infer = squeeze_infer,
};
