/* Scatter kernels: a row of one tensor changed by a row of another.
 *
 * Rules (TensorFlow's CPU kernels): the caller takes rows one after the other, so what stands twice
 * is done twice, in order, and of two updates the last one stays. ADD SUBTRACT MULTIPLY MINIMUM
 * MAXIMUM are kernel_binary's with the old element first. DIVIDE is too, but for integers, whose
 * quotient is cut off towards zero; the smallest integer divided by -1 wraps to itself. An integer
 * zero divisor, which ends TensorFlow's process, is to be looked for before (kernel_scatter_zero).
 *
 * UPDATE copies elements of any dtype with a fixed size. */
#ifndef SERVICE_TENSOR_SCATTER_H
#define SERVICE_TENSOR_SCATTER_H

#include "service/tensor/kernels.h"

enum kernel_scatter {
    KERNEL_SCATTER_UPDATE,
    KERNEL_SCATTER_ADD,
    KERNEL_SCATTER_SUBTRACT,
    KERNEL_SCATTER_MULTIPLY,
    KERNEL_SCATTER_DIVIDE,
    KERNEL_SCATTER_MINIMUM, /* integers and floats, these two */
    KERNEL_SCATTER_MAXIMUM,
    KERNEL_SCATTER_COUNT
};

bool kernel_scatter_known(enum kernel_scatter op, enum dtype dtype);
/* Where the first of `count` updates stands that op cannot take: a zero that integers would be
 * divided by. `count` when there is none. */
uint64_t kernel_scatter_zero(enum kernel_scatter op, enum dtype dtype, const void *updates,
                             uint64_t count);
/* target[i] = target[i] op update[i*update.step], i < count. */
void kernel_scatter_row(enum kernel_scatter op, enum dtype dtype, void *target,
                        struct kernel_operand update, uint64_t count);
void kernel_scatter_row_plain(enum kernel_scatter op, enum dtype dtype, void *target,
                              struct kernel_operand update, uint64_t count);

#endif
