/* Elementwise kernels, one row per operation and dtype kind.
 *
 * Rules (TensorFlow's CPU kernels): integers wrap; integer divide truncates and a zero divisor
 * fails; float16 and bfloat16 compute in float32 and round each result once; complex as in C99
 * without infinities' special cases. No fused multiply-add anywhere. in/out are at least
 * element-aligned. */
#ifndef SERVICE_TENSOR_KERNELS_H
#define SERVICE_TENSOR_KERNELS_H

#include "service/tensor/tensor.h"

enum kernel_binary {
    KERNEL_ADD,
    KERNEL_SUBTRACT,
    KERNEL_MULTIPLY,
    KERNEL_DIVIDE,
    KERNEL_BINARY_COUNT
};
enum kernel_unary { KERNEL_NEGATIVE, KERNEL_UNARY_COUNT };

/* How an operand runs along the result: step 1 = element by element, step 0 = the same one
 * repeated. */
struct kernel_operand {
    const void *data;
    uint32_t step; /* 0 or 1 */
};

bool kernel_binary_known(enum kernel_binary op, enum dtype dtype);
bool kernel_unary_known(enum kernel_unary op, enum dtype dtype);
/* out[i] = a[i*a.step] op b[i*b.step]; out may be a.data or b.data. ERR_INVALID_ARGUMENT "integer
 * division by zero" only. The fast path; kernel_binary_plain is its twin, one element at a time. */
ERR_MUST_CHECK enum err_code kernel_binary(enum kernel_binary op, enum dtype dtype,
                                           struct kernel_operand a, struct kernel_operand b,
                                           void *out, uint64_t count, struct err *err);
ERR_MUST_CHECK enum err_code kernel_binary_plain(enum kernel_binary op, enum dtype dtype,
                                                 struct kernel_operand a, struct kernel_operand b,
                                                 void *out, uint64_t count, struct err *err);
void kernel_unary(enum kernel_unary op, enum dtype dtype, const void *in, void *out,
                  uint64_t count);
/* Repeat one element `count` times. */
void kernel_fill(uint32_t element_size, const void *element, void *out, uint64_t count);

#endif
