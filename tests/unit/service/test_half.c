/* Half precision against an independent reference, exhaustively where the input is 16 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "service/tensor/convert.h"
#include "service/tensor/half.h"

#ifdef __FLT16_MAX__
__extension__ typedef _Float16 float16;
#endif

static uint32_t
bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float
float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The value of a 16-bit format, by definition. */
static double
value_of(uint16_t bits, int fraction_bits, int bias)
{
    int exponent = (bits & 0x7FFF) >> fraction_bits;
    double fraction = bits & ((1 << fraction_bits) - 1), magnitude;

    if (exponent == (0x7FFF >> fraction_bits))
        magnitude = fraction != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, 1 - bias - fraction_bits);
    else
        magnitude = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/* Nearest even by search: formats order like their bit patterns. Slow and plain. */
static uint16_t
nearest(double value, int fraction_bits, int bias)
{
    const uint16_t infinity = (uint16_t)(0x7FFF >> fraction_bits << fraction_bits);
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value), low_value, high_value;
    uint32_t low = 0, high = infinity, middle;

    while (high - low > 1) {
        middle = (low + high) / 2;
        if (value_of((uint16_t)middle, fraction_bits, bias) <= magnitude)
            low = middle;
        else
            high = middle;
    }
    low_value = value_of((uint16_t)low, fraction_bits, bias);
    /* For rounding, infinity stands where the next number would be. */
    high_value = high == infinity ? ldexp(1, (0x7FFF >> fraction_bits) - bias)
                                  : value_of((uint16_t)high, fraction_bits, bias);
    if (magnitude - low_value > high_value - magnitude ||
        (magnitude - low_value == high_value - magnitude && (low & 1) != 0))
        low = high;
    return (uint16_t)(sign | low);
}

static void
every_half_widens_to_its_value(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++) {
        double expected = value_of((uint16_t)i, 10, 15);
        float got = half_to_float((uint16_t)i);

        if (isnan(expected)) {
            assert_int_equal(bits_of(got), (i & 0x8000) << 16 | 0x7FC00000 | (i & 0x3FF) << 13);
            continue;
        }
        assert_true((double)got == expected);
        assert_int_equal(signbit(got) != 0, i >> 15);
    }
}

static void
every_half_comes_back_from_float_and_double(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++) {
        uint32_t quiet = (i & 0x7FFF) > 0x7C00 ? i | 0x200 : i;

        assert_int_equal(half_of_float(half_to_float((uint16_t)i)), quiet);
        assert_int_equal(half_of_double((double)half_to_float((uint16_t)i)), quiet);
    }
}

static void
every_bfloat16_comes_back_and_nan_stays_nan(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++) {
        bool nan = (i & 0x7FFF) > 0x7F80;
        uint32_t quiet = nan ? i | 0x40 : i;

        assert_int_equal(bits_of(bfloat16_to_float((uint16_t)i)), i << 16);
        assert_int_equal(bfloat16_of_float(bfloat16_to_float((uint16_t)i)), quiet);
        assert_int_equal(bfloat16_of_double((double)bfloat16_to_float((uint16_t)i)), quiet);
    }
    assert_int_equal(bfloat16_of_float(float_of(0x7F800001)), 0x7FC0);
    assert_int_equal(bfloat16_of_float(float_of(0xFFFFFFFF)), 0xFFFF);
}

static void
check_rounding(double value)
{
    assert_int_equal(half_of_double(value), nearest(value, 10, 15));
    assert_int_equal(bfloat16_of_double(value), nearest(value, 7, 127));
    if ((double)(float)value == value) {
        assert_int_equal(half_of_float((float)value), nearest(value, 10, 15));
        assert_int_equal(bfloat16_of_float((float)value), nearest(value, 7, 127));
    }
}

/* Around each number of the formats, and around each point halfway between two. */
static void
rounding_is_to_nearest_even_around_every_boundary(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7F80; i += i < 0x7C00 ? 1 : 7) {
        double half = i < 0x7C00 ? value_of((uint16_t)i, 10, 15) : 1.0;
        double half_next = i < 0x7BFF ? value_of((uint16_t)(i + 1), 10, 15) : 65536.0;
        double wide = value_of((uint16_t)i, 7, 127);
        double wide_next = i < 0x7F7F ? value_of((uint16_t)(i + 1), 7, 127) : 0x1p128;
        const double points[] = {half, (half + half_next) / 2, wide, (wide + wide_next) / 2};

        for (size_t p = 0; p < 4; p++) {
            check_rounding(points[p]);
            check_rounding(nextafter(points[p], INFINITY));
            check_rounding(-nextafter(points[p], -INFINITY));
            check_rounding((double)nextafterf((float)points[p], INFINITY));
            check_rounding((double)nextafterf((float)points[p], -INFINITY));
        }
    }
}

static void
rounding_agrees_at_random(void **state)
{
    uint64_t word = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        float narrow;
        double wide;

        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        narrow = float_of((uint32_t)(word >> 32));
        memcpy(&wide, &word, sizeof wide);
        if (!isnan(narrow))
            check_rounding((double)narrow);
        if (!isnan(wide))
            check_rounding(wide);
        if (!isnan(wide))
            check_rounding(ldexp(wide, (int)(-ilogb(wide) + (int)(word % 60) - 40)));
    }
    check_rounding(INFINITY);
    check_rounding(-INFINITY);
    check_rounding(0x1p-1074);
    check_rounding(-0.0);
}

/* From float32, rounding a double once is what matters: through float32 this would go up. */
static void
a_double_is_rounded_once(void **state)
{
    (void)state;
    assert_int_equal(half_of_double(0x1.002p0), 0x3C00);
    assert_int_equal(half_of_double(0x1.00200000001p0), 0x3C01);
    assert_int_equal(half_of_double(0x1.001FFFFFFFFp0), 0x3C00);
    assert_int_equal(bfloat16_of_double(0x1.01000000001p0), 0x3F81);
}

#ifdef __FLT16_MAX__
static void
the_compiler_agrees_on_every_half(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++) {
        uint16_t bits = (uint16_t)i;
        float16 half;

        memcpy(&half, &bits, sizeof half);
        if (half == half)
            assert_int_equal(bits_of((float)half), bits_of(half_to_float(bits)));
    }
}
#endif

static void
runs_equal_single_conversions(void **state)
{
    static uint16_t halves[0x10000 + 3], back[0x10000 + 3];
    static float floats[0x10000 + 3];
    const uint64_t count = 0x10000 + 3;

    (void)state;
    for (uint64_t i = 0; i < count; i++)
        halves[i] = (uint16_t)i;
    half_to_floats(halves, floats, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(bits_of(floats[i]), bits_of(half_to_float(halves[i])));
    bfloat16_to_floats(halves, floats, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(bits_of(floats[i]), bits_of(bfloat16_to_float(halves[i])));
    for (uint64_t i = 0; i < count; i++)
        floats[i] = float_of((uint32_t)(i * 0x9E3779B1u) ^ (uint32_t)(i >> 3));
    half_of_floats(floats, back, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(back[i], half_of_float(floats[i]));
    bfloat16_of_floats(floats, back, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(back[i], bfloat16_of_float(floats[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_widens_to_its_value),
        cmocka_unit_test(every_half_comes_back_from_float_and_double),
        cmocka_unit_test(every_bfloat16_comes_back_and_nan_stays_nan),
        cmocka_unit_test(rounding_is_to_nearest_even_around_every_boundary),
        cmocka_unit_test(rounding_agrees_at_random),
        cmocka_unit_test(a_double_is_rounded_once),
#ifdef __FLT16_MAX__
        cmocka_unit_test(the_compiler_agrees_on_every_half),
#endif
        cmocka_unit_test(runs_equal_single_conversions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
