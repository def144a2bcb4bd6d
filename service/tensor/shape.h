/* Shapes: rank and dimensions; rank 0 is a scalar, dimensions may be 0. */
#ifndef SERVICE_TENSOR_SHAPE_H
#define SERVICE_TENSOR_SHAPE_H

#include "service/tensor/dtype.h"
#include "store/base/buf.h"

enum { SHAPE_RANK_MAX = 32, SHAPE_TEXT_BYTES_MAX = 700 };
/* 2^47 elements at most, so that bytes stay below 2^51 for every dtype. */
#define SHAPE_COUNT_MAX ((uint64_t)1 << 47)

struct shape {
    uint32_t rank;
    uint64_t dims[SHAPE_RANK_MAX];
};

/* ERR_INVALID_ARGUMENT when the product of dims is over SHAPE_COUNT_MAX (checked without overflow;
 * a zero dimension does not hide an absurd other one) or the rank over SHAPE_RANK_MAX. */
ERR_MUST_CHECK enum err_code shape_check(const struct shape *shape, struct err *err);
uint64_t shape_count(const struct shape *shape); /* elements; the shape has passed shape_check */
bool shape_equal(const struct shape *a, const struct shape *b);
/* NumPy/TensorFlow broadcasting. ERR_INVALID_ARGUMENT names both shapes. */
ERR_MUST_CHECK enum err_code shape_broadcast(const struct shape *a, const struct shape *b,
                                             struct shape *out, struct err *err);
/* "[2,3]", as TensorFlow's kernels print; returns out. */
const char *shape_text(const struct shape *shape, char out[static SHAPE_TEXT_BYTES_MAX]);
ERR_MUST_CHECK enum err_code shape_encode(const struct shape *shape, struct buf *out,
                                          struct err *err);
void shape_decode(struct reader *in, struct shape *out); /* damage sets in->failed */

#endif
