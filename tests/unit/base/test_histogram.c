/* Where durations are counted, at each bound and beside it, and by several threads at once. */
#include "store/base/histogram.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { THREADS = 4, EACH = 20000 };

static void
bounds_rise_and_each_belongs_to_its_own_bucket(void **state)
{
    struct histogram h = {.sum_us = 0};
    struct histogram_counts counts = {.count = 0};
    uint64_t sum_us = 0;

    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        assert_true(i == 0 || histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
        histogram_add(&h, histogram_bounds_us[i]);
        histogram_add(&h, histogram_bounds_us[i] + 1);
        sum_us += 2 * histogram_bounds_us[i] + 1;
    }
    histogram_collect(&h, &counts);
    assert_int_equal(counts.buckets[0], 1);
    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_int_equal(counts.buckets[i], 2);
    assert_int_equal(counts.buckets[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(counts.count, 2 * HISTOGRAM_BOUNDS);
    assert_int_equal(counts.sum_us, sum_us);
}

static void
collecting_adds_up(void **state)
{
    struct histogram none = {.sum_us = 0}, one = {.sum_us = 0};
    struct histogram_counts counts = {.count = 0};

    (void)state;
    histogram_add(&one, 0);
    histogram_collect(&none, &counts);
    assert_int_equal(counts.count, 0);
    histogram_collect(&one, &counts);
    histogram_collect(&one, &counts);
    assert_int_equal(counts.buckets[0], 2);
    assert_int_equal(counts.count, 2);
    assert_int_equal(counts.sum_us, 0);
}

static void *
add_many(void *context)
{
    for (uint64_t i = 0; i < EACH; i++)
        histogram_add(context, i);
    return NULL;
}

static void
nothing_is_lost_between_threads(void **state)
{
    struct histogram h = {.sum_us = 0};
    struct histogram_counts counts = {.count = 0};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &h), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    histogram_collect(&h, &counts);
    assert_int_equal(counts.count, THREADS * EACH);
    assert_int_equal(counts.sum_us, (uint64_t)THREADS * EACH * (EACH - 1) / 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_rise_and_each_belongs_to_its_own_bucket),
        cmocka_unit_test(collecting_adds_up),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
