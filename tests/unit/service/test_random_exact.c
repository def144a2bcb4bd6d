/* The logarithm, sine and cosine of float64 normals: the nearest double, whoever computes it. The
 * expected values were made with 80 decimal digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "service/random/exact.h"
#include "service/random/parts.h"
#include "service/random/vector.h"
#include "tests/vectors/exact.inc"

enum { LOG_CASES = sizeof log_cases / sizeof log_cases[0] };
enum { ANGLE_CASES = sizeof angle_cases / sizeof angle_cases[0] };

static void
logarithms_are_the_nearest_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < LOG_CASES; i++)
        if (random_exact_log(log_cases[i][0]) != log_cases[i][1])
            fail_msg("ln %a is %a, not %a", log_cases[i][0], random_exact_log(log_cases[i][0]),
                     log_cases[i][1]);
}

static void
sines_and_cosines_are_the_nearest_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < ANGLE_CASES; i++) {
        double sine = 0, cosine = 0;

        random_exact_sincos(angle_cases[i][0], &sine, &cosine);
        if (sine != angle_cases[i][1] || cosine != angle_cases[i][2])
            fail_msg("of %a: %a and %a, not %a and %a", angle_cases[i][0], sine, cosine,
                     angle_cases[i][1], angle_cases[i][2]);
    }
}

static void
four_at_a_time_are_the_nearest_doubles(void **state)
{
    (void)state;
    if (!random_vector_available())
        skip();
    for (size_t i = 0; i < LOG_CASES + ANGLE_CASES; i += 4) {
        double uniforms[4], angles[4], logs[4], sines[4], cosines[4];

        for (size_t j = 0; j < 4; j++) {
            uniforms[j] = log_cases[(i + j) % LOG_CASES][0];
            angles[j] = angle_cases[(i + j) % ANGLE_CASES][0];
        }
        random_functions_vector(uniforms, angles, logs, sines, cosines);
        for (size_t j = 0; j < 4; j++) {
            assert_true(logs[j] == log_cases[(i + j) % LOG_CASES][1]);
            assert_true(sines[j] == angle_cases[(i + j) % ANGLE_CASES][1]);
            assert_true(cosines[j] == angle_cases[(i + j) % ANGLE_CASES][2]);
        }
    }
}

static uint64_t
next_word(uint64_t *word)
{
    *word ^= *word << 13;
    *word ^= *word >> 7;
    *word ^= *word << 17;
    return *word;
}

/* The quick sums decide only where they can: a wrong bound on their error would show here. */
static void
four_at_a_time_equal_one_at_a_time(void **state)
{
    const size_t rounds = getenv("TENSORKEEP_TEST_SLOW_TOOL") != NULL ? 2000 : 100000;
    uint64_t word = 88172645463325252u;

    (void)state;
    if (!random_vector_available())
        skip();
    for (size_t i = 0; i < rounds; i++) {
        double uniforms[4], angles[4], logs[4], sines[4], cosines[4];

        for (size_t j = 0; j < 4; j++) {
            const double u = (double)(next_word(&word) >> 12) * 0x1p-52;

            uniforms[j] = fmax(1e-7, i % 2 == 0 ? u : 1 - ldexp(u, -(int)(i % 50) - 1));
            angles[j] = 2 * M_PI * (double)(next_word(&word) >> 12) * 0x1p-52;
        }
        random_functions_vector(uniforms, angles, logs, sines, cosines);
        for (size_t j = 0; j < 4; j++) {
            double sine = 0, cosine = 0;

            random_exact_sincos(angles[j], &sine, &cosine);
            assert_true(sines[j] == sine);
            assert_true(cosines[j] == cosine);
            assert_true(logs[j] == random_exact_log(uniforms[j]));
        }
    }
}

/* Another libm is wrong by one unit in the last place now and then, never by more. */
static void
no_value_is_far_from_the_libms(void **state)
{
    uint64_t word = 1234567;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        const double u = fmax(1e-7, (double)(next_word(&word) >> 12) * 0x1p-52);
        const double angle = 2 * M_PI * (double)(next_word(&word) >> 12) * 0x1p-52;
        double sine = 0, cosine = 0;

        random_exact_sincos(angle, &sine, &cosine);
        assert_true(fabs(sine - sin(angle)) <= fabs(sine) * 0x1p-52);
        assert_true(fabs(cosine - cos(angle)) <= fabs(cosine) * 0x1p-52);
        assert_true(fabs(random_exact_log(u) - log(u)) <= fabs(log(u)) * 0x1p-52);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_are_the_nearest_doubles),
        cmocka_unit_test(sines_and_cosines_are_the_nearest_doubles),
        cmocka_unit_test(four_at_a_time_are_the_nearest_doubles),
        cmocka_unit_test(four_at_a_time_equal_one_at_a_time),
        cmocka_unit_test(no_value_is_far_from_the_libms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
