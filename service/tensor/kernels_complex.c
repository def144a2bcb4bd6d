/* Functions of complex numbers, element by element through the C library; those of complex64 in
 * float64, rounded once. */
#include <complex.h>
#include <math.h>

#include "service/tensor/kernels_complex.h"
#include "service/tensor/kernels_run.h"

typedef struct kernel_complex64 complex64;
typedef struct kernel_complex128 complex128;

static inline double complex
c_of(complex128 z)
{
    return __builtin_complex(z.re, z.im);
}

static inline long double complex
wide_c(complex128 z)
{
    return __builtin_complex((long double)z.re, (long double)z.im);
}

static inline complex128
of_c(double complex z)
{
    return (complex128){creal(z), cimag(z)};
}

static inline complex128
wide(complex64 z)
{
    return (complex128){(double)z.re, (double)z.im};
}

static inline complex64
narrow(complex128 z)
{
    return (complex64){(float)z.re, (float)z.im};
}

static inline double
complex128_abs(complex128 z)
{
    return hypot(z.re, z.im);
}

/* z / |z|; 0 for 0. */
static inline complex128
complex128_sign(complex128 z)
{
    double length = complex128_abs(z);

    return length == 0 ? (complex128){0, 0} : (complex128){z.re / length, z.im / length};
}

static inline complex128
complex128_sqrt(complex128 z)
{
    return of_c(csqrt(c_of(z)));
}

static inline complex128
complex128_rsqrt(complex128 z)
{
    return kernel_complex128_divide((complex128){1, 0}, complex128_sqrt(z));
}

static inline complex128
complex128_exp(complex128 z)
{
    return of_c(cexp(c_of(z)));
}

static inline complex128
complex128_log(complex128 z)
{
    return of_c(clog(c_of(z)));
}

static inline complex128
complex128_tanh(complex128 z)
{
    return of_c(ctanh(c_of(z)));
}

/* 1 / (1 + e^-z), as e^z / (1 + e^z) on the left, where e^-z overflows. */
static inline complex128
complex128_sigmoid(complex128 z)
{
    bool left = z.re < 0;
    complex128 e = complex128_exp(left ? z : kernel_complex128_negative(z));

    return kernel_complex128_divide(left ? e : (complex128){1, 0}, (complex128){1 + e.re, e.im});
}

/* e^(b ln a) in the widest type there is, since an error of b ln a grows by its size; 1 for b = 0
 * and 0 for a = 0 where b's real part is positive. */
static inline complex128
complex128_pow(complex128 a, complex128 b)
{
    long double complex power;

    if (b.re == 0 && b.im == 0)
        return (complex128){1, 0};
    if (a.re == 0 && a.im == 0)
        return b.re > 0 ? (complex128){0, 0} : (complex128){(double)NAN, (double)NAN};
    power = cexpl(wide_c(b) * clogl(wide_c(a)));
    return (complex128){(double)creall(power), (double)cimagl(power)};
}

static inline float
complex64_abs(complex64 z)
{
    return (float)complex128_abs(wide(z));
}

static inline complex64
complex64_pow(complex64 a, complex64 b)
{
    return narrow(complex128_pow(wide(a), wide(b)));
}

#define UNARY(op)                                                                                  \
    static inline complex64 complex64_##op(complex64 z)                                            \
    {                                                                                              \
        return narrow(complex128_##op(wide(z)));                                                   \
    }                                                                                              \
    KERNEL_UNARY_RUN(run_complex64_##op, complex64, complex64, complex64_##op)                     \
    KERNEL_UNARY_RUN(run_complex128_##op, complex128, complex128, complex128_##op)

UNARY(sign)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(exp)
UNARY(log)
UNARY(tanh)
UNARY(sigmoid)
KERNEL_UNARY_RUN(run_complex64_abs, complex64, float, complex64_abs)
KERNEL_UNARY_RUN(run_complex128_abs, complex128, double, complex128_abs)
KERNEL_BINARY_RUN(run_complex64_pow, complex64, complex64, complex64_pow)
KERNEL_BINARY_RUN(run_complex128_pow, complex128, complex128, complex128_pow)

#define COMPLEX_ROW(prefix)                                                                        \
    {                                                                                              \
        [KERNEL_ABS] = run_##prefix##_abs, [KERNEL_SIGN] = run_##prefix##_sign,                    \
        [KERNEL_SQRT] = run_##prefix##_sqrt, [KERNEL_RSQRT] = run_##prefix##_rsqrt,                \
        [KERNEL_EXP] = run_##prefix##_exp, [KERNEL_LOG] = run_##prefix##_log,                      \
        [KERNEL_TANH] = run_##prefix##_tanh, [KERNEL_SIGMOID] = run_##prefix##_sigmoid,            \
    }

static kernel_unary_run *const unary_runs[DTYPE_COUNT][KERNEL_UNARY_COUNT] = {
    [DTYPE_COMPLEX64] = COMPLEX_ROW(complex64),
    [DTYPE_COMPLEX128] = COMPLEX_ROW(complex128),
};

kernel_binary_run *
kernel_complex_binary(enum kernel_binary op, enum dtype dtype)
{
    if (op != KERNEL_POW)
        return NULL;
    if (dtype == DTYPE_COMPLEX64)
        return run_complex64_pow;
    return dtype == DTYPE_COMPLEX128 ? run_complex128_pow : NULL;
}

kernel_unary_run *
kernel_complex_unary(enum kernel_unary op, enum dtype dtype)
{
    return unary_runs[dtype][op];
}
