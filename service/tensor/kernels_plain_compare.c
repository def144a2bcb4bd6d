/* The plain twins of comparison and selection (kernels_plain.c). */
#include <math.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/check.h"

enum order { BEFORE, SAME, AFTER, NEITHER };

static enum order
order_of(bool less, bool greater, bool equal)
{
    if (less)
        return BEFORE;
    if (greater)
        return AFTER;
    return equal ? SAME : NEITHER;
}

static enum order
order_of_floats(double a, double b)
{
    return order_of(a<b, a> b, a == b);
}

static enum order
order_of_integers(enum dtype dtype, const uint8_t *a, const uint8_t *b)
{
    if (dtype_info(dtype)->kind == DTYPE_KIND_SIGNED) {
        int64_t x = 0, y = 0;

        tensor_cast(dtype, a, DTYPE_INT64, &x, 1);
        tensor_cast(dtype, b, DTYPE_INT64, &y, 1);
        return order_of(x<y, x> y, x == y);
    } else {
        uint64_t x = 0, y = 0;

        tensor_cast(dtype, a, DTYPE_UINT64, &x, 1);
        tensor_cast(dtype, b, DTYPE_UINT64, &y, 1);
        return order_of(x<y, x> y, x == y);
    }
}

static double
float8_value(enum dtype dtype, uint8_t bits)
{
    int fraction_bits = dtype == DTYPE_FLOAT8_E4M3FN ? 3 : 2;
    int bias = dtype == DTYPE_FLOAT8_E4M3FN ? 7 : 15;
    int fraction = bits & ((1 << fraction_bits) - 1), exponent = (bits & 0x7F) >> fraction_bits;
    double value = exponent == 0
                       ? ldexp(fraction, 1 - bias - fraction_bits)
                       : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);

    if (dtype == DTYPE_FLOAT8_E4M3FN && (bits & 0x7F) == 0x7F)
        return (double)NAN;
    if (dtype == DTYPE_FLOAT8_E5M2 && exponent == 31)
        value = fraction == 0 ? HUGE_VAL : (double)NAN;
    return (bits & 0x80) != 0 ? -value : value;
}

/* Numbers with an order, and what is only the same or not. */
static enum order
order_of_elements(enum dtype dtype, const uint8_t *a, const uint8_t *b)
{
    enum dtype part = dtype == DTYPE_COMPLEX64 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    uint32_t size = dtype_size(part);

    if (dtype_is_float(dtype))
        return order_of_floats(tensor_element_as_double(dtype, a),
                               tensor_element_as_double(dtype, b));
    if (dtype_is_integer(dtype))
        return order_of_integers(dtype, a, b);
    if (dtype == DTYPE_FLOAT8_E4M3FN || dtype == DTYPE_FLOAT8_E5M2)
        return order_of_floats(float8_value(dtype, *a), float8_value(dtype, *b));
    if (dtype == DTYPE_BOOL)
        return (*a != 0) == (*b != 0) ? SAME : NEITHER;
    if (dtype_info(dtype)->kind == DTYPE_KIND_OPAQUE)
        return memcmp(a, b, dtype_size(dtype)) == 0 ? SAME : NEITHER;
    for (uint32_t i = 0; i < 2; i++)
        if (order_of_floats(tensor_element_as_double(part, a + i * size),
                            tensor_element_as_double(part, b + i * size)) != SAME)
            return NEITHER;
    return SAME;
}

static bool
holds(enum kernel_compare op, enum order order)
{
    switch (op) {
    case KERNEL_EQUAL:
        return order == SAME;
    case KERNEL_NOT_EQUAL:
        return order != SAME;
    case KERNEL_LESS:
        return order == BEFORE;
    case KERNEL_LESS_EQUAL:
        return order == BEFORE || order == SAME;
    case KERNEL_GREATER:
        return order == AFTER;
    case KERNEL_GREATER_EQUAL:
        return order == AFTER || order == SAME;
    case KERNEL_COMPARE_COUNT:
        break;
    }
    CHECK(false);
}

static const uint8_t *
at(struct kernel_operand operand, uint32_t size, uint64_t index)
{
    return (const uint8_t *)operand.data + (operand.step == 0 ? 0 : index * size);
}

void
kernel_compare_plain(enum kernel_compare op, enum dtype dtype, struct kernel_operand a,
                     struct kernel_operand b, uint8_t *out, uint64_t count)
{
    uint32_t size = dtype_size(dtype);

    CHECK(kernel_compare_known(op, dtype));
    for (uint64_t i = 0; i < count; i++)
        out[i] = holds(op, order_of_elements(dtype, at(a, size, i), at(b, size, i)));
}

void
kernel_select_plain(uint32_t element_size, struct kernel_operand condition, struct kernel_operand a,
                    struct kernel_operand b, void *out, uint64_t count)
{
    uint8_t *z = out, first_a[16], first_b[16];

    if (count == 0)
        return;
    CHECK(element_size <= sizeof first_a);
    memcpy(first_a, a.data, element_size); /* out may be their memory */
    memcpy(first_b, b.data, element_size);
    for (uint64_t i = 0; i < count; i++) {
        bool yes = *at(condition, 1, i) != 0;
        const uint8_t *from = yes           ? a.step == 0 ? first_a : at(a, element_size, i)
                                        : b.step == 0 ? first_b
                                            : at(b, element_size, i);

        memmove(z + i * element_size, from, element_size);
    }
}
