/* What is kept of long arrays, against a look at every element. */
#include "service/tensor/corners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct told {
    uint64_t places[4096];
    uint64_t count, runs;
};

static enum err_code
keep_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct told *told = context;

    (void)err;
    assert_int_equal(result_first, told->count);
    assert_true(count > 0 && told->count + count <= 4096);
    for (uint64_t i = 0; i < count; i++)
        told->places[told->count++] = source_first + i;
    told->runs++;
    return OK;
}

static bool
is_kept(const struct shape *shape, uint64_t place, uint64_t edge)
{
    for (uint32_t i = shape->rank; i-- > 0; place /= shape->dims[i]) {
        uint64_t index = place % shape->dims[i];

        if (index >= edge && index + edge < shape->dims[i])
            return false;
    }
    return true;
}

static void
must_be_kept(struct shape shape, uint64_t count_max, uint64_t edge, uint64_t runs)
{
    struct tensor_corners corners = tensor_corners_of(&shape, count_max, edge);
    bool whole = shape_count(&shape) <= count_max;
    struct told told = {.count = 0};
    struct err err = ERR_INIT;
    uint64_t next = 0;

    assert_int_equal(tensor_corners_each_run(&corners, keep_run, &told, &err), OK);
    assert_int_equal(told.count, shape_count(&corners.kept));
    assert_int_equal(told.runs, runs);
    for (uint64_t place = 0; place < shape_count(&shape); place++)
        if (whole || is_kept(&shape, place, edge))
            assert_int_equal(told.places[next++], place);
    assert_int_equal(next, told.count);
}

static void
short_arrays_are_kept_whole_in_one_run(void **state)
{
    (void)state;
    must_be_kept((struct shape){.rank = 0}, 1000, 3, 1);
    must_be_kept((struct shape){1, {1000}}, 1000, 3, 1);
    must_be_kept((struct shape){2, {40, 25}}, 1000, 3, 1);
    must_be_kept((struct shape){3, {4, 0, 2}}, 1000, 3, 0);
    /* Long, but in no dimension. */
    must_be_kept((struct shape){4, {6, 6, 6, 6}}, 1000, 3, 1);
}

static void
of_long_arrays_the_ends_of_each_dimension_are_kept(void **state)
{
    (void)state;
    must_be_kept((struct shape){1, {1001}}, 1000, 3, 2);
    must_be_kept((struct shape){2, {7, 200}}, 1000, 3, 12);
    must_be_kept((struct shape){2, {200, 6}}, 1000, 3, 6);
    must_be_kept((struct shape){3, {5, 300, 7}}, 1000, 3, 60);
    must_be_kept((struct shape){3, {300, 1, 5}}, 1000, 3, 6);
    must_be_kept((struct shape){1, {3}}, 2, 1, 2);
}

static enum err_code
fail_later(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
           struct err *err)
{
    (void)context;
    (void)result_first;
    (void)count;
    return source_first == 0 ? OK : err_set(err, ERR_INTERNAL, "enough");
}

static void
a_visit_that_fails_ends_the_walk(void **state)
{
    struct shape shape = {2, {100, 100}};
    struct tensor_corners corners = tensor_corners_of(&shape, 1000, 3);
    struct err err = ERR_INIT;

    (void)state;
    assert_true(tensor_corners_cut(&corners, 0));
    assert_int_equal(tensor_corners_each_run(&corners, fail_later, NULL, &err), ERR_INTERNAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_arrays_are_kept_whole_in_one_run),
        cmocka_unit_test(of_long_arrays_the_ends_of_each_dimension_are_kept),
        cmocka_unit_test(a_visit_that_fails_ends_the_walk),
    };

    return cmocka_run_group_tests_name("corners", tests, NULL, NULL);
}
