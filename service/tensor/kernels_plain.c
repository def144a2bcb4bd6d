/* The plain twins of the kernels of two operands: one element at a time through a switch, written
 * to be read rather than to be fast, and sharing nothing with the fast path. What this computes is
 * what the fast kernels must compute: bit for bit, but for pow, which both round on their own. */
#include <complex.h>
#include <math.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/check.h"

/* The quotient of magnitudes, then the sign: no value traps. */
static uint64_t
floor_quotient(bool is_signed, uint64_t a, uint64_t b)
{
    bool a_minus = is_signed && (int64_t)a < 0, b_minus = is_signed && (int64_t)b < 0;
    uint64_t dividend = a_minus ? 0 - a : a, divisor = b_minus ? 0 - b : b;

    if (a_minus == b_minus)
        return dividend / divisor;
    return 0 - (dividend / divisor + (dividend % divisor != 0));
}

/* From the highest bit of the exponent down. */
static uint64_t
integer_power(uint64_t a, uint64_t b)
{
    uint64_t power = 1;

    for (uint32_t bit = 64; bit-- > 0;) {
        power *= power;
        if ((b >> bit & 1) != 0)
            power *= a;
    }
    return power;
}

/* Whether a goes before b. */
static bool
integer_less(bool is_signed, uint64_t a, uint64_t b)
{
    return is_signed ? (int64_t)a < (int64_t)b : a < b;
}

/* A signed or unsigned integer of any width, in two's complement. */
static uint64_t
integer_result(enum kernel_binary op, bool is_signed, uint64_t a, uint64_t b)
{
    switch (op) {
    case KERNEL_ADD:
        return a + b;
    case KERNEL_SUBTRACT:
        return a - b;
    case KERNEL_MULTIPLY:
        return a * b;
    case KERNEL_FLOORDIV:
        return floor_quotient(is_signed, a, b);
    case KERNEL_MOD:
        return a - floor_quotient(is_signed, a, b) * b;
    case KERNEL_MINIMUM:
        return integer_less(is_signed, a, b) ? a : b;
    case KERNEL_MAXIMUM:
        return integer_less(is_signed, b, a) ? a : b;
    case KERNEL_POW:
        return integer_power(a, b);
    case KERNEL_AND:
        return a != 0 && b != 0;
    case KERNEL_OR:
        return a != 0 || b != 0;
    case KERNEL_XOR:
        return (a != 0) + (b != 0) == 1;
    case KERNEL_DIVIDE:
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
}

/* single: in float32. */
static double
float_result(enum kernel_binary op, bool single, double a, double b)
{
#define ROUND(expression) (single ? (double)(float)(expression) : (expression))
    switch (op) {
    case KERNEL_ADD:
        return ROUND(a + b);
    case KERNEL_SUBTRACT:
        return ROUND(a - b);
    case KERNEL_MULTIPLY:
        return ROUND(a * b);
    case KERNEL_DIVIDE:
        return ROUND(a / b);
    case KERNEL_FLOORDIV:
        return floor(ROUND(a / b));
    case KERNEL_MOD:
        if ((a < 0) == (b < 0))
            return fmod(a, b);
        return fmod(ROUND(fmod(a, b) + b), b);
    case KERNEL_MINIMUM:
        return a < b ? a : b;
    case KERNEL_MAXIMUM:
        return a > b ? a : b;
    case KERNEL_POW:
        return ROUND(pow(a, b));
    case KERNEL_AND:
    case KERNEL_OR:
    case KERNEL_XOR:
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
#undef ROUND
}

/* By length and angle. */
static void
complex_power(const double a[2], const double b[2], double out[2])
{
    long double length = hypotl(a[0], a[1]), angle = atan2l(a[1], a[0]), grown, turned;

    out[0] = b[0] == 0 && b[1] == 0 ? 1 : b[0] > 0 ? 0 : (double)NAN;
    out[1] = isnan(out[0]) ? out[0] : 0;
    if (length == 0 || (b[0] == 0 && b[1] == 0))
        return;
    grown = b[0] * logl(length) - b[1] * angle;
    turned = b[1] * logl(length) + b[0] * angle;
    out[0] = (double)(expl(grown) * cosl(turned));
    out[1] = (double)(expl(grown) * sinl(turned));
}

/* Both parts at once, in the precision of float32 parts (single) or float64 parts. */
static void
complex_result(enum kernel_binary op, bool single, const double a[2], const double b[2],
               double out[2])
{
#define PART(expression) (single ? (double)(float)(expression) : (expression))
    bool swap = fabs(b[0]) < fabs(b[1]);
    double big = swap ? b[1] : b[0], small = swap ? b[0] : b[1];
    double ratio = PART(small / big), scale = PART(PART(small * ratio) + big);

    switch (op) {
    case KERNEL_ADD:
    case KERNEL_SUBTRACT:
        out[0] = PART(op == KERNEL_ADD ? a[0] + b[0] : a[0] - b[0]);
        out[1] = PART(op == KERNEL_ADD ? a[1] + b[1] : a[1] - b[1]);
        return;
    case KERNEL_MULTIPLY:
        out[0] = PART(PART(a[0] * b[0]) - PART(a[1] * b[1]));
        out[1] = PART(PART(a[0] * b[1]) + PART(a[1] * b[0]));
        return;
    case KERNEL_DIVIDE:
        out[0] = PART(swap ? PART(a[0] * ratio) + a[1] : PART(a[1] * ratio) + a[0]);
        out[1] = PART(swap ? PART(a[1] * ratio) - a[0] : a[1] - PART(a[0] * ratio));
        out[0] = PART(out[0] / scale);
        out[1] = PART(out[1] / scale);
        return;
    case KERNEL_POW:
        complex_power(a, b, out);
        return;
    case KERNEL_FLOORDIV:
    case KERNEL_MOD:
    case KERNEL_MINIMUM:
    case KERNEL_MAXIMUM:
    case KERNEL_AND:
    case KERNEL_OR:
    case KERNEL_XOR:
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
#undef PART
}

static void
complex_element(enum kernel_binary op, enum dtype dtype, const uint8_t *a, const uint8_t *b,
                uint8_t *out)
{
    enum dtype part = dtype == DTYPE_COMPLEX64 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    uint32_t size = dtype_size(part);
    double x[2], y[2], z[2];

    for (uint32_t i = 0; i < 2; i++) {
        x[i] = tensor_element_as_double(part, a + i * size);
        y[i] = tensor_element_as_double(part, b + i * size);
    }
    complex_result(op, dtype == DTYPE_COMPLEX64, x, y, z);
    for (uint32_t i = 0; i < 2; i++)
        tensor_element_of_double(part, z[i], out + i * size);
}

static enum err_code
integer_element(enum kernel_binary op, enum dtype dtype, const uint8_t *a, const uint8_t *b,
                uint8_t *out, struct err *err)
{
    bool is_signed = dtype_info(dtype)->kind == DTYPE_KIND_SIGNED;
    enum dtype wide = is_signed ? DTYPE_INT64 : DTYPE_UINT64;
    uint64_t x = 0, y = 0, z = 0;

    tensor_cast(dtype, a, wide, &x, 1);
    tensor_cast(dtype, b, wide, &y, 1);
    if ((op == KERNEL_FLOORDIV || op == KERNEL_MOD) && y == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "integer division by zero");
    if (op == KERNEL_POW && is_signed && (int64_t)y < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Integers to negative integer powers are not allowed");
    z = integer_result(op, is_signed, x, y);
    memcpy(out, &z, dtype_size(dtype)); /* the low bytes: wraps */
    return OK;
}

static void
float_element(enum kernel_binary op, enum dtype dtype, const uint8_t *a, const uint8_t *b,
              uint8_t *out)
{
    double x = tensor_element_as_double(dtype, a), y = tensor_element_as_double(dtype, b);
    double z = float_result(op, dtype != DTYPE_FLOAT64, x, y);
    float single = (float)z;

    if (dtype == DTYPE_FLOAT64)
        memcpy(out, &z, sizeof z);
    else
        tensor_cast(DTYPE_FLOAT32, &single, dtype, out, 1);
}

enum err_code
kernel_binary_plain(enum kernel_binary op, enum dtype dtype, struct kernel_operand a,
                    struct kernel_operand b, void *out, uint64_t count, struct err *err)
{
    const uint32_t size = dtype_size(dtype);
    const uint8_t *x = a.data, *y = b.data;
    uint8_t first_x[16] = {0}, first_y[16] = {0}, *z = out;

    CHECK(kernel_binary_known(op, dtype));
    if (count == 0)
        return OK;
    memcpy(first_x, x, size);
    memcpy(first_y, y, size);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *from_x = a.step == 0 ? first_x : x + i * size;
        const uint8_t *from_y = b.step == 0 ? first_y : y + i * size;

        if (dtype_is_integer(dtype) || dtype == DTYPE_BOOL)
            TRY(integer_element(op, dtype, from_x, from_y, z + i * size, err));
        else if (dtype_is_float(dtype))
            float_element(op, dtype, from_x, from_y, z + i * size);
        else
            complex_element(op, dtype, from_x, from_y, z + i * size);
    }
    return OK;
}
