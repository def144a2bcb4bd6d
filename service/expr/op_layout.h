/* How the elements of a result stand in one source: nested loops, each with a step of its own. A
 * slice, a permutation of dimensions, a tiling, a broadcast are such loops; neighbouring ones that
 * walk through the source without a gap, or are both repeated, are one, so that what is contiguous
 * is copied in long runs. */
#ifndef SERVICE_EXPR_OP_LAYOUT_H
#define SERVICE_EXPR_OP_LAYOUT_H

#include "service/expr/op.h"

/* Loops of one turn vanish, so there are no more than a count of elements has bits: 47. */
enum { OP_LAYOUT_RANK_MAX = 48 };

struct op_layout {
    uint32_t rank;                        /* the innermost loop first; 0: one element */
    uint64_t base;                        /* source element of the result's first */
    uint64_t sizes[OP_LAYOUT_RANK_MAX];   /* of the result */
    uint64_t strides[OP_LAYOUT_RANK_MAX]; /* in source elements; 0: repeated */
};

/* A place in the result, moving forward. Borrows the layout. */
struct op_layout_walk {
    const struct op_layout *layout;
    uint64_t at[OP_LAYOUT_RANK_MAX];
    uint64_t source;
};

/* `count` result elements: source, source + step, source + 2 * step … */
struct op_layout_run {
    uint64_t source, count, step;
};

/* The next loop outwards. The result's shape has passed shape_check; one without elements must not
 * be walked. */
void op_layout_add(struct op_layout *layout, uint64_t size, uint64_t stride);
/* NumPy's broadcasting of a source of shape `from` to `to` (shape_broadcast has said that it can
 * be): the steps of its runs are 0 or 1. */
void op_layout_broadcast(struct op_layout *layout, const struct shape *from,
                         const struct shape *to);
void op_layout_start(const struct op_layout *layout, uint64_t first, struct op_layout_walk *walk);
/* The longest run from here, count_max (at least 1) at most; moves past it. */
struct op_layout_run op_layout_next(struct op_layout_walk *walk, uint64_t count_max);

/* Result elements [first, first + count) from a source in memory. element_size: 1 2 4 8 16. */
void op_layout_copy(const struct op_layout *layout, const void *source, uint32_t element_size,
                    uint64_t first, uint64_t count, void *out);
/* The same from an OP_ACCESS_RUNS argument. */
ERR_MUST_CHECK enum err_code op_layout_read(const struct op_layout *layout, struct evaluator *e,
                                            const struct expr *node, uint32_t index, uint64_t first,
                                            uint64_t count, void *out, struct err *err);
/* Elements per step of each dimension, row-major. */
void op_layout_strides(const struct shape *shape, uint64_t strides[static SHAPE_RANK_MAX]);

#endif
