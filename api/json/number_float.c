/* Decimal text to binary floats, rounded once, to nearest, ties to even.
 *
 * To float64 there are three ways, each taken only when it is surely right:
 *   1. digits and power of ten are both exact doubles: one multiplication or division rounds once
 *      (Clinger, "How to read floating point numbers accurately", 1990);
 *   2. digits times a 128-bit power of ten, with a bound on what was cut: right unless the bound
 * reaches over the last kept bit (the idea of Lemire, "Number parsing at a gigabyte per second",
 * 2021);
 *   3. strtod on a copy with at most DIGITS_KEPT digits; a last digit 1 stands for all that was
 * left out, and no midpoint between doubles has that many digits. strtod and snprintf follow the C
 * locale here: this process never calls setlocale. Narrower types round the float64 again. That is
 * the same as rounding once, unless the float64 is exactly half way between two of them; then the
 * text itself is compared with the float64. */
#include "api/json/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json/number_pow10.h"

enum {
    DIGITS_KEPT = 800, /* a midpoint of doubles has at most 767 */
    NUMBER_COPY_BYTES = DIGITS_KEPT + 32,
    HALFWAY_DIGITS = 160, /* a midpoint of float32 has at most 113 */
    CLINGER_EXPONENT_MAX = 22,
    CLINGER_F32_EXPONENT_MAX = 10,
    F32_PRECISION = 24,
    F64_FRACTION_BITS = 52,
    F64_PRECISION = 53,
    F64_EXPONENT_BIAS = 1023,
    F64_EXPONENT_FIELD_MAX = 2047,
    F64_DECIMAL_EXPONENT_MAX = 309,  /* 1e309 is over, whatever the digits */
    F64_DECIMAL_EXPONENT_MIN = -344, /* 19 digits times that round to 0 */
};

static const double exact_powers[CLINGER_EXPONENT_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double
f64_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t
bits_of_f64(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool
by_one_operation(const struct api_number *number, double *out)
{
    int64_t e = number->exponent;

    if (number->more || number->digits > UINT64_C(1) << F64_PRECISION ||
        e < -CLINGER_EXPONENT_MAX || e > CLINGER_EXPONENT_MAX)
        return false;
    *out = e < 0 ? (double)number->digits / exact_powers[-e]
                 : (double)number->digits * exact_powers[e];
    return true;
}

/* 54 bits of `high` from the top set bit down, which is bit 127: 53 and one that says half. */
static uint64_t
round_to_precision(api_u128 high, bool rest_below)
{
    const int shift = 128 - F64_PRECISION - 1;
    uint64_t kept = (uint64_t)(high >> shift);
    bool half = (kept & 1) != 0;
    bool rest = (high & (((api_u128)1 << shift) - 1)) != 0 || rest_below;
    uint64_t rounded = kept >> 1;

    return rounded + (half && (rest || (rounded & 1) != 0));
}

static bool
by_wide_product(const struct api_number *number, double *out)
{
    const api_u128 cut_mask = ((api_u128)1 << (128 - F64_PRECISION - 1)) - 1;
    int e = (int)number->exponent;
    struct api_pow10 power = api_pow10(e);
    int zeros = __builtin_clzll(number->digits);
    uint64_t w = number->digits << zeros;
    bool inexact = !api_pow10_is_exact(e) || number->more;
    api_u128 low = (api_u128)power.lo * w;
    api_u128 high = (api_u128)power.hi * w + (uint64_t)(low >> 64);
    /* How far above the product the true value may lie, in units of high's last bit. */
    api_u128 slack = !inexact ? 0 : number->more ? 4 + (((api_u128)power.hi + 1) << zeros) : 2;
    int binary_exponent = api_floor_log2_pow10(e) + 64 - zeros;
    uint64_t fraction;

    if (high >> 127 == 0) {
        high = high << 1 | (uint64_t)low >> 63;
        low <<= 1;
        slack <<= 1;
        binary_exponent--;
    }
    if ((high & cut_mask) + slack > cut_mask)
        return false;
    fraction = round_to_precision(high, (uint64_t)low != 0 || inexact);
    if (fraction >> F64_PRECISION != 0) {
        fraction >>= 1;
        binary_exponent++;
    }
    if (binary_exponent + F64_EXPONENT_BIAS <= 0)
        return false; /* subnormal: fewer bits are kept */
    if (binary_exponent + F64_EXPONENT_BIAS >= F64_EXPONENT_FIELD_MAX) {
        *out = (double)INFINITY;
        return true;
    }
    fraction &= (UINT64_C(1) << F64_FRACTION_BITS) - 1;
    *out = f64_of_bits(fraction | (uint64_t)(binary_exponent + F64_EXPONENT_BIAS)
                                      << F64_FRACTION_BITS);
    return true;
}

/* 0.d1d2d3... * 10^point, d1 not zero; `more` stands for digits past the last. */
struct decimal {
    char digits[DIGITS_KEPT];
    size_t count;
    int64_t point;
    bool more;
};

static void
decimal_of(const struct api_number *number, struct decimal *out)
{
    const char *end = number->text + number->length;
    size_t significant = 0;

    out->count = 0;
    out->more = false;
    for (const char *p = number->text + number->negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.' || (*p == '0' && significant == 0))
            continue;
        significant++;
        if (out->count < DIGITS_KEPT)
            out->digits[out->count++] = *p;
        else
            out->more = out->more || *p != '0';
    }
    /* number->exponent belongs to the first 19 of them. */
    if (significant > API_NUMBER_DIGITS_MAX)
        significant = API_NUMBER_DIGITS_MAX;
    out->point = number->exponent + (int64_t)significant;
}

static double
by_library(const struct api_number *number)
{
    struct decimal decimal;
    char copy[NUMBER_COPY_BYTES];

    decimal_of(number, &decimal);
    if (decimal.point > F64_DECIMAL_EXPONENT_MAX)
        return (double)INFINITY;
    if (decimal.point < F64_DECIMAL_EXPONENT_MIN)
        return 0.0;
    snprintf(copy, sizeof copy, ".%.*s%se%d", (int)decimal.count, decimal.digits,
             decimal.more ? "1" : "", (int)decimal.point);
    return strtod(copy, NULL);
}

static double
magnitude(const struct api_number *number)
{
    double value = 0.0;

    if (number->digits == 0)
        return 0.0;
    if (by_one_operation(number, &value))
        return value;
    if (number->exponent > F64_DECIMAL_EXPONENT_MAX)
        return (double)INFINITY;
    if (number->exponent < F64_DECIMAL_EXPONENT_MIN)
        return 0.0;
    if (by_wide_product(number, &value))
        return value;
    return by_library(number);
}

bool
api_number_as_f64(const struct api_number *number, double *out)
{
    double value = magnitude(number);

    if (isinf(value))
        return false;
    *out = number->negative ? -value : value;
    return true;
}

/* How the number's magnitude compares with `value`, a float64 half way between two narrower floats.
 */
static int
compare_with(const struct api_number *number, double value)
{
    struct decimal decimal;
    char exact[HALFWAY_DIGITS + 32];
    const char *p = exact;
    size_t i = 0;
    int64_t point;

    /* Up to here every double is an integer, and the double nearest to an integer is that integer.
     */
    if (number->exponent >= 0 && value < (double)(UINT64_C(1) << F64_PRECISION))
        return 0;
    decimal_of(number, &decimal);
    snprintf(exact, sizeof exact, "%.*e", HALFWAY_DIGITS - 1, value);
    point = strtol(strchr(exact, 'e') + 1, NULL, 10) + 1;
    if (decimal.point != point)
        return decimal.point < point ? -1 : 1;
    for (; *p != 'e'; p++) {
        char digit = i < decimal.count ? decimal.digits[i] : '0';

        if (*p == '.')
            continue;
        if (digit != *p)
            return digit < *p ? -1 : 1;
        i++;
    }
    for (; i < decimal.count; i++)
        if (decimal.digits[i] != '0')
            return 1;
    return decimal.more;
}

struct narrow_float {
    int precision;    /* bits, the hidden one too */
    int exponent_min; /* of the smallest normal number */
    uint64_t largest; /* bits of the largest finite number */
};

static const struct narrow_float f32 = {F32_PRECISION, -126, 0x7f7fffff}, f16 = {11, -14, 0x7bff},
                                 bf16 = {8, -126, 0x7f7f}, f8_e4m3fn = {4, -6, 0x7e},
                                 f8_e5m2 = {3, -14, 0x7b};

/* Bits without the sign. False: over the largest. */
static bool
narrowed(const struct api_number *number, const struct narrow_float *type, uint64_t *out)
{
    const int last_min = type->exponent_min - (type->precision - 1);
    double value = magnitude(number);
    uint64_t bits = bits_of_f64(value), rest, half, kept;
    int field = (int)(bits >> F64_FRACTION_BITS);
    int exponent = field - F64_EXPONENT_BIAS; /* of the leading bit */
    int last = exponent - (type->precision - 1);
    int shift;
    bool up;

    if (field == F64_EXPONENT_FIELD_MAX)
        return false;
    if (last < last_min)
        last = last_min;
    shift = last - (exponent - F64_FRACTION_BITS);
    *out = 0;
    if (field == 0 || shift > F64_PRECISION + 1)
        return true; /* less than half of the smallest */
    bits = (bits & ((UINT64_C(1) << F64_FRACTION_BITS) - 1)) | UINT64_C(1) << F64_FRACTION_BITS;
    kept = bits >> shift;
    rest = bits & ((UINT64_C(1) << shift) - 1);
    half = UINT64_C(1) << (shift - 1);
    up = rest > half;
    if (rest == half) {
        int order = compare_with(number, value);

        up = order > 0 || (order == 0 && (kept & 1) != 0);
    }
    *out = ((uint64_t)(last - last_min) << (type->precision - 1)) + kept + up;
    return *out <= type->largest;
}

bool
api_number_as_f32(const struct api_number *number, float *out)
{
    int64_t e = number->exponent;
    uint64_t bits;
    uint32_t word;

    if (!number->more && number->digits <= UINT64_C(1) << F32_PRECISION &&
        e >= -CLINGER_F32_EXPONENT_MAX && e <= CLINGER_F32_EXPONENT_MAX) {
        float value = (float)number->digits;

        value = e < 0 ? value / (float)exact_powers[-e] : value * (float)exact_powers[e];
        *out = number->negative ? -value : value;
        return true;
    }
    if (!narrowed(number, &f32, &bits))
        return false;
    word = (uint32_t)bits | (uint32_t)number->negative << 31;
    memcpy(out, &word, sizeof *out);
    return true;
}

bool
api_number_as_f16(const struct api_number *number, uint16_t *out)
{
    uint64_t bits;

    if (!narrowed(number, &f16, &bits))
        return false;
    *out = (uint16_t)(bits | (uint64_t)number->negative << 15);
    return true;
}

bool
api_number_as_bf16(const struct api_number *number, uint16_t *out)
{
    uint64_t bits;

    if (!narrowed(number, &bf16, &bits))
        return false;
    *out = (uint16_t)(bits | (uint64_t)number->negative << 15);
    return true;
}

bool
api_number_as_f8_e4m3fn(const struct api_number *number, uint8_t *out)
{
    uint64_t bits;

    if (!narrowed(number, &f8_e4m3fn, &bits))
        return false;
    *out = (uint8_t)(bits | (uint64_t)number->negative << 7);
    return true;
}

bool
api_number_as_f8_e5m2(const struct api_number *number, uint8_t *out)
{
    uint64_t bits;

    if (!narrowed(number, &f8_e5m2, &bits))
        return false;
    *out = (uint8_t)(bits | (uint64_t)number->negative << 7);
    return true;
}
