/* What both ways of taking statistics share, and what is made of them. */
#include "service/tensor/statistics.h"

#include <math.h>

#include "service/tensor/widen.h"

/* Booleans are bytes of 0 and 1. */
static enum dtype
number_of(enum dtype dtype)
{
    return dtype == DTYPE_BOOL ? DTYPE_UINT8 : dtype_real(dtype);
}

bool
kernel_statistics_known(enum dtype dtype)
{
    return kernel_widen_known(number_of(dtype));
}

/* The root of the sum of squares, where those do not leave the range of float64; hypot, which takes
 * longer, knows the others, and that an infinite part outweighs a NaN. */
static double
magnitude(double a, double b)
{
    const double squares = a * a + b * b;

    return squares > 0x1p-900 && squares < 0x1p900 ? sqrt(squares) : hypot(a, b);
}

static void
widen_complex(enum dtype dtype, const uint8_t *data, uint64_t count, double *out)
{
    double parts[KERNEL_WIDEN_MAX];

    kernel_widen(number_of(dtype), data, parts, 2 * count);
    for (uint64_t i = 0; i < count; i++)
        out[i] = magnitude(parts[2 * i], parts[2 * i + 1]);
}

void
kernel_statistics_widen(enum dtype dtype, const void *data, uint64_t count, double *out)
{
    const uint64_t step = dtype_is_complex(dtype) ? KERNEL_WIDEN_MAX / 2 : KERNEL_WIDEN_MAX;
    const uint8_t *from = data;

    for (uint64_t done = 0, n = 0; done < count; done += n, from += n * dtype_size(dtype)) {
        n = count - done < step ? count - done : step;
        if (dtype_is_complex(dtype))
            widen_complex(dtype, from, n, out + done);
        else
            kernel_widen(number_of(dtype), from, out + done, n);
    }
}

bool
kernel_statistics_floats(enum dtype dtype, const void *data, uint64_t count, float *out)
{
    const enum dtype number = number_of(dtype);
    const uint8_t *from = data;

    if (dtype_is_complex(dtype) || !kernel_widen_floats_known(number))
        return false;
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < KERNEL_WIDEN_MAX ? count - done : KERNEL_WIDEN_MAX;
        kernel_widen_floats(number, from + done * dtype_size(dtype), out + done, n);
    }
    return true;
}

double
kernel_statistics_centre(double min, double max, double first)
{
    return (min > 0 && max < 2 * min) || (max < 0 && min > 2 * max) ? first : 0;
}

uint64_t
kernel_statistics_key(enum dtype dtype, uint64_t bits)
{
    return dtype == DTYPE_INT64 ? bits ^ (uint64_t)1 << 63 : bits;
}

static void
add_finite(struct kernel_statistics *into, uint64_t into_count,
           const struct kernel_statistics *part, uint64_t part_count)
{
    const double a = (double)into_count, b = (double)part_count;
    const double apart = part->sum / b - into->sum / a;

    into->deviations += part->deviations + apart * apart * (a * b / (a + b));
    if (isnan(into->deviations)) /* of finite numbers: their sums have left the range */
        into->deviations = INFINITY;
    into->sum += part->sum;
    into->absolute += part->absolute;
    into->min = part->min < into->min ? part->min : into->min;
    into->max = part->max > into->max ? part->max : into->max;
    into->min_key = part->min_key < into->min_key ? part->min_key : into->min_key;
    into->max_key = part->max_key > into->max_key ? part->max_key : into->max_key;
}

static void
take_finite(struct kernel_statistics *into, const struct kernel_statistics *part)
{
    into->deviations = part->deviations;
    into->sum = part->sum;
    into->absolute = part->absolute;
    into->min = part->min;
    into->max = part->max;
    into->min_key = part->min_key;
    into->max_key = part->max_key;
}

void
kernel_statistics_add(struct kernel_statistics *into, const struct kernel_statistics *part)
{
    const uint64_t a = kernel_statistics_finite(into), b = kernel_statistics_finite(part);

    if (a > 0 && b > 0)
        add_finite(into, a, part, b);
    else if (b > 0)
        take_finite(into, part);
    into->count += part->count;
    into->nan += part->nan;
    into->pos_inf += part->pos_inf;
    into->neg_inf += part->neg_inf;
    into->zero += part->zero;
    into->negative += part->negative;
}

uint64_t
kernel_statistics_finite(const struct kernel_statistics *s)
{
    return s->count - s->nan - s->pos_inf - s->neg_inf;
}

double
kernel_statistics_mean(const struct kernel_statistics *s)
{
    const uint64_t finite = kernel_statistics_finite(s);

    return finite > 0 ? s->sum / (double)finite : NAN;
}

double
kernel_statistics_stddev(const struct kernel_statistics *s)
{
    const uint64_t finite = kernel_statistics_finite(s);

    return finite > 0 ? sqrt(s->deviations / (double)finite) : NAN;
}

double
kernel_statistics_l2(const struct kernel_statistics *s)
{
    const uint64_t finite = kernel_statistics_finite(s);

    return finite > 0 ? sqrt(s->deviations + s->sum * (s->sum / (double)finite)) : NAN;
}
