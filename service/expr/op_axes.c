/* Axes as TensorFlow r1.0 counts them: from the front, or from the end when negative. */
#include "service/expr/op_axes.h"

#include <inttypes.h>

#include "service/expr/op_helpers.h"

enum err_code
op_axis_resolve(const struct expr *node, const char *name, int64_t axis, uint32_t rank,
                uint32_t *out, struct err *err)
{
    int64_t size = (int64_t)rank;

    if (axis < -size || axis >= size)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "%s = %" PRId64 " not in [%" PRId64 ", %" PRId64 ")", name, axis, -size,
                       size);
    *out = (uint32_t)(axis < 0 ? axis + size : axis);
    return OK;
}

static void
add(struct op_axes *axes, uint32_t dim)
{
    axes->axes[axes->count++] = dim;
    axes->mask |= 1u << dim;
}

enum err_code
op_axes_resolve(const struct expr *node, const char *name, const struct attr_ints *list,
                uint32_t rank, bool repeats, struct op_axes *out, struct err *err)
{
    struct op_axes axes = {0};
    uint32_t dim = 0;

    for (uint32_t i = 0; !list->given && i < rank; i++)
        add(&axes, i);
    for (uint32_t i = 0; list->given && i < list->count; i++) {
        TRY(op_axis_resolve(node, name, list->values[i], rank, &dim, err));
        if (!op_axes_has(&axes, dim))
            add(&axes, dim);
        else if (!repeats)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "%s names dimension %" PRIu32 " twice (%" PRId64 ")", name, dim,
                           list->values[i]);
    }
    *out = axes;
    return OK;
}

struct shape
op_axes_removed(const struct op_axes *axes, const struct shape *shape, bool keep)
{
    struct shape result = {0};

    for (uint32_t i = 0; i < shape->rank; i++) {
        if (!op_axes_has(axes, i))
            result.dims[result.rank++] = shape->dims[i];
        else if (keep)
            result.dims[result.rank++] = 1;
    }
    return result;
}

enum err_code
op_axes_insert(const struct expr *node, const struct shape *shape, uint32_t at, uint64_t size,
               struct shape *out, struct err *err)
{
    struct shape result = {.rank = shape->rank + 1};

    if (shape->rank >= SHAPE_RANK_MAX)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "the result has rank %" PRIu32 ", the limit is %d", result.rank,
                       SHAPE_RANK_MAX);
    for (uint32_t i = 0; i < shape->rank; i++)
        result.dims[i < at ? i : i + 1] = shape->dims[i];
    result.dims[at] = size;
    *out = result;
    return OK;
}

uint64_t
op_axes_product(const struct shape *shape, uint32_t from, uint32_t to)
{
    uint64_t product = 1;

    for (uint32_t i = from; i < to; i++)
        product *= shape->dims[i];
    return product;
}
