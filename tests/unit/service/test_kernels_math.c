/* Kernels of one operand, and pow: the fast path against the plain one for every type, length and
 * in place; and the functions against the C library's widest type, in units in the last place. */
#include <complex.h>
#include <math.h>
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

/* How far apart fast and plain may be: each rounds some functions on its own. */
static uint64_t
allowed(enum kernel_unary op, enum dtype dtype)
{
    if (dtype_is_integer(dtype) || dtype == DTYPE_BOOL)
        return 0;
    return op == KERNEL_EXP || op == KERNEL_LOG || op == KERNEL_LOG1P || op == KERNEL_TANH ||
                   op == KERNEL_SIGMOID || op == KERNEL_SOFTPLUS
               ? 1
               : 0;
}

static void
check_reals(enum kernel_unary op, enum dtype dtype, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);

    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *fast = bench.fast.bytes + i * size, *plain = bench.plain.bytes + i * size;

        if (memcmp(fast, plain, size) == 0)
            continue;
        if (!dtype_is_float(dtype) || distance_of(dtype, fast, plain) > allowed(op, dtype))
            fail_msg("%s, operation %d: element %llu of %g is %.17g, the plain kernel has %.17g",
                     dtype_name(dtype), (int)op, (unsigned long long)i,
                     tensor_element_as_double(dtype, bench.a.bytes + i * size),
                     tensor_element_as_double(dtype, fast), tensor_element_as_double(dtype, plain));
    }
}

static bool
is_complex(enum dtype dtype)
{
    return dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128;
}

static void
compare_unary(enum kernel_unary op, enum dtype dtype, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);

    memset(&bench.fast, 0x5A, (count + 1) * size);
    memset(&bench.plain, 0x5A, (count + 1) * size);
    kernel_unary(op, dtype, &bench.a, &bench.fast, count);
    kernel_unary_plain(op, dtype, &bench.a, &bench.plain, count);
    check_reals(op, dtype, count);
    assert_memory_equal(bench.fast.bytes + count * size, bench.plain.bytes + count * size, size);
    memcpy(&bench.fast, &bench.a, (count + 1) * size);
    kernel_unary(op, dtype, &bench.fast, &bench.fast, count);
    check_reals(op, dtype, count);
}

static void
fast_equals_plain_for_every_operation_type_and_length(void **state)
{
    uint32_t seed = 7, compared = 0;

    (void)state;
    for (unsigned d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;

        if ((!dtype_is_number(dtype) && dtype != DTYPE_BOOL) || is_complex(dtype))
            continue;
        fill(dtype, &seed, false, &bench.a, COUNT_MAX);
        for (unsigned op = 0; op < KERNEL_UNARY_COUNT; op++) {
            if (!kernel_unary_known((enum kernel_unary)op, dtype))
                continue;
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
                compare_unary((enum kernel_unary)op, dtype, counts[i]);
            compared++;
        }
    }
    assert_int_equal(compared, 8 * 5 + 4 * 13 + 1);
}

/* --- accuracy ------------------------------------------------------------------------------ */

static long double
exact(enum kernel_unary op, long double x, bool single)
{
    long double threshold = logl(single ? 0x1p-23L : 0x1p-52L) + 2;

    switch (op) {
    case KERNEL_SQRT:
        return sqrtl(x);
    case KERNEL_RSQRT:
        return 1 / sqrtl(x);
    case KERNEL_EXP:
        return expl(x);
    case KERNEL_LOG:
        return logl(x);
    case KERNEL_LOG1P:
        return log1pl(x);
    case KERNEL_TANH:
        return tanhl(x);
    case KERNEL_SIGMOID:
        return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
    case KERNEL_SOFTPLUS:
        return x > -threshold ? x : x < threshold ? expl(x) : log1pl(expl(x));
    case KERNEL_NEGATIVE:
    case KERNEL_ABS:
    case KERNEL_SIGN:
    case KERNEL_SQUARE:
    case KERNEL_RELU:
    case KERNEL_NOT:
    case KERNEL_UNARY_COUNT:
        break;
    }
    fail();
    return 0;
}

static const enum kernel_unary functions[] = {KERNEL_SQRT,    KERNEL_RSQRT,   KERNEL_EXP,
                                              KERNEL_LOG,     KERNEL_LOG1P,   KERNEL_TANH,
                                              KERNEL_SIGMOID, KERNEL_SOFTPLUS};
enum { FUNCTIONS = sizeof functions / sizeof functions[0], SWEEP = 1000, SWEEPS = 12 };

/* Numbers of every size, of both signs, densest around 1. */
static double
sweep_value(uint32_t *seed)
{
    double value = 1 + (double)next_word(seed) * 0x1p-32;
    int exponent = (int)(next_word(seed) >> 8 & 15) - 8;

    if ((next_word(seed) >> 9 & 7) == 0)
        exponent *= 15;
    return ldexp((next_word(seed) >> 10 & 1) != 0 ? -value : value, exponent);
}

/* Where the widest type is no wider (under valgrind), it errs as much as what it is to judge. */
static uint64_t
units_allowed(void)
{
    volatile long double one = 1, little = 0x1p-60L;

    return one + little == one ? 8 : 2;
}

static void
functions_are_within_2_units_in_the_last_place(void **state)
{
    static float singles[SWEEP], single_results[SWEEP];
    static double doubles[SWEEP], double_results[SWEEP];
    const uint64_t units = units_allowed();
    uint32_t seed = 3;

    (void)state;
    for (uint32_t round = 0; round < SWEEPS * FUNCTIONS; round++) {
        enum kernel_unary op = functions[round % FUNCTIONS];

        for (uint32_t i = 0; i < SWEEP; i++) {
            doubles[i] = sweep_value(&seed);
            singles[i] = (float)doubles[i];
        }
        kernel_unary(op, DTYPE_FLOAT32, singles, single_results, SWEEP);
        kernel_unary(op, DTYPE_FLOAT64, doubles, double_results, SWEEP);
        for (uint32_t i = 0; i < SWEEP; i++) {
            float single = (float)exact(op, (long double)singles[i], true);
            double wide = (double)exact(op, (long double)doubles[i], false);

            if (distance_of(DTYPE_FLOAT32, &single_results[i], &single) > 1)
                fail_msg("operation %d of %a is %a, not %a", (int)op, (double)singles[i],
                         (double)single_results[i], (double)single);
            if (distance_of(DTYPE_FLOAT64, &double_results[i], &wide) > units)
                fail_msg("operation %d of %a is %a, not %a", (int)op, doubles[i], double_results[i],
                         wide);
        }
    }
}

static void
check_single(enum kernel_unary op, float x, float expected)
{
    float out = 99;

    kernel_unary(op, DTYPE_FLOAT32, &x, &out, 1);
    if (!(out != out && expected != expected) &&
        (out != expected || __builtin_signbit(out) != __builtin_signbit(expected)))
        fail_msg("operation %d of %g is %g, not %g", (int)op, (double)x, (double)out,
                 (double)expected);
}

static void
functions_know_zeros_infinities_and_the_ends_of_their_domain(void **state)
{
    const float inf = __builtin_inff(), nan = __builtin_nanf("");

    (void)state;
    check_single(KERNEL_SQRT, -1, nan);
    check_single(KERNEL_SQRT, -0.0f, -0.0f);
    check_single(KERNEL_RSQRT, 0, inf);
    check_single(KERNEL_EXP, -inf, 0);
    check_single(KERNEL_EXP, inf, inf);
    check_single(KERNEL_EXP, 89, inf);
    check_single(KERNEL_EXP, -104, 0);
    check_single(KERNEL_EXP, -0.0f, 1);
    check_single(KERNEL_EXP, -103, 0x1p-149f);
    check_single(KERNEL_LOG, 0, -inf);
    check_single(KERNEL_LOG, -1, nan);
    check_single(KERNEL_LOG, inf, inf);
    check_single(KERNEL_LOG, 1, 0);
    check_single(KERNEL_LOG1P, -1, -inf);
    check_single(KERNEL_LOG1P, -2, nan);
    check_single(KERNEL_LOG1P, -0.0f, -0.0f);
    check_single(KERNEL_LOG1P, 0x1p-149f, 0x1p-149f);
    check_single(KERNEL_LOG1P, inf, inf);
    check_single(KERNEL_TANH, -inf, -1);
    check_single(KERNEL_TANH, 0x1p-149f, 0x1p-149f);
    check_single(KERNEL_TANH, -0.0f, -0.0f);
    check_single(KERNEL_SIGMOID, -inf, 0);
    check_single(KERNEL_SIGMOID, inf, 1);
    check_single(KERNEL_SIGMOID, 0, 0.5f);
    check_single(KERNEL_SOFTPLUS, inf, inf);
    check_single(KERNEL_SOFTPLUS, 100, 100);
    check_single(KERNEL_SOFTPLUS, 13.95f, 13.95f);
    check_single(KERNEL_SOFTPLUS, -inf, 0);
    check_single(KERNEL_SIGN, nan, 0);
    check_single(KERNEL_SIGN, -0.0f, 0);
    check_single(KERNEL_SIGN, -inf, -1);
    check_single(KERNEL_ABS, -inf, inf);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        check_single(functions[i], nan, nan);
}

static void
results_do_not_depend_on_how_the_elements_are_split(void **state)
{
    static float x[SWEEP], whole[SWEEP], one[SWEEP];
    uint32_t seed = 11;

    (void)state;
    for (uint32_t i = 0; i < SWEEP; i++)
        x[i] = (float)sweep_value(&seed);
    for (uint32_t f = 0; f < FUNCTIONS; f++) {
        kernel_unary(functions[f], DTYPE_FLOAT32, x, whole, SWEEP);
        for (uint32_t i = 0; i < SWEEP; i++)
            kernel_unary(functions[f], DTYPE_FLOAT32, &x[i], &one[i], 1);
        same_numbers(DTYPE_FLOAT32, (const uint8_t *)whole, (const uint8_t *)one, SWEEP);
    }
}

/* --- pow ----------------------------------------------------------------------------------- */

static void
powers_of_floats_are_within_1_unit_in_the_last_place(void **state)
{
    static const enum dtype floats[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
                                        DTYPE_FLOAT64};
    uint32_t seed = 5;

    (void)state;
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t steps = 0; steps < 4; steps++) {
            const uint32_t size = dtype_size(floats[k]);
            const struct kernel_operand a = {&bench.a, steps & 1}, b = {&bench.b, steps >> 1};

            fill(floats[k], &seed, false, &bench.a, COUNT_MAX);
            fill(floats[k], &seed, false, &bench.b, COUNT_MAX);
            for (uint32_t i = 0; i < COUNT_MAX; i += 2) { /* whole exponents for bases below 0 */
                tensor_element_of_double(floats[k], (double)(int)(i % 9) - 4,
                                         bench.b.bytes + i * size);
            }
            assert_int_equal(
                kernel_binary(KERNEL_POW, floats[k], a, b, &bench.fast, COUNT_MAX, NULL), OK);
            assert_int_equal(
                kernel_binary_plain(KERNEL_POW, floats[k], a, b, &bench.plain, COUNT_MAX, NULL),
                OK);
            for (uint32_t i = 0; i < COUNT_MAX; i++)
                assert_true(distance_of(floats[k], bench.fast.bytes + i * size,
                                        bench.plain.bytes + i * size) <= 1);
        }
}

/* --- complex numbers ----------------------------------------------------------------------- */

/* |a - b| in units of the last place of the longer part of b. */
static void
close_complex(int op, enum dtype dtype, const double a[2], const double b[2])
{
    double unit = fmax(fabs(b[0]), fabs(b[1])) * (dtype == DTYPE_COMPLEX64 ? 0x1p-23 : 0x1p-52);

    if (!(hypot(a[0] - b[0], a[1] - b[1]) <= 4 * unit))
        fail_msg("%s, operation %d: %.17g %.17g, the plain kernel has %.17g %.17g",
                 dtype_name(dtype), op, a[0], a[1], b[0], b[1]);
}

static void
check_complex(int op, enum dtype dtype, enum dtype result)
{
    bool length = !is_complex(result);
    enum dtype part = dtype == DTYPE_COMPLEX64 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    uint32_t size = dtype_size(part), parts = length ? 1 : 2;

    for (uint32_t i = 0; i < SWEEP; i++) {
        double fast[2] = {0}, plain[2] = {0};

        for (uint32_t k = 0; k < parts; k++) {
            fast[k] = tensor_element_as_double(part, bench.fast.bytes + (i * parts + k) * size);
            plain[k] = tensor_element_as_double(part, bench.plain.bytes + (i * parts + k) * size);
        }
        close_complex(op, dtype, fast, plain);
    }
}

static void
complex_functions_are_close_to_the_plain_ones(void **state)
{
    uint32_t seed = 17;

    (void)state;
    for (unsigned d = 0; d < 2; d++) {
        enum dtype dtype = d == 0 ? DTYPE_COMPLEX64 : DTYPE_COMPLEX128;
        enum dtype part = d == 0 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
        const struct kernel_operand a = {&bench.a, 1}, b = {&bench.b, 1};

        for (uint32_t i = 0; i < 2 * SWEEP; i++) {
            double x = (double)(int32_t)next_word(&seed) * 0x1p-29,
                   y = (double)(int32_t)next_word(&seed) * 0x1p-30;

            tensor_element_of_double(part, x, bench.a.bytes + i * dtype_size(part));
            tensor_element_of_double(part, y, bench.b.bytes + i * dtype_size(part));
        }
        for (unsigned op = 0; op < KERNEL_UNARY_COUNT; op++) {
            if (!kernel_unary_known((enum kernel_unary)op, dtype))
                continue;
            kernel_unary((enum kernel_unary)op, dtype, &bench.a, &bench.fast, SWEEP);
            kernel_unary_plain((enum kernel_unary)op, dtype, &bench.a, &bench.plain, SWEEP);
            check_complex((int)op, dtype, kernel_unary_result((enum kernel_unary)op, dtype));
        }
        assert_int_equal(kernel_binary(KERNEL_POW, dtype, a, b, &bench.fast, SWEEP, NULL), OK);
        assert_int_equal(kernel_binary_plain(KERNEL_POW, dtype, a, b, &bench.plain, SWEEP, NULL),
                         OK);
        check_complex(100, dtype, dtype);
    }
}

static void
complex_numbers_have_length_sign_and_powers_of_zero(void **state)
{
    const float x[6] = {3, -4, 0, 0, -5, 0};
    const double zero[2] = {0}, two[2] = {2, 0};
    const struct kernel_operand nothing = {zero, 0}, second = {two, 0};
    float length[3], sign[6];
    double power[2];

    (void)state;
    kernel_unary(KERNEL_ABS, DTYPE_COMPLEX64, x, length, 3);
    assert_true(length[0] == 5 && length[1] == 0 && length[2] == 5);
    kernel_unary(KERNEL_SIGN, DTYPE_COMPLEX64, x, sign, 3);
    assert_true(sign[0] == 0.6f && sign[1] == -0.8f && sign[2] == 0 && sign[4] == -1);
    assert_int_equal(kernel_unary_result(KERNEL_ABS, DTYPE_COMPLEX128), DTYPE_FLOAT64);
    assert_int_equal(kernel_unary_result(KERNEL_SIGN, DTYPE_COMPLEX128), DTYPE_COMPLEX128);
    assert_int_equal(kernel_binary(KERNEL_POW, DTYPE_COMPLEX128, nothing, nothing, power, 1, NULL),
                     OK);
    assert_true(power[0] == 1 && power[1] == 0);
    assert_int_equal(kernel_binary(KERNEL_POW, DTYPE_COMPLEX128, nothing, second, power, 1, NULL),
                     OK);
    assert_true(power[0] == 0 && power[1] == 0);
    assert_int_equal(kernel_binary(KERNEL_POW, DTYPE_COMPLEX128, second, second, power, 1, NULL),
                     OK);
    assert_true(power[0] == 4 && power[1] == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_plain_for_every_operation_type_and_length),
        cmocka_unit_test(functions_are_within_2_units_in_the_last_place),
        cmocka_unit_test(functions_know_zeros_infinities_and_the_ends_of_their_domain),
        cmocka_unit_test(results_do_not_depend_on_how_the_elements_are_split),
        cmocka_unit_test(powers_of_floats_are_within_1_unit_in_the_last_place),
        cmocka_unit_test(complex_functions_are_close_to_the_plain_ones),
        cmocka_unit_test(complex_numbers_have_length_sign_and_powers_of_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
