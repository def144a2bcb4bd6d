/* Differences, one part at a time: what the fast path must compute. */
#include "service/tensor/difference.h"

#include <math.h>
#include <string.h>

#include "service/tensor/convert.h"
#include "store/base/check.h"

enum { LANES = KERNEL_DIFFERENCE_LANES };

static double
part_of(enum dtype part, const uint8_t *element)
{
    if (part == DTYPE_FLOAT8_E4M3FN)
        return (double)tensor_float_of_e4m3fn(*element);
    if (part == DTYPE_FLOAT8_E5M2)
        return (double)tensor_float_of_e5m2(*element);
    return tensor_element_as_double(part, element);
}

/* The absolute difference of two parts that are not the same. */
static double
distance_of(enum dtype part, const uint8_t *a, const uint8_t *b)
{
    uint64_t x, y;

    if (part != DTYPE_INT64 && part != DTYPE_UINT64)
        return fabs(part_of(part, a) - part_of(part, b));
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (part == DTYPE_INT64 ? (int64_t)x > (int64_t)y : x > y)
        return (double)(x - y);
    return (double)(y - x);
}

static double
gather(const double lanes[static LANES])
{
    double sums[LANES];

    memcpy(sums, lanes, sizeof sums);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            sums[i] += sums[i + half];
    return sums[0];
}

struct plain_lanes {
    double squares[LANES], a[LANES], b[LANES], products[LANES];
};

/* Part number i of the run; its difference. */
static double
add_part(struct plain_lanes *lanes, enum dtype part, const uint8_t *a, const uint8_t *b, uint64_t i)
{
    const uint32_t size = dtype_size(part);
    const double x = part_of(part, a + i * size), y = part_of(part, b + i * size);
    const uint64_t lane = i % LANES;
    double distance = 0;

    if (memcmp(a + i * size, b + i * size, size) != 0)
        distance = distance_of(part, a + i * size, b + i * size);
    lanes->squares[lane] += distance * distance;
    lanes->a[lane] += x * x;
    lanes->b[lane] += y * y;
    lanes->products[lane] += x * y;
    return distance;
}

void
kernel_difference_plain(enum dtype dtype, const void *a, const void *b, uint64_t count,
                        struct kernel_difference *out)
{
    const enum dtype part = dtype_real(dtype);
    const uint32_t size = dtype_size(dtype);
    const uint8_t *x = a, *y = b;
    struct plain_lanes lanes = {{0}, {0}, {0}, {0}};

    CHECK(kernel_difference_known(dtype));
    *out = (struct kernel_difference){0};
    for (uint64_t i = 0; i < count; i++) {
        double distance, imaginary = 0;
        bool is_finite;

        out->changed += memcmp(x + i * size, y + i * size, size) != 0;
        if (dtype_is_complex(dtype)) {
            distance = add_part(&lanes, part, x, y, 2 * i);
            imaginary = add_part(&lanes, part, x, y, 2 * i + 1);
            is_finite = isfinite(distance) && isfinite(imaginary);
            distance = isnan(distance) || isnan(imaginary) ? NAN : hypot(distance, imaginary);
        } else {
            distance = add_part(&lanes, part, x, y, i);
            is_finite = isfinite(distance);
        }
        out->nonfinite += !is_finite;
        if (isnan(distance) || distance > out->max_abs)
            out->max_abs = distance;
    }
    out->squares = gather(lanes.squares);
    out->a_squares = gather(lanes.a);
    out->b_squares = gather(lanes.b);
    out->products = gather(lanes.products);
}
