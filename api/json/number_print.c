/* Floats as their shortest decimal text, and integers.
 *
 * One routine serves every binary format: Raffaello Giulietti's Schubfach ("The Schubfach way to
 * render doubles", 2020). A float is c * 2^q; of the decimals with the fewest digits that round
 * back to it, the nearest is taken. Three products with a 128-bit power of ten decide that; the
 * paper shows why 126 bits are enough for float64, and narrower formats need fewer. The layout is
 * Python's repr: 0.0001, 1e-05, 1234.0, 1e+16. */
#include "api/json/number.h"

#include <math.h>
#include <string.h>

#include "api/json/number_pow10.h"
#include "store/base/check.h"

enum { DIGIT_BYTES_MAX = 20, FIXED_POINT_MIN = -3, FIXED_POINT_MAX = 16 };

struct decimal {
    uint64_t digits;
    int exponent;
};

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334"
                            "3536373839404142434445464748495051525354555657585960616263646566676869"
                            "707172737475767778798081828384858687888990919293949596979899";

/* high half of g * c, its last bit set when anything below it is. */
static uint64_t
round_to_odd(struct api_pow10 g, uint64_t c)
{
    api_u128 low = (api_u128)g.lo * c;
    api_u128 sum = (api_u128)g.hi * c + (uint64_t)(low >> 64);

    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

static int
floor_log10_pow2(int q)
{
    return (q * 1262611) >> 22;
}

static int
floor_log10_three_quarters_pow2(int q)
{
    return (q * 1262611 - 524031) >> 22;
}

/* c > 0. lower_is_closer: c is a power of two and the float below has the next smaller exponent. */
static struct decimal
shortest(uint64_t c, int q, bool lower_is_closer)
{
    bool odd = (c & 1) != 0;
    int k = lower_is_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int h = q + api_floor_log2_pow10(-k) + 1;
    struct api_pow10 g = api_pow10(-k);
    uint64_t lower, value, upper, tens, ones, middle;
    bool low_fits, high_fits;

    if (!api_pow10_is_exact(-k)) { /* the method wants it rounded up */
        g.lo++;
        g.hi += g.lo == 0;
    }
    lower = round_to_odd(g, (4 * c - 2 + lower_is_closer) << h) + odd;
    value = round_to_odd(g, (4 * c) << h);
    upper = round_to_odd(g, (4 * c + 2) << h) - odd;
    ones = value / 4;
    if (ones >= 10) {
        tens = ones / 10;
        low_fits = lower <= 40 * tens;
        high_fits = 40 * tens + 40 <= upper;
        if (low_fits != high_fits)
            return (struct decimal){tens + high_fits, k + 1};
    }
    low_fits = lower <= 4 * ones;
    high_fits = 4 * ones + 4 <= upper;
    if (low_fits != high_fits)
        return (struct decimal){ones + high_fits, k};
    middle = 4 * ones + 2;
    return (struct decimal){ones + (value > middle || (value == middle && (ones & 1) != 0)), k};
}

/* Writes the digits so that they end before `end`; returns where they begin. */
static char *
print_digits(uint64_t value, char *end)
{
    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + value * 2, 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

static char *
print_zeros(char *p, int count)
{
    for (; count > 0; count--)
        *p++ = '0';
    return p;
}

static char *
print_exponent(char *p, int exponent)
{
    char room[DIGIT_BYTES_MAX];
    char *end = room + sizeof room;
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    char *first = print_digits(magnitude, end);

    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    if (magnitude < 10)
        *p++ = '0';
    memcpy(p, first, (size_t)(end - first));
    return p + (end - first);
}

/* The text of 0.d1d2d3... * 10^point, without sign. */
static char *
print_layout(char *p, const char *digits, int count, int point)
{
    if (point > FIXED_POINT_MAX || point < FIXED_POINT_MIN) {
        *p++ = digits[0];
        if (count > 1) {
            *p++ = '.';
            memcpy(p, digits + 1, (size_t)count - 1);
            p += count - 1;
        }
        return print_exponent(p, point - 1);
    }
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        p = print_zeros(p, -point);
        memcpy(p, digits, (size_t)count);
        return p + count;
    }
    if (count <= point) {
        memcpy(p, digits, (size_t)count);
        p = print_zeros(p + count, point - count);
        *p++ = '.';
        *p++ = '0';
        return p;
    }
    memcpy(p, digits, (size_t)point);
    p[point] = '.';
    memcpy(p + point + 1, digits + point, (size_t)(count - point));
    return p + count + 1;
}

/* The digits of c * 2^q, c > 0, before `end` and without zeros behind them. Returns where they
 * begin; *count is how many there are, *point the power of ten: 0.d1d2d3... * 10^point. */
static char *
print_shortest(uint64_t c, int q, bool lower_is_closer, char *end, int *count, int *point)
{
    struct decimal decimal = {c, 0};
    char *first;

    if (q <= 0 && q > -64 && __builtin_ctzll(c) >= -q)
        decimal.digits = c >> -q; /* a small integer: every digit counts */
    else
        decimal = shortest(c, q, lower_is_closer);
    first = print_digits(decimal.digits, end);
    *point = (int)(end - first) + decimal.exponent;
    while (end - first > 1 && end[-1] == '0')
        end--;
    *count = (int)(end - first);
    return first;
}

/* (-1)^negative * c * 2^q */
static size_t
print_float(bool negative, uint64_t c, int q, bool lower_is_closer, char *out)
{
    char room[DIGIT_BYTES_MAX];
    char *first, *p = out;
    int count, point;

    if (negative)
        *p++ = '-';
    if (c == 0) {
        memcpy(p, "0.0", 3);
        return (size_t)(p + 3 - out);
    }
    first = print_shortest(c, q, lower_is_closer, room + sizeof room, &count, &point);
    return (size_t)(print_layout(p, first, count, point) - out);
}

/* A float's bits taken apart: (-1)^negative * c * 2^q. */
struct binary {
    bool negative, lower_is_closer;
    uint64_t c;
    int q;
};

/* A float with `fraction_bits` stored bits of fraction, `exponent_bits` of exponent, and an IEEE
 * bias. */
static struct binary
take_apart(uint64_t bits, int fraction_bits, int exponent_bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << fraction_bits) - 1);
    int field = (int)(bits >> fraction_bits & ((UINT64_C(1) << exponent_bits) - 1));
    int q_min = 2 - (1 << (exponent_bits - 1)) - fraction_bits;
    struct binary b = {
        .negative = (bits >> (fraction_bits + exponent_bits) & 1) != 0, .c = fraction, .q = q_min};

    if (field == 0)
        return b;
    b.c |= UINT64_C(1) << fraction_bits;
    b.q += field - 1;
    b.lower_is_closer = fraction == 0 && field > 1;
    return b;
}

static size_t
print_bits(uint64_t bits, int fraction_bits, int exponent_bits, char *out)
{
    struct binary b = take_apart(bits, fraction_bits, exponent_bits);

    return print_float(b.negative, b.c, b.q, b.lower_is_closer, out);
}

static int
digits_of_bits(uint64_t bits, int fraction_bits, int exponent_bits, char *out, int *point)
{
    struct binary b = take_apart(bits, fraction_bits, exponent_bits);
    char room[DIGIT_BYTES_MAX];
    const char *first;
    int count;

    *point = 0;
    if (b.c == 0)
        return 0;
    first = print_shortest(b.c, b.q, b.lower_is_closer, room + sizeof room, &count, point);
    memcpy(out, first, (size_t)count);
    return count;
}

int
api_number_digits_f64(double value, char out[static API_NUMBER_BYTES_MAX], int *point)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return digits_of_bits(bits, 52, 11, out, point);
}

int
api_number_digits_f32(float value, char out[static API_NUMBER_BYTES_MAX], int *point)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return digits_of_bits(bits, 23, 8, out, point);
}

int
api_number_digits_f16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX], int *point)
{
    return digits_of_bits(bits, 10, 5, out, point);
}

size_t
api_number_print_f64(double value, char out[static API_NUMBER_BYTES_MAX])
{
    uint64_t bits;

    CHECK_SLOW(isfinite(value));
    memcpy(&bits, &value, sizeof bits);
    return print_bits(bits, 52, 11, out);
}

size_t
api_number_print_f32(float value, char out[static API_NUMBER_BYTES_MAX])
{
    uint32_t bits;

    CHECK_SLOW(isfinite(value));
    memcpy(&bits, &value, sizeof bits);
    return print_bits(bits, 23, 8, out);
}

size_t
api_number_print_f16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX])
{
    return print_bits(bits, 10, 5, out);
}

size_t
api_number_print_bf16(uint16_t bits, char out[static API_NUMBER_BYTES_MAX])
{
    return print_bits(bits, 7, 8, out);
}

size_t
api_number_print_f8_e4m3fn(uint8_t bits, char out[static API_NUMBER_BYTES_MAX])
{
    return print_bits(bits, 3, 4, out);
}

size_t
api_number_print_f8_e5m2(uint8_t bits, char out[static API_NUMBER_BYTES_MAX])
{
    return print_bits(bits, 2, 5, out);
}

static size_t
print_integer(bool negative, uint64_t magnitude, char *out)
{
    char room[DIGIT_BYTES_MAX];
    char *end = room + sizeof room;
    char *first = print_digits(magnitude, end), *p = out;

    if (negative)
        *p++ = '-';
    memcpy(p, first, (size_t)(end - first));
    return (size_t)(p + (end - first) - out);
}

size_t
api_number_print_u64(uint64_t value, char out[static API_NUMBER_BYTES_MAX])
{
    return print_integer(false, value, out);
}

size_t
api_number_print_i64(int64_t value, char out[static API_NUMBER_BYTES_MAX])
{
    return print_integer(value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out);
}
