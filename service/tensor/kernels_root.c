/* Square roots. The C library's function reports errors through errno, which no vectoriser can do;
 * the processor's instruction for several does the same rounding. */
#include <math.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "service/tensor/kernels_run.h"

static void
run_float32_sqrt(const void *in, void *out, uint64_t count)
{
    const float *x = in;
    float *z = out;
    uint64_t i = 0;

#if defined(__SSE2__)
    for (; count - i >= 4; i += 4)
        _mm_storeu_ps(z + i, _mm_sqrt_ps(_mm_loadu_ps(x + i)));
#endif
    for (; i < count; i++)
        z[i] = sqrtf(x[i]);
}

static void
run_float64_sqrt(const void *in, void *out, uint64_t count)
{
    const double *x = in;
    double *z = out;
    uint64_t i = 0;

#if defined(__SSE2__)
    for (; count - i >= 2; i += 2)
        _mm_storeu_pd(z + i, _mm_sqrt_pd(_mm_loadu_pd(x + i)));
#endif
    for (; i < count; i++)
        z[i] = sqrt(x[i]);
}

static void
run_float32_rsqrt(const void *in, void *out, uint64_t count)
{
    const float *x = in;
    float *z = out;
    uint64_t i = 0;

#if defined(__SSE2__)
    for (; count - i >= 4; i += 4)
        _mm_storeu_ps(z + i, _mm_div_ps(_mm_set1_ps(1), _mm_sqrt_ps(_mm_loadu_ps(x + i))));
#endif
    for (; i < count; i++)
        z[i] = 1 / sqrtf(x[i]);
}

static void
run_float64_rsqrt(const void *in, void *out, uint64_t count)
{
    const double *x = in;
    double *z = out;
    uint64_t i = 0;

#if defined(__SSE2__)
    for (; count - i >= 2; i += 2)
        _mm_storeu_pd(z + i, _mm_div_pd(_mm_set1_pd(1), _mm_sqrt_pd(_mm_loadu_pd(x + i))));
#endif
    for (; i < count; i++)
        z[i] = 1 / sqrt(x[i]);
}

kernel_unary_run *
kernel_root_unary(enum kernel_unary op, enum dtype dtype)
{
    if (dtype != DTYPE_FLOAT32 && dtype != DTYPE_FLOAT64)
        return NULL;
    if (op == KERNEL_SQRT)
        return dtype == DTYPE_FLOAT32 ? run_float32_sqrt : run_float64_sqrt;
    if (op == KERNEL_RSQRT)
        return dtype == DTYPE_FLOAT32 ? run_float32_rsqrt : run_float64_rsqrt;
    return NULL;
}
