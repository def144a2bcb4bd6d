/* Numbers as float64: short runs, of every real type and of float8. Exact but for 64-bit integers,
 * which are rounded once. */
#ifndef SERVICE_TENSOR_WIDEN_H
#define SERVICE_TENSOR_WIDEN_H

#include "service/tensor/dtype.h"

enum { KERNEL_WIDEN_MAX = 512 };

bool kernel_widen_known(enum dtype dtype);
/* At most KERNEL_WIDEN_MAX elements, element-aligned, of a type that is known. */
void kernel_widen(enum dtype dtype, const void *in, double *out, uint64_t count);

/* The same as float32, of types that it is exact for, itself not among them. */
bool kernel_widen_floats_known(enum dtype dtype);
void kernel_widen_floats(enum dtype dtype, const void *in, float *out, uint64_t count);

#endif
