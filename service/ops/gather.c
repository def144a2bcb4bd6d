/* gather(params, indices): for every index, that part of the first dimension. */
#include <inttypes.h>

#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct gather_params {
    bool validate_indices;
};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct gather_params, validate_indices, .i64_default = 1,
              .help = "accepted and without effect: indices are always checked"),
    ATTR_END,
};

static const char *const arg_names[] = {"params", "indices"};

static enum err_code
gather_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *from = &node->args[0]->type, *indices = &node->args[1]->type;
    struct shape *shape = &node->type.shape;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    (void)tree;
    TRY(op_check_dtype(node, from->dtype, err));
    if (indices->dtype != DTYPE_INT32 && indices->dtype != DTYPE_INT64)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "indices must be int32 or int64, not %s",
                       tensor_type_text(indices, text));
    if (from->shape.rank == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "params must be at least 1 dimensional, it is %s",
                       tensor_type_text(from, text));
    if (indices->shape.rank + from->shape.rank - 1 > SHAPE_RANK_MAX)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "the result has rank %" PRIu32 ", the limit is %d",
                       indices->shape.rank + from->shape.rank - 1, SHAPE_RANK_MAX);
    node->type.dtype = from->dtype;
    *shape = indices->shape;
    for (uint32_t i = 1; i < from->shape.rank; i++)
        shape->dims[shape->rank++] = from->shape.dims[i];
    return OK;
}

/* "[1,0]": where in the indices element `at` stands. */
static const char *
place_text(const struct shape *shape, uint64_t at, char out[static SHAPE_TEXT_BYTES_MAX])
{
    struct shape place = {.rank = shape->rank};

    for (uint32_t i = shape->rank; i-- > 0;) {
        place.dims[i] = at % shape->dims[i];
        at /= shape->dims[i];
    }
    return place.rank == 0 ? "" : shape_text(&place, out);
}

static enum err_code
index_at(const struct expr *node, const void *indices, uint64_t at, uint64_t *out, struct err *err)
{
    const struct tensor_type *type = &node->args[1]->type;
    uint64_t size = node->args[0]->type.shape.dims[0];
    char text[SHAPE_TEXT_BYTES_MAX];
    int64_t index = 0;

    tensor_cast(type->dtype, (const uint8_t *)indices + at * dtype_size(type->dtype), DTYPE_INT64,
                &index, 1);
    if (index < 0 || (uint64_t)index >= size)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "indices%s = %" PRId64 " is not in [0, %" PRIu64 ")",
                       place_text(&type->shape, at, text), index, size);
    *out = (uint64_t)index;
    return OK;
}

/* Indices that follow each other are one run. */
static enum err_code
gather_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
            struct err *err)
{
    const struct shape *from = &node->args[0]->type.shape;
    const void *indices = op_arg_whole(e, node, 1);
    uint64_t width = op_axes_product(from, 1, from->rank);
    uint32_t size = dtype_size(node->type.dtype);
    uint8_t *to = out;

    while (count > 0) {
        uint64_t at = first / width, inside = first % width, index = 0, next = 0, run;

        TRY(index_at(node, indices, at, &index, err));
        run = width - inside;
        while (run < count) {
            TRY(index_at(node, indices, ++at, &next, err));
            if (next != index + (inside + run) / width)
                break;
            run += width;
        }
        run = run < count ? run : count;
        TRY(op_arg_read(e, node, 0, index * width + inside, run, to, err));
        to += run * size;
        first += run;
        count -= run;
    }
    return OK;
}

const struct op op_gather = {
    .name = "gather",
    .summary = "Parts of the first argument along its first dimension, one for each index.",
    .attrs = attrs,
    .params_size = sizeof(struct gather_params),
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .whole_args = 1u << 1,
    .graph_type = "Gather",
    .infer = gather_infer,
    .eval = gather_eval,
};
