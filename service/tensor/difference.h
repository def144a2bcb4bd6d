/* How two runs of elements of one type differ.
 *
 * An element has changed when its bits have: a NaN is the NaN of the same bits, and 0.0 has changed
 * when it became -0.0, by nothing. What has not changed differs by 0, infinities and NaN too. Other
 * differences are taken in float64: of floats rounded once, of integers exactly and then rounded
 * once. Complex numbers are taken as their real and imaginary parts, one by one, but for how many
 * have changed and how far they are apart at most, which are said of the numbers.
 *
 * Sums are of float64, KERNEL_DIFFERENCE_LANES of them by place in the run (of complex numbers: of
 * the part), added pairwise at the end: the order of additions follows from the run alone. No fused
 * multiply-add. The plain twin says the same, one element at a time. */
#ifndef SERVICE_TENSOR_DIFFERENCE_H
#define SERVICE_TENSOR_DIFFERENCE_H

#include "service/tensor/dtype.h"

enum { KERNEL_DIFFERENCE_LANES = 8 };

/* Zeroed: of no elements. */
struct kernel_difference {
    uint64_t changed;                      /* elements */
    uint64_t nonfinite;                    /* of them: those whose difference is NaN or infinite */
    double max_abs;                        /* greatest absolute difference; NaN where one is NaN */
    double squares;                        /* sum of the differences' squares */
    double a_squares, b_squares, products; /* sums of a * a, b * b and a * b */
};

/* Numbers: integers, floats, complex numbers, and float8. Of others there are only changed bits. */
bool kernel_difference_known(enum dtype dtype);
/* a and b are element-aligned. */
void kernel_difference(enum dtype dtype, const void *a, const void *b, uint64_t count,
                       struct kernel_difference *out);
void kernel_difference_plain(enum dtype dtype, const void *a, const void *b, uint64_t count,
                             struct kernel_difference *out);
/* The run of `part` comes after that of `into`. */
void kernel_difference_add(struct kernel_difference *into, const struct kernel_difference *part);

/* How many elements of 1, 2, 4, 8 or 16 bytes have other bits. */
uint64_t kernel_changed(uint32_t element_size, const void *a, const void *b, uint64_t count);

#endif
