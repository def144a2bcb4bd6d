/* What is shown of an array that is too long to be shown whole: the first and the last few of each
 * dimension, as NumPy's print has it. */
#ifndef SERVICE_TENSOR_CORNERS_H
#define SERVICE_TENSOR_CORNERS_H

#include "service/tensor/slice.h"

struct tensor_corners {
    struct shape whole;
    struct shape kept; /* the same when nothing is cut */
    uint64_t edge;     /* how many at either end of a dimension that is cut */
};

/* Arrays of over `count_max` elements are cut in the dimensions of over 2 * edge. */
struct tensor_corners tensor_corners_of(const struct shape *shape, uint64_t count_max,
                                        uint64_t edge);
/* Whether elements of this dimension are left out. */
bool tensor_corners_cut(const struct tensor_corners *corners, uint32_t axis);
/* The kept elements in runs that are contiguous in the whole, in order: as slice_each_run. */
ERR_MUST_CHECK enum err_code tensor_corners_each_run(const struct tensor_corners *corners,
                                                     slice_run *run, void *context,
                                                     struct err *err);

#endif
