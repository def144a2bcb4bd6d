/* Printing numbers, against the C library: every text must read back to the same bits, and be as
 * short as the shortest "%.*e" that does. */
#include "api/json/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/numbers.h"
#include "tests/unit/api/number_bits.h"

static void
expect_half(const char *text, uint16_t want, bool bf16)
{
    uint16_t got = 0x5555;
    bool ok = bf16 ? number_bf16(text, strlen(text), &got) : number_f16(text, strlen(text), &got);

    if (!ok || got != want)
        fail_msg("%s: %d %04x, not %04x", text, ok, (unsigned)got, (unsigned)want);
}

static double
half_value(uint16_t bits, bool bf16)
{
    if (bf16)
        return (double)f32_of((uint32_t)bits << 16);
    if (bits >> 10 == 0)
        return ldexp(bits, -24);
    return ldexp((bits & 0x3ff) | 0x400, (bits >> 10) - 25);
}

/* Digits without trailing zeros, and the exponent of the first. */
static size_t
significant(const char *text, size_t size, char digits[static 64], int *exponent)
{
    size_t count = 0;
    int place = 0;
    bool point = false;

    *exponent = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 'e') {
            *exponent = (int)strtol(text + i + 1, NULL, 10);
            break;
        }
        if (text[i] == '.')
            point = true;
        if (text[i] < '0' || text[i] > '9')
            continue;
        if (text[i] != '0' || count > 0)
            digits[count++] = text[i];
        place += count > 0 ? !point : -(int)point;
    }
    while (count > 0 && digits[count - 1] == '0')
        count--;
    *exponent += place;
    return count;
}

static void
expect_valid_and_float(const char *text, size_t size)
{
    assert_true(size <= API_NUMBER_BYTES_MAX);
    assert_int_equal(api_number_length(text, size), size);
    assert_false(number_is_integer(text, size));
}

/* One digit less must not do; with as many digits the nearest to the value is wanted. */
static void
expect_shortest_f32(float value)
{
    char text[API_NUMBER_BYTES_MAX + 1], other[64], mine[64], theirs[64];
    size_t size = api_number_print_f32(value, text), count;
    int exponent;

    text[size] = '\0';
    expect_valid_and_float(text, size);
    if (bits_of_f32(strtof(text, NULL)) != bits_of_f32(value))
        fail_msg("%a printed %s", (double)value, text);
    count = significant(text, size, mine, &exponent);
    if (count > 1) {
        snprintf(other, sizeof other, "%.*e", (int)count - 2, (double)value);
        if (strtof(other, NULL) == value)
            fail_msg("%s is longer than %s", text, other);
    }
    snprintf(other, sizeof other, "%.*e", count == 0 ? 0 : (int)count - 1, (double)value);
    if (strtof(other, NULL) == value) {
        assert_int_equal(significant(other, strlen(other), theirs, &exponent), count);
        assert_memory_equal(mine, theirs, count);
    }
}

static void
expect_shortest_f64(double value)
{
    char text[API_NUMBER_BYTES_MAX + 1], other[64], mine[64], theirs[64];
    size_t size = api_number_print_f64(value, text), count;
    int exponent;
    double back = 0;

    text[size] = '\0';
    expect_valid_and_float(text, size);
    if (bits_of_f64(strtod(text, NULL)) != bits_of_f64(value))
        fail_msg("%a printed %s", value, text);
    assert_true(api_number_f64(text, size, &back));
    assert_true(bits_of_f64(back) == bits_of_f64(value));
    count = significant(text, size, mine, &exponent);
    if (count > 1) {
        snprintf(other, sizeof other, "%.*e", (int)count - 2, value);
        if (strtod(other, NULL) == value)
            fail_msg("%s is longer than %s", text, other);
    }
    snprintf(other, sizeof other, "%.*e", count == 0 ? 0 : (int)count - 1, value);
    if (strtod(other, NULL) == value) {
        assert_int_equal(significant(other, strlen(other), theirs, &exponent), count);
        assert_memory_equal(mine, theirs, count);
    }
}

static void
printed_float32_is_the_shortest_that_reads_back(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (uint32_t field = 0; field < 255; field++)
        for (uint32_t near = 0; near < 3; near++) {
            expect_shortest_f32(f32_of((field << 23) + near));
            expect_shortest_f32(f32_of((field << 23) + 0x7fffff - near));
        }
    for (int i = 0; i < 1000000; i++) {
        float value = f32_of((uint32_t)next_random(&seed));

        if (isfinite(value))
            expect_shortest_f32(value);
    }
    for (uint32_t i = 0; i < 5000; i++)
        expect_shortest_f32((float)i / 1000.0f);
}

static void
printed_float64_is_the_shortest_that_reads_back(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (uint64_t field = 0; field < 2047; field++)
        for (uint64_t near = 0; near < 2; near++) {
            expect_shortest_f64(f64_of((field << 52) + near));
            expect_shortest_f64(f64_of((field << 52) + ((UINT64_C(1) << 52) - 1) - near));
        }
    for (int i = 0; i < 200000; i++) {
        double value = f64_of(next_random(&seed));

        if (isfinite(value))
            expect_shortest_f64(value);
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];

        snprintf(text, sizeof text, "1e%d", e);
        expect_shortest_f64(strtod(text, NULL));
        expect_shortest_f64(nextafter(strtod(text, NULL), INFINITY));
    }
}

static void
printed_sixteen_bit_floats_are_the_shortest_that_read_back(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            char text[API_NUMBER_BYTES_MAX + 1], other[64], mine[64];
            uint16_t half = (uint16_t)bits, back = 0;
            double value = half_value(half & 0x7fff, bf16);
            int exponent, precision = 1;
            size_t size;

            if ((half & 0x7fff) > (bf16 ? 0x7f7f : 0x7bff))
                continue;
            size = bf16 ? api_number_print_bf16(half, text) : api_number_print_f16(half, text);
            expect_valid_and_float(text, size);
            text[size] = '\0';
            expect_half(text, half, bf16);
            for (; precision < 9; precision++) {
                snprintf(other, sizeof other, "%.*e", precision - 1, value);
                if ((bf16 ? number_bf16(other, strlen(other), &back)
                          : number_f16(other, strlen(other), &back)) &&
                    back == (half & 0x7fff))
                    break;
            }
            if (significant(text, size, mine, &exponent) > (size_t)precision)
                fail_msg("%s is longer than %s", text, other);
        }
}

static void
layout_is_that_of_python(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1.25e-7, "1.25e-07"},
        {100.0, "100.0"},
        {123456.789, "123456.789"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {9007199254740993.0, "9007199254740992.0"},
        {1.2345678901234567e+18, "1.2345678901234568e+18"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"},
        {9.5, "9.5"},
        {299792458.0, "299792458.0"},
    };
    char text[API_NUMBER_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = api_number_print_f64(rows[i].value, text);

        assert_int_equal(size, strlen(rows[i].text));
        assert_memory_equal(text, rows[i].text, size);
    }
    assert_int_equal(api_number_print_f32(0.1f, text), 3);
    assert_memory_equal(text, "0.1", 3);
    assert_int_equal(api_number_print_f16(1, text), 5);
    assert_memory_equal(text, "6e-08", 5);
    assert_int_equal(api_number_print_bf16(0x3dcd, text), 3);
    assert_memory_equal(text, "0.1", 3);
}

static void
integers_print_as_they_are(void **state)
{
    static const int64_t rows[] = {0, 1, -1, 9, 10, 99, 100, -12345, INT64_MAX, INT64_MIN};
    char text[API_NUMBER_BYTES_MAX], want[64];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size = api_number_print_i64(rows[i], text);
        snprintf(want, sizeof want, "%lld", (long long)rows[i]);
        assert_int_equal(size, strlen(want));
        assert_memory_equal(text, want, size);
    }
    size = api_number_print_u64(UINT64_MAX, text);
    assert_int_equal(size, 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

static void
digits_must_be(int count, const char *digits, const int *point, const char *expected,
               int expected_point)
{
    assert_int_equal(count, strlen(expected));
    assert_memory_equal(digits, expected, strlen(expected));
    assert_int_equal(*point, expected_point);
}

/* The digits alone: what the text is made of. */
static void
digits_have_no_zeros_at_either_end(void **state)
{
    char out[API_NUMBER_BYTES_MAX];
    int point = 7;

    (void)state;
    digits_must_be(api_number_digits_f64(0.0, out, &point), out, &point, "", 0);
    digits_must_be(api_number_digits_f64(-0.00125, out, &point), out, &point, "125", -2);
    digits_must_be(api_number_digits_f64(1e23, out, &point), out, &point, "1", 24);
    digits_must_be(api_number_digits_f64(1.0 / 3, out, &point), out, &point, "3333333333333333", 0);
    digits_must_be(api_number_digits_f32(1200.0f, out, &point), out, &point, "12", 4);
    digits_must_be(api_number_digits_f32(0.1f, out, &point), out, &point, "1", 0);
    digits_must_be(api_number_digits_f16(0x7bff, out, &point), out, &point, "655", 5);
    digits_must_be(api_number_digits_f16(0x8001, out, &point), out, &point, "6", -7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_have_no_zeros_at_either_end),
        cmocka_unit_test(printed_float32_is_the_shortest_that_reads_back),
        cmocka_unit_test(printed_float64_is_the_shortest_that_reads_back),
        cmocka_unit_test(printed_sixteen_bit_floats_are_the_shortest_that_read_back),
        cmocka_unit_test(layout_is_that_of_python),
        cmocka_unit_test(integers_print_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
