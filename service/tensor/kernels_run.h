/* Loops over elements, made from functions of one element; and where the files of kernels keep
 * theirs. An operand of step 0 is read once, before anything is written: out may be that operand's
 * memory. Private to the kernels; after VECTOR_FILE. */
#ifndef SERVICE_TENSOR_KERNELS_RUN_H
#define SERVICE_TENSOR_KERNELS_RUN_H

#include "service/tensor/kernels.h"
#include "service/tensor/vector.h"

typedef void kernel_binary_run(struct kernel_operand a, struct kernel_operand b, void *out,
                               uint64_t count);
typedef void kernel_unary_run(const void *in, void *out, uint64_t count);

/* NULL: not in that file. Half precision has rows only where the bits need no arithmetic. */
kernel_binary_run *kernel_arithmetic_binary(enum kernel_binary op, enum dtype dtype);
kernel_unary_run *kernel_arithmetic_unary(enum kernel_unary op, enum dtype dtype);
kernel_unary_run *kernel_root_unary(enum kernel_unary op, enum dtype dtype);
kernel_unary_run *kernel_math_unary(enum kernel_unary op, enum dtype dtype);
kernel_binary_run *kernel_complex_binary(enum kernel_binary op, enum dtype dtype);
kernel_unary_run *kernel_complex_unary(enum kernel_unary op, enum dtype dtype);

/* Half precision by blocks of float32: run is float32's. compare: a run whose results are bools. */
void kernel_half_binary(enum dtype dtype, kernel_binary_run *run, struct kernel_operand a,
                        struct kernel_operand b, void *out, uint64_t count);
void kernel_half_unary(enum dtype dtype, kernel_unary_run *run, const void *in, void *out,
                       uint64_t count);
void kernel_half_compare(enum dtype dtype, kernel_binary_run *run, struct kernel_operand a,
                         struct kernel_operand b, uint8_t *out, uint64_t count);

/* A run `name`: z = element(x, y), from elements of type `in` to elements of type `result`. */
#define KERNEL_BINARY_RUN(name, in, result, element)                                               \
    VECTOR_CLONES static void name(struct kernel_operand a, struct kernel_operand b, void *out,    \
                                   uint64_t count)                                                 \
    {                                                                                              \
        const in *x = a.data, *y = b.data;                                                         \
        const in x0 = *x, y0 = *y;                                                                 \
        result *z = out;                                                                           \
                                                                                                   \
        if (a.step != 0 && b.step != 0) {                                                          \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = element(x[i], y[i]);                                                        \
        } else if (a.step != 0) {                                                                  \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = element(x[i], y0);                                                          \
        } else if (b.step != 0) {                                                                  \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = element(x0, y[i]);                                                          \
        } else {                                                                                   \
            const result z0 = element(x0, y0);                                                     \
                                                                                                   \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = z0;                                                                         \
        }                                                                                          \
    }

/* A run `name`: z = element(x). */
#define KERNEL_UNARY_RUN(name, in, result, element)                                                \
    VECTOR_CLONES static void name(const void *from, void *out, uint64_t count)                    \
    {                                                                                              \
        const in *x = from;                                                                        \
        result *z = out;                                                                           \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++)                                                       \
            z[i] = element(x[i]);                                                                  \
    }

#endif
