#include "service/tensor/scatter.h"

#include <string.h>

#include "service/tensor/kernels_run.h"
#include "store/base/check.h"

VECTOR_FILE

/* --- integer quotients, cut off towards zero ------------------------------------------------- */

/* The minimum divided by -1 wraps to itself; the instruction would trap. */
#define SIGNED_QUOTIENT(prefix, type, wide)                                                        \
    static inline type prefix##_quotient(type a, type b)                                           \
    {                                                                                              \
        return (type)(b == -1 ? 0 - (wide)a : (wide)(a / b));                                      \
    }                                                                                              \
    KERNEL_BINARY_RUN(run_##prefix##_quotient, type, type, prefix##_quotient)

#define UNSIGNED_QUOTIENT(prefix, type)                                                            \
    static inline type prefix##_quotient(type a, type b)                                           \
    {                                                                                              \
        return (type)(a / b);                                                                      \
    }                                                                                              \
    KERNEL_BINARY_RUN(run_##prefix##_quotient, type, type, prefix##_quotient)

/* clang-format off: it takes the list for one declaration. */
SIGNED_QUOTIENT(int8, int8_t, unsigned)
SIGNED_QUOTIENT(int16, int16_t, unsigned)
SIGNED_QUOTIENT(int32, int32_t, unsigned)
SIGNED_QUOTIENT(int64, int64_t, uint64_t)
UNSIGNED_QUOTIENT(uint8, uint8_t)
UNSIGNED_QUOTIENT(uint16, uint16_t)
UNSIGNED_QUOTIENT(uint32, uint32_t)
UNSIGNED_QUOTIENT(uint64, uint64_t)
/* clang-format on */

static kernel_binary_run *const quotients[DTYPE_COUNT] = {
    [DTYPE_INT8] = run_int8_quotient,     [DTYPE_INT16] = run_int16_quotient,
    [DTYPE_INT32] = run_int32_quotient,   [DTYPE_INT64] = run_int64_quotient,
    [DTYPE_UINT8] = run_uint8_quotient,   [DTYPE_UINT16] = run_uint16_quotient,
    [DTYPE_UINT32] = run_uint32_quotient, [DTYPE_UINT64] = run_uint64_quotient,
};

/* --- rows ------------------------------------------------------------------------------------ */

static const enum kernel_binary binaries[KERNEL_SCATTER_COUNT] = {
    [KERNEL_SCATTER_ADD] = KERNEL_ADD,           [KERNEL_SCATTER_SUBTRACT] = KERNEL_SUBTRACT,
    [KERNEL_SCATTER_MULTIPLY] = KERNEL_MULTIPLY, [KERNEL_SCATTER_DIVIDE] = KERNEL_DIVIDE,
    [KERNEL_SCATTER_MINIMUM] = KERNEL_MINIMUM,   [KERNEL_SCATTER_MAXIMUM] = KERNEL_MAXIMUM,
};

bool
kernel_scatter_known(enum kernel_scatter op, enum dtype dtype)
{
    if ((unsigned)op >= KERNEL_SCATTER_COUNT || (unsigned)dtype >= DTYPE_COUNT)
        return false;
    if (op == KERNEL_SCATTER_UPDATE)
        return dtype_size(dtype) != 0;
    return kernel_binary_known(binaries[op], dtype) ||
           (op == KERNEL_SCATTER_DIVIDE && quotients[dtype] != NULL);
}

uint64_t
kernel_scatter_zero(enum kernel_scatter op, enum dtype dtype, const void *updates, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);
    const uint8_t *bytes = updates;

    if (op != KERNEL_SCATTER_DIVIDE || !dtype_is_integer(dtype))
        return count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t element = 0;

        memcpy(&element, bytes + i * size, size);
        if (element == 0)
            return i;
    }
    return count;
}

void
kernel_scatter_row(enum kernel_scatter op, enum dtype dtype, void *target,
                   struct kernel_operand update, uint64_t count)
{
    const struct kernel_operand old = {target, 1};

    CHECK(kernel_scatter_known(op, dtype));
    if (count == 0)
        return;
    if (op == KERNEL_SCATTER_UPDATE && update.step != 0)
        memcpy(target, update.data, count * dtype_size(dtype));
    else if (op == KERNEL_SCATTER_UPDATE)
        kernel_fill(dtype_size(dtype), update.data, target, count);
    else if (op == KERNEL_SCATTER_DIVIDE && quotients[dtype] != NULL)
        quotients[dtype](old, update, target, count);
    else /* none of these can fail */
        CHECK(kernel_binary(binaries[op], dtype, old, update, target, count, NULL) == OK);
}

/* --- the plain twin: one element at a time --------------------------------------------------- */

/* The quotient of magnitudes, then the sign: no value traps. */
static void
plain_quotient(enum dtype dtype, uint8_t *target, const uint8_t *update)
{
    const uint32_t size = dtype_size(dtype), unused = 64 - 8 * size;
    bool is_signed = dtype_info(dtype)->kind == DTYPE_KIND_SIGNED, a_minus, b_minus;
    uint64_t a = 0, b = 0, quotient;

    memcpy(&a, target, size);
    memcpy(&b, update, size);
    a_minus = is_signed && (a << unused) >> 63 != 0;
    b_minus = is_signed && (b << unused) >> 63 != 0;
    a = a_minus ? (0 - a) << unused >> unused : a;
    b = b_minus ? (0 - b) << unused >> unused : b;
    quotient = a_minus != b_minus ? 0 - a / b : a / b;
    memcpy(target, &quotient, size); /* the low bytes: wraps */
}

void
kernel_scatter_row_plain(enum kernel_scatter op, enum dtype dtype, void *target,
                         struct kernel_operand update, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);

    CHECK(kernel_scatter_known(op, dtype));
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *from = (const uint8_t *)update.data + i * update.step * size;
        uint8_t *element = (uint8_t *)target + i * size;

        if (op == KERNEL_SCATTER_UPDATE)
            memcpy(element, from, size);
        else if (op == KERNEL_SCATTER_DIVIDE && dtype_is_integer(dtype))
            plain_quotient(dtype, element, from);
        else
            CHECK(kernel_binary_plain(binaries[op], dtype, (struct kernel_operand){element, 0},
                                      (struct kernel_operand){from, 0}, element, 1, NULL) == OK);
    }
}
