/* diag_part(input): of a tensor [d1,…,dk,d1,…,dk] the elements whose two halves of coordinates are
 * equal, as [d1,…,dk]. */
#include <inttypes.h>

#include "service/expr/op_helpers.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"input"};

static enum err_code
diag_part_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *from = &node->args[0]->type;
    uint32_t rank = from->shape.rank, half = rank / 2;
    char text[SHAPE_TEXT_BYTES_MAX];

    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    if (rank == 0 || rank % 2 != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Input must have even and non-zero rank, input rank is %" PRIu32
                       " (shape %s)",
                       rank, shape_text(&from->shape, text));
    node->type = (struct tensor_type){.dtype = from->dtype, .shape = {.rank = half}};
    for (uint32_t i = 0; i < half; i++) {
        if (from->shape.dims[i] != from->shape.dims[half + i])
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Dimensions must be equal, but are %" PRIu64 " and %" PRIu64
                           ": dimensions %" PRIu32 " and %" PRIu32 " of input %s",
                           from->shape.dims[i], from->shape.dims[half + i], i, half + i,
                           shape_text(&from->shape, text));
        node->type.shape.dims[i] = from->shape.dims[i];
    }
    return OK;
}

static enum err_code
diag_part_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    uint64_t step = shape_count(&node->type.shape) + 1;
    uint32_t size = dtype_size(node->type.dtype);

    for (uint64_t i = 0; i < count; i++)
        TRY(op_arg_read(e, node, 0, (first + i) * step, 1, (uint8_t *)out + i * size, err));
    return OK;
}

const struct op op_diag_part = {
    .name = "diag_part",
    .summary = "The diagonal of a matrix, or of a tensor whose dimensions stand there twice.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .access = OP_ACCESS_RUNS,
    .graph_type = "DiagPart",
    .infer = diag_part_infer,
    .eval = diag_part_eval,
};
