/* Quantiles of finite numbers. */
#ifndef SERVICE_TENSOR_QUANTILE_H
#define SERVICE_TENSOR_QUANTILE_H

#include <stdint.h>

/* In ascending order; no number is NaN. `room`: for twice as many. Takes time in proportion to
 * count. */
void kernel_quantile_sort(double *numbers, uint64_t count, uint64_t *room);
/* The quantile at `place` in [0, 1] of sorted numbers, at least one: between two of them on the
 * straight line, as numpy's default. */
double kernel_quantile(const double *sorted, uint64_t count, double place);

#endif
