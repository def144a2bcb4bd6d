/* tile(input, multiples): the argument repeated along each dimension. */
#include <inttypes.h>

#include "service/expr/op_helpers.h"
#include "service/expr/op_layout.h"

struct tile_params {
    struct attr_ints multiples;
};

static const struct attr_spec attrs[] = {
    ATTR_INTS(struct tile_params, multiples, .required = true,
              .help = "how often, for each dimension"),
    ATTR_END,
};

static const char *const arg_names[] = {"input"};

static enum err_code
tile_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tile_params *params = node->params;
    const struct attr_ints *multiples = &params->multiples;
    struct tensor_type *type = &node->type;

    (void)tree;
    *type = node->args[0]->type;
    TRY(op_check_dtype(node, type->dtype, err));
    if (multiples->single)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "multiples must be a vector, not the number %" PRId64, multiples->values[0]);
    if (multiples->count != type->shape.rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Expected multiples argument to be a vector of length %" PRIu32
                       " but got length %" PRIu32,
                       type->shape.rank, multiples->count);
    for (uint32_t i = 0; i < type->shape.rank; i++) {
        uint64_t *dim = &type->shape.dims[i];

        if (multiples->values[i] < 0)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Expected multiples[%" PRIu32 "] >= 0, but got %" PRId64, i,
                           multiples->values[i]);
        /* What is too large to be a number is too large for a shape. */
        if (__builtin_mul_overflow(*dim, (uint64_t)multiples->values[i], dim))
            *dim = UINT64_MAX;
    }
    return OK;
}

/* Each dimension is two loops: the argument's own, and around it one that goes nowhere. */
static enum err_code
tile_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
          struct err *err)
{
    const struct tile_params *params = node->params;
    const struct shape *from = &node->args[0]->type.shape;
    uint64_t strides[SHAPE_RANK_MAX];
    struct op_layout layout = {0};

    (void)err;
    op_layout_strides(from, strides);
    for (uint32_t i = from->rank; i-- > 0;) {
        op_layout_add(&layout, from->dims[i], strides[i]);
        op_layout_add(&layout, (uint64_t)params->multiples.values[i], 0);
    }
    op_layout_copy(&layout, op_arg_whole(e, node, 0), dtype_size(node->type.dtype), first, count,
                   out);
    return OK;
}

static bool
tile_constant(const struct expr *node, void *element)
{
    return op_node_constant(node->args[0], element);
}

const struct op op_tile = {
    .name = "tile",
    .summary = "The argument repeated along each dimension.",
    .attrs = attrs,
    .params_size = sizeof(struct tile_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "Tile",
    .infer = tile_infer,
    .eval = tile_eval,
    .constant = tile_constant,
};
