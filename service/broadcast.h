/* How an argument runs along a larger result: NumPy's broadcasting as runs of elements.
 * Neighbouring dimensions that behave alike are one; so most broadcasts are two loops or less. */
#ifndef SERVICE_BROADCAST_H
#define SERVICE_BROADCAST_H

#include "service/tensor/shape.h"

struct broadcast {
    uint32_t rank;                    /* at least 1; the innermost dimension first */
    uint64_t sizes[SHAPE_RANK_MAX];   /* of the result */
    uint64_t strides[SHAPE_RANK_MAX]; /* in source elements; 0: repeated. strides[0] is 0 or 1 */
};

/* A place in the result, moving forward. Borrows the plan. */
struct broadcast_walk {
    const struct broadcast *plan;
    uint64_t at[SHAPE_RANK_MAX];
    uint64_t source;
};

/* `count` result elements: source, source + step, source + 2 * step … */
struct broadcast_run {
    uint64_t source, count;
    uint32_t step; /* 0 or 1 */
};

/* `from` broadcasts to `to` (shape_broadcast has said so). */
void op_broadcast_init(struct broadcast *plan, const struct shape *from, const struct shape *to);
void op_broadcast_start(const struct broadcast *plan, uint64_t first, struct broadcast_walk *walk);
/* The longest run from here, count_max (at least 1) at most; moves past it. */
struct broadcast_run op_broadcast_next(struct broadcast_walk *walk, uint64_t count_max);

#endif
