/* Threads that share one computation: every part once, errors, runs within runs and beside runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "service/parallel.h"
#include "store/base/alloc.h"

enum { PARTS = 1000, THREADS = 3 };

struct counting {
    atomic_int parts[PARTS];
    atomic_int lanes[THREADS]; /* parts under way in each */
    atomic_int overlaps;
    uint64_t fail_from; /* parts from here on fail; UINT64_MAX: none */
};

static enum err_code
count_part(void *context, uint32_t lane, uint64_t part, struct err *err)
{
    struct counting *counting = context;

    if (atomic_fetch_add(&counting->lanes[lane], 1) != 0)
        atomic_fetch_add(&counting->overlaps, 1);
    atomic_fetch_add(&counting->parts[part], 1);
    atomic_fetch_sub(&counting->lanes[lane], 1);
    if (part >= counting->fail_from)
        return err_set(err, ERR_OUT_OF_RANGE, "part %d", (int)part);
    return OK;
}

static void
every_part_is_done_once_and_no_lane_twice_at_a_time(void **state)
{
    static struct counting counting;
    struct parallel *parallel = NULL;

    (void)state;
    memset(&counting, 0, sizeof counting);
    counting.fail_from = UINT64_MAX;
    assert_int_equal(parallel_open(THREADS, &parallel, NULL), OK);
    assert_int_equal(parallel_threads(parallel), THREADS);
    for (int run = 1; run <= 20; run++) {
        assert_int_equal(parallel_do(parallel, PARTS, count_part, &counting, NULL), OK);
        for (int i = 0; i < PARTS; i++)
            assert_int_equal(counting.parts[i], run);
    }
    assert_int_equal(counting.overlaps, 0);
    parallel_close(parallel);
}

static void
the_error_is_the_lowest_part_s(void **state)
{
    static struct counting counting;
    struct parallel *parallel = NULL;

    (void)state;
    assert_int_equal(parallel_open(THREADS, &parallel, NULL), OK);
    for (int run = 0; run < 50; run++) {
        struct err err = ERR_INIT;

        memset(&counting, 0, sizeof counting);
        counting.fail_from = 7;
        assert_int_equal(parallel_do(parallel, PARTS, count_part, &counting, &err),
                         ERR_OUT_OF_RANGE);
        assert_string_equal(err.text, "part 7");
        assert_true(counting.parts[7 + THREADS] == 0);
    }
    parallel_close(parallel);
}

static void
no_threads_is_the_caller_alone(void **state)
{
    static struct counting counting;
    struct parallel *one = NULL;

    (void)state;
    memset(&counting, 0, sizeof counting);
    counting.fail_from = UINT64_MAX;
    assert_int_equal(parallel_threads(NULL), 1);
    assert_int_equal(parallel_do(NULL, PARTS, count_part, &counting, NULL), OK);
    assert_int_equal(parallel_open(1, &one, NULL), OK);
    assert_int_equal(parallel_do(one, PARTS, count_part, &counting, NULL), OK);
    assert_int_equal(parallel_do(one, 0, count_part, &counting, NULL), OK);
    assert_int_equal(counting.parts[PARTS - 1], 2);
    parallel_close(one);
    parallel_close(NULL);
}

struct nested {
    struct parallel *parallel;
    struct counting counting;
};

static enum err_code
run_nested(void *context, uint32_t lane, uint64_t part, struct err *err)
{
    struct nested *nested = context;

    (void)lane;
    (void)part;
    return parallel_do(nested->parallel, 10, count_part, &nested->counting, err);
}

static void *
run_beside(void *context)
{
    static struct counting counting;
    struct nested *nested = context;

    counting.fail_from = UINT64_MAX;
    for (int i = 0; i < 100; i++)
        if (parallel_do(nested->parallel, PARTS, count_part, &counting, NULL) != OK)
            return context;
    return NULL;
}

/* Whoever finds the threads busy does its work itself: nobody waits for anybody. */
static void
runs_within_and_beside_runs_are_done_by_their_callers(void **state)
{
    static struct nested nested;
    void *failed = &nested;
    pthread_t thread;

    (void)state;
    nested.counting.fail_from = UINT64_MAX;
    assert_int_equal(parallel_open(THREADS, &nested.parallel, NULL), OK);
    assert_int_equal(pthread_create(&thread, NULL, run_beside, &nested), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(parallel_do(nested.parallel, 50, run_nested, &nested, NULL), OK);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_int_equal(nested.counting.parts[9], 20 * 50);
    parallel_close(nested.parallel);
}

static void
short_memory_is_an_error(void **state)
{
    enum err_code code = ERR_NO_MEMORY;

    (void)state;
    for (uint64_t nth = 1; code != OK; nth++) {
        struct parallel *parallel = NULL;

        mem_fail_at(nth, 0);
        code = parallel_open(THREADS, &parallel, NULL);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        parallel_close(parallel);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_done_once_and_no_lane_twice_at_a_time),
        cmocka_unit_test(the_error_is_the_lowest_part_s),
        cmocka_unit_test(no_threads_is_the_caller_alone),
        cmocka_unit_test(runs_within_and_beside_runs_are_done_by_their_callers),
        cmocka_unit_test(short_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
