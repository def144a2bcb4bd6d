/* The plain twin of the kernels: one element at a time through a switch, written to be read rather
 * than to be fast, and sharing nothing with the fast path. What this computes is what kernels.c
 * must compute. */
#include "service/tensor/kernels.h"

#include <math.h>

#include "service/tensor/convert.h"
#include "store/base/check.h"

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
    case KERNEL_DIVIDE:
        if (!is_signed)
            return a / b;
        /* Magnitudes, then the sign: no value traps. */
        if ((int64_t)a < 0 && (int64_t)b < 0)
            return (0 - a) / (0 - b);
        if ((int64_t)a < 0)
            return 0 - (0 - a) / b;
        return (int64_t)b < 0 ? 0 - a / (0 - b) : a / b;
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
}

static float
float_result(enum kernel_binary op, float a, float b)
{
    switch (op) {
    case KERNEL_ADD:
        return a + b;
    case KERNEL_SUBTRACT:
        return a - b;
    case KERNEL_MULTIPLY:
        return a * b;
    case KERNEL_DIVIDE:
        return a / b;
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
}

static double
double_result(enum kernel_binary op, double a, double b)
{
    switch (op) {
    case KERNEL_ADD:
        return a + b;
    case KERNEL_SUBTRACT:
        return a - b;
    case KERNEL_MULTIPLY:
        return a * b;
    case KERNEL_DIVIDE:
        return a / b;
    case KERNEL_BINARY_COUNT:
        break;
    }
    CHECK(false);
}

/* Both parts at once, in the precision of `round`: 0 for float32 parts, 1 for float64 parts. */
static void
complex_result(enum kernel_binary op, bool single, const double a[2], const double b[2],
               double out[2])
{
#define PART(expression) (single ? (double)(float)(expression) : (expression))
    double swap = fabs(b[0]) < fabs(b[1]), big, small, ratio, scale;

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
        big = swap != 0 ? b[1] : b[0];
        small = swap != 0 ? b[0] : b[1];
        ratio = PART(small / big);
        scale = PART(PART(small * ratio) + big);
        out[0] = PART(swap != 0 ? PART(a[0] * ratio) + a[1] : PART(a[1] * ratio) + a[0]);
        out[1] = PART(swap != 0 ? PART(a[1] * ratio) - a[0] : a[1] - PART(a[0] * ratio));
        out[0] = PART(out[0] / scale);
        out[1] = PART(out[1] / scale);
        return;
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
    if (op == KERNEL_DIVIDE && y == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "integer division by zero");
    z = integer_result(op, is_signed, x, y);
    memcpy(out, &z, dtype_size(dtype)); /* the low bytes: wraps */
    return OK;
}

static void
float_element(enum kernel_binary op, enum dtype dtype, const uint8_t *a, const uint8_t *b,
              uint8_t *out)
{
    double x = tensor_element_as_double(dtype, a), y = tensor_element_as_double(dtype, b);
    float single = 0;

    if (dtype == DTYPE_FLOAT64) {
        x = double_result(op, x, y);
        memcpy(out, &x, sizeof x);
        return;
    }
    single = float_result(op, (float)x, (float)y);
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

        if (dtype_is_integer(dtype))
            TRY(integer_element(op, dtype, from_x, from_y, z + i * size, err));
        else if (dtype_is_float(dtype))
            float_element(op, dtype, from_x, from_y, z + i * size);
        else
            complex_element(op, dtype, from_x, from_y, z + i * size);
    }
    return OK;
}
