/* IEEE 754 binary16 and bfloat16.
 *
 * Everything is integer work on the bit patterns, written without branches so that runs vectorise;
 * the results are those of x86's conversion instructions: nearest even, NaN made quiet and its
 * leading payload bits kept. The conversions from double round once, not by way of float32. */
#include "service/tensor/half.h"

#include <string.h>

#include "service/tensor/convert.h"
#include "service/tensor/vector.h"

VECTOR_FILE

#define HALF_EXPONENT_ADJUST ((uint32_t)(127 - 15) << 23) /* between the biases, in place */
#define HALF_INFINITY        0x7C00u
#define FLOAT_QUIET          0x00400000u
enum {                               /* float32 bits */
       HALF_MIN_NORMAL = 0x38800000, /* 2^-14 */
       HALF_OVERFLOW = 0x477FF000,   /* 65520, where rounding reaches 2^16 */
       FLOAT_INFINITY = 0x7F800000
};

static inline uint32_t
float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float
bits_float(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Without a branch, which the compiler would make of ?: here. */
static inline uint32_t
pick(bool condition, uint32_t yes, uint32_t no)
{
    uint32_t mask = 0u - (uint32_t)condition;

    return (yes & mask) | (no & ~mask);
}

static inline float
half_widen(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7FFF;
    uint32_t normal = (magnitude << 13) + HALF_EXPONENT_ADJUST;
    uint32_t special = (magnitude << 13) | (uint32_t)FLOAT_INFINITY;
    /* Subnormal: an integer of 2^-24s, exact in float32. */
    uint32_t tiny = float_bits((float)(int32_t)magnitude * 0x1p-24f);

    special |= magnitude > HALF_INFINITY ? FLOAT_QUIET : 0;
    normal = magnitude >= HALF_INFINITY ? special : normal;
    return bits_float(sign | (magnitude < 0x400 ? tiny : normal));
}

static inline uint16_t
half_narrow(float value)
{
    uint32_t bits = float_bits(value), magnitude = bits & 0x7FFFFFFF;
    uint32_t sign = bits >> 16 & 0x8000;
    /* Adding just under half a unit in the last place, and the last kept bit, rounds to nearest
     * even. */
    uint32_t normal = (magnitude - HALF_EXPONENT_ADJUST + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    /* 0.5's last place is 2^-24, the spacing of subnormal halves: the addition does the rounding.
     */
    uint32_t tiny = float_bits(bits_float(magnitude) + 0.5f) - 0x3F000000;
    uint32_t nan = HALF_INFINITY | 0x200 | (magnitude >> 13 & 0x3FF);

    /* Compared as signed: vector units have that. Both sides are below 2^31. */
    normal = pick((int32_t)magnitude >= HALF_OVERFLOW, HALF_INFINITY, normal);
    normal = pick((int32_t)magnitude < HALF_MIN_NORMAL, tiny, normal);
    normal = pick((int32_t)magnitude > FLOAT_INFINITY, nan, normal);
    return (uint16_t)(sign | normal);
}

static inline float
bfloat16_widen(uint16_t bits)
{
    return bits_float((uint32_t)bits << 16);
}

static inline uint16_t
bfloat16_narrow(float value)
{
    uint32_t bits = float_bits(value);
    uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    uint32_t nan = bits >> 16 | 0x40;

    return (uint16_t)((int32_t)(bits & 0x7FFFFFFF) > FLOAT_INFINITY ? nan : rounded);
}

/* No infinities: all ones are NaN. Subnormal: an integer of 2^-9s. */
static inline float
e4m3fn_widen(uint8_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x80) << 24, magnitude = bits & 0x7F;
    uint32_t normal = (magnitude << 20) + ((uint32_t)(127 - 7) << 23);
    uint32_t tiny = float_bits((float)(int32_t)magnitude * 0x1p-9f);
    uint32_t nan = (uint32_t)FLOAT_INFINITY | FLOAT_QUIET;

    return bits_float(sign | pick(magnitude < 8, tiny, pick(magnitude == 0x7F, nan, normal)));
}

float
tensor_float_of_e4m3fn(uint8_t bits)
{
    return e4m3fn_widen(bits);
}

VECTOR_CLONES void
tensor_floats_of_e4m3fn(const uint8_t *in, float *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] = e4m3fn_widen(in[i]);
}

/* The upper byte of a half. */
float
tensor_float_of_e5m2(uint8_t bits)
{
    return half_to_float((uint16_t)(bits << 8));
}

float
half_to_float(uint16_t half)
{
    return half_widen(half);
}

uint16_t
half_of_float(float value)
{
    return half_narrow(value);
}

float
bfloat16_to_float(uint16_t bits)
{
    return bfloat16_widen(bits);
}

uint16_t
bfloat16_of_float(float value)
{
    return bfloat16_narrow(value);
}

VECTOR_CLONES void
half_to_floats(const uint16_t *in, float *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] = half_widen(in[i]);
}

VECTOR_CLONES void
half_of_floats(const float *in, uint16_t *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] = half_narrow(in[i]);
}

VECTOR_CLONES void
bfloat16_to_floats(const uint16_t *in, float *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] = bfloat16_widen(in[i]);
}

VECTOR_CLONES void
bfloat16_of_floats(const float *in, uint16_t *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] = bfloat16_narrow(in[i]);
}

/* A 16-bit format: `fraction_bits` stored, smallest normal number 2^exponent_min. */
struct narrow_format {
    int fraction_bits, exponent_min;
    uint32_t infinity;
};

/* Nearest even from the 53 bits of a double, subnormal results included. */
static uint16_t
round_double(double value, const struct narrow_format *format)
{
    uint64_t bits, mantissa, kept, rest, middle;
    uint32_t sign, result;
    int exponent, shift = 52 - format->fraction_bits;

    memcpy(&bits, &value, sizeof bits);
    sign = (uint32_t)(bits >> 48) & 0x8000;
    exponent = (int)(bits >> 52 & 0x7FF) - 1023;
    mantissa = bits & 0xFFFFFFFFFFFFF;
    if (exponent == 1024 && mantissa != 0)
        return (uint16_t)(sign | format->infinity | 1u << (format->fraction_bits - 1) |
                          (uint32_t)(mantissa >> shift));
    if (exponent == 1024)
        return (uint16_t)(sign | format->infinity);
    if (exponent < format->exponent_min)
        shift += format->exponent_min - exponent;
    if (shift > 54 || exponent == -1023)
        return (uint16_t)sign; /* below half of the smallest subnormal number */
    mantissa |= (uint64_t)1 << 52;
    kept = mantissa >> shift;
    middle = (uint64_t)1 << (shift - 1);
    rest = mantissa & (2 * middle - 1);
    kept += rest > middle || (rest == middle && (kept & 1) != 0);
    result = (uint32_t)kept; /* a carry moves into the exponent field, where it belongs */
    if (exponent >= format->exponent_min && exponent <= 128)
        result += (uint32_t)(exponent - format->exponent_min) << format->fraction_bits;
    if (exponent > 128 || result > format->infinity)
        result = format->infinity;
    return (uint16_t)(sign | result);
}

uint16_t
half_of_double(double value)
{
    static const struct narrow_format half = {10, -14, HALF_INFINITY};

    return round_double(value, &half);
}

uint16_t
bfloat16_of_double(double value)
{
    static const struct narrow_format bfloat16 = {7, -126, 0x7F80};

    return round_double(value, &bfloat16);
}
