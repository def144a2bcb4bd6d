/* Statistics of runs: the fast path gives the bits of the plain twin, whatever is in them; both
 * give what one can work out by hand; and nothing is lost where most elements are close together.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/tensor/quantile.h"
#include "service/tensor/statistics.h"
#include "tests/unit/service/kernel_inputs.h"

enum { BLOCK = KERNEL_STATISTICS_BLOCK, RUN_MAX = 3 * BLOCK + 5 };

static bool
same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void
must_be_same(const char *what, const struct kernel_statistics *a, const struct kernel_statistics *b)
{
    if (a->count != b->count || a->nan != b->nan || a->pos_inf != b->pos_inf ||
        a->neg_inf != b->neg_inf || a->zero != b->zero || a->negative != b->negative ||
        a->min_key != b->min_key || a->max_key != b->max_key || !same_double(a->min, b->min) ||
        !same_double(a->max, b->max) || !same_double(a->sum, b->sum) ||
        !same_double(a->absolute, b->absolute) || !same_double(a->deviations, b->deviations))
        fail_msg("%s: %llu elements, sum %.17g, deviations %.17g, %.17g to %.17g; plain: %.17g, "
                 "%.17g, %.17g to %.17g",
                 what, (unsigned long long)a->count, a->sum, a->deviations, a->min, a->max, b->sum,
                 b->deviations, b->min, b->max);
}

/* Of bits by chance; `tame`: of numbers of one size, of which hardly any is not finite. */
static void
fill_run(enum dtype dtype, bool tame, uint32_t *seed, uint8_t *out, uint64_t count)
{
    const uint32_t size = dtype_size(dtype);

    for (uint64_t i = 0; i < count * size; i++)
        out[i] = (uint8_t)(next_word(seed) >> 11);
    for (uint64_t i = 0; i < count && dtype == DTYPE_BOOL; i++)
        out[i] &= 1;
    for (uint64_t i = 0; i < count && tame && dtype_is_float(dtype); i++)
        out[(i + 1) * size - 1] = 0x3F;
}

static void
the_fast_path_equals_its_plain_twin(void **state)
{
    static const uint64_t lengths[] = {1, 2, 7, 8, 9, 64, BLOCK - 1, BLOCK, BLOCK + 1, RUN_MAX};
    static _Alignas(64) uint8_t run[RUN_MAX * 16];
    uint32_t seed = 5, compared = 0;

    (void)state;
    for (int d = 0; d < (int)DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;

        for (size_t i = 0;
             kernel_statistics_known(dtype) && i < 2 * sizeof lengths / sizeof *lengths; i++) {
            struct kernel_statistics fast = {.count = 0}, plain = {.count = 0};

            fill_run(dtype, i % 2 == 0, &seed, run, lengths[i / 2]);
            kernel_statistics(dtype, run, lengths[i / 2], &fast);
            kernel_statistics_plain(dtype, run, lengths[i / 2], &plain);
            must_be_same(dtype_name(dtype), &fast, &plain);
            assert_int_equal(fast.count, lengths[i / 2]);
            compared++;
        }
    }
    assert_int_equal(compared, 17 * 20);
}

/* Close together on either side of 0, far apart, and mixed with zeros: all ways to sum. */
static void
floats_of_all_sizes_equal_their_plain_twin(void **state)
{
    static float run[RUN_MAX];
    static double wide[RUN_MAX];
    uint32_t seed = 9;

    (void)state;
    for (int kind = 0; kind < 40; kind++) {
        struct kernel_statistics fast = {.count = 0}, plain = {.count = 0}, of_wide = {.count = 0};
        const double middle = kind % 4 == 0 ? 1000 : kind % 4 == 1 ? -1000 : 0;
        const double spread = ldexp(1, kind / 4 * 6 - 40);

        for (size_t i = 0; i < RUN_MAX; i++) {
            run[i] = (float)(middle + spread * ((double)(int32_t)next_word(&seed) * 0x1p-31));
            if (kind % 4 == 3 && next_word(&seed) >> 31)
                run[i] = next_word(&seed) >> 31 ? 0.0F : -0.0F;
            wide[i] = (double)run[i];
        }
        kernel_statistics(DTYPE_FLOAT32, run, RUN_MAX, &fast);
        kernel_statistics_plain(DTYPE_FLOAT32, run, RUN_MAX, &plain);
        kernel_statistics(DTYPE_FLOAT64, wide, RUN_MAX, &of_wide);
        must_be_same("float32", &fast, &plain);
        must_be_same("float64", &of_wide, &plain);
    }
}

/* Where a run is cut, between blocks, makes no difference. */
static void
runs_that_follow_each_other_are_one(void **state)
{
    static float run[RUN_MAX];
    struct kernel_statistics whole = {.count = 0}, parts = {.count = 0};
    uint32_t seed = 3;

    (void)state;
    for (size_t i = 0; i < RUN_MAX; i++)
        run[i] = (float)next_word(&seed);
    kernel_statistics(DTYPE_FLOAT32, run, RUN_MAX, &whole);
    kernel_statistics(DTYPE_FLOAT32, run, BLOCK, &parts);
    kernel_statistics(DTYPE_FLOAT32, run + BLOCK, RUN_MAX - BLOCK, &parts);
    must_be_same("cut", &whole, &parts);
}

static void
kinds_are_counted_and_only_finite_ones_are_summed(void **state)
{
    static const float run[] = {1, -2, 0, -0.0F, NAN, INFINITY, -INFINITY, 4, NAN, 3};
    struct kernel_statistics s = {.count = 0};

    (void)state;
    kernel_statistics(DTYPE_FLOAT32, run, sizeof run / sizeof *run, &s);
    assert_int_equal(s.count, 10);
    assert_int_equal(s.nan, 2);
    assert_int_equal(s.pos_inf, 1);
    assert_int_equal(s.neg_inf, 1);
    assert_int_equal(kernel_statistics_finite(&s), 6);
    assert_int_equal(s.zero, 2);
    assert_int_equal(s.negative, 1);
    assert_true(s.min == -2 && s.max == 4 && s.sum == 6 && s.absolute == 10);
    assert_true(kernel_statistics_mean(&s) == 1);
    assert_true(fabs(kernel_statistics_stddev(&s) - 2) < 1e-15);
    assert_true(fabs(kernel_statistics_l2(&s) - sqrt(30)) < 1e-15);
}

static void
nothing_finite_has_no_mean_and_zeros_have_no_sign(void **state)
{
    static const double wild[] = {NAN, INFINITY}, zeros[] = {-0.0, -0.0};
    struct kernel_statistics s = {.count = 0}, of_zeros = {.count = 0};

    (void)state;
    kernel_statistics(DTYPE_FLOAT64, wild, 2, &s);
    assert_true(isnan(kernel_statistics_mean(&s)) && isnan(kernel_statistics_stddev(&s)));
    kernel_statistics(DTYPE_FLOAT64, zeros, 2, &of_zeros);
    assert_false(signbit(of_zeros.min) || signbit(of_zeros.max));
    assert_int_equal(of_zeros.zero, 2);
}

static void
integers_beyond_the_floats_keep_their_bounds(void **state)
{
    static const int64_t run[] = {INT64_MIN, INT64_MAX, 9007199254740993, 0};
    static const uint64_t unsigned_run[] = {UINT64_MAX, UINT64_MAX - 1, 9007199254740993};
    struct kernel_statistics s = {.count = 0}, u = {.count = 0};

    (void)state;
    kernel_statistics(DTYPE_INT64, run, 4, &s);
    assert_int_equal((int64_t)kernel_statistics_key(DTYPE_INT64, s.min_key), INT64_MIN);
    assert_int_equal((int64_t)kernel_statistics_key(DTYPE_INT64, s.max_key), INT64_MAX);
    kernel_statistics(DTYPE_UINT64, unsigned_run, 3, &u);
    assert_true(kernel_statistics_key(DTYPE_UINT64, u.min_key) == 9007199254740993);
    assert_true(kernel_statistics_key(DTYPE_UINT64, u.max_key) == UINT64_MAX);
}

static void
complex_numbers_are_their_magnitudes(void **state)
{
    static const double run[] = {3, 4, 0, 0, NAN, INFINITY, NAN, 1, 0x1p-600, 0};
    struct kernel_statistics s = {.count = 0};

    (void)state;
    kernel_statistics(DTYPE_COMPLEX128, run, 5, &s);
    assert_true(s.nan == 1 && s.pos_inf == 1 && s.zero == 1 && s.negative == 0);
    assert_true(s.max == 5 && s.min == 0 && s.absolute == 5 + 0x1p-600);
}

/* One part in 2^26 around a million: squares alone would lose all of it. */
static void
a_small_deviation_around_a_large_mean_is_not_lost(void **state)
{
    static double run[RUN_MAX];
    struct kernel_statistics s = {.count = 0};

    (void)state;
    for (size_t i = 0; i < RUN_MAX; i++)
        run[i] = 1e6 + (i % 2 == 0 ? 0x1p-26 : -0x1p-26);
    kernel_statistics(DTYPE_FLOAT64, run, RUN_MAX, &s);
    assert_true(fabs(kernel_statistics_stddev(&s) * 0x1p26 - 1) < 1e-6);
    for (size_t i = 0; i < RUN_MAX; i++)
        run[i] = 0.1;
    s = (struct kernel_statistics){.count = 0};
    kernel_statistics(DTYPE_FLOAT64, run, RUN_MAX, &s);
    assert_true(kernel_statistics_stddev(&s) < 1e-16);
}

static void
what_exceeds_the_range_is_infinite(void **state)
{
    static const double run[] = {1.7e308, -1.7e308, 1.7e308};
    struct kernel_statistics s = {.count = 0};

    (void)state;
    kernel_statistics(DTYPE_FLOAT64, run, 3, &s);
    assert_true(isinf(kernel_statistics_stddev(&s)) && isinf(s.absolute));
    assert_true(s.min == -1.7e308 && s.max == 1.7e308);
}

/* --- quantiles --- */

static int
compare_numbers(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
sorting_is_sorting(void **state)
{
    static double numbers[5000], expected[5000];
    static uint64_t room[10000];
    uint32_t seed = 21;

    (void)state;
    for (uint64_t count = 0; count <= 5000; count = count * 3 + 1) {
        for (uint64_t i = 0; i < count; i++)
            expected[i] = numbers[i] =
                ldexp((double)(int32_t)next_word(&seed), (int)(next_word(&seed) >> 24) - 128);
        kernel_quantile_sort(numbers, count, room);
        qsort(expected, count, sizeof *expected, compare_numbers);
        assert_memory_equal(numbers, expected, count * sizeof *numbers);
    }
}

static void
quantiles_lie_on_the_line_between_two_numbers(void **state)
{
    static const double sorted[] = {-1, 0, 4, 10}, two[] = {-1.7e308, 1.7e308};

    (void)state;
    assert_true(kernel_quantile(sorted, 4, 0) == -1 && kernel_quantile(sorted, 4, 1) == 10);
    assert_true(kernel_quantile(sorted, 4, 0.5) == 2 && kernel_quantile(sorted, 1, 0.7) == -1);
    assert_true(kernel_quantile(two, 2, 0.5) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_path_equals_its_plain_twin),
        cmocka_unit_test(floats_of_all_sizes_equal_their_plain_twin),
        cmocka_unit_test(runs_that_follow_each_other_are_one),
        cmocka_unit_test(kinds_are_counted_and_only_finite_ones_are_summed),
        cmocka_unit_test(nothing_finite_has_no_mean_and_zeros_have_no_sign),
        cmocka_unit_test(integers_beyond_the_floats_keep_their_bounds),
        cmocka_unit_test(complex_numbers_are_their_magnitudes),
        cmocka_unit_test(a_small_deviation_around_a_large_mean_is_not_lost),
        cmocka_unit_test(what_exceeds_the_range_is_infinite),
        cmocka_unit_test(sorting_is_sorting),
        cmocka_unit_test(quantiles_lie_on_the_line_between_two_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
