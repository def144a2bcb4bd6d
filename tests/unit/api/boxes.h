/* Rectangles that a tensor is cut into, for tests of what lies in parts. */
#ifndef TESTS_UNIT_API_BOXES_H
#define TESTS_UNIT_API_BOXES_H

#include "service/tensor/tensor.h"
#include "tests/support/random.h"

struct box {
    uint64_t first[SHAPE_RANK_MAX];
    struct shape shape;
};

/* Where element `at` of a box lies in the whole. */
static inline uint64_t
box_place(const struct box *box, const struct shape *whole, uint64_t at)
{
    uint64_t place = 0, stride = 1;

    for (uint32_t i = whole->rank; i-- > 0;) {
        place += (box->first[i] + at % box->shape.dims[i]) * stride;
        at /= box->shape.dims[i];
        stride *= whole->dims[i];
    }
    return place;
}

/* Cuts one of the boxes in two, if it can be. Returns how many there are now. */
static inline size_t
boxes_cut(struct box *boxes, size_t count)
{
    struct box *box = &boxes[random_below((uint32_t)count)];
    uint32_t axis = random_below(box->shape.rank);
    uint64_t length = box->shape.dims[axis], at;

    if (length < 2)
        return count;
    at = 1 + random_below((uint32_t)length - 1);
    boxes[count] = *box;
    box->shape.dims[axis] = at;
    boxes[count].first[axis] += at;
    boxes[count].shape.dims[axis] -= at;
    return count + 1;
}

#endif
