/* The plain twins of reductions: one element at a time, by its coordinates, written to be read. The
 * fast paths must compute what these compute, bit for bit. */
#include <math.h>
#include <string.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels_complex.h"
#include "service/tensor/reduce.h"
#include "store/base/check.h"

union wide {
    double f64;
    int64_t i64;
    uint64_t u64;
    struct kernel_complex128 c128;
};

static double
fold_double(enum kernel_reduce kind, double a, double b)
{
    if (kind == KERNEL_REDUCE_SUM)
        return a + b;
    if (kind == KERNEL_REDUCE_PROD)
        return a * b;
    if (isnan(a) || isnan(b))
        return isnan(a) ? a : b;
    if (a == b)
        return b;
    return (kind == KERNEL_REDUCE_MIN) == (a < b) ? a : b;
}

static void
fold(enum kernel_reduce kind, enum dtype wide, union wide *a, union wide b)
{
    if (wide == DTYPE_FLOAT64)
        a->f64 = fold_double(kind, a->f64, b.f64);
    else if (wide == DTYPE_COMPLEX128)
        a->c128 = kind == KERNEL_REDUCE_SUM ? kernel_complex128_add(a->c128, b.c128)
                                            : kernel_complex128_multiply(a->c128, b.c128);
    else if (kind == KERNEL_REDUCE_SUM)
        a->u64 += b.u64;
    else if (kind == KERNEL_REDUCE_PROD)
        a->u64 *= b.u64;
    else if ((kind == KERNEL_REDUCE_MIN) == (wide == DTYPE_INT64 ? b.i64 < a->i64 : b.u64 < a->u64))
        *a = b;
}

static union wide
start_of(enum kernel_reduce kind, enum dtype dtype, enum dtype wide)
{
    static const uint64_t tops[] = {0, 0x7F, 0x7FFF, 0, 0x7FFFFFFF, 0, 0, 0, INT64_MAX};
    uint64_t top = tops[dtype_size(dtype) <= 8 ? dtype_size(dtype) : 0];
    bool real = wide == DTYPE_FLOAT64;
    union wide start = {0};

    if (kind == KERNEL_REDUCE_PROD && (real || wide == DTYPE_COMPLEX128))
        start.f64 = 1;
    else if (kind == KERNEL_REDUCE_PROD)
        start.u64 = 1;
    else if (kind != KERNEL_REDUCE_SUM && real)
        start.f64 = kind == KERNEL_REDUCE_MIN ? HUGE_VAL : -HUGE_VAL;
    else if (kind == KERNEL_REDUCE_MIN && dtype == DTYPE_BOOL)
        start.u64 = 1;
    else if (kind == KERNEL_REDUCE_MIN)
        start.u64 = wide == DTYPE_INT64 ? top : 2 * top + 1;
    else if (kind == KERNEL_REDUCE_MAX && wide == DTYPE_INT64)
        start.i64 = -(int64_t)top - 1;
    return start;
}

static union wide
element_at(const struct tensor_type *type, enum kernel_reduce_map map, const uint8_t *elements,
           uint64_t index)
{
    enum dtype wide = kernel_reduce_wide(type->dtype, KERNEL_REDUCE_PLAIN);
    union wide value = {0};

    tensor_cast(type->dtype, elements + index * dtype_size(type->dtype), wide, &value, 1);
    if (map == KERNEL_REDUCE_PLAIN)
        return value;
    if (wide == DTYPE_COMPLEX128)
        value.f64 = map == KERNEL_REDUCE_ABS
                        ? hypot(value.c128.re, value.c128.im)
                        : value.c128.re * value.c128.re + value.c128.im * value.c128.im;
    else
        value.f64 = map == KERNEL_REDUCE_ABS ? fabs(value.f64) : value.f64 * value.f64;
    return value;
}

/* Which result an element belongs to. */
static uint64_t
result_of(const struct shape *shape, uint32_t axes, uint64_t index)
{
    uint64_t result = 0, stride = 1;

    for (uint32_t i = shape->rank; i-- > 0;) {
        uint64_t at = index % shape->dims[i];

        index /= shape->dims[i];
        if ((axes >> i & 1) != 0)
            continue;
        result += at * stride;
        stride *= shape->dims[i];
    }
    return result;
}

/* Neighbouring elements, from the first on, that fold into one result. */
static uint64_t
run_length(const struct shape *shape, uint32_t axes)
{
    uint64_t length = 1;

    for (uint32_t i = shape->rank; i-- > 0;) {
        if (shape->dims[i] != 1 && (axes >> i & 1) == 0)
            break;
        length *= shape->dims[i];
    }
    return length;
}

/* Place i of a run goes to sum i % lanes; these are added pairwise. */
static union wide
fold_run(enum kernel_reduce kind, enum kernel_reduce_map map, const struct tensor_type *type,
         const uint8_t *elements, uint64_t first, uint64_t length)
{
    enum dtype wide = kernel_reduce_wide(type->dtype, map);
    union wide lanes[KERNEL_REDUCE_LANES];

    for (uint32_t i = 0; i < KERNEL_REDUCE_LANES; i++)
        lanes[i] = start_of(kind, type->dtype, wide);
    for (uint64_t i = 0; i < length; i++)
        fold(kind, wide, &lanes[i % KERNEL_REDUCE_LANES],
             element_at(type, map, elements, first + i));
    for (uint32_t half = KERNEL_REDUCE_LANES / 2; half > 0; half /= 2)
        for (uint32_t i = 0; i < half; i++)
            fold(kind, wide, &lanes[i], lanes[i + half]);
    return lanes[0];
}

void
kernel_reduce_plain(enum kernel_reduce kind, enum kernel_reduce_map map,
                    const struct tensor_type *type, uint32_t axes, const void *elements, void *out)
{
    enum dtype wide = kernel_reduce_wide(type->dtype, map);
    uint64_t count = shape_count(&type->shape), results = 1, length, step;
    uint32_t size = dtype_size(wide);
    union wide value;

    for (uint32_t i = 0; i < type->shape.rank; i++)
        results *= (axes >> i & 1) != 0 ? 1 : type->shape.dims[i];
    value = start_of(kind, type->dtype, wide);
    for (uint64_t i = 0; i < results; i++)
        memcpy((uint8_t *)out + i * size, &value, size);
    length = run_length(&type->shape, axes);
    step = length < 2 * KERNEL_REDUCE_LANES ? 1 : length;
    for (uint64_t i = 0; i < count; i += step) {
        uint8_t *at = (uint8_t *)out + result_of(&type->shape, axes, i) * size;
        union wide next = step == 1 ? element_at(type, map, elements, i)
                                    : fold_run(kind, map, type, elements, i, length);

        memcpy(&value, at, size);
        fold(kind, wide, &value, next);
        memcpy(at, &value, size);
    }
}

static bool
is_better(bool least, enum dtype wide, union wide a, union wide b)
{
    if (wide == DTYPE_FLOAT64)
        return least ? a.f64 < b.f64 : a.f64 > b.f64;
    if (wide == DTYPE_INT64)
        return least ? a.i64 < b.i64 : a.i64 > b.i64;
    return least ? a.u64 < b.u64 : a.u64 > b.u64;
}

void
kernel_argminmax_plain(bool least, const struct tensor_type *type, uint32_t axis,
                       const void *elements, int64_t *out)
{
    enum dtype wide = kernel_reduce_wide(type->dtype, KERNEL_REDUCE_PLAIN);
    uint64_t inner = 1, size = type->shape.dims[axis], results;

    CHECK(size > 0);
    for (uint32_t i = axis + 1; i < type->shape.rank; i++)
        inner *= type->shape.dims[i];
    results = shape_count(&type->shape) / size;
    for (uint64_t i = 0; i < results; i++) {
        uint64_t first = i / inner * inner * size + i % inner;
        union wide best = element_at(type, KERNEL_REDUCE_PLAIN, elements, first);

        out[i] = 0;
        for (uint64_t k = 1; k < size; k++) {
            union wide value = element_at(type, KERNEL_REDUCE_PLAIN, elements, first + k * inner);
            bool over_nan = wide == DTYPE_FLOAT64 && isnan(best.f64) && !isnan(value.f64);
            bool infinite = over_nan && isinf(value.f64) && (value.f64 > 0) == least;

            if (infinite || !(over_nan || is_better(least, wide, value, best)))
                continue;
            best = value;
            out[i] = (int64_t)k;
        }
    }
}
