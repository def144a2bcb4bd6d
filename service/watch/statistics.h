/* Statistics of a value: what its elements are (service/tensor/statistics.h says what is counted
 * and summed, and of what), and how they are distributed.
 *
 * Quantiles and percentiles are of the finite elements: of all of them, or, of more than
 * STATISTICS_SAMPLE_MAX elements, of those in every so-many-th place, a number of places that has
 * no divisor in common with the last dimension, so that all columns have their share. Between two
 * elements they lie on the straight line (numpy's default). The sample is the same whenever it is
 * taken.
 *
 * A value is read piece by piece, on all threads, under a lease: writers do not wait for it, nor it
 * for them. The numbers do not depend on how the value is kept, nor on the number of threads. What
 * is large is remembered, by the value and its revision. */
#ifndef SERVICE_WATCH_STATISTICS_H
#define SERVICE_WATCH_STATISTICS_H

#include "service/parallel.h"
#include "service/tensor/statistics.h"
#include "service/watch/look.h"

enum {
    STATISTICS_SAMPLE_MAX = 65536,
    STATISTICS_POINTS = 129,
    STATISTICS_PERCENTILES = 7,
};

/* 1 5 25 50 75 95 99 */
extern const unsigned char statistics_percents[STATISTICS_PERCENTILES];

struct statistics {
    struct kernel_statistics elements;
    uint64_t sampled; /* finite elements that quantiles are of; 0: there are none */
    bool exact;       /* those are all finite ones */
    bool has_crc32c;  /* of all bytes; a recipe has none */
    uint32_t crc32c;
    double percentiles[STATISTICS_PERCENTILES];
    /* In ascending order: all finite elements, where they are no more; else as many quantiles,
     * equally spaced from the least to the greatest element. */
    uint32_t point_count;
    double points[STATISTICS_POINTS];
};

/* Of the value looked at; the look is settled before it is read. ERR_INVALID_ARGUMENT when its
 * elements are no numbers; ERR_PAYLOAD_TOO_LARGE when a recipe would have to make more than
 * expression_bytes_max. Takes as long as reading the value: call it from a worker. */
ERR_MUST_CHECK enum err_code statistics_take(struct look *look, struct statistics *out,
                                             struct err *err);
/* The same with the threads of the caller's choice; NULL: its own alone. */
ERR_MUST_CHECK enum err_code statistics_take_with(struct look *look, struct parallel *parallel,
                                                  struct statistics *out, struct err *err);

#endif
