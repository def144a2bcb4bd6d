/* What the elements of a run are: how many of each kind, the least and the greatest, and the sums
 * that mean, standard deviation and norms are taken from.
 *
 * Everything but the counts is said of the finite elements. -0.0 is a zero, and no bound is ever
 * -0.0. Complex numbers are taken by their magnitudes, booleans as 0 and 1, float8 as numbers;
 * others are no numbers, and unknown. Elements become float64, exactly but for 64-bit integers,
 * which are rounded once; their bounds are kept exactly all the same.
 *
 * Deviations are the sum of (x - mean)^2. Of a block they are taken from the sums of (x - c) and of
 * its square, c being kernel_statistics_centre: the mean is then never so much farther from c than
 * the elements are from the mean that more than a few bits are lost. Blocks are put together as
 * Chan, Golub and LeVeque do ("Algorithms for computing the sample variance", The American
 * Statistician 37, 1983). Sums are of KERNEL_STATISTICS_LANES by place among the finite elements of
 * a block, added pairwise, then block after block: the bits follow from the elements and from where
 * runs begin. No fused multiply-add. What exceeds the range of float64 is infinite, or NaN where
 * infinities of both signs met, as in numpy. The plain twin says the same, one element at a time.
 */
#ifndef SERVICE_TENSOR_STATISTICS_H
#define SERVICE_TENSOR_STATISTICS_H

#include "service/tensor/dtype.h"

enum {
    KERNEL_STATISTICS_LANES = 8,
    KERNEL_STATISTICS_BLOCK = 1024, /* elements; runs begin at a multiple of so many */
};

/* Zeroed: of no elements. */
struct kernel_statistics {
    uint64_t count;
    uint64_t nan, pos_inf, neg_inf; /* the others are finite */
    uint64_t zero, negative;        /* finite ones; what is left is positive */
    double min, max;                /* 0 where nothing is finite */
    uint64_t min_key, max_key;      /* of 64-bit integers: kernel_statistics_key */
    double sum, absolute;           /* of the elements, of their absolute values */
    double deviations;
};

bool kernel_statistics_known(enum dtype dtype);
/* A run that comes after those of `into`, which are whole blocks; element-aligned, of a type that
 * is known. */
void kernel_statistics(enum dtype dtype, const void *data, uint64_t count,
                       struct kernel_statistics *into);
void kernel_statistics_plain(enum dtype dtype, const void *data, uint64_t count,
                             struct kernel_statistics *into);
/* The runs of `part` come after those of `into`. */
void kernel_statistics_add(struct kernel_statistics *into, const struct kernel_statistics *part);

/* At most KERNEL_STATISTICS_BLOCK elements as the numbers that they are taken for. */
void kernel_statistics_widen(enum dtype dtype, const void *data, uint64_t count, double *out);

/* The same as float32: false for types that are not all exact in it, or are it. */
bool kernel_statistics_floats(enum dtype dtype, const void *data, uint64_t count, float *out);
/* What deviations of a block are taken from: 0, unless its finite elements lie close together on
 * one side of it. */
double kernel_statistics_centre(double min, double max, double first);

/* 64-bit integers by their order, as unsigned numbers; and back. */
uint64_t kernel_statistics_key(enum dtype dtype, uint64_t bits);

uint64_t kernel_statistics_finite(const struct kernel_statistics *s);
/* Of the finite elements; NaN where there is none. stddev: of all of them, divided by their number
 * (numpy's ddof=0). */
double kernel_statistics_mean(const struct kernel_statistics *s);
double kernel_statistics_stddev(const struct kernel_statistics *s);
double kernel_statistics_l2(const struct kernel_statistics *s);

#endif
