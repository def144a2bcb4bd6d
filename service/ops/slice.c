/* slice(input_, begin, size): a part of the argument; a size of -1 takes all that is left. */
#include <inttypes.h>

#include "service/expr/op_helpers.h"
#include "service/expr/op_layout.h"

struct slice_params {
    struct attr_ints begin, size;
};

static const struct attr_spec attrs[] = {
    ATTR_INTS(struct slice_params, begin, .required = true,
              .help = "first element along each dimension"),
    ATTR_INTS(struct slice_params, size, .required = true,
              .help = "how many along each dimension; -1: all that are left"),
    ATTR_END,
};

static const char *const arg_names[] = {"input_"};

static enum err_code
check_vector(const struct expr *node, const char *name, const struct attr_ints *ints,
             struct err *err)
{
    uint32_t rank = node->args[0]->type.shape.rank;
    char text[SHAPE_TEXT_BYTES_MAX];

    if (!ints->single && ints->count == rank)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Expected begin and size arguments to be 1-D tensors of size %" PRIu32
                   " (input_ has shape %s), but %s is %s of %" PRIu32,
                   rank, shape_text(&node->args[0]->type.shape, text), name,
                   ints->single ? "a number, not a list" : "a list", ints->count);
}

static enum err_code
take_dimension(const struct expr *node, uint32_t dim, uint64_t *out, struct err *err)
{
    const struct slice_params *params = node->params;
    int64_t have = (int64_t)node->args[0]->type.shape.dims[dim];
    int64_t begin = params->begin.values[dim], size = params->size.values[dim];

    if (begin < 0 || begin > have)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Expected begin[%" PRIu32 "] in [0, %" PRId64 "], but got %" PRId64, dim,
                       have, begin);
    if (size == -1)
        size = have - begin;
    if (size < 0 || size > have - begin)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Expected size[%" PRIu32 "] in [0, %" PRId64 "], but got %" PRId64, dim,
                       have - begin, size);
    *out = (uint64_t)size;
    return OK;
}

static enum err_code
slice_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct slice_params *params = node->params;

    (void)tree;
    node->type = node->args[0]->type;
    TRY(op_check_dtype(node, node->type.dtype, err));
    TRY(check_vector(node, "begin", &params->begin, err));
    TRY(check_vector(node, "size", &params->size, err));
    for (uint32_t i = 0; i < node->type.shape.rank; i++)
        TRY(take_dimension(node, i, &node->type.shape.dims[i], err));
    return OK;
}

static enum err_code
slice_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
           struct err *err)
{
    const struct slice_params *params = node->params;
    uint64_t strides[SHAPE_RANK_MAX];
    struct op_layout layout = {0};

    op_layout_strides(&node->args[0]->type.shape, strides);
    for (uint32_t i = node->type.shape.rank; i-- > 0;) {
        layout.base += (uint64_t)params->begin.values[i] * strides[i];
        op_layout_add(&layout, node->type.shape.dims[i], strides[i]);
    }
    return op_layout_read(&layout, e, node, 0, first, count, out, err);
}

static bool
slice_constant(const struct expr *node, void *element)
{
    return op_node_constant(node->args[0], element);
}

const struct op op_slice = {
    .name = "slice",
    .summary = "A part of the argument: for each dimension a beginning and a size.",
    .attrs = attrs,
    .params_size = sizeof(struct slice_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .graph_type = "Slice",
    .infer = slice_infer,
    .eval = slice_eval,
    .constant = slice_constant,
};
