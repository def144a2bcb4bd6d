/* The plain twins of the kernels of one operand (kernels_plain.c): float32 functions are float64's
 * rounded, complex ones are computed from length and angle in the widest type. What rounds more
 * than once on either side agrees to a unit in the last place, everything else bit for bit. */
#include <complex.h>
#include <float.h>
#include <math.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/check.h"

static uint64_t
integer_result(enum kernel_unary op, bool is_signed, uint64_t a)
{
    bool minus = is_signed && (int64_t)a < 0;

    switch (op) {
    case KERNEL_NEGATIVE:
        return 0 - a;
    case KERNEL_ABS:
        return minus ? 0 - a : a;
    case KERNEL_SIGN:
        return minus ? UINT64_MAX : a != 0;
    case KERNEL_SQUARE:
        return a * a;
    case KERNEL_RELU:
        return minus ? 0 : a;
    case KERNEL_NOT:
        return a == 0;
    case KERNEL_SQRT:
    case KERNEL_RSQRT:
    case KERNEL_EXP:
    case KERNEL_LOG:
    case KERNEL_LOG1P:
    case KERNEL_TANH:
    case KERNEL_SIGMOID:
    case KERNEL_SOFTPLUS:
    case KERNEL_UNARY_COUNT:
        break;
    }
    CHECK(false);
}

static double
softplus(double a, double epsilon)
{
    double threshold = log(epsilon) + 2;

    if (a > -threshold)
        return a;
    return a < threshold ? exp(a) : log1p(exp(a));
}

static double
float_result(enum kernel_unary op, bool single, double a)
{
    switch (op) {
    case KERNEL_NEGATIVE:
        return -a;
    case KERNEL_ABS:
        return fabs(a);
    case KERNEL_SIGN:
        return (a > 0) - (a < 0);
    case KERNEL_SQUARE:
        return a * a;
    case KERNEL_SQRT:
        return sqrt(a);
    case KERNEL_RSQRT:
        return single ? (double)(1.0f / sqrtf((float)a)) : 1.0 / sqrt(a);
    case KERNEL_EXP:
        return exp(a);
    case KERNEL_LOG:
        return log(a);
    case KERNEL_LOG1P:
        return log1p(a);
    case KERNEL_TANH:
        return tanh(a);
    case KERNEL_SIGMOID:
        return a < 0 ? exp(a) / (1 + exp(a)) : 1 / (1 + exp(-a));
    case KERNEL_RELU:
        return a > 0 ? a : 0;
    case KERNEL_SOFTPLUS:
        return softplus(a, single ? (double)FLT_EPSILON : DBL_EPSILON);
    case KERNEL_NOT:
    case KERNEL_UNARY_COUNT:
        break;
    }
    CHECK(false);
}

static long double complex
sigmoid(long double complex a)
{
    if (creall(a) < 0)
        return cexpl(a) / (1 + cexpl(a));
    return 1 / (1 + cexpl(-a));
}

static long double complex
complex_result(enum kernel_unary op, long double complex a)
{
    switch (op) {
    case KERNEL_NEGATIVE:
        return -a;
    case KERNEL_ABS:
        return cabsl(a);
    case KERNEL_SIGN:
        return a == 0 ? 0 : a / cabsl(a);
    case KERNEL_SQUARE:
        return a * a;
    case KERNEL_SQRT:
        return csqrtl(a);
    case KERNEL_RSQRT:
        return 1 / csqrtl(a);
    case KERNEL_EXP:
        return cexpl(a);
    case KERNEL_LOG:
        return clogl(a);
    case KERNEL_TANH:
        return ctanhl(a);
    case KERNEL_SIGMOID:
        return sigmoid(a);
    case KERNEL_LOG1P:
    case KERNEL_RELU:
    case KERNEL_SOFTPLUS:
    case KERNEL_NOT:
    case KERNEL_UNARY_COUNT:
        break;
    }
    CHECK(false);
}

static void
integer_element(enum kernel_unary op, enum dtype dtype, const uint8_t *in, uint8_t *out)
{
    bool is_signed = dtype_info(dtype)->kind == DTYPE_KIND_SIGNED;
    uint64_t x = 0, z;

    tensor_cast(dtype, in, is_signed ? DTYPE_INT64 : DTYPE_UINT64, &x, 1);
    z = integer_result(op, is_signed, x);
    memcpy(out, &z, dtype_size(dtype));
}

static void
float_element(enum kernel_unary op, enum dtype dtype, const uint8_t *in, uint8_t *out)
{
    double z = float_result(op, dtype != DTYPE_FLOAT64, tensor_element_as_double(dtype, in));
    float single = (float)z;

    if (dtype == DTYPE_FLOAT64)
        memcpy(out, &z, sizeof z);
    else
        tensor_cast(DTYPE_FLOAT32, &single, dtype, out, 1);
}

static void
complex_element(enum kernel_unary op, enum dtype dtype, const uint8_t *in, uint8_t *out)
{
    enum dtype part = dtype == DTYPE_COMPLEX64 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    uint32_t size = dtype_size(part);
    double re = tensor_element_as_double(part, in), im = tensor_element_as_double(part, in + size);
    long double complex z = complex_result(op, __builtin_complex((long double)re, (long double)im));

    tensor_element_of_double(part, (double)creall(z), out);
    if (op != KERNEL_ABS)
        tensor_element_of_double(part, (double)cimagl(z), out + size);
}

void
kernel_unary_plain(enum kernel_unary op, enum dtype dtype, const void *in, void *out,
                   uint64_t count)
{
    const uint8_t *x = in;
    uint8_t *z = out;

    CHECK(kernel_unary_known(op, dtype));
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *from = x + i * dtype_size(dtype);
        uint8_t *to = z + i * dtype_size(kernel_unary_result(op, dtype));

        if (dtype_is_integer(dtype) || dtype == DTYPE_BOOL)
            integer_element(op, dtype, from, to);
        else if (dtype_is_float(dtype))
            float_element(op, dtype, from, to);
        else
            complex_element(op, dtype, from, to);
    }
}
