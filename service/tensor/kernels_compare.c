/* Comparisons: bools from two elements. */
#include "service/tensor/kernels_complex.h"
#include "service/tensor/kernels_run.h"
#include "store/base/check.h"

VECTOR_FILE

#define REAL_RUNS(prefix, type)                                                                    \
    static inline uint8_t prefix##_equal(type a, type b)                                           \
    {                                                                                              \
        return a == b;                                                                             \
    }                                                                                              \
    static inline uint8_t prefix##_not_equal(type a, type b)                                       \
    {                                                                                              \
        return a != b;                                                                             \
    }                                                                                              \
    static inline uint8_t prefix##_less(type a, type b)                                            \
    {                                                                                              \
        return a < b;                                                                              \
    }                                                                                              \
    static inline uint8_t prefix##_less_equal(type a, type b)                                      \
    {                                                                                              \
        return a <= b;                                                                             \
    }                                                                                              \
    static inline uint8_t prefix##_greater(type a, type b)                                         \
    {                                                                                              \
        return a > b;                                                                              \
    }                                                                                              \
    static inline uint8_t prefix##_greater_equal(type a, type b)                                   \
    {                                                                                              \
        return a >= b;                                                                             \
    }                                                                                              \
    EQUAL_RUNS(prefix, type)                                                                       \
    RUN(prefix, type, less)                                                                        \
    RUN(prefix, type, less_equal)                                                                  \
    RUN(prefix, type, greater)                                                                     \
    RUN(prefix, type, greater_equal)

#define RUN(prefix, type, op) KERNEL_BINARY_RUN(run_##prefix##_##op, type, uint8_t, prefix##_##op)
#define EQUAL_RUNS(prefix, type)                                                                   \
    RUN(prefix, type, equal)                                                                       \
    RUN(prefix, type, not_equal)

/* Equality by a function of its own; unequal is what is not equal. */
#define OTHER_RUNS(prefix, type)                                                                   \
    static inline uint8_t prefix##_not_equal(type a, type b)                                       \
    {                                                                                              \
        return prefix##_equal(a, b) == 0;                                                          \
    }                                                                                              \
    EQUAL_RUNS(prefix, type)

static inline uint8_t
truth_equal(uint8_t a, uint8_t b)
{
    return (a != 0) == (b != 0);
}

static inline uint8_t
complex64_equal(struct kernel_complex64 a, struct kernel_complex64 b)
{
    return a.re == b.re && a.im == b.im;
}

static inline uint8_t
complex128_equal(struct kernel_complex128 a, struct kernel_complex128 b)
{
    return a.re == b.re && a.im == b.im;
}

/* Eight bits with the sign on top: equal bits but for NaN, which is past `infinity`; and the two
 * zeros. */
static inline uint8_t
float8_equal(uint8_t a, uint8_t b, uint8_t infinity)
{
    return (a == b && (a & 0x7F) <= infinity) || ((a | b) & 0x7F) == 0;
}

static inline uint8_t
float8_e4m3fn_equal(uint8_t a, uint8_t b)
{
    return float8_equal(a, b, 0x7E); /* no infinity: the largest finite number */
}

static inline uint8_t
float8_e5m2_equal(uint8_t a, uint8_t b)
{
    return float8_equal(a, b, 0x7C);
}

REAL_RUNS(float32, float)
REAL_RUNS(float64, double)
REAL_RUNS(int8, int8_t)
REAL_RUNS(int16, int16_t)
REAL_RUNS(int32, int32_t)
REAL_RUNS(int64, int64_t)
REAL_RUNS(uint8, uint8_t)
REAL_RUNS(uint16, uint16_t)
REAL_RUNS(uint32, uint32_t)
REAL_RUNS(uint64, uint64_t)
OTHER_RUNS(truth, uint8_t)
OTHER_RUNS(complex64, struct kernel_complex64)
OTHER_RUNS(complex128, struct kernel_complex128)
OTHER_RUNS(float8_e4m3fn, uint8_t)
OTHER_RUNS(float8_e5m2, uint8_t)

#define EQUAL_ROW(prefix)                                                                          \
    [KERNEL_EQUAL] = run_##prefix##_equal, [KERNEL_NOT_EQUAL] = run_##prefix##_not_equal
#define REAL_ROW(prefix)                                                                           \
    EQUAL_ROW(prefix), [KERNEL_LESS] = run_##prefix##_less,                                        \
                       [KERNEL_LESS_EQUAL] = run_##prefix##_less_equal,                            \
                       [KERNEL_GREATER] = run_##prefix##_greater,                                  \
                       [KERNEL_GREATER_EQUAL] = run_##prefix##_greater_equal

/* Half precision has float32's, by blocks. */
static kernel_binary_run *const runs[DTYPE_COUNT][KERNEL_COMPARE_COUNT] = {
    [DTYPE_FLOAT16] = {REAL_ROW(float32)},
    [DTYPE_BFLOAT16] = {REAL_ROW(float32)},
    [DTYPE_FLOAT32] = {REAL_ROW(float32)},
    [DTYPE_FLOAT64] = {REAL_ROW(float64)},
    [DTYPE_INT8] = {REAL_ROW(int8)},
    [DTYPE_INT16] = {REAL_ROW(int16)},
    [DTYPE_INT32] = {REAL_ROW(int32)},
    [DTYPE_INT64] = {REAL_ROW(int64)},
    [DTYPE_UINT8] = {REAL_ROW(uint8)},
    [DTYPE_UINT16] = {REAL_ROW(uint16)},
    [DTYPE_UINT32] = {REAL_ROW(uint32)},
    [DTYPE_UINT64] = {REAL_ROW(uint64)},
    [DTYPE_BOOL] = {EQUAL_ROW(truth)},
    [DTYPE_COMPLEX64] = {EQUAL_ROW(complex64)},
    [DTYPE_COMPLEX128] = {EQUAL_ROW(complex128)},
    [DTYPE_QINT8] = {EQUAL_ROW(int8)},
    [DTYPE_QUINT8] = {EQUAL_ROW(uint8)},
    [DTYPE_QINT16] = {EQUAL_ROW(int16)},
    [DTYPE_QUINT16] = {EQUAL_ROW(uint16)},
    [DTYPE_QINT32] = {EQUAL_ROW(int32)},
    [DTYPE_FLOAT8_E4M3FN] = {EQUAL_ROW(float8_e4m3fn)},
    [DTYPE_FLOAT8_E5M2] = {EQUAL_ROW(float8_e5m2)},
};

bool
kernel_compare_known(enum kernel_compare op, enum dtype dtype)
{
    return (unsigned)op < KERNEL_COMPARE_COUNT && (unsigned)dtype < DTYPE_COUNT &&
           runs[dtype][op] != NULL;
}

void
kernel_compare(enum kernel_compare op, enum dtype dtype, struct kernel_operand a,
               struct kernel_operand b, uint8_t *out, uint64_t count)
{
    CHECK(kernel_compare_known(op, dtype));
    if (count == 0)
        return;
    if (dtype == DTYPE_FLOAT16 || dtype == DTYPE_BFLOAT16)
        kernel_half_compare(dtype, runs[dtype][op], a, b, out, count);
    else
        runs[dtype][op](a, b, out, count);
}
