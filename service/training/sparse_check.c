/* What the types of indices and updates must be, in TensorFlow's words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "service/training/sparse_text.h"

enum {
    ND_DEPTH_MAX = 5,
    INDEX_BYTES =
        32, /* an int64, its row number, its place in the order and in the making of that */
};

enum err_code
sparse_refuse(const struct sparse_target *target, struct err *err, const char *format, ...)
{
    char text[ERR_TEXT_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_about(err, "variable", target->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s': %s", target->verb, target->name, text);
}

const char *
sparse_place_text(const struct shape *shape, uint32_t rank, uint64_t at,
                  char out[static SHAPE_TEXT_BYTES_MAX])
{
    struct shape place = {.rank = rank};

    for (uint32_t i = rank; i-- > 0;) {
        place.dims[i] = at % shape->dims[i];
        at /= shape->dims[i];
    }
    return rank == 0 ? "" : shape_text(&place, out);
}

static enum err_code
check_indices(const struct sparse_target *target, const struct tensor_type *indices,
              struct err *err)
{
    if (indices->dtype == DTYPE_INT32 || indices->dtype == DTYPE_INT64)
        return OK;
    return sparse_refuse(target, err, "indices must be int32 or int64, not %s",
                         dtype_name(indices->dtype));
}

static enum err_code
check_updates(const struct sparse_target *target, enum kernel_scatter op,
              const struct tensor_type *indices, const struct tensor_type *updates, struct err *err)
{
    enum dtype dtype = target->type->dtype;

    if (dtype == DTYPE_STRING)
        return sparse_refuse(target, err, "string tensors are written whole, not by rows");
    if (!kernel_scatter_known(op, dtype))
        return sparse_refuse(target, err, "%s has no %s", dtype_name(dtype),
                             dtype_is_complex(dtype) ? "order" : "arithmetic");
    TRY(check_indices(target, indices, err));
    if (updates->dtype != dtype)
        return sparse_refuse(target, err, "dtype %s expected, the updates have %s",
                             dtype_name(dtype), dtype_name(updates->dtype));
    return OK;
}

/* Whether `shape` is `left` dimensions of a followed by those of b from `skip` on. */
static bool
is_joined(const struct shape *shape, const struct shape *a, uint32_t left, const struct shape *b,
          uint32_t skip)
{
    if (shape->rank != left + b->rank - skip)
        return false;
    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] != (i < left ? a->dims[i] : b->dims[i - left + skip]))
            return false;
    return true;
}

enum err_code
sparse_check_scatter(const struct sparse_target *target, enum kernel_scatter op,
                     const struct tensor_type *indices, const struct tensor_type *updates,
                     struct err *err)
{
    const struct shape *params = &target->type->shape;
    char of_params[SHAPE_TEXT_BYTES_MAX], of_indices[SHAPE_TEXT_BYTES_MAX];
    char of_updates[SHAPE_TEXT_BYTES_MAX];

    if (params->rank == 0)
        return sparse_refuse(target, err, "params must be at least 1-D, got shape []");
    TRY(check_updates(target, op, indices, updates, err));
    if (updates->shape.rank == 0 ||
        is_joined(&updates->shape, &indices->shape, indices->shape.rank, params, 1))
        return OK;
    return sparse_refuse(target, err,
                         "Must have updates.shape = indices.shape + params.shape[1:], got "
                         "updates.shape %s, indices.shape %s, params.shape %s",
                         shape_text(&updates->shape, of_updates),
                         shape_text(&indices->shape, of_indices), shape_text(params, of_params));
}

/* K: how many dimensions the indices go through. */
static enum err_code
check_depth(const struct sparse_target *target, const struct shape *indices, struct err *err)
{
    const struct shape *params = &target->type->shape;
    char text[SHAPE_TEXT_BYTES_MAX];
    uint64_t depth;

    if (params->rank == 0)
        return sparse_refuse(target, err, "Output must be at least 1-D, got shape: []");
    if (indices->rank == 0)
        return sparse_refuse(target, err, "Indices shape must have rank at least one. Found: []");
    depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > ND_DEPTH_MAX)
        return sparse_refuse(target, err,
                             "Only indices.shape[-1] values between 1 and %d are currently "
                             "supported.  Requested rank: %" PRIu64,
                             ND_DEPTH_MAX, depth);
    if (depth > params->rank)
        return sparse_refuse(target, err,
                             "indices.shape[-1] = %" PRIu64 " is more than the rank of params, "
                             "which has shape %s",
                             depth, shape_text(params, text));
    return OK;
}

enum err_code
sparse_check_scatter_nd(const struct sparse_target *target, enum kernel_scatter op,
                        const struct tensor_type *indices, const struct tensor_type *updates,
                        struct err *err)
{
    const struct shape *params = &target->type->shape, *theirs = &updates->shape;
    char of_a[SHAPE_TEXT_BYTES_MAX], of_updates[SHAPE_TEXT_BYTES_MAX];
    uint32_t outer, depth;

    TRY(check_updates(target, op, indices, updates, err));
    TRY(check_depth(target, &indices->shape, err));
    outer = indices->shape.rank - 1;
    depth = (uint32_t)indices->shape.dims[outer];
    shape_text(theirs, of_updates);
    if (theirs->rank < outer ||
        memcmp(theirs->dims, indices->shape.dims, outer * sizeof theirs->dims[0]) != 0)
        return sparse_refuse(target, err,
                             "The outer %" PRIu32 " dimensions of indices.shape=%s must match the "
                             "outer %" PRIu32 " dimensions of updates.shape=%s",
                             outer, shape_text(&indices->shape, of_a), outer, of_updates);
    if (!is_joined(theirs, &indices->shape, outer, params, depth))
        return sparse_refuse(target, err,
                             "The inner %" PRIu32 " dimensions of ref.shape=%s must match the "
                             "inner %" PRIu32 " dimensions of updates.shape=%s",
                             params->rank - depth, shape_text(params, of_a), theirs->rank - outer,
                             of_updates);
    return OK;
}

enum err_code
sparse_check_gather(const struct sparse_target *target, const struct tensor_type *indices,
                    struct tensor_type *out, struct err *err)
{
    const struct shape *params = &target->type->shape;
    struct shape *shape = &out->shape;

    if (target->type->dtype == DTYPE_STRING)
        return sparse_refuse(target, err, "string tensors are read whole, not by rows");
    if (params->rank == 0)
        return sparse_refuse(target, err, "params must be at least 1 dimensional, got shape []");
    TRY(check_indices(target, indices, err));
    if (indices->shape.rank + params->rank - 1 > SHAPE_RANK_MAX)
        return sparse_refuse(target, err, "the result has rank %" PRIu32 ", the limit is %d",
                             indices->shape.rank + params->rank - 1, SHAPE_RANK_MAX);
    out->dtype = target->type->dtype;
    *shape = indices->shape;
    for (uint32_t i = 1; i < params->rank; i++)
        shape->dims[shape->rank++] = params->dims[i];
    if (shape_check(shape, NULL) == OK)
        return OK;
    return sparse_refuse(target, err, "the result would have over %" PRIu64 " elements",
                         SHAPE_COUNT_MAX);
}

enum err_code
sparse_check_gradient(const struct sparse_target *target, const struct tensor_type *indices,
                      const struct tensor_type *gradient, struct err *err)
{
    const struct shape *var = &target->type->shape, *grad = &gradient->shape;
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];
    uint32_t most = var->rank > grad->rank ? var->rank : grad->rank;

    shape_text(var, ours);
    shape_text(grad, theirs);
    if (var->rank == 0)
        return sparse_refuse(target, err, "var must be at least 1 dimensional, it has shape []");
    TRY(check_indices(target, indices, err));
    if (gradient->dtype != target->type->dtype)
        return sparse_refuse(target, err, "dtype %s expected, the gradient has %s",
                             dtype_name(target->type->dtype), dtype_name(gradient->dtype));
    if (indices->shape.rank != 1)
        return sparse_refuse(target, err, "indices must be one-dimensional, they have shape %s",
                             shape_text(&indices->shape, ours));
    for (uint32_t d = 1; d < most; d++)
        if (d >= var->rank || d >= grad->rank || var->dims[d] != grad->dims[d])
            return sparse_refuse(target, err,
                                 "var and grad must match in dimension %" PRIu32
                                 ": var has shape %s, grad has %s",
                                 d, ours, theirs);
    if (grad->rank == 0 || grad->dims[0] != indices->shape.dims[0])
        return sparse_refuse(target, err,
                             "grad must be the same size as indices in the first dimension."
                             " grad has shape %s, indices have %s",
                             theirs, shape_text(&indices->shape, ours));
    for (uint32_t d = 1; d < var->rank; d++)
        if (var->dims[d] == 0)
            return sparse_refuse(
                target, err, "Inner dimension should be greater than zero. var has shape %s", ours);
    return OK;
}

enum err_code
sparse_check_memory(const struct sparse_target *target, const struct shape *indices,
                    uint64_t bytes_max, struct err *err)
{
    uint64_t count = shape_count(indices);
    char text[SHAPE_TEXT_BYTES_MAX];

    if (count <= bytes_max / INDEX_BYTES)
        return OK;
    err_about(err, "variable", target->name);
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "%s '%s': indices of shape %s take %" PRIu64
                   " bytes of memory, over the limit of %" PRIu64 " bytes (expression_max_bytes)",
                   target->verb, target->name, shape_text(indices, text), count * INDEX_BYTES,
                   bytes_max);
}

enum err_code
sparse_check_work(const struct sparse_target *target, const struct sparse *rows,
                  uint64_t elements_max, struct err *err)
{
    uint64_t elements;

    if (!__builtin_mul_overflow(rows->count, rows->width, &elements) && elements <= elements_max)
        return OK;
    err_about(err, "variable", target->name);
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "%s '%s': %" PRIu64 " rows of %" PRIu64 " elements are to be changed one after "
                   "the other, the limit is %" PRIu64 " elements (expression_operations_max)",
                   target->verb, target->name, rows->count, rows->width, elements_max);
}
