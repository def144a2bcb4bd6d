/* Reductions as ops: TensorFlow's rules for axes; the argument is read front to back in pieces, so
 * that memory depends on the result alone. One thread reads: what it waits for is memory. */
#include "service/expr/op_reduce.h"

#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* Elements of a piece: a variable is read in pieces of this many. */
enum { PIECE_ELEMENTS = 16 * OP_TILE_ELEMENTS };

const struct attr_spec op_reduce_attrs[] = {
    ATTR_INTS(struct op_reduce_params, axis, .alias = "reduction_indices",
              .help = "dimensions to reduce, negative ones count from the end; all when not given"),
    ATTR_BOOL(struct op_reduce_params, keep_dims,
              .help = "whether reduced dimensions stay, with size 1"),
    ATTR_END,
};

const char *const op_reduce_arg_names[] = {"input_tensor"};

/* --- inference ----------------------------------------------------------------------------- */

enum err_code
op_reduce_axes(const struct expr *node, const struct attr_ints *list, struct op_axes *out,
               struct err *err)
{
    int64_t rank = node->args[0]->type.shape.rank;
    uint32_t seen = 0;

    for (uint32_t i = 0; list->given && i < list->count; i++) {
        int64_t axis = list->values[i], dim = axis < 0 ? axis + rank : axis;

        if (dim < 0 || dim >= rank)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Invalid reduction dimension %" PRId64 " for input with %" PRId64
                           " dimension(s)",
                           axis, rank);
        if ((seen >> dim & 1) != 0)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Invalid reduction dimension %" PRId64
                           ": axes contain dimension %" PRId64 " twice",
                           axis, dim);
        seen |= 1u << dim;
    }
    return op_axes_resolve(node, "axis", list, (uint32_t)rank, false, out, err);
}

struct op_axes
op_reduce_axes_of(const struct expr *node, const struct attr_ints *list)
{
    struct op_axes axes = {0};

    CHECK(op_reduce_axes(node, list, &axes, NULL) == OK);
    return axes;
}

enum err_code
op_infer_reduce(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_reduce_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    struct op_axes axes;

    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    TRY(op_reduce_axes(node, &params->axis, &axes, err));
    node->type = (struct tensor_type){
        .dtype = from->dtype, .shape = op_axes_removed(&axes, &from->shape, params->keep_dims)};
    return OK;
}

/* --- evaluation ---------------------------------------------------------------------------- */

static uint64_t
piece_elements(const struct expr *node)
{
    uint64_t count = shape_count(&node->args[0]->type.shape);

    return count < PIECE_ELEMENTS ? count : PIECE_ELEMENTS;
}

uint64_t
op_reduce_piece_bytes(const struct expr *node)
{
    return piece_elements(node) * dtype_size(node->args[0]->type.dtype);
}

enum err_code
op_reduce_walk(struct evaluator *e, const struct expr *node, op_reduce_each *each, void *context,
               struct err *err)
{
    uint64_t count = shape_count(&node->args[0]->type.shape), piece = piece_elements(node);
    AUTO_CALL(mem_free_scope)
    void *elements = mem_aligned((size_t)op_reduce_piece_bytes(node), err);

    if (elements == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t first = 0; first < count; first += piece) {
        uint64_t left = count - first, step = left < piece ? left : piece;

        TRY(op_arg_read(e, node, 0, first, step, elements, err));
        each(context, elements, step);
    }
    return OK;
}

static void
feed(void *context, const void *elements, uint64_t count)
{
    kernel_reduction_feed(context, elements, count);
}

enum err_code
op_reduce_run(struct evaluator *e, const struct expr *node, enum kernel_reduce kind,
              enum kernel_reduce_map map, uint32_t axes, struct kernel_reduction *out,
              struct err *err)
{
    TRY(kernel_reduction_init(out, kind, map, &node->args[0]->type, axes, err));
    return op_reduce_walk(e, node, feed, out, err);
}

enum err_code
op_compute_reduce(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct op_reduce_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axis);
    AUTO(kernel_reduction) r = {0};

    TRY(op_reduce_run(e, node, (enum kernel_reduce)node->op->kernel, KERNEL_REDUCE_PLAIN, axes.mask,
                      &r, err));
    kernel_reduction_finish(&r, node->type.dtype, out);
    return OK;
}

uint64_t
op_reduce_scratch(const struct expr *node)
{
    const struct op_reduce_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axis);

    return op_reduce_piece_bytes(node) +
           kernel_reduction_bytes(&node->args[0]->type, axes.mask, KERNEL_REDUCE_PLAIN);
}

uint64_t
op_reduce_operations(const struct expr *node)
{
    return shape_count(&node->args[0]->type.shape);
}
