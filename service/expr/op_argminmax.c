/* argmin and argmax: one dimension, the first unless another is named; an empty one has no least
 * element. */
#include "service/expr/op_argminmax.h"

#include <inttypes.h>

#include "store/base/check.h"
#include "store/base/scope.h"

const struct attr_spec op_argminmax_attrs[] = {
    ATTR_I64(struct op_argminmax_params, axis, .alias = "dimension",
             .help = "the dimension to look along, a negative one counts from the end"),
    ATTR_END,
};

const char *const op_argminmax_arg_names[] = {"input"};

static enum err_code
resolve(const struct expr *node, uint32_t *axis, struct err *err)
{
    const struct op_argminmax_params *params = node->params;
    const struct shape *shape = &node->args[0]->type.shape;
    int64_t rank = shape->rank;

    if (params->axis < -rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "dim must be >= %" PRId64 " for input rank (%" PRId64 "), but got: %" PRId64,
                       -rank, rank, params->axis);
    if (params->axis >= rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "dim must be < input rank (%" PRId64 "), but got: %" PRId64, rank,
                       params->axis);
    return op_axis_resolve(node, "axis", params->axis, shape->rank, axis, err);
}

static uint32_t
axis_of(const struct expr *node)
{
    uint32_t axis = 0;

    CHECK(resolve(node, &axis, NULL) == OK);
    return axis;
}

enum err_code
op_infer_argminmax(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct shape *shape = &node->args[0]->type.shape;
    char text[SHAPE_TEXT_BYTES_MAX];
    struct op_axes axes = {.count = 1};

    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    TRY(resolve(node, &axes.axes[0], err));
    axes.mask = 1u << axes.axes[0];
    if (shape->dims[axes.axes[0]] == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Reduction axis %" PRIu32 " is empty in shape %s", axes.axes[0],
                       shape_text(shape, text));
    node->type =
        (struct tensor_type){.dtype = DTYPE_INT64, .shape = op_axes_removed(&axes, shape, false)};
    return OK;
}

static void
feed(void *context, const void *elements, uint64_t count)
{
    kernel_argminmax_feed(context, elements, count);
}

enum err_code
op_compute_argminmax(struct evaluator *e, const struct expr *node, bool least, void *out,
                     struct err *err)
{
    AUTO(kernel_argminmax) arg = {0};

    TRY(kernel_argminmax_init(&arg, least, &node->args[0]->type, axis_of(node), out, err));
    return op_reduce_walk(e, node, feed, &arg, err);
}

uint64_t
op_argminmax_scratch(const struct expr *node)
{
    return op_reduce_piece_bytes(node) +
           kernel_argminmax_bytes(&node->args[0]->type, axis_of(node));
}
