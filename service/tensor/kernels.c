/* The way to the fast kernels: which run it is, and what must be refused before it starts. The runs
 * are in kernels_arithmetic.c, kernels_root.c, kernels_math.c and kernels_complex.c. */
#include "service/tensor/kernels.h"

#include "service/tensor/kernels_run.h"
#include "store/base/check.h"

static bool
is_half(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT16 || dtype == DTYPE_BFLOAT16;
}

static kernel_binary_run *
binary_run(enum kernel_binary op, enum dtype dtype)
{
    kernel_binary_run *run = kernel_arithmetic_binary(op, dtype);

    return run != NULL ? run : kernel_complex_binary(op, dtype);
}

static kernel_unary_run *
unary_run(enum kernel_unary op, enum dtype dtype)
{
    kernel_unary_run *run = kernel_arithmetic_unary(op, dtype);

    if (run == NULL)
        run = kernel_root_unary(op, dtype);
    if (run == NULL)
        run = kernel_math_unary(op, dtype);
    return run != NULL ? run : kernel_complex_unary(op, dtype);
}

bool
kernel_binary_known(enum kernel_binary op, enum dtype dtype)
{
    if ((unsigned)op >= KERNEL_BINARY_COUNT || (unsigned)dtype >= DTYPE_COUNT)
        return false;
    return binary_run(op, is_half(dtype) ? DTYPE_FLOAT32 : dtype) != NULL;
}

bool
kernel_unary_known(enum kernel_unary op, enum dtype dtype)
{
    if ((unsigned)op >= KERNEL_UNARY_COUNT || (unsigned)dtype >= DTYPE_COUNT)
        return false;
    return unary_run(op, is_half(dtype) ? DTYPE_FLOAT32 : dtype) != NULL;
}

enum dtype
kernel_unary_result(enum kernel_unary op, enum dtype dtype)
{
    return op == KERNEL_ABS ? dtype_real(dtype) : dtype;
}

/* All bytes of one of the elements are zero. */
static bool
has_zero(uint32_t size, struct kernel_operand operand, uint64_t count)
{
    uint64_t looked_at = operand.step == 0 ? 1 : count;
    const uint8_t *bytes = operand.data;

    for (uint64_t i = 0; i < looked_at; i++) {
        uint64_t element = 0;

        memcpy(&element, bytes + i * size, size);
        if (element == 0)
            return true;
    }
    return false;
}

/* The highest bit of one of the elements is set (little-endian). */
static bool
has_sign(uint32_t size, struct kernel_operand operand, uint64_t count)
{
    uint64_t looked_at = operand.step == 0 ? 1 : count;
    const uint8_t *bytes = operand.data;

    for (uint64_t i = 0; i < looked_at; i++)
        if ((bytes[i * size + size - 1] & 0x80) != 0)
            return true;
    return false;
}

/* Before anything is written, so that a failure leaves an operand that is also `out` as it was. */
static enum err_code
check_integers(enum kernel_binary op, enum dtype dtype, struct kernel_operand b, uint64_t count,
               struct err *err)
{
    uint32_t size = dtype_size(dtype);

    if ((op == KERNEL_FLOORDIV || op == KERNEL_MOD) && has_zero(size, b, count))
        return err_set(err, ERR_INVALID_ARGUMENT, "integer division by zero");
    if (op == KERNEL_POW && dtype_info(dtype)->kind == DTYPE_KIND_SIGNED &&
        has_sign(size, b, count))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Integers to negative integer powers are not allowed");
    return OK;
}

enum err_code
kernel_binary(enum kernel_binary op, enum dtype dtype, struct kernel_operand a,
              struct kernel_operand b, void *out, uint64_t count, struct err *err)
{
    CHECK(kernel_binary_known(op, dtype));
    if (count == 0)
        return OK;
    if (dtype_is_integer(dtype))
        TRY(check_integers(op, dtype, b, count, err));
    if (is_half(dtype))
        kernel_half_binary(dtype, binary_run(op, DTYPE_FLOAT32), a, b, out, count);
    else
        binary_run(op, dtype)(a, b, out, count);
    return OK;
}

void
kernel_unary(enum kernel_unary op, enum dtype dtype, const void *in, void *out, uint64_t count)
{
    kernel_unary_run *run;

    CHECK(kernel_unary_known(op, dtype));
    run = unary_run(op, dtype);
    if (run != NULL)
        run(in, out, count);
    else
        kernel_half_unary(dtype, unary_run(op, DTYPE_FLOAT32), in, out, count);
}

void
kernel_fill(uint32_t element_size, const void *element, void *out, uint64_t count)
{
    enum { PATTERN_BYTES = 4096 };
    uint8_t pattern[PATTERN_BYTES], *target = out;
    uint64_t left = count * element_size, filled = 0, whole;

    if (left == 0)
        return;
    CHECK(element_size <= PATTERN_BYTES);
    whole = PATTERN_BYTES - PATTERN_BYTES % element_size;
    whole = whole < left ? whole : left;
    for (; filled < whole; filled += element_size)
        memcpy(pattern + filled, element, element_size);
    for (; left > 0; left -= whole, target += whole) {
        whole = whole < left ? whole : left;
        memcpy(target, pattern, whole);
    }
}
