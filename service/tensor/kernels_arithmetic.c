/* Arithmetic: one vectorised run per operation and type. Integer quotients, powers and remainders
 * of floats have no vector instructions and go one by one. */
#include <math.h>

#include "service/tensor/kernels_complex.h"
#include "service/tensor/kernels_run.h"

VECTOR_FILE

/* --- one element ----------------------------------------------------------------------- */

/* Integers wrap: computed unsigned in `wide`, which the compiler does not promote to int. */
#define INTEGER_ELEMENTS(prefix, type, wide)                                                       \
    static inline type prefix##_add(type a, type b)                                                \
    {                                                                                              \
        return (type)((wide)a + (wide)b);                                                          \
    }                                                                                              \
    static inline type prefix##_subtract(type a, type b)                                           \
    {                                                                                              \
        return (type)((wide)a - (wide)b);                                                          \
    }                                                                                              \
    static inline type prefix##_multiply(type a, type b)                                           \
    {                                                                                              \
        return (type)((wide)a * (wide)b);                                                          \
    }                                                                                              \
    static inline type prefix##_negative(type a)                                                   \
    {                                                                                              \
        return (type)(0 - (wide)a);                                                                \
    }                                                                                              \
    static inline type prefix##_pow(type a, type b) /* b >= 0 */                                   \
    {                                                                                              \
        wide base = (wide)a, result = 1;                                                           \
                                                                                                   \
        for (uint64_t left = (uint64_t)b; left != 0; left >>= 1, base *= base)                     \
            if ((left & 1) != 0)                                                                   \
                result *= base;                                                                    \
        return (type)result;                                                                       \
    }

#define SIGNED_ELEMENTS(prefix, type, wide)                                                        \
    INTEGER_ELEMENTS(prefix, type, wide)                                                           \
    static inline type prefix##_abs(type a)                                                        \
    {                                                                                              \
        return a < 0 ? prefix##_negative(a) : a;                                                   \
    }                                                                                              \
    static inline type prefix##_sign(type a)                                                       \
    {                                                                                              \
        return (type)((a > 0) - (a < 0));                                                          \
    }                                                                                              \
    /* The minimum divided by -1 wraps to itself; the instruction would trap. */                   \
    static inline type prefix##_floordiv(type a, type b)                                           \
    {                                                                                              \
        if (b == -1)                                                                               \
            return prefix##_negative(a);                                                           \
        return (type)(a / b - (a % b != 0 && (a < 0) != (b < 0)));                                 \
    }                                                                                              \
    static inline type prefix##_mod(type a, type b)                                                \
    {                                                                                              \
        type rest = (type)(b == -1 ? 0 : a % b);                                                   \
                                                                                                   \
        return rest != 0 && (rest < 0) != (b < 0) ? (type)(rest + b) : rest;                       \
    }

#define UNSIGNED_ELEMENTS(prefix, type, wide)                                                      \
    INTEGER_ELEMENTS(prefix, type, wide)                                                           \
    static inline type prefix##_abs(type a)                                                        \
    {                                                                                              \
        return a;                                                                                  \
    }                                                                                              \
    static inline type prefix##_sign(type a)                                                       \
    {                                                                                              \
        return a > 0;                                                                              \
    }                                                                                              \
    static inline type prefix##_floordiv(type a, type b)                                           \
    {                                                                                              \
        return (type)(a / b);                                                                      \
    }                                                                                              \
    static inline type prefix##_mod(type a, type b)                                                \
    {                                                                                              \
        return (type)(a % b);                                                                      \
    }

#define FLOAT_ELEMENTS(prefix, type, suffix)                                                       \
    static inline type prefix##_add(type a, type b)                                                \
    {                                                                                              \
        return a + b;                                                                              \
    }                                                                                              \
    static inline type prefix##_subtract(type a, type b)                                           \
    {                                                                                              \
        return a - b;                                                                              \
    }                                                                                              \
    static inline type prefix##_multiply(type a, type b)                                           \
    {                                                                                              \
        return a * b;                                                                              \
    }                                                                                              \
    static inline type prefix##_divide(type a, type b)                                             \
    {                                                                                              \
        return a / b;                                                                              \
    }                                                                                              \
    static inline type prefix##_negative(type a)                                                   \
    {                                                                                              \
        return -a;                                                                                 \
    }                                                                                              \
    static inline type prefix##_abs(type a)                                                        \
    {                                                                                              \
        return fabs##suffix(a);                                                                    \
    }                                                                                              \
    /* 0 for NaN, as TensorFlow r1.0's. */                                                         \
    static inline type prefix##_sign(type a)                                                       \
    {                                                                                              \
        return a > 0 ? (type)1 : a < 0 ? (type)-1 : (type)0;                                       \
    }                                                                                              \
    static inline type prefix##_floordiv(type a, type b)                                           \
    {                                                                                              \
        return floor##suffix(a / b);                                                               \
    }                                                                                              \
    static inline type prefix##_mod(type a, type b)                                                \
    {                                                                                              \
        type rest = fmod##suffix(a, b);                                                            \
                                                                                                   \
        return (a < 0) == (b < 0) ? rest : fmod##suffix(rest + b, b);                              \
    }                                                                                              \
    static inline type prefix##_pow(type a, type b)                                                \
    {                                                                                              \
        return pow##suffix(a, b);                                                                  \
    }

/* --- runs ------------------------------------------------------------------------------------ */

#define BINARY(prefix, type, op) KERNEL_BINARY_RUN(run_##prefix##_##op, type, type, prefix##_##op)
#define UNARY(prefix, type, op)  KERNEL_UNARY_RUN(run_##prefix##_##op, type, type, prefix##_##op)

#define REAL_RUNS(prefix, type)                                                                    \
    static inline type prefix##_minimum(type a, type b)                                            \
    {                                                                                              \
        return a < b ? a : b;                                                                      \
    }                                                                                              \
    static inline type prefix##_maximum(type a, type b)                                            \
    {                                                                                              \
        return a > b ? a : b;                                                                      \
    }                                                                                              \
    static inline type prefix##_square(type a)                                                     \
    {                                                                                              \
        return prefix##_multiply(a, a);                                                            \
    }                                                                                              \
    static inline type prefix##_relu(type a)                                                       \
    {                                                                                              \
        return prefix##_maximum(a, 0);                                                             \
    }                                                                                              \
    BINARY(prefix, type, add)                                                                      \
    BINARY(prefix, type, subtract)                                                                 \
    BINARY(prefix, type, multiply)                                                                 \
    BINARY(prefix, type, floordiv)                                                                 \
    BINARY(prefix, type, mod)                                                                      \
    BINARY(prefix, type, minimum)                                                                  \
    BINARY(prefix, type, maximum)                                                                  \
    BINARY(prefix, type, pow)                                                                      \
    UNARY(prefix, type, negative)                                                                  \
    UNARY(prefix, type, abs)                                                                       \
    UNARY(prefix, type, sign)                                                                      \
    UNARY(prefix, type, square)                                                                    \
    UNARY(prefix, type, relu)

#define FLOAT_RUNS(prefix, type)                                                                   \
    REAL_RUNS(prefix, type)                                                                        \
    BINARY(prefix, type, divide)

#define COMPLEX_RUNS(prefix)                                                                       \
    static inline struct kernel_##prefix prefix##_square(struct kernel_##prefix a)                 \
    {                                                                                              \
        return kernel_##prefix##_multiply(a, a);                                                   \
    }                                                                                              \
    KERNEL_BINARY_RUN(run_##prefix##_add, struct kernel_##prefix, struct kernel_##prefix,          \
                      kernel_##prefix##_add)                                                       \
    KERNEL_BINARY_RUN(run_##prefix##_subtract, struct kernel_##prefix, struct kernel_##prefix,     \
                      kernel_##prefix##_subtract)                                                  \
    KERNEL_BINARY_RUN(run_##prefix##_multiply, struct kernel_##prefix, struct kernel_##prefix,     \
                      kernel_##prefix##_multiply)                                                  \
    KERNEL_BINARY_RUN(run_##prefix##_divide, struct kernel_##prefix, struct kernel_##prefix,       \
                      kernel_##prefix##_divide)                                                    \
    KERNEL_UNARY_RUN(run_##prefix##_negative, struct kernel_##prefix, struct kernel_##prefix,      \
                     kernel_##prefix##_negative)                                                   \
    UNARY(prefix, struct kernel_##prefix, square)

/* clang-format off: it takes the lists below for one declaration. */
SIGNED_ELEMENTS(int8, int8_t, unsigned)
SIGNED_ELEMENTS(int16, int16_t, unsigned)
SIGNED_ELEMENTS(int32, int32_t, unsigned)
SIGNED_ELEMENTS(int64, int64_t, uint64_t)
UNSIGNED_ELEMENTS(uint8, uint8_t, unsigned)
UNSIGNED_ELEMENTS(uint16, uint16_t, unsigned)
UNSIGNED_ELEMENTS(uint32, uint32_t, unsigned)
UNSIGNED_ELEMENTS(uint64, uint64_t, uint64_t)
FLOAT_ELEMENTS(float32, float, f)
FLOAT_ELEMENTS(float64, double, )

REAL_RUNS(int8, int8_t)
REAL_RUNS(int16, int16_t)
REAL_RUNS(int32, int32_t)
REAL_RUNS(int64, int64_t)
REAL_RUNS(uint8, uint8_t)
REAL_RUNS(uint16, uint16_t)
REAL_RUNS(uint32, uint32_t)
REAL_RUNS(uint64, uint64_t)
FLOAT_RUNS(float32, float)
FLOAT_RUNS(float64, double)
COMPLEX_RUNS(complex64)
COMPLEX_RUNS(complex128)
/* clang-format on */

/* Both 16-bit formats keep the sign in the top bit; nothing to round. */
static inline uint16_t
half_negative(uint16_t a)
{
    return a ^ 0x8000;
}

static inline uint16_t
half_abs(uint16_t a)
{
    return a & 0x7FFF;
}

UNARY(half, uint16_t, negative)
UNARY(half, uint16_t, abs)

static inline uint8_t
bool_and(uint8_t a, uint8_t b)
{
    return a != 0 && b != 0;
}

static inline uint8_t
bool_or(uint8_t a, uint8_t b)
{
    return (a | b) != 0;
}

static inline uint8_t
bool_xor(uint8_t a, uint8_t b)
{
    return (a != 0) != (b != 0);
}

static inline uint8_t
bool_flip(uint8_t a)
{
    return a == 0;
}

BINARY(bool, uint8_t, and)
BINARY(bool, uint8_t, or)
BINARY(bool, uint8_t, xor)
UNARY(bool, uint8_t, flip)

/* --- tables ---------------------------------------------------------------------------------- */

#define COMPLEX_BINARY(prefix)                                                                     \
    [KERNEL_ADD] = run_##prefix##_add, [KERNEL_SUBTRACT] = run_##prefix##_subtract,                \
    [KERNEL_MULTIPLY] = run_##prefix##_multiply
#define REAL_BINARY(prefix)                                                                        \
    COMPLEX_BINARY(prefix),                                                                        \
        [KERNEL_FLOORDIV] = run_##prefix##_floordiv, [KERNEL_MOD] = run_##prefix##_mod,            \
        [KERNEL_MINIMUM] = run_##prefix##_minimum, [KERNEL_MAXIMUM] = run_##prefix##_maximum,      \
        [KERNEL_POW] = run_##prefix##_pow
#define REAL_UNARY(prefix)                                                                         \
    [KERNEL_NEGATIVE] = run_##prefix##_negative, [KERNEL_ABS] = run_##prefix##_abs,                \
    [KERNEL_SIGN] = run_##prefix##_sign, [KERNEL_SQUARE] = run_##prefix##_square,                  \
    [KERNEL_RELU] = run_##prefix##_relu

static kernel_binary_run *const binary_runs[DTYPE_COUNT][KERNEL_BINARY_COUNT] = {
    [DTYPE_FLOAT32] = {REAL_BINARY(float32), [KERNEL_DIVIDE] = run_float32_divide},
    [DTYPE_FLOAT64] = {REAL_BINARY(float64), [KERNEL_DIVIDE] = run_float64_divide},
    [DTYPE_INT8] = {REAL_BINARY(int8)},
    [DTYPE_INT16] = {REAL_BINARY(int16)},
    [DTYPE_INT32] = {REAL_BINARY(int32)},
    [DTYPE_INT64] = {REAL_BINARY(int64)},
    [DTYPE_UINT8] = {REAL_BINARY(uint8)},
    [DTYPE_UINT16] = {REAL_BINARY(uint16)},
    [DTYPE_UINT32] = {REAL_BINARY(uint32)},
    [DTYPE_UINT64] = {REAL_BINARY(uint64)},
    [DTYPE_COMPLEX64] = {COMPLEX_BINARY(complex64), [KERNEL_DIVIDE] = run_complex64_divide},
    [DTYPE_COMPLEX128] = {COMPLEX_BINARY(complex128), [KERNEL_DIVIDE] = run_complex128_divide},
    [DTYPE_BOOL] =
        {[KERNEL_AND] = run_bool_and, [KERNEL_OR] = run_bool_or, [KERNEL_XOR] = run_bool_xor},
};

static kernel_unary_run *const unary_runs[DTYPE_COUNT][KERNEL_UNARY_COUNT] = {
    [DTYPE_FLOAT16] = {[KERNEL_NEGATIVE] = run_half_negative, [KERNEL_ABS] = run_half_abs},
    [DTYPE_BFLOAT16] = {[KERNEL_NEGATIVE] = run_half_negative, [KERNEL_ABS] = run_half_abs},
    [DTYPE_FLOAT32] = {REAL_UNARY(float32)},
    [DTYPE_FLOAT64] = {REAL_UNARY(float64)},
    [DTYPE_INT8] = {REAL_UNARY(int8)},
    [DTYPE_INT16] = {REAL_UNARY(int16)},
    [DTYPE_INT32] = {REAL_UNARY(int32)},
    [DTYPE_INT64] = {REAL_UNARY(int64)},
    [DTYPE_UINT8] = {REAL_UNARY(uint8)},
    [DTYPE_UINT16] = {REAL_UNARY(uint16)},
    [DTYPE_UINT32] = {REAL_UNARY(uint32)},
    [DTYPE_UINT64] = {REAL_UNARY(uint64)},
    [DTYPE_COMPLEX64] =
        {[KERNEL_NEGATIVE] = run_complex64_negative, [KERNEL_SQUARE] = run_complex64_square},
    [DTYPE_COMPLEX128] =
        {[KERNEL_NEGATIVE] = run_complex128_negative, [KERNEL_SQUARE] = run_complex128_square},
    [DTYPE_BOOL] = {[KERNEL_NOT] = run_bool_flip},
};

kernel_binary_run *
kernel_arithmetic_binary(enum kernel_binary op, enum dtype dtype)
{
    return binary_runs[dtype][op];
}

kernel_unary_run *
kernel_arithmetic_unary(enum kernel_unary op, enum dtype dtype)
{
    return unary_runs[dtype][op];
}
