/* Reading numbers, against the C library: every text must be what strtod and strtof make of it. */
#include "api/json/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/json/number_pow10.h"
#include "tests/support/numbers.h"
#include "tests/unit/api/number_bits.h"

static bool
scan_f64(const char *text, double *out)
{
    assert_int_equal(api_number_length(text, strlen(text)), strlen(text));
    return api_number_f64(text, strlen(text), out);
}

static bool
scan_f32(const char *text, float *out)
{
    return number_f32(text, strlen(text), out);
}

/* --- powers of ten ------------------------------------------------------------------------- */

enum { WORDS = 72 }; /* 2304 bits */

static void
times_five(uint32_t w[WORDS])
{
    uint64_t carry = 0;

    for (size_t i = 0; i < WORDS; i++) {
        carry += (uint64_t)w[i] * 5;
        w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

static void
by_five(uint32_t w[WORDS])
{
    uint64_t rest = 0;

    for (size_t i = WORDS; i-- > 0;) {
        rest = rest << 32 | w[i];
        w[i] = (uint32_t)(rest / 5);
        rest %= 5;
    }
}

static unsigned
bit_at(const uint32_t w[WORDS], int index)
{
    return index < 0 ? 0 : w[index / 32] >> (index % 32) & 1;
}

static struct api_pow10
top_128_bits(const uint32_t w[WORDS])
{
    int top = WORDS * 32 - 1;
    struct api_pow10 out = {0, 0};

    while (bit_at(w, top) == 0)
        top--;
    for (int i = 0; i < 128; i++) {
        out.hi = out.hi << 1 | out.lo >> 63;
        out.lo = out.lo << 1 | bit_at(w, top - i);
    }
    return out;
}

static void
powers_of_ten_equal_those_of_exact_integers(void **state)
{
    uint32_t up[WORDS] = {1}, down[WORDS] = {0};

    (void)state;
    down[WORDS - 1] = 1;
    for (int k = 0; k <= -API_POW10_MIN; k++) {
        struct api_pow10 want = top_128_bits(up), got;

        if (k <= API_POW10_MAX) {
            got = api_pow10(k);
            assert_true(got.hi == want.hi && got.lo == want.lo);
        }
        want = top_128_bits(down);
        got = api_pow10(-k);
        assert_true(got.hi == want.hi && got.lo == want.lo);
        times_five(up);
        by_five(down);
    }
}

/* --- grammar ------------------------------------------------------------------------------- */

static void
length_is_that_of_the_json_number_at_the_start(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {
        {"0", 1},        {"-0", 2},   {"12,", 2},      {"1.5]", 3},  {"1e5", 3}, {"1E+05 ", 5},
        {"-1.25e-3", 8}, {"", 0},     {"-", 0},        {"+1", 0},    {".5", 0},  {"NaN", 0},
        {"-x", 0},       {"01", 1},   {"1.", 1},       {"1.e5", 1},  {"1e", 1},  {"1e+", 1},
        {"1.5e-", 3},    {"0x10", 1}, {"Infinity", 0}, {"1_000", 1}, {"-01", 2}, {"1.5.5", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(api_number_length(rows[i].text, strlen(rows[i].text)), rows[i].length);
    assert_int_equal(api_number_length("12345", 3), 3);
}

static void
only_numbers_without_fraction_and_exponent_are_integers(void **state)
{
    (void)state;
    assert_true(number_is_integer("-12", 3));
    assert_true(number_is_integer("123456789012345678901234567890", 30));
    assert_false(number_is_integer("1.0", 3));
    assert_false(number_is_integer("1e3", 3));
    assert_false(number_is_integer("12 ", 3));
    assert_false(number_is_integer("", 0));
}

static void
integers_are_exact_to_their_ends_and_refused_past_them(void **state)
{
    static const struct {
        const char *text;
        bool i64, u64;
    } rows[] = {
        {"0", true, true},
        {"-0", true, true},
        {"9223372036854775807", true, true},
        {"9223372036854775808", false, true},
        {"-9223372036854775808", true, false},
        {"-9223372036854775809", false, false},
        {"18446744073709551615", false, true},
        {"18446744073709551616", false, false},
        {"28446744073709551615", false, false},
        {"99999999999999999999999999", false, false},
        {"-99999999999999999999999999", false, false},
        {"-1", true, false},
        {"1.0", false, false},
        {"1e2", false, false},
        {"100000000000000000000e-19", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = rows[i].text;
        int64_t s = 5;
        uint64_t u = 5;

        assert_int_equal(api_number_i64(text, strlen(text), &s), rows[i].i64);
        assert_int_equal(api_number_u64(text, strlen(text), &u), rows[i].u64);
        assert_true(s == (rows[i].i64 ? strtoll(text, NULL, 10) : 5));
        assert_true(u == (rows[i].u64 ? strtoull(text, NULL, 10) : 5));
    }
}

/* --- reading floats ------------------------------------------------------------------------ */

static void
expect_as_library(const char *text)
{
    double want = strtod(text, NULL), got = 7.0;
    float want32 = strtof(text, NULL), got32 = 7.0f;

    assert_int_equal(scan_f64(text, &got), !isinf(want));
    if (!isinf(want) && bits_of_f64(got) != bits_of_f64(want))
        fail_msg("%s: %a, not %a", text, got, want);
    assert_int_equal(scan_f32(text, &got32), !isinf(want32));
    if (!isinf(want32) && bits_of_f32(got32) != bits_of_f32(want32))
        fail_msg("%s: %a, not %a", text, (double)got32, (double)want32);
}

static void
hard_texts_read_as_the_library_reads_them(void **state)
{
    static const char *const rows[] = {
        "0",
        "-0",
        "-0.0e5",
        "0e999999999999999999999",
        "1e23",
        "8.5e22",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993.00000000000000000000000000000001",
        "9007199254740992.99999999999999999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "-1e400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "2.225073858507201136057409796709131975934819546351645648023426109724822222021076945"
        "51652952390813508e-308",
        "3.4028234663852886e38",
        "3.4028235677973362e38",
        "3.4028235677973366e38",
        "3.40282356779733642752e38",
        "1.401298464324817e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "1.00000005960464477539062500001",
        "1.000000059604644775390625",
        "1.00000005960464477539062499999",
        "16777217",
        "16777217.0000000000000000000000000000000000000000000001",
        "16777219e0",
        "1.1754943508222875e-38",
        "1.17549429e-38",
        "123456789012345678901234567890e-10",
        "0.000000000000000000000000000000000000000000000000000000000000012345678901234567890123e80",
        "6.631236846766476e-316",
        "3.2378839133029012895883524125015321748630094150064e-319",
        "1090544144181609348671888949248",
        "7.3177701707893310e+15",
        "9214843084008499",
        "0.500000000000000166533453693773481063544750213623046875",
        "30078505129381147446200",
        "1777820000000000000001",
        "2.2222222222223e-322",
        "9007199254740993e-5",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649"
        "017977587207096330286416692887910946555547851940402630657488671505820681908902000708383"
        "676273854845817711531764475730270069855571366959622842914819860834936475292719074168444"
        "365510704342711559699508093042880",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_as_library(rows[i]);
}

static void
random_texts_read_as_the_library_reads_them(void **state)
{
    uint64_t seed = 1;
    char text[96];

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint64_t r = next_random(&seed), s = next_random(&seed);
        int exponent = (int)(s % 60) - 30;

        if (s >> 60 == 0)
            exponent = (int)(s % 700) - 350;
        switch (i % 4) {
        case 0:
            snprintf(text, sizeof text, "%llue%d", (unsigned long long)(r >> (s >> 32 & 63)),
                     exponent);
            break;
        case 1:
            snprintf(text, sizeof text, "-0.0%llu%llue%d", (unsigned long long)r,
                     (unsigned long long)s, exponent);
            break;
        case 2: /* 19 digits and more that sit at a midpoint of float32 */
            snprintf(text, sizeof text, "%.40f",
                     (double)f32_of((uint32_t)(r & 0x1fffffff) | 0x30000000) * (1 + 0x1p-25));
            break;
        default:
            if (isfinite(f64_of(r)))
                snprintf(text, sizeof text, "%.*e", (int)(s % 20), f64_of(r));
            break;
        }
        expect_as_library(text);
    }
}

static void
thousands_of_digits_are_rounded_correctly(void **state)
{
    static char text[6000];
    size_t size =
        (size_t)snprintf(text, sizeof text, "%.1100f", 0x1.0000000000001p-1074 + 0x1p-1022);

    (void)state;
    expect_as_library(text);
    /* exactly half way between two subnormals, then a hair above */
    size = (size_t)snprintf(text, sizeof text,
                            "0.00000000000000000000000000000000000000000000000000000001e-300");
    expect_as_library(text);
    memcpy(text, "9007199254740993", 16);
    text[16] = '.';
    memset(text + 17, '0', 5000);
    text[5017] = '\0';
    expect_as_library(text);
    text[5016] = '1';
    expect_as_library(text);
    text[0] = '0';
    text[1] = '.';
    memset(text + 2, '0', 3000);
    memcpy(text + 3002, "12345e3001", 11);
    expect_as_library(text);
    memset(text, '9', 5000);
    memcpy(text + 5000, "e-4990", 7);
    expect_as_library(text);
    assert_true(size > 0);
}

/* Reading to 16 bits once from the text: against a search over all values, with the midpoints exact
 * in float64 and their neighbours one part in 10^30 away. */
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

static void
sixteen_bit_floats_are_rounded_once(void **state)
{
    char text[512];

    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (uint16_t bits = 0; bits < (bf16 ? 0x7f7f : 0x7bff); bits++) {
            double low = half_value(bits, bf16), high = half_value((uint16_t)(bits + 1), bf16);
            size_t size;

            snprintf(text, sizeof text, "%.17g", low);
            expect_half(text, bits, bf16);
            size = (size_t)snprintf(text, sizeof text, "%.200f", low + (high - low) / 2);
            expect_half(text, (uint16_t)(bits + (bits & 1)), bf16);
            memcpy(text + size, "0000001", 8);
            expect_half(text, (uint16_t)(bits + 1), bf16);
            if (low > 1e-20) {
                size =
                    (size_t)snprintf(text, sizeof text, "%.40f", nextafter(high / 2 + low / 2, 0));
                expect_half(text, bits, bf16);
            }
        }
    assert_false(number_f16("65520", 5, &(uint16_t){0}));
    expect_half("65519.99999999999999999999999999999999999", 0x7bff, false);
    expect_half("-65504", 0xfbff, false);
    assert_false(number_bf16("3.3961775292304601e38", 21, &(uint16_t){0}));
    expect_half("3.39617752923046e38", 0x7f7f, true);
    expect_half("1e-400", 0, true);
    expect_half("-1e-400", 0x8000, false);
}

static void
eight_bit_floats_read_back_what_they_print(void **state)
{
    char text[API_NUMBER_BYTES_MAX];
    struct api_number number;
    uint8_t got;

    (void)state;
    for (unsigned bits = 0; bits < 256; bits++) {
        if ((bits & 0x7f) != 0x7f) {
            assert_true(
                api_number_scan(text, api_number_print_f8_e4m3fn((uint8_t)bits, text), &number));
            assert_true(api_number_as_f8_e4m3fn(&number, &got));
            assert_int_equal(got, bits);
        }
        if ((bits & 0x7f) < 0x7c) {
            assert_true(
                api_number_scan(text, api_number_print_f8_e5m2((uint8_t)bits, text), &number));
            assert_true(api_number_as_f8_e5m2(&number, &got));
            assert_int_equal(got, bits);
        }
    }
    assert_int_equal(api_number_print_f8_e4m3fn(0x7e, text), 5);
    assert_memory_equal(text, "450.0", 5); /* nearest to 448; the next are 416 and NaN */
    assert_true(api_number_scan("464", 3, &number) && api_number_as_f8_e4m3fn(&number, &got));
    assert_int_equal(got, 0x7e);
    assert_true(api_number_scan("464.1", 5, &number));
    assert_false(api_number_as_f8_e4m3fn(&number, &got));
    assert_true(api_number_scan("61440", 5, &number));
    assert_false(api_number_as_f8_e5m2(&number, &got));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_ten_equal_those_of_exact_integers),
        cmocka_unit_test(length_is_that_of_the_json_number_at_the_start),
        cmocka_unit_test(only_numbers_without_fraction_and_exponent_are_integers),
        cmocka_unit_test(integers_are_exact_to_their_ends_and_refused_past_them),
        cmocka_unit_test(hard_texts_read_as_the_library_reads_them),
        cmocka_unit_test(random_texts_read_as_the_library_reads_them),
        cmocka_unit_test(thousands_of_digits_are_rounded_correctly),
        cmocka_unit_test(sixteen_bit_floats_are_rounded_once),
        cmocka_unit_test(eight_bit_floats_read_back_what_they_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
