/* Kernels: the fast path equals the plain one, bit for bit, for every operation, type, step and odd
 * length, on values chosen to be awkward; plus a few results known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/service/kernel_inputs.h"

static struct {
    struct memory a, b, fast, plain;
} bench;

static void
compare_one(enum kernel_binary op, enum dtype dtype, uint32_t steps, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);
    const struct kernel_operand x = {&bench.a, steps & 1}, y = {&bench.b, steps >> 1};
    struct kernel_operand in_place = {&bench.fast, steps & 1};

    memset(&bench.fast, 0x5A, (count + 1) * size);
    memset(&bench.plain, 0x5A, (count + 1) * size);
    assert_int_equal(kernel_binary(op, dtype, x, y, &bench.fast, count, NULL), OK);
    assert_int_equal(kernel_binary_plain(op, dtype, x, y, &bench.plain, count, NULL), OK);
    same_numbers(dtype, bench.fast.bytes, bench.plain.bytes, count);
    assert_memory_equal(bench.fast.bytes + count * size, bench.plain.bytes + count * size, size);
    memcpy(&bench.fast, &bench.a, (count + 1) * size);
    assert_int_equal(kernel_binary(op, dtype, in_place, y, &bench.fast, count, NULL), OK);
    same_numbers(dtype, bench.fast.bytes, bench.plain.bytes, count);
    memcpy(&bench.fast, &bench.b, (count + 1) * size);
    in_place.step = y.step;
    assert_int_equal(kernel_binary(op, dtype, x, in_place, &bench.fast, count, NULL), OK);
    same_numbers(dtype, bench.fast.bytes, bench.plain.bytes, count);
}

/* pow is rounded by each side on its own: test_kernels_math.c. */
static bool
is_exact(enum kernel_binary op, enum dtype dtype)
{
    return op != KERNEL_POW || dtype_is_integer(dtype);
}

static void
fast_equals_plain_for_every_operation_type_step_and_length(void **state)
{
    uint32_t seed = 1, compared = 0;

    (void)state;
    for (unsigned dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (!dtype_is_number((enum dtype)dtype) && dtype != DTYPE_BOOL)
            continue;
        fill((enum dtype)dtype, &seed, false, &bench.a, COUNT_MAX);
        fill((enum dtype)dtype, &seed, true, &bench.b, COUNT_MAX);
        for (unsigned op = 0; op < KERNEL_BINARY_COUNT; op++) {
            if (!kernel_binary_known((enum kernel_binary)op, (enum dtype)dtype) ||
                !is_exact((enum kernel_binary)op, (enum dtype)dtype))
                continue;
            if (op == KERNEL_POW)
                make_positive((enum dtype)dtype, &bench.b, COUNT_MAX);
            for (uint32_t steps = 0; steps < 4; steps++)
                for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
                    compare_one((enum kernel_binary)op, (enum dtype)dtype, steps, counts[i]);
            compared++;
        }
    }
    /* 8 integers and 4 floats of 3 + 4 operations, pow and divide; 2 complex of 4; bool of 3. */
    assert_int_equal(compared, 8 * 8 + 4 * 8 + 2 * 4 + 3);
}

static void
operations_are_known_for_the_types_that_have_them(void **state)
{
    (void)state;
    for (unsigned d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;
        bool number = dtype_is_number(dtype), integer = dtype_is_integer(dtype);
        bool real = integer || dtype_is_float(dtype);

        assert_int_equal(kernel_binary_known(KERNEL_ADD, dtype), number);
        assert_int_equal(kernel_binary_known(KERNEL_POW, dtype), number);
        assert_int_equal(kernel_binary_known(KERNEL_DIVIDE, dtype), number && !integer);
        assert_int_equal(kernel_binary_known(KERNEL_MOD, dtype), real);
        assert_int_equal(kernel_binary_known(KERNEL_MINIMUM, dtype), real);
        assert_int_equal(kernel_binary_known(KERNEL_XOR, dtype), dtype == DTYPE_BOOL);
        assert_int_equal(kernel_unary_known(KERNEL_NEGATIVE, dtype), number);
        assert_int_equal(kernel_unary_known(KERNEL_ABS, dtype), number);
        assert_int_equal(kernel_unary_known(KERNEL_RELU, dtype), real);
        assert_int_equal(kernel_unary_known(KERNEL_EXP, dtype), number && !integer);
        assert_int_equal(kernel_unary_known(KERNEL_SOFTPLUS, dtype), real && !integer);
        assert_int_equal(kernel_unary_known(KERNEL_NOT, dtype), dtype == DTYPE_BOOL);
        assert_false(kernel_binary_known(KERNEL_BINARY_COUNT, dtype));
        assert_false(kernel_unary_known(KERNEL_UNARY_COUNT, dtype));
    }
    assert_false(kernel_binary_known(KERNEL_ADD, DTYPE_UNSET));
}

static void
refuses(enum kernel_binary op, const void *b, uint32_t step, const char *text)
{
    int16_t a[5] = {1, 2, 3, 4, 5};
    const int16_t before[5] = {1, 2, 3, 4, 5};
    const struct kernel_operand x = {a, 1}, y = {b, step};
    struct err err = ERR_INIT;

    assert_int_equal(kernel_binary(op, DTYPE_INT16, x, y, a, 5, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, text);
    assert_memory_equal(a, before, sizeof a);
    assert_int_equal(kernel_binary_plain(op, DTYPE_INT16, x, y, a, 5, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(kernel_binary(op, DTYPE_INT16, x, y, a, 0, NULL), OK);
}

static void
what_integers_cannot_do_fails_and_writes_nothing(void **state)
{
    const int16_t with_zero[5] = {1, 1, 1, 0, 1}, with_minus[5] = {1, 0, 1, 1, -1};
    const int16_t zero = 0, minus = -3;

    (void)state;
    refuses(KERNEL_FLOORDIV, with_zero, 1, "integer division by zero");
    refuses(KERNEL_FLOORDIV, &zero, 0, "integer division by zero");
    refuses(KERNEL_MOD, with_zero, 1, "integer division by zero");
    refuses(KERNEL_MOD, &zero, 0, "integer division by zero");
    refuses(KERNEL_POW, with_minus, 1, "Integers to negative integer powers are not allowed");
    refuses(KERNEL_POW, &minus, 0, "Integers to negative integer powers are not allowed");
}

static void
check_int64(enum kernel_binary op, int64_t a, int64_t b, int64_t expected)
{
    int64_t out = 99;

    assert_int_equal(kernel_binary(op, DTYPE_INT64, (struct kernel_operand){&a, 0},
                                   (struct kernel_operand){&b, 0}, &out, 1, NULL),
                     OK);
    if (out != expected)
        fail_msg("operation %d of %lld and %lld is %lld, not %lld", (int)op, (long long)a,
                 (long long)b, (long long)out, (long long)expected);
}

static void
integer_quotients_round_down_and_remainders_have_the_divisor_s_sign(void **state)
{
    (void)state;
    check_int64(KERNEL_FLOORDIV, 7, 2, 3);
    check_int64(KERNEL_FLOORDIV, -7, 2, -4);
    check_int64(KERNEL_FLOORDIV, 7, -2, -4);
    check_int64(KERNEL_FLOORDIV, -7, -2, 3);
    check_int64(KERNEL_FLOORDIV, -6, 2, -3);
    check_int64(KERNEL_MOD, 7, 3, 1);
    check_int64(KERNEL_MOD, -7, 3, 2);
    check_int64(KERNEL_MOD, 7, -3, -2);
    check_int64(KERNEL_MOD, -7, -3, -1);
    check_int64(KERNEL_MOD, -6, 3, 0);
}

static void
the_smallest_integer_divided_by_minus_one_wraps(void **state)
{
    const int8_t b = -1;
    int8_t a[3] = {INT8_MIN, 7, -7};

    (void)state;
    check_int64(KERNEL_FLOORDIV, INT64_MIN, -1, INT64_MIN);
    check_int64(KERNEL_MOD, INT64_MIN, -1, 0);
    assert_int_equal(kernel_binary(KERNEL_FLOORDIV, DTYPE_INT8, (struct kernel_operand){a, 1},
                                   (struct kernel_operand){&b, 0}, a, 3, NULL),
                     OK);
    assert_int_equal(a[0], INT8_MIN);
    assert_int_equal(a[1], -7);
    assert_int_equal(a[2], 7);
}

static void
integer_powers_wrap(void **state)
{
    (void)state;
    check_int64(KERNEL_POW, 3, 4, 81);
    check_int64(KERNEL_POW, -2, 63, INT64_MIN);
    check_int64(KERNEL_POW, 2, 64, 0);
    check_int64(KERNEL_POW, 0, 0, 1);
    check_int64(KERNEL_POW, -1, INT64_MAX, -1);
}

static void
check_double(enum kernel_binary op, double a, double b, double expected)
{
    double out = 99;
    float single_a = (float)a, single_b = (float)b, single = 99;

    assert_int_equal(kernel_binary(op, DTYPE_FLOAT64, (struct kernel_operand){&a, 0},
                                   (struct kernel_operand){&b, 0}, &out, 1, NULL),
                     OK);
    assert_int_equal(kernel_binary(op, DTYPE_FLOAT32, (struct kernel_operand){&single_a, 0},
                                   (struct kernel_operand){&single_b, 0}, &single, 1, NULL),
                     OK);
    if ((out != expected || (double)single != expected) &&
        !(expected != expected && out != out && single != single))
        fail_msg("operation %d of %g and %g is %g and %g, not %g", (int)op, a, b, out,
                 (double)single, expected);
}

static void
float_quotients_round_down_and_remainders_have_the_divisor_s_sign(void **state)
{
    const double inf = __builtin_inf(), nan = __builtin_nan("");

    (void)state;
    check_double(KERNEL_FLOORDIV, -7.5, 2, -4);
    check_double(KERNEL_FLOORDIV, 1, 0, inf);
    check_double(KERNEL_FLOORDIV, 0, 0, nan);
    check_double(KERNEL_MOD, 7.5, 2, 1.5);
    check_double(KERNEL_MOD, -7.5, 2, 0.5);
    check_double(KERNEL_MOD, 7.5, -2, -0.5);
    check_double(KERNEL_MOD, -7.5, -2, -1.5);
    check_double(KERNEL_MOD, -6, 2, 0);
    check_double(KERNEL_MOD, 1, 0, nan);
    check_double(KERNEL_MOD, 1, inf, 1);
}

static void
where_one_is_nan_minimum_and_maximum_are_the_second(void **state)
{
    const double nan = __builtin_nan("");
    float relu[4] = {(float)nan, -1.5f, 2.5f, -0.0f};

    (void)state;
    check_double(KERNEL_MINIMUM, 2, 3, 2);
    check_double(KERNEL_MAXIMUM, 2, 3, 3);
    check_double(KERNEL_MINIMUM, nan, 3, 3);
    check_double(KERNEL_MAXIMUM, nan, 3, 3);
    check_double(KERNEL_MINIMUM, 3, nan, nan);
    check_double(KERNEL_MAXIMUM, 3, nan, nan);
    kernel_unary(KERNEL_RELU, DTYPE_FLOAT32, relu, relu, 4);
    assert_true(relu[0] == 0 && relu[1] == 0 && relu[2] == 2.5f && relu[3] == 0);
}

static void
half_results_round_once(void **state)
{
    /* 2048 + 1 lies halfway and goes to even; 65504 + 16 reaches infinity. */
    const uint16_t a[3] = {0x6800, 0x7BFF, 0x6801}, b[3] = {0x3C00, 0x4C00, 0x3C00};
    uint16_t out[3];

    (void)state;
    assert_int_equal(kernel_binary(KERNEL_ADD, DTYPE_FLOAT16, (struct kernel_operand){a, 1},
                                   (struct kernel_operand){b, 1}, out, 3, NULL),
                     OK);
    assert_int_equal(out[0], 0x6800);
    assert_int_equal(out[1], 0x7C00);
    assert_int_equal(out[2], 0x6802);
}

static void
complex_numbers_multiply_and_divide(void **state)
{
    const float a[4] = {1, 2, 3, -4}, b[4] = {3, -1, 0, 2};
    float out[4];

    (void)state;
    assert_int_equal(kernel_binary(KERNEL_MULTIPLY, DTYPE_COMPLEX64, (struct kernel_operand){a, 1},
                                   (struct kernel_operand){b, 1}, out, 2, NULL),
                     OK);
    assert_true(out[0] == 5.0f && out[1] == 5.0f);
    assert_true(out[2] == 8.0f && out[3] == 6.0f);
    assert_int_equal(kernel_binary(KERNEL_DIVIDE, DTYPE_COMPLEX64,
                                   (struct kernel_operand){a + 2, 0},
                                   (struct kernel_operand){b + 2, 0}, out, 2, NULL),
                     OK);
    assert_true(out[0] == -2.0f && out[1] == -1.5f);
    assert_true(out[2] == -2.0f && out[3] == -1.5f);
}

static void
negative_wraps_and_flips_signs(void **state)
{
    int8_t small[3] = {INT8_MIN, 5, 0};
    uint8_t plain[2] = {1, 0};
    float floats[3] = {0.0f, -__builtin_inff(), 2.5f};
    uint16_t halves[3] = {0x0000, 0x7C00, 0xBC00};
    double complex128[2] = {1.0, -0.0};

    (void)state;
    kernel_unary(KERNEL_NEGATIVE, DTYPE_INT8, small, small, 3);
    assert_int_equal(small[0], INT8_MIN);
    assert_int_equal(small[1], -5);
    kernel_unary(KERNEL_NEGATIVE, DTYPE_UINT8, plain, plain, 2);
    assert_int_equal(plain[0], 255);
    assert_int_equal(plain[1], 0);
    kernel_unary(KERNEL_NEGATIVE, DTYPE_FLOAT32, floats, floats, 3);
    assert_true(__builtin_signbit(floats[0]) != 0);
    assert_true(floats[1] == __builtin_inff() && floats[2] == -2.5f);
    kernel_unary(KERNEL_NEGATIVE, DTYPE_FLOAT16, halves, halves, 3);
    assert_int_equal(halves[0], 0x8000);
    assert_int_equal(halves[1], 0xFC00);
    assert_int_equal(halves[2], 0x3C00);
    kernel_unary(KERNEL_NEGATIVE, DTYPE_COMPLEX128, complex128, complex128, 1);
    assert_true(complex128[0] == -1.0 && __builtin_signbit(complex128[1]) == 0);
}

static void
fill_repeats_elements_of_every_size_and_stops_at_the_end(void **state)
{
    static const uint32_t sizes[] = {1, 2, 3, 4, 8, 16};
    static uint8_t out[3 * 4096 + 64];
    const uint8_t element[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (uint64_t count = 0; count * sizes[i] < sizeof out - 1; count = count * 2 + 1) {
            memset(out, 0xEE, sizeof out);
            kernel_fill(sizes[i], element, out, count);
            for (uint64_t j = 0; j < count * sizes[i]; j++)
                assert_int_equal(out[j], element[j % sizes[i]]);
            assert_int_equal(out[count * sizes[i]], 0xEE);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_plain_for_every_operation_type_step_and_length),
        cmocka_unit_test(operations_are_known_for_the_types_that_have_them),
        cmocka_unit_test(what_integers_cannot_do_fails_and_writes_nothing),
        cmocka_unit_test(integer_quotients_round_down_and_remainders_have_the_divisor_s_sign),
        cmocka_unit_test(the_smallest_integer_divided_by_minus_one_wraps),
        cmocka_unit_test(integer_powers_wrap),
        cmocka_unit_test(float_quotients_round_down_and_remainders_have_the_divisor_s_sign),
        cmocka_unit_test(where_one_is_nan_minimum_and_maximum_are_the_second),
        cmocka_unit_test(half_results_round_once),
        cmocka_unit_test(complex_numbers_multiply_and_divide),
        cmocka_unit_test(negative_wraps_and_flips_signs),
        cmocka_unit_test(fill_repeats_elements_of_every_size_and_stops_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
