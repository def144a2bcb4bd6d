/* Functions of floats. float32 ones are computed in float64 by loops that vectorise: series short
 * enough for float32 leave an error of about 2^-40, so that all but a few results in a million are
 * the correctly rounded ones. float64 ones ask the C library, element by element. */
#include <float.h>
#include <math.h>

#include "service/tensor/kernels_run.h"

VECTOR_FILE

#define LOG2_E 0x1.71547652b82fep+0
#define LN_2   0x1.62e42fefa39efp-1
/* Added to a double of less than 2^51, leaves the nearest integer in the low bits. */
#define TO_INTEGER 0x1.8p52
/* In place of the bits of 2^52, an integer below 2^52 is that many more. */
#define BITS_OF_2_52      0x4330000000000000u
#define BITS_OF_SQRT_HALF 0x3FE6A09E667F3BCDu
enum { DOUBLE_BIAS = 1023, DOUBLE_FRACTION_BITS = 52, LOG_BIAS = 1024 };

static inline double
double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t
bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double
clamp(double x, double limit)
{
    x = x > limit ? limit : x;
    return x < -limit ? -limit : x; /* NaN stays */
}

/* e^r - 1 for |r| up to ln 2 / 2, with as small a relative error: r + r^2/2! + ... + r^11/11! */
static inline double
exp_minus_1(double r)
{
    double sum = 1.0 / 39916800;

    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    sum = sum * r + 1;
    return sum * r;
}

/* e^x = (1 + rest) * scale, scale a power of two; |x| up to 700. */
static inline double
exp_parts(double x, double *scale)
{
    double shifted = x * LOG2_E + TO_INTEGER;

    *scale = double_of((bits_of(shifted) + DOUBLE_BIAS) << DOUBLE_FRACTION_BITS);
    return exp_minus_1(x - (shifted - TO_INTEGER) * LN_2);
}

/* Past +-200 float32 has infinity and zero. */
static inline double
exp_of(double x)
{
    double scale = 0, rest = exp_parts(clamp(x, 200), &scale);

    return (1 + rest) * scale;
}

/* Of a positive normal number: m * 2^n with m from sqrt(1/2) to sqrt 2, and
 * ln m = 2 artanh(s), s = (m - 1) / (m + 1). */
static inline double
log_of_positive(double x)
{
    const uint64_t bias = (uint64_t)LOG_BIAS << DOUBLE_FRACTION_BITS;
    uint64_t bits = bits_of(x);
    uint64_t exponent = (bits - BITS_OF_SQRT_HALF + bias) >> DOUBLE_FRACTION_BITS;
    double n = double_of(BITS_OF_2_52 | exponent) - (0x1p52 + LOG_BIAS);
    double f = double_of(bits - ((exponent << DOUBLE_FRACTION_BITS) - bias)) - 1;
    double s = f / (f + 2), z = s * s, sum = 1.0 / 17;

    sum = sum * z + 1.0 / 15;
    sum = sum * z + 1.0 / 13;
    sum = sum * z + 1.0 / 11;
    sum = sum * z + 1.0 / 9;
    sum = sum * z + 1.0 / 7;
    sum = sum * z + 1.0 / 5;
    sum = sum * z + 1.0 / 3;
    return n * LN_2 + 2 * (s + s * z * sum);
}

static inline double
log_of(double x)
{
    double inside = x < HUGE_VAL ? log_of_positive(x) : x;
    double outside = x == 0 ? -HUGE_VAL : (double)NAN;

    return x > 0 ? inside : outside;
}

/* What rounding 1 + x lost is put back. */
static inline double
log1p_of(double x)
{
    double u = 1 + x, inside = log_of(u) + (x - (u - 1)) / u;

    inside = u > 0 && u < HUGE_VAL ? inside : log_of(u);
    return x == 0 ? x : inside; /* -0 stays */
}

static inline float
float32_exp(float x)
{
    return (float)exp_of((double)x);
}

static inline float
float32_log(float x)
{
    return (float)log_of((double)x);
}

static inline float
float32_log1p(float x)
{
    return (float)log1p_of((double)x);
}

/* (e^2|x| - 1) / (e^2|x| + 1), exact for small x because e^2|x| - 1 is; past 20 it is 1. */
static inline float
float32_tanh(float x)
{
    double scale = 0, rest = exp_parts(2 * clamp(fabs((double)x), 20), &scale);
    double minus_1 = rest * scale + (scale - 1);

    return (float)copysign(minus_1 / (minus_1 + 2), (double)x);
}

static inline float
float32_sigmoid(float x)
{
    return (float)(1 / (1 + exp_of(-(double)x)));
}

/* TensorFlow's rule: beyond +-(ln epsilon + 2) it is x or e^x to the last bit. */
#define FLOAT32_THRESHOLD (-0x1.be2804e87b348p+3)
#define FLOAT64_THRESHOLD (-0x1.105966f2b4f12p+5)

static inline float
float32_softplus(float x)
{
    double e = exp_of((double)x), u = 1 + e;
    double low = x < FLOAT32_THRESHOLD ? e : log_of_positive(u) + (e - (u - 1)) / u;

    return x > -FLOAT32_THRESHOLD ? x : (float)low;
}

static inline double
float64_sigmoid(double x)
{
    double e = exp(-fabs(x));

    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static inline double
float64_softplus(double x)
{
    if (x > -FLOAT64_THRESHOLD)
        return x;
    return x < FLOAT64_THRESHOLD ? exp(x) : log1p(exp(x));
}

KERNEL_UNARY_RUN(run_float32_exp, float, float, float32_exp)
KERNEL_UNARY_RUN(run_float32_log, float, float, float32_log)
KERNEL_UNARY_RUN(run_float32_log1p, float, float, float32_log1p)
KERNEL_UNARY_RUN(run_float32_tanh, float, float, float32_tanh)
KERNEL_UNARY_RUN(run_float32_sigmoid, float, float, float32_sigmoid)
KERNEL_UNARY_RUN(run_float32_softplus, float, float, float32_softplus)
KERNEL_UNARY_RUN(run_float64_exp, double, double, exp)
KERNEL_UNARY_RUN(run_float64_log, double, double, log)
KERNEL_UNARY_RUN(run_float64_log1p, double, double, log1p)
KERNEL_UNARY_RUN(run_float64_tanh, double, double, tanh)
KERNEL_UNARY_RUN(run_float64_sigmoid, double, double, float64_sigmoid)
KERNEL_UNARY_RUN(run_float64_softplus, double, double, float64_softplus)

#define MATH_ROW(prefix)                                                                           \
    {                                                                                              \
        [KERNEL_EXP] = run_##prefix##_exp, [KERNEL_LOG] = run_##prefix##_log,                      \
        [KERNEL_LOG1P] = run_##prefix##_log1p, [KERNEL_TANH] = run_##prefix##_tanh,                \
        [KERNEL_SIGMOID] = run_##prefix##_sigmoid, [KERNEL_SOFTPLUS] = run_##prefix##_softplus,    \
    }

static kernel_unary_run *const unary_runs[DTYPE_COUNT][KERNEL_UNARY_COUNT] = {
    [DTYPE_FLOAT32] = MATH_ROW(float32),
    [DTYPE_FLOAT64] = MATH_ROW(float64),
};

kernel_unary_run *
kernel_math_unary(enum kernel_unary op, enum dtype dtype)
{
    return unary_runs[dtype][op];
}
