/* How NumPy (1.14 and later) lays out floats.
 *
 * Of every number the fewest digits that tell it from its neighbours are wanted, at most 8 behind
 * the point. All have as many places before and behind the point as the longest needs; in exponent
 * form they also have as many digits, and there a number that could do with fewer gets its own
 * exact digits, not zeros. Where digits are cut or filled up they are those of the exact value, as
 * printf rounds it. */
#include "api/json/numpy_float.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json/number.h"
#include "service/tensor/convert.h"

enum { PRECISION = 8, EXPONENT_SIZE_MIN = 2, EXPONENT_BYTES_MAX = 8, EXACT_BYTES_MAX = 64 };

static const double positional_max = 1e8, positional_min = 1e-4, ratio_max = 1000;
static const double alone_max = 1e16;

/* --- numbers ------------------------------------------------------------------------------- */

/* An 8-bit float with `fraction_bits` and a bias; what is not finite is not for here. */
static double
small_float(unsigned bits, int fraction_bits, int bias)
{
    int exponent = (int)((bits & 0x7f) >> fraction_bits);
    int fraction = (int)(bits & ((1u << fraction_bits) - 1));
    double value = exponent == 0
                       ? ldexp(fraction, 1 - bias - fraction_bits)
                       : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);

    return (bits & 0x80) != 0 ? -value : value;
}

static double
float8_at(enum dtype dtype, uint8_t bits)
{
    if (dtype == DTYPE_FLOAT8_E4M3FN)
        return (bits & 0x7f) == 0x7f ? (double)NAN : small_float(bits, 3, 7);
    if ((bits & 0x7c) != 0x7c)
        return small_float(bits, 2, 15);
    if ((bits & 3) != 0)
        return (double)NAN;
    return (bits & 0x80) != 0 ? -(double)INFINITY : (double)INFINITY;
}

double
api_numpy_float_at(const struct api_numpy_floats *numbers, uint64_t index)
{
    const uint8_t *at = numbers->data + index * numbers->stride_bytes;
    uint16_t half;
    float single;
    double value;

    switch ((int)numbers->dtype) {
    case DTYPE_FLOAT16:
        memcpy(&half, at, sizeof half);
        return (double)half_to_float(half);
    case DTYPE_BFLOAT16:
        memcpy(&half, at, sizeof half);
        return (double)bfloat16_to_float(half);
    case DTYPE_FLOAT32:
        memcpy(&single, at, sizeof single);
        return (double)single;
    case DTYPE_FLOAT64:
        memcpy(&value, at, sizeof value);
        return value;
    default:
        return float8_at(numbers->dtype, *at);
    }
}

enum dtype
api_numpy_float_dtype(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT16 || dtype == DTYPE_FLOAT64 ? dtype : DTYPE_FLOAT32;
}

static int
digits_of(enum dtype dtype, double value, char digits[static API_NUMBER_BYTES_MAX], int *point)
{
    if (dtype == DTYPE_FLOAT16)
        return api_number_digits_f16(half_of_double(value), digits, point);
    if (dtype == DTYPE_FLOAT32)
        return api_number_digits_f32((float)value, digits, point);
    return api_number_digits_f64(value, digits, point);
}

/* A quotient as the dtype has it. */
static double
divide(enum dtype dtype, double a, double b)
{
    if (dtype == DTYPE_FLOAT64)
        return a / b;
    if (dtype == DTYPE_FLOAT32)
        return (double)((float)a / (float)b);
    return (double)half_to_float(half_of_float((float)a / (float)b));
}

/* Whether the text of a rounded |value| is still it. Next to a power of two the numbers below lie
 * closer than those above, and the nearest text of some length may belong to one of them. */
static bool
reads_back(enum dtype dtype, const char *text, double value)
{
    int exponent;

    if (frexp(fabs(value), &exponent) != 0.5)
        return true;
    if (dtype == DTYPE_FLOAT16)
        return half_of_double(strtod(text, NULL)) == half_of_double(fabs(value));
    if (dtype == DTYPE_FLOAT32)
        return (double)strtof(text, NULL) == fabs(value);
    return strtod(text, NULL) == fabs(value);
}

/* --- in exponent form ---------------------------------------------------------------------- */

/* |value|: its digits, "15" of 1.5e+03, at least one, and its exponent. */
struct scientific {
    char digits[EXACT_BYTES_MAX];
    int count, exponent;
};

/* What "%.*e" wrote. */
static void
take_exact(const char *text, struct scientific *out)
{
    const char *p = text;

    for (out->count = 0; *p != 'e'; p++)
        if (*p != '.')
            out->digits[out->count++] = *p;
    out->exponent = (int)strtol(p + 1, NULL, 10);
}

/* At most `precision` digits behind the point; `filled`: exactly as many. */
static void
scientific_of(enum dtype dtype, double value, int precision, bool filled, struct scientific *out)
{
    char text[EXACT_BYTES_MAX];
    int point;
    bool cut;

    out->count = digits_of(dtype, value, out->digits, &point);
    out->exponent = point - 1;
    cut = out->count - 1 > precision;
    if (out->count == 0) {
        out->digits[out->count++] = '0';
        out->exponent = 0;
    } else if (cut || filled) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(value));
        if (cut || reads_back(dtype, text, value))
            take_exact(text, out);
    }
    while (!filled && out->count > 1 && out->digits[out->count - 1] == '0')
        out->count--;
    while (filled && out->count <= precision)
        out->digits[out->count++] = '0';
}

static int
exponent_size(int exponent)
{
    int size = 1;

    for (int left = abs(exponent); left >= 10; left /= 10)
        size++;
    return size < EXPONENT_SIZE_MIN ? EXPONENT_SIZE_MIN : size;
}

static char *
print_scientific(const struct scientific *number, int exponent_digits, bool point, char *p)
{
    *p++ = number->digits[0];
    if (point || number->count > 1)
        *p++ = '.';
    memcpy(p, number->digits + 1, (size_t)number->count - 1);
    p += number->count - 1;
    return p + snprintf(p, EXPONENT_BYTES_MAX, "e%c%0*d", number->exponent < 0 ? '-' : '+',
                        exponent_digits, abs(number->exponent));
}

/* --- with a point -------------------------------------------------------------------------- */

/* |value|: "12" and "5" of 12.5; at least one digit before the point. */
struct positional {
    char whole[EXACT_BYTES_MAX], fraction[EXACT_BYTES_MAX];
    int whole_count, fraction_count;
};

/* 0.<digits> * 10^point; digits are there. */
static void
lay_out(const char *digits, int count, int point, struct positional *out)
{
    for (int i = 0; i < point; i++)
        out->whole[i] = i < count ? digits[i] : '0';
    out->whole_count = point;
    if (point <= 0)
        out->whole[0] = '0';
    if (point <= 0)
        out->whole_count = 1;
    for (int i = point; i < count; i++)
        out->fraction[out->fraction_count++] = i < 0 ? '0' : digits[i];
}

/* What "%.*f" wrote, without zeros at its end. */
static void
take_fixed(const char *text, struct positional *out)
{
    const char *point = strchr(text, '.');

    out->whole_count = (int)(point == NULL ? strlen(text) : (size_t)(point - text));
    memcpy(out->whole, text, (size_t)out->whole_count);
    out->fraction_count = point == NULL ? 0 : (int)strlen(point + 1);
    if (point != NULL)
        memcpy(out->fraction, point + 1, (size_t)out->fraction_count);
    while (out->fraction_count > 0 && out->fraction[out->fraction_count - 1] == '0')
        out->fraction_count--;
}

/* Under 1e16. In an array (not `alone`) at most PRECISION digits behind the point, and all digits
 * before it are exact. */
static void
positional_of(enum dtype dtype, double value, bool alone, struct positional *out)
{
    char digits[API_NUMBER_BYTES_MAX], text[EXACT_BYTES_MAX];
    int point, count = digits_of(dtype, value, digits, &point);
    bool cut = count - point > PRECISION, filled = point > count;

    out->fraction_count = 0;
    if (count == 0) {
        take_fixed("0", out);
        return;
    }
    snprintf(text, sizeof text, "%.*f", cut ? PRECISION : 0, fabs(value));
    if (!alone && (cut || (filled && reads_back(dtype, text, value))))
        take_fixed(text, out);
    else
        lay_out(digits, count, point, out);
}

static char *
print_positional(const struct positional *number, char *p)
{
    memcpy(p, number->whole, (size_t)number->whole_count);
    p += number->whole_count;
    *p++ = '.';
    memcpy(p, number->fraction, (size_t)number->fraction_count);
    return p + number->fraction_count;
}

/* --- a format for all ---------------------------------------------------------------------- */

/* What all numbers say together. */
struct extent {
    uint64_t finite;
    double least, greatest; /* |value| of those that are not zero; 0: there is none */
    bool negative_infinity;
};

static void
look(const struct api_numpy_floats *numbers, struct extent *out)
{
    *out = (struct extent){.finite = 0};
    for (uint64_t i = 0; i < numbers->count; i++) {
        double value = api_numpy_float_at(numbers, i), magnitude = fabs(value);

        out->finite += isfinite(value) != 0;
        out->negative_infinity = out->negative_infinity || (isinf(value) && value < 0);
        if (!isfinite(value) || magnitude == 0)
            continue;
        if (out->least == 0 || magnitude < out->least)
            out->least = magnitude;
        if (magnitude > out->greatest)
            out->greatest = magnitude;
    }
}

static int
greater(int a, int b)
{
    return a > b ? a : b;
}

static void
measure(const struct api_numpy_floats *numbers, struct api_numpy_float_format *f)
{
    for (uint64_t i = 0; i < numbers->count; i++) {
        double value = api_numpy_float_at(numbers, i);
        int sign = f->plus || signbit(value);
        struct scientific scientific;
        struct positional positional;

        if (!isfinite(value))
            continue;
        if (f->scientific) {
            scientific_of(f->dtype, value, PRECISION, false, &scientific);
            f->left = greater(f->left, sign + 1);
            f->precision = greater(f->precision, scientific.count - 1);
            f->exponent_size = greater(f->exponent_size, exponent_size(scientific.exponent));
        } else {
            positional_of(f->dtype, value, false, &positional);
            f->left = greater(f->left, sign + positional.whole_count);
            f->right = greater(f->right, positional.fraction_count);
        }
    }
    if (f->scientific)
        f->right = f->exponent_size + 2 + f->precision;
}

void
api_numpy_float_format_of(const struct api_numpy_floats *numbers, bool plus,
                          struct api_numpy_float_format *out)
{
    struct extent extent;
    int infinity;

    look(numbers, &extent);
    *out = (struct api_numpy_float_format){.dtype = api_numpy_float_dtype(numbers->dtype),
                                           .plus = plus};
    out->scientific = extent.greatest > 0 &&
                      (extent.greatest >= positional_max || extent.least < positional_min ||
                       divide(out->dtype, extent.greatest, extent.least) > ratio_max);
    measure(numbers, out);
    if (extent.finite == numbers->count)
        return;
    infinity = plus || extent.negative_infinity ? 4 : 3;
    out->left = greater(out->left, infinity - (out->right + 1));
}

/* "nan" has no sign unless every number must have one. */
static char *
print_nonfinite(double value, bool plus, char *p)
{
    if (plus || (isinf(value) && value < 0))
        *p++ = isinf(value) && value < 0 ? '-' : '+';
    memcpy(p, isnan(value) ? "nan" : "inf", 3);
    return p + 3;
}

static char *
print_sign(double value, bool plus, char *p)
{
    if (signbit(value) || plus)
        *p++ = signbit(value) ? '-' : '+';
    return p;
}

static size_t
pad(char *text, size_t size, int left, int right)
{
    if (left > 0) {
        memmove(text + left, text, size);
        memset(text, ' ', (size_t)left);
        size += (size_t)left;
    }
    if (right <= 0)
        return size;
    memset(text + size, ' ', (size_t)right);
    return size + (size_t)right;
}

size_t
api_numpy_float_print(const struct api_numpy_float_format *f, double value,
                      char out[static API_NUMPY_FLOAT_BYTES_MAX])
{
    struct scientific scientific;
    struct positional positional;
    char *p;

    if (!isfinite(value)) {
        p = print_nonfinite(value, f->plus, out);
        return pad(out, (size_t)(p - out), f->left + f->right + 1 - (int)(p - out), 0);
    }
    p = print_sign(value, f->plus, out);
    if (f->scientific) {
        scientific_of(f->dtype, value, f->precision, true, &scientific);
        p = print_scientific(&scientific, f->exponent_size, true, p);
        return pad(out, (size_t)(p - out), f->left + f->right + 1 - (int)(p - out), 0);
    }
    positional_of(f->dtype, value, false, &positional);
    p = print_positional(&positional, p);
    return pad(out, (size_t)(p - out), f->left - (int)(p - out) + positional.fraction_count + 1,
               f->right - positional.fraction_count);
}

size_t
api_numpy_float_alone(enum dtype dtype, double value, bool plus, bool bare,
                      char out[static API_NUMPY_FLOAT_BYTES_MAX])
{
    double magnitude = fabs(value);
    struct scientific scientific;
    struct positional positional;
    char *p = out;

    if (!isfinite(value))
        return (size_t)(print_nonfinite(value, plus, out) - out);
    p = print_sign(value, plus, p);
    if (magnitude != 0 && (magnitude < positional_min || magnitude >= alone_max)) {
        scientific_of(dtype, value, API_NUMBER_BYTES_MAX, false, &scientific);
        return (size_t)(print_scientific(&scientific, EXPONENT_SIZE_MIN, false, p) - out);
    }
    positional_of(dtype, value, true, &positional);
    p = print_positional(&positional, p);
    if (positional.fraction_count == 0 && bare)
        p--;
    else if (positional.fraction_count == 0)
        *p++ = '0';
    return (size_t)(p - out);
}
