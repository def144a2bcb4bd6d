/* Awkward elements of every type for tests of kernels: edges, zeros of both signs, subnormals,
 * infinities, NaN; and how results are compared. Included by test programs only. */
#ifndef TESTS_UNIT_SERVICE_KERNEL_INPUTS_H
#define TESTS_UNIT_SERVICE_KERNEL_INPUTS_H

#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"

enum { COUNT_MAX = 1100, ELEMENT_MAX = 16 };

static const uint64_t counts[] = {0, 1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 511, 512, 513, 1027};

struct memory {
    _Alignas(64) uint8_t bytes[COUNT_MAX * ELEMENT_MAX];
};

/* A generator of its own, so that a failure can be repeated. */
static inline uint32_t
next_word(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state ^ *state >> 15;
}

static const double special[] = {0.0, -0.0,   1.0,     -1.0,     0x1p-24, -0x1p-149, 0x1p-1074,
                                 3.5, 65504., -65520., 0x1p-126, 3e38,    -1e308,    1e-5};

static inline void
fill_floats(enum dtype part, uint32_t *seed, uint8_t *bytes, uint64_t count)
{
    const uint32_t size = dtype_size(part);

    for (uint64_t i = 0; i < count; i++) {
        uint32_t word = next_word(seed), choice = word >> 8 & 15;
        double value = (double)(int32_t)next_word(seed) * 0x1p-20;

        if (choice == 0)
            value = __builtin_inf();
        if (choice == 1)
            value = -__builtin_inf();
        if (choice == 2)
            value = __builtin_nan("");
        if (choice >= 3 && choice < 8)
            value = special[(word >> 16) % (sizeof special / sizeof special[0])];
        tensor_element_of_double(part, value, bytes + i * size);
    }
}

static inline void
fill_integers(enum dtype dtype, uint32_t *seed, bool no_zero, uint8_t *bytes, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);
    const bool is_signed = dtype_info(dtype)->kind == DTYPE_KIND_SIGNED;
    const uint64_t top = (uint64_t)1 << (8 * size - 1);
    const uint64_t edges[] = {1, (uint64_t)0 - 1, top, top - 1, 2, 0};

    for (uint64_t i = 0; i < count; i++) {
        uint32_t word = next_word(seed);
        uint64_t value = (uint64_t)next_word(seed) << 32 | next_word(seed);

        if ((word >> 8 & 3) == 0)
            value = edges[(word >> 16) % 6];
        if ((word >> 8 & 3) == 1)
            value = (word >> 12 & 15) - (is_signed ? 8u : 0u);
        if (no_zero && value << (64 - 8 * size) == 0)
            value = 3;
        memcpy(bytes + i * size, &value, size);
    }
}

/* Exponents: the sign bit off. */
static inline void
make_positive(enum dtype dtype, struct memory *out, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);

    for (uint64_t i = 0; i < count; i++)
        out->bytes[i * size + size - 1] &= 0x7F;
}

static inline void
fill(enum dtype dtype, uint32_t *seed, bool no_zero, struct memory *out, uint64_t count)
{
    for (uint64_t i = 0; i < count && dtype == DTYPE_BOOL; i++)
        out->bytes[i] = next_word(seed) >> 8 & 1;
    if (dtype == DTYPE_BOOL)
        return;
    if (dtype_is_integer(dtype))
        fill_integers(dtype, seed, no_zero, out->bytes, count);
    else if (dtype == DTYPE_COMPLEX64)
        fill_floats(DTYPE_FLOAT32, seed, out->bytes, 2 * count);
    else if (dtype == DTYPE_COMPLEX128)
        fill_floats(DTYPE_FLOAT64, seed, out->bytes, 2 * count);
    else
        fill_floats(dtype, seed, out->bytes, count);
}

/* Equal bytes, or both NaN: which NaN is the processor's affair. */
static inline void
same_numbers(enum dtype dtype, const uint8_t *a, const uint8_t *b, uint64_t count)
{
    enum dtype part = dtype;
    uint32_t size;

    if (dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128) {
        part = dtype == DTYPE_COMPLEX64 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
        count *= 2;
    }
    size = dtype_size(part);
    for (uint64_t i = 0; i < count; i++) {
        double x, y;

        if (memcmp(a + i * size, b + i * size, size) == 0)
            continue;
        x = tensor_element_as_double(part, a + i * size);
        y = tensor_element_as_double(part, b + i * size);
        if (!dtype_is_float(part) || x == x || y == y)
            fail_msg("%s: element %llu is %g, the plain kernel has %g", dtype_name(dtype),
                     (unsigned long long)i, x, y);
    }
}

/* How many representable numbers apart two floats are; 0 for two NaNs and for the two zeros. */
static inline uint64_t
distance_of(enum dtype part, const void *a, const void *b)
{
    const uint32_t size = dtype_size(part);
    uint64_t x = 0, y = 0, sign = (uint64_t)1 << (8 * size - 1);
    double value_a = tensor_element_as_double(part, a), value_b = tensor_element_as_double(part, b);

    if (value_a != value_a || value_b != value_b)
        return value_a != value_a && value_b != value_b ? 0 : UINT64_MAX;
    memcpy(&x, a, size);
    memcpy(&y, b, size);
    x = (x & sign) != 0 ? sign - (x & ~sign) : sign + x;
    y = (y & sign) != 0 ? sign - (y & ~sign) : sign + y;
    return x > y ? x - y : y - x;
}

#endif
