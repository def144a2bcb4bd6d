/* Complex arithmetic as C99 has it without the special cases for infinities: products by the
 * textbook, quotients by Smith's method (Communications of the ACM 5, 1962), which scales by the
 * larger part of the divisor. Private to the kernels. */
#ifndef SERVICE_TENSOR_KERNELS_COMPLEX_H
#define SERVICE_TENSOR_KERNELS_COMPLEX_H

#include <math.h>

#define KERNEL_COMPLEX(type, part, absolute)                                                       \
    struct type {                                                                                  \
        part re, im;                                                                               \
    };                                                                                             \
    static inline struct type type##_add(struct type a, struct type b)                             \
    {                                                                                              \
        return (struct type){a.re + b.re, a.im + b.im};                                            \
    }                                                                                              \
    static inline struct type type##_subtract(struct type a, struct type b)                        \
    {                                                                                              \
        return (struct type){a.re - b.re, a.im - b.im};                                            \
    }                                                                                              \
    static inline struct type type##_multiply(struct type a, struct type b)                        \
    {                                                                                              \
        return (struct type){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};                \
    }                                                                                              \
    static inline struct type type##_divide(struct type a, struct type b)                          \
    {                                                                                              \
        part ratio, scale;                                                                         \
                                                                                                   \
        if (absolute(b.re) < absolute(b.im)) {                                                     \
            ratio = b.re / b.im;                                                                   \
            scale = b.re * ratio + b.im;                                                           \
            return (struct type){(a.re * ratio + a.im) / scale, (a.im * ratio - a.re) / scale};    \
        }                                                                                          \
        ratio = b.im / b.re;                                                                       \
        scale = b.im * ratio + b.re;                                                               \
        return (struct type){(a.im * ratio + a.re) / scale, (a.im - a.re * ratio) / scale};        \
    }                                                                                              \
    static inline struct type type##_negative(struct type a)                                       \
    {                                                                                              \
        return (struct type){-a.re, -a.im};                                                        \
    }

KERNEL_COMPLEX(kernel_complex64, float, fabsf)
KERNEL_COMPLEX(kernel_complex128, double, fabs)

#undef KERNEL_COMPLEX

#endif
