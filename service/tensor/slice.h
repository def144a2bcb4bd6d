/* NumPy basic slicing: "0:10:2,3:7,-1" - per dimension start:stop:step or an index (drops the
 * dimension), fewer than the rank = the rest whole, "..." once. Steps may be negative, never 0. */
#ifndef SERVICE_TENSOR_SLICE_H
#define SERVICE_TENSOR_SLICE_H

#include "service/tensor/tensor.h"

/* A slice resolved against a shape: for each source dimension a start, a step and a count. */
struct slice {
    struct shape source; /* the whole tensor's shape */
    struct shape result; /* indexed dimensions dropped */
    uint64_t start[SHAPE_RANK_MAX];
    int64_t step[SHAPE_RANK_MAX];   /* in elements of that dimension; 1 for an index */
    uint64_t count[SHAPE_RANK_MAX]; /* per source dimension; 1 for an index */
};

/* ERR_INVALID_ARGUMENT (syntax, too many dimensions), ERR_OUT_OF_RANGE (an index past the end);
 * start and stop past the end are clipped as NumPy does. */
ERR_MUST_CHECK enum err_code slice_parse(struct bytes text, const struct shape *shape,
                                         struct slice *out, struct err *err);
/* The slice in contiguous runs: calls `run` for each maximal run of source elements that is
 * contiguous in source and in result order, in result order. first = source element, count =
 * elements. */
typedef enum err_code slice_run(void *context, uint64_t source_first, uint64_t result_first,
                                uint64_t count, struct err *err);
ERR_MUST_CHECK enum err_code slice_each_run(const struct slice *slice, slice_run *run,
                                            void *context, struct err *err);

#endif
