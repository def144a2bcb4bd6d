/* Dimensions named by a client: -1 is the last one. */
#ifndef SERVICE_EXPR_OP_AXES_H
#define SERVICE_EXPR_OP_AXES_H

#include "service/expr/op.h"

/* Dimensions of one tensor, each below its rank. */
struct op_axes {
    uint32_t count;
    uint32_t axes[ATTR_INTS_MAX]; /* in the order given */
    uint32_t mask;                /* bit i: dimension i is among them */
};
_Static_assert(SHAPE_RANK_MAX <= 32, "a mask has a bit for every dimension");

/* `axis` of a tensor of `rank` dimensions, negative ones counted from the end.
 * ERR_INVALID_ARGUMENT "<name> = 2 not in [-2, 2)". `name`: the attribute's. */
ERR_MUST_CHECK enum err_code op_axis_resolve(const struct expr *node, const char *name,
                                             int64_t axis, uint32_t rank, uint32_t *out,
                                             struct err *err);
/* All of a list, which may be empty; when it is not given, all dimensions in their order.
 * `repeats`: whether one dimension may be named twice (it is then one in `mask` and stands in
 * `axes` once); otherwise ERR_INVALID_ARGUMENT names it. */
ERR_MUST_CHECK enum err_code op_axes_resolve(const struct expr *node, const char *name,
                                             const struct attr_ints *list, uint32_t rank,
                                             bool repeats, struct op_axes *out, struct err *err);
static inline bool
op_axes_has(const struct op_axes *axes, uint32_t dim)
{
    return (axes->mask >> dim & 1) != 0;
}
/* The shape with these dimensions taken out; with `keep` they stay, of size 1. */
struct shape op_axes_removed(const struct op_axes *axes, const struct shape *shape, bool keep);
/* The shape with a dimension of `size` put in before dimension `at` (at most the rank).
 * ERR_INVALID_ARGUMENT past SHAPE_RANK_MAX. */
ERR_MUST_CHECK enum err_code op_axes_insert(const struct expr *node, const struct shape *shape,
                                            uint32_t at, uint64_t size, struct shape *out,
                                            struct err *err);
/* The product of dimensions [from, to). */
uint64_t op_axes_product(const struct shape *shape, uint32_t from, uint32_t to);

#endif
